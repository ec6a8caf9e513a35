"""Gates for continuous integration: limits that the numbers of a report must keep to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from textgan.errors import UsageError, near_miss
from textgan.figures import PICTURES, figure_of
from textgan.metrics.table import BY_ORDER, METRICS
from textgan.report.measure import Report


@dataclass(frozen=True)
class Gate:
    """A limit of one number."""

    name: str
    """Its family."""
    key: str
    """Which number of the family; empty where it is the only one."""
    limit: float
    fails: Literal["above", "below"]

    def check(self, orders: Sequence[int]) -> None:
        """Refuse a gate on n-grams of a length that is not asked for, before anything is measured.

        Raises:
            UsageError: it is.
        """
        if self.name in BY_ORDER and self.key not in map(str, orders):
            raise UsageError(f"{_written(self.name, self.key)} is not among --n {', '.join(map(str, orders))}")

    def failure(self, report: Report) -> str:
        """Say how a report fails this gate; nothing if it passes.

        Raises:
            UsageError: the report has no such number.
        """
        # of frechet_lsa the encoder is the key
        numbers = {m.name.removeprefix(self.name).lstrip("_") or m.key: m for m in report.of(self.name)}
        if self.key not in numbers:
            known = ", ".join(_written(self.name, key) for key in numbers) or "none of it"
            raise UsageError(f"{_written(self.name, self.key)} was not measured; measured: {known}")
        metric, name = numbers[self.key], _written(self.name, self.key)
        if metric.infinite:
            return f"{name} is infinite" if self.fails == "above" else ""
        if metric.value is None:
            return f"{name} has no value"
        return _beyond(name, metric.value, self.limit, self.fails)


def gate(text: str, fails: Literal["above", "below"]) -> Gate:
    """Read a gate such as `jsd4=0.35`, `words=0.5`, `self_bleu-4=0.9` or `length.mean=30`.

    Raises:
        UsageError: it is none.
    """
    named, equals, limit = text.partition("=")
    name = max((name for name in METRICS if named.startswith(name)), key=len, default="")
    if not name or not equals:
        family = named.rstrip("0123456789-._:")
        hint = near_miss(family, METRICS) if equals else ""
        raise UsageError(f"{text!r} is no gate; write NAME=LIMIT, such as jsd4=0.35 or words=0.5{hint}")
    value = _limit(text, limit, "jsd4=0.35")
    return Gate(name, named.removeprefix(name).lstrip("-._:"), value, fails)


def picture_gate(text: str, fails: Literal["above", "below"]) -> PictureGate:
    """Read a gate on pictures, such as `frechet=30` or `recall=0.5`.

    Raises:
        UsageError: it is none.
    """
    name, _, limit = text.partition("=")
    if name not in PICTURES or not limit:
        hint = near_miss(name, PICTURES) if limit else ""
        raise UsageError(f"{text!r} is no gate on pictures; write NAME=LIMIT, such as frechet=30 or recall=0.5{hint}")
    return PictureGate(name, _limit(text, limit, "frechet=30"), fails)


@dataclass(frozen=True)
class PictureGate:
    """A limit of one figure of pictures."""

    name: str
    limit: float
    fails: Literal["above", "below"]

    def failure(self, found: Mapping[str, Any]) -> str:
        """Say how an evaluation fails this gate; nothing if it passes.

        Raises:
            UsageError: the evaluation has no such figure.
        """
        figure = figure_of(found, self.name)
        if not figure:
            known = ", ".join(name for name in PICTURES if figure_of(found, name))
            raise UsageError(f"{self.name} was not measured; measured: {known}")
        return _beyond(self.name, figure["value"], self.limit, self.fails)


def _beyond(name: str, value: float, limit: float, fails: Literal["above", "below"]) -> str:
    """Say that a value is beyond its limit; nothing if it is not."""
    failed = value > limit if fails == "above" else value < limit
    return f"{name} is {value:.4g}, {fails} {limit:g}" if failed else ""


def _limit(text: str, limit: str, example: str) -> float:
    """Read the number of a gate."""
    try:
        value = float(limit)
    except ValueError:
        raise UsageError(f"{text!r}: {limit!r} is no number; write NAME=LIMIT, such as {example}") from None
    if not abs(value) < float("inf"):
        raise UsageError(f"{text!r}: the limit must be finite")
    return value


def _written(name: str, key: str) -> str:
    return f"{name}-{key}" if key else name
