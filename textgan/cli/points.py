"""`textgan report` of a run on points: its modes, and how far it is off."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.options import show
from textgan.cli.sides import draw
from textgan.errors import UsageError
from textgan.figures import of_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from textgan.model import Model

TAKEN = {"run", "count", "seed", "as_json"}


def measure(
    run: Path, trained: Model, notes: Sequence[str], count: int | None, seed: int, as_json: bool
) -> dict[str, Any]:
    """Measure a run on points, print what was found with some notes, and return it as JSON.

    Raises:
        UsageError: an option was given that only text has.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is not click.core.ParameterSource.DEFAULT
        if given and parameter.name not in TAKEN:
            raise UsageError(f"{parameter.opts[0]}: {run} generates points, and this is for text; leave it out")
    from textgan import assemble

    found = {"schema": 1, "model": str(run), "seed": seed}
    found |= assemble.evaluation(trained, draw(run, trained, count, seed)) | {"notes": list(notes)}
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        show(chain(_table(found), notes))
    return found


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
