"""A folder held for one process alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textgan.errors import TextganError
from textgan.files import writing

ADVICE = "free some space there and add --resume, or name another folder with --run"


@contextmanager
def alone_in(folder: Path, option: str = "--run") -> Iterator[None]:
    """Hold a folder, made where it is missing, for this process alone; if it is empty in the end, it goes again.

    `option` names another folder.

    Raises:
        TextganError: another process holds it, or it cannot be made.
    """
    path = folder / ".lock"
    advice = ADVICE if option == "--run" else f"free some space there, or name another folder with {option}"
    with writing(folder, advice):
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    with lock:
        if not _take(lock.fileno(), path):
            raise TextganError(f"another process is training in {folder}; wait for it, or name another with {option}")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()


def _take(handle: int, path: Path) -> bool:
    """Lock an open file, unless another process has it, or had it and removed it a moment ago."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
