"""Shares of lines: words that training knows, and lines that are not repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from textgan.metrics.interval import clipped, interval, of_ratio
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts


def words(line: str, length: int | None = None) -> list[str]:
    """Words of a line, split on spaces, empties dropped, case kept.

    A line of exactly `length` characters was cut, and perhaps within its last word: that word is left out. (A space
    at the cut ends the last word, which then stays.)
    """
    pieces = line.split(" ")
    return [word for word in (pieces[:-1] if len(line) == length else pieces) if word]


def vocabulary(lines: Iterable[str], length: int | None = None) -> frozenset[str]:
    """All distinct words of lines cut at `length`."""
    return frozenset(word for line in lines for word in words(line, length))


def known_share(lines: Iterable[str], known: Collection[str], length: int | None = None) -> float | None:
    """Share of the word tokens of lines cut at `length` that are in `known`, 0..1; None without words."""
    counts = Counter(word in known for line in lines for word in words(line, length))
    return counts[True] / counts.total() if counts else None


def unique_share(lines: Sequence[str]) -> float | None:
    """Distinct lines over all lines, 0..1; falls with their number, so compare at equal counts. None without lines."""
    return len(set(lines)) / len(lines) if lines else None


def known_words(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples' word tokens seen in training; real text's own is the reference's.

    Without training text the reference stands in for it, and one half of the reference is measured against the other.
    """
    known = vocabulary(texts.reference if texts.training is None else texts.training, view.length)
    if texts.training is None:
        rows, against = texts.floor
        floor = known_share(rows, vocabulary(against, view.length), view.length)
    else:
        floor = known_share(texts.reference, known, view.length)
    split = [words(line, view.length) for line in texts.samples]
    seen = np.array([sum(map(known.__contains__, line)) for line in split])
    value, contributions = of_ratio(seen, np.array(list(map(len, split))))
    low, high = (None, None) if value is None else clipped(interval(value, contributions, rng=rng))
    return [Metric("words", "", value, floor, "higher", texts.counts, low, high)]


def unique(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples that are distinct lines, beside that of the floor's rows."""
    value, floor = unique_share(texts.samples), unique_share(texts.floor.rows)
    return [Metric("unique", "", value, floor, "higher", texts.counts)]
