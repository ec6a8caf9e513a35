"""`textgan methods`: every method that can be chosen, its formula and source, and what goes with it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from textgan.cli.options import JSON
from textgan.cli.progress import in_json, printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from textgan.methods.method import Method
    from textgan.methods.presets import Preset

WIDTH, NARROWEST = 100, 40  # of lines at most, and what they are on a terminal that is narrower still. [characters]
PARTING = re.compile(r"(?<=[,;:]) | (?=[-+→] )")
"""Where a formula may be broken, outside all brackets: after a comma, before a sum's next term or a net's next part."""
AROUND = re.compile(r" (?=[-+=~] )|(?<= [-+=~]) ")
"""The blanks on both sides of a sign, at which no line of words is broken."""

EPILOG = """\b
Examples:
  textgan methods                          every method in a line, by kind
  textgan methods penalty                  those of one kind
  textgan methods hinge                    formula, paper, setting, optimizer, and what it cannot go with
  textgan methods wgan                     a preset, and the methods that it plays
  textgan methods r1 --json                the same for programs

A method is chosen by its setting, on top of a preset, and methods combine:

\b
  textgan train -c relativistic -s game.objective=hinge -s game.constraint=spectral_norm -s 'game.penalties={}'

Kinds: objective, penalty, constraint, relaxation, term, technique, generator, critic, norm, minibatch, condition,
optimizer, schedule and preset.

A name that two kinds share, such as paper, shows both. The weight and the optimizer are those of the paper, or of
its code; what textgan takes if nothing is said is in `textgan config show`."""


class Found(NamedTuple):
    """What is shown: methods with their kinds, and presets."""

    methods: list[tuple[str, Method]]
    presets: list[Preset]


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@JSON
def methods(name: str | None, as_json: bool) -> None:
    """List the methods that can be chosen, or those of a kind, or show one: its purpose, formula, paper, setting."""
    from textgan.methods import HEADINGS

    found = _found(name)
    if as_json:
        click.echo(in_json(_json(found)))
        return
    for line in _list(found) if name is None or name in HEADINGS else _pages(found):
        click.echo(printable(line))


def _found(name: str | None) -> Found:
    """Find the methods and presets of a name or of a kind, or all of them."""
    from textgan.methods import HEADINGS, METHODS
    from textgan.methods.presets import read

    every = Found([(kind, method) for kind, methods in METHODS.items() for method in methods], read())
    if name is None:
        return every
    found = Found(
        [told for told in every.methods if name in (told[0], told[1].name)],
        [preset for preset in every.presets if name in ("preset", preset.name)],
    )
    if not any(found):
        known = [*HEADINGS, *(method.name for _, method in every.methods), *(preset.name for preset in every.presets)]
        raise UsageError(f"there is no method {name!r}{_hint(name, known)}")
    return found


def _hint(name: str, known: list[str]) -> str:
    hint = near_miss(name, known)
    return hint if "did you mean" in hint else "; `textgan methods` lists them"


def _json(found: Found) -> dict[str, Any]:
    from textgan.methods import SIGNS
    from textgan.methods.presets import told, users

    shown = [{"kind": kind, **method.told(), "presets": users(kind, method.name)} for kind, method in found.methods]
    return {"schema": 1, "signs": SIGNS, "methods": shown, "presets": [told(preset) for preset in found.presets]}


def _list(found: Found) -> Iterator[str]:
    """Write a line a method, or more on a narrow terminal, under the heading of its kind."""
    from textgan.methods import HEADINGS

    rows = [(kind, method.name, f"{method.purpose} ({method.short})") for kind, method in found.methods]
    rows += [("preset", preset.name, preset.title.rstrip(".").partition(": ")[0]) for preset in found.presets]
    wide = max(len(name) for _, name, _ in rows)
    for kind in dict.fromkeys(kind for kind, _, _ in rows):
        yield from _wrapped(HEADINGS[kind])
        for name, text in ((name, text) for its, name, text in rows if its == kind):
            yield from _hanging(name, wide, text)
        yield ""
    yield "textgan methods NAME shows one in full."


def _pages(found: Found) -> Iterator[str]:
    """Write all that is known of each, a label and a text in two columns."""
    from textgan.methods import SIGNS
    from textgan.methods.method import BLANK
    from textgan.methods.presets import facts, users

    for kind, method in found.methods:
        used = ", ".join(users(kind, method.name))
        yield from _page(method.name, kind, [*method.facts(), *([("presets", used)] if used else [])])
    for preset in found.presets:
        yield from _page(preset.name, "preset", facts(preset))
    if found.methods:
        yield from _wrapped(AROUND.sub(BLANK, f"Signs: {SIGNS}"))


def _page(name: str, kind: str, facts: list[tuple[str, str]]) -> Iterator[str]:
    yield f"{name} ({kind})"
    wide = max(len(label) for label, _ in facts)
    for label, text in facts:
        yield from _hanging(label, wide, _whole(text, _width() - wide - 4) if label == "formula" else text)
    yield ""


def _width() -> int:
    return max(NARROWEST, min(WIDTH, get_terminal_size().columns)) if sys.stdout.isatty() else WIDTH


def _hanging(label: str, wide: int, text: str) -> Iterator[str]:
    """Write a label, and a text beside it that stays in its column."""
    return _wrapped(text, f"  {label:{wide}}  ", " " * (wide + 4))


def _wrapped(text: str, first: str = "", later: str = "") -> Iterator[str]:
    """Break a text into lines, between words alone, and not at `BLANK`."""
    from textgan.methods.method import BLANK

    lines = textwrap.wrap(
        text, _width(), initial_indent=first, subsequent_indent=later, break_on_hyphens=False, break_long_words=False
    )
    return (line.replace(BLANK, " ") for line in lines)


def _whole(formula: str, room: int) -> str:
    """Put a `BLANK` where a formula is not to be broken; a part that is longer than the room stays as it is."""
    from textgan.methods.method import BLANK

    parts, start = [], 0
    for at in (parting.start() for parting in PARTING.finditer(formula) if not _within(formula[: parting.start()])):
        parts.append(formula[start:at])
        start = at + 1
    parts.append(formula[start:])
    return " ".join(part if len(part) > room else part.replace(" ", BLANK) for part in parts)


def _within(text: str) -> bool:
    """Whether a bracket or the bar of a norm is open at the end of a text."""
    opened = ""
    for sign in re.findall(r"[][()|]", text):
        if sign in "])":
            opened = opened[: max(opened.rfind("["), opened.rfind("("))]  # the bar of a condition closes with them
        elif sign == "|" and opened.endswith("|"):
            opened = opened[:-1]
        else:
            opened += sign
    return bool(opened)
