from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from textgan.cli.main import main
from textgan.errors import TextganError, UsageError
from textgan.metrics.metric import Metric
from textgan.metrics.table import METRICS
from textgan.report.measure import Report, report
from textgan.report.table import render, standing

QUICK = ("jsd", "words", "unique")
TRAINING = ["the cat sat", "a cat ran", "the dog ran", "a dog sat on", "the cow", "cows sat", "dogs ran on"] * 3
REFERENCE = ["the dog sat", "a cat sat on", "the cat ran", "a cow ran"] * 3
SAMPLES = ["the cat ran", "the cog sat", "a dat", "the cat ran", ""]


def told(result: Report) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        for part in render(result):
            console.print(part)
    return capture.get()


def test_json_has_its_keys_and_every_number_is_strict() -> None:
    value = report(SAMPLES, REFERENCE, TRAINING, metrics=QUICK, decode="sample").to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert list(value) == [
        "schema",
        "samples",
        "reference",
        "training",
        "floor_samples",
        "decode",
        "max_chars",
        "metrics",
        "ladder",
        "notes",
    ]
    assert [value[key] for key in list(value)[:6]] == [1, 5, 12, 21, 5, "sample"]
    orders = ["1", "2", "3", "4", "5", "6"]
    assert list(value["metrics"]) == ["jsd", "words", "unique"]
    assert list(value["metrics"]["jsd"]) == orders
    for numbers in value["metrics"]["jsd"].values():
        assert numbers["excess"] == numbers["value"] - numbers["floor"]
        assert 0 <= numbers["low"] <= numbers["value"] <= numbers["high"] <= 1
    told = value["metrics"]["words"]
    assert (told["value"], told["floor"], told["excess"]) == (9 / 11, 1.0, 9 / 11 - 1)
    assert 0 < told["low"] < 9 / 11 < told["high"] <= 1
    assert value["metrics"]["unique"]["value"] == 0.8
    assert list(value["ladder"]) == orders
    assert all(list(values) == orders for values in value["ladder"].values())


def test_without_training_text_the_ladder_is_absent_and_the_reason_told() -> None:
    value = report(SAMPLES, REFERENCE, n=[2]).to_json()
    assert "ladder" not in value
    assert (value["training"], value["floor_samples"]) == (None, 5)
    assert "no ladder" in value["notes"][0]
    assert report(SAMPLES * 9, REFERENCE).floor_samples == 6


def test_an_order_longer_than_every_line_is_null() -> None:
    value = report(["abc"], ["abd", "abe"], ["abc"], n=[3, 4]).to_json()
    assert value["metrics"]["jsd"]["4"] == dict.fromkeys(("value", "low", "high", "floor", "excess"))
    assert value["ladder"]["1"]["4"] is None
    assert any("jsd-4" in note for note in value["notes"])
    assert "-" in told(report(["abc"], ["abd", "abe"], ["abc"], n=[3, 4]))


def test_a_seed_decides_floor_and_ladder() -> None:
    first, again, other = (report(SAMPLES, REFERENCE, TRAINING, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.ladder != other.ladder
    assert [m.value for m in first.metrics] == [m.value for m in other.metrics]


def test_max_chars_cuts_every_side() -> None:
    cut = report(["abXX", "ab"], ["abYY", "abZ"], ["abQQ"] * 2, n=[1, 2], max_chars=2)
    assert [m.value for m in cut.of("jsd")] == pytest.approx([0, 0], abs=1e-12)
    assert [m.floor for m in cut.of("jsd")] == pytest.approx([0, 0], abs=1e-12)
    assert cut.of("unique")[0].value == 0.5
    padded = report(["a"], ["a", "abcd"], ["a"], n=[1], max_chars=4, count_pads=True)
    assert padded.of("jsd")[0].value != report(["a"], ["a", "abcd"], ["a"], n=[1], max_chars=4).of("jsd")[0].value


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metrics": ["jds"]}, UsageError, "unknown metric 'jds'; did you mean 'jsd'?"),
        ({"metrics": []}, UsageError, f"no metric is asked for; known: {', '.join(METRICS)}"),
        ({"n": [0, 1]}, UsageError, "the length of n-grams must be 1 or more, for instance --n 1-6"),
        ({"max_chars": 0}, UsageError, "--max-chars must be 1 or more"),
        ({"count_pads": True}, UsageError, "--count-pads needs --max-chars N, the length to pad to"),
        ({"samples": []}, TextganError, "there are no samples to measure; give at least one"),
        ({"reference": ["one"]}, TextganError, "the reference needs at least two lines"),
        ({"training": []}, TextganError, "there is no training text; leave it out, or give at least one line"),
    ],
)
def test_bad_requests(arguments: dict[str, Any], error: type[TextganError], message: str) -> None:
    with pytest.raises(error) as caught:
        report(**{"samples": SAMPLES, "reference": REFERENCE, **arguments})
    assert (type(caught.value), str(caught.value)) == (error, message)


def result(value: float | None, ladder: dict[int, dict[int, float | None]] | None, n: int = 4) -> Report:
    metric = Metric("jsd", str(n), value, 0.1, "lower", {"samples": 9, "reference": 9})
    return Report(9, 9, 9, 9, (metric,), ladder, None, ())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0.95, "The samples are no better than the 1-gram model on JSD-4."),
        (0.6, "The samples stand between the 1-gram and the 2-gram model on JSD-4."),
        (0.3, "The samples stand between the 2-gram and the 3-gram model on JSD-4."),
        (0.15, "The samples stand between the 3-gram and the 4-gram model on JSD-4."),
        (0.05, "The samples are level with the 4-gram model on JSD-4, or better."),
    ],
)
def test_the_standing_names_the_rungs_around(value: float, sentence: str) -> None:
    ladder = {order: {4: rung} for order, rung in enumerate([0.9, 0.5, 0.2, 0.1, 0.11, 0.12], 1)}
    assert standing(result(value, ladder)) == sentence  # type: ignore[arg-type]


def test_no_standing_without_a_ladder_or_a_value() -> None:
    assert standing(result(0.5, None)) == ""
    assert standing(result(None, {1: {4: 0.5}})) == ""
    assert standing(result(0.5, {1: {5: 0.5}}, n=5)) == ""


def test_the_table_fits_80_columns_and_shows_every_number() -> None:
    page = told(report(SAMPLES, REFERENCE, TRAINING, decode="argmax"))
    assert max(map(len, page.splitlines())) <= 80
    assert "…" not in page
    for part in ("JSD", "±", "floor", "excess", "k=1", "k=6", "81.8 %", "95 % interval", "argmax", "80.0 %"):
        assert part in page
    assert "5 samples" in page
    assert "words are looked up in the reference" in told(report(SAMPLES, REFERENCE))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / name for name in ("samples.txt", "reference.txt", "train.txt")]
    for path, lines in zip(paths, (SAMPLES, REFERENCE, TRAINING), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [*map(str, paths)]


def test_the_command_prints_what_the_function_returns(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    samples, reference, train = files
    arguments = ["report", "--samples", samples, "--reference", reference, "--train", train, "--n", "2,4-5"]
    assert main([*arguments, "--max-chars", "8", "--count-pads", "--seed", "3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = report(SAMPLES, REFERENCE, TRAINING, n=(2, 4, 5), max_chars=8, count_pads=True, seed=3)
    assert printed == expected.to_json()
    assert main([*arguments, "--metrics", "unique, words"]) == 0
    page = capsys.readouterr().out
    assert "80.0 %" in page
    assert "JSD" not in page


def test_the_command_in_a_process_of_its_own(files: list[str]) -> None:
    command = [sys.executable, "-m", "textgan", "report", "--samples", files[0], "--reference", files[1]]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 samples against 12 lines of real text" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--samples", "nope.txt", "--reference", "x.txt"], 1, "there is no file nope.txt; give the path of a text"),
        (["--samples", "{samples}", "--reference", "x.txt"], 1, "there is no file x.txt; give the path of a text"),
        (["--samples", "{samples}", "--reference", "pyton_docs"], 2, "did you mean 'python_docs'?"),
        (["--samples", "{samples}"], 2, "--samples needs --reference"),
        (["--reference", "{samples}"], 2, "--reference, --data and --train go with --samples FILE"),
        (["run", "--samples", "{samples}", "--reference", "{samples}"], 2, "either a run or --samples FILE"),
        (["--samples", "{samples}", "--reference", "{samples}", "--n", "6-1"], 2, "'6-1' is no range of n"),
        (["--samples", "{samples}", "--reference", "{samples}", "--n", "x"], 2, "'x' is no range of n"),
        (["--samples", "{samples}", "--reference", "{samples}", "--n", "2,1-99999999999"], 2, "is no range of n"),
        (["--data", "{samples}"], 2, "--reference, --data and --train go with --samples FILE"),
        (["--samples", "{samples}", "--reference", "{samples}", "--max-chars", "0"], 2, "--max-chars"),
        (["no/such/run"], 1, "no/such/run"),
    ],
)
def test_one_line_for_bad_input(
    files: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(["report", *(argument.format(samples=files[0]) for argument in arguments)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_the_package_itself_is_the_public_function() -> None:
    import textgan
    import textgan.report

    assert textgan.report(SAMPLES, REFERENCE, seed=4) == report(SAMPLES, REFERENCE, seed=4)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two steps on a little text, the only one under runs/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    words = ["ada", "bea", "cid", "dora", "eve", "finn", "gus", "hanna", "ida"]
    lines = [f"{first} {verb} {second}" for first in words for verb in ("met", "saw") for second in words]
    Path("text.txt").write_text("\n".join(lines), encoding="utf-8")
    settings = [f"-s{key}={value}" for key, value in {"training.batch": 4, "evaluation.report_samples": 30}.items()]
    arguments = ["-c", "smoke", "--corpus", "text.txt", "--steps", "2", "--run", "runs/small", *settings]
    assert main(["train", *arguments]) == 0
    return tmp_path / "runs" / "small"


def test_a_run_is_measured_on_its_own_text_and_keeps_the_report(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from textgan import assemble, model

    capsys.readouterr()
    assert main(["report", "--seed", "5", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    trained = model.load(run)
    length, (*sides, sources) = trained.config.text.length, assemble.reference(trained)
    measured = partial(report, sources=sources, decode="sample")
    expected = measured(trained.generate(30, seed=5), *sides, max_chars=length, seed=5).to_json()
    assert printed == expected
    assert json.loads((run / "report.json").read_text(encoding="utf-8")) == expected
    assert expected["training"] + expected["reference"] == 162
    assert main(["report", str(run), "--count", "7", "--max-chars", "9", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == measured(trained.generate(7), *sides, max_chars=9).to_json()


def test_samples_against_a_registered_corpus_take_its_heldout_rows(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "heldout-monolingual.tokenized.shuffled"
    data.mkdir()
    for shard, lines in (("00000", REFERENCE), ("00001", TRAINING)):
        (data / f"news.en.heldout-{shard}-of-00050").write_text("\n".join(lines), encoding="utf-8")

    def printed(*arguments: str) -> Any:
        assert main(["report", "--samples", files[0], "--reference", "billion_word", "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    found = printed("--max-chars", "7", "--n", "1", "--data", str(tmp_path))
    assert (found["reference"], found["training"], "ladder" in found) == (12, 21, True)  # a line is cut once
    assert any("cut at 7" in note for note in found["notes"])
    monkeypatch.setenv("TEXTGAN_DATA", str(tmp_path))
    assert printed("--max-chars", "7", "--n", "1") == found
    for max_chars, cut in ((1, 1), (5000, 4096)):
        found = printed("--max-chars", str(max_chars), "--n", "1")
        assert any(f"cut at {cut} " in note for note in found["notes"])
        whole = [[line[:cut] for line in side] for side in (SAMPLES, REFERENCE, TRAINING)]
        assert found["metrics"]["jsd"]["1"]["value"] == pytest.approx(report(*whole, n=[1]).of("jsd")[0].value)


def test_what_was_left_out_is_told_with_true_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"lines.MOST": 10, "ladder.LONGEST": 11}.items():
        monkeypatch.setattr(f"textgan.metrics.{name}", value)
        monkeypatch.setattr(f"textgan.report.measure.{name.partition('.')[2]}", value)
    told = report(SAMPLES, REFERENCE, TRAINING, metrics=QUICK).to_json()
    assert (told["reference"], told["training"]) == (10, 21)
    assert told["notes"] == [
        "measured against 10 of 12 rows of the reference, chosen by seed 0",
        "the ladder learns from 10 of 21 rows of training text, chosen by seed 0",
        "the ladder learns the first 11 characters of a line",
    ]
    assert len(report(SAMPLES, REFERENCE, TRAINING, metrics=["words"]).notes) == 1
    assert "learns the first" not in "".join(report(SAMPLES, REFERENCE, TRAINING, max_chars=11, metrics=QUICK).notes)
    assert report(SAMPLES, REFERENCE[:10], TRAINING[:10], max_chars=11, metrics=QUICK).notes[1:] == ()
