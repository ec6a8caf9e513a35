from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.metrics import alphabets, ngrams
from textgan.metrics.floor import Floor
from textgan.metrics.heldout import ORDERS, found_shares, in_test
from textgan.metrics.lines import View
from textgan.metrics.metric import Texts

LINES = st.lists(st.text("abC \t\u2003", max_size=12), max_size=6)


def grams(lines: Sequence[str], n: int) -> set[tuple[str, ...]]:
    found = set()
    for line in lines:
        words = [word for word in line.split(" ") if word]
        found |= {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    return found


def oracle(lines: Sequence[str], reference: Sequence[str]) -> dict[int, float | None]:
    shares: dict[int, float | None] = {}
    for n in ORDERS:
        own = grams(lines, n)
        shares[n] = len(own & grams(reference, n)) / len(own) if own else None
    return shares


def text(seed: int, words: str, count: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randrange(9))) for _ in range(count)]


@given(LINES, LINES)
def test_shares_are_those_of_plain_sets(lines: list[str], reference: list[str]) -> None:
    assert found_shares(lines, reference) == oracle(lines, reference)


@pytest.mark.parametrize("largest", [30, 1 << 63])
def test_many_lines_in_blocks(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "LARGEST", largest)
    monkeypatch.setattr(alphabets, "BLOCK", 7)
    lines, reference = text(1, "abcdefxyz", 40), text(2, "abcdefgh", 60)
    assert found_shares(lines, reference) == oracle(lines, reference)


def test_by_hand() -> None:
    # a, b and The are found and x is not; of "The a", "a b", "b x" the first two
    assert found_shares(["The a  b x", "a"], ["The a b", "the"]) == {1: 3 / 4, 2: 2 / 3, 3: 1 / 2, 4: 0.0}
    assert found_shares(["a\tb"], ["a b"])[1] == 0  # a tab splits no word
    assert found_shares(["", " "], ["a"]) == dict.fromkeys(ORDERS)
    assert found_shares(["a"], []) == {1: 0.0, 2: None, 3: None, 4: None}


def test_a_cut_word_counts_as_it_stands() -> None:
    texts = Texts(["a cat"], ["a ca", "cat"], None, Floor(["b"], ["b"]))
    assert in_test(texts, view=View(length=5), rng=np.random.default_rng(0))[0].value == 1.0


def test_the_family_puts_the_floors_rows_beside() -> None:
    samples, reference, rows, against = (text(seed, "abc", 5 * seed) for seed in (3, 4, 5, 6))
    texts = Texts(samples, reference, None, Floor(rows, against))
    found = in_test(texts, view=View(orders=(1,)), rng=np.random.default_rng(0))
    assert [(metric.name, metric.key) for metric in found] == [("in_test", str(n)) for n in ORDERS]
    assert {int(metric.key): metric.value for metric in found} == oracle(samples, reference)
    assert {int(metric.key): metric.floor for metric in found} == oracle(rows, against)
    assert found[0].counts == {"samples": 15, "reference": 20}
    assert found[3].value not in (0, 1)
