"""The command `textgan sweep`: what it refuses at the door, and a small sweep that is interrupted and goes on."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import commands
import pytest

from textgan.cli.main import main
from textgan.cli.sweep import Board, _hangup, _plain, _show
from textgan.report.sweeps import Row, Spread, Summary
from textgan.sweep.results import HELD, Job, Result
from textgan.training.interrupt import Interrupt

FILE = """
[sweep]
jobs = 2
preset = "smoke"
columns = ["jsd.2", "words"]
[settings]
corpus.name = "text.txt"
training = {{ steps = {steps}, evaluate_every = 1000 }}
evaluation.samples = 50
[axes]
training.seed = [0, 1]
[axes.method]
soft = {{ generator.relaxation = "softmax" }}
{more}
"""
SLIDING = "training.schedule=linear"
HARD = 'hard = { generator.relaxation = "straight_through" }'
WILD = "wild = { generator.learning_rate = 1e30, critic.learning_rate = 1e30 }"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "text.txt").write_bytes(tiny_text.read_bytes())
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def textgan(home: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(arguments), *capfd.readouterr()

    return run


def write(folder: Path, steps: int = 20, more: str = HARD) -> None:
    (folder / "m.toml").write_text(FILE.format(steps=steps, more=more))


def test_a_dry_run_lists_the_cells_and_leaves_nothing(textgan: Command, home: Path) -> None:
    names = ["soft,seed=0", "hard,seed=0", "soft,seed=1", "hard,seed=1"]
    code, out, err = textgan("sweep", "m.toml", "--dry-run")
    assert (code, out.split("\n")[:-1]) == (0, names)
    assert err == "4 of 4 cells to run, 2 at a time: training.processor_minutes would tell how long\n"
    code, out, err = textgan("sweep", "m.toml", "--dry-run", "-s", "training.processor_minutes=3", "--jobs", "1")
    assert err == "4 of 4 cells to run, 1 at a time: about 12:00\n"
    told = json.loads(textgan("sweep", "m.toml", "--dry-run", "--json", "-s", "training.minutes=3")[1])
    assert told == {"schema": 1, "cells": names, "left": names, "jobs": 2, "seconds": 360}
    assert not (home / "sweeps").exists()


@pytest.mark.parametrize(
    ("more", "options", "told"),
    [
        ("bad = { generator.widht = 3 }", [], "cell bad,seed=0: unknown key 'generator.widht' (the sweep); did you"),
        ('bad = { game.objective = "hing" }', [], "cell bad,seed=0: game.objective: there is no 'hing'; did you mean"),
        ("bad = { critic.kernel = 4 }", [], "cell bad,seed=0: critic.kernel: 4 is even"),
        ('bad = { preset = "smok" }', [], "cell bad,seed=0: no preset, file or run is named 'smok'; did you mean"),
        ('same = { generator.relaxation = "softmax" }', [], "cells soft,seed=0 and same,seed=0 have the same settings"),
        ("", ["-s", "training.seed=3"], "cells soft,seed=0 and soft,seed=1 have the same settings"),
        ("", ["-s", "training.sed=3"], "unknown key 'training.sed' (-s); did you mean 'seed'?"),
        ("bad = 3", [], "the axis 'method' is neither a list of values nor a table"),
        ("bad = { corpus.name = 'tex.txt' }", [], "cell bad,seed=0: unknown corpus 'tex.txt', and no such file or"),
        ("bad = { corpus.name = '8gausians' }", [], "did you mean '8gaussians'?"),
        ("bad = { corpus.name = '*.csv' }", [], "/*.csv', and no such file or folder from "),
        ("bad = { corpus.data = 'nowhere' }", [], "cell bad,seed=0: corpus.data: no such file or folder: nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_any_cell_is_refused_before_any_begins(
    more: str, options: list[str], told: str, textgan: Command, home: Path
) -> None:
    write(home, more=more)
    code, out, err = textgan("sweep", "m.toml", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert not (home / "sweeps").exists()


def test_corpora_that_are_there_pass_the_door(textgan: Command, home: Path) -> None:
    found = [".", "*.txt", "~", "nltk:brown", "python_docs"]
    write(home, more="".join(f"c{i} = {{ corpus.name = '{name}' }}\n" for i, name in enumerate(found)))
    code, out, err = textgan("sweep", "m.toml", "--dry-run")
    assert (code, out.count("\n"), err.count("\n")) == (0, 2 * (1 + len(found)), 1), err


def test_a_folder_that_cannot_be_made_is_told_without_what_a_sweep_lacks(textgan: Command, home: Path) -> None:
    code, out, err = textgan("sweep", "m.toml", "--out", "/dev/null/x")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.endswith("; free some space there, or name another folder with --out\n")


def test_a_file_that_is_not_there_is_one_line(textgan: Command) -> None:
    assert textgan("sweep", "none.toml")[::2] == (
        2,
        "textgan: error: cannot read none.toml: No such file or directory\n",
    )


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_and_ends_in_a_table(home: Path) -> None:
    write(home, steps=100)
    cells = home / "sweeps" / "m" / "cells"
    process = commands.start(home, "sweep", "m.toml", environ={"TEXTGAN_TRAINING__SEED": "9"})

    def begun() -> list[Path]:
        return [log.parent for log in cells.glob("*/metrics.jsonl") if log.stat().st_size]

    assert commands.until(begun, 60)
    process.send_signal(signal.SIGINT)
    done = commands.ended(process)
    assert (done.code, done.out) == (130, "")
    assert "stopped by SIGINT with 0 of 4 cells done" in done.err
    assert not list(cells.glob("*/result.json"))
    first = begun()[0]
    assert (first / "checkpoints").is_dir()

    done = commands.textgan(home, "sweep", "m.toml", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [(row["setting"], row["seeds"], row["failures"], row["steps"]["low"]) for row in told["rows"]] == [
        (["soft"], 2, {}, 100),
        (["hard"], 2, {}, 100),
    ]  # fmt: skip
    assert all(row["figures"]["jsd.2"]["count"] == 2 for row in told["rows"])
    assert "no checkpoint yet" not in (first / "train.err").read_text()
    assert "no checkpoint yet" in (cells / "soft,seed=1" / "train.err").read_text()
    seeds = {json.loads(path.read_text())["seed"] for path in cells.glob("*/run.json")}
    assert seeds == {0, 1}
    assert json.loads((home / "sweeps" / "m" / "sweep.json").read_text()) == told
    assert (home / "sweeps" / "m" / "plot.svg").read_text().startswith("<svg ")


def test_a_cell_that_fails_is_told_and_new_cells_go_on(textgan: Command, home: Path) -> None:
    write(home, steps=2, more=WILD)
    code, out, err = textgan("sweep", "m.toml", "-s", "training.seed=0", "--out", "there")
    assert code == 2  # two seeds, of which -s makes one
    (home / "m.toml").write_text((home / "m.toml").read_text().replace("[0, 1]", "[0]"))
    code, out, err = textgan("sweep", "m.toml", "--out", "there")
    assert (code, "wild: 1 failed: diverged" in out) == (1, True)
    assert "wild,seed=0: failed: diverged" in err
    assert "| wild | - | - | 1 | 1 | - | - |" in (home / "there" / "table.md").read_text()
    assert err.endswith("in there: table.md, plot.svg, sweep.json\n")
    code, out, err = textgan("sweep", "m.toml", "--out", "there")
    assert (code, "failed: diverged (" in err) == (1, False)  # it is not run again unasked

    code, out, err = textgan("sweep", "m.toml", "--out", "there", "-s", "training.batch=3")
    assert code == 2
    assert "begun with other settings: cell soft,seed=0 and 1 more (training.batch 16 -> 3); name another" in err
    code, out, err = textgan("sweep", "m.toml", "--out", "there", "-s", "training.steps=3", "-s", SLIDING)
    assert (code, "(training.schedule constant -> linear; training.steps 2 -> 3)" in err) == (2, True)

    write(home, steps=3, more=WILD)  # what has ended goes on to the larger total; and a column is misspelt
    text = (home / "m.toml").read_text().replace("[0, 1]", "[0]").replace('"jsd.2", "words"', '"jds.2"')
    (home / "m.toml").write_text(text)
    left = json.loads(textgan("sweep", "m.toml", "--out", "there", "--dry-run", "--json")[1])["left"]
    assert left == ["soft,seed=0"]
    code, out, err = textgan("sweep", "m.toml", "--out", "there")
    assert "soft,seed=0: step 3, " in err
    assert "no cell has a figure 'jds.2'; did you mean 'jsd.2'?" in err
    assert err.endswith("in there: table.md, sweep.json\n")
    assert not (home / "there" / "plot.svg").exists()
    cell = home / "there" / "cells" / "soft,seed=0"
    assert [json.loads(row)["step"] for row in (cell / "metrics.jsonl").read_text().splitlines()][-2:] == [3, 3]
    assert "no checkpoint yet" not in (cell / "train.err").read_text()
    assert json.loads(textgan("sweep", "m.toml", "--out", "there", "--dry-run", "--json")[1])["left"] == []
    (home / "text.txt").rename(home / "moved.txt")  # what has ended is told all the same
    there = ["--out", "there", "--corpus", str(home / "text.txt")]
    code, out, err = textgan("sweep", "m.toml", *there)
    assert (code, "wild" in out) == (1, True), err
    (home / "moved.txt").rename(home / "text.txt")
    write(home, steps=2, more="")
    assert json.loads(textgan("sweep", "m.toml", "--out", "there", "--dry-run", "--json")[1])["left"] == ["soft,seed=1"]


@pytest.mark.slow
def test_cells_of_a_killed_sweep_save_and_the_next_one_goes_on(home: Path) -> None:
    write(home, steps=100_000, more="")
    cells = home / "sweeps" / "m" / "cells"

    def begun() -> bool:
        return len([log for log in cells.glob("*/metrics.jsonl") if log.stat().st_size]) == 2

    def saved() -> bool:
        return len(list(cells.glob("*/checkpoints/step-*/state.json"))) == 2

    killed = commands.start(home, "sweep", "m.toml")
    assert commands.until(begun, 60)
    killed.kill()
    killed.communicate()
    assert commands.until(saved, 30)
    text = (home / "m.toml").read_text()
    (home / "m.toml").write_text(text.replace("steps = 100000", "steps = 1"))
    done = commands.textgan(home, "sweep", "m.toml", "--json")
    assert done.code == 0, done.err
    assert [row["failures"] for row in json.loads(done.out)["rows"]] == [{}]


@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_stops_a_sweep_once(ignored: bool) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with Interrupt() as stop, _hangup(stop):
            for _ in range(3):  # of which a second SIGTERM would end this process
                signal.raise_signal(signal.SIGHUP)
            assert stop() == (None if ignored else "SIGTERM")
        assert signal.getsignal(signal.SIGHUP) == (signal.SIG_IGN if ignored else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)


ESCAPE = "\x1b[2J\x9b"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_table_is_as_wide_as_it_must_be_and_commands_no_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spread = Spread(0.5, 0.25, 0.25, 0.75, 2)
    columns = ("jsd.4", "jsd.2", f"w{ESCAPE}", "unique")
    rows = [
        Row((f"a method of long name {i}{ESCAPE}",), 3, {ESCAPE: 1}, dict.fromkeys(columns, spread), {}, spread, spread)
        for i in range(3)
    ]
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1") if terminal else monkeypatch.delenv("FORCE_COLOR", raising=False)
    _show(_plain(Summary(f"n{ESCAPE}", (f"axis{ESCAPE}",), columns, tuple(rows), {})))
    out = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)  # the colours of failures
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert all(f"a method of long name {i}\\x1b[2J\\x9b" in out for i in range(3))
    assert out.count("0.500") >= 2 * 3
    assert ("0.500 ± 0.250 (2 of 3)" in out) is not terminal  # there in several lines
    assert "…" not in out


def test_two_sweeps_do_not_share_a_folder(textgan: Command, home: Path) -> None:
    from textgan.lock import alone_in

    with alone_in(home / "sweeps" / "m"):
        code, _, err = textgan("sweep", "m.toml")
    assert code == 1
    assert "another process is training in sweeps/m (process " in err
    assert "; wait for it, or name another with --out" in err


def test_the_board_counts_and_estimates(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    now = {"seconds": 0.0}
    monkeypatch.setattr("textgan.cli.sweep.time.monotonic", lambda: now["seconds"])
    board, job = Board(5, 1, 2), [Job(name, Path(name), "") for name in "abc"]
    board.started(job[0])
    board.started(job[1])
    assert board.counts() == "1 of 5 cells done, 2 running"
    now["seconds"] = 60
    board.ended(job[0], Result(1, "no luck", 3, 1.0, None))
    # a minute a cell: the running one is due, two others wait, two at a time
    assert board.counts() == "2 of 5 cells done, 1 running, 1 failed, about 1:00 left"
    board.ended(job[1], Result(130, "", 3, 1.0, None))
    err = capfd.readouterr().err.split("\n")
    assert err[0] == "a: failed: no luck (2 of 5 cells done, 1 running, 1 failed, about 1:00 left)"
    assert err[1] == "b: saved at step 3"
    assert board.done == 2
    board.started(job[2])
    board.ended(job[2], Result(1, f"{HELD}c; wait", 0, 0.0, None))
    assert (board.done, board.failed) == (2, 1)
    assert capfd.readouterr().err == "c: another process is training in its folder; waiting for it\n"


def test_cores_of_this_machine_are_the_default(textgan: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    text = (home / "m.toml").read_text().replace("jobs = 2", "threads = 2")
    (home / "m.toml").write_text(text)
    assert json.loads(textgan("sweep", "m.toml", "--dry-run", "--json")[1])["jobs"] == 3
    (home / "m.toml").write_text(text.replace("threads = 2", "threads = 1"))
    assert json.loads(textgan("sweep", "m.toml", "--dry-run", "--json")[1])["jobs"] == 4  # no more than cells
