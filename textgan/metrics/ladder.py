"""The ladder: samples of the 1- to 6-gram models of the training text, to place a generator's samples among."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import Characters
from textgan.metrics.jsd import distances
from textgan.metrics.lines import View, few
from textgan.metrics.ngrams import Codes, NGrams

RUNGS = range(1, 7)
LONGEST = 4096  # characters of a line that are learnt, and drawn
END = "\n"  # stands before and after a line; no line holds it


class Ladder:
    """The n-gram models of some lines: the next character given the n-1 before it, at its frequency in the text.

    A line starts after n-1 marks and ends with one; a line of exactly `length` characters was cut and has no end.
    Contexts that are only ever followed by a cut are continued by the next shorter model.
    """

    def __init__(self, training: Sequence[str], length: int | None = None) -> None:
        ended = [line if len(line) == length else line + END for line in training]
        self._longest = max(map(len, training), default=0)
        alphabet = Characters([[END, *ended]])
        self._ngrams = NGrams([END * (RUNGS[-1] - 1) + line for line in ended], lambda _: alphabet)
        self._end = 1 + alphabet.symbols.index(END)
        self._points = np.array([0, *map(ord, alphabet.symbols)], dtype="<u4")
        self._events: dict[int, tuple[Codes, npt.NDArray[np.int64]]] = {}
        for n in RUNGS:
            text = self._ngrams.encode([END * (n - 1) + line for line in ended])
            keys, counts = self._ngrams.count(text, n)
            self._events[n] = keys.astype(np.uint64), np.cumsum(np.concatenate([[0], counts]))

    def sample(self, n: int, count: int, *, rng: np.random.Generator) -> list[str]:
        """Draw `count` lines from the n-gram model, cut at the longest line's length if they have not ended."""
        end = self._end
        drawn = np.full((count, self._longest), end, dtype=np.min_scalar_type(self._ngrams.base - 1))
        context = np.full((count, n - 1), end, dtype=drawn.dtype)
        alive = np.arange(count)
        for place in range(self._longest):
            column = self._next(n, context, rng)
            drawn[alive, place] = column
            going = column != end
            alive = alive[going]
            if not len(alive):
                break
            context = np.column_stack([context, column.astype(drawn.dtype)])[going, 1:]
        return [self._points[row].tobytes().decode("utf-32-le", "surrogatepass").rstrip(END) for row in drawn]

    def _next(self, n: int, context: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The ids that follow contexts (rows, n-1): one event of the training text, drawn uniformly, each."""
        keys, until = self._events[n]
        first = self._ngrams.first(context)
        low = until[np.searchsorted(keys, first)]
        events = until[np.searchsorted(keys, first + np.uint64(self._ngrams.base))] - low
        event = low + (rng.random(len(context)) * events).astype(np.int64)
        place = np.searchsorted(until, event, side="right") - 1
        ids = (keys.take(place, mode="clip") % np.uint64(self._ngrams.base)).astype(np.int64)
        lost = events == 0
        if lost.any():
            ids[lost] = self._next(n - 1, context[lost, 1:], rng)
        return ids


def models_of(training: Sequence[str], length: int | None) -> Ladder:
    """Learn from at most 500,000 training lines cut at `length`, and 4,096 characters of each."""
    length = min(length or LONGEST, LONGEST)
    return Ladder([line[:length] for line in few(training)], length)


def ladder(
    count: int, reference: Sequence[str], training: Sequence[str], *, rng: np.random.Generator, view: View
) -> dict[int, dict[int, float | None]]:
    """JSD to the reference of `count` samples of each n-gram model of training: model's order, then n, in bits.

    The models learn from at most 500,000 training lines, and 4,096 characters of each.
    """
    models = models_of(training, view.length)
    ngrams = NGrams(view.padded(reference))
    return {order: distances(view.padded(models.sample(order, count, rng=rng)), ngrams, view.orders) for order in RUNGS}
