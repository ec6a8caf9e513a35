"""How varied the samples are: distinct n-grams, entropy of symbols, and lengths of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import WORDS, Characters, Unit
from textgan.metrics.interval import interval
from textgan.metrics.jsd import jensen_shannon
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import Counts, Encoded, NGrams

WORD_ORDERS = (1, 2, 3, 4)
CHAR_ORDERS = (1, 2, 3, 4, 5, 6)
SYMBOLS: dict[str, Unit] = {"char": Characters, "word": WORDS}

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


def distinct_shares(grams: NGrams, orders: Iterable[int]) -> dict[int, float | None]:
    """Distinct n-grams of some lines over all their n-grams, 0..1, by n; None without n-grams so long.

    Falls with the number of lines, so compare at equal counts.

    Source: Li et al. 2016, section 5.1 ("distinct-n").
    """
    counted = {n: grams.counts(n).counts for n in orders}
    return {n: len(counts) / int(counts.sum()) if len(counts) else None for n, counts in counted.items()}


def symbol_entropy(text: Encoded) -> tuple[float, Floats] | None:
    """Shannon entropy of the symbols of all lines, as they occur, without Miller's and Madow's correction for few.

    Args:
        text: encoded lines.

    Returns:
        The entropy in bits, and what each line contributes to it for the interval, (line,); None without symbols.
    """
    ids = np.concatenate([np.zeros(0, np.uint8), *(block.ids for block in text)])
    if len(ids) == 0:
        return None
    counts = np.bincount(ids)
    surprise = np.log2(len(ids) / np.maximum(counts, 1))  # an id that does not occur has no say
    entropy = float(counts @ surprise) / len(ids)
    each = text.lengths()
    excess = (surprise - entropy)[ids]
    per_line = np.bincount(np.repeat(np.arange(len(each)), each), excess, len(each)).astype(np.float64)
    return entropy, per_line * (len(each) / len(ids))


def length_distance(a: Ints, b: Ints) -> float | None:
    """Wasserstein-1 distance of two sets of lengths, in characters: how much longer or shorter lines must be made.

    On a line that is the area between the two distribution functions. None if a side is empty.
    """
    if len(a) == 0 or len(b) == 0:
        return None
    points = np.unique(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (a, b))
    return float(np.abs(below_a - below_b)[:-1] @ np.diff(points))


def length_jsd(a: Ints, b: Ints) -> float | None:
    """Jensen-Shannon divergence of the histograms of two sets of lengths, in bits, one bin a length."""
    return jensen_shannon(_histogram(a), _histogram(b))


def distinct(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Distinct word n-grams, n = 1..4, over all, words split on whitespace; the floor is that of the floor's rows."""
    return _distinct("distinct", WORDS, WORD_ORDERS, texts)


def distinct_char(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Distinct character n-grams, n = 1..6, over all; the floor is that of the floor's rows."""
    return _distinct("distinct_char", Characters, CHAR_ORDERS, texts)


def entropy(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Entropy in bits of single characters and of words split on whitespace; the floor is that of the floor's rows."""
    return [_entropy(key, unit, texts, rng) for key, unit in SYMBOLS.items()]


def length(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Length of lines in characters: mean, Wasserstein-1 distance to the reference, and JSD in bits to it.

    The floor of the mean is that of the floor's rows, of the others that of the floor's rows to what they are measured
    against. The two distances are no means, nor near one where they are small, and have no interval.
    """
    samples, reference, rows, against = map(_lengths, (texts.samples, texts.reference, *texts.floor))
    mean, low, high = _mean(samples), None, None
    if mean is not None:
        low, high = interval(mean, samples.astype(np.float64), rng=rng)
    far, real_far = length_distance(samples, reference), length_distance(rows, against)
    jsd, real_jsd = length_jsd(samples, reference), length_jsd(rows, against)
    return [
        Metric("length", "mean", mean, _mean(rows), "near the floor", texts.counts, low, high),
        Metric("length", "distance", far, real_far, "lower", texts.counts),
        Metric("length", "jsd", jsd, real_jsd, "lower", texts.counts),
    ]


def _distinct(name: str, unit: Unit, orders: Sequence[int], texts: Texts) -> list[Metric]:
    found, real = (distinct_shares(NGrams(lines, unit), orders) for lines in (texts.samples, texts.floor.rows))
    return [Metric(name, str(n), found[n], real[n], "near the floor", texts.counts) for n in orders]


def _entropy(key: str, unit: Unit, texts: Texts, rng: np.random.Generator) -> Metric:
    found, real = (symbol_entropy(NGrams(lines, unit).reference) for lines in (texts.samples, texts.floor.rows))
    value, low, high = None, None, None
    if found is not None:
        value = found[0]
        low, high = interval(value, found[1], rng=rng)
    return Metric("entropy", key, value, None if real is None else real[0], "near the floor", texts.counts, low, high)


def _lengths(lines: Sequence[str]) -> Ints:
    return np.fromiter(map(len, lines), np.int64, len(lines))


def _histogram(values: Ints) -> Counts:
    points, counts = np.unique(values, return_counts=True)
    return Counts(points.astype(np.uint64), counts)


def _mean(values: Ints) -> float | None:
    return float(values.mean()) if len(values) else None
