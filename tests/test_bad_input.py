"""Bad input to the real command: one line that says what to do, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from commands import within

ROOT = Path(__file__).parents[1]
SMOKE = "-c smoke -s evaluation.samples=50 --steps 2"
MODEL, CHECKPOINT = "runs/first/model", "runs/first/checkpoints/step-000002"
NO_FULL_DEVICE = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")


APART = ("generate -m runs/first",)
"""What has a process of its own, as a user's command does."""


class Case(NamedTuple):
    """What is there, what is asked, and what must come of it."""

    arguments: str
    code: int
    says: str
    """A pattern that the line matches."""
    given: Callable[[Path], object] = lambda folder: None
    largest: int | None = None
    """Where every file's disk is full. [bytes]"""
    leaves: str = "nothing"
    """A pattern of the new files that may stay."""


def text(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "bad.txt").write_bytes(content)


def real_text() -> bytes:
    pick = random.Random(0)
    words = ["the", "a", "cat", "dog", "runs", "sleeps", "under", "garden"]
    return "".join(" ".join(pick.choices(words, k=3)) + "\n" for _ in range(300)).encode()


def flipped(name: str) -> Callable[[Path], object]:
    def flip(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return flip


def truncated(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


def case(name: str, *values: object, marks: tuple[pytest.MarkDecorator, ...] = (), **named: object) -> object:
    return pytest.param(Case(*values, **named), id=name, marks=marks)  # type: ignore[arg-type]


WITHOUT_RUN = [
    case("missing file", "train --corpus bad.txt", 2, r"unknown corpus 'bad\.txt', and no such file"),
    case("empty file", "train --corpus bad.txt", 1, r"no text in .*/bad\.txt; it needs lines", text(b"")),
    case("binary file", "train --corpus bad.txt", 1, r"/bad\.txt is a binary file .*UTF-8", text(b"a\n\0\n" * 99)),
    case(
        "invalid UTF-8", "train --corpus bad.txt", 1,
        r"not UTF-8: 2, the first .*/bad\.txt:2; .*-s corpus\.errors=skip", text(b"a\n\xff\nb\n\xfe\n"),
    ),
    case("one short line", "train --corpus bad.txt", 1, "give at least 50 different lines", text(b"hello\n")),
    case(
        "folder without text", "train --corpus empty", 1, "/empty holds no text file; give",
        lambda folder: (folder / "empty").mkdir(),
    ),
    case("unknown corpus", "train --corpus python_doc", 2, "did you mean 'python_docs'"),
    case(
        "billion_word without data", "train --corpus billion_word", 1,
        "does not come with textgan, .*HF_HUB_OFFLINE is set.*--data",
    ),
    case("unknown key", "train -s text.lenght=9", 2, r"'text\.lenght' \(-s\); did you mean 'length'"),
    case("bad value", "train -s text.length=nine", 2, r"text\.length = 'nine' \(-s\): should be a valid integer"),
    case("no such choice", "train -s text.cut=lines", 2, r"text\.cut = 'lines' \(-s\): .*did you mean 'line'"),
    case("unknown preset", "train -c wgan_gb", 2, "'wgan_gb'; did you mean 'wgan_gp'"),
    case("even kernel", "train -s critic.kernel=4", 2, r"critic\.kernel.* 4 .*odd"),
    case("long orders", "train -s text.length=5 -s count_critic.orders=[3,6]", 2, r"orders.*1 to text\.length \(5\)"),
    case("no GPU", "train --device cuda", 2, r"training\.device: 'cuda' cannot be used here; .*cpu", marks=(NO_GPU,)),
    case(
        "disk full of the corpus", "train --corpus bad.txt", 1,
        r"cannot write to the cache .*: File too large; free .* TEXTGAN_CACHE", text(real_text()), largest=1000,
    ),
    case(
        "disk full of the checkpoint", f"train --corpus bad.txt {SMOKE} --run r", 1,
        r"cannot write to runs/r: File too large; free .* --resume, .* --run", text(real_text()), largest=50_000,
        leaves=r"cache/(rows|keys|sources)/.*|runs/r/(run\.json|metrics\.jsonl|samples/.*|model/.*)",
    ),
    case(
        "more than all memory", f"train --corpus bad.txt {SMOKE} --run r -s training.batch=1000000000000000", 1,
        r"not enough memory: .* lower training\.batch .*, text\.length or text\.max_symbols", text(real_text()),
        leaves=r"cache/(rows|keys|sources)/.*|runs/r/(run\.json|metrics\.jsonl)",
    ),
    case("generate before any run", "generate", 1, "no trained run under runs/; train one with 'textgan train'"),
    case("report before any run", "report", 1, "no trained run under runs/; train one with 'textgan train'"),
    case("resume before any run", "train --resume", 2, "no run under runs/ to resume; leave --resume out"),
    case("no samples", "report --samples bad.txt --reference bad.txt", 1, r"bad\.txt is empty; give", text(b"")),
    case("binary samples", "report --samples bad.txt --reference bad.txt", 1, r"bad\.txt is a binary", text(b"a\0b\n")),
    case(
        "samples that are not UTF-8", "report --samples bad.txt --reference bad.txt", 1,
        r"1 line is not UTF-8 .* bad\.txt:2; convert", text(b"a\n\xff\n"),
    ),
    case("missing samples", "report --samples a.txt --reference bad.txt", 1, r"no file a\.txt; give", text(b"a\n")),
    case("missing reference", "report --samples bad.txt", 2, "--samples needs --reference", text(b"a\n")),
    case("no such reference", "report --samples bad.txt --reference a.txt", 1, r"no file a\.txt; give", text(b"a\n")),
]  # fmt: skip

WITH_RUN = [
    case("run that is there", f"train --corpus text.txt {SMOKE} --run first", 2, "already holds a run; add --resume"),
    case("changed settings", "train --run first --resume --seed 7", 2, r"\(training\.seed 0 -> 7\); resume it unch"),
    case(
        "flipped bit in the checkpoint", "train --run first --resume --steps 3", 5,
        rf"{CHECKPOINT}/tensors\.safetensors is damaged .*; restore one", flipped(f"{CHECKPOINT}/tensors.safetensors"),
    ),
    case(
        "flipped bit in the model", "generate -m runs/first", 5,
        rf"{MODEL}/model\.safetensors is damaged .*; restore it", flipped(f"{MODEL}/model.safetensors"),
    ),
    case(
        "truncated settings of the model", "generate", 5,
        rf"{MODEL}/config\.json is damaged .*; restore it", truncated(f"{MODEL}/config.json"),
    ),
    case(
        "disk full of lines", "generate -n 300 --out lines.txt", 1,
        r"cannot write to lines\.txt: File too large; free .* --out",
        lambda folder: (folder / "lines.txt").write_text("of old\n"), largest=1000,
    ),
    case(
        "full device", "generate --out /dev/full", 1,
        "cannot write to /dev/full: No space left on device; free .* --out", marks=(NO_FULL_DEVICE,),
    ),
]  # fmt: skip


def command(folder: Path, arguments: str, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run textgan in a folder, which also holds its cache, on a disk that takes no file larger than `largest`."""

    def fill_disk() -> None:
        if largest is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    environ = {name: value for name, value in os.environ.items() if not name.startswith("TEXTGAN_")}
    environ |= {"TEXTGAN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "textgan", *arguments.split()], cwd=folder, env=environ, preexec_fn=fill_disk,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def inside(folder: Path, arguments: str) -> subprocess.CompletedProcess[str]:
    """Run textgan likewise in this process."""
    return subprocess.CompletedProcess(arguments, *within(folder, *arguments.split()))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails_well(folder: Path, case: Case) -> None:
    case.given(folder)
    before = files(folder)
    alone = case.largest is not None or case.arguments in APART
    done = command(folder, case.arguments, case.largest) if alone else inside(folder, case.arguments)
    assert (done.returncode, done.stdout) == (case.code, ""), done.stderr
    *notes, line = done.stderr.splitlines()
    assert line.startswith("textgan: error: ")
    assert re.search(case.says, line), line
    assert not any("error" in note or "Traceback" in note for note in notes), notes
    after = files(folder)
    new = {name: after[name] for name in after if not re.fullmatch(case.leaves, name)}
    assert new == before
    assert not list(folder.rglob("*.tmp"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a run on it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "text.txt").write_bytes(real_text())
    done = inside(folder, f"train --corpus text.txt {SMOKE} --run first")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("case", WITHOUT_RUN)
def test_bad_input_is_one_line(case: Case, tmp_path: Path) -> None:
    fails_well(tmp_path, case)


@pytest.mark.parametrize("case", WITH_RUN)
def test_bad_input_to_a_run_is_one_line(case: Case, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    shutil.copytree(home, folder)
    fails_well(folder, case)
