"""Files that are whole or absent: written beside, synced, renamed; checked by sha256 when read back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textgan.errors import CorruptError

MANIFEST = "manifest.json"


def dump_json(value: Any) -> str:
    """Strict JSON, indented; NaN and infinities are errors."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8")
        sync(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make or replace a folder as a whole: `fill` writes it beside, a manifest of sizes and digests comes last."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        fill(beside)
        files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in sorted(beside.iterdir())}
        (beside / MANIFEST).write_text(dump_json({"schema": 1, "files": files}), encoding="utf-8")
        for path in beside.iterdir():
            sync(path)
        sync(beside)
        if folder.exists():  # a folder cannot be replaced in one move: the old one steps aside, then goes
            old = folder.with_name(f".{folder.name}-old.{os.getpid()}.tmp")
            folder.replace(old)
            beside.replace(folder)
            shutil.rmtree(old)
        else:
            beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sync(folder.parent)


def verify_folder(folder: Path) -> None:
    """Check a folder against its manifest.

    Raises:
        CorruptError: a file is missing, of another size, or of another digest; the line names it.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        for name, expected in files.items():
            path = folder / Path(name).name
            if not path.is_file():
                raise CorruptError(f"{path} is missing; restore it, or remove {folder} to go without it")
            if path.stat().st_size != expected["bytes"] or sha256(path) != expected["sha256"]:
                raise CorruptError(f"{path} is damaged (its sha256 differs); restore it, or remove {folder}")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorruptError(f"{folder / MANIFEST} is missing or damaged; restore it, or remove {folder}") from error


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder."""
    for path in folder.glob(".*.tmp"):
        process = path.name.split(".")[-2]
        if process.isdigit() and not _alive(int(process)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
