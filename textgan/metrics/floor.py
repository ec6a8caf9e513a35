"""Rows of real text that stand in for samples: what a perfect generator would score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Floor(NamedTuple):
    """Real rows, and the rows they are measured against."""

    rows: list[str]
    against: Sequence[str]


def floor_rows(
    count: int, reference: Sequence[str], training: Sequence[str] | None, *, rng: np.random.Generator
) -> Floor:
    """Choose up to `count` real rows without replacement, and what to measure them against.

    With training text: training rows against the same reference. Without: one half of the reference, at most
    `count` rows of it, against the other half.
    """
    if training is not None:
        chosen = rng.choice(len(training), min(count, len(training)), replace=False)
        return Floor(_pick(training, chosen), reference)
    order = rng.permutation(len(reference))
    half = len(reference) // 2
    return Floor(_pick(reference, order[: min(count, half)]), _pick(reference, order[half:]))


def _pick(lines: Sequence[str], places: npt.NDArray[np.int64]) -> list[str]:
    return [lines[place] for place in places.tolist()]
