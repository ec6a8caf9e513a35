"""Blocks of pictures to rows of pixels, and which of them are held out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from textgan.corpora.images.collection import Block
from textgan.corpora.images.picture import NO_CLASS, Picture, UnusableError, fitted
from textgan.errors import TextganError


class Part(NamedTuple):
    """Rows of pixels."""

    pixels: Picture
    """(row, channel, y, x)"""
    labels: npt.NDArray[np.uint16] | None
    """(row,), where there are classes."""
    left_out: dict[str, int]
    """How many pictures could not be used, by kind."""


@dataclass(frozen=True)
class Fit:
    """Makes rows of a block; sent to other processes."""

    side: int
    channels: int
    classes: int
    """How many; 0 where there are none."""
    errors: str

    def __call__(self, block: Block) -> Part:
        """Return the rows of a block's pictures that can be used.

        Raises:
            TextganError: one cannot, and none is to be left out.
        """
        rows: list[Picture] = []
        labels: list[int] = []
        left_out: Counter[str] = Counter()
        for number, (picture, label) in enumerate(zip(block.pictures, block.labels, strict=True)):
            try:
                if self.classes and not 0 <= label < self.classes:
                    raise UnusableError(NO_CLASS, f"{label}, of {self.classes} classes")
                rows.append(fitted(block.decode(picture), self.side, self.channels))
                labels.append(label)
            except UnusableError as error:
                if self.errors == "strict":
                    said = ": ".join(error.args)
                    advice = "mend or remove it, or say -s corpus.errors=skip"
                    raise TextganError(f"{block.where(number)} is among {said}; {advice}") from None
                left_out[error.args[0]] += 1
        pixels = np.stack(rows) if rows else np.zeros((0, self.channels, self.side, self.side), np.uint8)
        return Part(pixels, np.array(labels, np.uint16) if self.classes else None, dict(left_out))


@dataclass(frozen=True)
class Cut:
    """Parts the rows of one side's shards."""

    heldout: float | None
    """Share that is held out by hash; None where the shards are of one side. [share]"""
    side: str

    def __call__(self, part: Part, most: int) -> dict[str, Part]:
        """Return the rows of each side, up to and with the `most`-th for training.

        The hash is XXH3 of a row's bytes, so that equal pictures are on the same side, from whatever files.
        """
        if self.heldout is None:
            return {self.side: part if self.side == "heldout" else _chosen(part, np.arange(len(part.pixels)) < most)}
        hashes = [xxh3_64_intdigest(row) for row in part.pixels]
        held = np.array(hashes, np.uint64) < np.uint64(self.heldout * 2**64)
        read = np.cumsum(~held) - ~held < most  # up to the last one for training
        return {"train": _chosen(part, ~held & read), "heldout": _chosen(part, held & read)}


def _chosen(part: Part, wanted: npt.NDArray[np.bool_]) -> Part:
    return Part(part.pixels[wanted], None if part.labels is None else part.labels[wanted], {})
