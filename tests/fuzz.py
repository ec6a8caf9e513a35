"""Random damage to what the toolkit reads, and what its command must keep to whatever it is given.

    python tests/fuzz.py --minutes 10 --what models

Every case starts from files that the toolkit made itself, damages some of them (bytes, structure, names, sizes; the
manifest is mostly written anew, so that the damage is not found by its digest), and runs a command in a forked child
with bounded memory. A number is a case: the same one does the same damage. What must hold:

- the exit code is one that the command promises, and an error is one line, the last on stderr;
- the case ends within `PATIENCE`, in `MEMORY` more than the process had, and the interpreter lives;
- nothing is written, removed, started or asked for outside the working folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # a process that forks has no threads
    sys.path.insert(0, str(Path(__file__).parent))

import fuzz_damage
import fuzz_material

PATIENCE = 20  # s of processor time; of the clock six times that, as others may compute, too
MEMORY = 3 << 29  # bytes
BATCH = 25  # cases a child
LOADED = ("textgan.cli.main", "textgan.runs", "textgan.report.measure", "textgan.sweep.grid", "torch._dynamo",
          "scipy.io", "PIL.Image")  # fmt: skip
"""What takes long to import, and starts no threads, once for all children."""
PROMISED = {0, 1, 2, 3, 4, 5}


class Target(NamedTuple):
    """Files that are damaged, and the commands that read them."""

    place: str
    """A file or folder, in the folder of its material."""
    commands: tuple[str, ...]
    whole: bool = False
    """Only the place itself is there besides what the commands name: its files are damaged, never its name."""


def _reads_model(place: str, *more: str) -> Target:
    plain = ("generate -n 2", "generate -n 2", "generate -n 2 --json --seed 3", "interpolate --steps 3")
    return Target(place, tuple(f"{command} -m {place}" for command in (*plain, *more)))


def _reads_text(name: str) -> Target:
    prepare = f"prepare {name} -c smoke"
    others = (
        f"{prepare} -s corpus.errors=skip -s text.unit=word",
        f"report --samples {name} --reference text.txt --n 2",
    )
    return Target(name, (prepare, f"{prepare} -s corpus.errors=replace --json", *others))


TARGETS: dict[str, tuple[Target, ...]] = {
    "models": (
        _reads_model("plain", "interpolate --around 3 -n 2", "generate -n 2 --temperature 0.5"),
        _reads_model("labelled", "generate -n 2 --label b", "generate -n 1 --by-label"),
        _reads_model("pieces"),
        _reads_model("points"),
        _reads_model("album", "generate -n 2 --out a.npz", "generate -n 2 --out pictures/"),
        Target("runs/first", ("report runs/first --n 2 --count 20", "report --json --n 2 --count 20 --html p.html",
                              "compare runs/first runs/second --models 0 --n 2 --count 20", "generate -n 1")),
    ),
    "checkpoints": (
        Target("runs/first", ("train --run runs/first --resume --steps 3", "train --resume --steps 3",
                              "train -c runs/first --dry-run", "train --run runs/first --resume --steps 2 --json")),
        Target("runs/first/checkpoints", ("train --run runs/first --resume --steps 3",)),
    ),
    "corpora": (
        *map(_reads_text, ("text.txt", "text.txt.gz", "text.txt.zst", "text.zip", "text.tar.gz", "text.tar", "text.csv",
                           "text.tsv", "text.jsonl", "text.parquet", "folder")),
        Target("rules.txt", ("prepare grammar:rules.txt -c smoke",)),
        Target("cache", ("prepare text.txt -c smoke", "train --corpus text.txt -c smoke --dry-run")),
    ),
    "config": (
        Target("mine.toml", ("train -c mine.toml --dry-run", "config show -c mine.toml --origin",
                             "config show -c mine.toml --json", "train -c mine.toml --steps 1 --run r")),
        Target("sweep.toml", ("sweep sweep.toml --dry-run", "sweep sweep.toml --dry-run --json")),
        Target("run", ("config show -c run --origin", "train -c run --dry-run")),
    ),
    "pictures": (
        Target("a.npz", ("prepare cifar10 --data a.npz",)),
        Target("idx", ("prepare mnist --data idx", "prepare mnist --data idx -s corpus.errors=skip")),
        Target("mat", ("prepare svhn --data mat",)),
        Target("folder", ("prepare images --data folder -s image.side=8",
                          "prepare images --data folder -s corpus.errors=skip")),
        Target("binary", ("prepare cifar10 --data binary",)),
        Target("python", ("prepare cifar10 --data python",)),
        Target("python.tar.gz", ("prepare cifar10 --data python.tar.gz",)),
        Target("hub", ("prepare cifar10 --data hub",)),
        Target("lsun", ("prepare lsun --data lsun -s image.side=8",)),
    ),
}  # fmt: skip
"""By what is asked for; each has material of its own."""


class Verdict(NamedTuple):
    """How a case ended."""

    number: int
    told: str
    """What was damaged, and the command."""
    code: int | None
    fault: str = ""
    """What it did not keep to; empty where all is well."""


class Hung(BaseException):
    """A case took longer than `PATIENCE`."""


# --- one case, in a child -------------------------------------------------------------------------------------------


def play(what: str, number: int, scratch: Path) -> Verdict:
    """Damage a copy of the material in `scratch`, run a command on it, and judge what came of it."""
    faulthandler.dump_traceback_later(7 * PATIENCE, exit=True)  # where the signal is not heeded
    rng = random.Random(f"{what} {number}")
    work = scratch / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(scratch / "home", work, symlinks=True)
    target = rng.choice(TARGETS[what])
    command = rng.choice(target.commands)
    done = fuzz_damage.damage(work / target.place, rng)
    told = f"{command}  <- {'; '.join(done)}"
    os.chdir(work)
    OUTSIDE.clear()
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    code, fault = None, ""
    try:
        signal.alarm(6 * PATIENCE)
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        with redirect_stdout(out), redirect_stderr(err):
            code = _main(command)
    except Hung:
        fault = "endless at " + _where()
    except BaseException as error:
        fault = f"{type(error).__name__}: {str(error)[:200]} at {_where()}"
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    greedy = (
        "not enough memory" in err.getvalue()
        and what != "config"
        and not any("large" in one or "link" in one for one in done)
    )
    return Verdict(number, told, code, fault or _fault(code, err.getvalue()) or ("greedy" if greedy else ""))


def _main(command: str) -> int:
    from textgan.cli.main import main

    return main(command.split())


def _fault(code: int | None, err: str) -> str:
    lines = err.splitlines()
    last = bool(lines) and lines[-1].startswith("textgan: error: ")
    wrong = {
        f"exit code {code}": code not in PROMISED,
        f"no line of error, but {lines[-1:]}": code in PROMISED - {0} and not last,
        "more than one line of error": sum(line.startswith("textgan: error: ") for line in lines) > 1,
        "a long line": last and len(lines[-1]) > 2000,
        f"a traceback or warning: {err[-300:]}": "Traceback" in err or "Warning:" in err,
        f"reached outside: {OUTSIDE[:3]}": bool(OUTSIDE),
    }
    return "; ".join(name for name, found in wrong.items() if found)


def _where() -> str:
    """The places of the current exception, the innermost last."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[:-7:-1])


OUTSIDE: list[str] = []
"""What this case did beyond its folder."""
WRITES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
FORBIDDEN = {"os.system", "pickle.find_class", "socket.connect", "socket.getaddrinfo", "os.exec"}


def _watch(event: str, arguments: Any) -> None:
    """Note what reaches beyond the working folder; an audit hook, of which Python asks before it acts."""
    if event == "open":
        path, mode, flags = arguments
        writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(c in (mode or "") for c in "wax+")
        if writes and isinstance(path, str | bytes):
            _note(event, path)
    elif event in WRITES:
        for path in arguments[: 2 if event == "os.rename" else 1]:
            _note(event, path)
    elif event in FORBIDDEN or (event == "subprocess.Popen" and Path(str(arguments[0])).name != "git"):
        OUTSIDE.append(f"{event} {arguments[:2]}")


def _note(event: str, path: Any) -> None:
    if isinstance(path, int):
        return
    whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - of links, too
    if not whole.startswith((SCRATCH + "/work", "/dev/", "/proc/")) and SCRATCH:
        OUTSIDE.append(f"{event} {whole}")


SCRATCH = ""


# --- children ------------------------------------------------------------------------------------------------------


def _bounded() -> None:
    """Bound what this process may take, and have it interrupted."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # that it can write
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def hung(*_: object) -> None:
        raise Hung

    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, hung)


def _child(what: str, numbers: Sequence[int], scratch: Path, pipe: int) -> None:
    """Play cases, and tell of each as it begins and ends."""
    global SCRATCH
    SCRATCH = str(scratch)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    _bounded()
    sys.addaudithook(_watch)
    warnings.simplefilter("default")
    tempfile.tempdir = str(scratch / "work")
    with os.fdopen(pipe, "w", encoding="utf-8", errors="backslashreplace") as told:
        for number in numbers:
            told.write(json.dumps(["begins", number]) + "\n")
            told.flush()
            told.write(json.dumps(play(what, number, scratch)) + "\n")
            told.flush()


def batch(what: str, numbers: Sequence[int], scratch: Path) -> Iterator[Verdict]:
    """Play cases in a child; after one that ends the child itself, none of the others."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if not process:
        code = 1
        try:
            os.close(reading)
            os.setpgid(0, 0)
            _child(what, numbers, scratch, writing)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    os.close(writing)
    begun, silent = None, False
    with os.fdopen(reading, encoding="utf-8") as told:
        while not silent:
            silent = not select.select([told], [], [], 8 * PATIENCE)[0]
            line = "" if silent else told.readline()
            if not line:
                break
            value = json.loads(line)
            begun = value[1] if value[0] == "begins" else None
            if begun is None:
                yield Verdict(*value)
    if silent:
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # what it started
    if begun is not None:
        how = f"deaf for {8 * PATIENCE} s" if silent else f"ended by {os.waitstatus_to_exitcode(status)}"
        yield Verdict(begun, f"--what {what} --seed {begun} --cases 1", None, f"the interpreter was {how}")


def cases(what: str, numbers: Iterator[int], more: Callable[[], bool], scratch: Path) -> Iterator[Verdict]:
    """Play cases, as long as there are more."""
    scratch.mkdir(parents=True, exist_ok=True)
    fuzz_material.make(what, scratch)
    for name in LOADED:
        import_module(name)
    left: list[int] = []
    while more():
        left += islice(numbers, BATCH - len(left))
        for verdict in batch(what, left, scratch):
            left.remove(verdict.number)
            yield verdict


# --- the script ----------------------------------------------------------------------------------------------------


def main() -> int:
    """Play cases for so long, or so many; the exit code says whether one of them found something."""
    parser = argparse.ArgumentParser(description="Damage what textgan reads, and see what it makes of it.")
    parser.add_argument("--minutes", type=float, default=0.0, help="for each kind; 0 is as many as --cases")
    parser.add_argument("--cases", type=int, default=BATCH, help="of each kind, where no minutes are given")
    parser.add_argument("--what", default=",".join(TARGETS), help="kinds, by commas")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    asked = parser.parse_args()
    return max(_run(what, asked.seed, asked.cases, asked.minutes) for what in asked.what.split(","))


def _run(what: str, first: int, most: int, minutes: float) -> int:
    codes, faults, end = Counter[str](), 0, time.monotonic() + 60 * minutes
    numbers = iter(range(first, first + 10**9) if minutes else range(first, first + most))
    left = most

    def more() -> bool:
        return time.monotonic() < end if minutes else left > 0

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        for verdict in cases(what, numbers, more, Path(scratch)):
            left -= 1
            codes[str(verdict.code)] += 1
            if verdict.fault:
                faults += 1
                print(f"{what} {verdict.number}: {verdict.told}\n    {verdict.fault}", flush=True)
    told = ", ".join(f"{count:,} with {code}" for code, count in sorted(codes.items()))
    print(f"{what}: {codes.total():,} cases ended, {told}; {faults} found something", flush=True)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
