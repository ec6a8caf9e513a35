"""Disks that are full, files that may not grow, and folders that cannot be written: one line, and nothing lost."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from kills import differences, half_written
from small_runs import STEPS, Bench, Said, make_whole

ADVICE = "; free some space there and add --resume, or name another folder with --run"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whole(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def bench(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(folder, capfd, monkeypatch)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount something on a folder while it is needed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def refused(said: Said, run: Path, reason: str) -> bool:
    return said.code == 1 and said.last == f"textgan: error: cannot write to {run}: {reason}{ADVICE}"


def whole_rows(run: Path) -> bool:
    """Tell whether the log of a run, if it has one, ends in a whole row."""
    log = run / "metrics.jsonl"
    return not log.exists() or log.read_bytes()[-1:] in (b"", b"\n")


def fill(disk: Path, kilobytes: int) -> Path:
    """Fill a disk with something else, so that so much is left."""
    left = os.statvfs(disk)
    (disk / "other").write_bytes(bytes(left.f_bavail * left.f_frsize - (kilobytes << 10)))
    return disk / "other"


def test_a_disk_that_is_too_small_for_the_run(bench: Bench, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=200k", "none") as disk:
        said = bench.train(disk / "r")
        told = rf"textgan: error: {disk}/r has 0\.\d MB left on its disk, and this run needs 0\.\d MB there, for \d "
        assert said.code == 1
        assert re.match(told + r"checkpoints and its model; free some space there and add --resume, ", said.last)
        assert list(disk.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("kilobytes", [0, 4, 20, 28, 40, 100, 140])
def test_a_disk_that_something_else_fills(kilobytes: int, step: int, bench: Bench, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "none") as disk:
        run = disk / "r"
        bench.at(step, lambda: fill(disk, kilobytes))
        said = bench.train(run)
        assert refused(said, run, "No space left on device"), said
        assert whole_rows(run)
        assert not half_written(run)
        bench.quietly()
        again = bench.train(run)
        assert again.code == 1
        assert again.last.endswith(ADVICE)
        (disk / "other").unlink()
        bench.finish(run)
        assert differences(run, bench.whole) == []


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [8, 32, 64])
def test_files_that_may_not_grow(kilobytes: int, bench: Bench, tmp_path: Path) -> None:
    run, (before, hard) = tmp_path / "r", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, hard))
    try:
        said = bench.train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    assert refused(said, run, "File too large"), said
    assert whole_rows(run)
    bench.finish(run)
    assert differences(run, bench.whole) == []


def test_a_disk_that_is_read_only_before_the_run(bench: Bench, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=8m,ro", "none") as disk:
        assert refused(bench.train(disk / "r"), disk / "r", "Read-only file system")
        remount(disk, "rw")
        run = bench.copy(disk / "whole")
        remount(disk, "ro")
        assert refused(bench.train(run, STEPS + 1), run, "Read-only file system")
        assert bench("generate", "-m", str(run), "-n", "1") == Said(0, [])
        remount(disk, "rw")
        assert differences(run, bench.whole) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 6, 9], ids=["row", "evaluation", "last"])
def test_a_disk_that_becomes_read_only(step: int, bench: Bench, tmp_path: Path) -> None:
    run, stack = tmp_path / "r", ExitStack()

    def close() -> None:
        stack.enter_context(mounted(run, "--bind", str(run)))
        remount(run, "bind,ro")

    bench.at(step, close)
    with stack:
        said = bench.train(run)
    assert refused(said, run, "Read-only file system"), said
    bench.quietly()
    bench.finish(run)
    assert differences(run, bench.whole) == []
