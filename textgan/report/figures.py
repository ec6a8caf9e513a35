"""The charts of a report: each from what it shows to a <figure>, empty where there is nothing to show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.metrics.lines import few
from textgan.metrics.ngrams import NGrams
from textgan.metrics.words import words
from textgan.report.charts import Axis, Series, histogram, lines
from textgan.report.markup import plain
from textgan.report.measure import Report

BINS, POINTS = 40, 80  # bins of a histogram, points of a rank curve, at most
RANKED = 4  # characters of the n-grams of a rank curve
LEGEND = {"samples": "samples", "real": "real text", "rung": "n-gram models of the training text"}
BITS = Axis("JSD, bits", low=0, high=1)

Values = dict[int, float]


@dataclass(frozen=True)
class SweepPoint:
    """Quality and diversity of samples drawn at a temperature; without one, of real text."""

    temperature: float | None
    quality: float
    """JSD-4 in bits, or what `Extras.sweep_quality` says."""
    diversity: float
    """What `Extras.sweep_diversity` says."""


def over_orders(report: Report) -> str:
    """JSD over n, with its intervals, floor and ladder."""
    found = [(int(m.key), m) for m in report.of("jsd") if m.value is not None]
    rungs = [
        Series("rung", [(n, v) for n, v in sorted(values.items()) if v is not None], f"{order}-gram")
        for order, values in (report.ladder or {}).items()
    ]
    spans = [(float(n), m.low, m.high) for n, m in found if m.low is not None and m.high is not None]
    samples = Series("samples", [(n, m.value) for n, m in found if m.value is not None], spans=spans, dots=True)
    real = Series("real", [(n, m.floor) for n, m in found if m.floor is not None], dots=True)
    chart = lines("JSD of character n-grams over n", [*rungs, real, samples], Axis("n", whole=True), BITS)
    return figure(chart, "JSD of runs of n characters, n = 1 and up.", _kinds([*rungs, real, samples]))


def over_training(report: Report, history: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """JSD over the steps of training with floor and ladder, by n."""
    rows = [
        (row["step"], evaluation, evaluation["jsd"]) for row in history if "jsd" in (evaluation := _evaluation(row))
    ]
    orders = sorted({int(n) for _, _, jsd in rows for n in jsd})
    counts = {evaluation["samples"] for _, evaluation, _ in rows if "samples" in evaluation}
    return {n: _curve(report, [(step, jsd.get(str(n)) or {}) for step, _, jsd in rows], n, counts) for n in orders}


def _evaluation(row: Mapping[str, Any]) -> Mapping[str, Any]:
    evaluation: Mapping[str, Any] = row.get("evaluation", row)
    return evaluation


def _curve(report: Report, rows: Sequence[tuple[float, Mapping[str, Any]]], n: int, counts: set[int]) -> str:
    last = max((step for step, _ in rows), default=0)
    rungs = [
        Series("rung", [(0.0, value), (last, value)], f"{order}-gram")
        for order, values in (report.ladder or {}).items()
        if order <= n and (value := values.get(n)) is not None
    ]
    real, samples = (
        Series(kind, [(step, jsd[key]) for step, jsd in rows if jsd.get(key) is not None], dots=kind == "samples")
        for kind, key in (("real", "floor"), ("samples", "value"))
    )
    chart = lines(f"JSD-{n} over training", [*rungs, real, samples], Axis("step", low=0), BITS)
    apart = counts - {report.samples} and rungs
    differ = f" On {_told(counts)} samples; the models on {report.samples:,}." if apart else ""
    return figure(chart, f"JSD-{n} as training went on.{differ}", _kinds([*rungs, real, samples]))


def rank_frequency(samples: Sequence[str], reference: Sequence[str] | None) -> list[str]:
    """How often the most frequent, second, ... word and n-gram occur, both axes logarithmic."""
    sides = {"real": few(reference or ()), "samples": few(samples)}
    charts = []
    for what, count in (("words", _word_counts), (f"runs of {RANKED} characters", _ngram_counts)):
        series = [Series(kind, _ranked(count(side))) for kind, side in sides.items()]
        axes = Axis("rank", log=True), Axis("times in a million", log=True)
        caption = f"How often the commonest, second, third, … of {what} occurs."
        charts.append(figure(lines(f"Frequency of {what} by rank", series, *axes), caption, _kinds(series)))
    return charts


def _word_counts(side: Sequence[str]) -> npt.NDArray[np.int64]:
    counts = Counter(chain.from_iterable(map(words, side)))
    return np.fromiter(counts.values(), np.int64, len(counts))


def _ngram_counts(side: Sequence[str]) -> npt.NDArray[np.int64]:
    return NGrams(side).counts(RANKED).counts if any(len(line) >= RANKED for line in side) else np.zeros(0, np.int64)


def _ranked(counts: npt.NDArray[np.int64]) -> list[tuple[float, float]]:
    """Rank, and occurrences in a million; of many ranks some, evenly on a logarithmic scale."""
    if not len(counts):
        return []
    ordered = np.sort(counts)[::-1] * (1e6 / counts.sum())
    ranks = np.unique(np.geomspace(1, len(ordered), POINTS).astype(np.int64))
    return [(float(rank), float(ordered[rank - 1])) for rank in ranks]


def length_histogram(samples: Sequence[str], reference: Sequence[str] | None) -> str:
    """Lengths of lines; the longest hundredth of both sides is left out."""
    sides = [np.fromiter(map(len, side), np.int64, len(side)) for side in (reference or (), samples)]
    longest = max((int(np.quantile(side, 0.99)) for side in sides if len(side)), default=0)
    shortest = min((int(side.min()) for side in sides if len(side)), default=0)
    width = max(math.ceil((longest + 1 - shortest) / BINS), 1)
    edges = np.arange(shortest, longest + 1 + width, width)
    counts = [np.histogram(side[side < edges[-1]], edges)[0] for side in sides]
    real, own = ((found / max(len(side), 1)).tolist() for found, side in zip(counts, sides, strict=True))
    drawn = [kind for kind, side in zip(("real", "samples"), sides, strict=True) if len(side)]
    axis = Axis("characters", low=shortest, high=float(edges[-1]), whole=True)
    chart = histogram("Lengths of lines", edges.tolist(), real, own, axis)
    return figure(chart, "Lengths of lines.", drawn, filled=True)


def sweep(points: Sequence[SweepPoint], quality: str, diversity: str) -> str:
    """Quality against diversity, a point a temperature."""
    drawn = sorted((p for p in points if p.temperature is not None), key=lambda p: p.temperature or 0.0)
    real = [(p.diversity, p.quality) for p in points if p.temperature is None]
    series = [
        Series("real", real, names=["real text"] * len(real), dots=True),
        Series(
            "samples", [(p.diversity, p.quality) for p in drawn], names=[f"{p.temperature:g}" for p in drawn], dots=True
        ),
    ]
    chart = lines("Quality against diversity over temperature", series, Axis(diversity), Axis(quality, low=0))
    return figure(
        chart, "A point a temperature: lower is closer to real text, further right more varied.", _kinds(series)
    )


def figure(
    chart: str, caption: str, kinds: Sequence[str], *, filled: bool = False, legend: Mapping[str, str] = LEGEND
) -> str:
    """Put caption, and a legend of the kinds of lines, under a chart; empty without one."""
    if not chart:
        return ""
    keys = "".join(
        f'<li><i class="key {kind}{" filled" if filled else ""}"></i>{legend[kind]}</li>'
        for kind in legend
        if kind in kinds
    )
    shown = f'<ul class="keys">{keys}</ul>' if keys else ""
    return f"<figure>{chart}<figcaption>{plain(caption)}{shown}</figcaption></figure>"


def _kinds(series: Sequence[Series]) -> list[str]:
    return [s.kind for s in series if s.points]


def _told(counts: set[int]) -> str:
    return " or ".join(f"{count:,}" for count in sorted(counts))
