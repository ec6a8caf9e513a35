"""Rows of ids on disk: folders that are whole or absent, read back memory-mapped.

CACHE/rows/FINGERPRINT/    {train,heldout}.ids.npy, {train,heldout}.lines.npy, space.json, manifest.json
CACHE/keys/KEY.json        which fingerprint these files and settings gave
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import platformdirs

from textgan import files
from textgan.errors import TextganError

QUIET = 3600.0  # a leftover this old is no other machine's work on a cache that both share [s]
SCHEMA = 1
PARTS = ("ids", "lines")
SPACE = "space.json"
Space = TypeVar("Space")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows of one side of a corpus, memory-mapped, read-only."""

    ids: Array
    """(row, position) uint8, or uint16 for more than 256 ids."""
    lines: Array
    """(row,) uint32: the line of its side, from 0, that each row was cut from."""
    labels: Array | None = None
    """(row,) uint16: the class of each row's line, by its place in the space's labels; None without labels."""

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


def cache_root(cache: Path | str | None) -> Path:
    """Return the cache folder: the argument, else TEXTGAN_CACHE, else the user's cache folder."""
    chosen = cache or os.environ.get("TEXTGAN_CACHE") or platformdirs.user_cache_dir("textgan")
    return Path(chosen).expanduser().absolute()


def writing(root: Path) -> AbstractContextManager[None]:
    """Turn a full disk or an unwritable cache into one clear line."""
    return files.writing(f"the cache {root}", "free some space there, or set TEXTGAN_CACHE to another folder")


def rows_folder(root: Path, fingerprint: str) -> Path:
    """Return where the rows of a fingerprint lie."""
    return root / "rows" / fingerprint


def write_rows(root: Path, fingerprint: str, space: dict[str, Any], fill: Callable[[Path], None]) -> None:
    """Write the rows of a fingerprint, which `fill` puts in a folder, and their space, if they are not there."""
    folder = rows_folder(root, fingerprint)
    if files.is_whole(folder):
        return

    def fill_all(target: Path) -> None:
        fill(target)
        (target / SPACE).write_text(files.dump_json(space), encoding="utf-8")

    with writing(root):
        for part in ("rows", "keys", "text"):
            files.sweep(root / part, quiet=QUIET)
        files.write_folder(folder, fill_all, once=True)


def remember(root: Path, key: str, entry: dict[str, Any]) -> None:
    """Note what the files and settings of `key` gave: an entry with its "fingerprint"."""
    with writing(root):
        files.write_text(_key_file(root, key), files.dump_json({"schema": SCHEMA, **entry}))


def recall(root: Path, key: str) -> dict[str, Any] | None:
    """Return the entry of `key` if the rows of its fingerprint are there, in full size."""
    try:
        entry = json.loads(_key_file(root, key).read_text(encoding="utf-8"))
        there = entry["schema"] == SCHEMA and files.is_whole(rows_folder(root, entry["fingerprint"]))
        return dict(entry) if there else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _key_file(root: Path, key: str) -> Path:
    return root / "keys" / f"{key}.json"


def open_space(folder: Path, from_json: Callable[[dict[str, Any]], Space]) -> Space:
    """Return the space of the rows.

    Raises:
        TextganError: `from_json` cannot make one of what is there.
    """
    try:
        return from_json(json.loads((folder / SPACE).read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError):
        raise _damaged(folder) from None


def open_rows(folder: Path, side: str) -> Rows:
    """Memory-map the rows of one side.

    Raises:
        TextganError: a file is no array of rows.
    """
    try:
        return Rows(*(np.load(folder / f"{side}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in PARTS))
    except (OSError, ValueError):
        raise _damaged(folder) from None


def _damaged(folder: Path) -> TextganError:
    return TextganError(f"{folder} is damaged; remove it and run the command again")
