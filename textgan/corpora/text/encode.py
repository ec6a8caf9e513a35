"""The second pass over a text: lines to rows of ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.corpora.text import cutting
from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.split import Block, Lines, Side, part
from textgan.symbols import Symbols

Array = npt.NDArray[Any]


class Encoded(NamedTuple):
    """Rows of one side of a block."""

    ids: Array
    """(row, position)"""
    numbers: Array
    """(row,) uint32: the line within this side of the block that each row was cut from."""
    labels: Array | None
    """(row,) uint16: the place of each row's label among the space's."""
    lines: int
    """How many lines the rows were cut from."""


@dataclass(frozen=True)
class EncodeBlock:
    """Block to the rows of its sides."""

    rules: Rules
    space: Symbols
    cut: str

    def __call__(self, block: Block) -> dict[Side, Encoded]:
        """Encode one block."""
        return {side: self._encode(lines) for side, lines in part(block, self.rules)[1].items()}

    def _encode(self, lines: Lines) -> Encoded:
        parts = list(cutting.row_blocks(lines.text, self.space, cut=self.cut))
        if not parts:
            parts = [self.space.rows([], self.cut)]
        ids, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
        if lines.labels is None:
            return Encoded(ids, numbers, None, len(lines.text))
        place = {name: i for i, name in enumerate(self.space.labels)}
        labels = np.array([place[label] for label in lines.labels], dtype=np.uint16)
        return Encoded(ids, numbers, labels[numbers], len(lines.text))
