from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from textgan.metrics import embedding as room
from textgan.metrics.embedding import frechet, frontier_area, k_means, mauve, overlap
from textgan.metrics.encoders import ENCODERS
from textgan.metrics.floor import floor_rows
from textgan.metrics.frechet import frechet_distance
from textgan.metrics.interval import interval
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.report.gates import gate
from textgan.report.measure import report

Floats = npt.NDArray[np.float64]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(count: int, dimensions: int, seed: int) -> Floats:
    draw = rng(seed)
    return draw.normal(size=(count, dimensions)) @ draw.normal(size=(dimensions, dimensions))


# --- Fréchet --------------------------------------------------------------------------------------------------------


def plain(a: Floats, b: Floats, weights: Floats) -> float:
    """The formula of Heusel et al., with weighted moments of a, from the eigenvalues of S₁S₂ as it stands."""
    mean_a, mean_b = weights @ a, b.mean(0)
    cov_a, cov_b = (a - mean_a).T @ np.diag(weights) @ (a - mean_a), (b - mean_b).T @ (b - mean_b) / len(b)
    root = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).astype(complex)).sum().real
    return float(sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * root)


@pytest.mark.parametrize("shape", [(50, 4), (200, 16), (5, 12)], ids=["small", "large", "fewer than dimensions"])
def test_equal_sets_are_at_no_distance_and_shifted_ones_at_the_square_of_the_shift(shape: tuple[int, int]) -> None:
    a, shift = normal(*shape, 1), rng(2).normal(size=shape[1])
    assert 0 <= frechet_distance(a, a.copy()).value < 1e-10
    assert frechet_distance(a, a[::-1] + shift).value == pytest.approx(shift @ shift, abs=1e-10)


def test_diagonal_covariances_have_a_closed_form() -> None:
    a, b = np.array([3.0, 1, 0.5, 0]), np.array([1.0, 2, 0.5, 4])
    sides = [np.concatenate([np.diag(s), -np.diag(s)]) for s in (a, b)]  # variance 2 s² / 7 in each direction
    assert frechet_distance(*sides).value == pytest.approx(2 / 7 * sum((a - b) ** 2))
    assert frechet_distance(*sides[::-1]).value == pytest.approx(2 / 7 * sum((a - b) ** 2))


@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_the_distance_is_that_of_the_plain_formula(dimensions: int) -> None:
    a, b = normal(40, dimensions, 1) + 1, normal(40, dimensions, 2)
    found = frechet_distance(a, b)
    bias = 39 / 40  # the plain formula divides by n, as the means do not
    apart = sum((a.mean(0) - b.mean(0)) ** 2)
    assert found.value == pytest.approx((plain(a, b, np.full(40, 1 / 40)) - apart) / bias + apart)


def test_contributions_are_the_slope_by_the_weight_of_a_line() -> None:
    a, b = normal(30, 3, 1) + 0.5, normal(30, 3, 2)
    for first, second, gains in ((a, b, 0), (b, a, 1)):
        gain = frechet_distance(a, b).spread[gains]
        slopes = []
        for line in range(30):
            weights = np.full(30, (1 - 1e-6) / 30)
            weights[line] += 1e-6
            slopes.append((plain(first, second, weights) - plain(first, second, np.full(30, 1 / 30))) / 1e-6)
        assert gain - gain.mean() == pytest.approx(np.array(slopes), rel=1e-3, abs=1e-3)


def test_a_collapsed_set() -> None:
    b = normal(50, 4, 1)
    found = frechet_distance(np.ones((50, 4)), b)
    assert found.value == pytest.approx(sum((1 - b.mean(0)) ** 2) + np.trace(np.cov(b.T)))
    assert all(np.isfinite(gain).all() for gain in found.spread)
    assert all(frechet_distance(same, same.copy()).value >= 0 for same in (normal(30, 6, seed) for seed in range(50)))
    both = frechet_distance(np.ones((5, 4)), np.ones((5, 4)))
    assert both.value == 0
    assert not np.any(both.spread)


def test_the_interval_is_as_wide_as_the_distance_varies() -> None:
    values, widths, within = [], [], []
    for seed in range(80):
        draw = rng(seed)
        a, b = draw.normal(size=(100, 3)), draw.normal(size=(100, 3)) * [1, 2, 0.5] + 0.5
        found = frechet_distance(a, b)
        low, high = interval(found.value, *found.spread, rng=draw)
        assert low is not None
        assert high is not None
        values.append(found.value)
        widths.append((high - low) / 3.92)
        within.append((low, high))
    assert np.mean(widths) == pytest.approx(np.std(values), rel=0.2)
    assert np.mean([low <= np.mean(values) <= high for low, high in within]) > 0.88


# --- MAUVE ----------------------------------------------------------------------------------------------------------


def slow_area(p: list[float], q: list[float], points: int = 4000) -> float:
    """Area under the frontier, by the height over evenly many steps along x."""
    frontier = [(0.0, 1.0)]
    for k in range(1, points):
        weight = 1 - k / points
        kl = [0.0, 0.0]
        for pi, qi in zip(p, q, strict=True):
            mixed = weight * pi + (1 - weight) * qi
            kl[0] += qi * math.log(qi / mixed) if qi else 0
            kl[1] += pi * math.log(pi / mixed) if pi else 0
        frontier.append((math.exp(-5 * kl[0]), math.exp(-5 * kl[1])))
    frontier.append((1.0, 0.0))
    x, y = zip(*frontier, strict=True)
    steps = np.linspace(0, 1, 200_001)
    return float(np.interp((steps[1:] + steps[:-1]) / 2, x, y).mean())


def test_closed_forms_of_the_frontier() -> None:
    for shares in ([1.0], [0.5, 0.5], [0.7, 0.1, 0, 0.2]):
        assert frontier_area(np.array(shares), np.array(shares)) == pytest.approx(1, abs=1e-12)
    for p, q in (([1.0, 0], [0.0, 1]), ([0.5, 0.5, 0], [0.0, 0, 1])):
        # the curve is (1-λ)⁵, λ⁵: its area is 5 B(6, 5)
        assert frontier_area(np.array(p), np.array(q)) == pytest.approx(1 / 252, abs=1e-7)


def test_one_bin_against_two_by_hand() -> None:
    # x = (1-λ²)^2.5 and y = ((1+λ)/2)^5
    at = (np.arange(100_000) + 0.5) / 100_000
    area = np.mean(((1 + at) / 2) ** 5 * 5 * at * (1 - at**2) ** 1.5)
    assert frontier_area(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(area, abs=1e-5)
    assert frontier_area(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(area, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_area_is_that_of_the_slow_oracle(seed: int) -> None:
    draw = rng(seed)
    p, q = draw.dirichlet(np.full(12, 0.3 + seed)), draw.dirichlet(np.ones(12))
    p[:seed] = 0
    p /= p.sum()
    found = frontier_area(p, q)
    assert found == pytest.approx(slow_area(p.tolist(), q.tolist()), abs=1e-5)
    assert found == pytest.approx(frontier_area(q, p), abs=1e-9)


def test_k_means_finds_blobs_and_ends_at_a_fixed_point() -> None:
    draw = rng(1)
    blob = np.repeat(np.arange(12), 20)
    rows = (10 * draw.normal(size=(12, 5))[blob] + 0.1 * draw.normal(size=(240, 5))).astype(np.float32)
    labels = k_means(rows, 12, rng())
    assert len({(a, b) for a, b in zip(labels.tolist(), blob.tolist(), strict=True)}) == 12
    cloud = draw.normal(size=(300, 4)).astype(np.float32)
    labels = k_means(cloud, 9, rng())
    means = np.array([cloud[labels == k].mean(0) for k in range(9)])
    nearest = [int(np.argmin([np.sum((row - mean) ** 2) for mean in means])) for row in cloud]
    assert labels.tolist() == nearest
    assert np.array_equal(labels, k_means(cloud, 9, rng()))


def test_rows_that_coincide_make_fewer_clusters() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    assert len(set(k_means(rows, 8, rng()).tolist())) == 3
    assert not k_means(np.ones((6, 2), np.float32), 4, rng()).any()
    nearly = np.ones((60, 4)) + 1e-5 * rng().normal(size=(60, 4))  # as products of the same row may differ
    assert not k_means(nearly.astype(np.float32), 8, rng()).any()


def test_starts_are_drawn_by_the_squared_distance() -> None:
    rows = np.array([[0.0]] * 50 + [[1.0], [3.0]], np.float32)
    second = [float(room._spread_out(rows, 2, rng(seed))[1, 0]) for seed in range(600)]
    # from 0, as 48 of 50 start: 3 is drawn in 9 of 10
    assert second.count(3.0) / 600 == pytest.approx(0.88, abs=0.04)


def test_nine_tenths_of_the_variance_are_kept() -> None:
    rows = np.concatenate([np.diag([8.0, 4, 2.5, 1]), -np.diag([8.0, 4, 2.5, 1])])
    kept = room._principal(rows + 7)  # 64, 16, 6.25 and 1 of 87.25: two have 91.7 %
    assert kept.shape == (8, 2)
    assert np.sum(kept**2) == pytest.approx(2 * 80)
    assert room._principal(np.ones((5, 3))).shape[0] == 5


def test_overlap_of_equal_and_of_disjoint_sets() -> None:
    a = rng(1).normal(size=(200, 6))
    assert overlap(a, a.copy(), 20, rng()) == pytest.approx(1)
    assert overlap(a, 3 * a, 20, rng()) == pytest.approx(1)  # only directions count
    assert overlap(np.abs(a), -np.abs(a), 20, rng()) == pytest.approx(1 / 252, abs=1e-6)
    assert overlap(a[:1].repeat(50, 0), a, 20, rng()) < 0.3
    assert overlap(np.zeros((5, 3)), np.zeros((9, 3)), 2, rng()) == 1
    assert 0.8 < overlap(a, rng(2).normal(size=(200, 6)), 20, rng()) < 1


# --- of texts -------------------------------------------------------------------------------------------------------

WORDS = ["".join(random.Random(k).choices("abcdefgh", k=3 + k % 4)) for k in range(50)]


def text(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=5)) for _ in range(count)]


TRAINING, REFERENCE = text(500, 1), text(300, 2)
Measured = dict[str, Metric]


def texts(samples: list[str], training: list[str] | None = TRAINING, sources: Any = None) -> Texts:
    return Texts(samples, REFERENCE, training, floor_rows(len(samples), REFERENCE, training, rng=rng()), sources)


def measure(of: Texts, view: View = View()) -> tuple[Metric, Metric]:  # noqa: B008
    [distance], [shared] = frechet(of, view=view, rng=rng()), mauve(of, view=view, rng=rng())
    return distance, shared


@pytest.mark.parametrize("samples", [text(300, 3), TRAINING[:300]], ids=["real", "memoriser"])
@pytest.mark.parametrize("training", [TRAINING, None], ids=["training", "bare"])
def test_real_text_is_level_with_its_floor(samples: list[str], training: list[str] | None) -> None:
    distance, shared = measure(texts(samples, training))
    lines = 300 if training else 150
    assert distance.counts == {"samples": lines, "reference": lines}
    assert shared.counts == {"samples": lines, "reference": lines, "clusters": lines // 10}
    assert (distance.name, shared.name, distance.key, shared.key) == ("frechet_lsa", "mauve_lsa", "", "")
    assert (distance.better, shared.better) == ("lower", "higher")
    assert None not in (distance.value, distance.floor, distance.low, distance.high, shared.value, shared.floor)
    assert distance.value == pytest.approx(distance.floor, rel=0.15)
    assert distance.low < distance.value < distance.high  # type: ignore[operator]
    assert shared.value == pytest.approx(shared.floor, abs=0.06)
    assert (shared.low, shared.high) == (None, None)
    assert shared.floor > 0.85  # type: ignore[operator]


@pytest.mark.parametrize(
    ("samples", "most"),
    [
        (["".join(random.Random(3).sample(line, len(line))) for line in text(300, 4)], 0.5),
        (REFERENCE[:1] * 300, 0.05),
        ([random.Random(k).choice(TRAINING[:10]) for k in range(300)], 0.3),
        (["".join("x" if random.Random(line).random() < 0.5 else c for c in line) for line in text(300, 4)], 0.9),
        ([""] * 300, 0.01),
    ],
    ids=["shuffled", "one line", "ten lines", "half x", "empty"],
)
def test_faulty_generators_are_further_than_real_text(samples: list[str], most: float) -> None:
    distance, shared = measure(texts(samples))
    assert distance.floor is not None
    assert distance.low is not None
    assert distance.low > 1.3 * distance.floor
    assert shared.value is not None
    assert shared.floor is not None
    assert shared.value < most < 0.91
    assert shared.floor > 0.85


def test_too_few_lines_have_no_value() -> None:
    for metric in measure(texts(["ab"])):
        assert (metric.value, metric.floor, metric.low) == (None, None, None)
        assert metric.counts == {"samples": 0, "reference": 0}
    assert all(metric.value is not None for metric in measure(texts(["ab", ""])))


def test_no_number_depends_on_which_others_are_asked_for() -> None:
    samples = text(100, 3)
    one, other = texts(samples), texts(samples)
    first = measure(one)
    [shared], [distance] = mauve(other, view=View(), rng=rng()), frechet(other, view=View(), rng=rng())
    assert first == (distance, shared) == measure(one)


def test_the_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 60)
    monkeypatch.setattr(room, "CLUSTERS", 4)
    distance, shared = measure(texts(text(200, 3)))
    assert distance.counts == {"samples": 60, "reference": 60}
    assert shared.counts == {"samples": 60, "reference": 60, "clusters": 4}


def test_the_lines_that_are_measured_are_chosen_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 60)
    monkeypatch.setitem(ENCODERS, "lengths", lambda *_: lambda lines: np.array([[float(len(line))] for line in lines]))
    rows = [*["a"] * 150, *["abc"] * 150]
    of = Texts(rows, rows, rows, floor_rows(300, rows, rows, rng=rng(1)))
    distance, _ = measure(of, View(encoder="lengths"))
    assert distance.value == pytest.approx(0, abs=0.3)
    one = frechet(Texts(rows, ["a"] * 300, rows, of.floor._replace(against=["a"] * 300)), view=View(encoder="lengths"),
                  rng=rng())[0]  # fmt: skip
    assert one.value == pytest.approx(1 + 1, abs=0.6)  # half of the samples are 2 longer


def test_the_view_names_the_encoder_and_each_side_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[list[str]] = []

    def lengths(real: Any, _: np.random.Generator) -> Any:
        learnt.append(list(real))
        return lambda lines: np.array([[float(len(line))] for line in lines])

    monkeypatch.setitem(ENCODERS, "lengths", lengths)
    reference = ["ab", "abcd", "a"] * 30
    floor = floor_rows(45, reference, None, rng=rng())
    of = Texts(["abc"] * 45, reference, None, floor, None)
    distance, shared = measure(of, View(encoder="lengths"))
    real, other = ([len(line) for line in lines] for lines in floor[::-1])
    expected = (3 - np.mean(real)) ** 2 + np.var(real, ddof=1)
    by_chance = (np.mean(real) - np.mean(other)) ** 2 + (np.std(real, ddof=1) - np.std(other, ddof=1)) ** 2
    assert (distance.name, shared.name) == ("frechet_lengths", "mauve_lengths")
    assert distance.value == pytest.approx(expected)
    assert distance.floor == pytest.approx(by_chance)
    assert learnt == [list(floor.against)]  # once


def test_rows_of_one_line_are_drawn_together() -> None:
    samples = text(300, 3)
    each, cut = (measure(texts(samples, sources=sources))[0] for sources in (None, np.repeat(np.arange(6), 50)))
    assert each.value == cut.value
    assert each.high != cut.high


def test_a_report_gives_them_by_their_full_name_and_gates_know_it() -> None:
    found = report(text(60, 3), REFERENCE, TRAINING, metrics=["frechet", "mauve"], ladder=False)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert list(told["metrics"]) == ["frechet_lsa", "mauve_lsa"]
    assert told["metrics"]["mauve_lsa"]["counts"]["clusters"] == 6
    assert not any("nothing of" in note for note in found.notes)
    assert [m.name for m in found.of("frechet")] == [m.name for m in found.of("frechet_lsa")] == ["frechet_lsa"]
    assert gate("frechet_lsa=0.001", "above").failure(found).startswith("frechet-lsa is 0.")
    assert gate("mauve_lsa=0.1", "below").failure(found) == ""
