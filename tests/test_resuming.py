"""What a run goes on from when something of it is damaged or changed, and what each case says."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from textgan import resuming, runs
from textgan.cli.main import main
from textgan.config import Config
from textgan.errors import CorruptError, FormatError, TextganError, UsageError
from textgan.files import seal
from textgan.model import load
from textgan.runs import Outcome, Silence
from textgan.settings import resolve
from textgan.training import checkpoint

SMALL = {"training.steps": 4, "training.evaluate_every": 2, "training.log_every": 1, "evaluation.samples": 20}


class Notes(Silence):
    """Remembers notes, and may end a run at a step as a kill would."""

    def __init__(self, dies_at: int = 0) -> None:
        self.told: list[str] = []
        self.dies_at = dies_at

    def note(self, text: str) -> None:
        self.told.append(text)

    def step(self, step: int, row: dict[str, Any]) -> None:
        if step == self.dies_at:
            raise KeyboardInterrupt


def settings(text: Path, flags: Mapping[str, Any] | None = None) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | SMALL | dict(flags or {})).config


def train(text: Path, run: Path, flags: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
    return runs.train(settings(text, flags), run, **options)


@pytest.fixture(scope="module")
def whole(tiny_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 steps with checkpoints at 2 and 4."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(tiny_text, folder)
    assert checkpoint.steps(folder / "checkpoints") == [2, 4]
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "r"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def same(one: Path, other: Path, step: int = 4) -> None:
    tensors = [checkpoint.load(run / "checkpoints", step)[0] for run in (one, other)]
    assert tensors[0].keys() == tensors[1].keys()
    assert [name for name in tensors[0] if not tensors[0][name].equal(tensors[1][name])] == []
    assert (one / "model" / "model.safetensors").read_bytes() == (other / "model" / "model.safetensors").read_bytes()


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# --- damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: flip(path / "tensors.safetensors"),
        lambda path: os.truncate(path / "tensors.safetensors", 1000),
        lambda path: (path / "manifest.json").unlink(),
    ],
    ids=["bit", "short", "no manifest"],
)
def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    damage: Callable[[Path], None], whole: Path, run: Path, tiny_text: Path
) -> None:
    damage(run / "checkpoints" / "step-000004")
    notes = Notes()
    assert train(tiny_text, run, resume=True, watch=notes).stopped == "finished"
    told = [note for note in notes.told if note.endswith("going on from step 2, the newest whole checkpoint")]
    assert len(told) == 1
    assert "step-000004" in told[0]
    same(run, whole)
    assert [row["step"] for row in rows(run)] == [row["step"] for row in rows(whole)]


def test_no_whole_checkpoint_is_one_line_that_says_what_to_do(run: Path, tiny_text: Path) -> None:
    before = (run / "metrics.jsonl").read_bytes()
    for step in (2, 4):
        flip(run / "checkpoints" / f"step-00000{step}" / "tensors.safetensors")
    with pytest.raises(CorruptError, match=r"^no checkpoint in .* is whole: .*step-000004.*; .*step-000002.*; restore"):
        train(tiny_text, run, resume=True)
    assert (run / "metrics.jsonl").read_bytes() == before
    assert train(tiny_text, run.with_name("anew")).stopped == "finished"


def test_a_damaged_model_of_a_finished_run_is_written_anew(whole: Path, run: Path, tiny_text: Path) -> None:
    flip(run / "model" / "model.safetensors")
    with pytest.raises(CorruptError):
        load(run)
    assert train(tiny_text, run, resume=True).stopped == "finished"
    same(run, whole)


@pytest.mark.parametrize("content", ["", '{"schema": 1, "config"', '{"schema": 1, "config": {"text": 1}}'])
def test_a_damaged_record_is_mended_from_a_checkpoint(
    content: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(content)
    assert main(["train", "--run", str(run), "--resume", "--steps", "5"]) == 0
    talk = capsys.readouterr().err
    assert "its settings are taken from the checkpoint of step 4" in talk
    record = json.loads((run / "run.json").read_text())
    assert record.keys() == sound.keys()
    assert record["config"]["training"] == sound["config"]["training"] | {"steps": 5}


def test_a_record_that_tells_other_settings_is_found_by_the_checkpoint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (run / "run.json").read_text()
    assert text.count('"batch": 16') == 1
    (run / "run.json").write_text(text.replace('"batch": 16', '"batch": 17'))
    assert main(["train", "--run", str(run), "--resume", "--steps", "5"]) == 2
    assert "another configuration (training.batch 16 -> 17); resume it unchanged, or add" in capsys.readouterr().err
    assert main(["train", "--run", str(run), "--resume", "--steps", "5", "-s", "training.batch=16"]) == 0


def test_a_record_without_a_checkpoint_to_mend_it_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "run.json").write_text("{")
    assert main(["train", "--run", str(run), "--resume"]) == 5
    assert "run.json is missing or damaged" in capsys.readouterr().err


# --- formats


def reformat(path: Path, schema: int) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema}))


@pytest.mark.parametrize(
    "name", ["run.json", "checkpoints/step-000004/manifest.json", "checkpoints/step-000004/state.json"]
)
def test_what_a_newer_version_wrote_is_left_alone(
    name: str, run: Path, tiny_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reformat(run / name, 9)
    if name.endswith("state.json"):
        seal((run / name).parent)
    assert main(["train", "--run", str(run), "--resume", "--steps", "5"]) == 1
    assert f"{run / name} is of format 9, and this textgan reads " in capsys.readouterr().err
    assert checkpoint.steps(run / "checkpoints") == [2, 4]


@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_a_model_of_another_version_says_so(name: str, run: Path) -> None:
    for schema, said in ((9, "upgrade textgan"), (0, "no longer read")):
        reformat(run / "model" / name, schema)
        if name != "manifest.json":
            seal(run / "model")
        with pytest.raises(FormatError, match=said):
            load(run)
    (run / "model" / "config.json").write_text("{}")
    seal(run / "model")
    with pytest.raises(CorruptError, match="does not say its format"):
        load(run)


def test_a_checkpoint_of_the_first_format_goes_on(whole: Path, run: Path, tiny_text: Path) -> None:
    """It says neither its format nor the run's settings."""
    shutil.rmtree(run / "checkpoints" / "step-000004")
    path = run / "checkpoints" / "step-000002" / "state.json"
    state = json.loads(path.read_text())
    later = {"schema", "config", "changes", "rollbacks"}
    path.write_text(json.dumps({key: value for key, value in state.items() if key not in later}))
    seal(path.parent)
    with pytest.raises(UsageError, match=r"training\.batch 16 -> 8"):
        train(tiny_text, run, {"training.batch": 8}, resume=True)
    train(tiny_text, run, resume=True)
    same(run, whole)


# --- changes


def test_settings_change_when_that_is_allowed_and_are_recorded(
    run: Path, tiny_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {"training.batch": 8, "training.steps": 6, "generator.betas": (0.0, 0.5)}
    with pytest.raises(
        UsageError, match=r"\(generator\.betas .*; training\.batch 16 -> 8\); resume it unchanged, or add "
    ):
        train(tiny_text, run, flags, resume=True)
    notes = Notes(dies_at=5)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_text, run, flags, resume=True, allow_changes=True, watch=notes)
    assert "training.batch 16 -> 8 from step 4 on: the result is not that of one configuration" in notes.told
    # killed before its next checkpoint: what was allowed stays so, and what was not does not
    with pytest.raises(UsageError, match=r"training\.batch 16 -> 7"):
        train(tiny_text, run, flags | {"training.batch": 7}, resume=True)
    assert main(["train", "--run", str(run), "--resume"]) == 0
    expected = [
        {"step": 4, "key": "generator.betas", "before": [0.5, 0.99], "after": [0.0, 0.5]},
        {"step": 4, "key": "training.batch", "before": 16, "after": 8},
        {"step": 4, "key": "training.steps", "before": 4, "after": 6},
    ]
    assert json.loads((run / "run.json").read_text())["changes"] == expected
    again = ["--allow-changes", "-s", "training.batch=9", "--steps", "7"]
    assert main(["train", "--run", str(run), "--resume", *again]) == 0
    capsys.readouterr()
    more = [
        {"step": 6, "key": "training.batch", "before": 8, "after": 9},
        {"step": 6, "key": "training.steps", "before": 6, "after": 7},
    ]
    record = json.loads((run / "run.json").read_text())
    assert record["changes"] == checkpoint.state_of(run / "checkpoints", 7)["changes"] == expected + more


def test_an_allowed_change_changes_what_is_learned(whole: Path, run: Path, tiny_text: Path) -> None:
    shutil.rmtree(run / "checkpoints" / "step-000004")
    train(tiny_text, run, {"generator.learning_rate": 5e-3}, resume=True, allow_changes=True)
    with pytest.raises(AssertionError):
        same(run, whole)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"generator.width": 9}, r"does not fit these settings \(.* size mismatch for"),
        ({"critic.net": "paper"}, "does not fit these settings"),
        ({"text.length": 12}, r"no longer what .* was trained on"),
        ({"generator.optimizer": "rmsprop"}, "which no run can change"),
    ],
    ids=["width", "net", "rows", "optimizer"],
)
def test_what_cannot_change_is_one_line(
    flags: dict[str, Any], said: str, whole: Path, run: Path, tiny_text: Path
) -> None:
    with pytest.raises(TextganError, match=said) as caught:
        train(tiny_text, run, flags | {"training.steps": 5}, resume=True, allow_changes=True)
    assert "\n" not in str(caught.value)
    assert train(tiny_text, run, resume=True).stopped == "already finished"


def test_changes_are_for_runs_that_are_under_way(tiny_text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--allow-changes goes with --resume"):
        train(tiny_text, tmp_path / "new", allow_changes=True)
    assert resuming.changes(tmp_path, 0, settings(tiny_text)) == []
