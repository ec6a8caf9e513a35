from __future__ import annotations

import math
import random
from functools import cache
from typing import Any

import pytest
from sentences import OTHERS, REFERENCE, TRAINING

from textgan.metrics.metric import Metric
from textgan.report.families import FAMILIES, GROUPS, noise, rung, side
from textgan.report.measure import Report, report
from textgan.report.reading import faults, readings

COUNTS = {"samples": 400, "reference": 400}


def number(name: str, key: str, value: float | None, floor: float | None, **more: Any) -> Metric:
    return Metric(name, key, value, floor, more.pop("better", "lower"), more.pop("counts", COUNTS), **more)


def made(*metrics: Metric, samples: int = 400, floor_samples: int = 400, **more: Any) -> Report:
    return Report(samples, 400, more.get("training", 400), floor_samples, metrics, more.get("ladder"), None, ())


# --- planted files ----------------------------------------------------------------------------------------------------


def shuffled(line: str, rng: random.Random) -> str:
    return "".join(rng.sample(line, len(line)))


JUDGED = ["jsd", "words", "unique", "distinct", "self_bleu", "length", "entropy"]
JUDGED += ["copies", "longest_copied", "nearest", "lm_nll"]
RNG = random.Random(1)
PLANTED: dict[str, tuple[list[str], list[str]]] = {
    "perfect": (OTHERS[:400], []),
    "memoriser": (TRAINING[:400], ["the samples repeat the training text: 100 % are training lines"]),
    "half a memoriser": (TRAINING[:150] + OTHERS[:250], ["the samples repeat the training text: 38 % are"]),
    "collapsed": (
        OTHERS[:3] * 134,
        ["the samples repeat one another: 0.7 % of them are different lines", "the lengths of lines are off"],
    ),
    "collapsed in part": (
        OTHERS[:200] + OTHERS[:2] * 100,
        ["the samples repeat one another: 50 % of them are different lines, of real text 100 % are"],
    ),
    "shuffled": (
        [shuffled(line, RNG) for line in OTHERS[:400]],
        ["the samples have the right characters in the wrong order: JSD-1 is 0.0"],
    ),
    "another alphabet": (
        [line.upper().replace(" ", "_") for line in OTHERS[:400]],
        ["the samples are written in other characters than the reference: JSD-1 is 1.00, of real text 0.00"],
    ),
    "cut": (
        [line[12:32] for line in OTHERS[:400]],
        [
            "the samples repeat one another: 5",
            "many words are made up",
            "the lines are too short: 20.0 characters on average, real ones have 5",
        ],
    ),
    "doubled": ([f"{line} {line}" for line in OTHERS[:400]], ["the lines are too long: "]),
    "made up": (
        [" ".join(word[0] + word[:0:-1] if i % 2 else word for i, word in enumerate(line.split())) for line in OTHERS],
        ["many words are made up: the training text has 57 % of the samples' words, of real text's 100 %"],
    ),
    "few": (OTHERS[:20], ["there are only 20 samples: too few for a conclusion"]),
}


@cache
def measured(name: str) -> Report:
    """All that faults are found by."""
    return report(PLANTED[name][0], REFERENCE, TRAINING, metrics=JUDGED, n=[1, 2, 3, 4])


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_named_and_no_others(name: str) -> None:
    found, expected = faults(measured(name)), PLANTED[name][1]
    assert [fault[: len(start)] for fault, start in zip(found, expected, strict=False)] == expected
    assert len(found) == len(expected), found


def test_a_perfect_file_is_read_as_real_text() -> None:
    said = {(r.metric.name, r.metric.key): r.says for r in readings(measured("perfect"))}
    assert said["jsd", "1"] == said["jsd", "4"] == "As close as real text."
    assert said["words", ""] == "As many words are known as of real text."
    assert said["copies", ""] == "As many as of held-out text."


# --- faults by hand ---------------------------------------------------------------------------------------------------

FAULTS = [
    (
        [("copies", "", 0.98, 0.03)],
        "the samples repeat the training text: 98 % are training lines, of held-out text 3.0 % are",
    ),
    (
        [("longest_copied", "mean", 40.0, 14.0), ("nearest", "mean", 0.1, 0.4)],
        "the samples piece together training text: they copy 40 characters in a row on average, held-out text shares "
        "14 by chance",
    ),
    (
        [("nearest", "mean", 0.1, 0.4)],
        "the samples are training lines a little changed: 10 % of a line is edited on average, of held-out text 40 %",
    ),
    (
        [("lm_nll", "forward", 1.0, 2.0)],
        "the samples are too safe: a language model finds them far easier than real text (1.0000 against 2.0000)",
    ),
    (
        [("unique", "", 0.5, 0.99)],
        "the samples repeat one another: 50 % of them are different lines, of real text 99 % are",
    ),
    (
        [("distinct", "2", 0.2, 0.6)],
        "the samples say the same again and again: 20 % of their pairs of words are different ones, of real text "
        "60 % are",
    ),
    (
        [("distinct_char", "4", 0.1, 0.3)],
        "the samples say the same again and again: 10 % of their runs of 4 characters are different ones, of real "
        "text 30 % are",
    ),
    (
        [("self_bleu", "2", 0.6, 0.6), ("self_bleu", "4", 0.8, 0.3), ("self_bleu", "5", 0.2, 0.2)],
        "the samples are too much alike: their Self-BLEU-4 is 0.80, of real text 0.30",
    ),
    (
        [("entropy", "word", 6.1, 8.9)],
        "the samples are repetitive: their words have 6.10 bits of entropy, those of real text 8.90",
    ),
    (
        [("jsd", "1", 0.97, 0.01)],
        "the samples are written in other characters than the reference: JSD-1 is 0.97, of real text 0.01",
    ),
    (
        [("jsd", "1", 0.01, 0.01), ("jsd", "4", 0.9, 0.1), ("words", "", 0.1, 0.95)],
        "the samples have the right characters in the wrong order: JSD-1 is 0.01, but JSD-4 0.90, of real text 0.10",
    ),
    (
        [("words", "", 0.36, 0.95)],
        "many words are made up: the training text has 36 % of the samples' words, of real text's 95 %",
    ),
    ([("length", "mean", 12.0, 54.0)], "the lines are too short: 12.0 characters on average, real ones have 54.0"),
    (
        [("length", "mean", 54.0, 54.0), ("length", "jsd", 0.8, 0.1)],
        "the lengths of lines are off: their histogram has a JSD of 0.80 to real text's, which itself has 0.10",
    ),
    (
        [("jsd", "4", 0.7, 0.62), ("jsd", "5", 0.9, 0.8)],
        "there are too few lines for a conclusion: at this count real text itself has a JSD-4 of 0.62",
    ),
]


@pytest.mark.parametrize(("rows", "sentence"), FAULTS, ids=[rows[0][0] for rows, _ in FAULTS])
def test_each_fault_in_words(rows: list[tuple[str, str, float, float]], sentence: str) -> None:
    assert faults(made(*(number(*row) for row in rows))) == (sentence,)


@pytest.mark.parametrize(("rows", "_"), FAULTS, ids=[rows[0][0] for rows, _ in FAULTS])
def test_no_fault_without_proof(rows: list[tuple[str, str, float, float]], _: str) -> None:
    """At its floor, without one, or with an interval too wide, no number proves anything."""
    saturated = [(name, key, value, min(floor, 0.45)) for name, key, value, floor in rows]
    assert faults(made(*(number(name, key, floor, floor) for name, key, _, floor in saturated))) == ()
    assert faults(made(*(number(name, key, value, None) for name, key, value, _ in rows))) == ()
    assert faults(made(*(number(name, key, None, floor) for name, key, _, floor in saturated))) == ()
    wide = [number(*row, low=row[2] - 100, high=row[2] + 100) for row in saturated]
    assert faults(made(*wide)) == ()


def test_chance_explains_more_among_few_samples() -> None:
    few, many = ({"samples": count, "reference": 400} for count in (30, 3000))
    rows = [("copies", "", 0.2, 0.05), ("unique", "", 0.78, 0.99)]
    assert faults(made(number(*rows[0], counts=few), samples=30)) == ()
    assert len(faults(made(number(*rows[0], counts=many), samples=3000))) == 1
    assert faults(made(number(*rows[1], counts=few), samples=30)) == ()
    assert len(faults(made(number(*rows[1], counts=many), samples=3000, floor_samples=3000))) == 1


def test_more_samples_than_real_rows_may_repeat() -> None:
    metric = number("unique", "", 0.3, 1.0)
    assert faults(made(metric, floor_samples=100)) == ()
    assert len(faults(made(metric, floor_samples=400))) == 1
    assert len(faults(made(number("unique", "", 0.1, 1.0), floor_samples=100))) == 1


def test_what_is_no_word_is_not_made_up() -> None:
    assert faults(made(number("words", "", 0.0, 0.1))) == ()
    disorder = [number("jsd", "1", 0.01, 0.01), number("jsd", "4", 0.9, 0.1)]
    assert len(faults(made(*disorder, number("words", "", 0.0, 0.1)))) == 1
    assert faults(made(*disorder, number("words", "", 0.9, 0.95))) == ()


def test_one_subject_has_one_fault_and_several_have_several() -> None:
    rows = [
        ("copies", "", 0.9, 0.0),
        ("lm_nll", "forward", 1.0, 2.0),
        ("unique", "", 0.1, 1.0),
        ("distinct", "2", 0, 1),
    ]
    found = faults(made(*(number(*row) for row in rows)))
    assert [fault.partition(":")[0] for fault in found] == [
        "the samples repeat the training text",
        "the samples repeat one another",
    ]


# --- readings ---------------------------------------------------------------------------------------------------------


NAMES = [*FAMILIES, "frechet_minilm", "mauve_minilm", "never_heard_of"]
KEYS = ["1", "4", "", "mean", "forward", "reverse", "jsd", "p10"]


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in NAMES for key in (KEYS[:2] if name == "jsd" else KEYS)]
)
def test_every_number_is_read_in_one_line(name: str, key: str) -> None:
    ladder: dict[int, dict[int, float | None]] = {1: {4: 0.9}, 2: {4: None}}
    values = [(0.5, 0.2), (0.2, 0.5), (0.3, 0.3), (0.5, None), (None, 0.5), (None, None), (0.0, 0.0), (3e9, -1.0)]
    numbers = [number(name, key, *pair) for pair in values]
    numbers += [number(name, key, None, None, infinite=True), number(name, key, 0.5, 0.1, low=0.4, high=0.6)]
    read = readings(made(*numbers, ladder=ladder))
    assert [r.metric for r in read] == numbers
    for r in read:
        assert r.group in GROUPS
        assert r.title
        assert r.says[0].isupper()
        assert r.says.endswith(".")
        assert "\n" not in r.says
        assert len(r.says) < 120
    assert read[8].value == "∞"
    assert [read[3].floor, read[4].value, read[4].excess] == ["–"] * 3
    assert "–" not in (read[9].low, read[9].high)


def test_an_unknown_family_is_shown_under_its_name() -> None:
    (read,) = readings(made(number("never_heard_of", "x", 2.0, 1.0)))
    assert (read.title, read.group, read.value, read.excess) == (
        "never_heard_of",
        "Further numbers",
        "2.0000",
        "+1.0000",
    )
    assert read.says == "Higher than real text: 2.0 times real text's."
    (read,) = readings(made(number("frechet_minilm", "", 2.0, 1.0)))
    assert read.title == "Embeddings apart (Fréchet), minilm"


def test_groups_stand_in_their_order() -> None:
    rows = [("lm_nll", "forward"), ("zzz", ""), ("copies", ""), ("jsd", "2"), ("unique", ""), ("jsd", "1")]
    read = readings(made(*(number(*row, 0.5, 0.5) for row in rows)))
    assert [(r.metric.name, r.metric.key) for r in read] == [
        ("jsd", "2"), ("jsd", "1"), ("unique", ""), ("copies", ""), ("lm_nll", "forward"), ("zzz", "")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "floor", "says"),
    [
        (0.95, 0.1, "No better than the 1-gram model; 9.5 times real text's."),
        (0.6, 0.1, "Between the 1-gram and the 2-gram model; 6.0 times real text's."),
        (0.3, 0.1, "Between the 2-gram and the 3-gram model; 3.0 times real text's."),
        (0.105, 0.1, "As close as real text."),
        (0.02, 0.1, "Closer to the held-out text than other real text is: 20 % of real text's."),
        (0.9, 0.6, "Too few lines to tell: real text itself lies this far from real text."),
    ],
)
def test_a_distance_is_placed_on_the_ladder(value: float, floor: float, says: str) -> None:
    ladder = {order: {4: rung} for order, rung in enumerate([0.9, 0.5, 0.2, 0.1, 0.11, 0.12], 1)}
    assert readings(made(number("jsd", "4", value, floor), ladder=ladder))[0].says == says


def test_a_distance_without_a_ladder_is_put_beside_real_text() -> None:
    assert readings(made(number("jsd", "4", 0.6, 0.1)))[0].says == "Further away than real text: 6.0 times real text's."


def test_noise_is_that_of_an_interval_or_of_a_share() -> None:
    assert noise(number("x", "", 0.5, 0.4, low=0.47, high=0.55)) == pytest.approx(math.sqrt(2) * 0.04)
    assert noise(number("x", "", 0.01, 0.0, low=0.009, high=0.011)) == pytest.approx(math.sqrt(2) * 0.001)
    assert noise(number("x", "", 0.0, 0.0, low=0.0, high=0.0)) == pytest.approx(math.sqrt(2) / 400)
    two_errors = 2 * math.sqrt(0.2 * 0.8 / 400 + 1 / 400**2)
    assert noise(number("x", "", 0.5, 0.2)) == pytest.approx(math.sqrt(2) * two_errors)
    assert noise(number("x", "", 60.0, 50.0)) == pytest.approx(math.sqrt(2) * 0.6 * 50 / 20)


def test_the_side_of_real_text_is_that_beyond_the_noise() -> None:
    half = math.sqrt(2) * 0.1
    for far, expected in ((half * 0.99, 0), (half * 1.01, 1), (-half * 1.01, -1)):
        value = 5 + far
        assert side(number("x", "", value, 5.0, low=value - 0.1, high=value + 0.1)) == expected
    assert side(number("x", "", 5.0, None)) == 0


def said(name: str, key: str, value: float, floor: float) -> str:
    return readings(made(number(name, key, value, floor, counts={"samples": 10_000})))[0].says


def test_numbers_that_chance_moves_much_are_read_roughly() -> None:
    like, off = "Lengths are like real text's.", "Lengths are off: 2.1 times real text's."
    assert [said("length", "distance", value, 10) for value in (5, 19.9, 21)] == [like, like, off]
    assert said("length", "distance", 4.9, 10).startswith("Lengths are closer")
    assert said("longest_copied", "p90", 24, 20) == "As long as held-out text shares by chance."
    assert said("longest_copied", "p90", 40, 20) == "Copies longer: 2.0 times real text's."
    assert said("longest_copied", "max", 40, 20) == "One sample alone decides it."


def test_how_far_is_told_in_words_that_fit() -> None:
    assert said("x", "", 104, 100) == "Higher than real text: by less than 5 %."
    assert said("x", "", 96, 100) == "Lower than real text: by less than 5 %."
    assert said("x", "", 120, 100) == "Higher than real text: 1.2 times real text's."
    assert said("x", "", 80, 100) == "Lower than real text: 80 % of real text's."
    assert said("x", "", 0.5, 0) == "Higher than real text."


def test_models_above_n_are_no_rungs_at_n() -> None:
    measured = made(ladder={order: {4: 0.5 / order} for order in range(1, 7)})
    assert rung(measured, 4, 0.09) == "level with the 4-gram model or better"
    assert rung(measured, 5, 0.09) == "level with the 5-gram model or better"
    assert rung(made(), 4, 0.09) == ""


def test_a_fault_is_much_of_the_way_that_is_left() -> None:
    assert len(faults(made(number("self_bleu", "4", 0.9, 0.8, low=0.89, high=0.91)))) == 1
    assert faults(made(number("self_bleu", "4", 0.3, 0.2, low=0.29, high=0.31))) == ()


def test_differences_have_signs_unless_they_show_as_nothing() -> None:
    pairs = [(0.5, 0.25), (0.25, 0.5), (0.25, 0.2500001)]
    assert [readings(made(number("words", "", *pair)))[0].excess for pair in pairs] == ["+25.0 %", "−25.0 %", "0.0 %"]
