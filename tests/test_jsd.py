"""The comparisons of n-grams against the public reference's definitions, and their intervals against resampling."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.metrics import jsd as jsd_room
from textgan.metrics.floor import floor_rows
from textgan.metrics.jsd import distances
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import NGrams
from textgan.metrics.table import METRICS

VIEW = View((1, 2, 3))


def measured(
    name: str, samples: Sequence[str], reference: Sequence[str], view: View = VIEW, sources: list[int] | None = None
) -> dict[int, Metric]:
    rng = np.random.default_rng(0)
    floor = floor_rows(len(samples), reference, None, rng=rng)
    texts = Texts(samples, reference, None, floor, None if sources is None else np.array(sources))
    return {int(m.key): m for m in METRICS[name](texts, view=view, rng=rng)}


def grams(lines: Sequence[Sequence[str]], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(line[i : i + n]) for line in lines for i in range(len(line) - n + 1))


def slow(name: str, samples: Sequence[Sequence[str]], reference: Sequence[Sequence[str]], n: int) -> float | None:
    """By the definitions, over dictionaries; None where there is no number, inf where it is infinite."""
    p, q = grams(samples, n), grams(reference, n)
    if not q:
        return None
    if name == "kl_reverse":
        return slow("kl", reference, samples, n) if p else math.inf
    if name == "recall":
        return sum(q[g] for g in q if g in p) / q.total()
    if not p:
        return 1.0 if name == "jsd" else None
    a, b = ({g: times / side.total() for g, times in side.items()} for side in (p, q))
    if name == "kl":
        return math.inf if a.keys() - b.keys() else sum(x * math.log2(x / b[g]) for g, x in a.items())
    if name == "precision":
        return sum(p[g] for g in p if g in q) / p.total()
    if name == "cosine":
        dot = sum(x * b.get(g, 0) for g, x in a.items())
        return dot / math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
    middle = {g: (a.get(g, 0) + b.get(g, 0)) / 2 for g in a.keys() | b.keys()}
    return sum(0.5 * x * math.log2(x / middle[g]) for side in (a, b) for g, x in side.items())


LINES = st.lists(st.text("aB é", max_size=6), min_size=2, max_size=9)


@pytest.mark.parametrize("name", ["jsd", "kl", "kl_reverse", "cosine", "precision", "recall"])
@given(samples=LINES, reference=LINES)
def test_every_comparison_agrees_with_its_definition(name: str, samples: list[str], reference: list[str]) -> None:
    for n, metric in measured(name, samples, reference).items():
        expected = slow(name, samples, reference, n)
        assert metric.infinite == (expected == math.inf)
        value = None if expected is None or metric.infinite else expected
        assert metric.value == (None if value is None else pytest.approx(value, abs=1e-12))


@given(samples=LINES, reference=LINES)
def test_words_are_lower_cased_and_split_on_single_spaces(samples: list[str], reference: list[str]) -> None:
    for n, metric in measured("jsd_word", samples, reference).items():
        split = [[line.lower().split(" ") for line in side] for side in (samples, reference)]
        expected = slow("jsd", split[0], split[1], n)
        assert metric.value == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_the_floor_is_the_same_number_of_real_rows() -> None:
    samples, reference = ["ab", "abc"], ["ab", "bc", "ca", "bab"]
    rows, against = floor_rows(2, reference, None, rng=np.random.default_rng(0))
    for name in ("jsd", "precision", "cosine", "recall"):
        for n, metric in measured(name, samples, reference).items():
            expected = slow(name, rows, against, n)
            assert metric.floor == (None if expected is None else pytest.approx(expected, abs=1e-12))


def sentences(count: int, seed: int, decay: float = 1.0) -> list[str]:
    draw = random.Random(seed)
    words = ["the", "cat", "sat", "on", "a", "mat", "dogs", "ran", "far", "away", "today", "slowly"]
    weights = [(i + 1) ** -decay for i in range(12)]
    return [" ".join(draw.choices(words, weights, k=draw.randrange(1, 6))) for _ in range(count)]


def test_the_interval_is_that_of_lines_drawn_again() -> None:
    """Of both sides, with whole resamples measured anew; these are biased, so that only their spread is compared."""
    samples, reference = sentences(300, 1, 0.0), sentences(500, 2, 1.5)
    metric = measured("jsd", samples, reference, View((2,)))[2]
    draw = random.Random(0)
    found = [
        distances(draw.choices(samples, k=300), NGrams(draw.choices(reference, k=500)), [2])[2] or 0.0
        for _ in range(300)
    ]
    assert metric.low is not None
    assert metric.high is not None
    assert metric.value is not None
    assert (metric.high - metric.low) / 3.92 == pytest.approx(float(np.std(found)), rel=0.15)
    assert metric.low < metric.value < metric.high


def test_rows_of_one_source_line_are_drawn_together() -> None:
    samples, reference = sentences(300, 1), sentences(100, 2)
    windows = [row for row in reference for _ in range(5)]
    alone = measured("jsd", samples, reference, View((2,)))[2]
    apart = measured("jsd", samples, windows, View((2,)))[2]
    together = measured("jsd", samples, windows, View((2,)), [i for i in range(100) for _ in range(5)])[2]
    width = [(m.high or 0) - (m.low or 0) for m in (alone, apart, together)]
    assert width[2] == pytest.approx(width[0], rel=0.1)
    assert width[1] < 0.85 * width[0]


def test_a_part_of_the_lines_tells_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, reference = sentences(2000, 1), sentences(2000, 2)
    whole = measured("jsd", samples, reference, View((2,)))[2]
    monkeypatch.setattr("textgan.metrics.jsd.SPREAD", 400)
    part = measured("jsd", samples, reference, View((2,)))[2]
    assert part.value == whole.value
    assert (part.high or 0) - (part.low or 0) == pytest.approx((whole.high or 0) - (whole.low or 0), rel=0.2)


def test_the_interval_adds_up_over_ranges_of_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, reference = sentences(200, 1), sentences(200, 2)
    whole = measured("jsd", samples, reference, View((3,)))[3]
    monkeypatch.setattr("textgan.metrics.ngrams.DENSE", 1)
    monkeypatch.setattr("textgan.metrics.ngrams.MOST", 500)
    ranged = measured("jsd", samples, reference, View((3,)))[3]
    assert (ranged.value, ranged.low, ranged.high) == pytest.approx((whole.value, whole.low, whole.high), abs=1e-12)


def test_the_interval_does_not_hang_on_the_order_of_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is told by some of them: these are chosen by chance."""
    samples, reference = sentences(500, 1), sorted(sentences(4000, 2, 1.5)) + sentences(4000, 3, 0.2)
    widths = []
    monkeypatch.setattr("textgan.metrics.jsd.SPREAD", 800)
    for lines in (reference, random.Random(0).sample(reference, len(reference))):
        metric = measured("jsd", samples, lines, View((3,)))[3]
        widths.append((metric.high or 0) - (metric.low or 0))
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


def test_some_source_lines_are_taken_whole() -> None:
    sources = np.repeat(np.arange(30_000), 3)
    rows = jsd_room.some_lines(len(sources), sources)
    assert 0.9 * jsd_room.SPREAD < len(rows) < 1.1 * jsd_room.SPREAD
    assert set(np.unique(sources[rows], return_counts=True)[1].tolist()) == {3}
    assert jsd_room.some_lines(50).tolist() == list(range(50))
