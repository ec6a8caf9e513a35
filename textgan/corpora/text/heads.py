r"""The heads of lines: all that the line cut keeps. The first pass leaves them, so that the second reads no whole line.

A file a side, in the order of the text: UTF-8, each head ended by "\n", which no line holds. A head may be any other
text, blank too, and is not cleaned again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from textgan.corpora.text.cutting import BLOCK
from textgan.corpora.text.encode import Encoded
from textgan.corpora.text.split import SIDES, Side
from textgan.files import reopened, sync
from textgan.symbols import END, Symbols, code_points

Heads = dict[Side, bytes]
"""Of some lines, by side."""


def heads_of(lines: Sequence[str], length: int) -> bytes:
    """Return the first `length` characters of each line, each ended."""
    heads = [line[:length] for line in lines]
    return END.join([*heads, ""]).encode()


def pieces(folder: Path, side: Side, length: int) -> Iterator[Heads]:
    """Yield the heads of a side that lie in a folder, so few at a time that their rows of `length` fit in memory."""
    size = max(1, BLOCK // length)
    with _path(folder, side).open("rb") as file:
        while heads := file.read(size) + file.readline():
            yield {side: heads}


@dataclass(frozen=True)
class EncodeHeads:
    """Heads to their rows, which are those of the line cut."""

    space: Symbols

    def __call__(self, heads: Heads) -> dict[Side, Encoded]:
        """Encode some heads."""
        return {side: self._encode(text) for side, text in heads.items()}

    def _encode(self, text: bytes) -> Encoded:
        codes = code_points(text.decode())
        ends = np.flatnonzero(codes == ord(END))
        starts = np.append(0, ends[:-1] + 1)
        rows = self.space.rows_at(starts, ends - starts, self.space.by_code.take(codes))
        return Encoded(rows, np.arange(len(rows)), None, len(rows))


class HeadFiles:
    """The files of both sides, which grow."""

    def __init__(self, folder: Path, sizes: dict[Side, int]) -> None:
        """Begin them in a folder, or go on after their first `sizes` bytes."""
        self._closing = ExitStack()
        self._files = {side: self._closing.enter_context(reopened(_path(folder, side), sizes[side])) for side in SIDES}

    def __enter__(self) -> Self:
        """Use the files."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close them."""
        self._closing.close()

    def append(self, heads: Heads) -> None:
        """Add heads."""
        for side, text in heads.items():
            self._files[side].write(text)

    def sync(self) -> dict[Side, int]:
        """Bring what was added to the disk, and return the sizes of the files. [bytes]"""
        for file in self._files.values():
            sync(file)
        return {side: file.tell() for side, file in self._files.items()}


def _path(folder: Path, side: Side) -> Path:
    return folder / f"{side}.heads"
