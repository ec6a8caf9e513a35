"""Shares and likelihoods of samples under the oracle of the real text."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from textgan.metrics import oracle as family
from textgan.metrics.floor import Floor
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.oracle import evenly, oracle_nll, parses
from textgan.oracles import Oracle, oracle_of
from textgan.oracles.grammar import Grammar

REAL = ["b", "ab", "aab", "b"]


@pytest.fixture
def halves(tmp_path: Path) -> Grammar:
    """Of which "a" n times and "b" has probability 2^-(n+1)."""
    path = tmp_path / "halves.cfg"
    path.write_text('S -> "a" S | "b"')
    return Grammar.read(path)


def one(function: Callable[..., list[Metric]], samples: list[str], oracle: Oracle, real: list[str] = REAL) -> Metric:
    texts = Texts(samples, real, None, Floor(real, real))
    [metric] = function(texts, view=View(oracle=oracle), rng=np.random.default_rng(0))
    return metric


def test_without_an_oracle_there_is_nothing_to_say() -> None:
    texts = Texts(["a"], ["b"], None, Floor(["b"], ["b"]))
    assert parses(texts, view=View(), rng=np.random.default_rng(0)) == []
    assert oracle_nll(texts, view=View(), rng=np.random.default_rng(0)) == []


def test_shares_and_means_by_hand(halves: Grammar) -> None:
    samples = ["b", "aaab", "ba", "", "ab", "b", "x", "b"]
    found = one(parses, samples, halves)
    assert found.value is not None
    assert (found.name, found.key, found.value, found.floor, found.better) == ("parses", "", 5 / 8, 1.0, "higher")
    assert found.counts == {"samples": 8, "reference": 4, "impossible": 3}
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < found.value < found.high <= 1
    good = one(oracle_nll, ["b", "aaab", "ab"], halves)
    assert good.value is not None
    assert good.value == pytest.approx(math.log(2) * (1 + 4 + 2) / 3)
    assert good.floor == pytest.approx(math.log(2) * (1 + 2 + 3 + 1) / 4)
    assert (good.infinite, good.better, good.counts["impossible"]) == (False, "near the floor", 0)
    assert good.low is not None
    assert good.high is not None
    assert good.low < good.value < good.high


def test_one_impossible_sample_makes_the_nll_infinite(halves: Grammar) -> None:
    found = one(oracle_nll, ["b", "ba"], halves)
    assert (found.value, found.low, found.high, found.infinite) == (None, None, None, True)
    assert found.counts["impossible"] == 1
    assert found.floor is not None
    assert one(parses, ["b", "ba"], halves).infinite is False
    cut = one(oracle_nll, ["b"], halves, [*REAL, "aa"])
    assert (cut.floor, cut.infinite) == (None, False)
    assert one(parses, ["b"], halves, [*REAL, "aa"]).floor == 4 / 5


def test_no_samples_give_no_number(halves: Grammar) -> None:
    for function in (parses, oracle_nll):
        found = one(function, [], halves)
        assert (found.value, found.low, found.infinite, found.counts["samples"]) == (None, None, False, 0)


def test_the_interval_is_that_of_a_mean(halves: Grammar) -> None:
    samples = halves.draw(3_000, rng=np.random.default_rng(0))
    found = one(oracle_nll, samples, halves)
    assert found.low is not None
    assert found.high is not None
    spread = np.std(halves.log_probs(samples)) / math.sqrt(len(samples))
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert found.low < halves.entropy < found.high


def test_of_many_lines_some_are_read_and_counted(halves: Grammar, monkeypatch: pytest.MonkeyPatch) -> None:
    assert evenly([str(i) for i in range(10)], 4) == ["0", "3", "6", "9"]
    assert evenly(["a", "b"], 2) == ["a", "b"]
    monkeypatch.setattr(family, "evenly", lambda lines: evenly(lines, 2))
    found = one(parses, ["b", "x", "x", "b"], halves)
    assert (found.value, found.counts["samples"], found.counts["reference"]) == (1.0, 2, 2)


@pytest.mark.parametrize("corpus", ["grammar:english", "oracle:lstm"])
def test_real_text_is_at_its_floor_and_other_text_is_far(corpus: str) -> None:
    oracle = oracle_of(corpus)
    assert oracle is not None
    samples, real = (oracle.draw(200, longest=64, rng=np.random.default_rng(seed)) for seed in (1, 2))
    nll = one(oracle_nll, samples, oracle, real)
    assert nll.value is not None
    assert nll.floor == pytest.approx(nll.value, rel=0.1)
    assert one(parses, samples, oracle, real).value == 1
    assert one(parses, [line[::-1] for line in samples], oracle, real).value == 0
