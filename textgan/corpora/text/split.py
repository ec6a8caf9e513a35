"""The training and held-out lines of a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from textgan.corpora.text.cleaning import Cleaned, Rules, clean
from textgan.corpora.text.damage import Damage
from textgan.corpora.text.sources import Source
from textgan.corpora.text.wire import Wire, loaded

Side = Literal["train", "heldout"]
SIDES: tuple[Side, Side] = ("train", "heldout")


@dataclass(frozen=True)
class Block:
    """A block on the wire with all that decides what becomes of its lines."""

    data: Wire
    shard: str
    label: str | None = None
    """The label of all its lines, where the shard decides it."""
    side: Side | None = None
    """The side of all its lines; None where the hash of each decides."""
    first: npt.NDArray[np.bool_] | None = None
    """Which of its clean lines were not met before, where repeated lines are left out."""
    limit: int | None = None
    """Most training lines to take of it. [lines]"""
    damage: Damage | None = None
    """The damaged records that were met on the way to it, which are not in it."""


class Lines(NamedTuple):
    """Lines of one side of a block."""

    text: list[str]
    labels: list[str] | None


def hashes(raw: list[bytes]) -> npt.NDArray[np.uint64]:
    """64-bit XXH3 of the UTF-8 of each line, (line,): the same in every run and place."""
    return np.fromiter(map(xxh3_64_intdigest, raw), np.uint64, len(raw))


def blocks(source: Source, side: Side, errors: str) -> Iterator[Block]:
    """Yield the blocks of a source's training or held-out shards, the last of a shard empty if damage ends it."""
    fixed, met = side if source.heldout else None, Damage(errors)
    for shard in source.training if side == "train" else source.heldout:
        for data in shard.read(met):
            yield Block(data, shard.name, shard.label, fixed, damage=met.take())
        if met.counts:
            yield Block(b"", shard.name, shard.label, fixed, damage=met.take())


def part(block: Block, rules: Rules) -> tuple[Cleaned, dict[Side, Lines]]:
    """Clean a block and part it into training and held-out lines, up to and with the `limit`-th training line."""
    cleaned = clean(loaded(block.data), rules, block.label)
    if block.first is not None:
        cleaned.keep(block.first.tolist(), "duplicates")
    if block.side == "heldout":
        return cleaned, {"heldout": Lines(cleaned.lines, cleaned.labels)}
    if block.side == "train" or not rules.heldout:
        return cleaned, {"train": _first(cleaned, block.limit)}
    held = hashes(cleaned.raw) < np.uint64(rules.heldout * 2**64)
    if block.limit is not None:
        held = held[: int(np.searchsorted(np.cumsum(~held), block.limit)) + 1]
    return cleaned, {"train": _chosen(cleaned, ~held), "heldout": _chosen(cleaned, held)}


def _first(cleaned: Cleaned, limit: int | None) -> Lines:
    return Lines(cleaned.lines[:limit], None if cleaned.labels is None else cleaned.labels[:limit])


def _chosen(cleaned: Cleaned, wanted: npt.NDArray[np.bool_]) -> Lines:
    chosen = wanted.tolist()
    labels = None if cleaned.labels is None else list(compress(cleaned.labels, chosen))
    return Lines(list(compress(cleaned.lines, chosen)), labels)
