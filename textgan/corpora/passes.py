"""The passes over a text: find repeated lines, survey, encode. Each goes on where a killed one stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from textgan.corpora.matrix import RowsWriter
from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.damage import Damage
from textgan.corpora.text.duplicates import HashBlock, first_met
from textgan.corpora.text.encode import Encoded
from textgan.corpora.text.heads import HeadFiles, pieces
from textgan.corpora.text.sources import Source
from textgan.corpora.text.split import SIDES, Block, Side, blocks
from textgan.corpora.text.survey import Survey, SurveyBlock
from textgan.corpora.workers import ordered
from textgan.corpora.workshop import Workshop
from textgan.files import reopened, sync
from textgan.symbols import Symbols

Show = Callable[[str, int, float | None], None]
Array = npt.NDArray[Any]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Encoder(Protocol):
    """What makes rows of a part."""

    @property
    def space(self) -> Symbols:
        """The space of the rows."""
        ...

    def __call__(self, part: Any, /) -> dict[Side, Encoded]:
        """Encode one part."""
        ...


@dataclass(frozen=True)
class Reading:
    """A source that is being read, and by what rules, where, and how."""

    source: Source
    work: Workshop
    rules: Rules
    processes: int
    show: Show

    def blocks(self, side: Side, firsts: Firsts | None) -> Iterator[Block]:
        """Yield the blocks of the training or held-out shards."""
        found = blocks(self.source, side, self.rules.errors)
        return found if firsts is None else firsts.masked(found, side)

    def walk(self, job: Callable[[Item], Result], found: Iterator[Item], done: int) -> Iterator[tuple[Item, Result]]:
        """Yield the blocks after the first `done`, in order, with what `job` makes of them."""
        return ordered(job, islice(found, done, None), self.processes)


@dataclass(frozen=True)
class Extent:
    """How much of the training shards is read."""

    blocks: int
    limit: int | None = None
    """Most training lines of the last of these blocks, where not all of them are taken. [lines]"""

    def within(self, found: Iterator[Block]) -> Iterator[Block]:
        """Yield the training blocks that are read."""
        for number, block in enumerate(islice(found, self.blocks), 1):
            yield replace(block, limit=self.limit) if number == self.blocks else block


@dataclass(frozen=True)
class Firsts:
    """Which clean lines of a text were not met before."""

    met: Array
    """(line,) bool, training shards first."""
    lines: dict[str, list[int]]
    """Clean lines of each block, by side."""

    def masked(self, found: Iterator[Block], side: Side) -> Iterator[Block]:
        """Give each block its lines' part."""
        start = 0 if side == "train" else sum(self.lines["train"])
        for block, count in zip(found, self.lines[side], strict=True):
            yield replace(block, first=np.array(self.met[start : start + count]))
            start += count


def find_duplicates(reading: Reading) -> Firsts:
    """Hash every clean line, and find which hashes were met before."""
    work, job = reading.work, HashBlock(reading.rules)
    codes, met = work.folder / "hashes.u64", work.folder / "first.bool"
    state = work.state("duplicates") or {"lines": {side: [] for side in SIDES}, "whole": False}
    lines: dict[str, list[int]] = state["lines"]
    if not state["whole"]:
        count = sum(map(sum, lines.values()))
        with reopened(codes, 8 * count) as file:
            for side in SIDES:
                found = reading.walk(job, reading.blocks(side, None), len(lines[side]))
                for _, hashes in found:
                    file.write(hashes.data)
                    lines[side].append(len(hashes))
                    reading.show("looking for repeated lines", file.tell() // 8, None)
                    if work.due():
                        sync(file)
                        work.note("duplicates", {"lines": lines, "whole": False})
        first_met(codes, met)
        work.note("duplicates", {"lines": lines, "whole": True})
    length = met.stat().st_size
    return Firsts(np.memmap(met, np.bool_, "r") if length else np.zeros(0, bool), lines)


def survey(
    reading: Reading,
    damage: Damage,
    firsts: Firsts | None,
    job: SurveyBlock,
    most: int,
) -> tuple[Survey, Extent]:
    """Count lines and symbols, up to the `most`-th training line.

    Args:
        reading: what is read.
        damage: counts what is wrong with it.
        firsts: which lines were not met before, where repeated ones are left out.
        job: how a block is surveyed.
        most: training lines. [lines]
    """
    far = _how_far(reading.work, damage)
    if far.whole:
        return far.found, far.extent
    with HeadFiles(reading.work.folder, far.heads) as files:

        def note() -> None:
            far.heads = files.sync()
            far.note(reading.work, damage)

        for side in SIDES:
            if side == "train" and far.limit is not None:  # all of it was surveyed
                continue
            for block, (part, heads) in reading.walk(job, reading.blocks(side, firsts), far.done[side]):
                left = most - far.found.lines["train"]
                if side == "train" and part.lines["train"] >= left:
                    far.limit = left
                    part, heads = job(replace(block, limit=left))
                far.found.add(block, part, job.sample)
                damage.update(block.damage or Damage(damage.errors))
                files.append(heads)
                far.done[side] += 1
                reading.show("reading lines", far.found.read, None)
                if side == "train" and far.limit is not None:
                    break
                if reading.work.due():
                    note()
        far.whole = True
        note()
    return far.found, far.extent


@dataclass
class _Far:
    """How far a survey is."""

    found: Survey
    done: dict[Side, int]
    """Blocks of each side that are in it."""
    limit: int | None = None
    """Training lines that were taken of the last block, where more were not wanted. [lines]"""
    whole: bool = False
    heads: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    """Size of the heads that lie on the disk. [bytes]"""

    @property
    def extent(self) -> Extent:
        """How much it has read."""
        return Extent(self.done["train"], self.limit)

    def note(self, work: Workshop, damage: Damage) -> None:
        """Keep it."""
        damaged = [damage.counts, damage.first]
        state = {"done": self.done, "limit": self.limit, "whole": self.whole, "heads": self.heads}
        work.note("survey", state | {"found": self.found.to_json(), "damage": damaged})


def _how_far(work: Workshop, damage: Damage) -> _Far:
    state = work.state("survey")
    if state is None:
        return _Far(Survey(), dict.fromkeys(SIDES, 0))
    damage.counts, damage.first = state["damage"]
    return _Far(Survey.from_json(state["found"]), state["done"], state["limit"], state["whole"], state["heads"])


Parts = dict[Side, Iterator[Any]]
"""What is encoded of each side, in parts."""


def lines_read(reading: Reading, extent: Extent, firsts: Firsts | None) -> Parts:
    """Return the blocks that were surveyed, to be read again."""
    found = {side: reading.blocks(side, firsts) for side in SIDES}
    return found | {"train": extent.within(found["train"])}


def heads_left(reading: Reading, length: int) -> Parts:
    """Return the heads that the survey left, of lines cut at `length` characters."""
    return {side: pieces(reading.work.folder, side, length) for side in SIDES}


def encode(reading: Reading, job: Encoder, parts: Parts, total: int) -> Path:
    """Write the rows of both sides, and return their folder.

    Args:
        reading: what is read.
        job: how a part becomes rows.
        parts: what becomes rows.
        total: lines on both sides.
    """
    folder, space = reading.work.folder / "rows", job.space
    nothing = dict.fromkeys(SIDES, 0)
    state = reading.work.state("encode") if folder.is_dir() else None  # rows that are finished were moved away
    state = state or {"blocks": nothing, "lines": nothing, "rows": nothing}
    folder.mkdir(exist_ok=True)
    done, lines = dict(state["blocks"]), dict(state["lines"])
    writers = {
        side: RowsWriter(
            folder, side, size=space.size, shape=(space.length,), labelled=bool(space.labels), done=state["rows"][side]
        )
        for side in SIDES
    }

    def note() -> None:
        for writer in writers.values():
            writer.sync()
        rows = {side: writer.length for side, writer in writers.items()}
        reading.work.note("encode", {"blocks": done, "lines": lines, "rows": rows})

    with ExitStack() as closing:
        for writer in writers.values():
            closing.callback(writer.close)
        for side in SIDES:
            for _, encoded in reading.walk(job, parts[side], done[side]):
                for target, part in encoded.items():
                    writers[target].append(part.ids, part.numbers + lines[target], part.labels)
                    lines[target] += part.lines
                done[side] += 1
                reading.show("encoding lines", sum(lines.values()), sum(lines.values()) / max(1, total))
                if reading.work.due():
                    note()
    return folder
