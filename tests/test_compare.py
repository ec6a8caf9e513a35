"""Reports side by side, and the command that makes them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from textgan.cli.main import main
from textgan.metrics.metric import Metric
from textgan.report.compare import compare, differ, distance
from textgan.report.measure import Report
from textgan.report.table import cell


def number(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> Metric:
    told: dict[str, Any] = {"name": "jsd", "key": "4", "floor": 0.1, "better": "lower", "counts": {}} | more
    return Metric(value=value, low=low, high=high, **told)


def report(*metrics: Metric) -> Report:
    return Report(5, 5, 5, 5, metrics, None, None, ())


def test_a_difference_is_real_beyond_both_intervals() -> None:
    a = number(0.30, 0.27, 0.33)
    assert differ(a, number(0.40, 0.36, 0.44)) is True  # .10 > hypot(.03, .04) = .05
    assert differ(a, number(0.34, 0.30, 0.38)) is False
    assert differ(a, number(0.36)) is True
    assert differ(number(0.3), number(0.4)) is None
    near = {"better": "near the floor", "floor": 0.5}  # as far on either side
    assert differ(number(0.6, 0.59, 0.61, **near), number(0.401, 0.391, 0.411, **near)) is False
    assert differ(a, number(None)) is None


def test_how_far_a_number_is_from_the_best() -> None:
    assert distance(number(0.3)) == 0.3
    assert distance(number(0.3, better="higher")) == -0.3
    assert distance(number(0.3, better="near the floor")) == pytest.approx(0.2)
    assert distance(number(0.05, better="near the floor")) == pytest.approx(0.05)
    assert distance(number(None)) is None
    assert distance(number(None, infinite=True)) == float("inf")


def test_the_best_and_those_level_with_it() -> None:
    found = compare(
        ["a", "b", "c"],
        [
            report(number(0.30, 0.28, 0.32), number(0.5, name="unique", key="", better="higher")),
            report(number(0.31, 0.29, 0.33), number(0.5, name="unique", key="", better="higher")),
            report(number(0.40, 0.38, 0.42)),
        ],
    )
    assert [(row.name, row.best, row.level) for row in found.rows] == [
        ("jsd", 0, (True, True, False)),
        ("unique", 0, None),
    ]
    told = found.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["metrics"] == {
        "jsd": {"4": {"best": "a", "level": ["a", "b"]}},
        "unique": {"best": "a", "level": None},
    }


def test_all_that_are_equal_to_the_best_are_marked_so() -> None:
    """Without intervals too."""
    row = compare(list("abc"), [report(number(value)) for value in (0.4, 0.3, 0.3)]).rows[0]
    assert [cell(row, side, str) for side in range(3)] == ["0.4 ", "0.3*", "0.3*"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    draw = random.Random(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "far", "away"]
    for name in ("one", "two"):
        lines = {" ".join(draw.choices(words, k=4)) for _ in range(300)}
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGAN_CACHE", str(folder / "cache"))
        for run, text, seed in (("a", "one", 0), ("b", "one", 1), ("other", "two", 0)):
            arguments = ["train", "-c", "smoke", "--corpus", str(folder / f"{text}.txt"), "--run", str(folder / run)]
            assert main([*arguments, "--steps", "2", "--seed", str(seed), "-s", "evaluation.samples=20"]) == 0
    return folder


def test_the_command_lays_runs_and_ngram_models_side_by_side(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(runs / "cache"))
    sides = [str(runs / "a"), str(runs / "b")]
    assert main(["compare", *sides, "--count", "50", "--models", "2,5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [side["name"] for side in told["sides"]] == ["a", "b", "2-gram", "5-gram"]
    assert all(side["report"]["samples"] == 50 for side in told["sides"])
    assert told["sides"][0]["facts"]["step"] == 2
    assert told["metrics"]["jsd"]["4"]["best"] == "5-gram"
    assert main(["compare", *sides, "--count", "50", "--models", "0", "--metrics", "jsd"]) == 0
    page = capsys.readouterr().out
    assert "A: a (preset smoke" in page
    assert "jsd 4" in page
    assert "gram" not in page


def test_runs_on_other_text_are_refused(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(runs / "cache"))
    assert main(["compare", str(runs / "a"), str(runs / "other")]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "was not trained on the rows" in err
    assert main(["compare", str(runs / "a"), str(runs / "a"), "--count", "9", "--models", "0", "--json"]) == 0
    assert [side["name"] for side in json.loads(capsys.readouterr().out)["sides"]] == ["a (1)", "a (2)"]
    assert main(["compare", str(runs / "a"), "--models", "3-9"]) == 2
    assert "order of 1 to 6" in capsys.readouterr().err
