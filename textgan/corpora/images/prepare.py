"""A registered corpus of pictures to rows of pixels on disk; or its rows, found ready.

One pass in bounded memory whatever the size: pictures are decoded, cropped and resized a block at a time, by several
processes where there are many. It notes how far it is, so that a killed preparation goes on. A second call with the
same files and settings reads no picture.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from textgan.corpora import cards, matrix, workers, workshop
from textgan.corpora.cards import Card
from textgan.corpora.images import sources
from textgan.corpora.images.collection import Block, Collection, Shard
from textgan.corpora.images.rows import Cut, Fit
from textgan.corpora.matrix import RowsWriter
from textgan.corpora.prepare import Corpus
from textgan.corpora.workshop import Workshop
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels

SCHEMA = 1  # part of every key: raise it when the same pictures give other rows
SIDES = ("train", "heldout")
LABEL = "label"
Tell = Callable[[str], None]
Show = Callable[[str, int, float | None], None]


@dataclass(frozen=True)
class PictureSettings:
    """All that decides the rows, besides the pictures."""

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
    """"label" for a conditional space; empty for none."""


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
        data: where it lies on this machine.
        cache: folder for the rows; else TEXTGAN_CACHE, else the user's cache folder.
        processes: how many decode many pictures; 0 is one a core.
        tell: receives what a user should know, a line at a time.
        show: receives the stage, the pictures done, and the share of the work that is, or None where it is not known.

    Raises:
        UsageError: the name is no corpus of pictures, or the label is none.
        TextganError: the pictures are missing, damaged or too few, or the cache cannot be written.
    """
    card, root = cards.card(name), matrix.cache_root(cache)
    if card.kind != "image":
        raise UsageError(f"{name} is no corpus of pictures")
    if settings.label_column not in ("", LABEL):
        raise UsageError(f"corpus.label_column: {settings.label_column!r} is none of {name}; say {LABEL}")
    with matrix.writing(root):
        found = sources.collection(card, data=data)
        key = _key(card, found, settings)
        entry = matrix.recall(root, key)
        if entry is None:
            with workshop.workshop(root, key, tell) as work:
                entry = matrix.recall(root, key)  # by another process, meanwhile
                if entry is None:
                    tell(f"{name}: reading the pictures" + (", from where it was left" if work.begun else ""))
                    making = _Making(card, found, settings, work, processes or workers.available(), show)
                    entry = _build(making, root, tell)
                    matrix.remember(root, key, entry)
        return _open(name, root, entry, settings)


@dataclass(frozen=True)
class _Making:
    card: Card
    found: Collection
    settings: PictureSettings
    work: Workshop
    processes: int
    show: Show


@dataclass
class _Far:
    """How far it is, as the journal has it."""

    blocks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    """Of the shards of each side."""
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    left_out: dict[str, int] = field(default_factory=dict)
    whole: bool = False
    """There are as many training rows as were asked for."""


def _build(making: _Making, root: Path, tell: Tell) -> dict[str, Any]:
    settings, classes = making.settings, making.found.classes
    folder, far = _write(making)
    name = making.card.name
    if far.left_out:
        told = ", ".join(f"{count:,} {kind}" for kind, count in far.left_out.items())
        tell(f"{name}: left out {told}")
    if not all(far.rows.values()):
        have = f"pictures to train on: {far.rows['train']}, to hold out: {far.rows['heldout']}"
        raise TextganError(f"{name}: {have}; give more different pictures, or change corpus.heldout")
    labels = matrix.open_rows(folder, "train").labels
    counts = np.bincount(labels, minlength=len(classes)).tolist() if labels is not None else []
    space = Pixels(settings.side, settings.channels)
    return {
        "fingerprint": matrix.settle_rows(root, folder, space.to_json(), list(classes)),
        "facts": {
            "title": making.card.credit,
            "split": making.card.split if making.found.heldout else "hash of the picture",
            "classes": list(classes),
            "labels": dict(zip(classes, counts, strict=True)),
            "left_out": far.left_out,
        },
    }


def _write(making: _Making) -> tuple[Path, _Far]:
    """Write the rows of both sides, and return their folder and how many there are."""
    found, settings, work = making.found, making.settings, making.work
    folder = work.folder / "rows"
    state = work.state("pictures") if folder.is_dir() else None  # rows that are finished were moved away
    far = _Far(**state) if state else _Far()
    folder.mkdir(exist_ok=True)
    writers = {side: _writer(folder, side, making, far.rows[side]) for side in SIDES}
    left_out = Counter(far.left_out)
    fit = Fit(settings.side, settings.channels, len(found.classes), settings.errors)

    def note() -> None:
        for writer in writers.values():
            writer.sync()
        far.rows, far.left_out = {side: writer.length for side, writer in writers.items()}, dict(left_out)

    with ExitStack() as closing:
        for writer in writers.values():
            closing.callback(writer.close)
        for side in SIDES:
            shards = found.training if side == "train" else found.heldout
            blocks = (block for shard in shards for block in shard.blocks())
            cut = Cut(None if found.heldout else settings.heldout, side)
            if far.whole and side == "train":
                continue
            for _, part in workers.ordered(fit, islice(blocks, far.blocks[side], None), making.processes):
                left_out.update(part.left_out)
                most = settings.max_pictures - writers["train"].length
                for target, chosen in cut(part, most).items():
                    writer = writers[target]
                    writer.append(chosen.pixels, np.arange(len(chosen.pixels)) + writer.length, chosen.labels)
                far.blocks[side] += 1
                far.whole = writers["train"].length >= settings.max_pictures
                making.show("reading pictures", sum(writer.length for writer in writers.values()), None)
                if side == "train" and far.whole:
                    break
                if work.due():
                    note()
                    work.note("pictures", asdict(far))
        note()
    return folder, far


def _writer(folder: Path, side: str, making: _Making, done: int) -> RowsWriter:
    shape = (making.settings.channels, making.settings.side, making.settings.side)
    return RowsWriter(folder, side, size=256, shape=shape, labelled=bool(making.found.classes), done=done)


def _key(card: Card, found: Collection, settings: PictureSettings) -> str:
    """Return a hash of the files as they lie on disk, of what the facts call them, and of what decides the rows."""
    sides = [[shard.stamp for shard in side] for side in (found.training, found.heldout)]
    deciding = asdict(settings) | {"label_column": ""}
    value = [SCHEMA, card.name, card.credit, card.split, sides, found.classes, deciding]
    return sha256(json.dumps(value).encode()).hexdigest()[:32]


def _open(name: str, root: Path, entry: dict[str, Any], settings: PictureSettings) -> Corpus[Pixels]:
    folder = matrix.rows_folder(root, entry["fingerprint"])
    space = matrix.open_space(folder, Pixels.from_json)
    if settings.label_column:
        space = replace(space, labels=_classes(name, entry))
    train, heldout = (matrix.open_rows(folder, side) for side in SIDES)
    facts = entry["facts"] | {"rows": {"train": len(train), "heldout": len(heldout)}}
    return Corpus(name, entry["fingerprint"], space, train, heldout, facts)


def _classes(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    classes = tuple(entry["facts"]["classes"])
    if not classes:
        raise UsageError(f"corpus.label_column: these pictures of {name} have no classes; leave --label-column out")
    return classes
