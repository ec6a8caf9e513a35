from __future__ import annotations

import pytest

from textgan.errors import UsageError
from textgan.metrics.metric import Metric
from textgan.report.gates import Gate, gate
from textgan.report.measure import Report

METRICS = (
    Metric("jsd", "4", 0.36, 0.1, "lower", {}),
    Metric("jsd", "5", None, None, "lower", {}),
    Metric("jsd_word", "2", 0.2, 0.1, "lower", {}),
    Metric("kl", "2", None, None, "lower", {}, infinite=True),
    Metric("words", "", 0.5, 0.9, "higher", {}),
    Metric("length", "mean", 20.0, 21.0, "near the floor", {}),
)
REPORT = Report(1, 1, 1, 1, METRICS, None, None, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jsd4=0.35", Gate("jsd", "4", 0.35, "above")),
        ("jsd-4=.35", Gate("jsd", "4", 0.35, "above")),
        ("jsd_word2=0.1", Gate("jsd_word", "2", 0.1, "above")),
        ("words=0.5", Gate("words", "", 0.5, "above")),
        ("length.mean=1e1", Gate("length", "mean", 10.0, "above")),
        ("distinct_char:3=1", Gate("distinct_char", "3", 1.0, "above")),
    ],
)
def test_a_gate_is_a_name_and_a_limit(text: str, expected: Gate) -> None:
    assert gate(text, "above") == expected


@pytest.mark.parametrize(
    ("text", "fails", "failure"),
    [
        ("jsd4=0.35", "above", "jsd-4 is 0.36, above 0.35"),
        ("jsd4=0.36", "above", ""),
        ("words=0.5", "below", ""),
        ("words=0.6", "below", "words is 0.5, below 0.6"),
        ("words=0.6", "above", ""),
        ("jsd5=1", "above", "jsd-5 has no value"),
        ("jsd5=0", "below", "jsd-5 has no value"),
        ("kl2=9", "above", "kl-2 is infinite"),
        ("kl2=9", "below", ""),
    ],
)
def test_a_number_beyond_its_limit_fails(text: str, fails: str, failure: str) -> None:
    assert gate(text, fails).failure(REPORT) == failure  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jds4=0.3", "'jds4=0.3' is no gate; write NAME=LIMIT, such as jsd4=0.35 or words=0.5; did you mean 'jsd'?"),
        ("jsd4", "'jsd4' is no gate; write NAME=LIMIT, such as jsd4=0.35 or words=0.5"),
        ("jsd4=low", "'jsd4=low': 'low' is no number; write NAME=LIMIT, such as jsd4=0.35"),
        ("jsd4=nan", "'jsd4=nan': the limit must be finite"),
        ("jsd9=1", "jsd-9 was not measured; measured: jsd-4, jsd-5"),
        ("jsd=1", "jsd was not measured; measured: jsd-4, jsd-5"),
        ("bleu4=1", "bleu-4 was not measured; measured: none of it"),
    ],
)
def test_what_is_no_gate_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        gate(text, "above").failure(REPORT)
    assert str(caught.value) == message
