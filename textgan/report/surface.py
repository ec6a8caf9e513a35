"""Pictures of a critic of points as SVG files of their own: its value over the plane, its gradients and weights.

Source: Gulrajani et al. 2017, figure 1 (value surfaces) and figure 2 (gradient norms by layer, weights).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.report.markup import plain

LEVELS = 12
SIDE, MARGIN, LINE = 400, 48, 16  # of a plot, around it, and of a line of text [pixels]
LOW, HIGH = (32, 48, 92), (250, 226, 130)  # colours of the lowest and the highest level
REAL, FAKE, INK = "#ff8c1a", "#0d8f4f", "#222"
FLOOR = 1e-12  # what a logarithm shows in the place of 0

Array = npt.NDArray[Any]


def surface(title: str, values: Array, extent: float, *, real: Array, fake: Array) -> str:
    """Draw the critic's value over the plane in steps of equal height, with real and generated points on it.

    Args:
        title: stands above.
        values: (row, column) of the critic on a square grid, rows by rising y, columns by rising x.
        extent: the square goes from -extent to extent on both axes; points beyond are left out.
        real: points (point, 2).
        fake: likewise.

    Returns:
        An SVG file; under 100 KB for a grid of 96 x 96 and 1,000 points.
    """
    levels, bounds = quantised(values)
    rows, columns = levels.shape
    grid = f"translate(0 {SIDE}) scale({SIDE / columns:g} {-SIDE / rows:g})"
    cells = f'<g transform="{grid}">{"".join(_cells(levels))}</g>'
    points = "".join(_dots(side, extent, colour) for side, colour in ((real, REAL), (fake, FAKE)))
    legend = f"{len(bounds) - 1} levels from {bounds[0]:.3g} to {bounds[-1]:.3g}; axes from {-extent:g} to {extent:g}"
    keys = _text(0, SIDE + LINE, legend) + _text(0, SIDE + 2 * LINE, "real points", REAL)
    keys += _text(90, SIDE + 2 * LINE, "generated points", FAKE)
    return _svg(SIDE + 2 * MARGIN, title, [(MARGIN, f"{cells}{points}{keys}")])


def quantised(values: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Return each value's level, 0 to 11, and the bounds of the levels, of equal height; flat values are level 0."""
    bounds = np.linspace(values.min(), values.max(), LEVELS + 1)
    return np.searchsorted(bounds[1:-1], values, side="right") * (bounds[0] < bounds[-1]), bounds


def critic(title: str, norms: Sequence[float], weights: Array) -> str:
    """Draw the gradient's norm at each layer, on a logarithmic scale, beside a histogram of the weights.

    Args:
        title: stands above.
        norms: of the gradient with respect to each layer's activations, first layer first.
        weights: all weights of the critic, (weight,).
    """
    plots = [(MARGIN, "".join(_norms(norms))), (SIDE + 2 * MARGIN, "".join(_weights(weights)))]
    return _svg(2 * SIDE + 3 * MARGIN, title, plots)


def _cells(levels: npt.NDArray[np.int64]) -> Iterator[str]:
    """One path a level: equal neighbours of a row are one rectangle, in units of the grid."""
    paths: dict[int, list[str]] = {}
    for row, line in enumerate(levels.tolist()):
        column = 0
        for level, run in groupby(line):
            width = len(list(run))
            paths.setdefault(level, []).append(f"M{column} {row}h{width}v1h-{width}z")
            column += width
    for level, parts in sorted(paths.items()):
        colour = _colour(level / (LEVELS - 1))
        yield f'<path fill="{colour}" stroke="{colour}" stroke-width=".05" d="{"".join(parts)}"/>'


def _colour(share: float) -> str:
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in zip(LOW, HIGH, strict=True))


def _dots(points: Array, extent: float, colour: str) -> str:
    inside = points[np.abs(points).max(axis=1, initial=0) <= extent]
    at = np.column_stack([inside[:, 0] + extent, extent - inside[:, 1]]) * SIDE / (2 * extent)
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in at.tolist())
    return f'<path stroke="{colour}" stroke-width="3.5" stroke-linecap="round" d="{path}"/>'


def _norms(norms: Sequence[float]) -> Iterator[str]:
    """A dot a layer, joined by a line, between whole powers of ten."""
    logs = [math.log10(max(norm, FLOOR)) for norm in norms]
    low, high = math.floor(min(logs)), max(math.ceil(max(logs)), math.floor(min(logs)) + 1)
    places = [(SIDE * (i + 0.5) / len(logs), SIDE * (high - value) / (high - low)) for i, value in enumerate(logs)]
    yield from _frame("norm of the objective's gradient at each hidden layer, first to last")
    for power in range(low, high + 1):
        yield _text(-6, SIDE * (high - power) / (high - low) + 4, f"1e{power}", anchor="end")
    yield f'<path fill="none" stroke="{INK}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>'
    for (x, y), norm in zip(places, norms, strict=True):
        yield f'<circle fill="{INK}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{norm:.4g}</title></circle>'


def _weights(weights: Array) -> Iterator[str]:
    """Shares of the weights in 41 bins around 0, the middle one around 0 itself."""
    top = float(np.abs(weights).max()) or 1.0
    counts = np.histogram(weights, bins=41, range=(-top, top))[0]
    wide, tallest = SIDE / len(counts), counts.max()
    share = f"tallest column {tallest / counts.sum():.1%}"
    yield from _frame(f"{weights.size:,} weights, from {-top:.3g} to {top:.3g}; {share}")
    for i, count in enumerate(counts.tolist()):
        high = SIDE * count / tallest
        yield f'<rect fill="#4a6fa5" x="{i * wide:.1f}" y="{SIDE - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'


def _frame(below: str) -> Iterator[str]:
    yield f'<path fill="none" stroke="{INK}" d="M0 0V{SIDE}H{SIDE}"/>'
    yield _text(0, SIDE + LINE, below)


def _text(x: float, y: float, text: str, colour: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}">{plain(text)}</text>'


def _svg(width: int, title: str, plots: Sequence[tuple[int, str]]) -> str:
    """A file of plots beside each other, each at its left edge."""
    height = SIDE + 2 * MARGIN
    body = "".join(f'<g transform="translate({left} {MARGIN})">{plot}</g>' for left, plot in plots)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f"{_text(MARGIN, LINE + 8, title)}{body}</svg>\n"
    )
