"""Lines of text to measure: read from a file, and cut or padded as both sides of a comparison are."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError
from textgan.oracles import Oracle

PAD = "\n"  # counts as a symbol of its own; no line holds it
MOST = 500_000  # lines of one side whose n-grams are counted
BLOCK = 1 << 16  # lines made at once
LARGE = 1 << 26  # of a file that is larger, the lines are read when they are asked for [bytes]
STRIDE = 1 << 8  # lines from one place that is known in such a file to the next
CHUNK = 1 << 22  # read at a time [bytes]
SPARSE = 256  # one line in so many is read alone


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


def few(lines: Sequence[str], most: int | None = None) -> Sequence[str]:
    """The lines themselves, or `most` of more, 500,000 by default, in their order, chosen by seed 0."""
    chosen = chosen_of(len(lines), MOST if most is None else most)
    return lines if chosen is None else list(compress(lines, chosen))


def pick(lines: Sequence[str], places: npt.NDArray[np.int64]) -> list[str]:
    """Lines at places: a block at a time where many are wanted, since a line of a large file costs as much."""
    if len(places) * SPARSE < len(lines):
        return [lines[place] for place in places.tolist()]
    order = np.argsort(places)
    ordered = places[order]
    found = [""] * len(places)
    for start in range(0, len(lines), BLOCK):
        low, high = np.searchsorted(ordered, (start, start + BLOCK)).tolist()
        block = lines[start : start + BLOCK]
        for at, place in zip(order[low:high].tolist(), (ordered[low:high] - start).tolist(), strict=True):
            found[at] = block[place]
    return found


def chosen_of(count: int, most: int) -> npt.NDArray[np.bool_] | None:
    """Which `most` of `count` lines are taken, (line,); None where all are."""
    if count <= most:
        return None
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(0).choice(count, most, replace=False)] = True
    return chosen


@dataclass(frozen=True)
class View:
    """How both sides of a comparison are looked at."""

    orders: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    """Lengths of the n-grams. [characters]"""
    length: int | None = None
    """Where lines are cut; None takes them whole. [characters]"""
    count_pads: bool = False
    """Pad short lines to `length` and count the pads in n-grams."""
    references: int | None = None
    """BLEU is against the first so many lines only, Self-BLEU of and against the first so many; None takes all."""
    hypotheses: int | None = None
    """BLEU and Self-BLEU are the mean over the first so many lines only, against all; None takes all."""
    pieces: Callable[[str], list[str]] | None = None
    """Splits a line into sentencepieces, where a model of them is given."""
    oracle: Oracle | None = None
    """What the real text was drawn from, where that is known."""
    encoder: str = "lsa"
    """What turns lines into vectors: a name from ENCODERS, a folder, or a model on the Hugging Face hub."""

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


def read_lines(path: Path) -> Sequence[str]:
    r"""Read a UTF-8 text file, one line a sequence, empty ones too; of a large one the lines stay in the file.

    Lines end at \n only, one \r before it and a byte order mark are dropped.

    Raises:
        TextganError: the file is missing, unreadable, empty, binary, or not UTF-8.
    """
    with _readable(path), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size <= len(codecs.BOM_UTF8) and not file.seek(0) and not file.read().removeprefix(codecs.BOM_UTF8):
            raise TextganError(f"{path} is empty; give a text file with one sequence a line")
        file.seek(0)
        start = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
        marks, count = _marks(file, path, start)
    lines = Lines(count, lambda places: _read(path, marks, places, count))
    return lines if size > LARGE else list(lines)


def _marks(file: BinaryIO, path: Path, start: int) -> tuple[npt.NDArray[np.int64], int]:
    """Where every `STRIDE`-th line starts, and then the end [bytes]; and how many lines there are."""
    file.seek(start)
    starts, at, count, bad, first = [np.array([start])], start, 0, 0, 0
    whole = True
    while block := file.read(CHUNK) + file.readline():
        if b"\0" in block:
            raise TextganError(f"{path} is a binary file; give a text file with one sequence a line")
        wrong = [] if _is_utf8(block) else [i for i, line in enumerate(block.split(b"\n"), 1) if not _is_utf8(line)]
        bad, first = bad + len(wrong), first or (count + wrong[0] if wrong else 0)
        ends = 1 + np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        starts.append(at + ends[STRIDE - 1 - count % STRIDE :: STRIDE])
        at, count, whole = at + len(block), count + len(ends), block.endswith(b"\n")
    if bad:
        lines = "1 line is" if bad == 1 else f"{bad} lines are"
        raise TextganError(f"{lines} not UTF-8 in {path}, the first at {path}:{first}; convert the file to UTF-8")
    return np.concatenate([*starts, [at]]), count + (not whole)


def _read(path: Path, marks: npt.NDArray[np.int64], places: slice, count: int) -> list[str]:
    start, stop, step = places.indices(count)
    if start >= stop:
        return []
    first = start // STRIDE
    with _readable(path), path.open("rb") as file:
        file.seek(int(marks[first]))
        data = file.read(int(marks[min(-(-stop // STRIDE), len(marks) - 1)] - marks[first]))
    lines = data.decode().removesuffix("\n").split("\n")[start - first * STRIDE : stop - first * STRIDE : step]
    return [line.removesuffix("\r") for line in lines] if b"\r" in data else lines


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise TextganError(f"there is no file {path}; give the path of a text file") from None
    except IsADirectoryError:
        raise TextganError(f"{path} is a folder; give the path of a text file") from None
    except OSError as error:
        raise TextganError(f"{path} cannot be read: {error.strerror or error}") from None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
