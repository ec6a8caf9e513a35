"""MNIST and what is packed like it: idx files, of pictures and of labels apart, packed by gzip or not.

Source: LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import IO, cast

import numpy as np

from textgan.corpora.images.collection import TOGETHER, Block, Collection, Shard, array_blocks
from textgan.corpora.images.place import Asked, Place
from textgan.errors import TextganError

SIDES = ("train", "t10k")
BYTES = 8  # the type of what an idx holds
GZIP = b"\x1f\x8b"


def collection(asked: Asked) -> Collection | None:
    """Return the pictures of train-images-idx3-ubyte and its like; None if there is none.

    Raises:
        TextganError: the labels, or the held-out pictures, are missing.
    """
    if asked.place.find("train-images?idx3-ubyte*") is None:
        return None
    sides = [[_file(asked.place, f"{side}-{what}") for what in ("images?idx3", "labels?idx1")] for side in SIDES]
    training, heldout = (_shard(asked.place, *files) for files in sides)
    return Collection((training,), (heldout,), ())


def _file(place: Place, stem: str) -> str:
    found = place.find(f"{stem}-ubyte") or place.find(f"{stem}-ubyte.gz")
    if found is None:
        raise TextganError(f"{place.path} lacks {stem.replace('?', '-')}-ubyte; get it again")
    return found


def _shard(place: Place, pictures: str, labels: str) -> Shard:
    stamp = tuple(chain(place.stamp(pictures), place.stamp(labels)))
    return Shard(stamp, partial(_blocks, place, pictures, labels))


def _blocks(place: Place, pictures: str, labels: str) -> Iterator[Block]:
    with _opened(place, pictures, 3) as (file, shape), _opened(place, labels, 1) as (classes, counted):
        if shape[0] != counted[0]:
            raise TextganError(f"{place.label(labels)} has {counted[0]} labels of {shape[0]} pictures; get it again")
        size = shape[1] * shape[2]
        many = max(1, TOGETHER // max(1, size))
        for first in range(0, shape[0], many):
            count = min(many, shape[0] - first)
            pixels, found = file.read(count * size), classes.read(count)
            if len(pixels) < count * size or len(found) < count:
                raise TextganError(f"{place.label(pictures)} is cut short; get it again")
            block = np.frombuffer(pixels, np.uint8).reshape(count, *shape[1:])
            yield from array_blocks(place.label(pictures), block, list(found), first)
        if file.read(1) or classes.read(1):
            raise TextganError(f"{place.label(pictures)}, or its labels, hold more than they say; get them again")


@contextmanager
def _opened(place: Place, name: str, axes: int) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Open an idx, unpacked; give its shape.

    Raises:
        TextganError: it is damaged, or none of so many axes.
    """
    with place.open(name) as stored:
        packed = stored.read(2) == GZIP
        stored.seek(0)
        file = cast("IO[bytes]", gzip.GzipFile(fileobj=stored)) if packed else stored
        try:
            head = file.read(4 + 4 * axes)
            if head[:4] != bytes((0, 0, BYTES, axes)) or len(head) < 4 + 4 * axes:
                raise TextganError(f"{place.label(name)} is no idx of bytes with {axes} axes; get it again")
            yield file, tuple(int(size) for size in np.frombuffer(head[4:], ">u4"))
        except (EOFError, zlib.error) as error:
            raise TextganError(f"{place.label(name)} is damaged: {error}; get it again") from None
