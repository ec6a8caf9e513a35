from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from textgan.metrics.interval import by_source, clipped, interval, of_ratio


def ends(*arguments: Any, **options: Any) -> tuple[float, float]:
    low, high = interval(*arguments, **options)
    assert low is not None
    assert high is not None
    return low, high


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("count", [50, 1999, 30_000])
def test_of_a_mean_it_is_the_normal_one(count: int) -> None:
    values = np.random.default_rng(1).exponential(size=count)
    low, high = ends(values.mean(), values, rng=rng())
    error = values.std() / np.sqrt(count)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.35 * error)


def test_it_holds_the_truth_19_times_in_20() -> None:
    draw, held = np.random.default_rng(2), 0
    for _ in range(300):
        values = draw.normal(size=80)
        low, high = ends(values.mean(), values, rng=draw)
        held += low < 0 < high
    assert held / 300 == pytest.approx(0.95, abs=0.04)


def test_two_sides_add_their_variances() -> None:
    one, two = (np.random.default_rng(i).normal(scale=i, size=2000) for i in (3, 4))
    low, high = ends(0.0, one, two, rng=rng())
    assert (high - low) / 3.92 == pytest.approx(np.sqrt((one.var() + two.var()) / 2000), rel=0.1)


def test_some_lines_may_stand_for_more() -> None:
    values = np.random.default_rng(5).normal(size=500)
    whole, part = (ends(0.0, values, rng=rng(), sizes=(size,)) for size in (500, 2000))
    assert part[1] - part[0] == pytest.approx((whole[1] - whole[0]) / 2)


def test_of_a_ratio_it_is_what_taking_a_line_away_changes() -> None:
    parts, wholes = np.array([1.0, 0, 2, 5]), np.array([2.0, 3, 2, 9])
    ratio, found = of_ratio(parts, wholes)
    assert ratio == 8 / 16
    assert found.sum() == pytest.approx(0)
    for i in range(4):
        step = 1e-6
        weights = np.ones(4) / 4
        weights[i] += step
        changed = (weights @ parts) / (weights @ wholes)
        assert (changed - 8 / 16) / step == pytest.approx(found[i], abs=1e-4)


def test_rows_of_one_line_add_up() -> None:
    found = by_source(np.array([1.0, 2, 3, 4]), np.array([7, 7, 9, 9]))
    assert found.tolist() == [1.5, 3.5]
    assert by_source(np.array([1.0, 2]), None).tolist() == [1.0, 2.0]


def test_shares_stay_within_0_and_1() -> None:
    assert clipped((-0.1, 1.2)) == (0.0, 1.0)


def test_of_one_line_there_is_none() -> None:
    assert interval(0.5, np.ones(1), rng=rng()) == (None, None)
    assert interval(0.5, np.arange(9.0), np.ones(1), rng=rng()) == (None, None)
    assert clipped((None, None)) == (None, None)
