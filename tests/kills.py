"""Runs that are killed again and again, resumed until they are finished, and compared with one that nobody killed.

    python tests/kills.py --count 100                        half of text, half of pictures; figures as JSON on stdout
    python tests/kills.py --operations                       a kill before each change that one checkpoint makes
    python tests/kills.py --launch 'python -m textgan'       the command in a process that begins with its imports
    python tests/kills.py --launch 'torchrun --nproc-per-node 2 --max-restarts 3 -m -- textgan' --target rank

Without --launch an attempt is a fork of this process, which has imported torch and computed nothing: the same
`textgan.cli.main.main` with the same arguments, without the seconds of imports, in which there is nothing to lose.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from attempts import ROOT, aimed_at, auditing, awaited, ended, living, start, tree

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch are imported: one thread, which may fork

EVERY = 3  # steps from a checkpoint to the next
OFTEN = ["training.log_every=1", f"training.evaluate_every={EVERY}", "evaluation.samples=50", "training.device=cpu"]
SMALL = ["generator.width=4", "critic.width=4", "training.batch=8"]
WORDS = ["the", "a", "cat", "dog", "runs", "sleeps", "in", "under", "garden", "house", "red", "small", "eats", "now"]
TIMES = {"seconds", "processor_seconds"}
WAIT = 120.0  # for an attempt to end. [s]


def _settings(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("-s", setting)]


WORKS = {
    "text": ["-c", "smoke", "--corpus", "words.txt", *_settings(*OFTEN)],
    "pictures": ["-c", "digits", *_settings(*OFTEN, *SMALL)],
}
"""Arguments of `textgan train`, in a folder that holds words.txt."""


def write_words(path: Path) -> None:
    """Write 400 lines of two to four short words."""
    pick = random.Random(0)
    lines = [" ".join(pick.choice(WORDS) for _ in range(pick.randint(2, 4))) for _ in range(400)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- what is compared ------------------------------------------------------------------------------------------------


def differences(run: Path, whole: Path) -> list[str]:
    """Return in what a run differs from one that nothing interrupted; clock times, and what names them, may."""
    ours, theirs = _names(run), _names(whole)
    told = [f"{name} is left over" for name in sorted(ours - theirs)]
    told += [f"{name} is missing" for name in sorted(theirs - ours)]
    for name in sorted(ours & theirs):
        if (run / name).is_file() and (wrong := _difference(run / name, whole / name)):
            told.append(f"{name} {wrong}")
    return told


def _difference(ours: Path, theirs: Path) -> str:
    from textgan.errors import CorruptError

    try:
        return "" if _content(ours) == _content(theirs) else "differs"
    except (CorruptError, ValueError) as error:
        return f"is damaged: {error}"


def _names(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*")}


def _content(path: Path) -> Any:
    if path.name == "metrics.jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines(keepends=True)]
    if path.name == "run.json":
        return json.loads(path.read_text(encoding="utf-8"))["config"]
    if path.name == "state.json":
        return _timeless(json.loads(path.read_text(encoding="utf-8")))
    if path.name == "manifest.json":
        return _sound(path.parent)
    return path.read_bytes()


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in TIMES}


def _sound(folder: Path) -> set[str]:
    """Return the files of a folder that holds what its manifest says."""
    from textgan.files import verify_folder

    verify_folder(folder)
    return {path.name for path in folder.iterdir()}


# --- kills -----------------------------------------------------------------------------------------------------------


class Kill(NamedTuple):
    """What a kill hit."""

    work: str
    aim: str
    """moment, write, or the change it came before."""
    phase: str
    """before the first checkpoint, between writes, or writing so and so."""
    lost: int
    """Steps that were done and have to be done again."""


@dataclass
class Figures:
    """What many kills came to."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    resumes: int = 0
    mismatches: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    orphans: int = 0
    """Processes that outlived the one that started them."""

    def told(self) -> dict[str, Any]:
        """Return them as JSON."""
        lost = [kill.lost for kill in self.kills] or [0]
        counts = {
            "kills": len(self.kills),
            "by_work": Counter(kill.work for kill in self.kills),
            "by_phase": dict(sorted(Counter(kill.phase for kill in self.kills).items())),
            "steps_lost": {"most": max(lost), "mean": round(sum(lost) / len(lost), 2)},
        }
        return counts | {name: value for name, value in asdict(self).items() if name != "kills"}


@dataclass
class Range:
    """Where runs are killed: the arguments of one work, its folder, and what the uninterrupted run was like."""

    work: str
    folder: Path
    launch: list[str]
    target: str
    pick: random.Random
    figures: Figures
    steps: int
    begun: float = 0.0
    """Until the run's folder is there. [s]"""
    seconds: float = 0.0
    """From then to the end. [s]"""

    def arguments(self, run: str) -> list[str]:
        """Return the command; it is the same each time, whether there is a run to resume or not."""
        return ["train", *WORKS[self.work], "--steps", str(self.steps), "--run", f"./{run}", "--resume"]

    def uninterrupted(self) -> None:
        """Make the run that the others are compared with, twice: the first also prepares the corpus."""
        write_words(self.folder / "words.txt")
        for run in ("first", "whole"):
            process, began = start(self.arguments(run), self.folder, self.launch), time.monotonic()
            self.begun = self.seconds = 0.0
            while (code := ended(process)) is None:
                if not self.begun and (self.folder / run).exists():
                    self.begun = time.monotonic() - began
                time.sleep(0.001)
            self.seconds = time.monotonic() - began - self.begun
            if code:
                raise SystemExit(f"the uninterrupted run ended with {code}: {self._said()}")
        for told in differences(self.folder / "first", self.folder / "whole"):
            raise SystemExit(f"two uninterrupted runs differ: {told}")

    def kill_often(self, count: int) -> None:
        """Kill so many times, in as many runs as it takes, and let the last run end too."""
        end = len(self.figures.kills) + count
        while len(self.figures.kills) < end:
            run = f"run-{self.figures.runs}"
            self.figures.runs += 1
            while not self._attempt(run, last=len(self.figures.kills) >= end):
                self.figures.resumes += 1
            self._compare(run)

    def _attempt(self, run: str, *, last: bool) -> bool:
        """Start or resume a run, kill it unless this is the last time, and return whether it is over, well or not."""
        process = start(self.arguments(run), self.folder, self.launch)
        if not last:
            aim = self.pick.choice(["moment", "write"])
            if self._wait(process, run, aim):
                return self._shoot(process, run, aim)
        return self._over(process, run, killed=False)

    def _wait(self, process: int, run: str, aim: str) -> bool:
        """Wait for the moment to kill, and return whether the attempt still runs then."""
        began = time.monotonic()
        moment = self.begun + self.pick.random() * min(1.0, 8 * EVERY / self.steps) * self.seconds
        seen, number, known = 0, self.pick.randint(1, 12), set[str]()
        while living(process):
            if aim == "moment" and time.monotonic() - began >= moment:
                return True
            if aim == "write" and (fresh := set(half_written(self.folder / run)) - known):
                known |= fresh
                seen += len(fresh)
                if seen >= number:
                    time.sleep(self.pick.random() * 0.004)
                    return living(process)
            time.sleep(0.0005)
        return False

    def _shoot(self, process: int, run: str, aim: str) -> bool:
        family, aims = tree(process), aimed_at(process, self.target, self.pick)
        for one in aims:
            os.kill(one, signal.SIGKILL)
        while any(map(living, aims)):
            time.sleep(0.001)
        self._count(run, aim)
        over = self._over(process, run, killed=True)
        self._bury(family)
        return over

    def _count(self, run: str, aim: str) -> None:
        phase, lost = what_was_hit(self.folder / run)
        self.figures.kills.append(Kill(self.work, aim, phase, lost))

    def _over(self, process: int, run: str, *, killed: bool) -> bool:
        """Wait for an attempt to end, and return whether its run is over."""
        end = time.monotonic() + WAIT
        while (code := ended(process)) is None:
            if time.monotonic() > end:
                for one in reversed(tree(process)):
                    os.kill(one, signal.SIGKILL)
                os.waitpid(process, 0)
                self.figures.failures.append(f"{run}: no end after {WAIT:g} s: {self._said()}")
                return True
            time.sleep(0.001)
        if code and not killed:
            self.figures.failures.append(f"{run}: ended with {code}: {self._said()}")
        return code == 0 or not killed

    def _bury(self, family: list[int]) -> None:
        """Wait for the processes of an attempt whose agent was killed; what does not end by itself is counted."""
        end = time.monotonic() + WAIT / 2
        while any(map(living, family)) and time.monotonic() < end:
            time.sleep(0.05)
        for one in filter(living, family):
            self.figures.orphans += 1
            os.kill(one, signal.SIGKILL)

    def _compare(self, run: str) -> None:
        told = differences(self.folder / run, self.folder / "whole")
        self.figures.mismatches += [f"{self.work} {run}: {line}" for line in told]
        if self.target == "all" and "Traceback" in (self.folder / "said.txt").read_text(
            encoding="utf-8", errors="replace"
        ):
            self.figures.failures.append(f"{self.work} {run}: a traceback")

    def _said(self) -> str:
        """Return the last line that any attempt said."""
        return self._all_said().rstrip().rpartition("\n")[2]

    def _all_said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")

    def kill_before_each_change(self) -> None:
        """Kill before each change of a file that a checkpoint makes, that of the last step and what follows it."""
        listed = self.folder / "changes.txt"
        awaited(start(self.arguments("listed"), self.folder, [], lambda: auditing(self.folder / "listed", 0, listed)))
        changes = listed.read_text(encoding="utf-8").splitlines()
        saved = [place for place, change in enumerate(changes, 1) if change.startswith("os.rename checkpoints/.step-")]
        for place in range(saved[-2] + 1, len(changes) + 1):
            run = f"change-{place}"
            self.figures.runs += 1
            hook = partial(auditing, self.folder / run, place, listed)
            if (code := awaited(start(self.arguments(run), self.folder, [], hook))) != -signal.SIGKILL:
                self.figures.failures.append(f"{run}: ended with {code} before {changes[place - 1]}")
            self._count(run, re.sub(r"[0-9]{3,}|\\.[^. ]{8}\\.", "*", changes[place - 1]))
            self.figures.resumes += 1
            self._over(start(self.arguments(run), self.folder, self.launch), run, killed=False)
            self._compare(run)


def half_written(run: Path) -> list[str]:
    """Return what is being written in a run, or was when its process was killed."""
    found = []
    for folder in (run, run / "checkpoints", run / "samples"):
        try:
            found += [name for name in os.listdir(folder) if name.endswith(".tmp")]  # noqa: PTH208 - half the time
        except FileNotFoundError:
            continue
    return found


def what_was_hit(run: Path) -> tuple[str, int]:
    """Return what a killed run was at, and how many steps it has to do again."""
    saved = max([_number(path.name) for path in (run / "checkpoints").glob("step-*")], default=0)
    rows = (run / "metrics.jsonl").read_text(encoding="utf-8") if (run / "metrics.jsonl").is_file() else ""
    done = [json.loads(line)["step"] for line in rows.splitlines(keepends=True) if line.endswith("\n")]
    lost = max([0, *done]) - saved
    writing = half_written(run)
    if writing:
        name = "a checkpoint" if (run / "checkpoints" / writing[0]).exists() else writing[0][1:].rsplit(".", 3)[0]
        return f"writing {'samples' if name.startswith('step-') else name}", max(lost, 0)
    return "between writes" if saved else "before the first checkpoint", max(lost, 0)


def _number(name: str) -> int:
    return int(name.removeprefix("step-"))


# --- the command -----------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Kill as the arguments say, print the figures as JSON, and return 1 where something was lost."""
    given = _parser().parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    launch, figures = shlex.split(given.launch), Figures()
    if not launch:
        _warm()
    works = list(WORKS) if given.work == "both" else [given.work]
    with tempfile.TemporaryDirectory(prefix="kills-", dir=given.folder) as folder:
        for number, work in enumerate(works):
            place = Path(folder) / work
            place.mkdir()
            ground = Range(work, place, launch, given.target, random.Random(given.seed + number), figures, given.steps)
            ground.uninterrupted()
            if given.operations:
                ground.kill_before_each_change()
            else:
                ground.kill_often((given.count + number) // len(works))
    print(json.dumps(figures.told(), indent=2))
    return 1 if figures.mismatches or figures.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="kills in all")
    parser.add_argument("--work", choices=[*WORKS, "both"], default="both")
    parser.add_argument("--steps", type=int, default=36, help="of a run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--launch", default="", help="what is put before the arguments of the command")
    parser.add_argument("--target", choices=["all", "rank", "agent"], default="all", help="which processes are killed")
    parser.add_argument("--operations", action="store_true", help="kill before each change of a file")
    parser.add_argument("--folder", help="for all that is written; it goes in the end")
    return parser


def _warm() -> None:
    """Import what the command imports."""
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # which pandas would try, and which starts a thread
    for name in ("PIL.PngImagePlugin", "sklearn.datasets", "textgan.cli.train", "textgan.runs", "torch._dynamo"):
        import_module(name)
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    assert threads == 1, f"{threads} threads must not fork"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
