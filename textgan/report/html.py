"""A report as one HTML page: no script, nothing from elsewhere, generated text shown and never obeyed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from textgan.report import figures
from textgan.report.figures import SweepPoint
from textgan.report.markup import NEW, SHOWN, copied, marked, plain, unseen, visible
from textgan.report.measure import Report
from textgan.report.reading import Reading, faults, readings
from textgan.report.table import JUDGED, standing

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
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
    sections = [(name, title, body) for name, title, body in _sections(report, extras) if body]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in sections)
    bodies = "".join(f'<section id="{name}"><h2>{title}</h2>{body}</section>' for name, title, body in sections)
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{plain(extras.title)}</title><style>\n{style}</style></head>\n"
        f"<body>{_head(report, extras)}<nav><ul>{links}</ul></nav>\n<main>{bodies}</main></body></html>\n"
    )


def _sections(report: Report, extras: Extras) -> Iterator[tuple[str, str, str]]:
    """Name, title and content of every section; those without content are left out."""
    training, samples, reference = extras.training, extras.samples, extras.reference_lines
    yield "ngrams", "Over n, and over training", _ngrams(report, extras.history)
    yield "samples", "Samples", _samples(samples[:LISTED], len(samples), training, reference)
    yield "numbers", "The numbers", _numbers(readings(report))
    shape = [*figures.rank_frequency(samples, reference), figures.length_histogram(samples, reference)]
    yield "shape", "Frequencies and lengths", _grid(shape)
    swept = figures.sweep(extras.sweep, extras.sweep_quality, extras.sweep_diversity)
    yield "temperature", "Over temperature", _grid([swept])
    yield "interpolations", "Between two points of latent space", _strips(extras.interpolations)
    yield "configuration", "Configuration", _configuration(extras.configuration or {})
    yield "measured", "How it was measured", _list(plain(f"{note}.".replace("..", ".")) for note in _notes(report))


# --- what was found -------------------------------------------------------------------------------------------------


def _head(report: Report, extras: Extras) -> str:
    found = faults(report)
    said = [f"{fault[:1].upper()}{fault[1:]}." for fault in found]
    verdict = _list(map(plain, said)) if said else "<p>The numbers prove no fault.</p>"
    where = standing(report)
    return (
        f"<header><h1>{plain(extras.title)}</h1><p>{plain(_counts(report))}</p>"
        f'<div class="verdict {"bad" if found else "good"}">{verdict}'
        f"{f'<p>{plain(where)}</p>' if where else ''}</div>{_glance(readings(report))}</header>"
    )


def _counts(report: Report) -> str:
    decode = "" if report.decode is None else f", decoded by {report.decode},"
    training = "no training text" if report.training is None else f"{report.training:,} lines of training text"
    return f"{report.samples:,} samples{decode} against {report.reference:,} held-out lines; {training}."


def _glance(written: Iterable[Reading]) -> str:
    """Few numbers, large."""
    found = {(r.metric.name, r.metric.key): r for r in written}
    tiles = "".join(
        f"<div><dt>{plain(_label(r))}</dt><dd>{plain(r.value)}<small>real text {plain(r.floor)}</small></dd></div>"
        for place in GLANCE
        if (r := found.get(place))
    )
    return f'<dl class="glance">{tiles}</dl>' if tiles else ""


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
    names = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("", "samples", "95 % interval", "real text", "difference", "what it says")
    )
    return (
        f"<h4>{plain(first.title)}</h4><p>{plain(first.meaning)} <em>{plain(first.direction).capitalize()}.</em></p>"
        f'<div class="scroll" tabindex="0"><table><thead><tr>{names}</tr></thead>'
        f"<tbody>{''.join(_rows(written))}</tbody></table></div>"
    )


def _rows(written: Sequence[Reading]) -> Iterator[str]:
    """A row a number; those that are infinite, of samples and of real text, share one."""
    for infinite, members in groupby(written, lambda r: r.metric.infinite and r.metric.floor is None):
        alike = list(members)
        if infinite:
            yield _row(alike[0], ", ".join(reading.metric.key for reading in alike))
        else:
            yield from (_row(reading, reading.metric.key) for reading in alike)


def _row(r: Reading, key: str) -> str:
    interval = "" if r.metric.low is None else f"{r.low} to {r.high}"
    key = f"n = {key}" if r.metric.key.isdigit() else key
    cells = (("samples", r.value), ("interval", interval), ("real", r.floor), ("difference", r.excess))
    numbers = "".join(f'<td class="{kind}">{plain(cell)}</td>' for kind, cell in cells)
    return f'<tr><th scope="row">{plain(key)}</th>{numbers}<td class="says">{plain(r.says)}</td></tr>'


def _ngrams(report: Report, history: Sequence[Mapping[str, Any]]) -> str:
    """JSD over n beside that over training of one n; the others are folded away."""
    curves = figures.over_training(report, history)
    judged = max((n for n in curves if n <= JUDGED), default=max(curves, default=0))
    others = _grid(chart for n, chart in curves.items() if n != judged)
    folded = f"<details><summary>The other n over training</summary>{others}</details>" if others else ""
    return _grid([figures.over_orders(report), curves.get(judged, "")]) + folded


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


def _configuration(settings: Mapping[str, Any]) -> str:
    """Settings of each section in a table, folded away."""
    flat = [(str(name), list(_flat(value))) for name, value in settings.items()]
    tables = "".join(
        f"<div><h3>{plain(name)}</h3>{_settings(pairs)}</div>" for name, pairs in flat if pairs[:1] and pairs[0][0]
    )
    single = _settings([(name, pairs[0][1]) for name, pairs in flat if pairs[:1] and not pairs[0][0]])
    found = f'{single}<div class="sections">{tables}</div>'
    return f"<details><summary>All settings</summary>{found}</details>" if flat else ""


def _settings(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f'<tr><th scope="row">{plain(k)}</th><td>{visible(v)}</td></tr>' for k, v in pairs)
    return f'<div class="scroll" tabindex="0"><table class="settings">{rows}</table></div>' if pairs else ""


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The settings within one, with dotted names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _notes(report: Report) -> list[str]:
    return [*(f"{note[:1].upper()}{note[1:]}" for note in report.notes), *GENERAL]


def _list(items: Iterable[str]) -> str:
    found = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{found}</ul>" if found else ""


def _grid(charts: Iterable[str]) -> str:
    found = "".join(charts)
    return f'<div class="charts">{found}</div>' if found else ""
