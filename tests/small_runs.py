"""Small runs of the command in this process, and what befalls them at a step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kills import EVERY, write_words

from textgan.cli.main import main
from textgan.cli.progress import Lines

STEPS = 3 * EVERY
SETTINGS = [
    "-c", "smoke", "-s", "training.log_every=1", "-s", f"training.evaluate_every={EVERY}", "-s", "evaluation.samples=50"
]  # fmt: skip


class Said(NamedTuple):
    """How a command ended, and the lines it said."""

    code: int
    lines: list[str]

    @property
    def last(self) -> str:
        """The last line: an error, if there was one."""
        return self.lines[-1]


class Killed(BaseException):
    """Nobody's to handle."""


class Bench:
    """Runs commands in a folder that holds words.txt, and `whole`, which nothing interrupted."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self.capfd, self.patch = folder, capfd, patch

    @property
    def whole(self) -> Path:
        """The run that nothing interrupted."""
        return self.folder / "whole"

    def __call__(self, *arguments: str) -> Said:
        """Run a command; what it raises is a defect."""
        self.capfd.readouterr()
        code = main(arguments)
        lines = self.capfd.readouterr().err.splitlines()
        assert not any("Traceback" in line for line in lines)
        return Said(code, lines)

    def train(self, run: Path, steps: int = STEPS, *more: str) -> Said:
        """Start or resume a run."""
        return self(*training(self.folder, run, steps), *more)

    def finish(self, run: Path, steps: int = STEPS) -> Said:
        """Resume a run to its end."""
        said = self.train(run, steps)
        assert said.code == 0, said
        return said

    def copy(self, to: Path) -> Path:
        """Copy the whole run."""
        return Path(shutil.copytree(self.whole, to))

    def at(self, step: int, what: Callable[[], object]) -> None:
        """Have something happen at a step of the next run, before its row is written."""

        class Followed(Lines):
            def step(self, number: int, row: Mapping[str, Any]) -> None:
                super().step(number, row)
                if number == step:
                    what()

        self.patch.setattr(import_module("textgan.cli.train"), "watch", Followed)

    def quietly(self) -> None:
        """Have nothing happen any more."""
        self.patch.setattr(import_module("textgan.cli.train"), "watch", Lines)

    def killed(self, run: Path, step: int) -> Path:
        """Make a run that was killed at a step."""

        def die() -> None:
            raise Killed

        self.at(step, die)
        with pytest.raises(Killed):
            self.train(run)
        self.quietly()
        return run


def training(folder: Path, run: Path, steps: int = STEPS) -> list[str]:
    """Return the command that starts or resumes a run."""
    words = str(folder / "words.txt")
    return ["train", *SETTINGS, "--corpus", words, "--steps", str(steps), "--run", str(run), "--resume"]


def make_whole(folder: Path) -> Path:
    """Fill the folder of a `Bench`."""
    write_words(folder / "words.txt")
    assert main(training(folder, folder / "whole")) == 0
    return folder
