"""Pictures in a NumPy archive: x_train, y_train, x_test, y_test and, where they have names, classes.

The archive is read as a stream, a block at a time, and nothing in it is unpickled.
"""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from textgan.corpora.images.collection import LABEL, TOGETHER, Block, Collection, Shard, array_blocks, stamp_of
from textgan.corpora.images.picture import MOST
from textgan.corpora.images.place import Asked
from textgan.errors import TextganError, UsageError

SIDES = ("train", "test")
SMALL = 1 << 28  # labels and names of classes, which are read at once [bytes]
UNPACKING = (zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, OSError)
"""What a damaged archive raises."""
HEADER = 1 << 16  # of an array [bytes]
KINDS = {"x": "u", "y": "iu", "classes": "US"}  # numpy's kinds of numbers that an array may hold


class Header(NamedTuple):
    """What an array is."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def collection(asked: Asked) -> Collection | None:
    """Return the pictures of the only such archive; None if there is none.

    Raises:
        TextganError: there are several, or it is damaged, or does not hold these arrays.
    """
    found = asked.place.all("*.npz")
    if not found or asked.place.archive:
        return None
    path = asked.place.path / found[0]
    if len(found) > 1:
        raise TextganError(f"{asked.place.path} holds {', '.join(found)[:200]}; name one of them with --data")
    if asked.label != LABEL:
        raise UsageError(f"corpus.label_column: {path} has no labels {asked.label!r}; say {LABEL}")
    stamp = stamp_of(path)
    with _told(path), zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        sides = [side for side in SIDES if f"x_{side}.npy" in names]
        if "train" not in sides:
            raise TextganError(f"{path} holds no x_train; an archive of pictures has x_train, y_train, x_test, y_test")
        labelled = [f"y_{side}" for side in sides if f"y_{side}.npy" in names]
        if len(labelled) not in (0, len(sides)):
            raise ValueError(f"of {' and '.join(f'y_{side}' for side in sides)} it holds {labelled[0]} alone")
        classes = _small(archive, "classes").ravel() if "classes.npy" in names else np.zeros(0, "U1")
        for side in sides:
            _check(archive, side, bool(labelled))
    shards = {side: (Shard((*stamp, side), partial(_blocks, path, side, bool(labelled))),) for side in sides}
    named = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in classes.tolist())
    return Collection(shards["train"], shards.get("test", ()), named if labelled else None)


def _check(archive: zipfile.ZipFile, side: str, labelled: bool) -> None:
    """Refuse arrays that are no pictures, or not of the size that they say."""
    pictures, _ = _header(archive, f"x_{side}")
    if pictures.dtype != np.uint8 or len(pictures.shape) not in (3, 4) or pictures.shape[3:] not in ((), (1,), (3,)):
        raise ValueError(f"x_{side} is {pictures.dtype} {pictures.shape}, not uint8 (picture, y, x, channel)")
    if not 0 < math.prod(pictures.shape[1:3]) <= MOST:
        raise ValueError(f"x_{side} has pictures of {pictures.shape[1]} x {pictures.shape[2]} pixels")
    if labelled:
        labels, _ = _header(archive, f"y_{side}")
        if math.prod(labels.shape) != pictures.shape[0]:
            raise ValueError(f"y_{side} has {math.prod(labels.shape)} labels of {pictures.shape[0]} pictures")


def _blocks(path: Path, side: str, labelled: bool) -> Iterator[Block]:
    with _told(path), zipfile.ZipFile(path) as archive:
        header, start = _header(archive, f"x_{side}")
        labels = _small(archive, f"y_{side}").ravel() if labelled else None
        size = math.prod(header.shape[1:])
        many = max(1, TOGETHER // max(1, size))
        with archive.open(f"x_{side}.npy") as file:
            file.seek(start)
            for first in range(0, header.shape[0], many):
                count = min(many, header.shape[0] - first)
                pixels = np.frombuffer(file.read(count * size), np.uint8).reshape(count, *header.shape[1:])
                given = None if labels is None else labels[first : first + count]
                yield from array_blocks(str(path), pixels, given, first)


def _small(archive: zipfile.ZipFile, name: str) -> Any:
    """Return a small array at once."""
    header, start = _header(archive, name)
    if archive.getinfo(f"{name}.npy").file_size > SMALL:
        raise ValueError(f"{name} is too large")
    with archive.open(f"{name}.npy") as file:
        file.seek(start)
        return np.frombuffer(file.read(), header.dtype).reshape(header.shape)


def _header(archive: zipfile.ZipFile, name: str) -> tuple[Header, int]:
    """Return what an array of the archive is, and where its values begin. [bytes]

    Raises:
        ValueError: it holds objects, values of another kind, or not as many as it says.
    """
    with archive.open(f"{name}.npy") as file:
        shape, backwards, dtype = _read_header(file)
        start = file.tell()
    if dtype.hasobject or dtype.kind not in KINDS[name.partition("_")[0]]:
        raise ValueError(f"{name} is of the type {dtype}")
    if backwards or min(shape, default=1) < 0:
        raise ValueError(f"{name} is stored by columns (save np.ascontiguousarray of it), or has axes below 0")
    if start + math.prod(shape) * dtype.itemsize != archive.getinfo(f"{name}.npy").file_size:
        raise ValueError(f"{name} is not of the size that it says")
    return Header(shape, dtype), start


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    start = file.tell()
    if version != (1, 0) and int.from_bytes(file.read(4), "little") > HEADER:  # NumPy would read it, then refuse it
        raise ValueError("a header that is too long")
    file.seek(start)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(file)
    except UNPACKING:
        raise
    except Exception as error:  # it is parsed as Python is, which can raise nearly anything
        raise ValueError(f"a header that cannot be read ({type(error).__name__})") from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (*UNPACKING, KeyError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise TextganError(f"{path} is damaged, or no archive of pictures: {said}; get it again") from None
