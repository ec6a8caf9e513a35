"""Samples against real text: every metric beside its floor, and the ladder of n-gram models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError, UsageError, near_miss
from textgan.metrics.compat import COMPAT, Compat
from textgan.metrics.floor import floor_rows
from textgan.metrics.ladder import LONGEST
from textgan.metrics.ladder import ladder as sampled_ladder
from textgan.metrics.lines import MOST, View, chosen_of, few
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.table import DEFAULT, METRICS, is_of
from textgan.oracles import Oracle

SCHEMA = 1
Sources = npt.NDArray[np.integer[Any]] | None


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
    length: int | None = None
    """Where lines were cut; None for whole lines. [characters]"""

    def of(self, name: str) -> list[Metric]:
        """The numbers of one metric."""
        return [metric for metric in self.metrics if is_of(metric.name, name)]

    def to_json(self) -> dict[str, Any]:
        """Return strict JSON: what does not exist is null, a ladder that does not exist is absent."""
        metrics: dict[str, Any] = {}
        for metric in self.metrics:
            if metric.key:
                metrics.setdefault(metric.name, {})[metric.key] = self._number(metric)
            else:
                metrics[metric.name] = self._number(metric)
        rungs = None if self.ladder is None else _with_text_keys(self.ladder)
        return {
            "schema": SCHEMA,
            "samples": self.samples,
            "reference": self.reference,
            "training": self.training,
            "floor_samples": self.floor_samples,
            "decode": self.decode,
            "max_chars": self.length,
            "metrics": metrics,
            **({} if rungs is None else {"ladder": rungs}),
            "notes": list(self.notes),
        }

    def _number(self, metric: Metric) -> dict[str, Any]:
        """What is told of one number; its counts where they are not those of the report."""
        told: dict[str, Any] = {key: getattr(metric, key) for key in ("value", "low", "high", "floor", "excess")}
        if metric.infinite:
            told["infinite"] = True
        usual = {"samples": self.samples, "reference": self.reference}
        other = {key: count for key, count in metric.counts.items() if count != usual.get(key)}
        return told | ({"counts": other} if other else {})


def report(
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None = None,
    *,
    metrics: str | Iterable[str] = DEFAULT,
    n: Iterable[int] = range(1, 7),
    max_chars: int | None = None,
    count_pads: bool = False,
    max_lines: int | None = None,
    compat: str = "",
    references: int | None = None,
    pieces: Callable[[str], list[str]] | None = None,
    oracle: Oracle | None = None,
    encoder: str = "lsa",
    sources: Sources = None,
    ladder: bool = True,
    seed: int = 0,
    decode: str | None = None,
) -> Report:
    """Measure sampled lines against real ones.

    Args:
        samples: generated lines.
        reference: held-out lines, at least two.
        training: training lines; without them the floor comes from two halves of the reference and there is no ladder.
        metrics: names from METRICS; "all" is all of them.
        n: lengths of the n-grams of jsd and the ladder. [characters]
        max_chars: cut every line there; None takes whole lines. [characters]
        count_pads: pad short lines to max_chars and count the pads in n-grams.
        max_lines: most lines of the reference that are measured; None is 500,000, which is the most of the floor.
        compat: measure as this toolkit does: a name from COMPAT.
        references: BLEU is against the first so many reference lines, Self-BLEU among the first so many samples.
        pieces: splits a line into sentencepieces, for jsd_piece.
        oracle: what the real text was drawn from, where that is known.
        encoder: what turns lines into vectors, of frechet and mauve: "lsa", a folder, or a model on the hub.
        sources: the line that each row of the reference was cut from, (row,); None where each row is a line.
        ladder: sample the n-gram models of the training text for jsd, too.
        seed: chooses the floor's rows and draws the ladder's samples.
        decode: how the samples were decoded, for the record.

    Raises:
        UsageError: an unknown metric or toolkit, an n below 1, or count_pads without max_chars.
        TextganError: too few lines.
    """
    view = View(tuple(n), max_chars, count_pads, references, pieces=pieces, oracle=oracle, encoder=encoder)
    request = Request(_asked(metrics), view, max_lines or MOST, compat, ladder, seed)
    request.check()
    _check_lines(samples, reference, training)
    return _measured(request, samples, reference, training, sources, decode)


@dataclass(frozen=True)
class Request:
    """What `report` is asked for, as its arguments say."""

    asked: tuple[str, ...]
    plain: View
    """How both sides are looked at, but for what a toolkit changes."""
    most: int
    compat: str
    ladder: bool
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(METRICS) if "all" in self.asked else self.asked

    @property
    def peer(self) -> Compat:
        """How the toolkit measures that is to be measured like."""
        return COMPAT[self.compat] if self.compat else Compat("")

    @property
    def view(self) -> View:
        """How both sides are looked at."""
        peer = replace(self.plain, **self.peer.view)
        return replace(peer, length=min((n for n in (self.plain.length, peer.length) if n), default=None))

    def rng(self) -> np.random.Generator:
        """Return a generator, afresh for each use, so that no number depends on which others are asked for."""
        return np.random.default_rng(self.seed)

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: the line says what to do.
        """
        for name in self.names:
            if name not in METRICS:
                raise UsageError(f"unknown metric {name!r}{near_miss(name, METRICS)}")
        if not self.names:
            raise UsageError(f"no metric is asked for; known: {', '.join(METRICS)}")
        if self.compat and self.compat not in COMPAT:
            known = ", ".join(COMPAT)
            raise UsageError(f"unknown toolkit {self.compat!r}{near_miss(self.compat, COMPAT)}; known: {known}")
        if self.plain.references and "references" in self.peer.view:
            raise UsageError(f"--references and --compat {self.compat} contradict each other; leave one of them out")
        if not self.plain.orders or min(self.plain.orders) < 1:
            raise UsageError("the length of n-grams must be 1 or more, for instance --n 1-6")
        if self.plain.length is not None and self.plain.length < 1:
            raise UsageError("--max-chars must be 1 or more")
        if self.plain.count_pads and self.plain.length is None:
            raise UsageError("--count-pads needs --max-chars N, the length to pad to")


def _measured(
    request: Request,
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None,
    sources: Sources,
    decode: str | None,
) -> Report:
    view, peer = request.view, request.peer
    laddered = request.ladder and training is not None and "jsd" in request.names
    limits = _limits(reference, training if laddered else None, view, request.most)
    samples = samples if peer.samples is None else samples[: peer.samples]  # a slice of all would be a list
    texts = _texts(request, samples, reference, training, sources)
    numbers = [metric for name in request.names for metric in METRICS[name](texts, view=view, rng=request.rng())]
    rungs = None
    if laddered:
        compared = texts.trained_on.against if texts.trained_on else texts.reference
        rungs = sampled_ladder(len(texts.samples), compared, texts.training or (), rng=request.rng(), view=view)
    absent = [name for name in request.names if not any(is_of(m.name, name) for m in numbers)]
    alike = [f"as {request.compat} measures: {peer.says}"] if request.compat else []
    return Report(
        samples=len(texts.samples),
        reference=len(texts.reference),
        training=None if texts.training is None else len(texts.training),
        floor_samples=len(texts.floor.rows),
        metrics=tuple(numbers),
        ladder=rungs,
        decode=decode,
        length=view.length,
        notes=(*alike, *_notes(texts, numbers, view), *_absent(absent, request.asked), *limits),
    )


def _texts(
    request: Request,
    samples: Sequence[str],
    reference: Sequence[str],
    training: Sequence[str] | None,
    sources: Sources,
) -> Texts:
    """Cut both sides, and take as much of the reference as is measured."""
    view, chosen = request.view, chosen_of(len(reference), request.most)
    if sources is not None and chosen is not None:
        sources = sources[chosen]
    samples, reference = view.cut(samples), view.cut(few(reference, request.most))
    training = None if training is None else view.cut(training)
    floor = floor_rows(len(samples), reference, training, rng=request.rng())
    trained_on = None
    if request.peer.against_training and training is not None:
        trained_on = floor_rows(len(samples), few(training, request.most), reference, rng=request.rng())
    return Texts(samples, reference, training, floor, sources, trained_on)


def _asked(metrics: str | Iterable[str]) -> tuple[str, ...]:
    return (metrics,) if isinstance(metrics, str) else tuple(metrics)


def _check_lines(samples: Sequence[str], reference: Sequence[str], training: Sequence[str] | None) -> None:
    if not samples:
        raise TextganError("there are no samples to measure; give at least one")
    if len(reference) < 2:
        raise TextganError("the reference needs at least two lines")
    if any("\n" in line for side in (samples, reference) if isinstance(side, list) for line in side):
        raise TextganError("a sample or line of the reference holds a line feed; give one sequence a line")
    if training is not None and not training:
        raise TextganError("there is no training text; leave it out, or give at least one line")


def _notes(texts: Texts, numbers: Sequence[Metric], view: View) -> list[str]:
    notes, floor_samples = [], len(texts.floor.rows)
    if texts.training is None:
        notes.append(
            f"no training text: the floor is {floor_samples:,} lines of one half of the reference against the other "
            "half, words are looked up in the reference, and there is no ladder of n-gram models"
        )
    elif floor_samples < len(texts.samples):
        notes.append(f"the floor has only {floor_samples:,} lines")
    if view.length is not None:
        pads = ", short ones padded, pads counted" if view.count_pads else ""
        words = "; words: the last one of a line so long is left out" if any(m.name == "words" for m in numbers) else ""
        notes.append(f"lines cut at {view.length} characters{pads}{words}")
    missing = [f"{m.name}-{m.key}".rstrip("-") for m in numbers if m.value is None and not m.infinite]
    if missing:
        notes.append(f"no value for {', '.join(missing)}: no line is long enough, or there are too few")
    return notes


NEEDS = {
    **dict.fromkeys(("copies", "longest_copied", "nearest", "novelty"), "training text"),
    "jsd_piece": (PIECES := "a model of sentencepieces"),
    **dict.fromkeys(("parses", "oracle_nll"), (ORACLE := "text drawn from a grammar or an oracle")),
}
"""What families cannot be measured without."""
RARE = (PIECES, ORACLE)
"""What few texts have, so that nobody misses it who asked for all families."""


def _absent(names: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Say what was not measured and why; of all families, only what every text could have."""
    told = [name for name in names if name in asked or _need(name) not in RARE]
    return [f"nothing of {', '.join(of)}: needs {why}" for why, of in groupby(told, _need)]


def _need(name: str) -> str:
    return NEEDS.get(name, "more lines")


def _limits(reference: Sequence[str], modelled: Sequence[str] | None, view: View, most: int) -> list[str]:
    """What was left out to bound time and memory; `modelled` is the text that the ladder learns."""
    notes = []
    if len(reference) > most:
        notes.append(f"measured against {most:,} of {len(reference):,} rows of the reference, chosen by seed 0")
    if modelled is not None and len(modelled) > MOST:
        notes.append(f"the ladder learns from {MOST:,} of {len(modelled):,} rows of training text, chosen by seed 0")
    if (
        modelled is not None
        and (view.length or LONGEST + 1) > LONGEST
        and any(len(line) > LONGEST for line in modelled)
    ):
        notes.append(f"the ladder learns the first {LONGEST:,} characters of a line")
    return notes


def _with_text_keys(rungs: dict[int, dict[int, float | None]]) -> dict[str, dict[str, float | None]]:
    return {str(order): {str(n): value for n, value in values.items()} for order, values in rungs.items()}
