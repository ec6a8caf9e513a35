"""Processes that train: started by a fork or a command, with those that they start, and ended where it hurts."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
"""Of files and folders, as Python's audit events."""


def start(arguments: list[str], folder: Path, launch: list[str], before: Callable[[], None] = lambda: None) -> int:
    """Start `textgan ARGUMENTS` in a folder, which also holds its cache and what it says, and return its process.

    Args:
        arguments: of the command.
        folder: where.
        launch: what is put before them, to be found and executed; nothing forks this process instead.
        before: is called in the new process.
    """
    process = os.fork()
    if process:
        return process
    try:
        _settle(folder)
        before()
        code = _become(arguments, launch)
    except BaseException as error:
        print(f"Traceback: {error!r}", file=sys.stderr, flush=True)
        code = 99
    os._exit(code)


def _settle(folder: Path) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ |= {"TEXTGAN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)


def _become(arguments: list[str], launch: list[str]) -> int:
    if launch:
        os.execvp(launch[0], [*launch, *arguments])
    from textgan.cli.main import main

    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def ended(process: int) -> int | None:
    """Return the exit code of a process that was started here, a negative signal if one ended it; None if it lives."""
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def tree(process: int) -> list[int]:
    """Return a process and all that descend from it, parents first."""
    parents = dict(_parents())
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(") ")[2].split()[:2]
        except (OSError, ValueError):  # it has ended
            continue
        if state not in "ZX":
            yield int(path.parent.name), int(parent)


def aimed_at(process: int, target: str, pick: random.Random) -> list[int]:
    """Return which processes of an attempt are killed: all, the agent that started the others, or one of those."""
    agent, *others = tree(process)
    ranks = [one for one in others if _trains(one)]
    chosen: dict[str, Callable[[], list[int]]] = {
        "all": lambda: [agent, *others],
        "agent": lambda: [agent],
        "rank": lambda: [pick.choice(ranks)] if ranks else [],
    }
    return chosen[target]()


def _trains(process: int) -> bool:
    try:
        return b"textgan" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def awaited(process: int) -> int:
    """Wait for a process that was started here, and return its exit code, a negative signal if one ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def living(process: int) -> bool:
    """Return whether a process runs; one that has ended may still wait to be asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def auditing(run: Path, place: int, listed: Path) -> None:
    """From now on list the changes of files in a run folder, or kill this process just before the one in a place."""
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES and (change := _change(run, event, arguments)):
            count += 1
            if not place:
                with listed.open("a", encoding="utf-8") as file:
                    file.write(change + "\n")
            if count == place:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _change(run: Path, event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return what is about to be changed, relative to the run; None where it is something else."""
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return None
    path = Path(os.fsdecode(arguments[0])) if isinstance(arguments[0], str | bytes | os.PathLike) else Path()
    if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:
        path = Path(f"/proc/self/fd/{arguments[1]}").readlink() / path
    path = Path.cwd() / path
    return f"{event} {path.relative_to(run)}" if path.is_relative_to(run) else None
