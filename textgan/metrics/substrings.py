"""The longest piece of a line that also lies within a line of another text: exact, without a suffix array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.metrics.ngrams import LARGEST, Codes, NGrams

STARTS = (8, 4, 2, 1)  # lengths at which a search starts
BLOCK = 1 << 24  # characters searched at once
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: multiplicative hashing, Knuth 1973, section 6.4

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Pieces of one length of a text, all within lines."""

    ids: Codes
    """The text, (characters,)."""
    at: Ints
    """Where each piece starts, (piece,)."""
    codes: Codes
    """A number a piece, equal for equal pieces, (piece,)."""

    def those(self, chosen: npt.NDArray[np.bool_], codes: npt.NDArray[np.integer[Any]]) -> Pieces:
        """Some of the pieces, by other codes, (all pieces,)."""
        return Pieces(self.ids, self.at[chosen], codes[chosen].astype(np.uint64))

    def grown(self, length: int, base: int) -> Pieces:
        """The pieces, of that length, and the character after each, where the line has one."""
        following = self.ids[self.at + length]
        return self.those(following != 0, self.codes * np.uint64(base) + following)


def copied(lines: Sequence[str], text: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether each line is one of the text's, (line,)."""
    wanted = set(lines)
    found = {line for line in text if line in wanted}
    return np.array([line in found for line in lines], dtype=bool)


def longest_common(lines: Sequence[str], text: Sequence[str]) -> Ints:
    """Length of the longest piece of each line that lies within a line of the text, (line,). [characters]

    Pieces that both sides have are numbered, and grow by a character: the number and that character are the code of the
    longer piece, so that nothing but equal characters makes pieces equal. Only shared pieces grow, on both sides, and
    the work falls with the length. It starts at a length that most lines reach; lines that share no piece so long start
    shorter. Lines that are copies as a whole are looked up before.
    """
    ngrams = NGrams(lines)
    longest = np.where(copied(lines, text), np.fromiter(map(len, lines), np.int64, len(lines)), 0)
    for start in (n for n in STARTS if ngrams.base**n < LARGEST):
        left = np.flatnonzero(longest == 0)
        ids, owner = ended(ngrams, [lines[place] for place in left.tolist()])
        pieces = within(ids, owner, start, ngrams)
        for block in _blocks(text):
            for length, at in _shared(pieces, ended(ngrams, block)[0], start, ngrams):
                found = left[owner[at]]
                longest[found] = np.maximum(longest[found], length)
    return longest


def ended(ngrams: NGrams, lines: Sequence[str]) -> tuple[Codes, Ints]:
    """Lines as ids with a 0 after each, and the line of each id, both (ids,).

    What spans lines thus holds a 0, the id of what `ngrams` does not know.
    """
    blocks = ngrams.encode(lines)
    ids = [np.insert(block.ids, block.ends, 0) for block in blocks]
    lengths = [np.diff(block.ends, prepend=0) for block in blocks]
    owner = np.repeat(np.arange(len(lines)), np.concatenate([*lengths, np.zeros(0, np.int64)]) + 1)
    return np.concatenate([*ids, np.zeros(0, np.uint8)]), owner


def within(ids: Codes, owner: Ints, length: int, ngrams: NGrams) -> Pieces:
    """Pieces of so many characters, of lines as `ended` gives them, whose characters `ngrams` all knows."""
    last = np.arange(length - 1, len(ids))
    at = last[(ids[last] != 0) & (owner[last] == owner[last - length + 1])] - length + 1
    return Pieces(ids, at, ngrams.codes(ids, length)[at].astype(np.uint64))


def _shared(pieces: Pieces, ids: Codes, length: int, ngrams: NGrams) -> Iterator[tuple[int, Ints]]:
    """For each length from that of the pieces on, where those start that the ids hold too, until there are none."""
    codes = ngrams.codes(ids, length)
    others = Pieces(ids, np.arange(len(codes)), codes)
    while len(pieces.at) and len(others.at):
        number, theirs = places(pieces.codes, pieces.codes), places(pieces.codes, others.codes)
        held = np.zeros(len(number), dtype=bool)
        held[theirs[theirs >= 0]] = True
        pieces, others = pieces.those(held[number], number), others.those(theirs >= 0, theirs)
        yield length, pieces.at
        pieces, others = pieces.grown(length, ngrams.base), others.grown(length, ngrams.base)
        length += 1


def places(keys: Codes, codes: Codes) -> Ints:
    """Where each code stands among the keys, the same place for equal codes, -1 where it does not, (code,).

    A hash table of one key a slot, and another for the keys that lost theirs; many times faster than bisection.
    """
    place = np.full(len(codes), -1)
    if not len(keys):
        return place
    bits = (2 * len(keys)).bit_length()
    slots = np.full(1 << bits, -1, dtype=np.int32)
    home = hashed(keys, bits)
    slots[home] = np.arange(len(keys))
    guess = slots[hashed(codes, bits)]
    taken = np.flatnonzero(guess >= 0)
    right = keys[guess[taken]] == codes[taken]
    place[taken[right]] = guess[taken[right]]
    lost, rest = np.flatnonzero(keys[slots[home]] != keys), taken[~right]
    if len(lost) and len(rest):
        among = places(keys[lost], codes[rest])
        place[rest] = np.where(among >= 0, lost[among], -1)
    return place


def hashed(codes: Codes, bits: int) -> Codes:
    """Codes as numbers of so many bits."""
    return (codes.astype(np.uint64) * MIX) >> np.uint64(64 - bits)


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines in blocks of about `BLOCK` characters."""
    block: list[str] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line) + 1
        if size >= BLOCK:
            yield block
            block, size = [], 0
    yield block
