"""Which lines of a text were met before: found by their hashes on disk, with little memory whatever the text's size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.corpora.text.cleaning import Rules, clean
from textgan.corpora.text.split import Block, hashes
from textgan.corpora.text.wire import loaded

Array = npt.NDArray[Any]
PARTITION = 1 << 22  # hashes sorted at a time


@dataclass(frozen=True)
class HashBlock:
    """Block to the hashes of its clean lines, (line,) uint64."""

    rules: Rules

    def __call__(self, block: Block) -> Array:
        """Hash one block."""
        return hashes(clean(loaded(block.data), self.rules, block.label).raw)


def first_met(path: Path, result: Path) -> None:
    """Write whether each hash of one file is the first of its value, as bool, into another.

    A part of the values at a time, so that memory is that of `PARTITION` hashes, and of a mapped file.
    """
    count = path.stat().st_size // 8
    with result.open("wb") as file:
        file.truncate(count)
    if not count:
        return
    codes, first = np.memmap(path, np.uint64, "r"), np.memmap(result, np.bool_, "r+")
    parts = -(-count // PARTITION)
    edges = [int(i * 2**64 / parts) for i in range(parts)] + [2**64]
    for low, high in pairwise(edges):
        places = _within(codes, low, high)
        _, firsts = np.unique(codes[places], return_index=True)  # the first of equal ones
        first[places[firsts]] = True
    first.flush()


def _within(codes: Array, low: int, high: int) -> Array:
    """Places of the hashes in [low, high), found a stretch at a time."""
    found = []
    for start in range(0, len(codes), PARTITION):
        stretch = codes[start : start + PARTITION]
        found.append(start + np.flatnonzero((stretch >= np.uint64(low)) & (stretch <= np.uint64(high - 1))))
    return np.concatenate(found)
