from __future__ import annotations

import math
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from textgan.metrics import alphabets, ngrams
from textgan.metrics import lines as lines_room
from textgan.metrics.alphabets import WORDS
from textgan.metrics.bleu import (
    ORDERS,
    Scores,
    backward_bleu,
    bleu,
    closest_lengths,
    self_bleu,
    self_bleu_scores,
    sentence_bleu,
)
from textgan.metrics.floor import Floor
from textgan.metrics.interval import interval
from textgan.metrics.lines import View, read_lines
from textgan.metrics.metric import Metric, MetricFunction, Texts
from textgan.metrics.ngrams import NGrams

WEIGHTS = [(1 / n,) * n for n in ORDERS]
LINES = st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join), min_size=1, max_size=8)
WAYS: dict[str, dict[str, int]] = {
    "as it fits": {},
    "in a table": {"ROOM": 1 << 20},
    "in blocks": {"BLOCK": 2, "ROOM": 1 << 20},
    "sorted in blocks": {"BLOCK": 3, "DENSE": 1},
    "ranked": {"LARGEST": 30},
    "ranked in blocks": {"LARGEST": 30, "BLOCK": 2, "DENSE": 1},
}


@pytest.fixture(params=[*WAYS])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to count: one block or many, codes that fit or ranks as for huge vocabularies."""
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(alphabets if name == "BLOCK" else ngrams, name, value)


def oracle(hypothesis: str, references: Sequence[str]) -> list[float]:
    smooth = SmoothingFunction().method1
    split = [line.split() for line in references]
    scores: list[float] = nltk_bleu(split, hypothesis.split(), WEIGHTS, smoothing_function=smooth)
    return scores


def of_all(hypotheses: Sequence[str], references: Sequence[str]) -> dict[int, list[float]]:
    return by_order([oracle(line, references) for line in hypotheses])


def of_the_others(lines: Sequence[str], count: int | None = None) -> dict[int, list[float]]:
    return by_order([oracle(line, [*lines[:i], *lines[i + 1 :]]) for i, line in enumerate(lines[:count])])


def by_order(scores: list[list[float]]) -> dict[int, list[float]]:
    return {n: [row[place] for row in scores] for place, n in enumerate(ORDERS)}


def check(found: Scores, expected: dict[int, list[float]]) -> None:
    assert list(found) == list(expected)
    for n, scores in found.items():
        assert scores.tolist() == pytest.approx(expected[n], rel=0, abs=1e-12), n


def text(seed: int, words: str, count: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randrange(12))) for _ in range(count)]


@given(LINES, LINES)
def test_bleu_is_that_of_nltk(hypotheses: list[str], references: list[str]) -> None:
    check(sentence_bleu(hypotheses, references), of_all(hypotheses, references))


@given(LINES.filter(lambda lines: len(lines) > 1))
def test_self_bleu_is_nltk_against_all_other_lines(lines: list[str]) -> None:
    check(self_bleu_scores(lines), of_the_others(lines))


def test_every_way_of_counting_agrees_with_nltk(way: None) -> None:
    references, hypotheses = text(1, "abcde", 25), text(2, "abcdxy", 25)
    check(sentence_bleu(hypotheses, references), of_all(hypotheses, references))
    check(self_bleu_scores(references), of_the_others(references))


CORNERS = [
    "",
    " ",
    "a",
    "a b",
    "a a a a a a",
    "a a a a a a",
    "b a a",
    "z z z z z z z",
    "\ta\u2003b  c ",
    "A b c",
    "a b c d e f",
]


def test_corner_cases_are_those_of_nltk(way: None) -> None:
    check(self_bleu_scores(CORNERS), of_the_others(CORNERS))
    for references in (["a b c"], [""], ["a", "a a a a"], CORNERS):
        check(sentence_bleu(CORNERS, references), of_all(CORNERS, references))


def test_a_vocabulary_whose_codes_do_not_fit_63_bits_is_ranked() -> None:
    draw = random.Random(0)
    references = [" ".join(str(draw.randrange(9000)) for _ in range(30)) for _ in range(700)]
    hypotheses = [
        " ".join([*line.split()[k : k + 9], "new", *line.split()[:4]]) for k, line in enumerate(references[:8])
    ]
    assert NGrams(references, WORDS).base ** 5 > 2**63
    check(sentence_bleu(hypotheses, references), of_all(hypotheses, references))


def test_by_hand() -> None:
    # one match of 3 words, none of 2 pairs; the reference is one word longer
    assert sentence_bleu(["a x y"], ["a b c d"], [2])[2][0] == pytest.approx(
        math.exp(1 - 4 / 3) * (1 / 3 * 0.1 / 2) ** 0.5
    )
    # "a" is taken twice at most, as often as one reference holds it, not three times as both do
    assert sentence_bleu(["a a a"], ["a a b", "c c a"], [1])[1][0] == pytest.approx(2 / 3)
    assert sentence_bleu(["a b c d e"], ["q", "a b c d e"], [5])[5][0] == pytest.approx(1.0, abs=1e-15)
    assert sentence_bleu(["q w e r"], ["a b c d"])[2][0] == 0


def test_a_line_is_left_out_by_its_place_and_its_twin_is_not() -> None:
    lines = ["a b c d e", "v w x y z", "a b c d e"]
    assert self_bleu_scores(lines, [5])[5] == pytest.approx([1, 0, 1])


def test_the_most_elsewhere_may_be_as_many_or_fewer(way: None) -> None:
    lines = ["b", "a a a", "a a", "c", "a a a", "a", "d d", "d"]
    check(self_bleu_scores(lines), of_the_others(lines))
    assert self_bleu_scores(lines, [1])[1][[1, 4, 6]] == pytest.approx([1, 1, 1 / 2])


@given(LINES, LINES)
def test_the_closest_length_is_the_shorter_of_two(a: list[str], b: list[str]) -> None:
    own, others = (np.array([len(line) for line in side]) for side in (a, b))
    expected = [min(others, key=lambda other: (abs(other - mine), other)) for mine in own]
    assert closest_lengths(own, others, leave_out=False).tolist() == expected
    for place, mine in enumerate(own[: len(own) * (len(own) > 1)]):
        rest = np.delete(own, place)
        nearest = min(rest, key=lambda other: (abs(other - mine), other))
        assert closest_lengths(own, own, leave_out=True)[place] == nearest


def test_the_first_lines_only() -> None:
    lines = text(4, "abcd", 15)
    check(self_bleu_scores(lines, hypotheses=4), of_the_others(lines, 4))


def test_without_anything_to_compare_with() -> None:
    assert np.isnan(self_bleu_scores(["a b"], [2])[2]).tolist() == [True]
    assert np.isnan(sentence_bleu(["a", "b"], [], [2])[2]).tolist() == [True, True]
    assert self_bleu_scores([], [2])[2].shape == sentence_bleu([], ["a"], [2])[2].shape == (0,)


def measure(family: MetricFunction, texts: Texts, view: View = View()) -> list[Metric]:  # noqa: B008
    return family(texts, view=view, rng=np.random.default_rng(0))


SAMPLES, REFERENCE, ROWS, AGAINST = (text(seed, "abcdef", 10 + seed) for seed in (5, 6, 7, 8))
TEXTS = Texts(SAMPLES, REFERENCE, None, Floor(ROWS, AGAINST))


def means(scores: dict[int, list[float]]) -> list[float]:
    return [math.fsum(row) / len(row) for row in scores.values()]


def test_the_families_are_means_beside_their_floors() -> None:
    expected = {
        "bleu": (bleu, of_all(SAMPLES, REFERENCE), of_all(ROWS, AGAINST), (15, 16)),
        "backward_bleu": (backward_bleu, of_all(REFERENCE, SAMPLES), of_all(AGAINST, ROWS), (15, 16)),
        "self_bleu": (self_bleu, of_the_others(SAMPLES), of_the_others(ROWS), (15, 14)),
    }
    for name, (family, scores, floors, (samples, reference)) in expected.items():
        found = measure(family, TEXTS)
        assert [(metric.name, metric.key) for metric in found] == [(name, str(n)) for n in ORDERS]
        assert [metric.value for metric in found] == pytest.approx(means(scores), abs=1e-12)
        assert [metric.floor for metric in found] == pytest.approx(means(floors), abs=1e-12)
        assert all(metric.counts == {"samples": samples, "reference": reference} for metric in found)
        rng = np.random.default_rng(0)
        for metric, row in zip(found, scores.values(), strict=True):
            assert metric.value is not None
            low, high = interval(metric.value, np.array(row) - metric.value, rng=rng)
            assert [metric.low, metric.high] == pytest.approx([low, high])


def test_orders_do_not_follow_the_view() -> None:
    assert [metric.key for metric in measure(bleu, TEXTS, View(orders=(1,)))] == ["2", "3", "4", "5"]


def test_the_view_chooses_the_first_references_and_hypotheses() -> None:
    view = View(references=7, hypotheses=3)
    cases = {
        bleu: (of_all(SAMPLES[:3], REFERENCE[:7]), of_all(ROWS[:3], AGAINST[:7]), {"samples": 3, "reference": 7}),
        backward_bleu: (
            of_all(REFERENCE[:3], SAMPLES[:7]),
            of_all(AGAINST[:3], ROWS[:7]),
            {"samples": 7, "reference": 3},
        ),
        self_bleu: (of_the_others(SAMPLES[:7], 3), of_the_others(ROWS[:7], 3), {"samples": 3, "reference": 6}),
    }
    for family, (scores, floors, counts) in cases.items():
        found = measure(family, TEXTS, view)
        assert [metric.value for metric in found] == pytest.approx(means(scores), abs=1e-12)
        assert [metric.floor for metric in found] == pytest.approx(means(floors), abs=1e-12)
        assert found[0].counts == counts


def test_a_single_line_has_no_self_bleu() -> None:
    found = measure(self_bleu, Texts(["a b"], REFERENCE, None, Floor(["a"], ["b"])))
    assert {(metric.value, metric.low, metric.high, metric.floor) for metric in found} == {(None, None, None, None)}


def test_backward_intervals_draw_source_lines() -> None:
    def width(sources: npt.NDArray[np.int64]) -> float:
        texts = Texts(["a b c"], ["a b c", "x y z"] * 60, None, Floor(ROWS, AGAINST), sources)
        metric = measure(backward_bleu, texts, View(hypotheses=100))[0]
        assert metric.value == pytest.approx(0.5)
        assert metric.low is not None
        assert metric.high is not None
        return metric.high - metric.low

    rows = np.arange(120)
    assert width(rows) == pytest.approx(2 * 1.96 * 0.5 / 10, rel=0.1)
    lines = np.append(rows[:100] % 20, [99] * 20)
    assert width(lines) == pytest.approx(2 * 1.96 * 0.5 / 20**0.5, rel=0.1)  # five equal rows of each line


def test_at_most_so_many_lines_are_taken_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_room, "MOST", 9)
    assert measure(self_bleu, TEXTS)[0].counts == {"samples": 9, "reference": 8}
    assert measure(bleu, TEXTS)[0].counts == {"samples": 9, "reference": 9}


def test_words_are_counted_as_characters_are(way: None) -> None:
    one, other = text(9, "abcde", 30), text(10, "abcdex", 30)
    words, chars = NGrams(one, WORDS), NGrams([line.replace(" ", "") for line in one])
    for n in range(1, 6):
        expected = Counter(tuple(line.split()[i : i + n]) for line in one for i in range(len(line.split()) - n + 1))
        assert sorted(words.counts(n).counts.tolist()) == sorted(expected.values())
        there = chars.count(chars.encode([line.replace(" ", "") for line in other]), n).counts
        assert sorted(words.count(words.encode(other), n).counts.tolist()) == sorted(there.tolist())


CAPTIONS = Path(os.environ.get("TEXTGAN_TEST_DATA", "")) / "captions"


@pytest.mark.skipif("TEXTGAN_TEST_DATA" not in os.environ, reason="TEXTGAN_TEST_DATA names no folder of real text")
@pytest.mark.parametrize("references", [None, 500])
def test_real_captions_agree_with_nltk(references: int | None) -> None:
    test, train = (read_lines(CAPTIONS / f"tok_coco_{part}_1000.txt") for part in ("test", "train"))
    step = 100  # nltk takes its time, so every so many lines are compared
    found = sentence_bleu(test, train[:references])
    check({n: scores[::step] for n, scores in found.items()}, of_all(test[::step], train[:references]))
    lines = test[:references]
    alone = self_bleu_scores(lines)
    expected = by_order([oracle(lines[i], [*lines[:i], *lines[i + 1 :]]) for i in range(0, len(lines), step)])
    check({n: scores[::step] for n, scores in alone.items()}, expected)
