"""How each registered corpus lies on disk: its layout, and the function that makes a source of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from textgan.corpora.cards import Card
from textgan.corpora.text import billion_word, python_docs, sources
from textgan.corpora.text.sources import Source
from textgan.errors import TextganError, UsageError

OWN_TEXT = "file"
"""The layout of a corpus that is a file of the user's own; the only one with columns and labels."""
Tell = Callable[[str], None]


class Layout(Protocol):
    """Finds the shards of a corpus."""

    def __call__(self, card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
        """Return its source, or raise a TextganError that says how to get it."""


def own_text(card: Card, *, data: str, column: str, label_column: str, cache: Path) -> Source:
    """Return text that the user brings: whatever `--corpus PATH` would read, under the corpus' name.

    Args:
        card: of a corpus of the layout `OWN_TEXT`.
        data: path, glob or "-".
        column: as in `sources.resolve`.
        label_column: as in `sources.resolve`.
        cache: the cache folder.

    Raises:
        TextganError: there is no such text, or it cannot be read.
    """
    if not data:
        raise TextganError(f"{card.name} is text of your own: {card.how_to_get}")
    found = sources.resolve(data, column=column, label_column=label_column, cache=cache)
    if found is None:
        raise TextganError(f"{card.name}: no such file or folder: {data}; {card.how_to_get}")
    return replace(found, name=card.name, title=f"{card.title}: {found.title}")


def _images(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    raise UsageError(f"{card.name} is pictures, not text; name a corpus of text")


def _formula(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    raise UsageError(f"{card.name} is points by a formula, not text; {card.how_to_get}")


def _nltk(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    raise UsageError("nltk is many corpora; name one, such as nltk:brown")


def _grammar(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    raise UsageError("grammar is many corpora; name one, such as grammar:english, or grammar:PATH for one of your own")


def _oracle(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    raise UsageError("oracle is more than one corpus; name one, such as oracle:lstm")


LAYOUTS: dict[str, Layout] = {
    "billion_word": billion_word.source,
    "formula": _formula,
    "grammar": _grammar,
    "images": _images,
    "nltk": _nltk,
    "oracle": _oracle,
    "python_docs": python_docs.source,
}

VERIFY = {"billion_word": billion_word.verify}
"""Layouts of which checksums or counts are published."""
