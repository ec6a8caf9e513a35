"""The frame of a page: no script, nothing from elsewhere, valid without network; and what pages of all kinds have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textgan.report.markup import plain, visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


class Section(NamedTuple):
    """A part of a page, to which a link leads; without content it is left out."""

    name: str
    title: str
    body: str


class Tile(NamedTuple):
    """A number, large, with that of real rows small below."""

    label: str
    value: str
    real: str


class Figure(NamedTuple):
    """A row of a table of numbers, as it is written."""

    name: str
    value: str
    interval: str
    real: str
    difference: str
    says: str


def document(title: str, header: str, sections: Iterable[Section]) -> str:
    """Return a self-contained page: readable on a phone, in the dark and on paper."""
    shown = [section for section in sections if section.body]
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in shown)
    bodies = "".join(f'<section id="{name}"><h2>{heading}</h2>{body}</section>' for name, heading, body in shown)
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{plain(title)}</title><style>\n{style}</style></head>\n"
        f"<body>{header}<nav><ul>{links}</ul></nav>\n<main>{bodies}</main></body></html>\n"
    )


def head(title: str, counts: str, verdict: str, tiles: str, *, bad: bool) -> str:
    """Return the header of a page: what was measured, what is found, few numbers."""
    return (
        f"<header><h1>{plain(title)}</h1><p>{plain(counts)}</p>"
        f'<div class="verdict {"bad" if bad else "good"}">{verdict}</div>{tiles}</header>'
    )


def glance(tiles: Iterable[Tile], real: str) -> str:
    """Few numbers, large; `real` names what is below them."""
    found = "".join(
        f"<div><dt>{plain(tile.label)}</dt><dd>{plain(tile.value)}<small>{real} {plain(tile.real)}</small></dd></div>"
        for tile in tiles
    )
    return f'<dl class="glance">{found}</dl>' if found else ""


def configuration(settings: Mapping[str, Any]) -> str:
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


def numbers(figures: Iterable[Figure], real: str) -> str:
    """Return a table of numbers; `real` names what is beside them."""
    columns = ("", "samples", "95 % interval", real, "difference", "what it says")
    names = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(map(_row, figures))
    table = f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>' if rows else ""


def _row(figure: Figure) -> str:
    kinds = ("samples", "interval", "real", "difference")
    cells = "".join(f'<td class="{kind}">{plain(cell)}</td>' for kind, cell in zip(kinds, figure[1:5], strict=True))
    return f'<tr><th scope="row">{plain(figure.name)}</th>{cells}<td class="says">{plain(figure.says)}</td></tr>'


def sentences(said: Iterable[str]) -> str:
    """List what is said, each a sentence; nothing without any."""
    items = (plain(f"{text[:1].upper()}{text[1:]}.".replace("..", ".")) for text in said)
    found = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{found}</ul>" if found else ""


def beside(charts: Iterable[str]) -> str:
    """Charts beside each other where there is room; nothing without any."""
    found = "".join(charts)
    return f'<div class="charts">{found}</div>' if found else ""
