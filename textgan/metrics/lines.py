"""Lines of text to measure: read from a file, and cut or padded as both sides of a comparison are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import overload

import numpy as np

from textgan.errors import TextganError
from textgan.oracles import Oracle

PAD = "\n"  # counts as a symbol of its own; no line holds it
MOST = 500_000  # lines of one side whose n-grams are counted
BLOCK = 1 << 16  # lines made at once


class Lines(Sequence[str]):
    """Lines that are made when they are asked for, in blocks, so that any number of them fits into memory."""

    def __init__(self, count: int, make: Callable[[slice], list[str]]) -> None:
        """Have `count` lines, of which `make` returns those of a slice."""
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        for start in range(0, self._count, BLOCK):
            yield from self._make(slice(start, start + BLOCK))

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return self._make(place)
        at = range(self._count)[place]
        return self._make(slice(at, at + 1))[0]


def few(lines: Sequence[str]) -> Sequence[str]:
    """The lines themselves, or 500,000 of more, in their order, chosen by seed 0."""
    if len(lines) <= MOST:
        return lines
    chosen = np.zeros(len(lines), dtype=bool)
    chosen[np.random.default_rng(0).choice(len(lines), MOST, replace=False)] = True
    return list(compress(lines, chosen))


@dataclass(frozen=True)
class View:
    """How both sides of a comparison are looked at."""

    orders: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    """Lengths of the n-grams. [characters]"""
    length: int | None = None
    """Where lines are cut; None takes them whole. [characters]"""
    count_pads: bool = False
    """Pad short lines to `length` and count the pads in n-grams."""
    oracle: Oracle | None = None
    """What the real text was drawn from, where that is known."""

    def cut(self, lines: Sequence[str]) -> Sequence[str]:
        """The first `length` characters of each line."""
        if self.length is None:
            return lines
        return Lines(len(lines), lambda places: [line[: self.length] for line in lines[places]])

    def padded(self, lines: Sequence[str]) -> Sequence[str]:
        """Cut lines as n-grams see them."""
        if not self.count_pads or self.length is None:
            return lines
        return [line.ljust(self.length, PAD) for line in lines]


def read_lines(path: Path) -> list[str]:
    r"""Read a UTF-8 text file, one line a sequence, empty ones too.

    Lines end at \n only, one \r before it and a byte order mark are dropped.

    Raises:
        TextganError: the file is missing, unreadable, empty, binary, or not UTF-8.
    """
    data = _read(path)
    if not data:
        raise TextganError(f"{path} is empty; give a text file with one sequence a line")
    if b"\0" in data:
        raise TextganError(f"{path} is a binary file; give a text file with one sequence a line")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TextganError(_complaint(path, data)) from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TextganError(f"there is no file {path}; give the path of a text file") from None
    except IsADirectoryError:
        raise TextganError(f"{path} is a folder; give the path of a text file") from None
    except OSError as error:
        raise TextganError(f"{path} cannot be read: {error.strerror or error}") from None


def _complaint(path: Path, data: bytes) -> str:
    """Count the lines that are not UTF-8 and name the first."""
    bad = [number for number, line in enumerate(data.split(b"\n"), 1) if not _is_utf8(line)]
    lines = "1 line is" if len(bad) == 1 else f"{len(bad)} lines are"
    return f"{lines} not UTF-8 in {path}, the first at {path}:{bad[0]}; convert the file to UTF-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
