"""Reports side by side: the same numbers of several generators, and which differences are real."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textgan.metrics.metric import Metric
from textgan.report.measure import Report

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One number of every side."""

    name: str
    key: str
    values: tuple[Metric | None, ...]
    """Of each side; None where it was not measured."""
    best: int | None
    """Which side is best; None where none can be."""
    level: tuple[bool, ...] | None
    """Which sides cannot be told from the best by their intervals, the best among them; None without intervals."""


@dataclass(frozen=True)
class Comparison:
    """Several generators, measured against the same text."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    rows: tuple[Row, ...]
    facts: tuple[Mapping[str, Any], ...]
    """What a generator costs and gives, besides its samples."""

    def to_json(self) -> dict[str, Any]:
        """Return strict JSON: each side's report, and for each number the best and those level with it."""
        sides = [
            {"name": name, "facts": dict(facts), "report": report.to_json()}
            for name, facts, report in zip(self.names, self.facts, self.reports, strict=True)
        ]
        return {"schema": SCHEMA, "sides": sides, "metrics": verdicts(self.names, self.rows)}


def verdicts(names: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """Return as strict JSON which side is best at each number, and which ones are level with it."""
    found: dict[str, Any] = {}
    for row in rows:
        level = None if row.level is None else [name for name, so in zip(names, row.level, strict=True) if so]
        verdict = {"best": None if row.best is None else names[row.best], "level": level}
        if row.key:
            found.setdefault(row.name, {})[row.key] = verdict
        else:
            found[row.name] = verdict
    return found


def compare(
    names: Sequence[str], reports: Sequence[Report], facts: Sequence[Mapping[str, Any]] | None = None
) -> Comparison:
    """Lay reports side by side.

    Args:
        names: what each is called.
        reports: measured against the same text, in the same way.
        facts: further facts of each.
    """
    rows = side_by_side([report.metrics for report in reports])
    return Comparison(tuple(names), tuple(reports), tuple(rows), tuple(facts or [{}] * len(names)))


def side_by_side(sides: Sequence[Sequence[Metric]]) -> list[Row]:
    """Return each number of all sides, with the best of them."""
    found = [{(m.name, m.key): m for m in side} for side in sides]
    places = dict.fromkeys(place for of in found for place in of)
    return [_row(*place, tuple(of.get(place) for of in found)) for place in places]


def differ(a: Metric, b: Metric) -> bool | None:
    """Tell whether one number is farther from the best there is than another by more than chance explains.

    None where neither has an interval. The intervals' half widths add as independent errors do. Both are measured
    against the same reference, whose lines are drawn for both: that makes the test careful, not rash.
    """
    halves = [half for half in map(_half, (a, b)) if half is not None]
    far = distance(a), distance(b)
    if not halves or far[0] is None or far[1] is None:
        return None
    return abs(far[0] - far[1]) > math.hypot(*halves)


def distance(metric: Metric) -> float | None:
    """Return how far a number is from the best there is, on its own scale; less is better."""
    if metric.value is None:
        return math.inf if metric.infinite else None
    if metric.better == "near the floor":
        return None if metric.floor is None else abs(metric.value - metric.floor)
    return metric.value if metric.better == "lower" else -metric.value


def _row(name: str, key: str, values: tuple[Metric | None, ...]) -> Row:
    far = {i: far for i, metric in enumerate(values) if metric is not None and (far := distance(metric)) is not None}
    best = min(far, key=far.__getitem__, default=None)
    if best is None or not any(metric is not None and _half(metric) is not None for metric in values):
        return Row(name, key, values, best, None)
    level = tuple(i == best or _level(metric, values[best]) for i, metric in enumerate(values))
    return Row(name, key, values, best, level)


def _level(metric: Metric | None, best: Metric | None) -> bool:
    if metric is None or best is None:
        return False
    return metric.value == best.value or differ(metric, best) is False


def _half(metric: Metric) -> float | None:
    return None if metric.low is None or metric.high is None else (metric.high - metric.low) / 2
