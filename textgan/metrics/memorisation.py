"""Memorisation: how much of the samples is training text, beside how much of held-out text is.

Every family here needs the training text and gives nothing without it. The floor is that of held-out lines, which no
generator has learnt: rows of training text, the floor elsewhere, would be their own copies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import blocks
from textgan.metrics.interval import interval, of_ratio
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import NGrams, locate
from textgan.metrics.parts import LONGEST, bounded, some
from textgan.metrics.substrings import copied, ended, longest_common

NOVEL = (4, 6, 8)  # lengths of the n-grams whose novelty is told
SEARCHED = 10_000  # samples whose longest copied piece is searched
NEAR = 1000  # samples whose nearest training line is searched
AMONG = 100_000  # training lines it is searched among
CELLS = 1 << 36  # characters of samples times characters of training lines that are compared

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def copies(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples that are lines of the training text, 0..1.

    Short lines are copies by chance. How many, the floor tells: the share of as many held-out lines.
    """
    if texts.training is None:
        return []
    lines = [*texts.samples, *some(texts.reference, len(texts.samples), rng=rng)]
    share, floor = np.split(copied(lines, texts.training).astype(np.float64), [len(texts.samples)])
    counts = texts.counts | {"training": len(texts.training), "copies": int(share.sum())}
    return [_mean("copies", "", share, floor, counts, rng)]


def longest_copied(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Longest piece of a sample that lies within a training line: mean, median, 90th percentile, most. [characters]

    Of at most 10,000 samples, and as many held-out lines for the floor, and of the training text that `bounded` leaves.
    Where rows are cut at `view.length`, so are the pieces.
    """
    if texts.training is None:
        return []
    samples, rows, training = _sides(texts, SEARCHED, rng)
    found = longest_common([*samples, *rows], training).astype(np.float64)
    value, floor = found[: len(samples)], found[len(samples) :]
    counts = {"samples": len(samples), "reference": len(rows), "training": len(training)}
    return [
        _mean("longest_copied", "mean", value, floor, counts, rng),
        _quantile("longest_copied", "median", 0.5, value, floor, counts),
        _quantile("longest_copied", "p90", 0.9, value, floor, counts),
        _quantile("longest_copied", "max", 1.0, value, floor, counts),
    ]


def nearest_distance(lines: Sequence[str], training: Sequence[str]) -> Floats:
    """Levenshtein distance of each line to the nearest training line, over the longer one's length, (line,).

    From 0, a copy, to 1, nothing in common.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    nearest = np.ones(len(lines))
    for start in range(0, len(training), 4096):  # bounds the matrix
        block = training[start : start + 4096]
        apart = process.cdist(lines, block, scorer=Levenshtein.normalized_distance, dtype=np.float64)
        nearest = np.minimum(nearest, apart.min(axis=1))
    return nearest


def nearest(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Distance to the nearest training line, 0 (a copy) to 1: mean, and 10th percentile, which memorising lowers.

    Of at most 1,000 samples, and as many held-out lines for the floor, to at most 100,000 training lines, all chosen by
    chance; of fewer of either where lines are long (`CELLS`). Lines are cut at 4,096 characters.
    """
    if texts.training is None:
        return []
    samples, rows, training = _nearest_sides(texts, rng)
    value, floor = nearest_distance(samples, training), nearest_distance(rows, training)
    counts = {"samples": len(samples), "reference": len(rows), "training": len(training)}
    return [
        _mean("nearest", "mean", value, floor, counts, rng),
        _quantile("nearest", "p10", 0.1, value, floor, counts),
    ]


def novel(lines: Sequence[str], training: NGrams, n: int) -> tuple[Ints, Ints]:
    """N-grams of each line that do not occur in the training text, and all of its n-grams, each (line,)."""
    parts = [_novel(block, training, n) for block in blocks(lines)] or [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    new, every = (np.concatenate(side) for side in zip(*parts, strict=True))
    return new, every


def _novel(lines: Sequence[str], training: NGrams, n: int) -> tuple[Ints, Ints]:
    text, owner = ended(training, lines)
    known = locate(training.counts(n).keys, training.codes(text, n))[1]
    all_of_them = np.maximum(np.fromiter(map(len, lines), np.int64, len(lines)) - n + 1, 0)
    return all_of_them - np.bincount(owner[: len(known)][known], minlength=len(lines)), all_of_them


def novelty(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples' n-grams of 4, 6 and 8 characters, each as often as it occurs, that training lacks, 0..1.

    The floor is the share of as many held-out rows. At most 500,000 samples are looked at, and the training text that
    `bounded` leaves.
    """
    if texts.training is None:
        return []
    samples, rows, training = _sides(texts, len(texts.samples), rng)
    ngrams = NGrams(training)
    counts = {"samples": len(samples), "reference": len(rows), "training": len(training)}
    return [_novelty(n, novel(samples, ngrams, n), novel(rows, ngrams, n), counts, rng) for n in NOVEL]


def _novelty(
    n: int, samples: tuple[Ints, Ints], rows: tuple[Ints, Ints], counts: dict[str, int], rng: np.random.Generator
) -> Metric:
    value, contributions = of_ratio(*samples)
    low, high = (None, None) if value is None else interval(value, contributions, rng=rng)
    return Metric("novelty", str(n), value, of_ratio(*rows)[0], "near the floor", counts, low, high)


def _mean(
    name: str, key: str, value: Floats, floor: Floats, counts: dict[str, int], rng: np.random.Generator
) -> Metric:
    low, high = interval(float(value.mean()), value, rng=rng)
    return Metric(name, key, float(value.mean()), float(floor.mean()), "near the floor", counts, low, high)


def _quantile(name: str, key: str, level: float, value: Floats, floor: Floats, counts: dict[str, int]) -> Metric:
    found, real = np.quantile(value, level), np.quantile(floor, level)
    return Metric(name, key, float(found), float(real), "near the floor", counts)


def _sides(texts: Texts, most: int, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    """Samples and as many held-out lines, at most so many, and the training text."""
    samples = bounded(some(texts.samples, most, rng=rng))
    rows = [line[:LONGEST] for line in some(texts.reference, len(samples), rng=rng)]
    return samples, rows, bounded(texts.training or ())


def _nearest_sides(texts: Texts, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    """As `_sides`, of all the lines that may be compared so many that the comparison ends in seconds."""
    wanted = (texts.samples, NEAR), (texts.reference, min(NEAR, len(texts.samples))), (texts.training or (), AMONG)
    sides = [[line[:LONGEST] for line in some(lines, most, rng=rng)] for lines, most in wanted]
    samples, rows, training = (sum(map(len, side)) for side in sides)
    kept = min((CELLS / max(max(samples, rows) * training, 1)) ** 0.5, 1.0)
    first, second, third = (side[: max(int(kept * len(side)), 1)] for side in sides)
    return first, second, third
