"""CIFAR-10 and CIFAR-100 as their author packs them: binary batches, and batches that Python wrote.

Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from textgan.corpora.images import opcodes
from textgan.corpora.images.collection import Block, Collection, Shard, array_blocks
from textgan.corpora.images.place import Asked, Place
from textgan.errors import TextganError

SIDE, CHANNELS = 32, 3
PIXELS = CHANNELS * SIDE**2
LARGEST = 1 << 28  # of a batch; that of CIFAR-100 for training has 156 million [bytes]
RECORDS = 1024  # at a time


@dataclass(frozen=True)
class Release:
    """How a corpus is packed."""

    training: tuple[str, ...]
    """Names of the files; the binary ones have .bin besides."""
    heldout: str
    classes: dict[str, tuple[str, str]]
    """For each label, the binary version's file of class names, and the key of the Python version's `meta`."""
    labels: dict[str, str]
    """For each label, its key in a batch; bytes before the pixels of a binary record are in this order."""
    meta: str
    """The Python version's file of class names."""


CIFAR10 = Release(
    tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch",
    {"label": ("batches.meta.txt", "label_names")}, {"label": "labels"}, "batches.meta",
)  # fmt: skip
CIFAR100 = Release(
    ("train",), "test",
    {"coarse": ("coarse_label_names.txt", "coarse_label_names"), "label": ("fine_label_names.txt", "fine_label_names")},
    {"coarse": "coarse_labels", "label": "fine_labels"}, "meta",
)  # fmt: skip


def binary(release: Release, asked: Asked) -> Collection | None:
    """Return the pictures of the binary version: records of one byte a label and 3,072 of pixels, channel by channel.

    Raises:
        TextganError: some of its files are missing.
    """
    files = _files(release, asked.place, ".bin")
    if files is None:
        return None
    names = asked.place.find(release.classes[asked.label][0])
    classes = [] if names is None else asked.place.read(names, 1 << 16).decode(errors="replace").split("\n")
    shard = partial(_shard, asked.place, partial(_binary_blocks, release, asked))
    return Collection(
        tuple(map(shard, files[:-1])), (shard(files[-1]),), tuple(filter(None, map(str.strip, classes))),
    )  # fmt: skip


def python(release: Release, asked: Asked) -> Collection | None:
    """Return the pictures of the Python version, whose files are never executed.

    Raises:
        TextganError: some of its files are missing, or the names of the classes cannot be read.
    """
    files = _files(release, asked.place, "")
    if files is None:
        return None
    names = asked.place.find(release.meta)
    classes = [] if names is None else _batch(asked.place, names)[release.classes[asked.label][1]]
    if not isinstance(classes, list) or not all(isinstance(name, str | bytes) for name in classes):
        raise TextganError(f"{asked.place.path}/{release.meta} has no list of names of classes; get it again")
    shard = partial(_shard, asked.place, partial(_python_blocks, release, asked))
    return Collection(tuple(map(shard, files[:-1])), (shard(files[-1]),), tuple(map(_text, classes)))


def _files(release: Release, place: Place, ending: str) -> list[str] | None:
    """Return the files for training, and that of the held-out pictures; None if none is there."""
    wanted = [f"{name}{ending}" for name in (*release.training, release.heldout)]
    found = {name: place.find(name) for name in wanted}
    missing = [name for name, file in found.items() if file is None]
    if len(missing) == len(wanted):
        return None
    if missing:
        raise TextganError(f"{place.path} lacks {', '.join(missing)}; get it again")
    return [file for file in found.values() if file is not None]


def _shard(place: Place, blocks: Any, name: str) -> Shard:
    return Shard(place.stamp(name), partial(blocks, name))


def _binary_blocks(release: Release, asked: Asked, name: str) -> Iterator[Block]:
    labels, label = len(release.labels), list(release.labels).index(asked.label)
    size, first, called = labels + PIXELS, 0, asked.place.label(name)
    with asked.place.open(name) as file:
        while content := file.read(RECORDS * size):
            if len(content) % size:
                raise TextganError(f"{called} is cut short, or no batch: a record has {size:,} bytes; get it again")
            records = np.frombuffer(content, np.uint8).reshape(-1, size)
            yield from array_blocks(called, _upright(records[:, labels:]), records[:, label], first)
            first += len(records)


def _python_blocks(release: Release, asked: Asked, name: str) -> Iterator[Block]:
    batch, called = _batch(asked.place, name), asked.place.label(name)
    pixels, labels = batch["data"], batch[release.labels[asked.label]]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise TextganError(f"{called} is no batch: its data are not uint8 (picture, {PIXELS:,})")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int for label in labels):
        raise TextganError(f"{called} is no batch: it has not a label a picture")
    yield from array_blocks(called, _upright(pixels), labels)


def _upright(pixels: Any) -> Any:
    """Rows of pixels, channel by channel, as (picture, y, x, channel)."""
    return pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)


class _Entries(dict[str, Any]):
    """What a file of Python's holds."""

    def __init__(self, called: str, found: dict[str, Any]) -> None:
        super().__init__(found)
        self.called = called

    def __missing__(self, key: str) -> Any:
        raise TextganError(f"{self.called} has no {key!r}: it is no file of this corpus")


def _batch(place: Place, name: str) -> _Entries:
    called = place.label(name)
    try:
        return _Entries(called, opcodes.dictionary(place.read(name, LARGEST)))
    except opcodes.RefusedError as error:
        raise TextganError(f"{called} is damaged, or no batch of pictures: {error}; it was not executed") from None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
