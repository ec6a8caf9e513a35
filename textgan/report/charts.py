"""Charts as inline SVG: lines and histograms, coloured by the page's style sheet, legible at a phone's width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

from textgan.report.markup import plain

WIDTH, HEIGHT = 400, 270  # of the view box; text is set in its units, so that a phone shows it at about their size
LEFT, TOP, BOTTOM = 44, 26, 40  # margins
LETTER, LINE = 6.2, 13.0  # width of a letter and height of a line of text, at most
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Axis:
    """One axis of a chart."""

    title: str
    log: bool = False
    """Logarithmic: what is not above 0 is left out."""
    low: float | None = None
    """Where it starts; None: where the data do."""
    high: float | None = None
    whole: bool = False
    """Ticks at whole numbers only."""


@dataclass(frozen=True)
class Series:
    """A line through points."""

    kind: str
    """How it is drawn: "samples", "real" or "rung"."""
    points: Sequence[tuple[float, float]]
    label: str = ""
    """Written at its right end."""
    names: Sequence[str] = ()
    """Written beside the points."""
    spans: Sequence[tuple[float, float, float]] = ()
    """Intervals: x, low, high."""
    dots: bool = False


class Frame(NamedTuple):
    """Where the plot lies within the chart, and the scales."""

    right: float
    x: Scale
    y: Scale
    x_ticks: list[float]
    y_ticks: list[float]


def lines(title: str, series: Sequence[Series], x: Axis, y: Axis) -> str:
    """Draw lines; those of kind "rung" lie behind.

    Args:
        title: what the chart shows, for who cannot see it.
        series: the lines; points that are not finite, or not above 0 on a logarithmic axis, are left out.
        x: horizontal axis.
        y: vertical axis.

    Returns:
        An <svg>; empty without any point.
    """
    kept = [Series(s.kind, _drawable(s.points, x, y), s.label, s.names, s.spans, s.dots) for s in series]
    kept = [s for s in kept if s.points]
    if not kept:
        return ""
    spans = [value for s in kept for _, *ends in s.spans for value in ends]
    right = WIDTH - 10 - LETTER * max((len(s.label) + 1 for s in kept if s.label), default=0)
    frame = _frame(
        x, y, [p[0] for s in kept for p in s.points], [*(p[1] for s in kept for p in s.points), *spans], right
    )
    kept.sort(key=lambda s: s.kind != "rung")
    marks = chain.from_iterable(_line(s, frame) for s in kept)
    return _svg(title, [*_axes(frame, x, y), *marks, *_ends(kept, frame), *_names(kept, frame)])


def histogram(title: str, edges: Sequence[float], real: Sequence[float], samples: Sequence[float], x: Axis) -> str:
    """Draw two histograms over the same bins: filled columns for real text, an outline for samples.

    Args:
        title: what the chart shows, for who cannot see it.
        edges: of the bins, ascending, one more than there are bins.
        real: share in each bin, 0..1; empty: not drawn.
        samples: likewise.
        x: horizontal axis.
    """
    top = max([*real, *samples], default=0.0)
    if top <= 0:
        return ""
    y = Axis("share of lines, %", low=0)
    frame = _frame(x, y, edges, [100 * top], WIDTH - 10)
    base = frame.y(0)
    columns = [
        f'<rect class="real" x="{_at(frame.x(a))}" y="{_at(frame.y(100 * v))}" width="{_at(frame.x(b) - frame.x(a))}" '
        f'height="{_at(base - frame.y(100 * v))}"><title>{_told(a)}–{_told(b)}: {100 * v:.1f} %</title></rect>'
        for a, b, v in zip(edges, edges[1:], real, strict=False)
        if v > 0
    ]
    corners = [
        (frame.x(e), frame.y(100 * v)) for a, b, v in zip(edges, edges[1:], samples, strict=False) for e in (a, b)
    ]
    outline = [(frame.x(edges[0]), base), *corners, (frame.x(edges[-1]), base)]
    path = f'<path class="samples" d="{_path(outline)}"/>' if samples else ""
    return _svg(title, [*_axes(frame, x, y), *columns, path])


# --- parts of a chart -----------------------------------------------------------------------------------------------


def _svg(title: str, parts: Iterable[str]) -> str:
    name = plain(title)
    return (
        f'<svg class="chart" role="img" aria-label="{name}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{name}</title>{''.join(parts)}</svg>"
    )


def _frame(x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float], right: float) -> Frame:
    x_low, x_high = _range(x, xs)
    y_low, y_high = _range(y, ys)
    bottom = HEIGHT - BOTTOM
    return Frame(
        right,
        _scale(x_low, x_high, LEFT, right, x.log),
        _scale(y_low, y_high, bottom, TOP, y.log),
        list(_ticks(x_low, x_high, x)),
        list(_ticks(y_low, y_high, y)),
    )


def _axes(frame: Frame, x: Axis, y: Axis) -> Iterator[str]:
    """Grid, ticks, and both titles: the vertical axis' above it, so that it reads without turning the head."""
    bottom = HEIGHT - BOTTOM
    for value in frame.y_ticks:
        at = frame.y(value)
        yield f'<path class="grid" d="M{LEFT} {_at(at)}H{_at(frame.right)}"/>'
        yield _text(LEFT - 6, at + 4, _told(value), "end")
    yield f'<path class="axis" d="M{LEFT} {bottom}H{_at(frame.right)}"/>'
    for value in frame.x_ticks:
        at = frame.x(value)
        yield f'<path class="axis" d="M{_at(at)} {bottom}v4"/>'
        yield _text(at, bottom + 17, _told(value), "middle")
    yield _text(2, 12, y.title, "start", "name")
    yield _text(frame.right, HEIGHT - 6, x.title, "end", "name")


def _line(series: Series, frame: Frame) -> Iterator[str]:
    at = [(frame.x(x), frame.y(y)) for x, y in series.points]
    for x, low, high in series.spans:
        yield f'<path class="{series.kind} span" d="M{_at(frame.x(x))} {_at(frame.y(low))}V{_at(frame.y(high))}"/>'
    yield f'<path class="{series.kind}" d="{_path(at)}"/>'
    if series.dots:
        for (x, y), (left, top) in zip(series.points, at, strict=True):
            told = f"{_told(x)}: {y:.4g}"
            yield f'<circle class="{series.kind}" cx="{_at(left)}" cy="{_at(top)}" r="3"><title>{told}</title></circle>'


def _ends(series: Sequence[Series], frame: Frame) -> Iterator[str]:
    """Labels at the right ends, moved apart where they would overlap."""
    labelled = sorted((s for s in series if s.label), key=lambda s: frame.y(s.points[-1][1]))
    wanted = [frame.y(s.points[-1][1]) for s in labelled]
    for s, at in zip(labelled, apart(wanted, TOP, HEIGHT - BOTTOM), strict=False):
        yield _text(frame.right + 6, at + 4, s.label, "start", s.kind)


def apart(wanted: Sequence[float], low: float, high: float) -> list[float]:
    """Move ascending places as little as is simple so that a line of text fits between them; as many as fit."""
    places = list(wanted[: int((high - low) / LINE) + 1])
    for i, place in enumerate(places):
        places[i] = max(place, places[i - 1] + LINE if i else low)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], places[i + 1] - LINE if i + 1 < len(places) else high)
    return places


def _names(series: Sequence[Series], frame: Frame) -> Iterator[str]:
    """Names beside points, each at the first side that is free; without one it is left to the point's own title."""
    points = [(frame.x(x), frame.y(y)) for s in series for x, y in s.points]
    taken = [(x - 2, y - 2, x + 2, y + 2) for x, y in [*points, *_between(series, frame)]]
    for s in series:
        for name, (x, y) in zip(s.names, s.points, strict=False):
            width, at = LETTER * len(name), (frame.x(x), frame.y(y))
            for left, top in ((-width / 2, -18), (-width / 2, 6), (7, -6.5), (-7 - width, -6.5)):
                box = (at[0] + left, at[1] + top, at[0] + left + width, at[1] + top + LINE)
                if box[0] < LEFT or box[2] > WIDTH or any(_overlap(box, other) for other in taken):
                    continue
                taken.append(box)
                yield _text(box[0], box[1] + 10, name, "start", s.kind)
                break


def _between(series: Sequence[Series], frame: Frame) -> Iterator[tuple[float, float]]:
    """Places along the lines, close together."""
    for s in series:
        at = [(frame.x(x), frame.y(y)) for x, y in s.points]
        for (x, y), (to_x, to_y) in pairwise(at):
            steps = max(int(math.hypot(to_x - x, to_y - y) / 4), 1)
            yield from ((x + (to_x - x) * i / steps, y + (to_y - y) * i / steps) for i in range(steps))


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{_at(x)}" y="{_at(y)}" text-anchor="{anchor}">{plain(text)}</text>'


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_at(x)} {_at(y)}" for x, y in points)


# --- scales ---------------------------------------------------------------------------------------------------------


def _drawable(points: Iterable[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    def fits(value: float, axis: Axis) -> bool:
        return math.isfinite(value) and (value > 0 or not axis.log)

    return [(a, b) for a, b in points if fits(a, x) and fits(b, y)]


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    """First and last value of an axis, round ones where it does not say; of a single value something around it."""
    low = min(values) if axis.low is None else axis.low
    high = max(values) if axis.high is None else axis.high
    if high > low and axis.log:
        return low, high
    if high > low:
        step = _step((high - low) / 5)
        first = math.floor(low / step + 1e-9) * step if axis.low is None else low
        return first, math.ceil(high / step - 1e-9) * step if axis.high is None else high
    return (low / 2, low * 2) if axis.log else (low - (abs(low) or 1) / 2, low + (abs(low) or 1) / 2)


def _scale(low: float, high: float, start: float, end: float, log: bool) -> Scale:
    """Map values to places; what lies beyond the axis stands at its end."""
    of = math.log10 if log else float
    first, span = of(low), of(high) - of(low)
    return lambda value: start + (end - start) * min(max((of(value) - first) / span, 0.0), 1.0)


def _ticks(low: float, high: float, axis: Axis) -> Iterator[float]:
    """Round numbers within the axis, at most seven: powers of ten on a logarithmic one of two decades or more."""
    if axis.log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        every = max(-(-(last - first + 1) // 6), 1)
        if last - first >= 1:
            yield from (10.0**power for power in range(first, last + 1, every))
            return
    step = _step((high - low) / 5)
    step = max(step, 1.0) if axis.whole else step
    yield from (
        float(f"{i * step:.9g}") for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    )


def _step(rough: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def _told(value: float) -> str:
    """Write a tick short: 2k, 1M, 0.05, 1e-5."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}".replace("e-0", "e-")


def _at(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")
