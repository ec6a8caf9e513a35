"""Google Billion Word in its official layout: training shards in one folder, held-out shards in another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from textgan.corpora.cards import Card
from textgan.corpora.text.sources import Source, existing
from textgan.errors import TextganError

FOLDERS = ("training-monolingual.tokenized.shuffled", "heldout-monolingual.tokenized.shuffled")
# the held-out folder also holds a news.en-00000-of-00100, which belongs to neither side
TRAINING = re.compile(r"news\.en-(?!00000)\d{5}-of-00100")
HELDOUT = re.compile(r"news\.en\.heldout-\d{5}-of-00050")


def source(card: Card, *, data: str, cache: Path, tell: Callable[[str], None]) -> Source:
    """Find the shards under `data`: the unpacked folder, the one it lies in, or one of its two subfolders.

    Where there are only held-out shards, the first is held out and the others train.

    Raises:
        TextganError: `data` is empty or no such folder, or it holds too few shards; the line says what to do.
    """
    shards = _shards(card, data)
    training = tuple(path for name, path in shards.items() if TRAINING.fullmatch(name))
    heldout = tuple(path for name, path in shards.items() if HELDOUT.fullmatch(name))
    if training and heldout:
        return Source(card.name, card.credit, training, heldout, split="official")
    if len(heldout) < 2:
        found = f"{len(training)} training and {len(heldout)} held-out shards"
        raise TextganError(f"{card.name}: {data} holds {found}, too few to train and to measure; {card.how_to_get}")
    number = heldout[0].name.removeprefix("news.en.heldout-")[:5]
    split = f"shard {number} of the held-out shards"
    tell(f"{card.name}: no training shards in {data}; measuring on {split}, training on the other {len(heldout) - 1}")
    return Source(card.name, card.credit, heldout[1:], heldout[:1], split)


def _shards(card: Card, data: str) -> dict[str, Path]:
    """Return every file down to two levels below, by name; one of two copies of a shard is enough."""
    if not data:
        raise TextganError(f"{card.name} does not come with textgan: {card.how_to_get}")
    root = existing(data)
    if root is None or not root.is_dir():
        raise TextganError(f"{card.name}: {data} is not a folder; {card.how_to_get}")
    if root.name in FOLDERS:
        root = root.parent
    found = (path for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}news.en*"))
    return {path.name: path for path in sorted(found, key=lambda path: (path.name, path)) if path.is_file()}
