"""Points by a formula: their moments, their modes, and that they are the same each time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from textgan.corpora import cards
from textgan.corpora.toys import ARC, HELDOUT, ROLL, TOYS, TRAIN, grid, open_toy, ring
from textgan.plane import Plane

FIRST = (-1.4132318, 0.0145939)


def test_the_toys_are_those_with_a_card() -> None:
    assert sorted(TOYS) == [name for name in cards.names() if cards.kind_of(name) == "toy"]
    for name, toy in TOYS.items():
        card = cards.card(name)
        assert (card.preset, card.layout) == ("toy", "formula")
        assert card.sizes == {"training_points": TRAIN, "heldout_points": HELDOUT, "modes": toy.modes.max() + 1}


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("8gaussians", (2**2 / 2 + 0.02**2) / 1.414**2),  # of a circle of radius 2, along an axis, with its noise
        ("25gaussians", (8 + 0.05**2) / 2.828**2),  # of -4, -2, 0, 2, 4
    ],
)
def test_moments_of_gaussians(name: str, variance: float) -> None:
    points = TOYS[name].draw(200_000, np.random.RandomState(1))
    assert points.mean(0) == pytest.approx([0, 0], abs=0.01)
    assert np.cov(points.T) == pytest.approx(variance * np.eye(2), abs=0.01)
    centres = TOYS[name].centres
    apart = points[:, None] - centres
    nearest = np.linalg.norm(apart, axis=-1).argmin(1)
    noise = apart[np.arange(len(points)), nearest]
    assert noise.std(0) == pytest.approx([TOYS[name].deviation] * 2, rel=0.01)
    assert np.bincount(nearest) / len(points) == pytest.approx(1 / len(centres), rel=0.05)


def test_where_the_gaussians_are() -> None:
    assert ring(4) == pytest.approx(np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]), abs=1e-12)
    assert grid(3).tolist() == [[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)]
    assert np.linalg.norm(TOYS["8gaussians"].centres, axis=1) == pytest.approx(2 / 1.414)
    assert sorted(set(TOYS["25gaussians"].centres[:, 0])) == pytest.approx([x / 2.828 for x in (-4, -2, 0, 2, 4)])
    deviations = [TOYS[name].deviation for name in ("8gaussians", "25gaussians", "swissroll")]
    assert deviations == pytest.approx([0.02 / 1.414, 0.05 / 2.828, 0.25 / 7.5])


def test_the_swiss_roll_is_a_spiral_whose_radius_is_its_angle() -> None:
    toy = TOYS["swissroll"]
    points = toy.draw(200_000, np.random.RandomState(1)) * 7.5
    squares = (points**2).sum(1)
    low, high = ROLL, ROLL + ARC
    assert (low, high) == pytest.approx((1.5 * math.pi, 4.5 * math.pi))
    expected = (high**3 - low**3) / (3 * ARC) + 2 * 0.25**2  # E t² of a uniform t, and the noise
    assert squares.mean() == pytest.approx(expected, rel=0.01)
    x = np.linspace(low, high, 100_001)
    assert points.mean(0) == pytest.approx([(x * np.cos(x)).mean(), (x * np.sin(x)).mean()], abs=0.05)
    radius = np.linalg.norm(toy.centres * 7.5, axis=1)
    assert np.cos(radius) * radius == pytest.approx(toy.centres[:, 0] * 7.5)
    assert np.bincount(toy.modes).tolist() == [50] * 24
    apart = np.linalg.norm(points[:5000, None] / 7.5 - toy.centres, axis=-1)
    shares = np.bincount(toy.modes[apart.argmin(1)], minlength=24) / 5000
    assert shares == pytest.approx(1 / 24, abs=0.015)  # arcs are equally likely


@pytest.mark.parametrize("name", TOYS)
def test_a_toy_is_drawn_the_same_each_time(name: str) -> None:
    corpus, again = open_toy(name), open_toy(name)
    assert corpus.fingerprint == again.fingerprint
    assert len(corpus.fingerprint) == 32
    assert (corpus.train.ids.shape, corpus.heldout.ids.shape) == ((TRAIN, 2), (HELDOUT, 2))
    assert corpus.train.ids.dtype == np.float32
    assert np.array_equal(corpus.train.ids, again.train.ids)
    assert not np.array_equal(corpus.train.ids[:HELDOUT], corpus.heldout.ids)
    assert corpus.space == Plane()
    assert np.abs(corpus.train.ids).max() < 2.5  # where pictures end


def test_the_first_points_are_those_of_any_numpy() -> None:
    fingerprints = {open_toy(name).fingerprint for name in TOYS}
    assert len(fingerprints) == 3
    assert open_toy("8gaussians").train.ids[0] == pytest.approx(FIRST, abs=1e-6)
