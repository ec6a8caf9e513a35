"""Two calls timed by turns in one process, and the row that tells of them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from textgan.bench.case import Case

LONG = 20.0  # a first pair that takes longer is not dropped to warm up, and two more need not follow. [s]


@dataclass(frozen=True)
class Effort:
    """How often a pair of calls is timed."""

    most: int = 15
    seconds: float = 10.0
    """After this time no further pair begins, but three pairs there are, if one takes less than 20 s. [s]"""

    @classmethod
    def of(cls, repeats: int | None) -> Effort:
        """Take exactly so many pairs; None leaves it to the time they take."""
        return cls() if repeats is None else cls(repeats, float("inf"))


class Time(NamedTuple):
    """What a call took."""

    wall: float
    """By the clock. [s]"""
    cpu: float
    """Of processors, by this process and those it started and waited for. [s]"""


class Pair(NamedTuple):
    """What a call took, and the plain call right after it."""

    ours: Time
    plain: Time | None

    @property
    def wall(self) -> float:
        """Time of both by the clock. [s]"""
        return self.ours.wall + (0.0 if self.plain is None else self.plain.wall)


def measure(case: Case, effort: Effort, wait: Callable[[], None]) -> dict[str, Any]:
    """Check that both sides of a case agree, time them by turns, and return the row.

    The first pair warms up, and is dropped unless it takes more than 20 s.

    Args:
        case: what is timed.
        effort: how often.
        wait: returns when the device has done what it was told.

    Raises:
        TextganError: the two sides do not agree.
    """
    case.check()
    end = time.perf_counter() + effort.seconds
    first = _pair(case, wait)
    pairs, least = ([first], 1) if first.wall > LONG else ([], 3)
    while len(pairs) < effort.most and (len(pairs) < least or time.perf_counter() < end):
        pairs.append(_pair(case, wait))
    return row(case, pairs)


def row(case: Case, pairs: list[Pair]) -> dict[str, Any]:
    """Put the pairs of a case in a row: medians, and the 25 % and 75 % quantiles as low and high.

    Times are in ms a unit of the case; `ratio` is the median of each plain time over its neighbour of ours.
    """
    ours = [pair.ours for pair in pairs]
    told: dict[str, Any] = {"name": case.name, **case.about, "pairs": len(pairs)}
    told |= _spread("ms", "low", "high", [time.wall * 1e3 / case.units for time in ours])
    told |= {"cpu_ms": _median([time.cpu * 1e3 / case.units for time in ours])}
    told |= dict.fromkeys(PLAIN) if case.plain is None else _beside(case, pairs)
    if case.sequences:
        told["sequences_per_s"] = case.sequences / told["ms"] * 1e3
        told["plain_sequences_per_s"] = case.sequences / told["plain_ms"] * 1e3
    if case.flops:
        told["gflops"] = case.flops / case.units / told["ms"] / 1e6
    if case.steps:
        told |= {"steps": case.steps, "estimate_s": case.steps * told["ms"] / 1e3}
    return {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in told.items()}


def shares(row: dict[str, Any], limit: float) -> dict[str, float]:
    """Return what share of a limit [GFLOP/s] both sides of a row reach in operations that the plain way needs.

    It may pass 1: some algorithms take fewer. Nothing where operations are not counted.
    """
    if "gflops" not in row:
        return {}
    share = row["gflops"] / limit
    return {"share": float(f"{share:.3g}"), "plain_share": float(f"{share * row['ms'] / row['plain_ms']:.3g}")}


PLAIN = (
    "plain_ms", "plain_low", "plain_high", "plain_cpu_ms", "ratio", "ratio_low", "ratio_high", "cpu_ratio",
)  # fmt: skip
"""What a row says of the plain side; null where there is none."""


def _beside(case: Case, pairs: list[Pair]) -> dict[str, Any]:
    both = [(pair.ours, pair.plain) for pair in pairs if pair.plain is not None]
    return (
        _spread("plain_ms", "plain_low", "plain_high", [plain.wall * 1e3 / case.units for _, plain in both])
        | {"plain_cpu_ms": _median([plain.cpu * 1e3 / case.units for _, plain in both])}
        | _spread("ratio", "ratio_low", "ratio_high", [plain.wall / ours.wall for ours, plain in both])
        | {"cpu_ratio": _median([plain.cpu / max(ours.cpu, 1e-9) for ours, plain in both])}
    )


def _spread(median: str, low: str, high: str, values: list[float]) -> dict[str, float]:
    found = np.quantile(values, [0.5, 0.25, 0.75]).tolist()
    return dict(zip((median, low, high), found, strict=True))


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _pair(case: Case, wait: Callable[[], None]) -> Pair:
    ours = _time(case.ours, wait)
    return Pair(ours, None if case.plain is None else _time(case.plain, wait))


def _time(call: Callable[[], object], wait: Callable[[], None]) -> Time:
    wait()
    cpu, wall = _cpu(), time.perf_counter()
    call()
    wait()
    return Time(time.perf_counter() - wall, _cpu() - cpu)


def _cpu() -> float:
    """Processor time of this process and of its children that have ended. [s]"""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(own.ru_utime + own.ru_stime for own in used)
