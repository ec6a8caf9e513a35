"""A disk that is full, or takes no writes, before a run and in the middle of one: what is said, and what is left."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from textgan import runs
from textgan.cli.main import main
from textgan.config import Config
from textgan.errors import TextganError
from textgan.files import append, read_rows
from textgan.lock import alone_in
from textgan.model import load
from textgan.runs import Silence
from textgan.settings import resolve
from textgan.training import checkpoint

ADVICE = "free some space there and add --resume, or name another folder with --run"


def settings(text: Path, **training: int) -> Config:
    small = {"steps": 4, "evaluate_every": 2, "log_every": 1} | training
    flags = {f"training.{name}": value for name, value in small.items()}
    return resolve("smoke", flags={"corpus.name": str(text), "evaluation.samples": 20} | flags).config


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As under `ulimit -f`: a write beyond it is cut short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Full(Silence):
    """Fills the disk at a step."""

    def __init__(self, at: int, fill: Any) -> None:
        self.at, self.fill = at, fill

    def step(self, step: int, row: dict[str, Any]) -> None:
        if step == self.at:
            self.fill()


@pytest.fixture(scope="module")
def whole(tiny_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    runs.train(settings(tiny_text), folder)
    return folder


def sound(run: Path, step: int) -> None:
    """Nothing of what was there at a step is lost, and nothing is half."""
    assert checkpoint.whole(run / "checkpoints") == (step, [])
    assert load(run).facts["step"] >= step
    text = (run / "metrics.jsonl").read_text()
    assert text.endswith("}\n")
    assert [row["step"] for row in map(json.loads, text.splitlines())][-1] >= step
    assert [*run.rglob("*.tmp"), *run.rglob(".lock")] == []
    json.loads((run / "run.json").read_text())


def test_a_row_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, b'{"step": 1}\n')
    with files_of_at_most(20), pytest.raises(OSError, match="File too large"):
        append(path, b'{"step": 2, "x": "%s"}\n' % (b"y" * 100))
    assert path.read_bytes() == b'{"step": 1}\n'
    append(path, b'{"step": 2}\n[1]\n{"ste')
    assert read_rows(path) == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("size", [0, 60_000], ids=["nothing", "no tensors"])
def test_a_limit_on_the_size_of_files_is_one_line(size: int, whole: Path, tiny_text: Path, tmp_path: Path) -> None:
    """It comes at step 3: with the row of that step, or with the checkpoint of the next."""
    run, soft = tmp_path / "r", resource.getrlimit(resource.RLIMIT_FSIZE)
    watch = Full(3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, soft[1])))
    try:
        with pytest.raises(TextganError, match=rf"^cannot write to {run}: File too large; {ADVICE}$") as caught:
            runs.train(settings(tiny_text), run, watch=watch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    assert caught.value.exit_code == 1
    sound(run, 2)
    assert runs.train(settings(tiny_text), run, resume=True).step == 4
    one, other = (checkpoint.load(folder / "checkpoints", 4)[0] for folder in (run, whole))
    assert [name for name in one if not one[name].equal(other[name])] == []


def test_no_room_for_a_lock_is_one_line(tmp_path: Path) -> None:
    with files_of_at_most(0), pytest.raises(TextganError, match=r"cannot write to .*/r: File too large; free some"):
        alone_in(tmp_path / "r").__enter__()
    assert list(tmp_path.iterdir()) == []


class Usage(NamedTuple):
    """What `shutil.disk_usage` tells."""

    total: int
    used: int
    free: int


def test_the_room_is_looked_at_before_the_first_step(
    whole: Path, tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {path.parent.name: path.stat().st_size for path in whole.glob("checkpoints/*/tensors.safetensors")}
    model = (whole / "model" / "model.safetensors").stat().st_size
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free[0]))
    with pytest.raises(TextganError, match=r"has 0\.0 MB left on its disk, and this run needs (.*) MB there") as caught:
        runs.train(settings(tiny_text), tmp_path / "r")
    assert str(caught.value).endswith(f" MB there, for 2 checkpoints and its model; {ADVICE}")
    assert not (tmp_path / "r").exists()
    told = re.search(r"needs ([\d.]+) MB", str(caught.value))
    assert told is not None
    assert float(told[1]) == pytest.approx((2 * sizes["step-000004"] + 2 * model) / 1e6, abs=0.06)
    with pytest.raises(TextganError, match="for 4 checkpoints and its model"):
        runs.train(settings(tiny_text, steps=40), tmp_path / "r")
    # what is there already needs no more room
    run = Path(shutil.copytree(whole, tmp_path / "whole"))
    with pytest.raises(TextganError, match="for 1 checkpoint and its model"):
        runs.train(settings(tiny_text, steps=5), run, resume=True)
    free[0] = 10**6
    assert runs.train(settings(tiny_text), tmp_path / "r").step == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1.5 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            pass


def test_a_disk_that_fills_up_in_the_middle_of_a_run(whole: Path, small_disk: Path, tiny_text: Path) -> None:
    run = small_disk / "r"
    with pytest.raises(TextganError, match=rf"^cannot write to {run}: No space left on device; {ADVICE}$"):
        runs.train(settings(tiny_text), run, watch=Full(3, lambda: fill(small_disk)))
    sound(run, 2)
    with pytest.raises(TextganError, match=r"No space left on device|0\.0 MB left on its disk"):
        runs.train(settings(tiny_text), run, resume=True)
    sound(run, 2)
    (small_disk / "filler").unlink()
    assert runs.train(settings(tiny_text), run, resume=True).step == 4
    one, other = (checkpoint.load(folder / "checkpoints", 4)[0] for folder in (run, whole))
    assert [name for name in one if not one[name].equal(other[name])] == []


def test_a_disk_that_takes_no_writes(small_disk: Path, tiny_text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = small_disk / "r"
    checkpoints = str(run / "checkpoints")

    def freeze() -> None:
        subprocess.run(["mount", "--bind", checkpoints, checkpoints], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", checkpoints], check=True)

    try:
        with pytest.raises(TextganError, match=rf"^cannot write to {run}: Read-only file system; {ADVICE}$"):
            runs.train(settings(tiny_text), run, watch=Full(3, freeze))
    finally:
        subprocess.run(["umount", "-l", checkpoints], check=True)
    sound(run, 2)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in (
        ["train", "--run", str(run), "--resume"],
        ["train", "--run", str(small_disk / "new"), "-c", "smoke", "--corpus", str(tiny_text)],
        ["generate", "-m", str(run), "-n", "3", "--out", str(small_disk / "x.txt")],
        ["report", str(run), "--html", str(small_disk / "x.html")],
    ):
        assert main(arguments) == 1
        talk = capsys.readouterr().err
        assert "Read-only file system" in talk
        assert "Traceback" not in talk
