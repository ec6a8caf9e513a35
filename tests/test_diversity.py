from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.metrics.alphabets import WORDS
from textgan.metrics.diversity import (
    distinct,
    distinct_char,
    distinct_shares,
    entropy,
    length,
    length_distance,
    length_jsd,
    symbol_entropy,
)
from textgan.metrics.floor import Floor
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, MetricFunction, Texts
from textgan.metrics.ngrams import NGrams

LINES = st.lists(st.text("aB \t\U0001f600", max_size=10), max_size=6)
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=8)
SPLITS: dict[str, Callable[[str], Sequence[str]]] = {"char": list, "word": str.split}


def share(pieces: Iterable[Sequence[str]], n: int) -> float | None:
    grams = [tuple(line[i : i + n]) for line in pieces for i in range(len(line) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def bits(counts: Iterable[float]) -> float:
    sizes = [count for count in counts if count]
    return sum(-count / sum(sizes) * math.log2(count / sum(sizes)) for count in sizes)


def text(seed: int, words: Sequence[str], count: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randrange(7))) for _ in range(count)]


SIDES = [text(seed, ["a", "bb", "ccc", "dd"], 10 + seed) for seed in (1, 2, 3, 4)]
SAMPLES, REFERENCE, ROWS, AGAINST = SIDES
TEXTS = Texts(SAMPLES, REFERENCE, None, Floor(ROWS, AGAINST))
NOTHING = Texts(["", " "], REFERENCE, None, Floor([""], AGAINST))


def measure(family: MetricFunction, texts: Texts = TEXTS) -> list[Metric]:
    found = family(texts, view=View(orders=(1,)), rng=np.random.default_rng(0))
    assert all(metric.counts == texts.counts for metric in found)
    return found


@given(LINES)
def test_distinct_shares_are_those_of_plain_sets(lines: list[str]) -> None:
    assert distinct_shares(NGrams(lines), range(1, 7)) == {n: share(lines, n) for n in range(1, 7)}
    words = [line.split() for line in lines]
    assert distinct_shares(NGrams(lines, WORDS), range(1, 5)) == {n: share(words, n) for n in range(1, 5)}


def test_distinct_by_hand() -> None:
    assert distinct_shares(NGrams(["a b a", "a b", "A"], WORDS), [1, 2, 3, 4]) == {1: 1 / 2, 2: 2 / 3, 3: 1.0, 4: None}
    assert distinct_shares(NGrams(["abab", "a"]), [1, 2, 5]) == {1: 2 / 5, 2: 2 / 3, 5: None}


@pytest.mark.parametrize(("family", "key", "longest"), [(distinct, "word", 4), (distinct_char, "char", 6)])
def test_the_distinct_families(family: MetricFunction, key: str, longest: int) -> None:
    samples, rows = ([SPLITS[key](line) for line in lines] for lines in (SAMPLES, ROWS))
    expected = {str(n): (share(samples, n), share(rows, n)) for n in range(1, longest + 1)}
    assert {metric.key: (metric.value, metric.floor) for metric in measure(family)} == expected


@given(LINES)
def test_entropy_is_that_of_the_symbols_counted(lines: list[str]) -> None:
    for key, grams in {"char": NGrams(lines), "word": NGrams(lines, WORDS)}.items():
        counts = Counter(symbol for line in lines for symbol in SPLITS[key](line))
        found = symbol_entropy(grams.encode(lines))
        assert (found is None) == (not counts)
        if found is not None:
            assert found[0] == pytest.approx(bits(counts.values()), abs=1e-12)


def test_entropy_by_hand() -> None:
    alone = symbol_entropy(NGrams(["aa"]).encode(["aa"]))
    assert alone is not None
    assert str(alone[0]) == "0.0"  # and not -0.0
    found = symbol_entropy(NGrams(["ab", "", "cd"]).encode(["ab", "", "cd"]))
    assert found is not None
    assert found[0] == 2
    assert found[1] == pytest.approx([0, 0, 0], abs=1e-15)  # each line is as surprising as the whole


def test_a_line_contributes_what_entropy_gains_with_its_weight() -> None:
    lines = ["aab", "", "bcc c", "aaaa", "d"]
    found = symbol_entropy(NGrams(lines).encode(lines))
    assert found is not None
    value, contributions = found
    step = 1e-6
    for place in range(len(lines)):
        weights = [1 + step * (i == place) for i in range(len(lines))]
        counts: Counter[str] = Counter()
        for line, weight in zip(lines, weights, strict=True):
            for symbol in line:
                counts[symbol] += weight  # type: ignore[assignment]
        assert contributions[place] == pytest.approx(len(lines) * (bits(counts.values()) - value) / step, abs=1e-4)


def test_the_interval_of_entropy_holds_what_drawing_lines_again_gives() -> None:
    lines = text(9, ["a", "bb", "ccc", "dddd", "e"], 400)
    texts = Texts(lines, REFERENCE, None, Floor(ROWS, AGAINST))
    draw = random.Random(0)
    drawn = [bits(Counter("".join(draw.choices(lines, k=400))).values()) for _ in range(300)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    metric = measure(entropy, texts)[0]
    assert metric.low is not None
    assert metric.high is not None
    assert metric.high - metric.low == pytest.approx(high - low, rel=0.2)
    assert metric.low < bits(Counter("".join(lines)).values()) < metric.high


def test_the_entropy_family() -> None:
    found = {metric.key: metric for metric in measure(entropy)}
    assert list(found) == ["char", "word"]
    for key, metric in found.items():
        expected = [
            bits(Counter(symbol for line in lines for symbol in SPLITS[key](line)).values())
            for lines in (SAMPLES, ROWS)
        ]
        assert [metric.value, metric.floor] == pytest.approx(expected)
        assert metric.better == "near the floor"


@given(LENGTHS, LENGTHS)
def test_the_distance_is_the_area_between_the_distribution_functions(a: list[int], b: list[int]) -> None:
    area = sum(abs(sum(x <= t for x in a) / len(a) - sum(x <= t for x in b) / len(b)) for t in range(13))
    assert length_distance(np.array(a), np.array(b)) == pytest.approx(area, abs=1e-12)


@given(LENGTHS, LENGTHS)
def test_equally_many_lengths_are_moved_in_order(a: list[int], b: list[int]) -> None:
    a, b = a[: len(b)], b[: len(a)]
    moved = sum(abs(x - y) for x, y in zip(sorted(a), sorted(b), strict=True)) / len(a)
    assert length_distance(np.array(a), np.array(b)) == pytest.approx(moved, abs=1e-12)


@given(LENGTHS, LENGTHS)
def test_length_jsd_is_by_definition(a: list[int], b: list[int]) -> None:
    p, q = Counter(a), Counter(b)
    mixed = [p[size] / len(a) / 2 + q[size] / len(b) / 2 for size in p.keys() | q.keys()]
    expected = bits(mixed) - bits(p.values()) / 2 - bits(q.values()) / 2
    assert length_jsd(np.array(a), np.array(b)) == pytest.approx(expected, abs=1e-9)


def test_the_length_family() -> None:
    samples, reference, rows, against = (np.array([len(line) for line in lines]) for lines in SIDES)
    found = {metric.key: metric for metric in measure(length)}
    assert list(found) == ["mean", "distance", "jsd"]
    mean = found["mean"]
    assert [mean.value, mean.floor] == pytest.approx([samples.mean(), rows.mean()])
    assert mean.low is not None
    assert mean.high is not None
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * samples.std() / len(samples) ** 0.5, rel=0.2)
    distance, jsd = found["distance"], found["jsd"]
    assert (distance.value, distance.floor) == (length_distance(samples, reference), length_distance(rows, against))
    assert (jsd.value, jsd.floor) == (length_jsd(samples, reference), length_jsd(rows, against))
    assert distance.low is jsd.low is None


def test_lines_of_nothing() -> None:
    assert [metric.value for metric in measure(distinct, NOTHING)] == [None] * 4
    assert [(m.value, m.floor) for m in measure(distinct_char, NOTHING)] == [(1.0, None)] + [(None, None)] * 5
    assert [(m.value, m.low, m.floor) for m in measure(entropy, NOTHING)] == [(0.0, 0.0, None), (None, None, None)]
    assert measure(length, NOTHING)[0].value == 0.5
    empty = Texts([], REFERENCE, None, Floor([], AGAINST))
    assert [(m.value, m.floor) for m in measure(length, empty)][:2] == [(None, None)] * 2
