from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import textgan
from textgan import assemble, files, lock, model, resuming, runs
from textgan.config import Config
from textgan.errors import CorruptError, DivergedError, TextganError, UsageError
from textgan.game.steps import critic_step
from textgan.model import load
from textgan.runs import Outcome, Silence
from textgan.settings import resolve
from textgan.training import checkpoint, loop

ROOT = Path(textgan.__file__).parents[1]
KILLED = """
import os, signal, sys
import textgan
from textgan.runs import Silence

class Killer(Silence):
    def step(self, step, row):
        if step == 13:
            os.kill(os.getpid(), signal.SIGKILL)

textgan.train("smoke", settings={"corpus.name": sys.argv[1]}, run=sys.argv[2], watch=Killer())
"""


class Killed(BaseException):
    """As a kill, it is nobody's to handle."""


class Told(Silence):
    """Remembers notes, and may stop a run at a step as a signal or a crash would."""

    def __init__(self, at: int = 0, what: Any = None) -> None:
        self.notes: list[str] = []
        self.steps: list[int] = []
        self.at, self.what = at, what
        self.ended = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, step: int, row: dict[str, Any]) -> None:
        self.steps.append(step)
        if step == self.at:
            self.what()

    def closed(self) -> None:
        self.ended += 1


def smoke(text: Path, flags: Mapping[str, Any] | None = None) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | dict(flags or {})).config


def train(text: Path, run: Path, flags: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
    return runs.train(smoke(text, flags), run, **options)


def interrupted(text: Path, run: Path, at: int, flags: Mapping[str, Any] | None = None) -> Outcome:
    return train(text, run, flags, watch=Told(at, lambda: signal.raise_signal(signal.SIGTERM)))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(run: Path) -> str:
    return digest(run / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def whole(tiny_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    outcome = train(tiny_text, folder)
    assert (outcome.stopped, outcome.step, outcome.folder) == ("finished", 20, folder)
    assert outcome.metrics is not None
    assert outcome.metrics["jsd"].keys() == set("123456")
    return folder


def copied(run: Path, to: Path) -> Path:
    shutil.copytree(run, to)
    return to


def test_a_run_leaves_its_model_log_samples_and_checkpoints(whole: Path, tiny_text: Path) -> None:
    record = json.loads((whole / "run.json").read_text())
    assert record["config"] == smoke(tiny_text).model_dump(mode="json")
    assert record.keys() >= {"schema", "corpus", "seed", "device", "versions", "git", "started"}
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [5, 10, 10, 15, 20, 20]
    assert rows[-1]["evaluation"]["critic"]["rows"] == 256
    assert sorted(path.name for path in (whole / "samples").iterdir()) == ["step-000010.txt", "step-000020.txt"]
    assert len((whole / "samples" / "step-000020.txt").read_text().splitlines()) == 200
    assert 20 in checkpoint.steps(whole / "checkpoints")
    assert not list(whole.rglob("*.tmp"))


def test_the_model_is_the_averaged_generator_of_the_last_step(whole: Path) -> None:
    model = load(whole)
    tensors = checkpoint.load(whole / "checkpoints", 20)[0]
    for name, value in model.net.state_dict().items():
        assert value.equal(tensors[f"average.{name}"])
    assert model.facts["step"] == 20
    assert model.generate(200, seed=0) == (whole / "samples" / "step-000020.txt").read_text().splitlines()


def test_the_same_settings_give_the_same_model(whole: Path, tiny_text: Path, tmp_path: Path) -> None:
    often = {"training.evaluate_every": 4, "training.log_every": 1}
    train(tiny_text, tmp_path / "often", often)
    assert weights(tmp_path / "often") == weights(whole)
    train(tiny_text, tmp_path / "other", {"training.seed": 1})
    assert weights(tmp_path / "other") != weights(whole)


def test_a_run_stopped_by_a_signal_and_resumed_ends_as_the_whole_run(
    whole: Path, tiny_text: Path, tmp_path: Path
) -> None:
    run = tmp_path / "r"
    outcome = interrupted(tiny_text, run, 7)
    assert (outcome.stopped, outcome.step, outcome.metrics) == ("SIGTERM", 7, None)
    assert load(run).facts["step"] == 7
    told = Told()
    outcome = train(tiny_text, run, resume=True, watch=told)
    assert (outcome.stopped, outcome.step) == ("finished", 20)
    assert told.steps == list(range(8, 21))
    assert told.ended == 1
    assert weights(run) == weights(whole)
    one, two = (checkpoint.load(folder / "checkpoints", 20)[0] for folder in (whole, run))
    assert [name for name in one if not one[name].equal(two[name])] == []
    assert one.keys() == two.keys()
    rows = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows == [5, 7, 10, 10, 15, 20, 20]


def test_a_run_killed_in_the_middle_and_resumed_ends_as_the_whole_run(
    whole: Path, tiny_text: Path, tmp_path: Path
) -> None:
    run = tmp_path / "r"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tiny_text), str(run)], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.steps(run / "checkpoints") == [10]
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 11}\n{"st')  # rows of the lost steps, the last cut short
    (run / "checkpoints" / ".step-000020.999999999.tmp").mkdir()
    outcome = train(tiny_text, run, resume=True)
    assert (outcome.stopped, outcome.step) == ("finished", 20)
    assert weights(run) == weights(whole)
    assert digest(run / "checkpoints" / "step-000020" / "tensors.safetensors") == digest(
        whole / "checkpoints" / "step-000020" / "tensors.safetensors"
    )
    rows = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows == [5, 10, 10, 15, 20, 20]
    assert not [*run.rglob("*.tmp"), *run.rglob(".lock")]


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_signals_save_and_exit_with_their_code(
    number: signal.Signals, code: int, tiny_text: Path, tmp_path: Path
) -> None:
    run = tmp_path / "r"
    command = ["-m", "textgan", "train", "-c", "smoke", "--corpus", str(tiny_text), "--run", str(run), "--json"]
    process = subprocess.Popen(
        [sys.executable, *command, "--steps", "1000000"], env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        patience = time.monotonic() + 60
        while not checkpoint.steps(run / "checkpoints") and time.monotonic() < patience:
            time.sleep(0.05)
        process.send_signal(number)
        out, talk = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, talk
    told = json.loads(out)
    assert told["stopped"] == number.name
    assert checkpoint.steps(run / "checkpoints")[-1] == told["step"]
    checkpoint.load(run / "checkpoints", told["step"])
    assert load(run).facts["step"] == told["step"]
    assert "Traceback" not in talk


def test_a_finished_run_says_so_and_goes_on_to_a_larger_total(whole: Path, tiny_text: Path, tmp_path: Path) -> None:
    run, told = copied(whole, tmp_path / "r"), Told()
    outcome = train(tiny_text, run, resume=True, watch=told)
    assert (outcome.stopped, outcome.step, told.steps) == ("already finished", 20, [])
    assert outcome.metrics is not None
    assert "already has its 20 steps; --steps sets a larger total" in told.notes[-1]
    assert train(tiny_text, run, {"training.steps": 22}, resume=True, watch=told).step == 22
    assert told.steps == [21, 22]
    assert json.loads((run / "run.json").read_text())["config"]["training"]["steps"] == 22


@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_kill_before_any_of_its_writes_loses_nothing_for_good(
    write: int, whole: Path, tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run writes four folders: model and checkpoint of step 10, and of step 20."""
    run, done = tmp_path / "r", list[Path]()

    def dies(folder: Path, fill: Any) -> None:
        done.append(folder)
        if len(done) == write:
            raise Killed
        files.write_folder(folder, fill)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_folder", dies)
        patch.setattr(model, "write_folder", dies)
        with pytest.raises(Killed):
            train(tiny_text, run)
    assert train(tiny_text, run, resume=True).step == 20
    assert load(run).facts["step"] == 20
    assert weights(run) == weights(whole)


@pytest.mark.parametrize(
    ("flags", "moves"),
    [
        ({"training.schedule": "constant"}, []),
        ({"training.schedule": "linear"}, ["linear schedule of the learning rates"]),
        ({"training.schedule": "cosine"}, ["cosine schedule of the learning rates"]),
        (
            {"generator.final_temperature": 0.5, "count_critic.weight": 0, "game.real_smoothing": (0.1, 0)},
            ["schedule of generator.final_temperature", "schedule of game.real_smoothing"],
        ),
    ],
)
def test_other_steps_on_a_schedule_are_told_to_change_it(
    flags: dict[str, Any], moves: list[str], tiny_text: Path, tmp_path: Path
) -> None:
    run, told = tmp_path / "r", Told()
    interrupted(tiny_text, run, 1, flags)
    train(tiny_text, run, flags | {"training.steps": 2}, resume=True, watch=told)
    heard = [note for note in told.notes if note.startswith("training.steps 20 -> 2 changes the ")]
    assert heard == [
        f"training.steps 20 -> 2 changes the {what}: the result is not that of an uninterrupted run" for what in moves
    ]


def test_one_process_trains_in_a_folder(whole: Path, tiny_text: Path, tmp_path: Path) -> None:
    run = copied(whole, tmp_path / "r")
    with (
        lock.alone_in(run),
        pytest.raises(TextganError, match=rf"^another process is training in {run} \(process {os.getpid()} .*\); wait"),
    ):
        train(tiny_text, run, resume=True)
    assert train(tiny_text, run, resume=True).stopped == "already finished"

    def second() -> None:
        with pytest.raises(TextganError, match="another process is training in"):
            train(tiny_text, tmp_path / "new")

    told = Told(1, second)
    train(tiny_text, tmp_path / "new", {"training.steps": 1}, watch=told)
    assert told.steps == [1]


def test_what_cannot_be_trained_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run in (None, Path("deep") / "r"):
        with pytest.raises(UsageError, match="unknown corpus"):
            train(Path("absent.txt"), run)  # type: ignore[arg-type]
        assert not [path for path in tmp_path.rglob("*") if path.name not in ("runs", "deep")]


def test_new_runs_of_one_second_have_folders_of_their_own(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Still(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Still:
            return cls(2000, 1, 2, 3, 4, 5)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datetime, "datetime", Still)
    names = [runs.make_run_folder(smoke(tiny_text)).name for _ in range(3)]
    assert names == [f"tiny-smoke-20000102-030405{number}" for number in ("", "-1", "-2")]
    assert sorted(path.name for path in Path("runs").iterdir()) == names


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_is_one_line(error: Exception, tiny_text: Path, tmp_path: Path) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(
        TextganError, match=r"^not enough memory; lower training\.batch, critic\.batch, generator\.width or critic"
    ):
        train(tiny_text, tmp_path / "r", watch=Told(1, fails))


def test_other_troubles_are_neither_of_memory_nor_of_the_disk(tiny_text: Path, tmp_path: Path) -> None:
    def fails(error: Exception) -> None:
        raise error

    for error in (RuntimeError("shapes do not fit"), OSError("the screen is gone")):
        with pytest.raises(type(error), match=str(error)):
            train(tiny_text, tmp_path / type(error).__name__, watch=Told(1, partial(fails, error)))


def test_denormals_are_flushed_in_training_alone(tiny_text: Path, tmp_path: Path) -> None:
    tiny, seen = torch.tensor(1e-40), list[bool]()
    train(tiny_text, tmp_path / "r", {"training.steps": 1}, watch=Told(1, lambda: seen.append(bool(tiny * 1 > 0))))
    assert seen == [False]
    assert tiny * 1 > 0


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_of_the_projects_own_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(folder: Path, *arguments: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        return subprocess.check_output(["git", *who, *arguments], cwd=folder, text=True, stderr=subprocess.PIPE).strip()

    own, installed = tmp_path / "own", tmp_path / "own" / "venv" / "lib"
    for package in (own / "textgan", installed / "textgan"):
        package.mkdir(parents=True)
    (own / "file").write_text("as committed")
    git(own, "init")
    git(own, "add", "file")
    git(own, "commit", "-m", "x")
    commit = git(own, "rev-parse", "HEAD")
    monkeypatch.setattr(runs, "__file__", str(own / "textgan" / "runs.py"))
    assert runs.git_hash() == commit
    (own / "file").write_text("otherwise")
    assert runs.git_hash() == f"{commit}-dirty"
    monkeypatch.setattr(runs, "__file__", str(installed / "textgan" / "runs.py"))
    assert runs.git_hash() is None


def test_resuming_before_any_checkpoint_starts_afresh_and_says_so(tiny_text: Path, tmp_path: Path) -> None:
    told = Told()
    train(tiny_text, tmp_path / "r", {"training.steps": 1}, resume=True, watch=told)
    assert told.steps == [1]
    assert any("has no checkpoint yet; starting from the first step of preset " in note for note in told.notes)


def test_a_run_is_not_overwritten(whole: Path, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match="already holds a run; add --resume"):
        train(tiny_text, whole)


@pytest.mark.parametrize(("key", "value"), [("training.batch", 8), ("generator.width", 9), ("training.seed", 4)])
def test_a_run_is_not_resumed_with_other_settings(key: str, value: int, whole: Path, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=rf"another configuration \({key} \d+ -> {value}\)"):
        train(tiny_text, whole, {key: value}, resume=True)


def test_a_run_is_not_resumed_at_another_precision(whole: Path, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=r"another configuration \(training\.precision auto -> bf16\)"):
        train(tiny_text, whole, {"training.precision": "bf16"}, resume=True)


def test_the_precision_of_a_run_holds_while_it_runs(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []
    monkeypatch.setattr(assemble, "choose_precision", lambda name, device: "tf32")  # as on a GPU

    play_step = loop.play_step

    def watched(state: Any, plan: loop.Plan, *rest: Any) -> Any:
        told.append((plan.precision, torch.backends.cuda.matmul.allow_tf32))
        return play_step(state, plan, *rest)

    monkeypatch.setattr(loop, "play_step", watched)
    train(tiny_text, tmp_path / "r", {"training.steps": 1, "evaluation.samples": 20})
    assert told == [("tf32", True)]
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_precision_that_the_device_lacks_is_refused_before_the_corpus_is_read(tmp_path: Path) -> None:
    flags = {"training.precision": "tf32", "training.device": "cpu"}
    with pytest.raises(UsageError, match=r"^training\.precision: tf32 exists on cuda only, and this device is cpu"):
        train(tmp_path / "missing.txt", tmp_path / "r", flags)


def test_a_run_is_not_resumed_on_other_text(whole: Path, tiny_text: Path, tmp_path: Path) -> None:
    text, run = tmp_path / "x.txt", tmp_path / "r"
    text.write_text(tiny_text.read_text())
    interrupted(text, run, 2)
    text.write_text(tiny_text.read_text() + "another line now\n")
    with pytest.raises(TextganError, match=r"no longer what .* was trained on"):
        train(text, run, resume=True)


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_refused(file: str, tiny_text: Path, tmp_path: Path) -> None:
    run = tmp_path / "r"
    interrupted(tiny_text, run, 2)
    path = run / "checkpoints" / "step-000002" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=file) as caught:
        train(tiny_text, run, resume=True)
    assert "\n" not in str(caught.value)


def test_a_run_record_that_cannot_be_read_is_one_line(tiny_text: Path, tmp_path: Path) -> None:
    run = tmp_path / "r"
    with pytest.raises(TextganError, match="holds no run"):
        resuming.run_config(run)
    interrupted(tiny_text, run, 1)
    for content in ("{}", '{"schema": 1}', "[", '{"schema": 1, "config": {"text": 3}}'):
        (run / "run.json").write_text(content)
        with pytest.raises(CorruptError, match=r"run\.json (is missing or damaged|holds no settings) \(") as caught:
            resuming.run_config(run)
        assert "\n" not in str(caught.value)


def test_a_run_that_diverges_keeps_its_last_checkpoint(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, told = tmp_path / "r", Told()
    sound = critic_step

    def unsound(*args: Any, **sides: Any) -> Any:
        step = sound(*args, **sides)
        bad = {"loss": step.losses["loss"] * float("nan")}
        return step._replace(losses=step.losses | bad) if told.steps and told.steps[-1] == 12 else step

    monkeypatch.setattr(loop, "critic_step", unsound)
    with pytest.raises(DivergedError, match=r"^step 13: the critic's loss is nan"):
        train(tiny_text, run, {"training.rollbacks": 0}, watch=told)
    assert checkpoint.steps(run / "checkpoints") == [10]
    assert load(run).facts["step"] == 10
    assert told.ended == 1


@pytest.mark.parametrize(
    "flags",
    [
        {"critic.net": "none"},
        {"generator.net": "paper", "critic.net": "paper", "generator.blocks": 1, "critic.blocks": 1},
        {"game.objective": "relativistic", "game.penalties": {"r1": 1.0, "r2": 1.0}},
        {"generator.relaxation": "straight_through", "game.constraint": "weight_clipping", "game.penalties": {}},
        {"window_likelihood.weight": 1.0, "count_critic.weight": 0.0},
        {"count_critic.likeliest": 4, "count_critic.kept": 6, "text.length": 13},
        {"text.pad": "backtick", "text.cut": "line", "text.decode": "argmax", "text.max_symbols": 5},
        {"training.precision": "bf16"},
    ],
    ids=["counts alone", "paper", "relativistic", "clipped", "likelihood", "likeliest", "backtick", "bfloat16"],
)
def test_every_kind_of_game_is_played_and_resumed_exactly(
    flags: dict[str, Any], tiny_text: Path, tmp_path: Path
) -> None:
    flags = flags | {"training.steps": 4, "evaluation.samples": 20}
    train(tiny_text, tmp_path / "whole", flags)
    interrupted(tiny_text, tmp_path / "r", 2, flags)
    train(tiny_text, tmp_path / "r", flags, resume=True)
    assert weights(tmp_path / "r") == weights(tmp_path / "whole")
    assert len(load(tmp_path / "r").generate(5)) == 5


def test_python_users_train_generate_and_get_the_folder_back(
    whole: Path, tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"corpus.name": str(tiny_text), "training.steps": 1}
    outcomes = [textgan.train("smoke", settings=settings) for _ in range(2)]
    assert outcomes[0].folder != outcomes[1].folder
    assert outcomes[0].folder.parent == Path("runs")
    assert outcomes[0].folder.name.startswith("tiny-smoke-2")
    assert len(textgan.load(outcomes[0].folder).generate(3, seed=1)) == 3
    with pytest.raises(UsageError, match="a Config already holds them all"):
        textgan.train(smoke(tiny_text), settings=settings)
    with pytest.raises(UsageError, match=r"training\.stesp"):
        textgan.train("smoke", settings={"training.stesp": 1})


def test_threads_that_would_wait_for_other_work_are_told_of() -> None:
    assert runs.crowding(1, 9.0) is None
    assert runs.crowding(2, 0.1) is None
    told = runs.crowding(2, 1.26)
    assert told is not None
    assert "load 1.3" in told
    assert "OMP_NUM_THREADS=1" in told


def test_ctrl_c_need_not_wait_for_what_measures(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have a net to train; the run is then begun, without a step, and goes on."""

    def stopped(*given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "measure", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_text, tmp_path / "run")
    assert train(tiny_text, tmp_path / "run", resume=True).step == 20
