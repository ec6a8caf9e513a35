"""How surely, and how variedly, a classifier takes pictures for its classes: the Inception score of any classifier."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SPLITS, SEED = 10, 2020  # as torch-fidelity has them

Floats = npt.NDArray[np.float64]


class ClassScore(NamedTuple):
    """The score of some rows."""

    mean: float
    """Over splits; from 1 to the number of classes."""
    deviation: float
    """Over splits."""


def class_score(probabilities: Floats, *, splits: int = SPLITS, seed: int = SEED) -> ClassScore:
    """Mean and standard deviation over splits of exp(E KL(p(y|x) | p(y))), p(y) the mean of p(y|x) over the split.

    1 where all rows are taken alike, the number of classes where each is surely of one class and all classes are
    equally many. It says nothing of whether the pictures of a class differ.

    Args:
        probabilities: p(y|x), (row, class), each row of sum 1.
        splits: parts of the rows, shuffled; at most as many as there are rows.
        seed: shuffles them, as torch-fidelity does.

    Source: Salimans et al. 2016, section 4; as published figures are taken, by 10 splits.
    """
    splits = min(splits, len(probabilities))
    shuffled = probabilities[np.random.RandomState(seed).permutation(len(probabilities))]
    ends = [part * len(shuffled) // splits for part in range(splits + 1)]
    scores = [_score(shuffled[start:end]) for start, end in pairwise(ends)]
    return ClassScore(float(np.mean(scores)), float(np.std(scores)))


def _score(given: Floats) -> float:
    tiny = np.finfo(np.float64).tiny  # 0 log 0 is 0
    logs = np.log(np.maximum(given, tiny)) - np.log(np.maximum(given.mean(0), tiny))
    return float(np.exp((given * logs).sum(1).mean()))
