"""Samples against real text: every metric beside its floor, and the ladder of n-gram models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from textgan.errors import TextganError, UsageError, near_miss
from textgan.metrics.floor import floor_rows
from textgan.metrics.ladder import LONGEST, ladder
from textgan.metrics.lines import MOST, View, few
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.table import DEFAULT, METRICS

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """What was measured, as plain data."""

    samples: int
    """Sampled lines."""
    reference: int
    """Lines of real text they were measured against."""
    training: int | None
    """Lines of training text, None without."""
    floor_samples: int
    """Lines of real text in the samples' place for the floor."""
    metrics: tuple[Metric, ...]
    ladder: dict[int, dict[int, float | None]] | None
    """JSD in bits of samples of n-gram models of the training text: model's order, then n. None without it."""
    decode: str | None
    """How the samples were decoded, where that is known."""
    notes: tuple[str, ...]
    """What a reader of the numbers should know."""

    def of(self, name: str) -> list[Metric]:
        """The numbers of one metric."""
        return [metric for metric in self.metrics if metric.name == name]

    def to_json(self) -> dict[str, Any]:
        """Return strict JSON: what does not exist is null, a ladder that does not exist is absent."""
        metrics: dict[str, Any] = {}
        for metric in self.metrics:
            if metric.key:
                metrics.setdefault(metric.name, {})[metric.key] = _number(metric)
            else:
                metrics[metric.name] = _number(metric)
        rungs = None if self.ladder is None else _with_text_keys(self.ladder)
        return {
            "schema": SCHEMA,
            "samples": self.samples,
            "reference": self.reference,
            "training": self.training,
            "floor_samples": self.floor_samples,
            "decode": self.decode,
            "metrics": metrics,
            **({} if rungs is None else {"ladder": rungs}),
            "notes": list(self.notes),
        }


def report(
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None = None,
    *,
    metrics: Iterable[str] = DEFAULT,
    n: Iterable[int] = range(1, 7),
    max_chars: int | None = None,
    count_pads: bool = False,
    seed: int = 0,
    decode: str | None = None,
) -> Report:
    """Measure sampled lines against real ones.

    Args:
        samples: generated lines.
        reference: held-out lines, at least two; 500,000 of more are measured against, which a note then says.
        training: training lines; without them the floor comes from two halves of the reference and there is no ladder.
        metrics: names from METRICS.
        n: lengths of the n-grams of jsd and the ladder. [characters]
        max_chars: cut every line there; None takes whole lines. [characters]
        count_pads: pad short lines to max_chars and count the pads in n-grams.
        seed: chooses the floor's rows and draws the ladder's samples.
        decode: how the samples were decoded, for the record.

    Raises:
        UsageError: an unknown metric, an n below 1, or count_pads without max_chars.
        TextganError: too few lines.
    """
    names, view = tuple(metrics), View(tuple(n), max_chars, count_pads)
    _check_request(names, view)
    _check_lines(samples, reference, training)
    laddered = training is not None and "jsd" in names
    limits = _limits(reference, training if laddered else None, view)
    samples, reference = view.cut(samples), view.cut(few(reference))
    training = None if training is None else view.cut(training)
    rng = partial(np.random.default_rng, seed)  # afresh for each, so that none depends on which others are asked for
    texts = Texts(samples, reference, training, floor_rows(len(samples), reference, training, rng=rng()))
    numbers = [metric for name in names for metric in METRICS[name](texts, view=view, rng=rng())]
    rungs = ladder(len(samples), reference, training or (), rng=rng(), view=view) if laddered else None
    return Report(
        samples=len(samples),
        reference=len(reference),
        training=None if training is None else len(training),
        floor_samples=len(texts.floor.rows),
        metrics=tuple(numbers),
        ladder=rungs,
        decode=decode,
        notes=(*_notes(len(samples), len(texts.floor.rows), numbers, training is not None, view), *limits),
    )


def _check_request(names: Sequence[str], view: View) -> None:
    for name in names:
        if name not in METRICS:
            raise UsageError(f"unknown metric {name!r}{near_miss(name, METRICS)}")
    if not names:
        raise UsageError(f"no metric is asked for; known: {', '.join(METRICS)}")
    if not view.orders or min(view.orders) < 1:
        raise UsageError("the length of n-grams must be 1 or more, for instance --n 1-6")
    if view.length is not None and view.length < 1:
        raise UsageError("--max-chars must be 1 or more")
    if view.count_pads and view.length is None:
        raise UsageError("--count-pads needs --max-chars N, the length to pad to")


def _check_lines(samples: Sequence[str], reference: Sequence[str], training: Sequence[str] | None) -> None:
    if not samples:
        raise TextganError("there are no samples to measure; give at least one")
    if len(reference) < 2:
        raise TextganError("the reference needs at least two lines")
    if training is not None and not training:
        raise TextganError("there is no training text; leave it out, or give at least one line")


def _notes(samples: int, floor_samples: int, numbers: Sequence[Metric], trained: bool, view: View) -> list[str]:
    notes = []
    if not trained:
        notes.append(
            f"no training text: the floor is {floor_samples:,} lines of one half of the reference against the other "
            "half, words are looked up in the reference, and there is no ladder of n-gram models"
        )
    elif floor_samples < samples:
        notes.append(f"the floor has only {floor_samples:,} lines, all the training text there is")
    if view.length is not None:
        pads = ", short ones padded, pads counted" if view.count_pads else ""
        notes.append(f"lines cut at {view.length} characters{pads}; the last word of a line so long is left out")
    missing = [
        f"{number.name}-{number.key}".rstrip("-") for number in numbers if number.value is None and not number.infinite
    ]
    if missing:
        notes.append(f"no value for {', '.join(missing)}: no line is long enough")
    return notes


def _limits(reference: Sequence[str], modelled: Sequence[str] | None, view: View) -> list[str]:
    """What was left out to bound time and memory; `modelled` is the text that the ladder learns."""
    notes = []
    if len(reference) > MOST:
        notes.append(f"measured against {MOST:,} of {len(reference):,} rows of the reference, chosen by seed 0")
    if modelled is not None and len(modelled) > MOST:
        notes.append(f"the ladder learns from {MOST:,} of {len(modelled):,} rows of training text, chosen by seed 0")
    if (
        modelled is not None
        and (view.length or LONGEST + 1) > LONGEST
        and any(len(line) > LONGEST for line in modelled)
    ):
        notes.append(f"the ladder learns the first {LONGEST:,} characters of a line")
    return notes


def _number(metric: Metric) -> dict[str, Any]:
    """What is told of one number; further counts where there are such, since those of the lines are told once."""
    told: dict[str, Any] = {key: getattr(metric, key) for key in ("value", "low", "high", "floor", "excess")}
    if metric.infinite:
        told["infinite"] = True
    further = {key: count for key, count in metric.counts.items() if key not in ("samples", "reference")}
    return told | ({"counts": further} if further else {})


def _with_text_keys(rungs: dict[int, dict[int, float | None]]) -> dict[str, dict[str, float | None]]:
    return {str(order): {str(n): value for n, value in values.items()} for order, values in rungs.items()}
