from __future__ import annotations

import math
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from nltk import ngrams as nltk_ngrams

from textgan.metrics import alphabets, ngrams
from textgan.metrics.jsd import distances, jensen_shannon
from textgan.metrics.lines import View, read_lines
from textgan.metrics.ngrams import DENSE, Counts, NGrams

ORDERS = range(1, 8)


def oracle(lines: Sequence[str], reference: Sequence[str], n: int) -> float:
    """JSD in bits by the definition, over dictionaries."""
    p, q = (Counter(line[i : i + n] for line in side for i in range(len(line) - n + 1)) for side in (lines, reference))
    total = 0.0
    for gram in p.keys() | q.keys():
        a, b = p[gram] / p.total(), q[gram] / q.total()
        total += sum(0.5 * x * math.log2(2 * x / (a + b)) for x in (a, b) if x)
    return total


def text(seed: int, symbols: str, lines: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(symbols, k=draw.randrange(24))) for _ in range(lines)]


WAYS: dict[str, dict[str, int]] = {
    "as it fits": {},
    "table": {"ROOM": DENSE},
    "sorted": {"DENSE": 1},
    "table in blocks": {"BLOCK": 3, "ROOM": DENSE},
    "sorted in blocks": {"BLOCK": 3, "DENSE": 1},
    "a range of codes at a time": {"DENSE": 1, "MOST": 70, "BLOCK": 5},
    "ranges of ranks": {"DENSE": 1, "MOST": 70, "LARGEST": 100},
    "lines read again": {"HELD": 4},
    "ranks in a table": {"LARGEST": 100, "ROOM": DENSE},
    "ranks sorted": {"LARGEST": 100, "DENSE": 1},
}


@pytest.fixture(params=[*WAYS])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to count: in a table or by sorting, in one block or many, with ranks as for huge alphabets."""
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(alphabets if name == "BLOCK" else ngrams, name, value)


def test_every_way_agrees_with_the_definition(way: None) -> None:
    reference, samples = text(1, "abcde", 60), [*text(2, "abxyé", 50), "", "a"]
    found = distances(samples, NGrams(reference), ORDERS)
    assert found == pytest.approx({n: oracle(samples, reference, n) for n in ORDERS}, abs=1e-12)


def test_counts_agree_with_nltk() -> None:
    lines = text(6, "abcd", 50)
    for n in ORDERS:
        expected = Counter(gram for line in lines for gram in nltk_ngrams(line, n))
        assert sorted(NGrams(lines).counts(n).counts.tolist()) == sorted(expected.values())


def test_an_alphabet_whose_codes_do_not_fit_63_bits_is_ranked() -> None:
    symbols = "".join(map(chr, range(0x4E00, 0x4E00 + 2000)))
    reference = text(3, symbols, 400)
    samples = [line[1:] + "x" for line in reference[:200]] + text(4, symbols, 50)
    assert NGrams(reference).base ** 6 > 2**63
    found = distances(samples, NGrams(reference), ORDERS)
    assert found == pytest.approx({n: oracle(samples, reference, n) for n in ORDERS}, abs=1e-12)


def test_counts_by_hand() -> None:
    grams = NGrams(["abab", "b", "", "ba"])
    keys, counts = grams.counts(2)
    a, b = 1, 2
    assert dict(zip(keys.tolist(), counts.tolist(), strict=True)) == {a * 3 + b: 2, b * 3 + a: 2}
    assert grams.counts(1).counts.tolist() == [3, 4]
    assert len(grams.counts(5).keys) == 0


def test_windows_never_span_lines(way: None) -> None:
    assert distances(["ab", "cd"], NGrams(["abcd"]), [2])[2] == pytest.approx(oracle(["ab", "cd"], ["abcd"], 2))
    assert NGrams(["ab", "cd", "ef"]).counts(2).counts.sum() == 3
    assert len(NGrams(["ab", "cd", "ef"]).counts(3).keys) == 0


def test_equal_is_0_and_disjoint_is_1_bit(way: None) -> None:
    lines = text(5, "abc", 40)
    assert distances(lines, NGrams(lines), ORDERS) == pytest.approx(dict.fromkeys(ORDERS, 0.0), abs=1e-12)
    assert distances(lines * 3, NGrams(lines), [3])[3] == pytest.approx(0, abs=1e-12)
    assert distances(["xyz"] * 9, NGrams(lines), [1, 2]) == {1: 1.0, 2: 1.0}


def test_a_quarter_by_hand() -> None:
    # P = (1/2, 1/2), Q = (1, 0): M = (3/4, 1/4)
    by_hand = 0.5 * (0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) + 0.5 * math.log2(4 / 3)
    p = Counts(np.array([3, 9], np.uint8), np.array([5, 5]))
    q = Counts(np.array([3], np.uint8), np.array([7]))
    assert jensen_shannon(p, q) == pytest.approx(by_hand, abs=1e-15)
    assert jensen_shannon(q, p) == pytest.approx(by_hand, abs=1e-15)


def test_sides_without_ngrams() -> None:
    grams = NGrams(["abc"])
    assert distances(["a"], grams, [2, 4]) == {2: 1.0, 4: None}
    assert distances(["abcde"], grams, [4]) == {4: None}
    assert jensen_shannon(*[Counts(np.zeros(0, np.uint8), np.zeros(0, np.int64))] * 2) is None


def test_the_reference_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    grams = NGrams(["abcab"])
    first = grams.counts(3)
    monkeypatch.setattr(NGrams, "count", None)
    assert grams.counts(3) is first


@pytest.mark.skipif("TEXTGAN_TEST_DATA" not in os.environ, reason="TEXTGAN_TEST_DATA names no folder of real text")
@pytest.mark.parametrize("view", [View(), View(length=32), View(length=32, count_pads=True)], ids=str)
def test_real_captions_agree_with_the_definition(view: View) -> None:
    folder = Path(os.environ["TEXTGAN_TEST_DATA"]) / "captions"
    samples, reference = (
        view.padded(view.cut(read_lines(folder / name))) for name in ("seqgan_samples_640.txt", "coco_train_2000.txt")
    )
    assert len(samples) == 640
    assert len(reference) == 2000
    found = distances(samples, NGrams(reference), [2, 4])
    assert found == pytest.approx({n: oracle(samples, reference, n) for n in (2, 4)}, abs=1e-9)
