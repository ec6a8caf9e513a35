"""What a training run tells the person who waits for it: on stderr, live on a terminal, now and then elsewhere."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from textgan.figures import figures

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LIVE_SAMPLES = 3
LINE_EVERY = 30.0  # seconds between plain progress lines
PREPARING_EVERY = 3.0  # seconds between those on a text that is read


def is_alone() -> bool:
    """Return whether this process has its work for itself, as it has unless torchrun started several."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def is_first() -> bool:
    """Return whether this process speaks for its run: it is the only one, or torchrun's first."""
    return is_alone() or os.environ.get("RANK", "0") == "0"


def is_first_here() -> bool:
    """Return whether this process speaks for those of its machine."""
    return is_alone() or not re.fullmatch("[1-9][0-9]*", os.environ.get("LOCAL_RANK", "0"))


class Pace:
    """Speed and time left, in steps and seconds of the clock, counted from the first step on, which warms up.

    A run ends with its steps, or after `limit` seconds.
    """

    def __init__(self, total: int, first: int, limit: float = math.inf) -> None:
        self.total, self.first, self.done = total, first, first
        self.end = time.monotonic() + limit
        self.begin: float | None = None

    def update(self, step: int) -> None:
        """Note a finished step."""
        self.done = step
        if self.begin is None:
            self.first, self.begin = step, time.monotonic()

    @property
    def speed(self) -> float:
        """Steps a second, 0 while unknown. [1/s]"""
        seconds = time.monotonic() - self.begin if self.begin is not None else 0.0
        return (self.done - self.first) / seconds if seconds else 0.0

    def __str__(self) -> str:
        """Return speed and time left, such as "8.3 steps/s, 4:10 left"."""
        speed = self.speed
        if not speed:
            return "warming up"
        told = f"{speed:.1f} steps/s" if speed >= 1 else f"{1 / speed:.1f} s/step"
        left = min((self.total - self.done) / speed, max(self.end - time.monotonic(), 0))
        return f"{told}, {duration(left)} left"


class Lines:
    """Follows a training run in plain lines, for logs and pipes."""

    def __init__(self, minutes: float = 0.0) -> None:
        """Expect a run that stops after so many minutes; 0 for one that does not."""
        self.limit = minutes * 60 or math.inf
        self.pace = Pace(1, 0)
        self.told = 0.0
        self.stage, self.begin = "", 0.0

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        """Print a line every few seconds."""
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.begin, self.told = stage, now, now
        if now - self.told > PREPARING_EVERY:
            seconds = now - self.begin
            left = f", {duration(seconds * (1 - share) / share)} left" if share else ""
            self.note(f"{stage}: {lines:,}, {duration(seconds)}{left}")

    def started(self, total: int, first: int) -> None:
        """Start the clock."""
        self.pace = Pace(total, first, self.limit)
        self.told = time.monotonic()

    def step(self, step: int, row: Mapping[str, Any]) -> None:
        """Print a line every half minute."""
        self.pace.update(step)
        if time.monotonic() - self.told > LINE_EVERY:
            self.note(f"step {step}/{self.pace.total}, {self.pace}")

    def evaluated(self, step: int, metrics: Mapping[str, Any], samples: Sequence[Any]) -> None:
        """Print the figures and a few samples, unless they are pictures."""
        self.note(f"step {step}/{self.pace.total}, {self.pace}: {figures(metrics)}")
        for line in lines(samples):
            self.note(line)

    def saved(self, step: int) -> None:
        """Keep quiet: the figures of the same step say enough."""

    def note(self, text: str) -> None:
        """Print a line."""
        self.told = time.monotonic()
        click.echo(printable(text), err=True)

    def closed(self) -> None:
        """Have nothing to end."""


class Terminal(Lines):
    """A bar, with the latest figures and samples under it."""

    def __init__(self, minutes: float = 0.0) -> None:
        super().__init__(minutes)
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn

        columns = TextColumn("step {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.fields[pace]}")
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(*columns, console=self.console)
        self.task = self.bar.add_task("train", total=None, pace="", visible=False)
        self.under: list[Text] = []
        self.live = Live(get_renderable=self._render, console=self.console, refresh_per_second=4)

    def _render(self) -> Any:
        from rich.console import Group

        return Group(self.bar, *self.under)

    def started(self, total: int, first: int) -> None:
        """Show the bar."""
        super().started(total, first)
        self.bar.update(self.task, total=total, completed=first, visible=True)
        self.live.start()

    def step(self, step: int, row: Mapping[str, Any]) -> None:
        """Move the bar."""
        self.pace.update(step)
        self.bar.update(self.task, completed=step, pace=str(self.pace))

    def evaluated(self, step: int, metrics: Mapping[str, Any], samples: Sequence[Any]) -> None:
        """Replace the figures and samples under the bar; of pictures a row of them."""
        from rich.text import Text

        shown = [Text(printable(line)) for line in lines(samples)]
        if samples and not shown:
            shown = [row_of(self.console, samples)]
        self.under = [Text(f"step {step}: {figures(metrics)}"), *shown]

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(printable(text), markup=False, emoji=False, soft_wrap=True)

    def closed(self) -> None:
        """Leave the last state of the bar on the screen."""
        self.live.stop()


def lines(samples: Sequence[Any]) -> list[str]:
    """Return the first samples as they are shown in lines; none of pictures."""
    return [f"  | {sample}" for sample in samples[:LIVE_SAMPLES] if isinstance(sample, str)]


def row_of(console: Console, pictures: Sequence[Any]) -> Text:
    """Return as many of the first pictures as fit beside each other."""
    from textgan.report.preview import rendered, room

    return rendered(console, pictures[: room(console, pictures[0].shape[0]).columns])


def watch(minutes: float = 0.0) -> Lines:
    """Return what suits stderr, for a run that stops after so many minutes; 0 for one that does not."""
    return Terminal(minutes) if sys.stderr.isatty() else Lines(minutes)


def duration(seconds: float) -> str:
    """Write a time as 0:42, 12:05, 3:07:00 or 5.2 days."""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.1f} days"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printable(line: str) -> str:
    """Spell out the characters of a line from elsewhere that could command a terminal."""
    return "".join(char if _harmless(char) else char.encode("unicode_escape").decode() for char in line)


def in_json(value: Any, **options: Any) -> str:
    """Write JSON; its strings are the same, whatever reads it, but hold nothing that could command a terminal."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return text if text.isprintable() else _NOT_ASCII.sub(_escaped, text)


_NOT_ASCII = re.compile(r"[^\n\x20-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _harmless(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"
