"""What befalls a run besides full disks: damage, missing files, other writers, clocks and signals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import ended, start
from kills import EVERY, differences
from small_runs import STEPS, Bench, Said, make_whole, training

from textgan import files, resuming
from textgan.config import Config
from textgan.errors import FormatError
from textgan.measure import measure
from textgan.training import checkpoint, runlog

LAST, BEFORE = STEPS, STEPS - EVERY  # steps of the newest checkpoint and of the one before it
USED = {"model.safetensors", "config.json", "alphabet.json"}
LATER = 366 * 24 * 3600.0  # a clock that goes back a year. [s]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whole(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def bench(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(folder, capfd, monkeypatch)


@pytest.fixture
def run(bench: Bench, tmp_path: Path) -> Path:
    """A copy of the whole run."""
    return bench.copy(tmp_path / "r")


def newest(run: Path, name: str) -> Path:
    return checkpoint.path_of(run / "checkpoints", LAST) / name


def same_end(run: Path, whole: Path) -> bool:
    """Tell whether weights, the last checkpoint's tensors and the log are the same, whichever checkpoints are kept."""
    ends = ("model/", f"checkpoints/step-{LAST:06d}", "metrics.jsonl", ".")
    return not [told for told in differences(run, whole) if told.startswith(ends)]


# --- damage ----------------------------------------------------------------------------------------------------------


def truncated(path: Path) -> Iterator[str]:
    """Cut a file to every KB, and by the bytes that end JSON, and put it back in the end."""
    content = path.read_bytes()
    for size in [*range(0, len(content), 1024), len(content) - 2]:
        path.write_bytes(content[:size])
        yield f"{path.name} of {size} bytes"
    path.write_bytes(content)


def flipped(path: Path, places: Iterator[int] | range) -> Iterator[str]:
    """Flip a bit in each of some bytes of a file in turn, and put it back in the end."""
    content = path.read_bytes()
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        yield f"{path.name}, a bit of byte {place}"
    path.write_bytes(content)


def tensors_of(path: Path) -> list[int]:
    """Return a place within the numbers of each tensor of a file that holds any.

    Source: the format of safetensors: 8 bytes of length, so much JSON, numbers.
    """
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:begin])
    offsets = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    return [begin + (first + last) // 2 for first, last in offsets if last > first]


def every(path: Path, stride: int) -> range:
    return range(0, path.stat().st_size, stride)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "alphabet.json", files.MANIFEST])
def test_a_model_cut_short_is_refused(name: str, run: Path, bench: Bench) -> None:
    for what in truncated(run / "model" / name):
        said = bench("generate", "-m", str(run), "-n", "1")
        assert (said.code, len(said.lines)) == (5, 1), what
        assert re.match(rf"textgan: error: {run}/model\S* is (damaged|missing or damaged) \(", said.last), (what, said)
    assert bench("generate", "-m", str(run), "-n", "1").code == 0


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "alphabet.json", files.MANIFEST])
def test_a_model_with_a_flipped_bit_is_refused(name: str, run: Path, bench: Bench) -> None:
    path = run / "model" / name
    used = entries(path)
    places = iter(tensors_of(path)) if path.suffix == ".safetensors" else every(path, 37)
    for what in flipped(path, places):
        said = bench("generate", "-m", str(run), "-n", "1")
        if used is None or entries(path) != used:
            assert (said.code, len(said.lines)) == (5, 1), (what, said)
        else:  # it is in the entry of the card, which is for people
            assert said == Said(0, []), what


def entries(path: Path) -> dict[str, Any] | None:
    """Return what a manifest says, but of the card; None of what is none."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: entry for name, entry in told["files"].items() if name in USED} | {"schema": told["schema"]}
    except (ValueError, KeyError):
        return None


@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, files.MANIFEST])
def test_the_checkpoint_before_a_damaged_one_is_taken(name: str, run: Path) -> None:
    path = newest(run, name)
    stride = 1 if name == files.MANIFEST else 31
    places = iter(tensors_of(path)) if path.suffix == ".safetensors" else every(path, stride)
    for damage in (truncated(path), flipped(path, places)):
        for what in damage:
            try:
                assert checkpoint.whole(run / "checkpoints")[0] == BEFORE, what
            except FormatError:  # the flipped bit makes another number of the format's
                assert path.suffix == ".json"
                assert '"schema": 1' not in path.read_text(encoding="utf-8"), what
    assert checkpoint.whole(run / "checkpoints") == (LAST, [])


@pytest.mark.slow
@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, files.MANIFEST])
@pytest.mark.parametrize("size", [0, 200, -2])
def test_a_run_goes_on_from_the_newest_whole_checkpoint(name: str, size: int, run: Path, bench: Bench) -> None:
    path = newest(run, name)
    path.write_bytes(path.read_bytes()[:size])
    said = bench.finish(run)
    told = rf"{path.parent}/\S+ is (damaged|missing or damaged) \(.+: going on from step {BEFORE}, the newest whole "
    assert re.match(told, said.lines[0])
    assert differences(run, bench.whole) == []


def test_without_any_whole_checkpoint_the_run_is_refused(run: Path, bench: Bench) -> None:
    for state in (run / "checkpoints").glob("*/state.json"):
        state.write_bytes(state.read_bytes()[:-1])
    said = bench.train(run)
    assert said.code == 5
    assert re.match(rf"textgan: error: no checkpoint in {run} is whole: .+; restore one, or begin anew", said.last)


@pytest.mark.slow
def test_a_flipped_bit_in_the_record_changes_nothing_that_is_learned(run: Path, bench: Bench) -> None:
    path = run / "run.json"
    content, learned, codes = path.read_bytes(), settings(path), set()
    for what in flipped(path, every(path, 31)):
        found = settings(path)
        said = bench("train", "--run", str(run), "--resume", "--steps", str(STEPS))
        codes.add(said.code)
        if said.code:
            assert (said.code, said.last[:16]) in {(code, "textgan: error: ") for code in (1, 2, 5)}, (what, said)
        else:
            assert found in (None, learned), what
        path.write_bytes(content)
        assert weights(run) == weights(bench.whole), what
    assert codes == {0, 2}


def settings(path: Path) -> dict[str, Any] | None:
    """Return the settings in a record, but for those that no weight depends on; None of what holds none."""
    try:
        config = Config.model_validate(json.loads(path.read_text(encoding="utf-8"))["config"])
    except (ValueError, KeyError):
        return None
    free = dict.fromkeys(resuming.FREE_TO_CHANGE, True)
    return config.model_dump(exclude={"preset": True, "training": free})


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("place", [0, 30, -2], ids=["first", "early", "last"])
def test_a_flipped_bit_in_the_log_costs_a_row_at_most(place: int, run: Path, bench: Bench) -> None:
    log = run / runlog.ROWS
    rows = runlog.read(run)
    content = bytearray(log.read_bytes())
    content[place] ^= 1
    log.write_bytes(content)
    assert len(runlog.read(run)) >= len(rows) - 1
    assert bench.train(run).code == 0


@pytest.mark.slow
def test_a_row_that_was_cut_short_at_any_byte_is_written_again(bench: Bench, tmp_path: Path) -> None:
    run = bench.killed(tmp_path / "r", BEFORE + 2)  # after the row of a step that no checkpoint holds
    log = run / runlog.ROWS
    content = log.read_bytes()
    begin = content[:-1].rindex(b"\n") + 1
    kept = [row for row in runlog.read(run) if row["step"] <= BEFORE]
    bench.patch.setattr(os, "fsync", lambda handle: None)  # no power fails here
    for size in range(begin, len(content) + 1):
        log.write_bytes(content[:size])
        runlog.RunLog(run, BEFORE)
        assert runlog.read(run) == kept
        assert log.read_bytes()[-1:] == b"\n"
    for size in (begin, begin + 1, (begin + len(content)) // 2, len(content) - 1):
        again = Path(shutil.copytree(run, tmp_path / f"r{size}"))
        (again / runlog.ROWS).write_bytes(content[:size])
        bench.finish(again)
        assert differences(again, bench.whole) == []


# --- missing files ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gone", "code", "told", "lost"),
    [
        ("checkpoints", 0, "has no checkpoint yet; starting from the first step", []),
        (f"checkpoints/step-{BEFORE:06d}/tensors.safetensors", 0, "is missing: going on from step 3, ", []),
        ("model", 0, "", []),
        ("samples", 0, "", ["samples/step-000003.txt is missing", "samples/step-000006.txt is missing"]),
        ("metrics.jsonl", 0, "", ["metrics.jsonl differs"]),
        ("run.json", 0, "", []),
    ],
)
def test_what_is_missing_is_made_again(
    gone: str, code: int, told: str, lost: list[str], bench: Bench, tmp_path: Path
) -> None:
    run = bench.killed(tmp_path / "r", BEFORE + 2)
    path = run / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = bench.train(run)
    assert said.code == code, said
    assert told in (said.lines[0] if code == 0 else said.last)
    assert differences(run, bench.whole) == lost


@pytest.mark.slow
def test_checkpoints_that_vanish_under_a_run_are_made_again(bench: Bench, tmp_path: Path) -> None:
    run = tmp_path / "r"
    bench.at(BEFORE + 1, lambda: shutil.rmtree(run / "checkpoints"))
    bench.finish(run)
    assert same_end(run, bench.whole)
    assert [path.name for path in (run / "checkpoints").iterdir()] == [f"step-{LAST:06d}"]


def test_a_run_whose_folder_vanishes_is_one_line(bench: Bench, tmp_path: Path) -> None:
    run = tmp_path / "r"
    bench.at(EVERY + 1, lambda: shutil.rmtree(run))
    said = bench.train(run)
    assert said.code == 1
    assert said.last.startswith(f"textgan: error: cannot write to {run}: No such file or directory; ")


# --- two writers -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_writer_is_refused(bench: Bench, tmp_path: Path) -> None:
    run = tmp_path / "r"
    with start(bench.folder, *training(bench.folder, run, 10**6), environ={"TEXTGAN_CACHE": ""}) as first:
        while not (run / runlog.ROWS).exists() and first.poll() is None:
            time.sleep(0.05)
        for arguments in (training(bench.folder, run, 10**6), training(bench.folder, run)[:-1]):
            said = bench(*arguments)
            assert said.code == 1
            assert said.last.startswith(
                f"textgan: error: another process is training in {run} (process {first.pid} on "
            )
            assert said.last.endswith("; wait for it, or name another with --run")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert (run / ".lock").exists()
    bench.finish(run)
    assert differences(run, bench.whole) == []


@pytest.mark.slow
def test_of_two_that_resume_at_once_one_does(bench: Bench, tmp_path: Path) -> None:
    run = bench.killed(tmp_path / "r", BEFORE + 1)
    both = [start(bench.folder, *training(bench.folder, run)) for _ in range(2)]
    said = [ended(process) for process in both]
    assert 0 in [done.code for done in said], said
    for done in said:
        assert done.code == 0 or f"another process is training in {run}" in done.err
    assert differences(run, bench.whole) == []


# --- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("later", [LATER, -LATER], ids=["back", "forward"])
def test_a_clock_that_jumps_changes_nothing(
    later: float, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files from the other time, with a half-written one among them; and a jump while the run goes on."""
    run = bench.killed(tmp_path / "r", BEFORE + 1)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    (run / f".model.abcdefgh.{child}.tmp").mkdir()
    for path in [*run.rglob("*"), run]:
        os.utime(path, (time.time() + later,) * 2)
    now = time.time
    bench.at(BEFORE + 2, lambda: monkeypatch.setattr(time, "time", lambda: now() - later))
    bench.finish(run)
    assert differences(run, bench.whole) == []


# --- signals ---------------------------------------------------------------------------------------------------------


def in_a_step(bench: Bench) -> None:
    bench.at(BEFORE + 1, lambda: signal.raise_signal(signal.SIGTERM))


def in_an_evaluation(bench: Bench) -> None:
    def measured(*arguments: Any) -> Callable[[Any], Any]:
        evaluate = measure(*arguments)

        def interrupted(state: Any) -> Any:
            if state.step == BEFORE:
                signal.raise_signal(signal.SIGTERM)
            return evaluate(state)

        return interrupted

    bench.patch.setattr("textgan.runs.measure", measured)


def in_a_checkpoint(bench: Bench) -> None:
    seal = files.seal

    def sealed(folder: Path) -> dict[str, dict[str, Any]]:
        if folder.name == f"step-{BEFORE:06d}":
            signal.raise_signal(signal.SIGTERM)
        return seal(folder)

    bench.patch.setattr(files, "seal", sealed)


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [in_a_step, in_an_evaluation, in_a_checkpoint])
def test_sigterm_saves_and_the_run_goes_on(interrupt: Callable[[Bench], None], bench: Bench, tmp_path: Path) -> None:
    run = tmp_path / "r"
    interrupt(bench)
    said = bench.train(run)
    assert said.code == 143, said
    step = BEFORE + 1  # signals are remembered to the end of the step, or to that after it
    assert said.lines[-2].startswith(f"stopped by SIGTERM at step {step} after ")
    assert checkpoint.steps(run / "checkpoints")[-1] == step
    assert not list(run.rglob("*.tmp"))
    bench.patch.undo()
    bench.finish(run)
    assert same_end(run, bench.whole)
