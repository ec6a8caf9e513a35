"""`textgan methods`: every method that can be chosen, its formula and source, and what goes with it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from textgan.cli.options import JSON
from textgan.cli.progress import printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from textgan.methods.method import Method
    from textgan.methods.presets import Preset

WIDTH = 100  # of the text of one method. [characters]

EPILOG = """\b
Examples:
  textgan methods                          every method in a line, by kind
  textgan methods hinge                    formula, paper, setting, optimizer, and what it cannot go with
  textgan methods wgan                     a preset, and the methods that it plays
  textgan methods r1 --json                the same for programs

A method is chosen by its setting, on top of a preset, and methods combine:

\b
  textgan train -c relativistic -s game.objective=hinge -s game.constraint=spectral_norm -s 'game.penalties={}'

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
    """List the methods that can be chosen, or show one: what it is for, its formula, its paper, its setting."""
    found = _found(name)
    if as_json:
        click.echo(json.dumps(_json(found), ensure_ascii=False))
        return
    for line in _list(found) if name is None else _pages(found):
        click.echo(printable(line))


def _found(name: str | None) -> Found:
    """Find the methods and presets of a name, or all of them."""
    from textgan.methods import METHODS
    from textgan.methods.presets import read

    every = Found([(kind, method) for kind, methods in METHODS.items() for method in methods], read())
    if name is None:
        return every
    found = Found(
        [told for told in every.methods if told[1].name == name], [p for p in every.presets if p.name == name]
    )
    if not any(found):
        known = [method.name for _, method in every.methods] + [preset.name for preset in every.presets]
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
    """Write a line a method, under the heading of its kind."""
    from textgan.methods import HEADINGS

    rows = [(kind, method.name, f"{method.purpose} ({method.short})") for kind, method in found.methods]
    rows += [("preset", preset.name, preset.title.rstrip(".").partition(": ")[0]) for preset in found.presets]
    wide = max(len(name) for _, name, _ in rows)
    for kind, heading in HEADINGS.items():
        yield heading
        yield from (f"  {name:{wide}}  {text}" for its, name, text in rows if its == kind)
        yield ""
    yield "textgan methods NAME shows one in full."


def _pages(found: Found) -> Iterator[str]:
    """Write all that is known of each, a label and a text in two columns."""
    from textgan.methods import SIGNS
    from textgan.methods.presets import facts, users

    for kind, method in found.methods:
        used = ", ".join(users(kind, method.name))
        yield from _page(method.name, kind, [*method.facts(), *([("presets", used)] if used else [])])
    for preset in found.presets:
        yield from _page(preset.name, "preset", facts(preset))
    if found.methods:
        yield from textwrap.wrap(f"Signs: {SIGNS}", WIDTH)


def _page(name: str, kind: str, facts: list[tuple[str, str]]) -> Iterator[str]:
    yield f"{name} ({kind})"
    wide = max(len(label) for label, _ in facts)
    for label, text in facts:
        first, later = f"  {label:{wide}}  ", " " * (wide + 4)
        yield from textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
    yield ""
