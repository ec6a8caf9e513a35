"""Cells as processes, a few at a time, until all have ended or someone stops them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from textgan.files import write_text
from textgan.settings import NOT_SETTINGS
from textgan.sweep.results import ERR, OUT, RESULT, SETTINGS, Job, Result, goes_on, result_of, settle

PAUSE = 0.1  # between two looks at the processes. [s]


class Process(Protocol):
    """What a schedule needs of a process, such as `subprocess.Popen`."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal; nothing if it has ended."""


class Watch(Protocol):
    """Who is told how a sweep goes."""

    def started(self, job: Job) -> None:
        """A cell's process has begun."""

    def ended(self, job: Job, result: Result) -> None:
        """It has ended."""

    def held(self, job: Job) -> None:
        """Another process trains in its folder; the cell waits for that to end."""

    def waited(self) -> None:
        """A moment has passed."""


def waiting(jobs: Sequence[Job], *, retry: bool) -> list[Job]:
    """Return the cells that have not ended, or may go on since, with `retry` also those that failed."""
    return [job for job in jobs if _waits(job, result_of(job.folder), retry)]


def _waits(job: Job, result: Result | None, retry: bool) -> bool:
    if result is None:
        return True
    return retry if result.code else goes_on(job, result)


def play(
    jobs: Sequence[Job],
    at_once: int,
    start: Callable[[Job], Process],
    stop: Callable[[], str | None],
    watch: Watch,
) -> None:
    """Run cells, so many at once; one that fails does not stop the others.

    A cell whose folder another process holds, such as what a killed sweep has left, lets others go first until then.

    Once `stop` returns a signal's name no other begins, and those that run are sent SIGINT, at which they save; so they
    are when an error ends this. It returns when all have ended. A cell that then ends in any other way than well was
    stopped, if only in the middle of an import, and goes on next time.
    """
    queue, running, told = Queue(jobs, watch), dict[Job, Process](), False
    try:
        while running or (queue.jobs and not stop()):
            while len(running) < at_once and not stop() and (job := queue.next()):
                running[job] = start(job)
                watch.started(job)
            if stop() and not told:
                told = True
                _interrupt(running)
            for job, code in _ended(running):
                del running[job]
                result = settle(job.folder, 128 + signal.SIGINT if told and code else code)
                watch.ended(job, result)
                if result.held:
                    queue.jobs.append(job)
            watch.waited()
            time.sleep(PAUSE)
    finally:
        if not told:
            _interrupt(running)
        while set(running) - {job for job, _ in _ended(running)}:  # a second signal would end them before they saved
            time.sleep(PAUSE)


class Queue:
    """Cells that wait for their turn."""

    def __init__(self, jobs: Sequence[Job], watch: Watch) -> None:
        """Hold cells, and tell the watch once of each that another process keeps waiting."""
        self.jobs, self.watch, self.told = deque(jobs), watch, set[str]()

    def next(self) -> Job | None:
        """Take the first cell whose folder is free, None where there is none."""
        for job in self.jobs:
            if not held(job.folder):
                self.jobs.remove(job)
                return job
            if job.name not in self.told:
                self.told.add(job.name)
                self.watch.held(job)
        return None


def held(folder: Path) -> bool:
    """Tell whether a process trains in a folder: whether its file .lock is locked, as `lock.alone_in` does it."""
    with suppress(FileNotFoundError), (folder / ".lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def trainer(threads: int) -> Callable[[Job], Process]:
    """Return what starts a cell's training, or goes on with it, in a process of so many threads.

    The process leads a session of its own: a terminal's Ctrl-C reaches it once, from `play`, since a second one would
    end it before it has saved. Where this process is killed it is sent one too, by `follower`. Its settings are whole:
    no variable may change them. What it says goes to new files: a process that is still there keeps its own.
    """

    def start(job: Job) -> Process:
        write_text(job.folder / SETTINGS, job.settings)
        for name in (RESULT, OUT, ERR):
            (job.folder / name).unlink(missing_ok=True)
        program = [sys.executable, "-m", "textgan.sweep.follower", str(os.getpid())]
        arguments = ["train", "-c", str(job.folder / SETTINGS), "--run", str(job.folder), "--resume", "--json"]
        with (job.folder / OUT).open("wb") as out, (job.folder / ERR).open("wb") as err:
            return subprocess.Popen(
                [*program, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=_environ(os.environ, threads), start_new_session=True,
            )  # fmt: skip

    return start


def _environ(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith("TEXTGAN_") or name in NOT_SETTINGS}
    return kept | {"OMP_NUM_THREADS": str(threads)}


def _ended(running: Mapping[Job, Process]) -> list[tuple[Job, int]]:
    codes = [(job, process.poll()) for job, process in running.items()]
    return [(job, code) for job, code in codes if code is not None]


def _interrupt(running: Mapping[Job, Process]) -> None:
    for process in running.values():
        process.send_signal(signal.SIGINT)
