"""What an n-gram is made of: the alphabet of a reference, in which lines are read as ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 16  # lines read at once


class Read(NamedTuple):
    """Some lines, one after the other."""

    ids: npt.NDArray[np.unsignedinteger[Any]]
    """One id a symbol, (symbols,); 0 is a symbol that the alphabet lacks."""
    ends: npt.NDArray[np.int64]
    """Where each line ends, (lines,)."""


class Alphabet(Protocol):
    """The symbols of a reference."""

    base: int
    """Number of ids: the symbols, and 0 for any other."""

    def read(self, lines: Sequence[str]) -> Read:
        """Read lines as ids."""


Unit = Callable[[Iterable[Sequence[str]]], Alphabet]
"""What n-grams are made of: blocks of a reference's lines to its alphabet."""


class Characters:
    """Code points."""

    def __init__(self, reference: Iterable[Sequence[str]]) -> None:
        seen = np.zeros(0x110000, dtype=bool)
        for block in reference:
            seen[_points(block)] = True
        points = np.flatnonzero(seen)
        self.symbols = list(map(chr, points.tolist()))
        self.base = len(points) + 1
        self._id = np.zeros(len(seen), dtype=smallest(self.base))
        self._id[points] = np.arange(1, self.base)

    def read(self, lines: Sequence[str]) -> Read:
        """Read lines: 0 for a character that the reference lacks, else 1 + its place in `symbols`."""
        ids = self._id.take(_points(lines), mode="clip")  # no point is beyond the table; this way is twice as fast
        return Read(ids, np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines))))


class Tokens:
    """What a function splits a line into."""

    def __init__(self, split: Callable[[str], list[str]], reference: Iterable[Sequence[str]]) -> None:
        self._split = split
        self._id: dict[str, int] = {}
        for block in reference:
            for token in chain.from_iterable(map(split, block)):
                self._id.setdefault(token, len(self._id) + 1)
        self.base = len(self._id) + 1

    def read(self, lines: Sequence[str]) -> Read:
        """Read lines: 0 for a token that the reference lacks, else its place among the reference's, from 1."""
        parts = list(map(self._split, lines))
        ids = map(self._id.get, chain.from_iterable(parts), repeat(0))
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        return Read(np.fromiter(ids, smallest(self.base), int(lengths.sum())), np.cumsum(lengths))


def blocks(lines: Sequence[str]) -> Iterable[Sequence[str]]:
    """Part lines into blocks."""
    return (lines[start : start + BLOCK] for start in range(0, len(lines), BLOCK))


def smallest(size: int) -> np.dtype[Any]:
    """The narrowest unsigned type that holds 0..size-1."""
    return np.min_scalar_type(size - 1)


WORDS = partial(Tokens, str.split)
"""Words between white space, case kept."""


def lower_words(line: str) -> list[str]:
    """Lower-cased, between single spaces; two spaces in a row hold an empty token.

    Source: Gulrajani et al. 2017, language_helpers.py, tokenize_string.
    """
    return line.lower().split(" ")


def _points(lines: Sequence[str]) -> npt.NDArray[np.uint32]:
    return np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
