"""Where a corpus is prepared: a folder that one process works in, and that a killed one leaves for the next to go on.

CACHE/work/KEY/    journal.json: what is done; the files that are not whole yet
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from textgan import bounded, files
from textgan.errors import KilledError, TextganError

JOURNAL, LOCK = "journal.json", ".lock"
SCHEMA = 3  # of the journal: raise it when blocks or states are others, so that no older one is gone on with
EVERY = 10.0  # between two notes: what a kill can cost. [s]
SHARE = 0.05  # of the time, at most, goes into notes
FORGOTTEN = 7 * 86400.0  # a folder this old is nobody's work. [s]


class Workshop:
    """The folder and its journal: for each stage the last state that was noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stages: dict[str, Any] = _read(folder / JOURNAL)
        self._due = time.monotonic() + EVERY

    @property
    def begun(self) -> bool:
        """Whether a process was here before."""
        return bool(self._stages)

    def state(self, stage: str) -> Any | None:
        """Return the state that was noted last of a stage; None if none was."""
        return self._stages.get(stage)

    def due(self) -> bool:
        """Whether it is time to note how far a stage has come."""
        return time.monotonic() >= self._due

    def note(self, stage: str, state: Any) -> None:
        """Keep the state of a stage. What it speaks of must be on the disk before."""
        began = time.monotonic()
        self._stages[stage] = state
        files.write_text(self.folder / JOURNAL, json.dumps({"schema": SCHEMA, **self._stages}))
        ended = time.monotonic()
        self._due = ended + max(EVERY, (ended - began) / SHARE)


def _read(path: Path) -> dict[str, Any]:
    try:
        stages = dict(bounded.read_json(path, bounded.LOG))
        return stages if stages.pop("schema", 1) == SCHEMA else {}
    except (OSError, ValueError, TypeError):
        return {}


@contextmanager
def workshop(root: Path, key: str, tell: Callable[[str], None]) -> Iterator[Workshop]:
    """Hold the folder of a key for this process alone, waiting for another that has it.

    It goes when the work is done or cannot be done, and stays when it is interrupted.
    """
    folder = root / "work" / key
    with _locked(folder, tell):
        try:
            yield Workshop(folder)
        except KilledError:
            raise
        except (TextganError, OSError):
            _clear(folder)
            raise
        _clear(folder)
    _sweep(root)


@contextmanager
def _locked(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a folder, made where it is not there."""
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = bounded.open_lock(path)
        except FileNotFoundError:  # another process has just taken the folder away
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell("another process is preparing this corpus; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(path, lock.fileno()):
                yield
                return


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether an open file still lies at its path; whoever had its lock may have taken it away."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _clear(folder: Path) -> None:
    """Remove a folder whose lock is held: it goes at once, lock and all, so that the next process begins another."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        folder.replace(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove folders that were left long ago."""
    for folder in (root / "work").glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(folder)
