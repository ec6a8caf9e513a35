"""Generated pictures against held-out ones, on the features that an extractor gives: distances, shares, copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.metrics.class_score import SPLITS, ClassScore, class_score
from textgan.metrics.frechet import Frechet, frechet_distance
from textgan.metrics.interval import Bounds, clipped, interval
from textgan.metrics.kernel import kernel_distance
from textgan.metrics.metric import excess
from textgan.metrics.neighbours import Nearest, Shares, nearest, radii, shares

REFERENCE = 10_000  # held-out pictures that are measured against
NEIGHBOURS = 5_000  # pictures of a side whose neighbours are sought
LIBRARY = 50_000  # training pictures among which the nearest is sought
COMPARED = 2_000  # pictures of a side whose nearest training picture is sought
COPIED = 0.01  # share of held-out pictures so near to a training picture that a sample as near is called a copy

Rows = npt.NDArray[np.uint8]
"""Pictures, (row, channel, y, x)."""
Floats = npt.NDArray[np.float64]
Extract = Callable[[Rows], tuple[Floats, Floats | None]]
"""Pictures to features (row, feature) and, where it is a classifier's, class probabilities (row, class)."""
Evaluate = Callable[[Rows], dict[str, Any]]


@dataclass(frozen=True)
class Seen:
    """Pictures and what an extractor sees in them."""

    rows: Rows
    features: Floats
    probabilities: Floats | None

    @classmethod
    def by(cls, extract: Extract, rows: Rows) -> Seen:
        """Look at pictures."""
        return cls(rows, *extract(rows))

    @cached_property
    def near(self) -> Floats:
        """Features of those whose neighbours are sought."""
        return self.features[spread(len(self.rows), NEIGHBOURS)]

    @cached_property
    def radii(self) -> dict[int, Floats]:
        """Of the balls around these."""
        return radii(self.near)


@dataclass(frozen=True)
class Measured:
    """The numbers of some pictures against real ones."""

    count: int
    near: int
    """Pictures whose neighbours were sought."""
    frechet: Frechet
    kernel: float
    class_score: ClassScore | None
    shares: Shares
    unique: float

    @classmethod
    def of(cls, samples: Seen, real: Seen) -> Measured:
        """Measure pictures."""
        return cls(
            len(samples.rows),
            len(samples.near),
            frechet_distance(samples.features, real.features),
            kernel_distance(samples.features, real.features),
            None if samples.probabilities is None else class_score(samples.probabilities),
            shares(samples.near, real.near, samples.radii, real.radii),
            unique_share(samples.rows),
        )


def spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Places of so many rows at most, evenly spread over all: they may stand by class."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def unique_share(rows: Rows) -> float:
    """Distinct pictures over pictures; those that differ in one value are distinct."""
    return len({sha256(row.tobytes()).digest() for row in rows}) / len(rows)


def training_evaluation(heldout: Rows, training: Rows, extract: Extract, *, name: str, seed: int = 0) -> Evaluate:
    """Return what measures generated pictures against held-out ones.

    Args:
        heldout: pictures (row, channel, y, x), at least two; 10,000 of more are measured against.
        training: pictures that the generator learns from, of which as many as there are samples give the floor.
        extract: makes their features.
        name: of the extractor.
        seed: chooses the pictures of the floor, and those held-out ones that are measured against.

    Returns:
        Function of pictures (row, channel, y, x), at least two, that returns strict JSON: {"samples", "reference",
        "floor_samples": counts, "extractor", "frechet", "kernel": {"value", "floor", "excess"}, "class_score":
        {"value", "floor", "deviation", "splits"} where there are class probabilities, "precision", "recall", "density",
        "coverage": {"value", "floor", "samples", "reference"}, "unique": {"value", "floor"}}. Neighbours are sought
        among 5,000 pictures of a side at most, as their counts say. The floor is that of training pictures in the
        samples' place, of all where they are fewer.
    """
    sides = Sides(heldout, training, extract, name, seed)
    return lambda rows: sides.told(sides.measured(Seen.by(extract, rows)))


def report_evaluation(heldout: Rows, training: Rows, extract: Extract, *, name: str, seed: int = 0) -> Evaluate:
    """Return what measures generated pictures for a report: as `training_evaluation`, with intervals and copies.

    Returns:
        Function as that one's. "frechet", "precision", "recall", "density" and "coverage" have "low" and "high" too,
        the ends of the 95 % bootstrap interval: of the distance over the pictures of both sides; of a share over those
        whose mean it is, with the balls held fast. "copies": {"features", "pixels"}, {"value", "floor", "nearer_than",
        "samples", "reference", "training"} each, is the share of samples that are as near to a training picture as
        the nearest 1 % of held-out ones are, beside the share of held-out ones; of 2,000 pictures a side at most.
    """
    sides = Sides(heldout, training, extract, name, seed)

    def evaluate(rows: Rows) -> dict[str, Any]:
        samples = Seen.by(extract, rows)
        measured = sides.measured(samples)
        found = sides.told(measured)
        for part, ends in intervals(measured, np.random.default_rng(seed)).items():
            found[part] |= ends
        return found | {"copies": sides.copies(samples)}

    return evaluate


class Sides:
    """The real pictures, looked at once, when they are first needed."""

    def __init__(self, heldout: Rows, training: Rows, extract: Extract, name: str, seed: int) -> None:
        self.heldout, self.training, self.extract, self.name, self.seed = heldout, training, extract, name, seed
        self.library = Library(training, extract)
        self.floor = cache(self._floor)

    @cached_property
    def real(self) -> Seen:
        """What is measured against."""
        return self._seen(self.heldout, REFERENCE)

    @cached_property
    def usual(self) -> dict[str, Nearest]:
        """The training pictures nearest to held-out ones."""
        return self._nearest(self.real)

    def measured(self, samples: Seen) -> Measured:
        """Measure samples."""
        return Measured.of(samples, self.real)

    def _floor(self, count: int) -> Measured:
        """Measure as many training pictures; all, where there are fewer."""
        return self.measured(self._seen(self.training, count))

    def _seen(self, rows: Rows, count: int) -> Seen:
        """Look at so many rows, chosen by the seed; in their order, so that a file is read once through."""
        chosen = np.random.default_rng(self.seed).permutation(len(rows))[:count]
        return Seen.by(self.extract, rows[np.sort(chosen)])

    def told(self, ours: Measured) -> dict[str, Any]:
        """Put the numbers of samples beside their floor."""
        floor = self.floor(ours.count)
        near = {"samples": ours.near, "reference": len(self.real.near)}
        found: dict[str, Any] = {
            "samples": ours.count,
            "reference": len(self.real.rows),
            "floor_samples": floor.count,
            "extractor": self.name,
            "frechet": _beside(ours.frechet.value, floor.frechet.value),
            "kernel": _beside(ours.kernel, floor.kernel),
        }
        if ours.class_score and floor.class_score:
            score, real = ours.class_score, floor.class_score
            found["class_score"] = {"value": score.mean, "floor": real.mean, "deviation": score.deviation,
                                    "splits": SPLITS}  # fmt: skip
        for name, share, real_share in zip(Shares._fields, ours.shares, floor.shares, strict=True):
            found[name] = {"value": float(share.mean()), "floor": float(real_share.mean())} | near
        return found | {"unique": {"value": ours.unique, "floor": floor.unique}}

    def copies(self, samples: Seen) -> dict[str, Any]:
        """Count the samples that are as near to a training picture as few held-out ones are."""
        found: dict[str, Any] = {}
        for by, ours in self._nearest(samples).items():
            usual = self.usual[by].distance
            limit = float(np.quantile(usual, COPIED))
            value, floor = (float((side <= limit).mean()) for side in (ours.distance, usual))
            found[by] = {"value": value, "floor": floor, "nearer_than": limit, "samples": len(ours.distance),
                         "reference": len(usual), "training": len(self.library.rows)}  # fmt: skip
        return found

    def _nearest(self, seen: Seen) -> dict[str, Nearest]:
        some = spread(len(seen.rows), COMPARED)
        return self.library.nearest(seen.rows[some], seen.features[some])


class Library:
    """Training pictures among which the nearest is sought: all, or 50,000 at most, evenly spread.

    Args:
        training: pictures (row, channel, y, x); may be memory-mapped.
        extract: makes their features, when they are first asked for.
    """

    def __init__(self, training: Rows, extract: Extract) -> None:
        self.step = -(-len(training) // LIBRARY)
        self.rows = training[:: self.step]
        self.extract = extract

    @cached_property
    def features(self) -> Floats:
        """Of each, (row, feature)."""
        return self.extract(self.rows)[0]

    def nearest(self, rows: Rows, features: Floats) -> dict[str, Nearest]:
        """Find the training picture nearest to each picture, by its place in training: by "features" and by "pixels".

        Args:
            rows: pictures (row, channel, y, x).
            features: of them, (row, feature).
        """
        found = {"features": nearest(features, self.features), "pixels": nearest(rows, self.rows)}
        return {by: Nearest(place * self.step, distance) for by, (place, distance) in found.items()}


def intervals(measured: Measured, rng: np.random.Generator) -> dict[str, dict[str, float | None]]:
    """The ends of the 95 % intervals of the Fréchet distance and the shares, {"low", "high"} by name."""
    low, high = interval(measured.frechet.value, *measured.frechet.spread, rng=rng)
    found: dict[str, Bounds] = {"frechet": (None if low is None else max(low, 0.0), high)}
    for name, share in measured.shares._asdict().items():
        bounds = interval(float(share.mean()), share, rng=rng)
        found[name] = bounds if name == "density" else clipped(bounds)
    return {name: {"low": ends[0], "high": ends[1]} for name, ends in found.items()}


def _beside(value: float, floor: float) -> dict[str, float | None]:
    return {"value": value, "floor": floor, "excess": excess(value, floor)}
