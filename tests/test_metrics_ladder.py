from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from textgan.metrics import ladder as rungs_of
from textgan.metrics import lines, ngrams
from textgan.metrics.jsd import distances
from textgan.metrics.ladder import Ladder, ladder
from textgan.metrics.lines import View
from textgan.metrics.ngrams import NGrams

DRAWS = 20_000


@pytest.fixture(params=["exact", "ranked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "ranked":
        monkeypatch.setattr(ngrams, "LARGEST", 10)
        monkeypatch.setattr(ngrams, "DENSE", 1)


def assert_distribution(training: list[str], n: int, length: int | None, expected: dict[str, float]) -> None:
    """Samples follow the expected probabilities within four standard errors, and hold nothing else."""
    found = Counter(Ladder(training, length).sample(n, DRAWS, rng=np.random.default_rng(0)))
    assert found.keys() == expected.keys()
    for line, p in expected.items():
        assert found[line] / DRAWS == pytest.approx(p, abs=4 * (p * (1 - p) / DRAWS) ** 0.5)


def test_a_bigram_model_by_hand(way: None) -> None:
    # a follows the start always; after a comes b in 3 of 4 cases; after b the line ends
    expected = {"ab": 3 / 4, "aab": 3 / 16, "aaa": 1 / 16}
    assert_distribution(["ab", "ab", "aab"], 2, None, expected)


def test_a_unigram_model_ends_lines_as_often_as_the_text(way: None) -> None:
    # events: a twice, end twice; the longest training line has one character
    assert_distribution(["a", "a"], 1, None, {"": 1 / 2, "a": 1 / 2})


def test_a_line_as_long_as_the_cut_has_no_end(way: None) -> None:
    assert_distribution(["ab", "ba"], 1, 2, {"aa": 1 / 4, "ab": 1 / 4, "ba": 1 / 4, "bb": 1 / 4})


def test_a_context_known_only_at_the_cut_falls_back_to_a_shorter_model(way: None) -> None:
    # after p: p or c, even; what follows c was cut, so the 1-gram model (p 2/3, c 1/3) goes on
    expected = {"ppp": 1 / 4, "ppc": 1 / 4, "pcp": 1 / 3, "pcc": 1 / 6}
    assert_distribution(["ppc"], 2, 3, expected)


def test_a_model_longer_than_the_lines_repeats_them(way: None) -> None:
    assert_distribution(["abab", "b", "é a"], 6, None, {"abab": 1 / 3, "b": 1 / 3, "é a": 1 / 3})


def test_the_ladder_cuts_and_pads_as_the_view_does() -> None:
    view = View(orders=(1,), length=3, count_pads=True)
    ended = ladder(50, ["a", "a"], ["a"], rng=np.random.default_rng(0), view=view)
    assert ended[2] == {1: pytest.approx(0, abs=1e-12)}  # every sample is "a" and two pads
    cut = ladder(50, ["aaa", "aaa"], ["aaa"], rng=np.random.default_rng(0), view=view)
    assert cut[1] == {1: pytest.approx(0, abs=1e-12)}  # no line ends, so no pads


def test_a_model_with_more_symbols_than_a_byte_holds() -> None:
    line = "".join(map(chr, range(1000, 1400)))
    assert Ladder([line]).sample(2, 2, rng=np.random.default_rng(0)) == [line, line]


def test_the_ladder_learns_from_few_lines_and_not_all_of_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rungs_of, "LONGEST", 3)
    monkeypatch.setattr(lines, "MOST", 2)
    found = ladder(9, ["aaa", "aaa"], ["aaab"] * 3, rng=np.random.default_rng(0), view=View(orders=(1, 3)))
    assert found[1] == {1: pytest.approx(0, abs=1e-12), 3: pytest.approx(0, abs=1e-12)}
    training = ["a" if place in lines.few("012") else "b" for place in "012"]
    found = ladder(99, ["a"], training, rng=np.random.default_rng(0), view=View(orders=(1,)))
    assert found[1] == {1: pytest.approx(0, abs=1e-12)}


def test_a_seed_decides_the_samples() -> None:
    models = Ladder(["hello world", "help the word", "old herd"])
    first, again, other = (models.sample(3, 50, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_empty_training_lines() -> None:
    assert Ladder([""]).sample(4, 3, rng=np.random.default_rng(0)) == ["", "", ""]
    assert Ladder(["", "a"]).sample(2, 0, rng=np.random.default_rng(0)) == []


def test_a_model_of_order_k_matches_k_grams_and_not_longer_ones() -> None:
    draw = np.random.default_rng(0)
    vocabulary = ["".join(draw.choice(list("abcdefgh"), 5)) for _ in range(30)]
    training, reference = ([" ".join(draw.choice(vocabulary, 6))[:32] for _ in range(3000)] for _ in range(2))
    view = View(length=32)
    rungs = ladder(3000, reference, training, rng=np.random.default_rng(0), view=view)
    floor = distances(training, NGrams(reference), view.orders)
    assert list(rungs) == [1, 2, 3, 4, 5, 6]
    for order in (1, 2, 3, 4, 6):
        excess = {n: (value or 0) - (floor[n] or 0) for n, value in rungs[order].items()}
        assert {n for n in excess if excess[n] < 0.01} == set(range(1, order + 1))
