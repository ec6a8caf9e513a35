from __future__ import annotations

import random

import numpy as np
import pytest

from textgan.metrics import memorisation, parts, substrings
from textgan.metrics.floor import floor_rows
from textgan.metrics.interval import of_ratio
from textgan.metrics.lines import View
from textgan.metrics.memorisation import copies, longest_copied, nearest, nearest_distance, novel, novelty
from textgan.metrics.metric import Metric, MetricFunction, Texts
from textgan.metrics.ngrams import NGrams
from textgan.metrics.parts import bounded, some
from textgan.metrics.substrings import copied, longest_common, places

FAMILIES = [copies, longest_copied, nearest, novelty]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def lines(count: int, seed: int) -> list[str]:
    """Sentences of invented words."""
    words = ["".join(random.Random(k).choices("abcdefgh", k=2 + k % 5)) for k in range(60)]
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randint(4, 7))) for _ in range(count)]


TRAINING, HELD_OUT, NEW = lines(3000, 1), lines(300, 2), lines(200, 3)


def measure(
    family: MetricFunction, samples: list[str], reference: list[str] = HELD_OUT, training: list[str] | None = TRAINING
) -> dict[str, Metric]:
    texts = Texts(samples, reference, training, floor_rows(len(samples), reference, training, rng=rng()))
    return {metric.key: metric for metric in family(texts, view=View(), rng=rng())}


def value_and_floor(metric: Metric) -> tuple[float, float]:
    assert metric.value is not None
    assert metric.floor is not None
    return metric.value, metric.floor


def slow_longest(line: str, text: list[str]) -> int:
    pieces = (line[a:b] for a in range(len(line)) for b in range(a + 1, len(line) + 1))
    return max((len(piece) for piece in pieces if any(piece in other for other in text)), default=0)


def slow_distance(a: str, b: str) -> float:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        old, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(old[j] + 1, row[-1] + 1, old[j - 1] + (x != y)))
    return row[-1] / max(len(a), len(b), 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_training_text_no_memorisation(family: MetricFunction) -> None:
    assert measure(family, NEW, training=None) == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_bears_lines_of_nothing(family: MetricFunction) -> None:
    found = measure(family, [""], ["", "a"], [""])
    assert {metric.counts["samples"] for metric in found.values()} == {1}


def test_copies_by_hand() -> None:
    assert copied(["a", "b", "a", "", "ab"], ["a", "", "c"]).tolist() == [True, False, True, True, False]
    metric = measure(copies, ["a", "b", "a"], ["a", "x", "y"], ["a", "c", "d", "e"])[""]
    assert value_and_floor(metric) == pytest.approx((2 / 3, 1 / 3))
    assert metric.counts == {"samples": 3, "reference": 3, "training": 4, "copies": 2}


@pytest.mark.parametrize(("samples", "share"), [(TRAINING[:200], 1), (TRAINING[:100] + NEW[:100], 0.5), (NEW, 0)])
def test_a_memoriser_is_plainly_visible(samples: list[str], share: float) -> None:
    whole = measure(copies, samples)[""]
    assert value_and_floor(whole) == pytest.approx((share, 0), abs=0.02)
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low <= (whole.value or 0) <= whole.high
    seen = measure(longest_copied, samples)["mean"], measure(nearest, samples)["mean"], measure(novelty, samples)["8"]
    (piece, real_piece), (far, really_far), (new, really_new) = map(value_and_floor, seen)
    assert real_piece > 10
    assert piece / real_piece == pytest.approx(1 + share, rel=0.1)
    assert far / really_far == pytest.approx(1 - share, abs=0.06)
    assert new / really_new == pytest.approx(1 - share, abs=0.2)


@pytest.mark.parametrize("starts", [(8, 4, 2, 1), (1,), (3, 1)])
@pytest.mark.parametrize("alphabet", ["ab", "abcdeé\u4e00\U0001f600"])
def test_longest_pieces_equal_those_of_slow_search(
    monkeypatch: pytest.MonkeyPatch, starts: tuple[int, ...], alphabet: str
) -> None:
    monkeypatch.setattr(substrings, "STARTS", starts)
    draw = random.Random(4)
    for block in (1, 40, 1 << 20):
        monkeypatch.setattr(substrings, "BLOCK", block)
        for _ in range(20):
            some_lines = ["".join(draw.choices(alphabet, k=draw.randint(0, 20))) for _ in range(draw.randint(1, 6))]
            text = ["".join(draw.choices(alphabet + "z", k=draw.randint(0, 30))) for _ in range(draw.randint(1, 5))]
            assert longest_common(some_lines, text).tolist() == [slow_longest(line, text) for line in some_lines]


def test_no_piece_spans_two_lines() -> None:
    assert longest_common(["abcdef", "cd", "xy"], ["abc", "def", "abc"]).tolist() == [3, 1, 0]
    assert longest_common(["abcdefghijkl", "ijklabcd"], ["abcdefghij", "klabcdefgh"]).tolist() == [10, 6]


def test_longest_pieces_of_so_many_symbols_that_eight_have_no_exact_code() -> None:
    line = "".join(map(chr, range(1000, 1400)))
    assert longest_common([line, line[5:95] + "x" + line[100:140]], [line[10:300]]).tolist() == [290, 85]


def test_longest_copied_summaries_by_hand() -> None:
    samples = ["abcdefghij", "abcdeXXXXX", "abYYYYYYYY", "ZZZZZZZZZZ"]
    found = measure(longest_copied, samples, ["QQ", "abc"], ["abcdefghij"])
    assert {key: value_and_floor(metric) for key, metric in found.items()} == {
        "mean": (17 / 4, 1.5),
        "median": (3.5, 1.5),
        "p90": (pytest.approx(8.5), pytest.approx(2.7)),
        "max": (10.0, 3.0),
    }
    assert found["mean"].counts == {"samples": 4, "reference": 2, "training": 1}


@pytest.mark.parametrize("seed", [0, 1])
def test_places_are_those_of_a_dict(seed: int) -> None:
    draw = np.random.default_rng(seed)
    keys, codes = (draw.integers(0, 1 << 63, 5000, dtype=np.uint64) % np.uint64(3000 + 2**40 * seed) for _ in range(2))
    codes[:2500] = keys[:2500]
    place = places(keys, codes)
    assert ((place >= 0) == np.isin(codes, keys)).all()
    assert (keys[place[place >= 0]] == codes[place >= 0]).all()
    assert len(set(place[place >= 0].tolist())) == len(set(codes.tolist()) & set(keys.tolist()))
    assert places(keys[:0], codes[:3]).tolist() == [-1, -1, -1]


def test_nearest_lines_are_those_of_slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    few, text = [*NEW[:12], "", "qq", TRAINING[30], "x" * 90], [*TRAINING[:60], "é" * 70]
    expected = [min(slow_distance(line, other) for other in text) for line in few]
    assert nearest_distance(few, text).tolist() == pytest.approx(expected, abs=1e-12)
    assert {0.0, 1.0} <= set(expected)
    metrics = measure(nearest, few, training=text)
    assert value_and_floor(metrics["mean"])[0] == pytest.approx(np.mean(expected))
    assert value_and_floor(metrics["p10"])[0] == pytest.approx(np.quantile(expected, 0.1))


def test_nearest_beyond_one_block_of_training_lines() -> None:
    assert nearest_distance(["needle"], ["qqqqqq"] * 5000 + ["noodle"]).tolist() == [pytest.approx(2 / 6)]


def test_the_cost_of_the_nearest_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "NEAR", 50)
    monkeypatch.setattr(memorisation, "AMONG", 400)
    assert measure(nearest, NEW)["mean"].counts == {"samples": 50, "reference": 50, "training": 400}
    monkeypatch.setattr(memorisation, "CELLS", 100_000)
    counts = measure(nearest, NEW)["p10"].counts
    length = np.mean([len(line) for line in TRAINING])
    assert counts["samples"] * counts["training"] * length**2 == pytest.approx(100_000, rel=0.3)
    assert counts["training"] / counts["samples"] == pytest.approx(8, rel=0.3)


@pytest.mark.parametrize("n", [1, 4, 6])
def test_novel_ngrams_equal_slow_counts(n: int) -> None:
    text = ["", "ab", *TRAINING[:20]]
    few = ["", "a", "éab", *NEW[:20], TRAINING[3]]
    known = {line[i : i + n] for line in text for i in range(len(line) - n + 1)}
    all_of_them = [[line[i : i + n] for i in range(len(line) - n + 1)] for line in few]
    new, total = novel(few, NGrams(text), n)
    assert total.tolist() == [len(ngrams) for ngrams in all_of_them]
    assert new.tolist() == [sum(ngram not in known for ngram in ngrams) for ngrams in all_of_them]


def test_novelty_by_hand() -> None:
    found = measure(novelty, ["abcdX", "abcde"], ["abcd", "Xbcd"], ["abcd", "bcde"])
    assert value_and_floor(found["4"]) == (1 / 4, 1 / 2)
    assert found["6"].value is None is found["8"].floor
    assert found["4"].low is not None


def test_the_interval_of_a_ratio_holds_what_resampling_gives() -> None:
    draw = np.random.default_rng(5)
    wholes = draw.integers(1, 20, 400)
    parts_of_them = draw.binomial(wholes, 0.3)
    ratio, contributions = of_ratio(parts_of_them, wholes)
    assert ratio == pytest.approx(parts_of_them.sum() / wholes.sum())
    again = draw.integers(0, 400, (2000, 400))
    resampled = parts_of_them[again].sum(1) / wholes[again].sum(1)
    assert contributions.std() / 20 == pytest.approx(resampled.std(), rel=0.05)
    assert of_ratio(wholes[:0], wholes[:0])[0] is None


def test_what_is_slow_looks_at_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "SEARCHED", 7)
    assert measure(longest_copied, NEW)["max"].counts == {"samples": 7, "reference": 7, "training": 3000}
    monkeypatch.setattr(parts, "LONGEST", 3)
    monkeypatch.setattr(parts, "CHARACTERS", 8)
    assert bounded(["abcde", "f", "ghi", "jkl", "m", "nop"]) == ["abc", "ghi", "m"]
    assert bounded(["abcde", "fgh"]) == ["abc", "fgh"]
    assert bounded([]) == []


def test_some_lines_are_drawn_once_each() -> None:
    numbers = [str(i) for i in range(50)]
    assert sorted(some(numbers, 99, rng=rng())) == sorted(numbers)
    chosen = some(numbers, 20, rng=rng())
    assert len(set(chosen)) == 20
    assert chosen == some(numbers, 20, rng=rng()) != sorted(chosen)
