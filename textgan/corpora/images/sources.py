"""The registered corpora of pictures: what of them lies where, told by what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textgan.corpora.cards import Card
from textgan.corpora.images import arrays, digits
from textgan.corpora.images.collection import Collection
from textgan.errors import TextganError

Find = Callable[[Card, Path], Collection]


def collection(card: Card, *, data: str) -> Collection:
    """Return the pictures of a registered corpus.

    Raises:
        TextganError: they are not there, or what is there is no such corpus; the line says what was looked for.
    """
    if card.name == "digits":
        return digits.collection()
    if not data:
        raise TextganError(f"{card.name} is not here; {card.how_to_get}")
    path = Path(data).expanduser().absolute()
    if not path.exists():
        raise TextganError(f"{card.name}: no such file or folder: {data}; {card.how_to_get}")
    found = arrays.collection(path)
    return replace(found, classes=found.classes or card.classes)
