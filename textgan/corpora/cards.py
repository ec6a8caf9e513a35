"""The card of each registered corpus: where it is from, under what terms, how it is split, how to get it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from textgan.errors import UsageError, near_miss
from textgan.resources import folder

DEFAULT_PRESET = "quick"
KINDS = ("text", "image", "toy")
PREFIXED = re.compile("(hf|nltk|grammar|oracle):")  # names of text that is no card's and lies elsewhere


@dataclass(frozen=True)
class Card:
    """One file data/NAME.toml."""

    name: str
    title: str
    kind: str
    """One of `KINDS`."""
    source: str
    licence: str
    layout: str
    """How its files lie on disk: a key of `layouts.LAYOUTS`."""
    preset: str
    """What `textgan train` uses where no preset is asked for."""
    split: str
    how_to_get: str
    """A phrase that ends an error: it starts with a verb."""
    citation: str
    sizes: dict[str, int] = field(default_factory=dict)
    """Lines, images or bytes of its parts, as published; the unit closes each name."""
    checksums: dict[str, str] = field(default_factory=dict)
    """Published checksums by file name, as "sha256:HEX" or "md5:HEX"."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that suit it, by key, besides the preset's."""
    classes: list[str] = field(default_factory=list)
    """Of pictures, in the order of their labels, where the files do not name them."""

    @property
    def credit(self) -> str:
        """What a model trained on it says of it."""
        return f"{self.title} ({self.licence})"


def names() -> list[str]:
    """Return the registered corpora, sorted."""
    return sorted(path.stem for path in folder("data").glob("*.toml"))


def card(name: str) -> Card:
    """Read the card of a registered corpus.

    Raises:
        UsageError: no such card; the line names the nearest one.
    """
    if name not in names():
        raise UsageError(f"unknown corpus {name!r}{near_miss(name, names())}")
    text = (folder("data") / f"{name}.toml").read_text(encoding="utf-8")
    return Card(name=name, **tomllib.loads(text))


def kind_of(name: str) -> str:
    """Return the kind of sample that a corpus has: its card's, and text for what has no card."""
    return card(name).kind if name in names() else "text"


def suits(name: str) -> tuple[str, dict[str, Any]]:
    """Return the preset and the settings a corpus is trained with by default: its card's, or `quick` for a path.

    The card of a name with a prefix, such as `nltk:brown`, is that of the prefix.
    """
    known = name if name in names() else name.partition(":")[0]
    if known not in names() or (known != name and card(known).layout != known):
        return DEFAULT_PRESET, {}
    found = card(known)
    return found.preset, found.settings
