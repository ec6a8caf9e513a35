"""Bootstrap intervals: lines are drawn again with replacement, since n-grams of one line hang together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
GROUPS = 2000  # more lines are drawn in so many groups
LEVEL = 0.95

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating[Any] | np.integer[Any]]


Bounds = tuple[float | None, float | None]
"""The ends of an interval; None where there is none."""


def interval(value: float, *sides: Array, rng: np.random.Generator, sizes: Sequence[int] | None = None) -> Bounds:
    """95 % percentile bootstrap interval of a number that changes by the mean of the lines' contributions.

    Args:
        value: the number.
        sides: for each independent set of lines, the contribution of each line, (line,): n times what the number gains,
            to first order, when the line has weight 1/n more. Of a mean these are the lines' own values less the mean.
        rng: draws.
        sizes: how many lines each side has, where only some of them are in `sides`.

    Source: Efron 1979; for numbers that are no mean, the influence function in their place (Efron 1982, chapter 6).
    """
    if min(map(len, sides)) < 2:  # of one line, nothing tells how lines differ
        return None, None
    moved = np.zeros(RESAMPLES)
    for side, size in zip(sides, sizes or map(len, sides), strict=True):
        grouped = _grouped(side - side.mean(), rng)
        weights = rng.multinomial(len(grouped), np.full(len(grouped), 1 / len(grouped)), size=RESAMPLES)
        moved += weights @ grouped / math.sqrt(len(side) * size)
    low, high = np.quantile(moved, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return value + float(low), value + float(high)


def clipped(bounds: Bounds) -> Bounds:
    """Return the bounds of a number that lies within 0..1."""
    low, high = bounds
    return None if low is None else max(low, 0.0), None if high is None else min(high, 1.0)


def by_source(contributions: Array, sources: npt.NDArray[np.integer[Any]] | None) -> Array:
    """Add up contributions of rows cut from the same line, scaled so that the mean over lines is that over rows."""
    if sources is None:
        return contributions
    _, line = np.unique(sources, return_inverse=True)
    sums = np.bincount(line, weights=contributions).astype(np.float64)
    return sums * (len(sums) / len(contributions))


def of_ratio(parts: Numbers, wholes: Numbers) -> tuple[float | None, Array]:
    """Sum of the lines' parts over the sum of their wholes, and the contribution of each line to it, (line,).

    The ratio is None, and no line contributes, where the wholes are all 0.

    Source: the influence function of a ratio of two means (Efron 1982, chapter 6).
    """
    whole = wholes.sum()
    if not whole:
        return None, np.zeros(len(parts))
    ratio = float(parts.sum() / whole)
    return ratio, (parts - ratio * wholes) * (len(parts) / whole)


def _grouped(contributions: Array, rng: np.random.Generator) -> Array:
    """Sums over at most `GROUPS` groups of about equally many lines, chosen at random."""
    if len(contributions) <= GROUPS:
        return contributions
    group = rng.permutation(len(contributions)) % GROUPS
    return np.bincount(group, weights=contributions).astype(np.float64)
