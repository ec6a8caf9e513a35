"""Points of the plane against a distribution whose modes are known: which are captured, how well, and how far off."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

NEAR = 3.0  # a good sample is at most so many standard deviations from its nearest centre
SHARE = 0.1  # of its fair share of all samples: what a balanced mode has at least in good samples
ANGLES = 64  # directions of the sliced distance
BLOCK = 1 << 22  # distances held at a time

Points = npt.NDArray[Any]


def good_by_mode(points: Points, centres: Points, modes: npt.NDArray[Any], deviation: float) -> npt.NDArray[np.int64]:
    """Count the good samples of each mode, (mode,): those within 3 standard deviations of their nearest centre.

    Args:
        points: samples (sample, 2).
        centres: (centre, 2).
        modes: the mode of each centre, (centre,).
        deviation: standard deviation of a mode along each axis.

    Source: Srivastava et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN), who call such samples of high quality.
    """
    found = np.zeros(modes.max() + 1, dtype=np.int64)
    step = max(1, BLOCK // len(centres))
    for start in range(0, len(points), step):
        apart = np.linalg.norm(points[start : start + step, None] - centres, axis=-1)
        good = apart.min(1) <= NEAR * deviation
        found += np.bincount(modes[apart.argmin(1)[good]], minlength=len(found))
    return found


def wasserstein(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Wasserstein-1 distance of two samples (count,) on a line, exactly; the counts may differ.

    It is the area between the two cumulative distributions.
    """
    places = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(np.sort(side), places[:-1], side="right") / len(side) for side in (a, b)]
    return float(np.abs(shares[0] - shares[1]) @ np.diff(places))


def sliced_wasserstein(a: Points, b: Points) -> float:
    """Mean over directions of the Wasserstein-1 distance of two samples (count, 2) projected on them.

    The directions divide the half circle evenly. It is a distance of the plane, at most 2/π of the Wasserstein-1
    distance but for the finite number of directions.

    Source: Bonneel et al. 2015, with exponent 1 and fixed directions.
    """
    angles = np.pi * np.arange(ANGLES) / ANGLES
    onto = np.stack([np.cos(angles), np.sin(angles)])
    return float(np.mean([wasserstein(x, y) for x, y in zip((a @ onto).T, (b @ onto).T, strict=True)]))


def training_evaluation(
    reference: Points,
    training: Points,
    *,
    centres: Points,
    modes: npt.NDArray[Any],
    deviation: float,
    seed: int = 0,
) -> Callable[[Points], dict[str, Any]]:
    """Return what measures generated points against a distribution.

    Args:
        reference: held-out points (point, 2).
        training: training points, of which as many as there are samples give the floor.
        centres: as in `good_by_mode`.
        modes: as in `good_by_mode`; equally likely.
        deviation: as in `good_by_mode`.
        seed: chooses the points of the floor.

    Returns:
        Function of points (sample, 2), at least one, that returns strict JSON: {"samples", "reference": counts,
        "modes", "balanced": {"value", "floor", "of"}, "good", "distance": {"value", "floor"}}. `modes` have at least
        one good sample; `balanced` ones at least a tenth of their fair share of all samples; `good` is a share;
        `distance` is the sliced Wasserstein-1 distance. The floor is real points at the same count (at most all).
    """
    of = int(modes.max()) + 1

    def values(points: Points) -> dict[str, float]:
        good = good_by_mode(points, centres, modes, deviation)
        return {
            "modes": int((good > 0).sum()),
            "balanced": int((good >= max(SHARE * len(points) / of, 1)).sum()),
            "good": float(good.sum() / len(points)),
            "distance": sliced_wasserstein(points, reference),
        }

    @cache
    def floor(count: int) -> dict[str, float]:
        chosen = np.random.default_rng(seed).permutation(len(training))[:count]
        return values(training[chosen].astype(np.float64))

    def evaluate(points: Points) -> dict[str, Any]:
        points = points.astype(np.float64)
        ours, real = values(points), floor(len(points))
        found: dict[str, Any] = {name: {"value": ours[name], "floor": real[name]} for name in ours}
        found["modes"]["of"] = found["balanced"]["of"] = of
        return {"samples": len(points), "reference": len(reference)} | found

    return evaluate
