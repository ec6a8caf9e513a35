"""A sweep for the eye: one table, on the terminal and in Markdown, and a plot that stands alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from textgan import card
from textgan.report.charts import HEIGHT, LINE, WIDTH, Axis, Series, lines
from textgan.report.markup import plain

Curve = Sequence[tuple[float, float]]
PLACES = 24  # of a curve's mean over seeds
MARGIN = 16  # beside a plot, into which the number at the end of its axis reaches
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")
"""Told apart by the colour-blind (Okabe & Ito 2008, but for the last two)."""
DASHES = ("none", "6 3", "2 3", "8 3 2 3")  # one after the other, where the colours are used up
STYLE = """
.sheet { font: 12px system-ui, sans-serif; background: #fff; }
.sheet svg { overflow: visible; }
.sheet text { fill: #1c1e21; }
.sheet text.tick, .sheet text.name { fill: #5a6068; }
.sheet path { fill: none; stroke: #dcdfe3; }
.sheet path.axis { stroke: #5a6068; }
"""


@dataclass(frozen=True)
class Spread:
    """One number over the seeds."""

    mean: float
    deviation: float | None
    """Sample standard deviation; None of a single seed."""
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return mean and spread of at least one number."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, min(values), max(values), len(values))

    def __str__(self) -> str:
        """Return such as "0.348 ± 0.012"."""
        return _told(self.mean) + ("" if self.deviation is None else f" ± {_told(self.deviation)}")


@dataclass(frozen=True)
class Row:
    """One setting, over its seeds."""

    setting: tuple[str, ...]
    seeds: int
    failures: Mapping[str, int]
    """How many cells failed, by how."""
    figures: Mapping[str, Spread]
    """Of the cells that ended well, by dotted path."""
    floors: Mapping[str, float]
    """What real samples have, by dotted path, where it was measured: the mean over the same cells."""
    steps: Spread | None
    """Generator steps of the same cells; None where there is none."""
    minutes: Spread | None
    """Processor time of those steps. [minutes]"""
    curves: Sequence[Curve] = ()
    """Of each cell that ended well: processor minutes and the first column."""


@dataclass(frozen=True)
class Summary:
    """All settings of a sweep."""

    name: str
    axes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    counts: Mapping[str, tuple[int, ...]]
    """How many samples, and how many rows of reference, were measured."""
    extractors: tuple[str, ...] = ()
    """Whose features pictures were measured on; figures on those of several are not comparable."""

    @property
    def floors(self) -> dict[str, float]:
        """What real samples have, by dotted path, where it is the same for all settings to the last printed digit."""
        names = dict.fromkeys(name for row in self.rows for name in row.floors)
        found = {name: [row.floors[name] for row in self.rows if name in row.floors] for name in names}
        return {name: statistics.fmean(of) for name, of in found.items() if max(of) - min(of) <= _digit(max(of))}


def render(summary: Summary) -> Iterator[RenderableType]:
    """Yield what to print, top to bottom."""
    yield Text(f"{summary.name}: {caption(summary)}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    first = len(_settings(summary))
    head, body = _head(summary), list(_body(summary))
    for i, column in enumerate(zip(head, *body, strict=True)):
        # at the least, settings in one line and figures in words
        least = max(cell_len(part) for cell in column for part in ([cell] if i < first else cell.split()))
        table.add_column(Text(head[i]), justify="left" if i < first else "right", no_wrap=i < first, min_width=least)
    for cells in body:
        table.add_row(*map(Text, cells))
    yield table
    for row in summary.rows:
        for failure, count in row.failures.items():
            yield Text(f"{label(summary, row)}: {count} failed: {failure}", style="bold red")


def markdown(summary: Summary) -> str:
    """Return the table in Markdown, with its counts, and how cells failed."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(card.plain(cell) for cell in cells) + " |"

    first = len(_settings(summary))
    head = _head(summary)
    rule = "|" + "|".join("---" if i < first else "--:" for i in range(len(head))) + "|"
    failed = [
        f"- {card.plain(label(summary, row))}: {count} failed: {card.plain(failure)}"
        for row in summary.rows
        for failure, count in row.failures.items()
    ]
    parts = [[line(head), rule, *map(line, _body(summary))], [caption(summary)], failed]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def caption(summary: Summary) -> str:
    """Say in a sentence what was counted."""
    told = {name: " or ".join(f"{count:,}" for count in counts) for name, counts in summary.counts.items()}
    words = [f"{told[name]} {what}" for name, what in COUNTED.items() if name in told]
    apart = ", whose figures are not comparable" if len(summary.extractors) > 1 else ""
    if summary.extractors:
        words.append(f"on the features of {' or '.join(summary.extractors)}{apart}")
    return "; ".join(["mean ± standard deviation over seeds", *words, "minutes of processor time"]) + "."


COUNTED = {"samples": "samples of each", "reference": "rows of reference"}
"""Counts of an evaluation that a table tells, in words."""


def plot(summary: Summary) -> str:
    """Draw the first column over processor minutes, a line a setting; where there are seeds, their mean and range.

    Returns:
        An SVG that needs no style sheet; empty without any evaluation.
    """
    drawn = [(row, _mean_curve(row.curves)) for row in summary.rows if any(row.curves)]
    series = [
        Series(_kind(i), points, spans=spans, dots=len(points) == 1) for i, (_, (points, spans)) in enumerate(drawn)
    ]
    if not series:
        return ""
    column = summary.columns[0]
    x = Axis("processor minutes of the steps", low=0)
    chart = lines(f"{column} of {summary.name} over processor minutes", series, x, Axis(column))
    sized = chart.replace("<svg ", f'<svg width="{WIDTH}" height="{HEIGHT}" ', 1)
    below = "".join(_key(i, label(summary, row)) for i, (row, _) in enumerate(drawn))
    height = HEIGHT + (len(drawn) + 1) * (LINE + 3)
    style = STYLE + "".join(_rules(i) for i in range(len(drawn)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sheet" viewBox="0 0 {WIDTH + MARGIN} {height:g}" '
        f'width="{2 * (WIDTH + MARGIN)}"><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
        f"{sized}{below}</svg>\n"
    )


def label(summary: Summary, row: Row) -> str:
    """Return a setting in a few words, with the names of the axes where there are several."""
    if len(summary.axes) > 1:
        return ", ".join(f"{axis}={value}" for axis, value in zip(summary.axes, row.setting, strict=True))
    return "".join(row.setting) or summary.name


def _settings(summary: Summary) -> tuple[str, ...]:
    return summary.axes or ("",)


def _head(summary: Summary) -> list[str]:
    return [*_settings(summary), *summary.columns, "seeds", "failed", "steps", "minutes"]


def _body(summary: Summary) -> Iterator[list[str]]:
    """Yield a row a setting, and one of real samples: for all settings, or under each where they differ."""
    measured = {column for row in summary.rows for column in row.floors} & set(summary.columns)
    common = measured <= summary.floors.keys()
    for row in summary.rows:
        setting = row.setting or (summary.name,)
        failed = sum(row.failures.values())
        steps = f"{row.steps.mean:,.0f}" if row.steps else "-"
        minutes = f"{row.minutes.mean:.2f}" if row.minutes else "-"
        yield [*setting, *(_figure(row, c) for c in summary.columns), str(row.seeds), str(failed), steps, minutes]
        if not common and measured & row.floors.keys():
            yield _real((*setting[:-1], f"{setting[-1]}, real"), row.floors, summary)
    if measured and common:
        yield _real(("real", *[""] * (len(_settings(summary)) - 1)), summary.floors, summary)


def _figure(row: Row, column: str) -> str:
    """Write a figure, and over how many seeds it is the mean where it is not over all."""
    spread = row.figures.get(column)
    if spread is None:
        return "-"
    return str(spread) if spread.count == row.seeds else f"{spread} ({spread.count} of {row.seeds})"


def _real(setting: Sequence[str], floors: Mapping[str, float], summary: Summary) -> list[str]:
    return [*setting, *(_told(floors[c]) if c in floors else "-" for c in summary.columns), *[""] * 4]


def _mean_curve(curves: Sequence[Curve]) -> tuple[Curve, list[tuple[float, float, float]]]:
    """Mean and range of curves at evenly spaced places that all of them reach; a single curve is itself."""
    curves = [sorted(curve) for curve in curves if curve]
    if len(curves) == 1:
        return curves[0], []
    first, last = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    if first >= last:
        ends = [curve[-1] for curve in curves]
        x, ys = statistics.fmean(x for x, _ in ends), [y for _, y in ends]
        return [(x, statistics.fmean(ys))], [(x, min(ys), max(ys))]
    places = [first + (last - first) * i / (PLACES - 1) for i in range(PLACES)]
    values = [[_between(curve, x) for curve in curves] for x in places]
    spans = [(x, min(ys), max(ys)) for x, ys in zip(places, values, strict=True)]
    return [(x, statistics.fmean(ys)) for x, ys in zip(places, values, strict=True)], spans


def _between(curve: Curve, x: float) -> float:
    """Return a curve's height at a place, straight between its points."""
    after = next((i for i, (place, _) in enumerate(curve) if place >= x), len(curve) - 1)
    (x1, y1), (x0, y0) = curve[after], curve[max(after - 1, 0)]
    return y1 if x1 <= x0 else y0 + (y1 - y0) * min(max((x - x0) / (x1 - x0), 0.0), 1.0)


def _kind(i: int) -> str:
    return f"s{i}"


def _colour(i: int) -> tuple[str, str]:
    return COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]


def _rules(i: int) -> str:
    colour, dash = _colour(i)
    kind = _kind(i)
    return (
        f".sheet path.{kind} {{ stroke: {colour}; stroke-width: 2; stroke-dasharray: {dash}; }}\n"
        f".sheet path.{kind}.span {{ stroke-width: 3; stroke-opacity: .25; stroke-dasharray: none; }}\n"
        f".sheet circle.{kind} {{ fill: {colour}; }}\n"
    )


def _key(i: int, text: str) -> str:
    """A line of the legend, under the chart."""
    at = HEIGHT + (i + 1) * (LINE + 3)
    return f'<path class="{_kind(i)}" d="M10 {at - 4:g}h28"/><text x="46" y="{at:g}">{plain(text)}</text>'


def _told(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) and abs(value) >= 1000 else f"{value:.3f}"


def _digit(value: float) -> float:
    """Return what the last digit of a number is worth as it is written."""
    return 1.0 if abs(value) >= 1000 else 0.001


def to_json(summary: Summary) -> dict[str, Any]:
    """Return strict JSON: each setting with every figure, not only the table's columns."""
    return {
        "schema": 1,
        "name": summary.name,
        "axes": list(summary.axes),
        "columns": list(summary.columns),
        "floors": summary.floors,
        "counts": {name: list(counts) for name, counts in summary.counts.items()},
        "extractors": list(summary.extractors),
        "rows": [
            {
                "setting": list(row.setting),
                "seeds": row.seeds,
                "failures": dict(row.failures),
                "figures": {name: vars(spread) for name, spread in row.figures.items()},
                "floors": dict(row.floors),
                "steps": vars(row.steps) if row.steps else None,
                "processor_minutes": vars(row.minutes) if row.minutes else None,
            }
            for row in summary.rows
        ],
    }
