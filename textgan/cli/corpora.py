"""`textgan corpora`: the registered corpora, what of them is on this machine, and a card in full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.progress import in_json, printable
from textgan.errors import TextganError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from textgan.corpora.cards import Card

EPILOG = """\b
Examples:
  textgan corpora                                      what there is, and what of it is here
  textgan corpora billion_word                         its source, terms, sizes, split, and how to get it
  textgan corpora billion_word --verify --data FOLDER  compare it with what is published

Besides these names, `textgan prepare` and `textgan train --corpus` take a file, a folder, a glob, an archive, - for
standard input, nltk:NAME, grammar:NAME or grammar:FILE.cfg, oracle:NAME, and hf:REPO[@CONFIG][:COLUMN] of the Hugging
Face Hub. Pictures of your own are `--corpus images --data FOLDER`."""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--data", metavar="PATH", default="", envvar="TEXTGAN_DATA", help="Where a registered corpus lies.")
@click.option("--verify", is_flag=True, help="Compare it with the published checksums and counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def corpora(name: str | None, data: str, verify: bool, as_json: bool) -> None:
    """List the registered corpora, or show one."""
    from textgan.corpora import cards, matrix

    cache = matrix.cache_root(None)
    if name is None:
        if verify:
            raise UsageError("--verify needs the name of a corpus, such as billion_word")
        _list([cards.card(known) for known in cards.names()], data, cache, as_json)
    elif verify:
        _verify(cards.card(name), data, as_json)
    else:
        _show(cards.card(name), data, cache, as_json)


def _list(every: list[Card], data: str, cache: Path, as_json: bool) -> None:
    from textgan.corpora.shelf import standing

    stands = {card.name: standing(card, data=data, cache=cache) for card in every}
    if as_json:
        told = [{"name": c.name, "kind": c.kind, "title": c.title, **stands[c.name]._asdict()} for c in every]
        click.echo(in_json({"schema": 1, "corpora": told}))
        return
    rows = [(card.name, card.kind, str(stands[card.name]), card.title) for card in every]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo(printable("  ".join(f"{cell:{width}}" for cell, width in zip(row, wide, strict=True)).rstrip()))


def _show(card: Card, data: str, cache: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from textgan.corpora.shelf import standing

    stand = standing(card, data=data, cache=cache)
    if as_json:
        click.echo(in_json({"schema": 1, **asdict(card), **stand._asdict()}))
        return
    lines = [("name", card.name), ("on this machine", str(stand)), *_facts(card)]
    wide = max(len(label) for label, _ in lines)
    for label, value in lines:
        click.echo(printable(f"{label:{wide}}  {value}"))


def _facts(card: Card) -> Iterator[tuple[str, Any]]:
    for key in ("title", "kind", "source", "licence", "split", "how_to_get", "citation", "preset"):
        yield key.replace("_", " "), getattr(card, key)
    for key, number in card.sizes.items():
        yield key.replace("_", " "), f"{number:,}"
    for file, checksum in card.checksums.items():
        yield "checksum", f"{checksum} {file}"
    if card.settings:
        yield "suited settings", " ".join(f"-s {key}={value}" for key, value in card.settings.items())


def _verify(card: Card, data: str, as_json: bool) -> None:
    """Print every comparison; one that fails is an error in the end."""
    from textgan.corpora.layouts import VERIFY

    if card.layout not in VERIFY:
        raise UsageError(f"{card.name} cannot be verified; {', '.join(VERIFY)} can be")
    checks = VERIFY[card.layout](card, data)
    if as_json:
        told = [{**check._asdict(), "good": check.good} for check in checks]
        click.echo(json.dumps({"schema": 1, "corpus": card.name, "checks": told}))
    else:
        for check in checks:
            verdict = "good" if check.good else f"WRONG, published is {check.published}"
            click.echo(printable(f"{check.what}: {check.here} ({verdict})"))
    bad = [check.what for check in checks if not check.good]
    if bad:
        raise TextganError(f"{card.name} is not what is published: {', '.join(bad)}; complete it, or get it again")
