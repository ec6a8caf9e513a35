"""Modes captured, good samples and the sliced distance, on points made by hand."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from textgan.corpora.toys import TOYS
from textgan.metrics.modes import good_by_mode, sliced_wasserstein, training_evaluation, wasserstein

CENTRES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
MODES = np.arange(4)
DEVIATION = 0.01
Points = npt.NDArray[np.float64]


def counts(points: list[tuple[float, float]]) -> list[int]:
    return [*good_by_mode(np.array(points), CENTRES, MODES, DEVIATION)]


def test_a_good_sample_is_within_three_deviations_of_its_nearest_centre() -> None:
    inside, outside = 0.0299, 0.0301
    assert counts([(0, 0), (0, 0), (1, 0), (0, 1), (1, 1)]) == [2, 1, 1, 1]
    assert counts([(inside, 0), (outside, 0), (1, inside), (1, -outside)]) == [1, 1, 0, 0]
    diagonal = inside / math.sqrt(2)
    assert counts([(diagonal, diagonal), (inside, inside)]) == [1, 0, 0, 0]  # the distance, not each axis
    assert counts([(0.5, 0.5)]) == [0, 0, 0, 0]


def test_an_arc_of_several_centres_is_one_mode() -> None:
    arcs = np.array([0, 0, 1, 1])
    assert good_by_mode(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), CENTRES, arcs, DEVIATION).tolist() == [2, 1]


def test_many_points_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = CENTRES[np.arange(50) % 4] + 0.02
    whole = good_by_mode(points, CENTRES, MODES, DEVIATION).tolist()
    monkeypatch.setattr("textgan.metrics.modes.BLOCK", 12)
    assert good_by_mode(points, CENTRES, MODES, DEVIATION).tolist() == whole == [13, 13, 12, 12]


def evaluated(points: Points) -> dict[str, object]:
    rng = np.random.default_rng(0)
    real = CENTRES[rng.integers(4, size=3000)] + DEVIATION * rng.standard_normal((3000, 2))
    evaluate = training_evaluation(real[:1000], real[1000:], centres=CENTRES, modes=MODES, deviation=DEVIATION)
    found = evaluate(points)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_a_perfect_sample_a_dropped_mode_and_bad_samples() -> None:
    perfect = CENTRES[np.arange(400) % 4]
    found = evaluated(perfect)
    assert (found["samples"], found["reference"]) == (400, 1000)
    assert found["modes"] == {"value": 4, "floor": 4, "of": 4} == found["balanced"]
    assert found["good"]["value"] == 1  # type: ignore[index]
    assert found["good"]["floor"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)  # type: ignore[index]
    dropped = evaluated(CENTRES[np.arange(400) % 3])
    assert dropped["modes"]["value"] == dropped["balanced"]["value"] == 3  # type: ignore[index]
    assert dropped["distance"]["value"] > 5 * dropped["distance"]["floor"] > 0  # type: ignore[index]
    bad = evaluated(np.full((400, 2), 0.5))
    assert [bad[name]["value"] for name in ("modes", "balanced", "good")] == [0, 0, 0]  # type: ignore[index]


@pytest.mark.parametrize(("good", "balanced"), [(9, 3), (10, 4)])
def test_a_balanced_mode_has_a_tenth_of_its_fair_share(good: int, balanced: int) -> None:
    points = np.concatenate([CENTRES[np.arange(400 - good) % 3], CENTRES[np.full(good, 3)]])
    found = evaluated(points)
    assert found["modes"]["value"] == 4  # type: ignore[index]
    assert found["balanced"]["value"] == balanced  # type: ignore[index]


def test_few_samples_leave_modes_that_no_sample_is_of_uncaptured() -> None:
    assert evaluated(CENTRES[:1])["balanced"]["value"] == 1  # type: ignore[index]


def test_wasserstein_on_a_line_by_hand() -> None:
    assert wasserstein(np.array([0.0, 1.0]), np.array([2.0, 5.0])) == pytest.approx(3)  # 0 -> 2, 1 -> 5
    assert wasserstein(np.array([0.0]), np.array([0.0, 0.0, 3.0])) == pytest.approx(1)  # a third goes 3 far
    assert wasserstein(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == 0


def test_wasserstein_is_the_best_of_all_matchings() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal(3), rng.standard_normal(6)
    doubled = np.repeat(a, 2)
    rows = sorted(product(range(6), repeat=6))
    best = min(sum(abs(doubled[i] - b[j]) for i, j in enumerate(row)) / 6 for row in rows if len(set(row)) == 6)
    assert wasserstein(a, b) == pytest.approx(best)


def test_a_shift_is_as_far_as_its_mean_projection() -> None:
    points = np.random.default_rng(0).standard_normal((100, 2))
    for shift in ([3.0, 0.0], [0.0, 3.0]):
        assert sliced_wasserstein(points, points + shift) == pytest.approx(3 * 2 / math.pi, rel=1e-3)
    assert sliced_wasserstein(points, points) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", TOYS)
def test_real_points_are_good_and_noise_is_not(name: str) -> None:
    toy, rng = TOYS[name], np.random.RandomState(5)
    real = toy.draw(3000, rng)
    good = good_by_mode(real, toy.centres, toy.modes, toy.deviation)
    assert (good > 0).all()
    assert good.sum() / 3000 > 0.985
    noise = good_by_mode(rng.uniform(-2, 2, (3000, 2)), toy.centres, toy.modes, toy.deviation)
    assert noise.sum() / 3000 < {"swissroll": 0.4}.get(name, 0.02)
