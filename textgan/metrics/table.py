"""The metrics by name: sampled lines against real ones, each value beside real text's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from textgan.metrics.floor import floor_rows
from textgan.metrics.jsd import distances
from textgan.metrics.lines import View
from textgan.metrics.ngrams import NGrams
from textgan.metrics.words import known_share, unique_share, vocabulary


@dataclass(frozen=True)
class Metric:
    """One number about samples, and what it takes to read it."""

    name: str
    key: str
    """Which of several numbers of that name: n for n-grams, else empty."""
    value: float | None
    """None where it does not exist: no n-gram so long, no words."""
    floor: float | None
    """The same of real text at the same count."""
    better: Literal["lower", "higher"]
    counts: dict[str, int]
    """Lines measured, "samples", and measured against, "reference"."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""

    @property
    def excess(self) -> float | None:
        """Value less floor, where both exist."""
        return excess(self.value, self.floor)


class MetricFunction(Protocol):
    """Lines already cut, and how to look at them, to numbers."""

    def __call__(
        self,
        samples: Sequence[str],
        reference: Sequence[str],
        training: Sequence[str] | None,
        *,
        rng: np.random.Generator,
        view: View,
    ) -> list[Metric]:
        """Measure samples against the reference; rng chooses the rows of the floor."""


def excess(value: float | None, floor: float | None) -> float | None:
    """Value less floor, where both exist."""
    return None if value is None or floor is None else value - floor


def jsd(
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None,
    *,
    rng: np.random.Generator,
    view: View,
) -> list[Metric]:
    """Jensen-Shannon divergence of character n-grams, in bits, for each order of the view."""
    floor = floor_rows(len(samples), reference, training, rng=rng)
    ngrams = NGrams(view.padded(reference))
    against = ngrams if floor.against is reference else NGrams(view.padded(floor.against))
    values = distances(view.padded(samples), ngrams, view.orders)
    floors = distances(view.padded(floor.rows), against, view.orders)
    counts = {"samples": len(samples), "reference": len(reference)}
    return [Metric("jsd", str(n), values[n], floors[n], "lower", counts) for n in view.orders]


def words(
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None,
    *,
    rng: np.random.Generator,
    view: View,
) -> list[Metric]:
    """Share of the samples' word tokens seen in training; real text's own is the reference's.

    Without training text the reference stands in for it, and one half of the reference is measured against the other.
    """
    known = vocabulary(reference if training is None else training, view.length)
    if training is None:
        rows, against = floor_rows(len(samples), reference, None, rng=rng)
        floor = known_share(rows, vocabulary(against, view.length), view.length)
    else:
        floor = known_share(reference, known, view.length)
    value = known_share(samples, known, view.length)
    return [Metric("words", "", value, floor, "higher", {"samples": len(samples), "reference": len(reference)})]


def unique(
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None,
    *,
    rng: np.random.Generator,
    view: View,
) -> list[Metric]:
    """Share of the samples that are distinct lines, beside that of the floor's rows."""
    floor = unique_share(floor_rows(len(samples), reference, training, rng=rng).rows)
    counts = {"samples": len(samples), "reference": len(reference)}
    return [Metric("unique", "", unique_share(samples), floor, "higher", counts)]


METRICS: dict[str, MetricFunction] = {"jsd": jsd, "words": words, "unique": unique}
