"""How lines become rows of at most `length` symbols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from textgan.symbols import Ids, Symbols

BLOCK = 1 << 23  # characters times length that are cut at a time: 256k characters for rows of 32


def choose(cut: str, *, fitting: int, lines: int) -> str:
    """Return the cut that `auto` stands for: line where at least half of the lines fit, else windows."""
    if cut != "auto":
        return cut
    return "line" if 2 * fitting >= lines else "windows"


def row_blocks(
    lines: Sequence[str], symbols: Symbols, *, cut: str, first: int = 0
) -> Iterator[tuple[Ids, npt.NDArray[np.int64]]]:
    """Yield blocks of rows, in bounded memory, with the number of the line each row is from.

    Args:
        lines: lines of any length.
        symbols: what they are encoded in.
        cut: "line" or "windows".
        first: number of the first line.

    Yields:
        Ids (row, position) and line numbers (row,).
    """
    for block in _blocks(lines, max(1, BLOCK // symbols.length)):
        ids, numbers = symbols.rows(block, cut)
        yield ids, numbers + first
        first += len(block)


def _blocks(lines: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Part lines into blocks of at most about `most` characters, at least one line each."""
    ends = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines)) + 1)
    start = 0
    while start < len(lines):
        before = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, before + most)) + 1
        yield lines[start:end]
        start = end
