"""What commands on text are asked of runs on samples that are none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textgan.errors import UsageError

if TYPE_CHECKING:
    from textgan.model import Model


@dataclass(frozen=True)
class Asked:
    """A run, and the options of `textgan report` that are not for text alone."""

    run: Path
    trained: Model
    notes: Sequence[str]
    """What went wrong in training."""
    count: int | None
    seed: int
    as_json: bool
    html: Path | None
    fail_above: Sequence[str]
    fail_below: Sequence[str]


def refuse_others(taken: Collection[str], run: Path, what: str) -> None:
    """Refuse the options that samples of a kind, which `what` says, do not take.

    Raises:
        UsageError: one was given.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is not click.core.ParameterSource.DEFAULT
        if given and parameter.name not in taken:
            raise UsageError(f"{parameter.opts[0]}: {run} generates {what}, and this is not for them; leave it out")
