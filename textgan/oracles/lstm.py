"""The random-LSTM oracle: a language model with weights drawn from N(0, 1), of which every probability is known.

Source: Yu et al. 2017, "SeqGAN" (1609.05473), section 4: the oracle that draws the training text also scores the
generator's, so that its negative log-likelihood is the truth and no estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK = 128  # lines worked on at once: 128 x 5,000 probabilities are 5 MB
SEED = 1  # of the weights
START = 0  # the token before the first
Array = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]


class Size(NamedTuple):
    """Of an oracle."""

    vocabulary: int
    """Different words."""
    length: int = 20
    """Words of a line."""
    hidden: int = 32
    embedding: int = 32


SIZES = {"lstm": Size(500), "seqgan": Size(5_000)}
"""The oracles by name: a small one, and one of the paper's size."""


class State(NamedTuple):
    """What the LSTM holds of some lines."""

    hidden: Array
    cell: Array


class RandomLstm:
    """An LSTM of random weights that draws lines of exactly `length` words, "w0" to "w499"."""

    def __init__(self, name: str, size: Size, *, seed: int = SEED) -> None:
        """Draw the weights, each from N(0, 1); every line of the same seed and machine comes out the same."""
        self.name, self.size = name, size
        self.identity = repr([1, size, seed])
        """Version of this code, size and seed."""
        normal = np.random.default_rng(seed).standard_normal
        self._embedding = normal((size.vocabulary, size.embedding))
        self._gates = normal((size.embedding + size.hidden, 4 * size.hidden))
        self._gate_bias = normal(4 * size.hidden)
        self._out = normal((size.hidden, size.vocabulary))
        self._out_bias = normal(size.vocabulary)
        self._words = [f"w{i}" for i in range(size.vocabulary)]
        self._ids = {word: i for i, word in enumerate(self._words)}

    # --- lines --------------------------------------------------------------------------------------------------------

    def draw(self, count: int, *, longest: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` lines; all have as many words, so that none is too long."""
        return [" ".join(map(self._words.__getitem__, row)) for row in self.sample(count, rng=rng).tolist()]

    def log_probs(self, lines: Sequence[str]) -> Array:
        """Log-probability of each line, (line,), in nats; -inf unless it is `length` known words, a space between."""
        rows = [[self._ids.get(word, -1) for word in line.split(" ")] for line in lines]
        good = [len(row) == self.size.length and min(row) >= 0 for row in rows]
        scores = np.full(len(lines), -math.inf)
        if any(good):
            scores[good] = -self.nll(np.array([row for row, fine in zip(rows, good, strict=True) if fine]))
        return scores

    # --- ids ----------------------------------------------------------------------------------------------------------

    def sample(self, count: int, *, rng: np.random.Generator) -> Ids:
        """Draw `count` lines token by token: ids (line, position)."""
        drawn = np.empty((count, self.size.length), dtype=np.int64)
        for rows in _blocks(count):
            block = drawn[rows]
            tokens, state = np.full(len(block), START), self._start(len(block))
            for place in range(self.size.length):
                logits, state = self._step(tokens, state)
                tokens = block[:, place] = _choose(logits, rng)
        return drawn

    def nll(self, ids: Ids) -> Array:
        """Negative log-likelihood of lines of ids (line, position): the sum over their tokens, (line,), in nats."""
        totals = np.zeros(len(ids))
        for rows in _blocks(len(ids)):
            block = ids[rows]
            tokens, state = np.full(len(block), START), self._start(len(block))
            for column in block.T:
                logits, state = self._step(tokens, state)
                totals[rows] += np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(block)), column]
                tokens = column
        return totals

    def _start(self, lines: int) -> State:
        return State(np.zeros((lines, self.size.hidden)), np.zeros((lines, self.size.hidden)))

    def _step(self, tokens: Ids, state: State) -> tuple[Array, State]:
        """Read one token of each line: logits of the next (line, word), the highest 0, and the new state.

        Source: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in the SeqGAN oracle.
        """
        read = np.concatenate([self._embedding[tokens], state.hidden], axis=1) @ self._gates + self._gate_bias
        keep, write, show, fresh = np.split(read, 4, axis=1)
        cell = _sigmoid(keep) * state.cell + _sigmoid(write) * np.tanh(fresh)
        hidden = _sigmoid(show) * np.tanh(cell)
        logits = hidden @ self._out + self._out_bias
        return logits - logits.max(axis=1, keepdims=True), State(hidden, cell)


def _choose(logits: Array, rng: np.random.Generator) -> Ids:
    """Draw a word of each line by its logits (line, word): where the running sum passes a uniform share of it."""
    sums = np.exp(logits).cumsum(axis=1)
    chosen: Ids = (sums < rng.random((len(sums), 1)) * sums[:, -1:]).sum(axis=1)
    return chosen


def _sigmoid(x: Array) -> Array:
    half: Array = 0.5 * np.tanh(0.5 * x)  # never overflows
    return 0.5 + half


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
