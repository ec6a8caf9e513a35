"""A report for the eye: tables, and where on the ladder the samples stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from textgan.report.compare import Comparison, Row
from textgan.report.families import family
from textgan.report.measure import Report
from textgan.report.reading import Reading, faults, readings

JUDGED = 4  # the order at which samples are placed on the ladder, where it was measured

MARKS = (
    "* the best; ~ cannot be told from it: the 95 % intervals leave room for chance. What has no interval is only "
    "ranked."
)
BEST = {"lower": "low", "higher": "high", "near the floor": "as real"}


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print, top to bottom."""
    yield Text(_counts(report))
    if report.of("jsd"):
        yield Text("\nJensen-Shannon divergence of n-grams, bits (lower is better)")
        yield _jsd(report)
    others = [reading for reading in readings(report) if reading.metric.name != "jsd"]
    for group, members in groupby(others, lambda reading: reading.group):
        yield Text(group)
        yield _numbers(list(members))
    if sentence := standing(report):
        yield Text(sentence)
    for fault in faults(report):
        yield Text(f"Fault: {fault}.", style="bold red")
    for note in report.notes:
        yield Text(f"Note: {note}.", style="dim")


def side_by_side(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield a comparison: a row a number, a column a side, the best and those level with it marked."""
    first = comparison.reports[0]
    yield Text(f"{first.samples:,} samples of each against {first.reference:,} lines of real text.")
    letters = [chr(ord("A") + i) if i < 26 else str(i + 1) for i in range(len(comparison.names))]
    for letter, name, facts in zip(letters, comparison.names, comparison.facts, strict=True):
        told = ", ".join(
            f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in facts.items()
        )
        yield Text(f"{letter}: {name}{f' ({told})' if told else ''}")
    table = _table("", *letters, "real text", "best")
    for row in comparison.rows:
        some = next(metric for metric in row.values if metric is not None)
        show = family(row.name).show
        floor = "-" if some.floor is None else show(some.floor)
        cells = [cell(row, side, show) for side in range(len(letters))]
        table.add_row(f"{row.name} {row.key}", *cells, floor, BEST[some.better])
    yield table
    yield Text(MARKS, style="dim")
    for note in first.notes:
        yield Text(f"Note: {note}.", style="dim")


def cell(row: Row, side: int, show: Callable[[float], str]) -> str:
    """Write one side's number, marked if it is the best or cannot be told from it."""
    metric = row.values[side]
    if metric is None or (metric.value is None and not metric.infinite):
        return "-"
    best = None if row.best is None else row.values[row.best]
    equal = best is not None and metric.value == best.value
    mark = "*" if equal else "~" if row.level and row.level[side] else " "
    return f"{'∞' if metric.value is None else show(metric.value)}{mark}"


def standing(report: Report) -> str:
    """Say in a sentence between which n-gram models the samples stand; empty without a ladder.

    Models of an order above n all match n-grams as well as the order n does, so the ladder ends there.
    """
    judged = max((m for m in report.of("jsd") if int(m.key) <= JUDGED), key=lambda m: int(m.key), default=None)
    if report.ladder is None or judged is None or judged.value is None:
        return ""
    n = int(judged.key)
    rungs = {order: values[n] for order, values in report.ladder.items() if order <= n}
    below = next((order for order, rung in rungs.items() if rung is not None and judged.value >= rung), None)
    if below is None:
        return f"The samples are level with the {max(rungs)}-gram model on JSD-{n}, or better."
    if below == 1:
        return f"The samples are no better than the 1-gram model on JSD-{n}."
    return f"The samples stand between the {below - 1}-gram and the {below}-gram model on JSD-{n}."


def _counts(report: Report) -> str:
    decode = "" if report.decode is None else f" (decoded by {report.decode})"
    against = f"{report.samples:,} samples{decode} against {report.reference:,} lines of real text"
    if report.training is None:
        return f"{against}; floor: {report.floor_samples:,} of those lines against the other half."
    models = "" if report.ladder is None else "; k=1 and up: as many samples of its k-gram model"
    return f"{against}; floor: {report.floor_samples:,} of {report.training:,} training lines{models}."


def _jsd(report: Report) -> Table:
    """JSD, half its 95 % interval, floor, excess and every rung of the ladder, a row an order."""
    ladder = report.ladder or {}
    table = _table("n", "JSD", "±", "floor", "excess", *(f"k={order}" for order in ladder))
    for metric in report.of("jsd"):
        rungs = [values[int(metric.key)] for values in ladder.values()]
        half = None if metric.low is None or metric.high is None else (metric.high - metric.low) / 2
        numbers = _number(metric.value), _short(half), *map(_number, (metric.floor, metric.excess))
        table.add_row(metric.key, *numbers, *map(_short, rungs))
    return table


def _numbers(members: list[Reading]) -> Table:
    """One group of the others, a row a number."""
    table = _table("", "samples", "95 % interval", "real text", "best")
    for reading in members:
        metric = reading.metric
        between = "" if metric.low is None else f"{reading.low} to {reading.high}"
        table.add_row(f"{metric.name} {metric.key}", reading.value, between, reading.floor, BEST[metric.better])
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
