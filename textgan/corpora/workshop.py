"""Where a corpus is prepared: a folder that one process works in, and that a killed one leaves for the next to go on.

CACHE/work/KEY/    journal.json: what is done; the files that are not whole yet
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from textgan import files
from textgan.errors import TextganError

JOURNAL, LOCK = "journal.json", ".lock"
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
        files.write_text(self.folder / JOURNAL, json.dumps(self._stages))
        ended = time.monotonic()
        self._due = ended + max(EVERY, (ended - began) / SHARE)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


@contextmanager
def workshop(root: Path, key: str, tell: Callable[[str], None]) -> Iterator[Workshop]:
    """Hold the folder of a key for this process alone, waiting for another that has it.

    It goes when the work is done or cannot be done, and stays when it is interrupted.
    """
    folder = root / "work" / key
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process is preparing this text; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(exist_ok=True)
        try:
            yield Workshop(folder)
        except (TextganError, OSError):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove folders that were left long ago."""
    for folder in (root / "work").glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(folder)
