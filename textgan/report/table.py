"""A report for the eye: tables, and where on the ladder the samples stand."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from textgan.metrics.table import Metric
from textgan.report.measure import Report

JUDGED = 4  # the order at which samples are placed on the ladder, where it was measured


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print, top to bottom."""
    yield Text(_counts(report))
    if report.of("jsd"):
        yield _jsd(report)
    if shares := [*report.of("words"), *report.of("unique")]:
        yield _shares(shares)
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
    training = "" if report.training is None else f"; training text {report.training:,}"
    decode = "" if report.decode is None else f", decoded by {report.decode}"
    return f"{report.samples:,} samples{decode}, against {report.reference:,} lines of real text{training}"


def _jsd(report: Report) -> Table:
    """JSD, floor, excess and every rung of the ladder, a row an order."""
    ladder = report.ladder or {}
    table = Table(box=box.SIMPLE, title="Jensen-Shannon divergence of n-grams, bits (lower is better)", padding=(0, 1))
    for name in ("n", "JSD", "floor", "excess", *(f"{order}-gram" for order in ladder)):
        table.add_column(name, justify="right", no_wrap=True)
    for metric in report.of("jsd"):
        rungs = [values[int(metric.key)] for values in ladder.values()]
        table.add_row(metric.key, *map(_number, (metric.value, metric.floor, metric.excess, *rungs)))
    if ladder:
        table.caption = (
            f"floor: {report.floor_samples:,} rows of training text; k-gram: samples of a k-gram model of it"
        )
    return table


def _shares(metrics: list[Metric]) -> Table:
    table = Table(box=box.SIMPLE, title="Shares (higher is better)")
    for name in ("", "samples", "real text"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric in metrics:
        table.add_row(LABELS[metric.name], *map(_share, (metric.value, metric.floor)))
    return table


LABELS = {"words": "words seen in training", "unique": "unique lines"}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
