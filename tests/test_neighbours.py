"""Precision, recall, density, coverage and the nearest row, against loops over all pairs and by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from textgan.metrics.neighbours import DENSE, MANIFOLD, Shares, nearest, radii, shares, squared_distances

Floats = npt.NDArray[np.float64]


def compared(samples: Floats, real: Floats) -> Shares:
    return shares(samples, real, radii(samples), radii(real))


def means(samples: Floats, real: Floats) -> list[float]:
    return [float(share.mean()) for share in compared(samples, real)]


def line(*places: float) -> Floats:
    return np.array(places)[:, None]


def slowly(samples: Floats, real: Floats) -> list[float]:
    """As the papers write it, a pair at a time."""

    def apart(x: Floats, y: Floats) -> float:
        return float(np.sqrt(((x - y) ** 2).sum()))

    def radius(rows: Floats, at: int, k: int) -> float:
        return sorted(apart(rows[at], rows[other]) for other in range(len(rows)) if other != at)[k - 1]

    def within(x: Floats, rows: Floats, k: int) -> int:
        return sum(apart(x, rows[at]) <= radius(rows, at, k) for at in range(len(rows)))

    precision = np.mean([within(x, real, MANIFOLD) > 0 for x in samples])
    recall = np.mean([within(x, samples, MANIFOLD) > 0 for x in real])
    density = np.mean([within(x, real, DENSE) / DENSE for x in samples])
    coverage = np.mean([min(apart(x, y) for y in samples) <= radius(real, at, DENSE) for at, x in enumerate(real)])
    return [float(number) for number in (precision, recall, density, coverage)]


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_shares_are_those_of_a_loop_over_all_pairs(shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    samples, real = rng.normal(shift, 0.7, (23, 3)), rng.normal(0, 1, (31, 3))
    expected = slowly(samples, real)
    assert means(samples, real) == pytest.approx(expected)
    monkeypatch.setattr("textgan.metrics.blocks.HELD", 70)  # two rows at a time
    assert means(samples, real) == pytest.approx(expected)


def test_balls_by_hand() -> None:
    real = line(0, 1, 2, 3, 4, 5, 6)  # the third neighbour of 0 is 3 away, of 3 it is 2 away
    assert np.sqrt(radii(real)[MANIFOLD]).tolist() == [3, 2, 2, 2, 2, 2, 3]
    assert np.sqrt(radii(real)[DENSE]).tolist() == [5, 4, 3, 3, 3, 4, 5]
    found = compared(line(-3, -3.1, 3, 3, 100, 100), real)
    assert found.precision.tolist() == [1, 0, 1, 1, 0, 0]  # the border belongs to a ball
    assert found.density.tolist() == pytest.approx([2 / 5, 1 / 5, 7 / 5, 7 / 5, 0, 0])
    assert found.recall.tolist() == [1] * 7  # the ball of -3.1 reaches 6.1 far
    assert found.coverage.tolist() == [1] * 7
    far = compared(line(50, 51, 52, 53, 54, 55), real)
    assert [share.sum() for share in far] == [0, 0, 0, 0]


def test_few_rows_and_rows_that_coincide() -> None:
    assert np.sqrt(radii(line(0, 2))[MANIFOLD]).tolist() == [2, 2]
    assert radii(line(*[7] * 9))[DENSE].tolist() == [0] * 9
    collapsed = compared(line(*[3] * 10), line(0, 1, 2, 3, 4, 5, 6))
    assert collapsed.precision.mean() == 1
    assert collapsed.recall.tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_the_nearest_row_and_its_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    among = rng.integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
    rows = np.concatenate([among[[17, 3]], rng.integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)])
    apart = np.sqrt(((rows[:, None].astype(float) - among[None]) ** 2).sum((2, 3, 4)))
    for block in (1 << 22, 100):
        monkeypatch.setattr("textgan.metrics.blocks.HELD", block)
        found = nearest(rows, among)
        assert found.place.tolist() == apart.argmin(1).tolist()
        assert found.distance == pytest.approx(apart.min(1))
        assert found.distance[:2].tolist() == [0, 0]
        assert found.place[:2].tolist() == [17, 3]


def test_no_squared_distance_is_negative() -> None:
    rows = np.random.default_rng(2).normal(1e6, 1, (50, 4))
    assert (squared_distances(rows, rows) >= 0).all()
