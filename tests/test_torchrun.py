"""The command under torchrun: processes are killed, stopped and refused, and the run ends as one nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from attempts import ROOT, aimed_at
from kills import write_words
from processes import launched
from safetensors.torch import load_file
from torch import Tensor

from textgan import runs
from textgan.config import Config
from textgan.settings import resolve

pytestmark = pytest.mark.slow
STEPS, EVERY = 60, 6
SETTINGS = [
    f"training.steps={STEPS}", f"training.evaluate_every={EVERY}", "training.log_every=1", "evaluation.samples=50",
    "training.device=cpu", "corpus.name=words.txt",
]  # fmt: skip
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a run of two processes, `whole`, was not disturbed."""
    folder = tmp_path_factory.mktemp("torchrun")
    write_words(folder / "words.txt")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert train(2, folder / "whole") == [0, 0]
        yield folder


def train(count: int, run: Path) -> list[int]:
    """Train or go on in so many processes, without the seconds that torchrun and imports take; return their codes."""
    config = resolve("smoke", overrides=SETTINGS).config
    return launched(count, lambda: _train(run, config))


def _train(run: Path, config: Config) -> None:
    torch.set_num_threads(1)
    assert runs.train(config, run, resume=True).step == STEPS


def start(folder: Path, count: int, run: str, restarts: int = 5) -> subprocess.Popen[bytes]:
    """Start the command in so many processes; what it says goes to a file."""
    settings = [part for setting in SETTINGS for part in ("-s", setting)]
    command = [
        *TORCHRUN,
        str(count),
        "--max-restarts",
        str(restarts),
        "-m",
        "textgan",
        "train",
        "-c",
        "smoke",
        *settings,
    ]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / f"{run}.txt").open("wb") as said:
        return subprocess.Popen([*command, "-r", f"./{run}"], cwd=folder, env=environ, stdout=said, stderr=said)


def wait_for(step: int, run: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the checkpoint of a step, or a later one."""
    end = time.monotonic() + 120
    while max((int(path.name[5:]) for path in (run / "checkpoints").glob("step-*")), default=0) < step:
        assert process.poll() is None, run.with_suffix(".txt").read_text()
        assert time.monotonic() < end, "no checkpoint came"
        time.sleep(0.005)


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model/model.safetensors")


def test_a_run_whose_processes_are_killed_ends_as_the_undisturbed_one(folder: Path) -> None:
    run, process, pick = folder / "killed", start(folder, 2, "killed"), random.Random(0)
    for step in (EVERY, 5 * EVERY):
        wait_for(step, run, process)
        (victim,) = aimed_at(process.pid, "rank", pick)
        os.kill(victim, signal.SIGKILL)
        assert not (run / f"checkpoints/step-{STEPS:06d}").exists(), "it came too late"
    said = folder / "killed.txt"
    assert process.wait(120) == 0, said.read_text()
    assert said.read_text().count("cannot be reached") >= 2
    found, expected = weights(run), weights(folder / "whole")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_another_number_of_processes_goes_on_with_a_run(folder: Path) -> None:
    run, process = folder / "stopped", start(folder, 2, "stopped")
    wait_for(EVERY, run, process)
    process.terminate()
    assert process.wait(60) != 0
    assert "stopped by SIGTERM" in (folder / "stopped.txt").read_text()
    for count in (1, 4):
        other = Path(shutil.copytree(run, folder / f"by-{count}"))
        assert train(count, other) == [0] * count
        for name, value in weights(folder / "whole").items():
            torch.testing.assert_close(weights(other)[name], value, rtol=0, atol=1e-4, msg=name)


def test_a_batch_that_does_not_divide_is_refused_in_one_line(folder: Path) -> None:
    process = start(folder, 3, "refused", restarts=0)
    assert process.wait(120) != 0
    told = {line for line in (folder / "refused.txt").read_text().splitlines() if line.startswith("textgan: ")}
    (line,) = told
    assert line.startswith("textgan: error: training.batch: 16 samples cannot be split evenly over 3 processes; use")
    assert not (folder / "refused").exists()
