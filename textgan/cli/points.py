"""`textgan report` of a run on points: its modes, and how far it is off."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.options import show
from textgan.cli.other import Asked, refuse_others
from textgan.cli.progress import in_json
from textgan.cli.sides import draw
from textgan.figures import of_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

TAKEN = {"run", "count", "seed", "as_json"}


def measure(asked: Asked) -> tuple[dict[str, Any], list[str]]:
    """Measure a run on points, print what was found with some notes, and return it as JSON; no limit is set on it.

    Raises:
        UsageError: an option was given that points do not take.
    """
    refuse_others(TAKEN, asked.run, "points")
    from textgan import assemble

    found = {"schema": 1, "model": str(asked.run), "seed": asked.seed}
    samples = draw(asked.run, asked.trained, asked.count, asked.seed)
    found |= assemble.evaluation(asked.trained, samples) | {"notes": list(asked.notes)}
    if asked.as_json:
        click.echo(in_json(found, allow_nan=False))
    else:
        show(chain(_table(found), asked.notes))
    return found, []


def _table(found: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield what to print: counts, and a row a figure."""
    from rich import box
    from rich.table import Table

    yield f"{found['samples']:,} generated points against {found['reference']:,} held-out ones."
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", "generated", "real points"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for row in of_points(found):
        table.add_row(*row)
    yield table
    yield (
        "good: within 3 standard deviations of a mode; modes: with a good sample; balanced: with a tenth of "
        "their fair share of all samples good; distance: sliced Wasserstein-1 (lower is better)"
    )
