"""Rows of ids on disk: written beside and renamed into place whole, read back memory-mapped.

CACHE/rows/FINGERPRINT/    {train,heldout}.ids.npy, {train,heldout}.lines.npy, manifest.json (written last)
CACHE/keys/KEY.json        which fingerprint these files and settings gave
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from textgan.errors import TextganError

ORPHAN_SECONDS = 24 * 3600  # a partial folder this old was left by a killed process
SCHEMA = 1
PARTS = ("ids", "lines")
_PARTIAL = ".partial"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows of one side of a corpus, memory-mapped, read-only."""

    ids: Array
    """(row, position) uint8, or uint16 for more than 256 ids."""
    lines: Array
    """(row,) uint32: the line of its side, from 0, that each row was cut from."""

    def __len__(self) -> int:
        return len(self.ids)


class ArrayWriter:
    """An .npy file that grows by blocks; its header is written again, with the final length, on leaving."""

    def __init__(self, path: Path, dtype: npt.DTypeLike, columns: tuple[int, ...] = ()) -> None:
        self.dtype, self.columns, self.length = np.dtype(dtype), columns, 0
        self.file = path.open("wb")
        self._write_header()

    def append(self, block: Array) -> None:
        """Add a block of rows, (row, *columns)."""
        self.file.write(np.ascontiguousarray(block, dtype=self.dtype).data)
        self.length += len(block)

    def _write_header(self) -> None:
        # numpy pads the header so that a longer first axis still fits
        shape = (self.length, *self.columns)
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self.file:
            if kind is None:
                self.file.seek(0)
                self._write_header()
                self.file.flush()
                os.fsync(self.file.fileno())


def cache_root(cache: Path | str | None) -> Path:
    """Return the cache folder: the argument, else TEXTGAN_CACHE, else the user's cache folder."""
    chosen = cache or os.environ.get("TEXTGAN_CACHE") or platformdirs.user_cache_dir("textgan")
    return Path(chosen).expanduser().absolute()


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn a full disk or an unwritable cache into one clear line."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        advice = "free some space there, or set TEXTGAN_CACHE to another folder"
        raise TextganError(f"cannot write to the cache {root}: {error.strerror}; {advice}") from None


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target` and rename it to `target` when all went well; else leave nothing.

    Where another process was faster, its folder stays and this one is dropped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=_PARTIAL, dir=target.parent))
    try:
        yield partial
        _sync_folder(partial)
        if read_manifest(target) is None:
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_file(path: Path, text: str) -> None:
    """Write a small text file whole: beside, synced, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=_PARTIAL, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object with the schema it follows."""
    write_file(path, json.dumps({"schema": SCHEMA, **content}))


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object of `write_json`; None where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content) if content["schema"] == SCHEMA else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write manifest.json: the content, and the size of every file beside it. [bytes]"""
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    write_json(folder / "manifest.json", {"files": sizes, **content})


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder whose files are all there in full; None for anything less."""
    manifest = read_json(folder / "manifest.json")
    if manifest is None:
        return None
    files = [(folder / name, size) for name, size in manifest["files"].items()]
    return manifest if all(file.is_file() and file.stat().st_size == size for file, size in files) else None


def rows_folder(root: Path, fingerprint: str) -> Path:
    """Return where the rows of a fingerprint lie."""
    return root / "rows" / fingerprint


def remember(root: Path, key: str, entry: dict[str, Any]) -> None:
    """Note what the files and settings of `key` gave: an entry with its "fingerprint"."""
    with writing(root):
        write_json(root / "keys" / f"{key}.json", entry)


def recall(root: Path, key: str) -> dict[str, Any] | None:
    """Return the entry of `key` if the rows of its fingerprint are there."""
    entry = read_json(root / "keys" / f"{key}.json")
    there = entry is not None and read_manifest(rows_folder(root, entry["fingerprint"])) is not None
    return entry if there else None


def open_rows(folder: Path, side: str) -> Rows:
    """Memory-map the rows of one side.

    Raises:
        TextganError: a file is no array of rows.
    """
    try:
        return Rows(*(np.load(folder / f"{side}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in PARTS))
    except (OSError, ValueError):
        raise TextganError(f"{folder} is damaged; remove it and run the command again") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left."""
    for orphan in parent.glob(f"*{_PARTIAL}"):
        with suppress(FileNotFoundError):  # another process may sweep too
            if time.time() - orphan.stat().st_mtime > ORPHAN_SECONDS:
                shutil.rmtree(orphan, ignore_errors=True)
