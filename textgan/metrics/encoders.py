"""Sentence encoders: what turns lines into vectors, whose distributions are then compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.pretrained import pretrained
from textgan.metrics.substrings import hashed

DIMENSIONS = 128
ORDERS = 5  # n-grams of 1 to so many characters
BITS = 14  # of the hash of an n-gram: its column
LEARNT = 3000  # lines that the directions are learnt from
LONGEST = 256  # characters of a line that are read
BLOCK = 256  # lines made dense at once
POWERS = 1  # rounds of the subspace iteration
SPARE = 32  # directions more than are kept
MARK = "\n"  # stands before and after a line; no line holds it
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # of the rolling hash; odd, so that no symbol is lost

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
"""Lines to vectors, (line, dimension)."""


class Block(NamedTuple):
    """Some rows of a sparse matrix, (line, column)."""

    lines: int
    at: npt.NDArray[np.int64]
    """Line times columns plus column, of each entry, ascending, (entry,)."""
    value: Floats

    def dense(self) -> Singles:
        """The rows with all their zeros."""
        rows = np.zeros(self.lines << BITS, np.float32)
        rows[self.at] = self.value
        return rows.reshape(self.lines, 1 << BITS)


# --- built in -------------------------------------------------------------------------------------------------------


def lsa(real: Sequence[str], rng: np.random.Generator) -> Encode:
    """Learn an encoder from real lines: latent semantic analysis of their character n-grams, 128 dimensions.

    A line is the counts of its runs of 1 to 5 characters, its ends marked, in 16,384 hashed columns. An entry is the
    square root of a count times 1 + the log of how rare the column is in the real lines; rows have length 1, and are
    projected on the directions in which 3,000 of the real lines, chosen by chance, are largest. They are not normalised
    again: a line of runs that real text lacks lies near 0.

    It sees which letters, syllables, words and pairs of short words there are, and which occur together in a line. It
    does not see their order beyond five characters, nor that two words mean the same, nor what stands after the first
    256 characters of a line; what it learns is of this text, so its numbers compare only against the same real text.

    Args:
        real: lines to learn from, at least one.
        rng: chooses the lines and where the iteration starts.

    Source: Deerwester et al. 1990; the directions by Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1.
    """
    chosen = rng.permutation(len(real))[:LEARNT]
    blocks = list(_counted([real[place] for place in chosen.tolist()]))
    weights = _weights(blocks)
    learnt = [_weighed(block, weights) for block in blocks]
    basis = _directions(learnt, min(DIMENSIONS, len(chosen)), rng)

    def encode(lines: Sequence[str]) -> Floats:
        weighed = (_weighed(block, weights) for block in _counted(lines))
        return _times(weighed, basis).astype(np.float64)

    return encode


def _counted(lines: Sequence[str]) -> Iterator[Block]:
    """How often each line has each column, a block of lines at a time."""
    for start in range(0, len(lines), BLOCK):
        texts = [MARK + line[:LONGEST] + MARK for line in lines[start : start + BLOCK]]
        symbols = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
        owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        found = [(owner[at] << BITS) + columns for at, columns in _ngrams(symbols, owner)]
        at, counts = np.unique(np.concatenate(found), return_counts=True)
        yield Block(len(texts), at, counts.astype(np.float64))


def _ngrams(
    symbols: npt.NDArray[np.uint64], owner: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """For each order, where its n-grams start that lie within a line, and their columns, (n-gram,) both."""
    codes = np.zeros(len(symbols), np.uint64)
    for n in range(ORDERS):
        codes = codes[: len(symbols) - n] * FACTOR + symbols[n:]
        at = np.flatnonzero(owner[n:] == owner[: len(owner) - n])
        yield at, hashed(codes[at], BITS).astype(np.int64)


def _weights(blocks: Iterable[Block]) -> Floats:
    """1 + the log of how rare each column is among the lines, (column,). Source: Sparck Jones 1972, smoothed."""
    lines, having = 0, np.zeros(1 << BITS)
    for block in blocks:
        lines += block.lines
        having += np.bincount(block.at & ((1 << BITS) - 1), minlength=1 << BITS)
    return 1 + np.log((1 + lines) / (1 + having))


def _weighed(block: Block, weights: Floats) -> Block:
    """Weighed rows of length 1."""
    value = np.sqrt(block.value) * weights[block.at & ((1 << BITS) - 1)]
    line = block.at >> BITS
    return block._replace(value=value / np.sqrt(np.bincount(line, value**2))[line])


def _directions(blocks: Sequence[Block], count: int, rng: np.random.Generator) -> Singles:
    """Orthonormal directions of most of the squared length of the rows, (column, direction)."""
    ahead: Singles = rng.standard_normal((1 << BITS, count + SPARE)).astype(np.float32)
    for _ in range(POWERS):
        ahead = np.linalg.qr(_transposed_times(blocks, _times(blocks, ahead)))[0]
    across = np.linalg.qr(_times(blocks, ahead))[0]
    columns, _, _ = np.linalg.svd(_transposed_times(blocks, across), full_matrices=False)
    return np.ascontiguousarray(columns[:, :count])


def _times(blocks: Iterable[Block], columns: Singles) -> Singles:
    """The rows times vectors over columns, (line, vector)."""
    return np.concatenate([np.zeros((0, columns.shape[1]), np.float32), *(b.dense() @ columns for b in blocks)])


def _transposed_times(blocks: Iterable[Block], lines: Singles) -> Singles:
    """The transposed rows times vectors over lines, (column, vector)."""
    product, start = np.zeros((1 << BITS, lines.shape[1]), np.float32), 0
    for block in blocks:
        product += block.dense().T @ lines[start : start + block.lines]
        start += block.lines
    return product


# --- by name --------------------------------------------------------------------------------------------------------

ENCODERS: dict[str, Callable[[Sequence[str], np.random.Generator], Encode]] = {"lsa": lsa}
"""Built-in encoders, learnt from real lines; any other name is that of a model."""


def encoder(name: str, real: Sequence[str], rng: np.random.Generator) -> Encode:
    """Make an encoder: a built-in one, or the model in a folder or on the Hugging Face hub.

    Args:
        name: a name from ENCODERS, a folder, or the name of a model on the hub.
        real: lines that a built-in encoder learns from, at least one.
        rng: draws whatever a built-in encoder draws.

    Raises:
        TextganError: there is no such model here, or it cannot be used.
    """
    make = ENCODERS.get(name)
    return make(real, rng) if make else pretrained(name)


def label(name: str) -> str:
    """Name of an encoder within that of a number: the last part of a path, with plain letters only."""
    if name in ENCODERS:
        return name
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", Path(name).absolute().name).strip("-.") or "model"
    return f"{plain}-model" if plain in ENCODERS else plain
