"""A registered corpus of pictures to rows of pixels on disk; or its rows, found ready."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from textgan.corpora import cards, matrix, workers, workshop
from textgan.corpora.cards import Card
from textgan.corpora.images import sources
from textgan.corpora.images.collection import LABEL, Collection
from textgan.corpora.images.passes import Far, Making, Show, write
from textgan.corpora.images.rows import SIDES, Cut, Fit
from textgan.corpora.prepare import Corpus
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels

SCHEMA = 2  # part of every key: raise it when the same pictures give other rows
BY_HASH, OF_FILES = "hash of the picture", "that of the files"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class PictureSettings:
    """All that decides the rows, besides the pictures, and whether a model is asked for their classes."""

    side: int
    """Height and width. [pixels]"""
    channels: int
    """3 for colours, 1 for grey."""
    heldout: float = 0.1
    """Share of the pictures held out by hash, where the corpus has no split of its own. [share]"""
    errors: str = "strict"
    """"strict", which stops at what cannot be used, or "skip"."""
    max_pictures: int = 10_000_000
    """Most training pictures."""
    column: str = ""
    """Where the picture is in a record of Parquet; empty for the usual place."""
    label_column: str = ""
    """Which label a conditional model is asked for: "label", or "coarse" of CIFAR-100; empty for none."""


def open_pictures(
    name: str,
    settings: PictureSettings,
    *,
    data: str = "",
    cache: Path | str | None = None,
    processes: int = 0,
    tell: Tell = lambda line: None,
    show: Show = lambda stage, pictures, share: None,
) -> Corpus[Pixels]:
    """Return a registered corpus of pictures, reading them only where their rows are not in the cache.

    Args:
        name: of the corpus.
        settings: what decides the rows.
        data: where it lies on this machine; empty for the hub, or for what a library has.
        cache: folder for the rows; else TEXTGAN_CACHE, else the user's cache folder.
        processes: how many decode many pictures; 0 is one a core.
        tell: receives what a user should know, a line at a time.
        show: receives the stage, the pictures done, and the share of the work that is, or None where it is not known.

    Raises:
        UsageError: the name is no corpus of pictures, or there is no such label or column.
        TextganError: the pictures are missing, damaged or too few, or the cache cannot be written.
    """
    card, root = cards.card(name), matrix.cache_root(cache)
    if card.kind != "image":
        raise UsageError(f"{name} is no corpus of pictures")

    sources.check_label(card, settings.label_column)
    with matrix.writing(root):
        path = sources.locate(card, data=data, cache=root, tell=tell)
        look = partial(sources.collection, card, path, column=settings.column, label=settings.label_column)
        found = look()
        if settings.label_column and not found.classes:
            raise UsageError(f"corpus.label_column: these pictures of {name} have no classes; leave --label-column out")
        key = _key(card, found, settings)
        entry = matrix.recall(root, key)
        if entry is None:
            with workshop.workshop(root, key, tell) as work:
                entry = matrix.recall(root, key)  # by another process, meanwhile
                if entry is None:
                    tell(f"{name}: reading the pictures" + (", from where it was left" if work.begun else ""))
                    making = _making(found, settings, work, processes, show)
                    far = write(making)
                    if look() != found:
                        raise TextganError(f"{name}: the pictures changed while they were read; run the command again")
                    entry = _settled(card, making, far, root, tell)
                    matrix.remember(root, key, entry)
        return _open(name, root, entry, conditional=bool(settings.label_column))


def _key(card: Card, found: Collection, settings: PictureSettings) -> str:
    """Return a hash of the files as they lie on disk, of what the facts call them, and of what decides the rows."""
    sides = [[shard.stamp for shard in side] for side in (found.training, found.heldout)]
    deciding = asdict(settings) | {"label_column": settings.label_column or LABEL}
    value = [SCHEMA, card.name, card.credit, card.split, sides, found.classes, found.left_out, deciding]
    return sha256(json.dumps(value).encode()).hexdigest()[:32]


def _making(
    found: Collection, settings: PictureSettings, work: workshop.Workshop, processes: int, show: Show
) -> Making:
    classes = None if found.classes is None else len(found.classes)
    fit = Fit(settings.side, settings.channels, classes, settings.errors)
    cut = Cut(None if found.heldout else settings.heldout)
    return Making(found, fit, cut, settings.max_pictures, work, processes or workers.available(), show)


def _settled(card: Card, making: Making, far: Far, root: Path, tell: Tell) -> dict[str, Any]:
    """Give the rows their place, and return what is remembered of them."""
    found, folder = making.found, making.folder
    left_out = {kind: count for kind, count in (found.left_out | far.left_out).items() if count}
    if left_out:
        tell(f"{card.name}: left out " + ", ".join(f"{count:,} {kind}" for kind, count in left_out.items()))
    if not all(far.rows.values()):
        have = f"pictures to train on: {far.rows['train']}, to hold out: {far.rows['heldout']}"
        raise TextganError(f"{card.name}: {have}; give more different pictures, or change corpus.heldout")
    classes, labels = found.classes or (), matrix.open_rows(folder, "train").labels
    counts = [] if labels is None else np.bincount(labels, minlength=len(classes)).tolist()
    space = Pixels(making.fit.side, making.fit.channels)
    return {
        "fingerprint": matrix.settle_rows(root, folder, space.to_json(), list(classes)),
        "facts": {
            "title": card.credit,
            "split": _split(card, far) if found.heldout else BY_HASH,
            "left_out": left_out,
            "classes": list(classes),
            "labels": dict(zip(classes, counts, strict=True)),
        },
    }


def _split(card: Card, far: Far) -> str:
    """What the card says of a split, if it is that of the published pictures."""
    published = {"train": card.sizes.get("training_images"), "heldout": card.sizes.get("heldout_images")}
    return card.split if far.rows == published else OF_FILES


def _open(name: str, root: Path, entry: dict[str, Any], *, conditional: bool) -> Corpus[Pixels]:
    folder, classes = matrix.rows_folder(root, entry["fingerprint"]), tuple(entry["facts"]["classes"])
    space = matrix.open_space(folder, Pixels.from_json)
    train, heldout = (matrix.open_rows(folder, side) for side in SIDES)
    facts = entry["facts"] | {"rows": {"train": len(train), "heldout": len(heldout)}}
    return Corpus(
        name, entry["fingerprint"], replace(space, labels=classes if conditional else ()), train, heldout, facts
    )
