"""Rows of real text that stand in for samples: what a perfect generator would score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textgan.metrics.lines import MOST, pick


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
        return Floor(pick(training, chosen), reference)
    order = rng.permutation(len(reference))
    half = len(reference) // 2
    return Floor(pick(reference, order[: min(count, half, MOST)]), pick(reference, order[half : half + MOST]))
