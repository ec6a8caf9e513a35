"""Exact n-gram counts of many lines at once: codes by doubling, then a table or a sort, and run lengths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import Alphabet, Characters, Read, Unit, blocks, smallest
from textgan.metrics.lines import pick

HELD = 1 << 20  # lines of which the ids are kept; of more they are read again each time
DENSE = 1 << 20  # up to so many codes are counted in a table, more are sorted
ROOM = 8  # as they are if the table has more than so many places for each symbol of the text's first blocks
LARGEST = 1 << 63  # codes stay below
UNSORTED = 1 << 16  # codes that are looked up in any order
MOST = 1 << 28  # n-grams that are counted together; of more, a range of codes at a time, so that memory is bounded

THREADS = min(8, os.cpu_count() or 1)

Codes = npt.NDArray[np.unsignedinteger[Any]]
Range = tuple[int, int]
"""The codes from the first to before the second."""


class Counts(NamedTuple):
    """How often each n-gram occurs."""

    keys: Codes
    """Codes of the n-grams that occur, ascending, (distinct,)."""
    counts: npt.NDArray[np.int64]
    """Occurrences of each, all positive, (distinct,)."""


class Encoded:
    """Lines as ids, a block at a time."""

    def __init__(self, lines: Sequence[str], alphabet: Alphabet) -> None:
        self.lines, self._alphabet = lines, alphabet
        self._held: list[Read] | None = None

    def __iter__(self) -> Iterator[Read]:
        if len(self.lines) > HELD:
            return map(self._alphabet.read, blocks(self.lines))
        if self._held is None:
            self._held = list(map(self._alphabet.read, blocks(self.lines)))
        return iter(self._held)

    def some(self, places: npt.NDArray[np.int64]) -> Encoded:
        """Some of the lines."""
        return self if len(places) == len(self.lines) else Encoded(pick(self.lines, places), self._alphabet)

    def lengths(self) -> npt.NDArray[np.int64]:
        """Symbols of each line, (line,)."""
        return np.concatenate([np.zeros(0, np.int64), *(np.diff(block.ends, prepend=0) for block in self)])

    def total(self, n: int) -> int:
        """Number of n-grams that lie within one line."""
        return sum(int(np.maximum(np.diff(block.ends, prepend=0) - n + 1, 0).sum()) for block in self)


class NGrams:
    """The n-grams of a reference, and codes for the n-grams of any lines.

    A code is the n ids read as a number in base `base`; where that would not fit into 63 bits it is the rank of the
    first n-1 symbols among the reference's, times base, plus the last id. All symbols that the reference lacks
    share id 0, and all (n-1)-grams it lacks share a rank: their n-grams are distinct from every one of the
    reference's, which is all that a comparison with the reference asks.
    """

    def __init__(
        self,
        reference: Sequence[str],
        unit: Unit = Characters,
    ) -> None:
        self.alphabet = unit(blocks(reference))
        self.base = self.alphabet.base
        self.reference = self.encode(reference)
        self._counts: dict[int, Counts] = {}

    def counts(self, n: int) -> Counts:
        """The reference's own counts of n-grams, made when first asked for."""
        if n not in self._counts:
            self._counts[n] = self.count(self.reference, n)
        return self._counts[n]

    def encode(self, lines: Sequence[str]) -> Encoded:
        """Lines as ids: 0 for a symbol that the reference lacks."""
        return Encoded(lines, self.alphabet)

    def count(self, text: Iterable[Read], n: int, within: Range | None = None) -> Counts:
        """Count the n-grams that lie within one line, all of them or those of a range of codes."""
        size = self.size(n)
        small = size <= min(DENSE, ROOM * sum(len(block.ids) for block in islice(text, 2)))

        def counted(block: Read) -> Counts:
            codes = self.windows(block, n)
            if within is not None:
                codes = codes[(codes >= within[0]) & (codes < within[1])]
            return _table(codes, size) if small else _runs(np.sort(codes))

        return _merged(_threaded(counted, text))

    def ranges(self, n: int, total: int) -> list[Range]:
        """Part the codes so that a text of `total` n-grams has about `MOST` of them in each range."""
        parts = -(-total // MOST)
        if parts <= 1 or self.size(n) <= DENSE:
            return [(0, self.size(n))]
        first = np.sort(self.windows(next(iter(self.reference)), n))
        if not len(first):
            return [(0, self.size(n))]
        edges = np.unique(first[np.linspace(0, len(first) - 1, parts + 1).astype(np.int64)[1:-1]]).tolist()
        return list(zip([0, *edges], [*edges, self.size(n)], strict=True))

    def windows(self, block: Read, n: int) -> Codes:
        """Codes of the n-grams that lie within one line, in the order of the text."""
        return self.codes(block.ids, n)[_within(block, n)]

    def codes(self, ids: Codes, n: int) -> Codes:
        """Code of the n ids that start at each position, (symbols - n + 1,); they may span lines."""
        if n == 1:
            return ids
        exact = self.base**n < LARGEST
        head = 1 << ((n - 1).bit_length() - 1) if exact else n - 1
        left = self.codes(ids, head)[: max(len(ids) - n + 1, 0)]
        if not exact:
            left = self._rank(left, head)
        codes: Codes = np.multiply(left, self.base ** (n - head), dtype=smallest(self.size(n)))
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
        codes = self.codes(contexts.ravel().astype(smallest(self.base)), length)[::length]
        if self.base ** (length + 1) >= LARGEST:
            codes = self._rank(codes, length)
        return codes.astype(np.uint64) * np.uint64(self.base)

    def _rank(self, codes: Codes, n: int) -> Codes:
        keys = self.counts(n).keys
        rank, found = locate(keys, codes)
        return np.where(found, rank, len(keys)).astype(np.uint64)


def locate(keys: Codes, wanted: Codes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where each wanted code stands, or would stand, among the ascending keys, and whether it is there."""
    if len(wanted) > UNSORTED and (wanted[1:] < wanted[:-1]).any():  # to look up in order is several times as fast
        kinds, kind = np.unique(wanted, return_inverse=True)
        places, known = locate(keys, kinds)
        return places[kind], known[kind]
    place = np.searchsorted(keys, wanted)
    if len(keys) == 0:
        return place, np.zeros(len(wanted), dtype=bool)
    return place, keys[np.minimum(place, len(keys) - 1)] == wanted


def _within(block: Read, n: int) -> npt.NDArray[np.bool_]:
    """Which windows of n ids, by first position, cross no end of a line, (characters - n + 1,)."""
    if len(block.ids) < n:
        return np.zeros(0, dtype=bool)
    within = np.ones(len(block.ids), dtype=bool)
    for back in range(1, n):  # a negative index falls among the last n-1 positions, which are cut off below
        within[block.ends - back] = False
    return within[: len(within) - n + 1]


def _threaded(job: Callable[[Read], Counts], text: Iterable[Read]) -> Iterator[Counts]:
    """What `job` makes of each block, in order; numpy lets go of the interpreter's lock where its time goes."""
    waiting = iter(text)
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(waiting, THREADS)):
            yield from pool.map(job, batch) if len(batch) > 1 else map(job, batch)


def _table(codes: Codes, size: int) -> Counts:
    """Count codes, of which there are few kinds, in a table."""
    table = np.bincount(codes, minlength=size)
    keys = np.flatnonzero(table)
    return Counts(keys.astype(smallest(size)), table[keys])


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
