"""The pass over pictures that writes their rows: in bounded memory whatever their number, a block at a time.

Several processes decode where there are many. How far it is is noted, so that a killed one is gone on with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np

from textgan.corpora.images.collection import Block, Collection
from textgan.corpora.images.rows import SIDES, Cut, Fit, Part
from textgan.corpora.matrix import RowsWriter
from textgan.corpora.workers import ordered
from textgan.corpora.workshop import Workshop

Show = Callable[[str, int, float | None], None]
STAGE = "pictures"


@dataclass(frozen=True)
class Making:
    """What is read, by what rules, where, and how."""

    found: Collection
    fit: Fit
    cut: Cut
    most: int
    """Training pictures, at most."""
    work: Workshop
    processes: int
    show: Show

    @property
    def folder(self) -> Path:
        """Where the rows are written."""
        return self.work.folder / "rows"

    def blocks(self, side: str) -> Iterator[Block]:
        """Yield the blocks of the training or held-out shards."""
        shards = self.found.training if side == "train" else self.found.heldout
        return chain.from_iterable(shard.blocks() for shard in shards)


@dataclass
class Far:
    """How far it is, as the journal has it."""

    blocks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    """Of the shards of each side."""
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    """Written to each side."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Pictures that cannot be used, by kind."""


def write(making: Making) -> Far:
    """Write the rows of both sides, and return how many there are."""
    state = making.work.state(STAGE) if making.folder.is_dir() else None  # finished rows were moved away
    far = Far(**state) if state else Far()
    making.folder.mkdir(exist_ok=True)
    with ExitStack() as closing:
        writers = {side: _writer(making, side, far.rows[side]) for side in SIDES}
        for writer in writers.values():
            closing.callback(writer.close)
        for side in SIDES:
            for part in _parts(making, side, far):
                for target, rows in part.items():
                    writer = writers[target]
                    writer.append(rows.pixels, np.arange(len(rows.pixels)) + writer.length, rows.labels)
                    far.rows[target] = writer.length
                making.show("reading pictures", sum(far.rows.values()), None)
                if making.work.due():
                    for writer in writers.values():
                        writer.sync()
                    making.work.note(STAGE, asdict(far))
    return far


def _parts(making: Making, side: str, far: Far) -> Iterator[dict[str, Part]]:
    """Yield what becomes of each block from where it is on, up to the last training picture that is wanted."""
    left = islice(making.blocks(side), far.blocks[side], None)
    if side == "train" and far.rows["train"] >= making.most:
        return
    for _, part in ordered(making.fit, left, making.processes):
        far.left_out = dict(Counter(far.left_out) + Counter(part.left_out))
        far.blocks[side] += 1
        yield making.cut(part, side, making.most - far.rows["train"])
        if side == "train" and far.rows["train"] >= making.most:
            return


def _writer(making: Making, side: str, done: int) -> RowsWriter:
    shape = (making.fit.channels, making.fit.side, making.fit.side)
    labelled = making.fit.classes is not None
    return RowsWriter(making.folder, side, size=256, shape=shape, labelled=labelled, done=done)
