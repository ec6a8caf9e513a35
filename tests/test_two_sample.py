from __future__ import annotations

import random

import numpy as np
import pytest

from textgan.metrics import two_sample as room
from textgan.metrics.floor import floor_rows
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.two_sample import Features, features, fit, told_apart, two_sample, wilson

WORDS = ["".join(random.Random(k).choices("abcdefgh", k=3 + k % 4)) for k in range(50)]


def text(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=5)) for _ in range(count)]


TRAINING, REFERENCE = text(1500, 1), text(800, 2)


def measure(samples: list[str], reference: list[str] = REFERENCE, training: list[str] | None = TRAINING) -> Metric:
    rng = np.random.default_rng(0)
    floor = floor_rows(len(samples), reference, training, rng=rng)
    [metric] = two_sample(Texts(samples, reference, training, floor), view=View(), rng=rng)
    return metric


@pytest.mark.parametrize("samples", [text(800, 3), TRAINING[:800]], ids=["real", "memoriser"])
@pytest.mark.parametrize("training", [TRAINING, None], ids=["training", "bare"])
def test_real_text_is_not_told_from_real_text(samples: list[str], training: list[str] | None) -> None:
    metric = measure(samples, training=training)
    assert metric.value == pytest.approx(0.5, abs=0.06)
    assert metric.floor == pytest.approx(0.5, abs=0.08)
    assert metric.counts == {"samples": 800, "reference": 800, "tried": 800}


@pytest.mark.parametrize(
    "samples",
    [
        ["".join(random.Random(3).sample(line, len(line))) for line in text(800, 4)],
        REFERENCE[:1] * 800,
        [random.Random(k).choice(TRAINING[:10]) for k in range(800)],
        [line[:12] for line in text(800, 4)],
        [""] * 800,
    ],
    ids=["shuffled", "one line", "ten lines", "short", "empty"],
)
def test_faulty_generators_are_told(samples: list[str]) -> None:
    metric = measure(samples)
    assert metric.value is not None
    assert metric.low is not None
    assert metric.value > 0.97
    assert metric.low > 0.95
    assert metric.floor == pytest.approx(0.5, abs=0.06)


def test_generators_of_which_a_half_is_wrong_are_told_half() -> None:
    wrong = ["#" * 9] * 400
    assert measure([*wrong, *text(400, 3)]).value == pytest.approx(0.7, abs=0.08)


def test_what_is_as_likely_on_either_side_counts_half() -> None:
    assert told_apart(["same"] * 9, ["same"] * 20) == (0.5, 10)
    assert told_apart([""] * 4, [""] * 4) == (0.5, 4)


def test_two_lines_a_side_are_the_least() -> None:
    assert told_apart(["a"], ["b", "c"]) is None
    assert told_apart(["a", "a"], ["b", "b", "c"]) == (1.0, 2)
    metric = measure(["a"])
    assert (metric.value, metric.low, metric.counts["tried"]) == (None, None, 0)


def test_a_line_tried_is_not_learnt() -> None:
    # what tells the sides apart is in the second half only
    assert told_apart(["xx"] * 8 + ["aa"] * 8, ["xx"] * 8 + ["bb"] * 8) == (0.5, 16)
    # and what the halves say is opposite here
    assert told_apart(["aa"] * 8 + ["bb"] * 8, ["bb"] * 8 + ["aa"] * 8) == (0.0, 16)


def test_one_row_of_each_source_is_taken() -> None:
    # real rows come in fives; samples have words of their own, too, but once each
    own = ["".join(random.Random(k).choices("pqrstuvw", k=9)) for k in range(350)]
    reference, sources = [word for word in own[:150] for _ in range(5)], np.repeat(np.arange(150), 5)
    floor = floor_rows(10, reference, None, rng=np.random.default_rng(0))
    texts = Texts(own[150:], reference, None, floor, sources)
    [metric] = two_sample(texts, view=View(), rng=np.random.default_rng(0))
    assert metric.counts == {"samples": 150, "reference": 150, "tried": 150}


def test_features_by_hand() -> None:
    matrix = features(["ab", "abab", "é"], 1)
    norms = np.bincount(matrix.row, matrix.value**2)
    assert norms.tolist() == pytest.approx([1, 1, 1])
    # "ab" between marks: 4 characters of 3 kinds, 3 pairs, 2 triples, 1 of four, 1 length, each kind its own column
    first = matrix.of(0, 1)
    assert len(first.row) == 3 + 3 + 2 + 1 + 1
    assert sorted(first.value) == pytest.approx([1 / 11**0.5] * 9 + [(2 / 11) ** 0.5])
    assert len(set(first.column.tolist())) == len(first.column)
    second = dict(zip(matrix.of(1, 2).column.tolist(), matrix.of(1, 2).value.tolist(), strict=True))
    shared = [second[column] for column in first.column.tolist() if column in second]
    assert len(shared) == 3 + 3 + 1 + 0 + 0 + 1  # not the length, the four, nor one triple: \nab and ab\n are there
    rare = max(second.values())
    # "b" is the third symbol, and three characters long with its marks: not the same column
    assert len(features(["b", "a"], 2).of(0, 1).column) == 2 + 2 + 1 + 1
    assert rare > max(shared)  # columns that the learnt line lacks weigh more


def test_a_product_and_its_transpose_agree_with_the_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BITS", 6)
    matrix = features(text(5, 1), 5)
    dense = np.zeros((5, 64))
    dense[matrix.row, matrix.column] = matrix.value
    draw = np.random.default_rng(0)
    over_columns, over_lines = draw.normal(size=64), draw.normal(size=5)
    assert matrix.times(over_columns, 5) == pytest.approx(dense @ over_columns)
    assert matrix.transposed_times(over_lines) == pytest.approx(dense.T @ over_lines)
    assert matrix.of(2, 4).times(over_columns, 2) == pytest.approx(dense[2:4] @ over_columns)


def test_the_fit_ends_where_the_slope_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BITS", 4)
    monkeypatch.setattr(room, "DECAY", 0.01)
    monkeypatch.setattr(room, "STEPS", 2000)
    draw = np.random.default_rng(0)
    dense = draw.random((40, 16))
    row, column = np.nonzero(dense)
    labels = (np.arange(40) % 2).astype(np.float64)
    weights = fit(Features(row, column, dense[row, column]), labels)
    slope = dense.T @ (1 / (1 + np.exp(-dense @ weights)) - labels) / 40 + 0.01 * weights
    assert abs(slope).max() < 1e-6 < abs(weights).max()


def test_wilson_by_hand() -> None:
    # 8 of 10: (0.8 + z²/20 ± z sqrt(0.016 + z²/400)) / (1 + z²/10)
    assert wilson(0.8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(1.0, 50) == pytest.approx((50 / (50 + 1.959964**2), 1.0), abs=1e-6)


def test_the_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 60)
    assert measure(REFERENCE).counts == {"samples": 60, "reference": 60, "tried": 60}
    monkeypatch.setattr(room, "CHARACTERS", 100)
    monkeypatch.setattr(room, "LONGEST", 10)
    assert measure(REFERENCE).counts == {"samples": 10, "reference": 10, "tried": 10}


def test_a_seed_decides() -> None:
    assert measure(text(300, 3)) == measure(text(300, 3))
