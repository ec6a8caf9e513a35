"""Exact n-gram counts of many lines at once: codes by doubling, then a table or a sort, and run lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 16  # lines encoded at once
DENSE = 1 << 20  # up to so many codes are counted in a table, more are sorted
ROOM = 8  # as they are if the table has more than so many places for each symbol of the text
LARGEST = 1 << 63  # codes stay below

Codes = npt.NDArray[np.unsignedinteger[Any]]


class Counts(NamedTuple):
    """How often each n-gram occurs."""

    keys: Codes
    """Codes of the n-grams that occur, ascending, (distinct,)."""
    counts: npt.NDArray[np.int64]
    """Occurrences of each, all positive, (distinct,)."""


class Block(NamedTuple):
    """Some lines, one after the other."""

    ids: Codes
    """One id a character, (characters,)."""
    ends: npt.NDArray[np.int64]
    """Where each line ends, (lines,)."""


class NGrams:
    """The n-grams of a reference, and codes for the n-grams of any lines.

    A code is the n ids read as a number in base `base`; where that would not fit into 63 bits it is the rank of the
    first n-1 characters among the reference's, times base, plus the last id. All characters that the reference lacks
    share id 0, and all (n-1)-grams it lacks share a rank: their n-grams are distinct from every one of the
    reference's, which is all that a comparison with the reference asks.
    """

    def __init__(self, reference: Sequence[str]) -> None:
        seen = np.zeros(0x110000, dtype=bool)
        for points, _ in _points(reference):
            seen[points] = True
        self.symbols: list[str] = [chr(point) for point in np.flatnonzero(seen)]
        self.base = len(self.symbols) + 1
        self._id = np.where(seen, np.cumsum(seen), 0).astype(_smallest(self.base))
        self._reference = self.encode(reference)
        self._counts: dict[int, Counts] = {}

    def counts(self, n: int) -> Counts:
        """The reference's own counts of n-grams, made when first asked for."""
        if n not in self._counts:
            self._counts[n] = self.count(self._reference, n)
        return self._counts[n]

    def encode(self, lines: Sequence[str]) -> list[Block]:
        """Lines as ids: 0 for a character that the reference lacks, else 1 + its place in `symbols`."""
        return [Block(self._id[points], np.cumsum(lengths)) for points, lengths in _points(lines)]

    def count(self, text: Sequence[Block], n: int) -> Counts:
        """Count the n-grams that lie within one line."""
        size = self.size(n)
        windows = (self.codes(block.ids, n)[_within(block, n)] for block in text)
        if size > min(DENSE, ROOM * sum(len(block.ids) for block in text)):
            return _merged(_runs(np.sort(codes)) for codes in windows)
        table = np.zeros(size, dtype=np.int64)
        for codes in windows:
            table += np.bincount(codes, minlength=size)
        keys = np.flatnonzero(table)
        return Counts(keys.astype(_smallest(size)), table[keys])

    def codes(self, ids: Codes, n: int) -> Codes:
        """Code of the n ids that start at each position, (characters - n + 1,); they may span lines."""
        if n == 1:
            return ids
        exact = self.base**n < LARGEST
        head = 1 << ((n - 1).bit_length() - 1) if exact else n - 1
        left = self.codes(ids, head)[: max(len(ids) - n + 1, 0)]
        if not exact:
            left = self._rank(left, head)
        codes: Codes = np.multiply(left, self.base ** (n - head), dtype=_smallest(self.size(n)))
        codes += self.codes(ids, n - head)[head:]
        return codes

    def size(self, n: int) -> int:
        """Number of codes that n-grams may have."""
        return self.base**n if self.base**n < LARGEST else (len(self.counts(n - 1).keys) + 1) * self.base

    def first(self, contexts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint64]:
        """Least code of the n-grams that start with each row of n-1 ids, (rows,); the greatest is base - 1 more."""
        rows, length = contexts.shape
        if length == 0:
            return np.zeros(rows, dtype=np.uint64)
        codes = self.codes(contexts.ravel().astype(_smallest(self.base)), length)[::length]
        if self.base ** (length + 1) >= LARGEST:
            codes = self._rank(codes, length)
        return codes.astype(np.uint64) * np.uint64(self.base)

    def _rank(self, codes: Codes, n: int) -> Codes:
        keys = self.counts(n).keys
        rank, found = locate(keys, codes)
        return np.where(found, rank, len(keys)).astype(np.uint64)


def locate(keys: Codes, wanted: Codes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where each wanted code stands, or would stand, among the ascending keys, and whether it is there."""
    place = np.searchsorted(keys, wanted)
    if len(keys) == 0:
        return place, np.zeros(len(wanted), dtype=bool)
    return place, keys[np.minimum(place, len(keys) - 1)] == wanted


def _points(lines: Sequence[str]) -> Iterator[tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]]:
    """Code points (characters,) and line lengths (lines,) of each block of lines."""
    for start in range(0, len(lines), BLOCK):
        block = lines[start : start + BLOCK]
        joined = "".join(block).encode("utf-32-le", "surrogatepass")
        yield np.frombuffer(joined, dtype=np.uint32), np.fromiter(map(len, block), np.int64, len(block))


def _within(block: Block, n: int) -> npt.NDArray[np.bool_]:
    """Which windows of n ids, by first position, cross no end of a line, (characters - n + 1,)."""
    if len(block.ids) < n:
        return np.zeros(0, dtype=bool)
    within = np.ones(len(block.ids), dtype=bool)
    for back in range(1, n):  # a negative index falls among the last n-1 positions, which are cut off below
        within[block.ends - back] = False
    return within[: len(within) - n + 1]


def _runs(ordered: Codes) -> Counts:
    """Run lengths of ascending codes."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]]))
    return Counts(ordered[starts], np.diff(starts, append=len(ordered)))


def _merged(runs: Iterable[Counts]) -> Counts:
    """Add up runs of the same order, each with others of about its size, so that every code moves seldom."""
    stack: list[Counts] = []
    for run in runs:
        stack.append(run)
        while len(stack) > 1 and len(stack[-2].keys) <= 2 * len(stack[-1].keys):
            stack.append(_sum(stack.pop(), stack.pop()))
    while len(stack) > 1:
        stack.append(_sum(stack.pop(), stack.pop()))
    return stack[0] if stack else Counts(np.zeros(0, np.uint64), np.zeros(0, np.int64))


def _sum(small: Counts, large: Counts) -> Counts:
    place, found = locate(large.keys, small.keys)
    counts = large.counts.copy()
    counts[place[found]] += small.counts[found]
    new = ~found
    return Counts(np.insert(large.keys, place[new], small.keys[new]), np.insert(counts, place[new], small.counts[new]))


def _smallest(size: int) -> np.dtype[Any]:
    """The narrowest unsigned type that holds 0..size-1."""
    return np.min_scalar_type(size - 1)
