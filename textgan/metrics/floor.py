"""Rows of real text that stand in for samples: what a perfect generator would score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.lines import BLOCK, MOST

SPARSE = 256  # one line in so many is read alone


class Floor(NamedTuple):
    """Real rows, and the rows they are measured against."""

    rows: list[str]
    against: Sequence[str]


def floor_rows(
    count: int, reference: Sequence[str], training: Sequence[str] | None, *, rng: np.random.Generator
) -> Floor:
    """Choose up to `count` real rows without replacement, at most 500,000, and what to measure them against.

    With training text: training rows against the same reference. Without: one half of the reference, at most
    `count` rows of it, against the other half.
    """
    if training is not None:
        chosen = rng.choice(len(training), min(count, len(training), MOST), replace=False)
        return Floor(_pick(training, chosen), reference)
    order = rng.permutation(len(reference))
    half = len(reference) // 2
    return Floor(_pick(reference, order[: min(count, half, MOST)]), _pick(reference, order[half : half + MOST]))


def _pick(lines: Sequence[str], places: npt.NDArray[np.int64]) -> list[str]:
    """Lines at places: a block at a time where many are wanted, since a line of a large file costs as much."""
    if len(places) * SPARSE < len(lines):
        return [lines[place] for place in places.tolist()]
    order = np.argsort(places)
    ordered = places[order]
    found = [""] * len(places)
    for start in range(0, len(lines), BLOCK):
        low, high = np.searchsorted(ordered, (start, start + BLOCK)).tolist()
        block = lines[start : start + BLOCK]
        for at, place in zip(order[low:high].tolist(), (ordered[low:high] - start).tolist(), strict=True):
            found[at] = block[place]
    return found
