"""How a line becomes rows of at most `length` characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

Cut = Callable[[str, int], list[str]]

BLOCK = 1 << 21  # characters of rows that are encoded at a time: 64k rows of 32
_WORD_FOLLOWS = re.compile(r" (?=[^ ])")


def cut_line(line: str, length: int) -> list[str]:
    """Keep the start of the line: the paper's cut."""
    return [line[:length]]


def cut_windows(line: str, length: int) -> list[str]:
    """Return every window of exactly `length` characters that starts the line or a word; a short line is one row."""
    last = len(line) - length
    if last <= 0:
        return [line]
    starts = [0, *(match.end() for match in _WORD_FOLLOWS.finditer(line, 0, last + 1))]
    return [line[start : start + length] for start in starts]


CUTS: dict[str, Cut] = {"line": cut_line, "windows": cut_windows}


def choose(cut: str, *, fitting: int, lines: int) -> str:
    """Return the cut that `auto` stands for: line where at least half of the lines fit, else windows."""
    if cut != "auto":
        return cut
    return "line" if 2 * fitting >= lines else "windows"


def row_blocks(lines: Iterable[str], *, cut: str, length: int, first: int) -> Iterator[tuple[list[str], list[int]]]:
    """Yield blocks of rows, at most about `BLOCK` characters, with the number of the line each row is from.

    Args:
        lines: lines of any length.
        cut: "line" or "windows".
        length: longest row. [characters]
        first: number of the first line.
    """
    most = max(1, BLOCK // length)
    rows: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, first):
        pieces = CUTS[cut](line, length)
        rows += pieces
        numbers += [number] * len(pieces)
        if len(rows) >= most:
            yield rows, numbers
            rows, numbers = [], []
    if rows:
        yield rows, numbers
