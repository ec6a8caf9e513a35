"""Distances and scores on features: closed forms, sums by hand, and pictures that are known to be good or bad."""

from __future__ import annotations

import json
import math
from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from textgan.figures import INCEPTION, figures, table
from textgan.metrics.class_score import class_score
from textgan.metrics.frechet import frechet_distance
from textgan.metrics.kernel import kernel_distance
from textgan.metrics.pictures import Library, report_evaluation, spread, training_evaluation, unique_share
from textgan.sweep.results import figures as numbers
from textgan.sweep.table import usual

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.uint8]


# --- the kernel distance --------------------------------------------------------------------------------------------


def pairwise(a: Floats, b: Floats) -> float:
    """The unbiased estimate, a pair at a time."""

    def k(x: Floats, y: Floats) -> float:
        return (sum(float(p * q) for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(rows: Floats) -> float:
        return sum(k(x, y) for x, y in permutations(rows, 2)) / (len(rows) * (len(rows) - 1))

    return within(a) + within(b) - 2 * sum(k(x, y) for x, y in product(a, b)) / (len(a) * len(b))


def test_the_kernel_distance_of_whole_sets_is_the_unbiased_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (9, 3)), rng.normal(0.5, 1.5, (9, 3))
    assert kernel_distance(a, b, subsets=3) == pytest.approx(pairwise(a, b))
    monkeypatch.setattr("textgan.metrics.blocks.HELD", 20)
    assert kernel_distance(a, b, subsets=3) == pytest.approx(pairwise(a, b))


def test_a_kernel_distance_by_hand() -> None:
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])  # k(x, y) = (xy + 1)³
    assert kernel_distance(a, b) == pytest.approx(1 + 343 - (1 + 1 + 27 + 64) / 2)


def test_subsets_are_means_of_the_same_number() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (14, 2)), rng.normal(1, 1, (11, 2))
    drawn, found = np.random.RandomState(2020), []
    for _ in range(7):
        one = a[drawn.choice(14, 5, replace=False)]
        found.append(pairwise(one, b[drawn.choice(11, 5, replace=False)]))
    assert kernel_distance(a, b, size=5, subsets=7) == pytest.approx(np.mean(found))


def test_the_kernel_distance_has_no_bias() -> None:
    rng = np.random.default_rng(2)
    found = [kernel_distance(rng.normal(0, 1, (20, 4)), rng.normal(0, 1, (20, 4)), subsets=1) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(400)
    assert min(found) < 0


# --- the class score ------------------------------------------------------------------------------------------------


def test_the_class_score_of_sure_and_of_equal_answers() -> None:
    sure = np.eye(5)[np.arange(1000) % 5]
    assert class_score(sure, splits=1) == pytest.approx((5, 0))
    assert class_score(sure).mean == pytest.approx(5, abs=0.2)  # a split has not all classes equally often
    assert class_score(np.full((100, 5), 0.2)) == pytest.approx((1, 0))
    assert class_score(sure[:1].repeat(100, 0)) == pytest.approx((1, 0))


def test_the_class_score_of_two_kinds_by_hand() -> None:
    rows = np.array([[0.9, 0.1], [0.1, 0.9]] * 50)
    expected = math.exp(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert class_score(rows, splits=1).mean == pytest.approx(expected)


def test_the_splits_of_the_class_score_are_of_shuffled_rows() -> None:
    by_class = np.eye(4)[np.repeat(np.arange(4), 250)]
    found = class_score(by_class)
    assert found.mean > 3.8
    order = np.random.RandomState(2020).permutation(1000)
    shares = [by_class[order][part : part + 100].mean(0) for part in range(0, 1000, 100)]
    scores = [math.exp(-sum(share * math.log(share) for share in of)) for of in shares]
    assert found == pytest.approx((np.mean(scores), np.std(scores)))


def test_few_rows_have_fewer_splits() -> None:
    assert class_score(np.eye(3)) == pytest.approx((1, 0))  # one row a split


# --- evaluations ----------------------------------------------------------------------------------------------------


def painted(count: int, seed: int) -> Rows:
    """Pictures of one colour each, a little noisy: two numbers tell nearly all of one."""
    rng = np.random.default_rng(seed)
    bases = rng.normal(128, 30, (count, 2, 1, 1)).clip(20, 235)
    return (bases + rng.normal(0, 3, (count, 2, 4, 4))).clip(0, 255).astype(np.uint8)


def colours(rows: Rows) -> tuple[Floats, Floats]:
    """Two features, and two classes by which channel is brighter."""
    features = rows.astype(np.float64).mean((2, 3))
    bright = (features[:, 0] > features[:, 1]).astype(int)
    return features, np.eye(2)[bright]


HELDOUT, TRAINING = painted(300, 1), painted(600, 2)


@pytest.fixture(scope="module")
def evaluate() -> Any:
    return training_evaluation(HELDOUT, TRAINING, colours, name="colours-1a2b")


@pytest.fixture(scope="module")
def reported() -> Any:
    return report_evaluation(HELDOUT, TRAINING, colours, name="colours-1a2b")


def test_new_real_pictures_are_level_with_the_floor(evaluate: Any) -> None:
    found = evaluate(painted(300, 3))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["samples"], found["reference"], found["floor_samples"]) == (300, 300, 300)
    assert found["extractor"] == "colours-1a2b"
    spread = HELDOUT.mean((2, 3)).var(0).sum()
    for side in ("value", "floor"):
        assert 0 < found["frechet"][side] < 0.05 * spread
        assert found["unique"][side] == 1
        assert found["precision"][side] > 0.8 < found["recall"][side]
        assert found["coverage"][side] > 0.85
        assert found["density"][side] == pytest.approx(1, abs=0.25)
        assert found["class_score"][side] == pytest.approx(2, abs=0.1)
    assert found["frechet"]["excess"] == found["frechet"]["value"] - found["frechet"]["floor"]
    assert found["precision"]["samples"] == found["precision"]["reference"] == 300


def test_the_distance_is_that_of_the_features(evaluate: Any) -> None:
    samples = painted(300, 3) // 2
    found = evaluate(samples)
    assert found["frechet"]["value"] == pytest.approx(frechet_distance(colours(samples)[0], colours(HELDOUT)[0]).value)
    assert found["kernel"]["value"] == pytest.approx(
        kernel_distance(colours(samples)[0], colours(HELDOUT)[0]), rel=1e-9
    )
    assert found["frechet"]["excess"] > 1000


def test_collapse_and_noise_are_seen(evaluate: Any) -> None:
    collapsed = evaluate(TRAINING[:1].repeat(300, 0))
    assert collapsed["unique"] == {"value": 1 / 300, "floor": 1}
    assert collapsed["recall"]["value"] == 0
    assert collapsed["coverage"]["value"] < 0.1
    assert collapsed["class_score"]["value"] == 1
    noise = evaluate(np.random.default_rng(0).integers(0, 40, (300, 2, 4, 4), dtype=np.uint8))
    assert noise["precision"]["value"] == noise["recall"]["value"] == noise["coverage"]["value"] == 0


def test_fewer_training_pictures_than_samples_give_a_floor_of_all(evaluate: Any) -> None:
    found = evaluate(painted(700, 4))
    assert (found["samples"], found["floor_samples"]) == (700, 600)


def test_real_pictures_are_looked_at_once() -> None:
    looked: list[int] = []

    def extract(rows: Rows) -> tuple[Floats, None]:
        looked.append(len(rows))
        return colours(rows)[0], None

    evaluate = training_evaluation(HELDOUT, TRAINING, extract, name="x")
    assert looked == []
    for seed in (3, 4):
        assert "class_score" not in evaluate(painted(50, seed))
    assert sorted(looked) == [50, 50, 50, 300]


def test_neighbours_are_sought_among_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textgan.metrics.pictures.NEIGHBOURS", 100)
    found = training_evaluation(HELDOUT, TRAINING, colours, name="x")(painted(120, 5))
    assert (found["recall"]["samples"], found["recall"]["reference"]) == (100, 100)
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 4).tolist() == [0, 1, 2]


def test_a_report_has_intervals_that_hold_its_values(reported: Any) -> None:
    found = reported(painted(300, 3))
    for name in ("frechet", "precision", "recall", "density", "coverage"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
        assert found[name]["low"] < found[name]["high"]
    share = found["precision"]
    error = math.sqrt(share["value"] * (1 - share["value"]) / 300)
    assert share["high"] - share["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_memoriser_is_told_by_its_copies_alone(reported: Any) -> None:
    new, copied = reported(painted(300, 3)), reported(TRAINING[:300])
    for by in ("features", "pixels"):
        assert new["copies"][by]["value"] < 0.05
        assert new["copies"][by]["floor"] == pytest.approx(0.01, abs=0.005)
        assert copied["copies"][by]["value"] == 1
    assert copied["copies"]["pixels"]["training"] == 600
    assert copied["precision"]["value"] > 0.8


def test_the_library_tells_places_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textgan.metrics.pictures.LIBRARY", 250)  # of 600: every third
    library = Library(TRAINING, colours)
    wanted = TRAINING[[30, 333]]
    found = library.nearest(wanted, colours(wanted)[0])
    assert len(library.rows) == 200
    for by in ("features", "pixels"):
        assert found[by].place.tolist() == [30, 333]
        assert found[by].distance == pytest.approx([0, 0])


def test_unique_pictures() -> None:
    rows = np.zeros((4, 1, 2, 2), np.uint8)
    rows[3, 0, 1, 1] = 1
    assert unique_share(rows) == 0.5


# --- as they are shown ----------------------------------------------------------------------------------------------


def test_figures_bear_the_extractor_unless_it_is_the_inception_net(evaluate: Any) -> None:
    found = evaluate(painted(300, 3))
    line = figures(found)
    assert line.startswith(f"FD[colours-1a2b] {found['frechet']['value']:#.4g} (real ")
    assert [word.split()[0] for word in line.split(", ")] == [
        "FD[colours-1a2b]",
        "CS[colours-1a2b]",
        "precision",
        "recall",
    ]
    rows = table(found)
    assert rows[0] == "| | generated | real pictures at the same count |"
    assert [row.split(" | ")[0] for row in rows[5:]] == [
        f"| {name}" for name in ("precision", "recall", "density", "coverage", "unique")
    ]
    inception = table(found | {"extractor": INCEPTION})
    assert [row.split(" | ")[0] for row in inception[2:5]] == ["| FID", "| KID", "| IS"]
    other = table({name: of for name, of in found.items() if name != "class_score"} | {"extractor": "inception-1a2b"})
    assert [row.split(" | ")[0] for row in other[2:5]] == [
        "| FD[inception-1a2b]",
        "| KD[inception-1a2b]",
        "| precision",
    ]


def test_a_sweep_shows_a_few_columns_of_pictures(evaluate: Any) -> None:
    found = evaluate(painted(300, 3))
    assert usual(numbers(found)) == ("frechet", "class_score", "precision", "recall", "unique")
    assert numbers(found, "floor")["precision"] == found["precision"]["floor"]
