"""Cells as processes, a few at a time, until all have ended or someone stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from textgan.files import write_text
from textgan.settings import NOT_SETTINGS
from textgan.sweep.results import ERR, OUT, RESULT, SETTINGS, Job, Result, result_of, settle

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

    def waited(self) -> None:
        """A moment has passed."""


def waiting(jobs: Sequence[Job], *, retry: bool) -> list[Job]:
    """Return the cells that have not ended, with `retry` also those that failed."""
    results = {job.name: result_of(job.folder) for job in jobs}
    return [job for job in jobs if (result := results[job.name]) is None or (retry and result.code)]


def play(
    jobs: Sequence[Job],
    at_once: int,
    start: Callable[[Job], Process],
    stop: Callable[[], str | None],
    watch: Watch,
) -> None:
    """Run cells, so many at once; one that fails does not stop the others.

    Once `stop` returns a signal's name no other begins, and those that run are sent SIGINT, at which they save; so they
    are when this ends by an error. It returns when all have ended. A cell that then ends in any other way than well was
    stopped, if only in the middle of an import, and goes on next time.
    """
    queue, running, told = deque(jobs), dict[Job, Process](), False
    try:
        while running or (queue and not stop()):
            while queue and len(running) < at_once and not stop():
                job = queue.popleft()
                running[job] = start(job)
                watch.started(job)
            if stop() and not told:
                told = True
                _interrupt(running)
            for job, code in _ended(running):
                del running[job]
                watch.ended(job, settle(job.folder, 128 + signal.SIGINT if told and code else code))
            watch.waited()
            time.sleep(PAUSE)
    finally:
        if running:
            _interrupt(running)


def trainer(threads: int) -> Callable[[Job], Process]:
    """Return what starts a cell's training, or goes on with it, in a process of so many threads.

    The process leads a session of its own: a terminal's Ctrl-C reaches it once, from `play`, since a second one would
    end it before it has saved. Its settings are whole: no variable may change them.
    """

    def start(job: Job) -> Process:
        write_text(job.folder / SETTINGS, job.settings)
        (job.folder / RESULT).unlink(missing_ok=True)
        arguments = ["train", "-c", str(job.folder / SETTINGS), "--run", str(job.folder), "--resume", "--json"]
        with (job.folder / OUT).open("wb") as out, (job.folder / ERR).open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "textgan", *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
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
