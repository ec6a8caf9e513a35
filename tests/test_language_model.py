from __future__ import annotations

import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from textgan.metrics import alphabets, language_model, lines, ngrams
from textgan.metrics.floor import floor_rows
from textgan.metrics.language_model import CharacterModel, lm_nll
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts

TRAINING = ["the cat", "the cart", "", "a hat", "the heat", "ab", "abab", "é \u4e00"]
OTHERS = ["the hat", "", "zz", "cat \U0001f600", "that the cat", "ababab", "é"]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=["exact", "ranked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "ranked":
        monkeypatch.setattr(ngrams, "LARGEST", 300)  # three of some fourteen symbols have no exact code
        monkeypatch.setattr(ngrams, "DENSE", 1)


class SlowModel:
    """Witten and Bell's recursion, word for word, over dicts."""

    def __init__(self, text: list[str], order: int, length: int | None) -> None:
        self.order, self.length = order, length
        self.follow: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for line in text:
            for history, x in self.events(line):
                for n in range(order):
                    self.follow[history[order - 1 - n :]][x] += 1
        self.alphabet = {x for line in text for x in line} | {"END"}

    def events(self, line: str) -> list[tuple[tuple[str, ...], str]]:
        marked = ["START"] * (self.order - 1) + list(line) + (["END"] if len(line) != self.length else [])
        return [(tuple(marked[i - self.order + 1 : i]), marked[i]) for i in range(self.order - 1, len(marked))]

    def p(self, history: tuple[str, ...], x: str) -> float:
        shorter = self.p(history[1:], x) if history else 1 / (len(self.alphabet) + 1)
        follow = self.follow.get(history)
        if not follow:
            return shorter
        return (follow[x] + len(follow) * shorter) / (sum(follow.values()) + len(follow))

    def bits(self, line: str) -> list[float]:
        return [-math.log2(self.p(*event)) for event in self.events(line)]


def measure(samples: list[str], reference: list[str], training: list[str] | None, view: View) -> dict[str, Metric]:
    texts = Texts(samples, reference, training, floor_rows(len(samples), reference, training, rng=rng()))
    return {metric.key: metric for metric in lm_nll(texts, view=view, rng=rng())}


def slow_mean(model: SlowModel, text: list[str]) -> float:
    bits = [each for line in text for each in model.bits(line)]
    return sum(bits) / len(bits)


@pytest.mark.parametrize("length", [None, 4, 7])
@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_bits_equal_those_of_slow_dicts(way: None, order: int, length: int | None) -> None:
    training, others = ([line[:length] for line in text] for text in (TRAINING, OTHERS + TRAINING[:3]))
    slow, model = SlowModel(training, order, length), CharacterModel(training, order, length)
    [(bits, ends)] = model.bits(others)
    expected = [slow.bits(line) for line in others]
    assert bits.tolist() == pytest.approx([each for line in expected for each in line], rel=1e-12, abs=1e-12)
    assert np.diff(ends, prepend=0).tolist() == [len(line) for line in expected]
    scores, characters = model.scores(others)
    assert scores.tolist() == pytest.approx([sum(line) for line in expected], rel=1e-12, abs=1e-11)
    assert characters.tolist() == [len(line) for line in expected]


@pytest.mark.parametrize("context", ["", "t", "the", "the ca", "zzz", "ab", "é \u4e00", "heat the"])
@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_probabilities_of_all_that_may_follow_sum_to_one(way: None, order: int, context: str) -> None:
    model = CharacterModel(TRAINING, order)
    characters = [symbol for symbol in model.symbols if symbol != "\n"]
    assert set(characters) == set("".join(TRAINING))
    [(bits, ends)] = model.bits([context + x for x in [*characters, "\U0001f600", ""]])
    starts = ends - np.diff(ends, prepend=0)
    assert np.exp2(-bits[starts + len(context)]).sum() == pytest.approx(1, abs=1e-12)


def test_a_model_by_hand() -> None:
    # order 1, "a" and its end: 2 events of 2 kinds, below them 1/3 each for a, the end, and the rest
    model = CharacterModel(["a"], order=1)
    a, rest = (1 + 2 / 3) / 4, (2 / 3) / 4
    assert model.scores(["a", "b", ""])[0].tolist() == pytest.approx(
        [-2 * math.log2(a), -math.log2(rest * a), -math.log2(a)]
    )
    # order 2: after the start always a, then always the end
    after = (1 + a) / 2
    assert CharacterModel(["a"], order=2).scores(["a"])[0].tolist() == pytest.approx([-2 * math.log2(after)])


def test_a_cut_line_has_no_end() -> None:
    model = CharacterModel(["ab", "a"], length=2)
    assert model.scores(["ab", "a", "bb"])[1].tolist() == [2, 2, 2]
    assert CharacterModel(["ab"], order=2, length=2).scores(["abab"[:2]])[0] < 2


def test_many_blocks_of_lines_score_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CharacterModel(TRAINING).scores(OTHERS)
    monkeypatch.setattr(alphabets, "BLOCK", 2)
    cut = CharacterModel(TRAINING).scores(OTHERS)
    assert cut[0].tolist() == pytest.approx(whole[0].tolist(), rel=1e-12)
    assert cut[1].tolist() == whole[1].tolist()


def test_models_of_nothing() -> None:
    assert CharacterModel([]).scores(["ab"])[0].tolist() == pytest.approx([3.0])  # an end and the rest: a bit each
    assert CharacterModel([""]).scores([])[0].tolist() == []


def test_a_line_feed_is_no_context_beyond_the_line() -> None:
    assert CharacterModel(["ab", "cd"]).scores(["ab", "cd"])[0].tolist() == pytest.approx(
        CharacterModel(["cd", "ab"]).scores(["ab", "cd"])[0].tolist()
    )


@pytest.mark.parametrize("length", [None, 4])
def test_the_metric_is_bits_per_character_both_ways(length: int | None) -> None:
    samples, reference, training = (
        [line[:length] for line in text] for text in (["the cat", "zz", "a"], OTHERS, TRAINING)
    )
    found = measure(samples, reference, training, View(length=length))
    assert found["forward"].value == pytest.approx(slow_mean(SlowModel(training, 6, length), samples))
    assert found["reverse"].value == pytest.approx(slow_mean(SlowModel(samples, 6, length), reference))
    rows = floor_rows(3, reference, training, rng=rng()).rows
    assert found["reverse"].floor == pytest.approx(slow_mean(SlowModel(rows, 6, length), reference))
    for metric in found.values():
        assert metric.value is not None
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high
    assert (found["forward"].better, found["reverse"].better) == ("near the floor", "lower")


def test_the_floor_of_forward_is_held_out_text() -> None:
    samples, reference = ["q"] * len(OTHERS), OTHERS
    found = measure(samples, reference, TRAINING, View())
    assert found["forward"].floor == pytest.approx(slow_mean(SlowModel(TRAINING, 6, None), reference))
    assert found["forward"].counts == {"samples": 7, "reference": 7, "scored": 7}


def test_without_training_text_halves_of_the_reference_score_each_other() -> None:
    found = measure(["the cat", "zz"], OTHERS + TRAINING, None, View())
    rows, against = floor_rows(2, OTHERS + TRAINING, None, rng=rng())
    assert found["forward"].value == pytest.approx(slow_mean(SlowModel(OTHERS + TRAINING, 6, None), ["the cat", "zz"]))
    assert found["forward"].floor == pytest.approx(slow_mean(SlowModel(list(against), 6, None), rows))
    assert found["reverse"].floor == pytest.approx(slow_mean(SlowModel(rows, 6, None), list(against)))


def test_what_is_learnt_and_scored_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "SCORED", 2)
    monkeypatch.setattr(language_model, "LONGEST", 3)
    monkeypatch.setattr(lines, "MOST", 3)
    found = measure(["abcd"] * 4, ["abcx"] * 5, ["abcde"] * 6, View())
    assert [metric.counts["scored"] for metric in found.values()] == [2, 2]
    expected = slow_mean(SlowModel(["abc"] * 3, 6, 3), ["abc"])
    assert [metric.value for metric in found.values()] == [pytest.approx(expected)] * 2


def text(count: int, seed: int) -> list[str]:
    words = ["".join(random.Random(k).choices("abcdefgh", k=3 + k % 4)) for k in range(50)]
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=4)) for _ in range(count)]


def test_what_it_says_of_faulty_generators() -> None:
    training, reference = text(2000, 1), text(500, 2)
    shuffled = ["".join(random.Random(3).sample(line, len(line))) for line in text(500, 4)]
    faulty = {"shuffled": shuffled, "collapsed": training[:1] * 500, "memoriser": training[:500], "real": text(500, 5)}
    found = {name: measure(samples, reference, training, View()) for name, samples in faulty.items()}
    excess = {(name, key): metric.excess or 0 for name, both in found.items() for key, metric in both.items()}
    assert abs(excess["real", "forward"]) < 0.05 > abs(excess["real", "reverse"])
    assert excess["shuffled", "forward"] > 2 < excess["shuffled", "reverse"]
    assert excess["collapsed", "reverse"] > 2
    assert excess["memoriser", "forward"] < -0.1
    assert abs(excess["memoriser", "reverse"]) < 0.05


def test_rows_of_one_source_are_drawn_together() -> None:
    samples, reference = text(50, 1), [line for line in text(40, 2) for _ in range(5)]
    floor = floor_rows(50, reference, samples, rng=rng())
    apart, together = (
        lm_nll(Texts(samples, reference, samples, floor, sources), view=View(), rng=rng())[1]
        for sources in (None, np.repeat(np.arange(40), 5))
    )
    width = [(metric.high or 0) - (metric.low or 0) for metric in (apart, together)]
    assert width[1] / width[0] == pytest.approx(5**0.5, rel=0.25)
