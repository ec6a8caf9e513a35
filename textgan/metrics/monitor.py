"""The metrics that training watches, ready to be taken every few hundred steps within milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from textgan.metrics.floor import floor_rows
from textgan.metrics.jsd import distances
from textgan.metrics.lines import few
from textgan.metrics.metric import excess
from textgan.metrics.ngrams import NGrams
from textgan.metrics.words import known_share, unique_share, vocabulary

ORDERS = range(1, 7)


def training_evaluation(
    reference: Sequence[str],
    training: Sequence[str],
    sizes: Iterable[int] = (),
    *,
    length: int | None = None,
    seed: int = 0,
) -> Callable[[Sequence[str]], dict[str, Any]]:
    """Count the reference once, and return what measures generated lines against it.

    Args:
        reference: held-out rows, decoded as they were cut; 500,000 of more are measured against.
        training: training rows, decoded likewise.
        sizes: numbers of samples whose floor is wanted at once; any other is made, and kept, when first met.
        length: where rows were cut, in characters: a row so long may end within a word.
        seed: chooses the training rows of the floor.

    Returns:
        Function of generated lines that returns strict JSON:
        {"samples", "reference": counts, "jsd": {"1".."6": {"value", "floor", "excess"}}, "words", "unique":
        {"value", "floor"}}. The floor of jsd and unique is that of as many training rows, for words it is the
        reference's share. A value that does not exist (no n-gram so long, no words) is None.
    """
    reference = few(reference)
    ngrams = NGrams(reference)
    known = vocabulary(training, length)
    real_words = known_share(reference, known, length)

    @cache
    def floor(count: int) -> tuple[dict[int, float | None], float | None]:
        rows = floor_rows(count, reference, training, rng=np.random.default_rng(seed)).rows
        return distances(rows, ngrams, ORDERS), unique_share(rows)

    def evaluate(lines: Sequence[str]) -> dict[str, Any]:
        real, real_unique = floor(len(lines))
        return {
            "samples": len(lines),
            "reference": len(reference),
            "jsd": _beside(distances(lines, ngrams, ORDERS), real),
            "words": {"value": known_share(lines, known, length), "floor": real_words},
            "unique": {"value": unique_share(lines), "floor": real_unique},
        }

    for size in sizes:
        floor(size)
    return evaluate


def _beside(
    values: Mapping[int, float | None], floors: Mapping[int, float | None]
) -> dict[str, dict[str, float | None]]:
    return {
        str(n): {"value": value, "floor": floors[n], "excess": excess(value, floors[n])} for n, value in values.items()
    }
