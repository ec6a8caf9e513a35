"""Options that several commands have, and what they print with."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

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
    """Print tables and text on stdout."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    for part in parts:
        console.print(part)
