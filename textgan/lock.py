"""A folder held for one process alone."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from textgan import bounded
from textgan.errors import TextganError
from textgan.files import open_lock, writing

ADVICE = "free some space there and add --resume, or name another folder with --run"


@contextmanager
def alone_in(folder: Path, option: str = "--run") -> Iterator[None]:
    """Hold a folder, made where it is missing, for this process alone; if it is empty in the end, it goes again.

    `option` names another folder. A lock goes with the process that has it, however that ends. Where the file system
    knows no locks, the folder is held by what the file says of its owner; two processes that begin in the same moment
    are not told apart then, and one on another machine is taken to live.

    Raises:
        TextganError: another process holds it, or it cannot be made.
    """
    path = folder / ".lock"
    advice = ADVICE if option == "--run" else f"free some space there, or name another folder with {option}"
    with writing(folder, advice):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open_lock(path)
    with lock:
        if advised := _held(lock.fileno(), path):
            told = f"another process is training in {folder}{_named(path)}"
            raise TextganError(f"{told}; {advised}, or name another with {option}")
        try:
            with writing(folder, advice):
                _sign(lock)
            yield
        finally:
            with suppress(OSError):  # nothing can go from what is read-only by now, and nobody holds it any more
                path.unlink(missing_ok=True)
                folder.rmdir()


def _held(handle: int, path: Path) -> str:
    """Lock an open file; if another process has it, or had it and removed it a moment ago, return what to do."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "" if os.path.samestat(os.fstat(handle), path.stat()) else "wait for it"
    except (BlockingIOError, FileNotFoundError):
        return "wait for it"
    except OSError:  # no locks here
        return f"wait for it, remove {path} if it is gone" if _lives(_owner(path)) else ""


def _sign(lock: FileIO) -> None:
    """Write into a lock who has it."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    owner = {"pid": os.getpid(), "host": platform.node(), "started": now, "ticks": _ticks(os.getpid())}
    lock.truncate(0)
    lock.write(json.dumps(owner).encode() + b"\n")


def _owner(path: Path) -> dict[str, Any]:
    """Return what a lock says of its owner; nothing where it cannot be read, as while it is written."""
    try:
        return dict(bounded.read_json(path, bounded.SETTINGS))
    except (OSError, ValueError, TypeError):
        return {}


def _named(path: Path) -> str:
    owner = _owner(path)
    return f" (process {owner.get('pid')} on {owner.get('host')}, since {owner.get('started')})" if owner else ""


def _lives(owner: dict[str, Any]) -> bool:
    """Tell whether the owner of a lock still runs, as far as it can be known from here."""
    process = owner.get("pid")
    if not isinstance(process, int) or owner.get("host") != platform.node():
        return bool(owner)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return owner.get("ticks") == _ticks(process)  # else another has its id since


def _ticks(process: int) -> int | None:
    """When a process of this machine began, in ticks since it was switched on; None where the system does not tell.

    Source: proc(5), field 22 of /proc/PID/stat; the second one, in brackets, may hold anything.
    """
    try:
        return int(
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, ValueError, IndexError):
        return None
