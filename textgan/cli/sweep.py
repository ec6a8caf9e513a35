"""`textgan sweep`: a grid of settings and seeds to one table and one plot."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.config import CORPUS_FLAGS, corpus_options
from textgan.cli.options import JSON
from textgan.cli.progress import duration, printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from textgan.config import Config
    from textgan.report.sweeps import Summary
    from textgan.settings import Resolved
    from textgan.sweep.grid import Cell, Sweep
    from textgan.sweep.results import Job, Result

SIGNALS = {"SIGINT": 130, "SIGTERM": 143}
WIDEST = 100_000  # no table is as wide. [characters]

EPILOG = """\b
An example, methods.toml, of 2 methods x 3 seeds, each for 3 minutes of processor time:
  [sweep]
  jobs = 2                                 # cells at a time; by default one a core
  columns = ["jsd.4", "words", "unique"]   # figures, of pictures such as frechet and recall; the first is drawn
  [settings]
  corpus.name = "names.txt"
  training.steps = 1_000_000
  training.processor_minutes = 3           # equal for all, whatever else the machine does
  [axes]
  training.seed = [0, 1, 2]                # mean and spread are over the seeds
  [axes.method]                            # several settings at once, under a name
  paper = { preset = "wgan_gp" }
  least_squares = { preset = "wgan_gp", game.objective = "least_squares" }

\b
An axis may also be any key with a list of values: critic.width = [16, 32], or preset = ["quick", "counts"].
A relative path of a corpus is looked for from the folder that the command runs in, wherever FILE is.

\b
  textgan sweep methods.toml --dry-run     lists the cells and checks them all
  textgan sweep methods.toml               sweeps/methods: table.md, plot.svg, sweep.json, a run a cell under cells/

Ctrl-C saves every running cell; the same command goes on, also after values were added to the file, or its limits of
steps or minutes raised: then cells that ended go on. Exit code 1 tells that a cell failed; the others go on.
A setting in the file wins over TEXTGAN_*, and -s over both."""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--corpus", metavar="NAME|PATH", help="What all cells train on; `textgan corpora` lists names and forms.")
@corpus_options
@click.option("-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting of all cells.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Cells at a time (as the file says, or one a core)."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where (sweeps/NAME).")
@click.option("--retry", is_flag=True, help="Also run the cells again that failed, from their last checkpoints.")
@click.option("--dry-run", is_flag=True, help="Check and list the cells, and estimate the time, but train nothing.")
@JSON
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    file: Path,
    overrides: tuple[str, ...],
    jobs: int | None,
    out: Path | None,
    retry: bool,
    dry_run: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train every cell of the grid that FILE describes, several at a time, to one table and one plot."""
    from textgan.sweep import grid, results, schedule

    asked = grid.read(file)
    cells = grid.cells(asked)
    folder = out or Path("sweeps") / grid.path_safe(asked.name)
    found = _resolved(cells, overrides, flags)
    work = _jobs(found, folder)
    results.check_unchanged(work)
    at_once = min(jobs or asked.jobs or max(_cores() // asked.threads, 1), len(cells))
    left = schedule.waiting(work, retry=retry)
    _check_corpora({job.name: found[job.name].config for job in left})
    if dry_run:
        seconds = _estimate([found[job.name].config for job in left], at_once)
        _describe(work, left, seconds, at_once, as_json)
        return
    stopped = _play(left, at_once, asked.threads, folder, Board(len(work), len(work) - len(left), at_once))
    if stopped:
        ctx.exit(SIGNALS[stopped])
    ctx.exit(_conclude(asked, cells, work, folder, as_json))


def _resolved(cells: Sequence[Cell], overrides: tuple[str, ...], flags: Mapping[str, Any]) -> dict[str, Resolved]:
    """Resolve and check every cell before any begins.

    Raises:
        UsageError: of the first cell that is wrong, or of two that are the same.
    """
    from textgan import assemble
    from textgan.checks import check
    from textgan.corpora import cards
    from textgan.settings import Resolved, resolve_for_corpus

    keys = {"corpus": "corpus.name"} | {name: f"corpus.{name}" for name in CORPUS_FLAGS}
    layers = {"overrides": overrides, "flags": {keys[name]: value for name, value in flags.items()}}
    found: dict[str, Resolved] = {}
    places: dict[str, Any] = {}  # standard input can be read once only
    for cell in cells:
        try:
            one = resolve_for_corpus(cell.preset, cards.suits, cell=cell.tables, environ=os.environ, **layers)
            check(one.config)
        except UsageError as error:
            raise UsageError(f"cell {cell.name}: {error}") from None
        corpus = one.config.corpus
        key = corpus.model_dump_json()
        if key not in places:
            places[key] = assemble.settled(one.config).corpus
        found[cell.name] = Resolved(one.config.model_copy(update={"corpus": places[key]}), one.origin)
    _check_different({name: one.config for name, one in found.items()})
    return found


def _check_corpora(configs: dict[str, Config]) -> None:
    """Refuse names of a corpus that nothing bears, of cells that have still to read it."""
    from textgan.corpora import cards
    from textgan.corpora.text import sources

    def there(name: str) -> bool:
        files = glob(str(Path(name).expanduser()), recursive=True) if has_magic(name) else []  # noqa: PTH207
        return sources.existing(name) is not None or bool(files)

    first = {(config.corpus.name, config.corpus.data): cell for cell, config in reversed(configs.items())}
    for (name, data), cell in reversed(first.items()):
        if not (name in cards.names() or cards.PREFIXED.match(name) or there(name)):
            hint = near_miss(name, cards.names())
            raise UsageError(
                f"cell {cell}: unknown corpus {name!r}, and no such file or folder from {Path.cwd()}{hint}"
            )
        if data and not there(data):
            raise UsageError(f"cell {cell}: corpus.data: no such file or folder: {data}")


def _check_different(configs: Mapping[str, Config]) -> None:
    seen: dict[str, str] = {}
    for name, config in configs.items():
        other = seen.setdefault(config.model_dump_json(), name)
        if other != name:
            raise UsageError(f"cells {other} and {name} have the same settings; does -s or another axis override one?")


def _jobs(found: Mapping[str, Resolved], folder: Path) -> list[Job]:
    from textgan.cli.config import toml_lines
    from textgan.sweep.results import Job

    return [
        Job(name, folder / "cells" / name, "\n".join(toml_lines(one)) + "\n", _free(one.config))
        for name, one in found.items()
    ]


def _free(config: Config) -> frozenset[str]:
    """Return the keys that a cell may have others of than it was begun with; steps where nothing goes with them."""
    from textgan.checks import moving
    from textgan.resuming import FREE_TO_CHANGE

    scheduled = config.training.schedule != "constant" or moving(config)
    return frozenset(f"training.{name}" for name in FREE_TO_CHANGE - ({"steps"} if scheduled else set()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _estimate(configs: Sequence[Config], at_once: int) -> float | None:
    """Seconds that budgets of time allow, at most; None where a cell has none."""
    budgets = [config.training.processor_minutes or config.training.minutes for config in configs]
    return None if 0 in budgets else sum(budgets) * 60 / at_once


def _describe(work: Sequence[Job], left: Sequence[Job], seconds: float | None, at_once: int, as_json: bool) -> None:
    if as_json:
        told = {"schema": 1, "cells": [job.name for job in work], "left": [job.name for job in left]}
        click.echo(json.dumps(told | {"jobs": at_once, "seconds": seconds}))
        return
    waiting = {job.name for job in left}
    for job in work:
        click.echo(job.name + ("" if job.name in waiting else "  (has ended)"))
    time_left = "training.processor_minutes would tell how long" if seconds is None else f"about {duration(seconds)}"
    click.echo(f"{len(left)} of {len(work)} cells to run, {at_once} at a time: {time_left}", err=True)


def _play(left: Sequence[Job], at_once: int, threads: int, folder: Path, board: Board) -> str | None:
    """Run the cells, and return the name of the signal that stopped them, if one did."""
    if not left:
        return None
    from textgan.lock import alone_in
    from textgan.sweep import schedule
    from textgan.training.interrupt import Interrupt

    with alone_in(folder, "--out"), Interrupt() as stop, _hangup(stop), board.shown():
        schedule.play(left, at_once, schedule.trainer(threads), stop, board)
        stopped = stop()
    if stopped:
        board.note(f"stopped by {stopped} with {board.counts()}; the same command goes on")
    return stopped


@contextmanager
def _hangup(stop: Callable[[], str | None]) -> Iterator[None]:
    """Take the first SIGHUP of a closed terminal for SIGTERM, and leave one alone that is ignored, as by nohup.

    Others, which shell and kernel may both send, are let pass: a second signal would end the process at once.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return

    def first(number: int, frame: object) -> None:
        if not stop():
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGHUP, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _conclude(asked: Sweep, cells: Sequence[Cell], work: Sequence[Job], folder: Path, as_json: bool) -> int:
    """Write and print the table, and return the exit code."""
    from textgan.report.sweeps import to_json
    from textgan.sweep import table
    from textgan.sweep.results import result_of

    results = {job.name: result for job in work if (result := result_of(job.folder)) is not None}
    ended = [cell for cell in cells if cell.name in results]
    summary = _plain(table.summarise(asked, ended, results, {job.name: job.folder for job in work}))
    written = table.write(summary, folder)
    if as_json:
        click.echo(json.dumps(to_json(summary), ensure_ascii=False, allow_nan=False))
    else:
        _show(summary)
    for column, hint in table.unknown(summary).items():
        click.echo(printable(f"no cell has a figure {column!r}{hint}"), err=True)
    click.echo(f"in {printable(str(folder))}: {', '.join(written)}", err=True)
    return int(len(ended) < len(cells) or any(result.code for result in results.values()))


def _plain(summary: Summary) -> Summary:
    """Spell out what could command a terminal in the names that come from the file."""

    def told(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(printable, names))

    rows = tuple(
        replace(row, setting=told(row.setting), failures={printable(name): n for name, n in row.failures.items()})
        for row in summary.rows
    )
    return replace(
        summary, name=printable(summary.name), axes=told(summary.axes), columns=told(summary.columns), rows=rows
    )


def _show(summary: Summary) -> None:
    """Print the table on stdout as wide as it needs to be, on a terminal with figures in several lines."""
    from rich.console import Console

    from textgan.report.sweeps import render

    console, parts = Console(file=sys.stdout, highlight=False), list(render(summary))
    if console.is_terminal:
        width = max(console.width, *(_widths(console, part)[0] for part in parts))
    else:
        width = max(_widths(console, part)[1] for part in parts)
    console.width = width  # which print alone would only make smaller
    for part in parts:
        console.print(part)


def _widths(console: Console, part: RenderableType) -> tuple[int, int]:
    """Return how narrow a part may be, and how wide it is with all in one line."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=WIDEST), part)


class Board:
    """Tells on stderr how a sweep goes: a line a cell that ends, and on a terminal a bar below."""

    def __init__(self, total: int, done: int, at_once: int) -> None:
        """Expect so many cells in all, of which some are done, and so many at a time."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.total, self.done, self.at_once, self.failed = total, done, at_once, 0
        self.began: dict[str, float] = {}
        self.took: list[float] = []
        self.console = Console(stderr=True, highlight=False)
        columns = BarColumn(), TextColumn("{task.fields[told]}")
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("sweep", total=total, completed=done, told="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar within the `with` block."""
        with self.bar:
            self.note(self.counts())
            yield

    def started(self, job: Job) -> None:
        """Note the time."""
        self.began[job.name] = time.monotonic()

    def ended(self, job: Job, result: Result) -> None:
        """Print a line."""
        from textgan.sweep.results import STOPPED

        seconds = time.monotonic() - self.began.pop(job.name)
        if result.held:
            self.held(job)
            return
        if result.code in STOPPED:
            self.note(f"{job.name}: saved at step {result.step}")
            return
        self.done += 1
        self.failed += bool(result.code)
        self.took.append(seconds)
        told = f"failed: {result.failure}" if result.code else f"step {result.step}, {duration(seconds)}"
        self.note(f"{job.name}: {told} ({self.counts()})")

    def held(self, job: Job) -> None:
        """Print a line."""
        self.note(f"{job.name}: another process is training in its folder; waiting for it")

    def waited(self) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=self.done, told=self.counts())

    def note(self, text: str) -> None:
        """Print a line, if there still is somewhere to print it."""
        with suppress(OSError):
            self.console.print(printable(text), markup=False, emoji=False, soft_wrap=True)

    def counts(self) -> str:
        """Say how many cells are done, running and failed, and how long the others may take."""
        failed = f", {self.failed} failed" if self.failed else ""
        told = f"{self.done} of {self.total} cells done, {len(self.began)} running{failed}"
        left = self.left()
        return told if left is None else f"{told}, about {duration(left)} left"

    def left(self) -> float | None:
        """Return the seconds left, by what the cells so far took; None before one has ended."""
        if not self.took or self.done == self.total:
            return None
        mean, now = sum(self.took) / len(self.took), time.monotonic()
        running = sum(max(mean - (now - began), 0.0) for began in self.began.values())
        return (running + mean * (self.total - self.done - len(self.began))) / self.at_once
