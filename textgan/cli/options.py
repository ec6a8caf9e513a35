"""Options that several commands have, and what they print with."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textgan.cli.progress import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.segment import Segment

MODEL = click.option(
    "-m",
    "--model",
    "folder",
    type=click.Path(path_type=Path),
    metavar="RUN|MODEL_DIR",
    help="A run, or the model folder in it. By default the newest run under runs/.",
)
TEMPERATURE = click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    metavar="T",
    help="Draw every symbol at this temperature, below 1 safer, above 1 wilder. By default as the preset decodes.",
)
OUT = click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Write there, not to stdout; pictures go to a .png of all, a .npz of arrays, or a FOLDER/ of files.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def show(parts: Iterable[RenderableType]) -> None:
    """Print tables and text on stdout; no name in them commands the terminal."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(Quiet(part))


@dataclass(frozen=True)
class Quiet:
    """What is printed as it is, but for the characters of its text that could command a terminal."""

    part: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Spell them out."""
        for segment in console.render(self.part, options):
            yield segment if segment.control else segment._replace(text=_spelt(segment.text))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take the room of the part."""
        from rich.measure import Measurement

        return Measurement.get(console, options, self.part)


def _spelt(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
