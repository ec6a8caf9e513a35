"""Points of the plane by a formula: 8 and 25 Gaussians, and the Swiss roll, each as the WGAN-GP paper's code has it.

Nothing is read or written: the points are drawn anew, from a fixed seed, each time.
Source: Gulrajani et al. 2017, figure 1, and its code for toys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.corpora import cards
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus
from textgan.plane import Plane

TRAIN, HELDOUT = 50_000, 10_000
ROLL, ARC = 1.5 * np.pi, 3 * np.pi  # the Swiss roll's least angle, which is also its radius, and how far it turns
ARCS, FINE = 24, 50  # arcs of the roll that are taken for modes, and points by which each of them is known

Points = npt.NDArray[np.float64]
Random = np.random.RandomState
"""Its stream, unlike that of numpy's newer generators, never changes."""


@dataclass(frozen=True)
class Toy:
    """A distribution on the plane, and what its modes are."""

    draw: Callable[[int, Random], Points]
    """So many points (count, 2), independent of each other."""
    centres: Points
    """Points (centre, 2) around which it lies, noise aside; a mode has one or, where it is an arc, several."""
    modes: npt.NDArray[np.int64]
    """The mode that each centre is of, (centre,), 0 and up; all modes are equally likely."""
    deviation: float
    """Standard deviation of the noise around the centres, along each axis."""


def gaussians(centres: Points, deviation: float, scale: float) -> Toy:
    """Equally likely Gaussians around centres (mode, 2), all over `scale`."""

    def draw(count: int, rng: Random) -> Points:
        chosen = rng.randint(len(centres), size=count)
        return (centres[chosen] + deviation * rng.standard_normal((count, 2))) / scale

    return Toy(draw, centres / scale, np.arange(len(centres)), deviation / scale)


def swiss_roll(deviation: float, scale: float) -> Toy:
    """A spiral whose radius is its angle, drawn uniformly in the angle, with noise; its arcs are taken for modes.

    It is scikit-learn's Swiss roll seen along its axis. The arcs are of equal angle, and so equally likely.
    """

    def at(angle: Points) -> Points:
        return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1)

    def draw(count: int, rng: Random) -> Points:
        points = at(ROLL + ARC * rng.uniform(size=count))
        return (points + deviation * rng.standard_normal((count, 2))) / scale

    many = ARCS * FINE
    centres = at(ROLL + ARC * (np.arange(many) + 0.5) / many)
    return Toy(draw, centres / scale, np.arange(many) // FINE, deviation / scale)


def ring(count: int) -> Points:
    """So many points (count, 2), equally far apart on the unit circle."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(side: int) -> Points:
    """The whole numbers around 0 on both axes, (side², 2)."""
    axis = np.arange(side) - (side - 1) / 2
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


TOYS = {
    "8gaussians": gaussians(2 * ring(8), 0.02, 1.414),
    "25gaussians": gaussians(2 * grid(5), 0.05, 2.828),
    "swissroll": swiss_roll(0.25, 7.5),
}
"""By the name of the card; noise and scale are those of the paper's code, which draws the 25 in turn, not by chance."""


def open_toy(name: str) -> Corpus[Plane]:
    """Draw the training and held-out points of a registered toy, float32, the same each time."""
    rng, card = Random(0), cards.card(name)
    train, heldout = (TOYS[name].draw(count, rng).astype(np.float32) for count in (TRAIN, HELDOUT))
    digest = sha256(train.astype("<f4").tobytes() + heldout.astype("<f4").tobytes()).hexdigest()
    facts: dict[str, Any] = {"title": card.credit, "split": card.split}
    return Corpus(name, digest[:32], Plane(), _rows(train), _rows(heldout), facts)


def _rows(points: npt.NDArray[np.float32]) -> Rows:
    return Rows(points, np.arange(len(points), dtype=np.uint32))
