"""N-grams of words: every word is one symbol, coded and counted as characters are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat

import numpy as np

from textgan.metrics.ngrams import BLOCK, Block, Counts, NGrams


class WordNGrams(NGrams):
    """The n-grams of a reference's words, and codes for those of any lines; `symbols` are its distinct words.

    As with characters, words that the reference lacks share id 0, and an n-gram that holds one equals none of its.
    """

    def __init__(self, reference: Sequence[str], split: Callable[[str], list[str]] = str.split) -> None:
        # not super's: that would make a table of all code points
        self._split = split
        self.symbols = list(dict.fromkeys(chain.from_iterable(map(split, reference))))
        self.base = len(self.symbols) + 1
        self._known = {word: place for place, word in enumerate(self.symbols, 1)}
        self._reference = self.encode(reference)
        self._counts: dict[int, Counts] = {}

    @property
    def text(self) -> list[Block]:
        """The reference as ids."""
        return self._reference

    def encode(self, lines: Sequence[str]) -> list[Block]:
        """Lines as ids: 0 for a word that the reference lacks, else 1 + its place in `symbols`."""
        return [self._block(lines[start : start + BLOCK]) for start in range(0, len(lines), BLOCK)]

    def _block(self, lines: Sequence[str]) -> Block:
        pieces = list(map(self._split, lines))
        ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        ids = map(self._known.get, chain.from_iterable(pieces), repeat(0))
        return Block(np.fromiter(ids, np.min_scalar_type(self.base - 1), int(ends[-1])), ends)


def lengths(text: Sequence[Block]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Symbols of each line of an encoded text, (line,)."""
    return np.concatenate([np.zeros(0, np.int64), *(np.diff(block.ends, prepend=0) for block in text)])
