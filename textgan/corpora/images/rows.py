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

SIDES = ("train", "heldout")


class Part(NamedTuple):
    """Rows of pixels."""

    pixels: Picture
    """(row, channel, y, x)"""
    labels: npt.NDArray[np.uint16] | None
    """(row,), where there are classes."""
    left_out: dict[str, int]
    """How many pictures could not be used, by kind."""

    def rows(self, wanted: npt.NDArray[np.bool_]) -> Part:
        """Return some of them."""
        return Part(self.pixels[wanted], None if self.labels is None else self.labels[wanted], {})


@dataclass(frozen=True)
class Fit:
    """Makes rows of a block; sent to other processes."""

    side: int
    channels: int
    classes: int | None
    """How many; None where there are none."""
    errors: str

    def __call__(self, block: Block) -> Part:
        """Return the rows of a block's pictures that can be used.

        Raises:
            TextganError: one cannot, and none is to be left out.
        """
        rows: list[Picture] = []
        labels: list[int] = []
        left_out: Counter[str] = Counter()
        for number in range(len(block.pictures)):
            try:
                rows.append(self._row(block, number))
                labels.append(block.labels[number])
            except UnusableError as error:
                self._refuse_if_strict(block.where(number), error)
                left_out[error.args[0]] += 1
        pixels = np.stack(rows) if rows else np.zeros((0, self.channels, self.side, self.side), np.uint8)
        return Part(pixels, None if self.classes is None else np.array(labels, np.uint16), dict(left_out))

    def _row(self, block: Block, number: int) -> Picture:
        label = block.labels[number]
        if self.classes is not None and not 0 <= label < self.classes:
            raise UnusableError(NO_CLASS, f"{label}, of {self.classes} classes")
        return fitted(block.decode(block.pictures[number]), self.side, self.channels)

    def _refuse_if_strict(self, where: str, error: UnusableError) -> None:
        if self.errors == "strict":
            said = ": ".join(filter(None, error.args))
            raise TextganError(f"{where} cannot be used ({said}); mend or remove it, or say -s corpus.errors=skip")


@dataclass(frozen=True)
class Cut:
    """Parts the rows of a block."""

    heldout: float | None
    """Share of the training shards that is held out by hash; None where the corpus has a split of its own. [share]"""

    def __call__(self, part: Part, side: str, most: int) -> dict[str, Part]:
        """Return the rows of each side, up to and with the `most`-th for training.

        The hash is XXH3 of a row's bytes: equal pictures are on one side, from whatever files.
        """
        if self.heldout is None:
            return {side: part if side == "heldout" else part.rows(np.arange(len(part.pixels)) < most)}
        hashes = np.array([xxh3_64_intdigest(row) for row in part.pixels], np.uint64)
        held = hashes < np.uint64(self.heldout * 2**64)
        read = np.cumsum(~held) - ~held < most  # up to the last one for training
        return {"train": part.rows(~held & read), "heldout": part.rows(held & read)}
