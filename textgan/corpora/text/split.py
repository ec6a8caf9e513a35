"""The training and held-out lines of a source, in the order of its files."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Literal

from textgan.corpora.text.sources import Source, Tally, read_blocks

Side = Literal["train", "heldout"]
SIDES: tuple[Side, Side] = ("train", "heldout")


def position(line: str) -> float:
    """Return where a line falls in [0, 1): its hash, the same for the same line in every run and place."""
    return int.from_bytes(blake2b(line.encode(), digest_size=8).digest()) / 2**64


def split_blocks(
    source: Source, *, heldout: float, errors: str, max_lines: int, tally: Tally
) -> Iterator[tuple[Side, list[str]]]:
    """Yield blocks of lines with the side they are on; at most `max_lines` training lines in all.

    Args:
        source: its own held-out files decide, else the hash of each line, so that duplicates share a side.
        heldout: share of lines held out by hash. [share]
        errors: what to do with lines that are not UTF-8, as `read_blocks` has it.
        max_lines: most training lines. [lines]
        tally: counts what reading meets.
    """
    by_files = bool(source.heldout)
    share = 0.0 if by_files else heldout
    seen: set[float] | None = set() if source.deduplicate else None
    left = max_lines
    for block in _blocks(source.training, errors, tally):
        train, held = _part(block, share, left, seen, tally)
        left -= len(train)
        yield "train", train
        yield "heldout", held
        if not left:
            break
    yield from (("heldout", block) for block in _blocks(source.heldout, errors, tally))


def _blocks(files: tuple[Path, ...], errors: str, tally: Tally) -> Iterator[list[str]]:
    return chain.from_iterable(read_blocks(file, errors=errors, tally=tally) for file in files)


def _part(
    block: list[str], share: float, left: int, seen: set[float] | None, tally: Tally
) -> tuple[list[str], list[str]]:
    """Part a block into training and held-out lines, up to and with the `left`-th training line."""
    if not share and seen is None:
        return block[:left], []
    train: list[str] = []
    held: list[str] = []
    for line in block:
        place = position(line)
        if seen is not None:
            if place in seen:
                tally.duplicates += 1
                continue
            seen.add(place)
        (held if place < share else train).append(line)
        if len(train) == left:
            break
    return train, held
