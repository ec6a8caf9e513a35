"""A sweep's parts: the grid of a file, its schedule with stand-ins for processes, its table by hand numbers."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from textgan.errors import CorruptError, TextganError, UsageError
from textgan.lock import alone_in
from textgan.report.charts import WIDTH
from textgan.report.sweeps import Spread, Summary, markdown, plot, render, to_json
from textgan.settings import resolve
from textgan.sweep import follower, grid, results, schedule, table
from textgan.sweep.results import Job, Result

PLAIN = re.compile(r"[A-Za-z0-9_=+][A-Za-z0-9._=+,-]*")


def written(folder: Path, text: str, name: str = "s.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def grid_of(folder: Path, text: str) -> list[grid.Cell]:
    return grid.cells(grid.read(written(folder, text)))


# --- the grid


FILE = """
[sweep]
preset = "smoke"
[settings]
training.steps = 7
"generator.width" = 4
[axes]
training.seed = [0, 1]
critic.width = [8, 16]
[axes.method]
soft = { generator.relaxation = "softmax" }
hard = { "generator.relaxation" = "straight_through", preset = "quick", generator = { width = 5 } }
"""


def test_the_grid_is_the_product_of_its_axes(tmp_path: Path) -> None:
    found = grid_of(tmp_path, FILE)
    assert [cell.name for cell in found] == [
        f"width={width},{method},seed={seed}" for seed in (0, 1) for width in (8, 16) for method in ("soft", "hard")
    ]
    assert [cell.setting for cell in found[:3]] == [("8", "soft"), ("8", "hard"), ("16", "soft")]
    configs = [resolve(cell.preset, cell=cell.tables).config for cell in found]
    assert [(c.training.seed, c.critic.width, c.generator.relaxation) for c in configs] == [
        (seed, width, relaxation)
        for seed in (0, 1)
        for width in (8, 16)
        for relaxation in ("softmax", "straight_through")
    ]
    assert {(c.preset, c.generator.width) for c in configs} == {("smoke", 4), ("quick", 5)}
    assert {c.training.steps for c in configs} == {7}


def test_a_grid_may_grow_and_its_cells_keep_their_names(tmp_path: Path) -> None:
    before = {cell.name for cell in grid_of(tmp_path, FILE)}
    grown = FILE.replace("[0, 1]", "[2, 1, 0]") + "more = { generator.temperature = 2.0 }\n"
    after = [cell.name for cell in grid_of(tmp_path, grown)]
    assert before < set(after)
    assert len(after) == 18


def test_settings_win_in_the_order_of_environment_cell_and_override() -> None:
    cell: list[dict[str, Any]] = [{"training.seed": 2, "text": {"length": 9}}, {"text.length": 10}]
    environ = {"TEXTGAN_TRAINING__SEED": "7", "TEXTGAN_TRAINING__STEPS": "3"}
    config = resolve("smoke", cell=cell, environ=environ, overrides=["text.length=11"]).config
    assert (config.training.seed, config.training.steps, config.text.length) == (2, 3, 11)
    assert resolve("smoke", cell=cell).origin["text.length"] == "the sweep"


def test_presets_as_an_axis_and_alike_last_parts(tmp_path: Path) -> None:
    found = grid_of(tmp_path, '[axes]\npreset = ["smoke", "quick"]\ncritic.width = [8]\ngenerator.width = [4]\n')
    assert [(cell.name, cell.preset) for cell in found] == [
        ("smoke,critic.width=8,generator.width=4", "smoke"),
        ("quick,critic.width=8,generator.width=4", "quick"),
    ]


def test_an_entry_of_a_table_is_an_axis(tmp_path: Path) -> None:
    for key in ("game.penalties.r1", '"game.penalties.r1"', 'game.penalties."r1"'):
        found = grid_of(tmp_path, f"[axes]\n{key} = [1, 2]\n")
        assert [cell.name for cell in found] == ["r1=1", "r1=2"]
        configs = [resolve("relativistic", cell=cell.tables).config for cell in found]
        assert [config.game.penalties["r1"] for config in configs] == [1, 2]
        assert all(len(config.game.penalties) > 1 for config in configs)  # the preset's others stay
    whole = grid_of(tmp_path, "[axes]\ngame.penalties = [{ r1 = 1 }, {}]\n")
    assert [cell.tables[-1] for cell in whole] == [{"game.penalties": {"r1": 1}}, {"game.penalties": {}}]


HOSTILE = [
    "../x",
    "",
    ".",
    "..",
    "-rf",
    "a/b",
    "a_b",
    "a,b",
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "x" * 300,
    "x" * 301,
    "\x1b[2J",
    "\n",
]


def test_names_are_safe_and_unlike(tmp_path: Path) -> None:
    bundles = "".join(f"{json.dumps(name)} = {{ training.steps = {i + 1} }}\n" for i, name in enumerate(HOSTILE))
    assert all(PLAIN.fullmatch(grid.path_safe(name)) for name in HOSTILE)
    numbers = "[1, 1.0, 1e-3, 0.001001, -1]"
    found = grid_of(tmp_path, f"[axes]\ngenerator.learning_rate = {numbers}\n[axes.m]\n{bundles}")
    names = [cell.name for cell in found]
    assert len(set(names)) == len(names) == 5 * len(HOSTILE)
    for name in names:
        assert PLAIN.fullmatch(name), name
        assert len(name) <= 130
        assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_a_long_name_is_cut_and_stays_its_own(tmp_path: Path) -> None:
    axes = "".join(f"[axes.m{i}]\n{'b' * 40}{i} = {{}}\n{'c' * 40}{i} = {{}}\n" for i in range(6))
    names = [cell.name for cell in grid_of(tmp_path, axes)]
    assert len(set(names)) == 64
    assert max(map(len, names)) <= 130


@given(st.lists(st.text(max_size=60), unique=True, min_size=2, max_size=2))
def test_two_texts_never_share_a_name(texts: list[str]) -> None:
    one, two = (grid.path_safe(text.encode("utf-8", "ignore").decode()) for text in texts)
    same = texts[0].encode("utf-8", "ignore") == texts[1].encode("utf-8", "ignore")
    assert (one == two) == same


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "is no TOML file"),
        ("", "has no axis"),
        ("[axes]", "has no axis"),
        ("axes = 3", "axes is no table"),
        ("[swep]", "there is no 'swep'; did you mean 'sweep'"),
        ("[sweep]\njob = 2\n[axes]\ntraining.seed = [1]", "there is no 'job'; did you mean 'jobs'"),
        ("[sweep]\njobs = 0\n[axes]\ntraining.seed = [1]", "sweep.jobs = 0: should be a number of cells"),
        ("[sweep]\nthreads = true\n[axes]\ntraining.seed = [1]", "sweep.threads = True: should be"),
        ("[sweep]\ncolumns = [1]\n[axes]\ntraining.seed = [1]", "should be a list of texts"),
        ("[axes]\ntraining.seed = []", "'training.seed' is neither a list"),
        ("[axes]\ntraining.seed = 3", "'training.seed' is neither a list"),
        ("[axes]\nmethod = { a = 1 }", "'method' is neither a list"),
        ("[axes]\ntraining.seed = [1, 2, 1]", "'training.seed' holds 1 twice"),
        ("[axes]\npreset = [1]", "preset = 1: a preset has a name"),
        ("[axes.critic]\nsmall = { width = 8 }", "which must not be called 'critic', as a section is"),
        ("[axes.critic]\nsmall = { critic = { width = 8 } }", "'critic.small' is no key with a list of values"),
        ("[axes.game.penalties]\nr = { r1 = 8 }", "which must not be called 'game.penalties', as a section is"),
        (
            f"[axes]\ntraining.seed = {list(range(101))}\ncritic.width = {list(range(100))}",
            "the axes make 10,100 cells; 10,000 are the most",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_clear_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(told)) as error:
        grid_of(tmp_path, text)
    assert "\n" not in str(error.value)


# --- the schedule


class Fake:
    """A process that ends after so many looks, or at a signal."""

    def __init__(self, looks: int, code: int) -> None:
        self.looks, self.code, self.signals = looks, code, list[int]()
        self.saves = 1  # looks that it takes to end after a signal

    def poll(self) -> int | None:
        self.looks -= 1
        return self.code if self.looks < 0 else None

    def send_signal(self, sig: int, /) -> None:
        self.signals.append(sig)
        self.looks, self.code = self.saves, 130


class Bench:
    """Starts stand-ins, and remembers what happened."""

    def __init__(self, codes: Mapping[str, int], looks: int = 2) -> None:
        self.codes, self.looks = codes, looks
        self.begun: list[str] = []
        self.ends: list[tuple[str, int]] = []
        self.most = 0
        self.looked, self.waits = 0, list[str]()
        self.each_look: Callable[[int], None] = lambda looked: None
        self.processes: dict[str, Fake] = {}

    def start(self, job: Job) -> Fake:
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / results.OUT).write_text(json.dumps({"metrics": {"words": {"value": 0.5}}}))
        (job.folder / results.ERR).write_text("a note\ntextgan: error: no luck\n\n")
        (job.folder / "metrics.jsonl").write_text('{"step": 5, "processor_seconds": 1.5}\n{"step": 6, "pro')
        self.begun.append(job.name)
        self.most = max(self.most, len(self.begun) - len(self.ends))
        self.processes[job.name] = Fake(self.looks, self.codes.get(job.name, 0))
        return self.processes[job.name]

    def started(self, job: Job) -> None:
        assert self.begun[-1] == job.name

    def ended(self, job: Job, result: Result) -> None:
        self.ends.append((job.name, result.code))

    def held(self, job: Job) -> None:
        self.waits.append(job.name)

    def waited(self) -> None:
        self.looked += 1
        self.each_look(self.looked)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "PAUSE", 0.0)


def jobs(folder: Path, names: str = "abcde") -> list[Job]:
    return [Job(name, folder / name, "") for name in names]


def play(bench: Bench, work: list[Job], at_once: int = 2, stop: Callable[[], str | None] = lambda: None) -> None:
    schedule.play(work, at_once, bench.start, stop, bench)


def test_so_many_at_once_and_a_failure_stops_no_other(tmp_path: Path) -> None:
    bench, work = Bench({"b": 4, "c": 1, "d": -9}), jobs(tmp_path)
    play(bench, work)
    assert (bench.begun, bench.most) == (list("abcde"), 2)
    assert dict(bench.ends) == {"a": 0, "b": 4, "c": 1, "d": -9, "e": 0}
    found = {job.name: results.result_of(job.folder) for job in work}
    assert found["a"] == Result(0, "", 5, 1.5, {"words": {"value": 0.5}})
    assert found["c"] == Result(1, "no luck", 5, 1.5, None)
    assert [result.failure for result in found.values() if result] == ["", "diverged", "no luck", "no luck", ""]


def test_what_has_ended_is_skipped_and_what_failed_runs_again_if_asked(tmp_path: Path) -> None:
    work = jobs(tmp_path)
    play(Bench({"b": 4}), work[:3])
    assert [job.name for job in schedule.waiting(work, retry=False)] == ["d", "e"]
    assert [job.name for job in schedule.waiting(work, retry=True)] == ["b", "d", "e"]
    (work[0].folder / results.RESULT).write_text("{")
    with pytest.raises(CorruptError, match=r"result\.json cannot be read"):
        schedule.waiting(work, retry=False)


def test_a_signal_stops_the_sweep_and_what_ran_goes_on_next_time(tmp_path: Path) -> None:
    bench, work = Bench({}, looks=3), jobs(tmp_path)
    play(bench, work, stop=lambda: "SIGINT" if len(bench.ends) >= 2 and len(bench.begun) > 3 else None)
    assert bench.begun == list("abcd")
    assert bench.ends == [("a", 0), ("b", 0), ("c", 130), ("d", 130)]
    assert [bench.processes[name].signals for name in "abcd"] == [[], [], [signal.SIGINT], [signal.SIGINT]]
    assert [job.name for job in schedule.waiting(work, retry=False)] == list("cde")


def test_a_cell_that_dies_of_the_signal_was_stopped_and_goes_on(tmp_path: Path) -> None:
    bench, work = Bench({}, looks=3), jobs(tmp_path, "a")
    original = bench.start

    def start(job: Job) -> Fake:
        process = original(job)
        process.send_signal = lambda sig, /: vars(process).update(looks=0, code=1)  # type: ignore[method-assign]
        return process

    schedule.play(work, 1, start, lambda: "SIGINT" if bench.begun else None, bench)
    assert bench.ends == [("a", 130)]
    assert schedule.waiting(work, retry=False) == work


def test_nothing_begins_after_a_signal(tmp_path: Path) -> None:
    bench = Bench({})
    play(bench, jobs(tmp_path), stop=lambda: "SIGTERM")
    assert bench.begun == []


def test_an_error_leaves_no_cell_running_unsaved(tmp_path: Path) -> None:
    bench = Bench({"a": 0}, looks=0)
    bench.ended = lambda job, result: (_ for _ in ()).throw(OSError("full"))  # type: ignore[method-assign]
    original = bench.start

    def start(job: Job) -> Fake:
        process = original(job)
        process.looks = 0 if job.name == "a" else 99
        return process

    with pytest.raises(OSError, match="full"):
        schedule.play(jobs(tmp_path), 2, start, lambda: None, bench)
    assert bench.processes["b"].signals == [signal.SIGINT]


def test_a_cell_trains_with_its_own_settings_and_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: seen.update(more, command=command))
    monkeypatch.setenv("TEXTGAN_TRAINING__SEED", "3")
    monkeypatch.setenv("TEXTGAN_CACHE", "here")
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / results.RESULT).write_text("{}")
    with (folder / results.ERR).open("w") as still_there:
        still_there.write("of a process that was left")
    os.link(folder / results.ERR, tmp_path / "left")
    schedule.trainer(3)(Job("c", folder, "x = 1\n"))
    file = str(folder / "settings.toml")
    assert seen["command"][1:] == [
        "-m", "textgan.sweep.follower", str(os.getpid()),
        "train", "-c", file, "--run", str(folder), "--resume", "--json",
    ]  # fmt: skip
    assert seen["start_new_session"]
    assert {name: seen["env"].get(name) for name in ("OMP_NUM_THREADS", "TEXTGAN_CACHE", "TEXTGAN_TRAINING__SEED")} == {
        "OMP_NUM_THREADS": "3", "TEXTGAN_CACHE": "here", "TEXTGAN_TRAINING__SEED": None,
    }  # fmt: skip
    assert Path(file).read_text() == "x = 1\n"
    assert not (folder / results.RESULT).exists()
    assert (folder / results.ERR).read_text() == ""
    assert (tmp_path / "left").read_text() == "of a process that was left"


def test_a_cell_whose_folder_is_held_lets_the_others_go_first(tmp_path: Path) -> None:
    bench, work = Bench({}), jobs(tmp_path, "abc")
    work[0].folder.mkdir()
    with ExitStack() as lock:
        lock.enter_context(alone_in(work[0].folder))
        bench.each_look = lambda looked: lock.close() if looked == 20 else None
        play(bench, work, at_once=1)
    assert (bench.begun, bench.waits) == (list("bca"), ["a"])
    assert bench.looked > 20
    assert not schedule.held(work[0].folder)
    with alone_in(work[0].folder):  # of which looking at it does not take hold
        assert schedule.held(work[0].folder)
        assert schedule.held(work[0].folder)


def test_what_was_held_is_no_failure_and_has_another_turn(tmp_path: Path) -> None:
    bench, work = Bench({"a": 1}), jobs(tmp_path, "ab")
    original = bench.start

    def start(job: Job) -> Fake:
        assert not (job.folder / results.RESULT).exists()
        process = original(job)
        if bench.begun.count("a") == 1 and job.name == "a":
            with alone_in(tmp_path / "busy"), pytest.raises(TextganError) as error, alone_in(tmp_path / "busy"):
                pass
            (job.folder / results.ERR).write_text(f"textgan: error: {error.value}\n")
            bench.codes = {}
        return process

    schedule.play(work, 1, start, lambda: None, bench)
    assert (bench.begun, bench.ends) == (list("aba"), [("a", 1), ("b", 0), ("a", 0)])
    # one that was told as a failure before is none
    told = {"code": 1, "error": f"{results.HELD}x; wait", "step": 0, "processor_seconds": 0.0, "metrics": None}
    (work[0].folder / results.RESULT).write_text(json.dumps({"schema": 1} | told))
    assert schedule.waiting(work, retry=False) == work[:1]


def test_a_sweep_ends_when_its_cells_have_and_signals_them_once(tmp_path: Path) -> None:
    bench, work = Bench({}, looks=50), jobs(tmp_path, "ab")

    def fail(looked: int) -> None:
        bench.processes["a"].saves = 20
        if looked == 5:
            raise OSError("the terminal is gone")

    bench.each_look = fail
    with pytest.raises(OSError, match="gone"):
        play(bench, work, stop=lambda: "SIGTERM" if bench.looked > 2 else None)
    assert [process.signals for process in bench.processes.values()] == [[signal.SIGINT]] * 2
    assert all(process.looks < 0 for process in bench.processes.values())


CHILD = """
import signal, sys, time
from textgan.sweep.follower import follow
def told(number, frame):
    print("saved", flush=True)
    sys.exit()
signal.signal(signal.SIGINT, told)
follow(int(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())]).wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_process_is_interrupted_when_its_parent_is_killed() -> None:
    command = [sys.executable, "-c", PARENT, CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout
        try:
            assert parent.stdout.readline() == "ready\n"
            parent.kill()
            assert parent.stdout.read() == "saved\n"
        finally:
            os.killpg(parent.pid, signal.SIGKILL) if parent.poll() is None else None
    with pytest.raises(SystemExit) as gone:
        follower.follow(os.getppid() + 1)
    assert gone.value.code == 130


LIMITS = "[training]\nsteps = {}\nminutes = {}\nprocessor_minutes = {}\n"


@pytest.mark.parametrize(
    ("before", "now", "step", "seconds", "goes"),
    [
        ((100, 0, 1), (100, 0, 1), 40, 60.2, False),
        ((100, 0, 1), (100, 0, 2), 40, 60.2, True),
        ((100, 0, 1), (100, 0, 0), 40, 60.2, True),
        ((100, 0, 1), (200, 0, 1), 40, 60.2, False),
        ((100, 0, 1), (100, 0, 0.5), 40, 60.2, False),
        ((100, 0, 0.020001), (100, 0, 0.5), 40, 1.2, True),  # the log has rounded 1.20006 s
        ((100, 0, 0), (200, 0, 0), 100, 60.2, True),
        ((100, 0, 5), (100, 0, 6), 100, 60.2, False),
        ((100, 0, 5), (200, 0, 1), 100, 60.2, False),
        ((100, 3, 5), (100, 4, 5), 40, 60.2, True),
        ((100, 3, 5), (100, 0, 5), 40, 60.2, True),
        ((100, 3, 5), (100, 2, 6), 40, 60.2, False),
        ((100, 0, 5), (50, 0, 5), 100, 60.2, False),
    ],
)
def test_a_cell_goes_on_if_the_limit_that_ended_it_was_raised(
    before: tuple[float, ...], now: tuple[float, ...], step: int, seconds: float, goes: bool, tmp_path: Path
) -> None:
    job = Job("a", tmp_path, LIMITS.format(*now))
    (tmp_path / results.SETTINGS).write_text(LIMITS.format(*before))
    for code, waits in ((0, goes), (1, False)):
        ended = Result(code, "", step, seconds, None)
        (tmp_path / results.RESULT).write_text(json.dumps(vars(ended)))
        assert bool(schedule.waiting([job], retry=False)) is waits


def test_other_settings_than_those_on_disk_are_refused(tmp_path: Path) -> None:
    before = Job("a", tmp_path / "a", 'preset = "quick"\n[training]\nsteps = 5\nold = 1\n')
    same = Job("b", tmp_path / "b", before.settings)
    for job in (before, same):
        job.folder.mkdir()
        (job.folder / results.SETTINGS).write_text(job.settings)
    results.check_unchanged([before, same, Job("new", tmp_path / "new", "")])
    newer = before.settings.replace("old = 1", "new = { a = 2 }")
    results.check_unchanged([Job("a", before.folder, newer)])
    changed = [Job(job.name, job.folder, newer.replace("steps = 5", "steps = 6")) for job in (before, same)]
    with pytest.raises(UsageError, match=r"cell a and 1 more \(training\.steps 5 -> 6\); name another folder with --o"):
        results.check_unchanged(changed)
    results.check_unchanged([replace(job, free=frozenset({"training.steps"})) for job in changed])


# --- the table


def metrics(jsd: float, words: float | None, floor: float = 0.25) -> dict[str, Any]:
    return {
        "samples": 50,
        "reference": 1200,
        "jsd": {"4": {"value": jsd, "floor": floor, "excess": jsd - floor}},
        "words": {"value": words, "floor": None},
        "critic": {"slope": 1.5, "frozen": True},
    }


def summary(folder: Path, text: str, ended: Mapping[str, Result], rows: Mapping[str, str] | None = None) -> Summary:
    sweep = grid.read(written(folder, text))
    cells = grid.cells(sweep)
    folders = {cell.name: folder / cell.name for cell in cells}
    for name, log in (rows or {}).items():
        folders[name].mkdir()
        (folders[name] / "metrics.jsonl").write_text(log)
    return table.summarise(sweep, [cell for cell in cells if cell.name in ended], ended, folders)


METHODS = '[sweep]\nname = "names"\n[axes]\ntraining.seed = [0, 1, 2]\n[axes.method]\na = {}\n"b|<b>" = {}\n'
B = grid.path_safe("b|<b>")
ENDED = {
    "a,seed=0": Result(0, "", 10, 60.0, metrics(0.5, 0.1)),
    "a,seed=1": Result(0, "", 20, 120.0, metrics(0.7, None, 0.35)),
    "a,seed=2": Result(4, "a loss is nan", 30, 240.0, None),
    f"{B},seed=0": Result(1, "disk | full", 3, 6.0, None),
    f"{B},seed=1": Result(1, "disk | full", 5, 6.0, None),
    f"{B},seed=2": Result(0, "", 4000, 18.0, metrics(0.9, 0.3)),
}


def test_figures_are_the_numbers_by_path() -> None:
    assert results.figures(metrics(0.5, None)) == {"samples": 50, "reference": 1200, "jsd.4": 0.5, "critic.slope": 1.5}
    assert results.figures(metrics(0.5, 0.1), "floor") == {"jsd.4": 0.25}


def test_mean_spread_and_failures_by_hand(tmp_path: Path) -> None:
    found = summary(tmp_path, METHODS, ENDED)
    assert (found.name, found.axes, found.columns) == ("names", ("method",), ("jsd.4", "words"))
    a, b = found.rows
    assert (a.setting, a.seeds, a.failures) == (("a",), 3, {"diverged": 1})
    assert (b.setting, b.seeds, b.failures) == (("b|<b>",), 3, {"disk | full": 2})
    assert vars(a.figures["jsd.4"]) == pytest.approx(
        {"mean": 0.6, "deviation": 0.02**0.5, "low": 0.5, "high": 0.7, "count": 2}
    )
    assert a.figures["words"] == Spread(0.1, None, 0.1, 0.1, 1)
    # like the figures, of the cells that ended well alone
    assert (a.steps, b.steps) == (Spread.of([10, 20]), Spread.of([4000]))
    assert (a.minutes, b.minutes) == (Spread.of([1, 2]), Spread.of([0.3]))
    assert a.floors == {"jsd.4": pytest.approx(0.3)}
    assert (b.floors, found.floors) == ({"jsd.4": 0.25}, {})
    assert found.counts == {"samples": (50,), "reference": (1200,)}


def test_the_table_in_markdown_and_on_a_terminal(tmp_path: Path) -> None:
    found = summary(tmp_path, METHODS, ENDED)
    assert markdown(found).split("\n") == [
        "| method | jsd.4 | words | seeds | failed | steps | minutes |",
        "|---|--:|--:|--:|--:|--:|--:|",
        "| a | 0.600 ± 0.141 (2 of 3) | 0.100 (1 of 3) | 3 | 1 | 15 | 1.50 |",
        "| a, real | 0.300 | - |  |  |  |  |",
        "| b\\|\\<b\\> | 0.900 (1 of 3) | 0.300 (1 of 3) | 3 | 2 | 4,000 | 0.30 |",
        "| b\\|\\<b\\>, real | 0.250 | - |  |  |  |  |",
        "",
        "mean ± standard deviation over seeds; 50 samples of each; 1,200 rows of reference; minutes of processor time.",
        "",
        "- a: 1 failed: diverged",
        "- b\\|\\<b\\>: 2 failed: disk \\| full",
        "",
    ]
    shown = printed(found, 100)
    assert "0.600 ± 0.141 (2 of 3)" in shown
    assert "b|<b>: 2 failed: disk | full" in shown


def printed(found: Summary, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for part in render(found):
        console.print(part, crop=False)
    return console.export_text()


@pytest.mark.parametrize(("floors", "rows"), [((0.25, 0.2504), ["real 0.250 -"]), ((0.25, 0.5), [
    "a, real 0.250 -", "b, real 0.500 -",
])])  # fmt: skip
def test_the_floor_is_one_row_only_where_all_settings_have_it(
    floors: tuple[float, float], rows: list[str], tmp_path: Path
) -> None:
    ended = {
        name: Result(0, "", 1, 1.0, metrics(0.5, 0.1, floor)) for name, floor in zip("ab", floors, strict=True)
    } | {"c": Result(1, "no", 0, 0.0, None)}
    found = summary(tmp_path, "[axes.method]\na = {}\nb = {}\nc = {}\n", ended)
    lines = [" ".join(line.replace("|", " ").split()) for line in markdown(found).split("\n")]
    assert [line for line in lines if "real" in line] == rows
    told = to_json(found)
    assert [row["floors"] for row in told["rows"]] == [{"jsd.4": floors[0]}, {"jsd.4": floors[1]}, {}]
    assert told["floors"] == ({"jsd.4": pytest.approx(0.2502)} if len(rows) == 1 else {})
    assert told["rows"][2]["steps"] is None


@pytest.mark.parametrize("width", [80, 200])
def test_a_narrow_terminal_loses_nothing_of_the_table(width: int, tmp_path: Path) -> None:
    labels = [f"a method with a rather long name {i}" for i in range(3)]
    keys = ["jsd.4", "words", "critic.slope", "samples", "reference"]
    text = f'[sweep]\ncolumns = {keys}\n[axes]\n"generator.width" = [16]\ntraining.seed = [0, 1]\n[axes.method]\n'
    text += "".join(f"{json.dumps(label)} = {{}}\n" for label in labels)
    cells = grid_of(tmp_path, text)
    ended = {cell.name: Result(0, "", 1, 1.0, metrics(i / 7, i / 9)) for i, cell in enumerate(cells)}
    shown = printed(summary(tmp_path, text, ended), width).split("\n")
    assert all(any(label in line and "16" in line for line in shown) for label in labels)
    words = " ".join(shown).split()
    assert all(words.count(word) >= 3 for word in ("1.500", "50.000", "1,200"))
    assert all(word in words for word in [*keys, "method", "width", "seeds", "failed", "steps", "minutes"])
    assert "…" not in "".join(words)


def test_the_json_is_strict_and_holds_every_figure(tmp_path: Path) -> None:
    told = json.loads(json.dumps(to_json(summary(tmp_path, METHODS, ENDED)), allow_nan=False))
    assert told["schema"] == 1
    assert told["rows"][0]["figures"]["critic.slope"] == {
        "mean": 1.5, "deviation": 0.0, "low": 1.5, "high": 1.5, "count": 2,
    }  # fmt: skip
    assert told["rows"][0]["steps"]["high"] == 20


def test_whose_features_pictures_were_measured_on_is_told(tmp_path: Path) -> None:
    ended = {name: Result(0, "", 1, 1.0, {"frechet": {"value": 2.0}, "extractor": f"net-{name}"}) for name in "ab"}
    alone = summary(tmp_path, "[axes.method]\na = {}\n", {"a": ended["a"]})
    assert "; on the features of net-a; minutes" in markdown(alone)
    both = summary(tmp_path, "[axes.method]\na = {}\nb = {}\n", ended)
    assert "; on the features of net-a or net-b, whose figures are not comparable; minutes" in markdown(both)
    assert to_json(both)["extractors"] == ["net-a", "net-b"]


def test_columns_of_what_has_other_figures(tmp_path: Path) -> None:
    ended = {"a": Result(0, "", 1, 1.0, {"samples": 9, "modes": 8, "share": {"value": 0.5}})}
    text = "[axes.method]\na = {}\n"
    assert summary(tmp_path, text, ended).columns == ("modes", "share")
    assert summary(tmp_path, '[sweep]\ncolumns = ["share", "none"]\n' + text, ended).columns == ("share", "none")
    nothing = summary(tmp_path, text, {"a": Result(1, "no", 0, 0.0, None)})
    assert (nothing.columns, nothing.rows[0].figures, plot(nothing)) == ((), {}, "")
    assert "| a | 1 | 1 | - | - |" in markdown(nothing)
    assert table.unknown(nothing) == {}


def test_a_column_that_no_cell_has_is_told_with_the_nearest(tmp_path: Path) -> None:
    text = '[sweep]\ncolumns = ["jds.4", "words", "jsd.4"]\n[axes.method]\na = {}\n'
    found = summary(tmp_path, text, {"a": Result(0, "", 1, 1.0, metrics(0.5, 0.1))})
    assert table.unknown(found) == {"jds.4": "; did you mean 'jsd.4'?"}


def log_of(points: list[tuple[float, float]]) -> str:
    rows = [{"step": i, "processor_seconds": 60 * x, "evaluation": metrics(y, 0.5)} for i, (x, y) in enumerate(points)]
    return "".join(json.dumps(row) + "\n" for row in rows) + '{"step": 9}\n'


def test_the_plot_is_the_mean_over_seeds_at_equal_minutes(tmp_path: Path) -> None:
    logs = {
        "a,seed=0": log_of([(0.0, 1.0), (2.0, 0.0)]),
        "a,seed=1": log_of([(0.5, 1.0), (1.5, 1.0), (4.0, 0.5)]),
        "a,seed=2": log_of([(1.0, 0.0)]),  # it diverged
        f"{B},seed=2": log_of([(1.0, 0.25), (3.0, 0.125)]),
    }
    found = summary(tmp_path, METHODS, ENDED, logs)
    assert found.rows[0].curves == [[(0.0, 1.0), (2.0, 0.0)], [(0.5, 1.0), (1.5, 1.0), (4.0, 0.5)]]
    from textgan.report.sweeps import _mean_curve

    points, spans = _mean_curve(found.rows[0].curves)
    assert (points[0], spans[0]) == ((0.5, 0.875), (0.5, 0.75, 1.0))
    # at 2 minutes the first has 0, the second is a fifth of the way from 1 to a half
    assert points[-1] == pytest.approx((2.0, 0.45))
    assert spans[-1] == pytest.approx((2.0, 0.0, 0.9))
    assert _mean_curve(found.rows[1].curves) == ([(1.0, 0.25), (3.0, 0.125)], [])
    assert _mean_curve([[(1.0, 0.5)], [(3.0, 1.0)]]) == ([(2.0, 0.75)], [(2.0, 0.5, 1.0)])


def test_the_plot_stands_alone_and_tells_settings_apart(tmp_path: Path) -> None:
    bundles = "".join(f"m{i} = {{}}\n" for i in range(20))
    ended = {f"m{i}": Result(0, "", 1, 1.0, metrics(i / 20, 0.1)) for i in range(20)}
    logs = {name: log_of([(0.5, i / 20), (1.0, i / 25)]) for i, name in enumerate(ended)}
    drawn = plot(summary(tmp_path, f"[axes.method]\n{bundles}", ended, logs))
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in root.findall("{http://www.w3.org/2000/svg}text")]
    assert texts == list(ended)
    looks = re.findall(r"path\.s\d+ \{ stroke: (\S+); stroke-width: 2; stroke-dasharray: (.*?); \}", drawn)
    assert len(set(looks)) == 20
    right, bottom = map(float, (root.get("viewBox") or "").split()[2:])
    assert right >= WIDTH + 10  # the number at the end of the axis is not cut
    assert ".sheet svg { overflow: visible; }" in drawn
    assert all(float(text.get("y", "0")) < bottom for text in root.findall("{http://www.w3.org/2000/svg}text"))


def test_names_with_several_axes_and_with_none_but_seeds(tmp_path: Path) -> None:
    ended = {"width=8,a": Result(1, "no", 0, 0.0, None)}
    several = summary(tmp_path, "[axes]\ncritic.width = [8]\n[axes.method]\na = {}\n", ended)
    assert "- width=8, method=a: 1 failed: no" in markdown(several)
    alone = summary(
        tmp_path, '[sweep]\nname = "n"\n[axes]\ntraining.seed = [1]\n', {"seed=1": Result(0, "", 1, 1.0, {})}
    )
    assert "| n | 1 | 0 | 1 | 0.02 |" in markdown(alone)


def test_files_are_written(tmp_path: Path) -> None:
    found = summary(tmp_path, METHODS, ENDED, {"a,seed=0": log_of([(0.0, 1.0)])})
    out = tmp_path / "out"

    def files() -> list[str]:
        return sorted(path.name for path in out.iterdir())

    assert sorted(table.write(found, out)) == files() == ["plot.svg", "sweep.json", "table.md"]
    assert json.loads((out / "sweep.json").read_text()) == json.loads(json.dumps(to_json(found)))
    nothing = replace(found, rows=tuple(replace(row, curves=[]) for row in found.rows))
    assert sorted(table.write(nothing, out)) == files() == ["sweep.json", "table.md"]


def test_a_cell_whose_last_row_is_an_alarm_took_the_time_of_the_row_before(tmp_path: Path) -> None:
    rows = [{"step": 7, "processor_seconds": 42.5, "evaluation": {}}, {"step": 7, "alarm": {"kind": "collapse"}}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "train.json").write_text('{"metrics": null}')
    result = results.settle(tmp_path, 0)
    assert (result.step, result.processor_seconds) == (7, 42.5)
