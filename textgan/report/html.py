"""A report as one HTML page: no script, nothing from elsewhere, generated text shown and never obeyed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from textgan.report import figures
from textgan.report.document import (
    Figure,
    Section,
    Tile,
    beside,
    configuration,
    document,
    glance,
    head,
    numbers,
    sentences,
)  # fmt: skip
from textgan.report.figures import SweepPoint
from textgan.report.markup import NEW, SHOWN, copied, marked, plain, unseen, visible
from textgan.report.measure import Report
from textgan.report.reading import Reading, faults, readings
from textgan.report.table import JUDGED, standing

LISTED, AT_ONCE = 100, 20  # samples on the page, and those not folded away
GLANCE = ("jsd", "4"), ("words", ""), ("unique", ""), ("copies", ""), ("self_bleu", "4"), ("lm_nll", "forward")
GENERAL = (
    "Real text beside a number is real lines in the samples' place, as many where there are so many: what a perfect "
    "generator would score, and no better is to be expected.",
    "Intervals hold the number in 95 of 100 draws of as many lines, by bootstrap over lines.",
    "An n-gram model draws the next character from what followed the n−1 before it in the training text. Its samples, "
    "as many, are measured as the samples are, without any network.",
)


@dataclass(frozen=True)
class Extras:
    """What a page shows beside the numbers; a section is there only where there is something to show."""

    title: str
    samples: Sequence[str]
    """The lines that were measured, cut likewise; the first 100 are shown."""
    reference_lines: Sequence[str] | None = None
    """Held-out lines, cut likewise."""
    training: Sequence[str] | None = None
    """Training lines, cut likewise: what they lack is marked in the samples, what they have is flagged."""
    history: Sequence[Mapping[str, Any]] = ()
    """Rows of metrics.jsonl; those with an evaluation are drawn."""
    sweep: Sequence[SweepPoint] = ()
    sweep_quality: str = "JSD-4, bits"
    sweep_diversity: str = "share of different lines"
    interpolations: Sequence[Sequence[str]] = ()
    """Lines along paths between two points of latent space."""
    configuration: Mapping[str, Any] | None = None
    """Settings, sections within settings."""


def page(report: Report, extras: Extras) -> str:
    """Return a self-contained page: valid without network, readable on a phone, in the dark and on paper.

    Args:
        report: the numbers.
        extras: what else there is to show. All its text is taken as untrusted.
    """
    return document(extras.title, _head(report, extras), _sections(report, extras))


def _sections(report: Report, extras: Extras) -> Iterator[Section]:
    training, samples, reference = extras.training, extras.samples, extras.reference_lines
    yield Section("ngrams", "Over n, and over training", _ngrams(report, extras.history))
    yield Section("samples", "Samples", _samples(samples[:LISTED], len(samples), training, reference))
    yield Section("numbers", "The numbers", _numbers(readings(report)))
    shape = [*figures.rank_frequency(samples, reference), figures.length_histogram(samples, reference)]
    yield Section("shape", "Frequencies and lengths", beside(shape))
    swept = figures.sweep(extras.sweep, extras.sweep_quality, extras.sweep_diversity)
    yield Section("temperature", "Over temperature", beside([swept]))
    yield Section("interpolations", "Between two points of latent space", _strips(extras.interpolations))
    yield Section("configuration", "Configuration", configuration(extras.configuration or {}))
    yield Section("measured", "How it was measured", sentences([*report.notes, *GENERAL]))


# --- what was found -------------------------------------------------------------------------------------------------


def _head(report: Report, extras: Extras) -> str:
    found = faults(report)
    verdict = sentences(found) if found else "<p>The numbers prove no fault.</p>"
    where = standing(report)
    said_where = f"<p>{plain(where)}</p>" if where else ""
    tiles = glance(_tiles(readings(report)), "real text")
    return head(extras.title, _counts(report), f"{verdict}{said_where}", tiles, bad=bool(found))


def _counts(report: Report) -> str:
    decode = "" if report.decode is None else f", decoded by {report.decode},"
    training = "no training text" if report.training is None else f"{report.training:,} lines of training text"
    return f"{report.samples:,} samples{decode} against {report.reference:,} held-out lines; {training}."


def _tiles(written: Iterable[Reading]) -> Iterator[Tile]:
    found = {(r.metric.name, r.metric.key): r for r in written}
    for place in GLANCE:
        if place in found:
            yield Tile(_label(found[place]), found[place].value, found[place].floor)


def _label(reading: Reading) -> str:
    name = reading.title.partition(" (")[0]
    short = {"jsd": "JSD", "self_bleu": "Self-BLEU", "lm_nll": "Surprise"}.get(reading.metric.name, name)
    return f"{short}-{reading.metric.key}" if reading.metric.key.isdigit() else short


# --- the numbers ----------------------------------------------------------------------------------------------------


def _numbers(written: Iterable[Reading]) -> str:
    return "".join(
        f"<h3>{plain(group)}</h3>{''.join(_family(list(of)) for _, of in groupby(members, lambda r: r.metric.name))}"
        for group, members in groupby(written, lambda reading: reading.group)
    )


def _family(written: Sequence[Reading]) -> str:
    first = written[0]
    return (
        f"<h4>{plain(first.title)}</h4><p>{plain(first.meaning)} <em>{plain(first.direction).capitalize()}.</em></p>"
        f"{numbers(_figures(written), 'real text')}"
    )


def _figures(written: Sequence[Reading]) -> Iterator[Figure]:
    """A row a number; those that are infinite, of samples and of real text, share one."""
    for infinite, members in groupby(written, lambda r: r.metric.infinite and r.metric.floor is None):
        alike = list(members)
        if infinite:
            yield _figure(alike[0], ", ".join(reading.metric.key for reading in alike))
        else:
            yield from (_figure(reading, reading.metric.key) for reading in alike)


def _figure(r: Reading, key: str) -> Figure:
    interval = "" if r.metric.low is None else f"{r.low} to {r.high}"
    return Figure(f"n = {key}" if r.metric.key.isdigit() else key, r.value, interval, r.floor, r.excess, r.says)


def _ngrams(report: Report, history: Sequence[Mapping[str, Any]]) -> str:
    """JSD over n beside that over training of one n; the others are folded away."""
    curves = figures.over_training(report, history)
    judged = max((n for n in curves if n <= JUDGED), default=max(curves, default=0))
    others = beside(chart for n, chart in curves.items() if n != judged)
    folded = f"<details><summary>The other n over training</summary>{others}</details>" if others else ""
    return beside([figures.over_orders(report), curves.get(judged, "")]) + folded


# --- text -----------------------------------------------------------------------------------------------------------


def _samples(shown: Sequence[str], count: int, training: Sequence[str] | None, reference: Sequence[str] | None) -> str:
    """List the first samples: what the real text lacks marked, whole lines of it flagged."""
    text = reference if training is None else training
    name = "held-out text" if training is None else "training text"
    cut = [line[:SHOWN] for line in shown]
    masks = unseen(cut, text or ())
    copies = copied(shown, text or ())
    items = [
        _sample(line, mask if text is not None else mask & False, f"a line of the {name}" if line in copies else "")
        for line, mask in zip(shown, masks, strict=True)
    ]
    told = f"The first {len(shown):,} of {count:,}. " if count > len(shown) else ""
    return f"<p>{told}{_marks(text, name, masks, copies, shown)}</p>{_folded(items)}"


def _marks(text: Sequence[str] | None, name: str, masks: Sequence[Any], copies: set[str], shown: Sequence[str]) -> str:
    """Say what the marks mean, and how much is marked."""
    if text is None:
        return ""
    letters = max(sum(map(len, masks)), 1)
    part = 100 * sum(int(mask.sum()) for mask in masks) / letters
    flagged = sum(line in copies for line in shown)
    return (
        f"<mark>Marked</mark>: characters within a run of {NEW} that the {name} never has, {part:.1f} % of those "
        f'shown. <b class="copy">a line of the {name}</b>: {flagged:,} of the {len(shown):,} shown.'
    )


def _sample(line: str, mask: Any, flag: str) -> str:
    badge = f' <b class="copy">{flag}</b>' if flag else ""
    return f'<li><bdi class="line">{marked(line, mask)}</bdi>{badge}</li>'


def _folded(items: Sequence[str]) -> str:
    first, rest = items[:AT_ONCE], items[AT_ONCE:]
    more = f'<ol class="lines" start="{AT_ONCE + 1}">{"".join(rest)}</ol>'
    folded = f"<details><summary>{len(rest):,} more</summary>{more}</details>" if rest else ""
    return f'<ol class="lines">{"".join(first)}</ol>{folded}'


def _strips(paths: Sequence[Sequence[str]]) -> str:
    """Paths, one under the other: the lines at their ends stand out."""
    strips = "".join(
        f'<ol class="strip">{"".join(f"<li><bdi>{visible(line[:SHOWN])}</bdi></li>" for line in path)}</ol>'
        for path in paths
        if path
    )
    told = "<p>Each strip walks from one random point to another; its first and last line are the two points.</p>"
    return f'{told}<div class="strips">{strips}</div>' if strips else ""
