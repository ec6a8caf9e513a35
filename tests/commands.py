"""The command `textgan`, mostly in processes of its own, and what is left of them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from textgan.cli.main import main

ROOT = Path(__file__).parents[1]
DRIVER = "import sys\n{setup}\nfrom textgan.cli.main import main\nsys.exit(main(sys.argv[1:]))"


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def start(
    folder: Path,
    *arguments: str,
    setup: str = "",
    environ: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> subprocess.Popen[str]:
    """Start the command in a folder, which also holds its cache, as the leader of a group of processes.

    Args:
        folder: where.
        arguments: of the command.
        setup: Python that runs before, to make constants smaller.
        environ: variables besides those of this process; an empty one is taken away.
        stdin: what it reads; by default nothing.
    """
    there = {name: value for name, value in os.environ.items() if not name.startswith("TEXTGAN_")}
    there |= {"TEXTGAN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    there = {name: value for name, value in (there | dict(environ or {})).items() if value}
    program = ["-c", DRIVER.format(setup=setup)] if setup else ["-m", "textgan"]
    return subprocess.Popen(
        [sys.executable, *program, *arguments], cwd=folder, env=there, stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for the command."""
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def textgan(
    folder: Path,
    *arguments: str,
    setup: str = "",
    environ: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> Done:
    """Run the command to its end; as `start`."""
    return ended(start(folder, *arguments, setup=setup, environ=environ, stdin=stdin))


def within(folder: Path, *arguments: str) -> Done:
    """Run the command in this process, which has all its libraries in memory already, in a folder with its cache."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("TEXTGAN_")]:
            patch.delenv(name)
        patch.setenv("TEXTGAN_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        code = main(arguments)
    out.seek(0)
    return Done(code, out.read(), err.getvalue())


def processes_of(leader: int) -> set[int]:
    """Return the living processes of a group, its leader left out."""
    return {process for process, (group, state) in _groups().items() if group == leader and state not in "ZX"} - {
        leader
    }


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition holds, at most so long, and tell whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _groups() -> dict[int, tuple[int, str]]:
    """Return group and state of every process."""
    groups = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(") ")[2].split()[:3]
        except (OSError, ValueError):  # it has ended
            continue
        groups[int(path.parent.name)] = (int(group), state)
    return groups
