"""A report for the eye: tables, and where on the ladder the samples stand."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from textgan.metrics.metric import Metric
from textgan.report.measure import Report

JUDGED = 4  # the order at which samples are placed on the ladder, where it was measured


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print, top to bottom."""
    yield Text(_counts(report))
    if report.of("jsd"):
        yield Text("\nJensen-Shannon divergence of n-grams, bits (lower is better)")
        yield _jsd(report)
    if shares := [*report.of("words"), *report.of("unique")]:
        yield Text("Shares (higher is better)")
        yield _shares(shares, report.training is not None)
    if sentence := standing(report):
        yield Text(sentence)
    for note in report.notes:
        yield Text(f"Note: {note}.", style="dim")


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
    models = "" if report.ladder is None else "; k-gram: as many samples of its k-gram model"
    return f"{against}; floor: {report.floor_samples:,} of {report.training:,} training lines{models}."


def _jsd(report: Report) -> Table:
    """JSD, floor, excess and every rung of the ladder, a row an order."""
    ladder = report.ladder or {}
    table = _table("n", "JSD", "floor", "excess", *(f"{order}-gram" for order in ladder))
    for metric in report.of("jsd"):
        rungs = [values[int(metric.key)] for values in ladder.values()]
        table.add_row(metric.key, *map(_number, (metric.value, metric.floor, metric.excess, *rungs)))
    return table


def _shares(metrics: list[Metric], trained: bool) -> Table:
    labels = {"words": f"words seen in {'training' if trained else 'the reference'}", "unique": "unique lines"}
    table = _table("", "samples", "real text")
    for metric in metrics:
        table.add_row(labels[metric.name], _share(metric.value), _share(metric.floor))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
