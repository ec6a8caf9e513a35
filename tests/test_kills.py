"""Kills at random moments, and before each change of a file, lose nothing; and what compares runs sees what is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attempts import ROOT
from kills import differences, what_was_hit, write_words

from textgan.cli.main import main


def kill(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the harness, and return its figures."""
    command = [sys.executable, str(ROOT / "tests/kills.py"), "--folder", str(folder), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.stdout, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert (figures["mismatches"], figures["failures"], done.returncode) == ([], [], 0), done.stdout
    return figures


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_as_the_uninterrupted_ones(tmp_path: Path) -> None:
    figures = kill(tmp_path, "--count", "10", "--steps", "18")
    assert figures["by_work"] == {"text": 5, "pictures": 5}
    assert figures["resumes"] == 10
    assert figures["steps_lost"]["most"] <= 3
    assert figures["orphans"] == 0


@pytest.mark.slow
def test_the_command_itself_can_be_killed(tmp_path: Path) -> None:
    launch = f"{sys.executable} -m textgan"
    assert kill(tmp_path, "--work", "text", "--count", "1", "--steps", "9", "--launch", launch)["kills"] == 1


@pytest.mark.slow
def test_a_kill_before_any_change_of_a_file_loses_nothing(tmp_path: Path) -> None:
    figures = kill(tmp_path, "--work", "text", "--operations", "--steps", "9")
    assert figures["kills"] > 30
    assert figures["steps_lost"]["most"] <= 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_words(folder / "words.txt")
    settings = ["-c", "smoke", "-s", "training.log_every=1", "-s", "evaluation.samples=50"]
    assert (
        main(["train", *settings, "--corpus", str(folder / "words.txt"), "--steps", "4", "--run", f"{folder}/r"]) == 0
    )
    return folder / "r"


def without_last(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-1])


def doubled(text: str) -> str:
    return text + text.splitlines(keepends=True)[-1]


def slower(text: str) -> str:
    rows = [json.loads(line) for line in text.splitlines()]
    return "".join(json.dumps(row | {"processor_seconds": 99.0}) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_last, ["metrics.jsonl differs"]),
        (doubled, ["metrics.jsonl differs"]),
        (lambda text: text.replace('"loss": 0', '"loss": 1', 1), ["metrics.jsonl differs"]),
        (slower, []),
    ],
    ids=["row missing", "row twice", "loss", "clock"],
)
def test_rows_are_compared_but_for_their_times(
    change: Callable[[str], str], told: list[str], whole: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "r"))
    log = run / "metrics.jsonl"
    assert change(log.read_text()) != log.read_text()
    log.write_text(change(log.read_text()))
    assert differences(run, whole) == told


def test_half_a_row_is_no_row(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "r"))
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "cri')
    (told,) = differences(run, whole)
    assert told.startswith("metrics.jsonl is damaged: Unterminated string")
    assert what_was_hit(run) == ("between writes", 0)


def test_weights_files_and_orphans_are_compared(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "r"))
    assert differences(run, whole) == []
    weights = run / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (run / ".model.abc.1.tmp").mkdir()
    (run / "samples" / "step-000004.txt").unlink()
    *others, damaged, differs = differences(run, whole)
    assert others == [".model.abc.1.tmp is left over", "samples/step-000004.txt is missing"]
    assert damaged.startswith(f"model/manifest.json is damaged: {weights} is damaged")
    assert differs == "model/model.safetensors differs"
    assert what_was_hit(run)[0] == "writing model"
