"""Rows of ids, or of pixels, on disk: folders that are whole or absent, read back memory-mapped.

CACHE/rows/FINGERPRINT/    {train,heldout}.{ids,lines,labels}.npy, space.json, manifest.json
CACHE/keys/KEY.json        which fingerprint these files and settings gave
CACHE/sources/FINGERPRINT.json    by what names its rows were asked for on this machine
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import platformdirs

from textgan import bounded, files
from textgan.errors import TextganError

QUIET = 3600.0  # a leftover this old is no other machine's work on a cache that both share [s]
SCHEMA = 2
SPACE = "space.json"
Space = TypeVar("Space")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows of one side of a corpus, memory-mapped, read-only."""

    ids: Array
    """(row, position) uint8, or uint16 for more than 256 ids; of pictures pixels, (row, channel, y, x) uint8."""
    lines: Array
    """(row,) uint32: the line, or picture, of its side, from 0, that each row was cut from."""
    labels: Array | None = None
    """(row,) uint16: the place of each row's label among the classes, where the corpus has some."""

    def __len__(self) -> int:
        return len(self.ids)


class ArrayWriter:
    """An .npy file that grows by blocks; its header is written again, with the final length, on closing."""

    def __init__(self, path: Path, dtype: npt.DTypeLike, columns: tuple[int, ...] = (), length: int = 0) -> None:
        """Begin a file, or go on with one after its first `length` rows."""
        self.dtype, self.columns, self.length = np.dtype(dtype), columns, length
        self.file = path.open("r+b" if length else "wb")
        self._write_header()
        self.file.truncate(self.file.tell() + length * self.dtype.itemsize * math.prod(columns))
        self.file.seek(0, os.SEEK_END)

    def append(self, block: Array) -> None:
        """Add a block of rows, (row, *columns)."""
        self.file.write(np.ascontiguousarray(block, dtype=self.dtype).data)
        self.length += len(block)

    def sync(self) -> None:
        """Bring what was added to the disk."""
        files.sync(self.file)

    def close(self) -> None:
        """Write the header of what there is, and close the file."""
        with self.file:
            self.file.seek(0)
            self._write_header()

    def _write_header(self) -> None:
        # numpy pads the header so that a longer first axis still fits
        shape = (self.length, *self.columns)
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)


class RowsWriter:
    """The rows of one side, a file a part."""

    def __init__(
        self, folder: Path, side: str, *, size: int, shape: tuple[int, ...], labelled: bool, done: int = 0
    ) -> None:
        """Begin, or go on after `done` rows.

        Args:
            folder: where the files go.
            side: train or heldout.
            size: number of ids.
            shape: of a row: its positions; or channels, height and width.
            labelled: rows have labels.
            done: rows that are there. [rows]
        """
        ids = np.uint8 if size <= 256 else np.uint16
        kinds = {"ids": (ids, shape), "lines": (np.uint32, ()), "labels": (np.uint16, ())}
        self._files = {
            part: ArrayWriter(folder / f"{side}.{part}.npy", dtype, columns, done)
            for part, (dtype, columns) in kinds.items()
            if labelled or part != "labels"
        }

    def append(self, ids: Array, lines: Array, labels: Array | None) -> None:
        """Add rows, with the line and the label of each."""
        for part, block in (("ids", ids), ("lines", lines), ("labels", labels)):
            if block is not None:
                self._files[part].append(block)

    @property
    def length(self) -> int:
        """Rows so far."""
        return self._files["ids"].length

    def sync(self) -> None:
        """Bring what was added to the disk."""
        for file in self._files.values():
            file.sync()

    def close(self) -> None:
        """Finish the files."""
        for file in self._files.values():
            file.close()


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


def settle_rows(root: Path, built: Path, space: dict[str, Any], facts: Any) -> str:
    """Give finished rows their place, unless equal ones are there, and return their fingerprint.

    Args:
        root: the cache.
        built: a folder within it that holds the rows and nothing else; it is moved.
        space: JSON of the rows' space.
        facts: JSON of what else the fingerprint is of.
    """
    (built / SPACE).write_text(files.dump_json(space), encoding="utf-8")
    digests = {name: entry["sha256"] for name, entry in files.seal(built).items()}
    fingerprint = hashlib.sha256(json.dumps([SCHEMA, facts, digests], sort_keys=True).encode()).hexdigest()[:32]
    for part in ("rows", "keys", "text"):
        files.sweep(root / part, quiet=QUIET)
    files.move_folder(built, rows_folder(root, fingerprint), once=True)
    return fingerprint


def remember(root: Path, key: str, entry: dict[str, Any]) -> None:
    """Note what the files and settings of `key` gave: an entry with its "fingerprint"."""
    files.write_text(_key_file(root, key), files.dump_json({"schema": SCHEMA, **entry}))


def recall(root: Path, key: str) -> dict[str, Any] | None:
    """Return the entry of `key` if the rows of its fingerprint are there, in full size."""
    try:
        entry = bounded.read_json(_key_file(root, key))
        there = entry["schema"] == SCHEMA and files.is_whole(rows_folder(root, entry["fingerprint"]))
        return dict(entry) if there else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def note_source(root: Path, fingerprint: str, source: Sequence[str]) -> None:
    """Note by what words the user of this cache has asked for the rows of a fingerprint."""
    sources = _sources(root, fingerprint) or []
    if [*source] not in sources:
        files.write_text(_source_file(root, fingerprint), files.dump_json({"schema": 1, "sources": [*sources, source]}))


def is_source(root: Path, fingerprint: str, source: Sequence[str]) -> bool:
    """Return whether the user of this cache has asked for these rows by these words.

    Of rows that are older than such notes it is taken to be so. The fingerprint may be anyone's.
    """
    if not re.fullmatch("[0-9a-f]{32}", fingerprint):  # it is to be a file's name
        return False
    sources = _sources(root, fingerprint)
    return rows_folder(root, fingerprint).is_dir() if sources is None else [*source] in sources


def _sources(root: Path, fingerprint: str) -> list[list[str]] | None:
    """What is noted; None where nothing is."""
    try:
        return list(bounded.read_json(_source_file(root, fingerprint))["sources"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _source_file(root: Path, fingerprint: str) -> Path:
    return root / "sources" / f"{fingerprint}.json"


def _key_file(root: Path, key: str) -> Path:
    return root / "keys" / f"{key}.json"


def open_space(folder: Path, from_json: Callable[[dict[str, Any]], Space]) -> Space:
    """Return the space of the rows.

    Raises:
        TextganError: `from_json` cannot make one of what is there.
    """
    try:
        return from_json(bounded.read_json(folder / SPACE))
    except (OSError, ValueError, LookupError, TypeError):
        raise _damaged(folder) from None


def open_rows(folder: Path, side: str) -> Rows:
    """Memory-map the rows of one side.

    Raises:
        TextganError: a file is no array of rows.
    """
    try:
        labels = folder / f"{side}.labels.npy"
        return Rows(
            _mapped(folder / f"{side}.ids.npy"),
            _mapped(folder / f"{side}.lines.npy"),
            _mapped(labels) if labels.exists() else None,
        )
    except (OSError, ValueError):
        raise _damaged(folder) from None


def _mapped(path: Path) -> Array:
    rows: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return rows


def _damaged(folder: Path) -> TextganError:
    return TextganError(f"{folder} is damaged; remove it and run the command again")
