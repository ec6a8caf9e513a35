"""What a source of pictures is: classes, and shards of two sides that yield blocks of pictures as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from textgan.corpora.images.picture import Picture, as_it_is
from textgan.errors import TextganError

TOGETHER = 1 << 22  # of pixels in a block [bytes]
NO_LABEL = -1
LABEL = "label"  # the usual one of pictures that have several
Stamp = tuple[str | int, ...]


class Block(NamedTuple):
    """Some pictures, as they are stored."""

    name: str
    """Of their file, as messages call it."""
    pictures: Sequence[Any]
    """Each is what `decode` takes."""
    places: Sequence[object]
    """Where each is in its file; of one that is a file, nothing."""
    labels: Sequence[int]
    """Place of each one's class among the classes, or `NO_LABEL`."""
    decode: Callable[[Any], Picture] = as_it_is

    def where(self, number: int) -> str:
        """Name one of its pictures."""
        place = self.places[number]
        return f"{self.name}: picture {place}" if place != "" else self.name


@dataclass(frozen=True)
class Shard:
    """Pictures in one order that is always the same."""

    stamp: Stamp
    """Changes with the pictures; begins with path, size and time of a file, where it is one."""
    blocks: Callable[[], Iterator[Block]] = field(compare=False)
    """Yields them anew."""


@dataclass(frozen=True)
class Collection:
    """Pictures of two sides, or of one of which some are to be held out."""

    training: tuple[Shard, ...]
    heldout: tuple[Shard, ...] = ()
    classes: tuple[str, ...] | None = None
    """In the order of their labels; empty where nothing names them, None where there are none."""
    left_out: dict[str, int] = field(default_factory=dict)
    """What was passed over, by kind."""


def stamp_of(path: Path) -> Stamp:
    """Return path, size and time of a file: another stamp is another content.

    Raises:
        TextganError: it cannot be looked at.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise TextganError(f"cannot read {path}: {error.strerror}") from None
    return str(path), stat.st_size, stat.st_mtime_ns


def array_blocks(name: str, pictures: Any, labels: Any = None, first: int = 0) -> Iterator[Block]:
    """Yield pictures (picture, y, x) or (picture, y, x, channel) uint8 in blocks of bounded size.

    Args:
        name: of the file.
        pictures: an array.
        labels: of each picture, numbers; None of none.
        first: place of the first one in its file.
    """
    many = max(1, TOGETHER // max(1, pictures[:1].nbytes))
    for start in range(0, len(pictures), many):
        part = pictures[start : start + many]
        places = range(first + start, first + start + len(part))
        found = [NO_LABEL] * len(part) if labels is None else [int(label) for label in labels[start : start + many]]
        yield Block(name, part, places, found)
