"""What a page shows beside the numbers of a report: the run's history, a temperature sweep, paths in latent space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgan.cli.sides import Sides, tell
from textgan.errors import CorruptError
from textgan.files import read_rows

if TYPE_CHECKING:
    from textgan.model import Model
    from textgan.report.figures import SweepPoint
    from textgan.report.measure import Report

TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
SWEPT = 2000  # samples at each temperature
PATHS = 3  # between pairs of seeds


def page(
    report: Report,
    sides: Sides,
    run: Path | None,
    trained: Model | None,
    *,
    title: str,
    seed: int,
) -> str:
    """Return the HTML page of a report; of a run, with what only a run can tell."""
    from textgan.metrics.lines import View
    from textgan.report.figures import over_training
    from textgan.report.html import Extras
    from textgan.report.html import page as write

    cut = View(length=report.length).cut
    extras: dict[str, Any] = {}
    if run is not None and trained is not None:
        tell(f"drawing {SWEPT:,} samples at each of {len(TEMPERATURES)} temperatures for the page")
        extras = {
            "history": history(run / "metrics.jsonl", partial(over_training, report)),
            "sweep": _sweep(trained, sides, report.length, seed),
            "sweep_diversity": "share of different runs of 4 characters",
            "interpolations": [trained.interpolate(2 * i + seed, 2 * i + 1 + seed) for i in range(PATHS)],
            "configuration": trained.config.model_dump(mode="json"),
        }
    training = None if sides.training is None else cut(sides.training)
    return write(report, Extras(title, cut(sides.samples), cut(sides.reference), training, **extras))


def history(path: Path, draw: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    """The rows of a run's log, of which anyone may have written anything; none where curves cannot be drawn of them."""
    try:
        rows = read_rows(path)
        if not rows and path.stat().st_size:
            raise ValueError("no line of it is a row")
        draw(rows)
        return rows
    except (OSError, CorruptError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        tell(f"{path} cannot be read; the page shows no training curves")
        return []


def _sweep(trained: Model, sides: Sides, max_chars: int | None, seed: int) -> Sequence[SweepPoint]:
    """Quality and diversity over temperature, and of real text at the same count."""
    from textgan.report.figures import SweepPoint

    points, real = [], None
    for temperature in TEMPERATURES:
        drawn = sides._replace(samples=trained.generate(SWEPT, seed=seed, temperature=temperature))
        found = drawn.measure(metrics=["jsd", "distinct_char"], n=[4], max_chars=max_chars, seed=seed, ladder=False)
        (quality,), (diversity,) = ([m for m in found.of(name) if m.key == "4"] for name in ("jsd", "distinct_char"))
        if quality.value is not None and diversity.value is not None:
            points.append(SweepPoint(temperature, quality.value, diversity.value))
        if quality.floor is not None and diversity.floor is not None:
            real = SweepPoint(None, quality.floor, diversity.floor)
    return [*points, *([real] if real else [])]
