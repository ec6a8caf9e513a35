"""The alphabet of the training lines: what is counted, and the symbols that come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from textgan.corpora.text import pieces
from textgan.errors import UsageError
from textgan.symbols import BACKTICK, END, UNITS, Symbols, atoms, code_points, words

Counts = Counter[str]
"""How often each symbol occurs; under END, how many occurrences `merge` gave up telling apart."""

MOST = 1 << 20  # different symbols that are told apart: 2.4 million words of a large corpus would take 300 MB
SAMPLED = {"piece": 50_000}  # lines that a unit learns its symbols from, where counts do not tell them
CHARACTERS_PER_PIECE = 4  # of English with some thousand pieces, to guess how many lines fit


def count(unit: str, lines: Sequence[str], length: int, *, beyond: bool = True) -> tuple[Counts, Counts, int]:
    """Count the symbols of lines.

    Args:
        unit: a name in `UNITS`. Pieces cannot be counted: they come of the text itself.
        lines: text without line ends.
        length: longest row. [symbols]
        beyond: count what is beyond that, too.

    Returns:
        Counts of the first `length` symbols of each line, counts of what is beyond (none unless asked for), and how
        many lines have at most `length` symbols (for pieces a guess).
    """
    return COUNTERS[unit](lines, length, beyond)


def count_heads(unit: str, heads: bytes) -> Counts:
    """Count the symbols of heads, which are characters: UTF-8, and each ended."""
    counts = _of_text(heads)
    del counts[END]
    return _upper(counts) if UNITS[unit].declared else counts


def merge(counts: Counts, more: Counts) -> None:
    """Add counts to counts in place; past `MOST` different symbols, the rarer half is only counted together."""
    counts.update(more)
    if len(counts) > MOST:
        given_up = sorted(counts.keys() - {END}, key=partial(_rank, counts))[MOST // 2 :]
        counts[END] += sum(counts.pop(symbol) for symbol in given_up)


def check(unit: str, *, pad: str, max_symbols: int) -> None:
    """Refuse settings that suit no text, which `build` would refuse after it was read.

    Raises:
        UsageError: the pad is not one of this unit, or `max_symbols` is too small for pieces.
    """
    if pad == "backtick" and unit != "char":
        raise UsageError(f"text.pad: backtick is a character, and text.unit is {unit}; say text.pad=own")
    if unit == "piece" and max_symbols < pieces.LEAST:
        raise UsageError(
            f"text.max_symbols: {max_symbols} is too few for text.unit=piece; give at least {pieces.LEAST}"
        )


def build(unit: str, counts: Counts, sample: Sequence[str], *, length: int, pad: str, max_symbols: int) -> Symbols:
    """Build the symbols of a training text: the commonest, ties by code points, or a declared alphabet.

    Args:
        unit: a name in `UNITS`.
        counts: of the training text, as `count` gives them.
        sample: training lines from which pieces are learnt.
        length: length of a row. [symbols]
        pad: "own" or "backtick", which only characters know; the backtick is then no symbol of its own.
        max_symbols: most symbols, pad and unknown aside. [symbols]

    Raises:
        UsageError: as `check`.
        TextganError: the sample is too poor to learn pieces from.
    """
    check(unit, pad=pad, max_symbols=max_symbols)
    if unit == "piece":
        model, known = pieces.train(sample, max_symbols)
        return Symbols(known, length, pad, unit=unit, tokenizer=model)
    present = counts.keys() - {END} - ({BACKTICK} if pad == "backtick" else set())
    ranked = sorted(present, key=partial(_rank, counts))
    kept = tuple(UNITS[unit].declared or ranked[:max_symbols])
    return Symbols(kept, length, pad, bool(present - set(kept)) or counts[END] > 0, unit)


def outside(counts: Counts, symbols: Symbols) -> int:
    """Return how many of the counted occurrences have no symbol."""
    known = sum(counts[symbol] for symbol in symbols.symbols)
    return counts.total() - known - (counts[BACKTICK] if symbols.pad == "backtick" else 0)


def _rank(counts: Counts, symbol: str) -> tuple[int, str]:
    return -counts[symbol], symbol


# --- counters -------------------------------------------------------------------------------------------------------

Histogram = npt.NDArray[np.int64]
ASCII = bytes(range(128))

UnitCounter = Callable[[Sequence[str], int, bool], tuple[Counts, Counts, int]]
"""As `count`, for one unit."""


def _characters(lines: Sequence[str], length: int, beyond: bool) -> tuple[Counts, Counts, int]:
    heads = _by_character([line[:length] for line in lines])
    tails = _by_character([line[length:] for line in lines] if beyond else [])
    return heads, tails, sum(map(length.__ge__, map(len, lines)))


def _by_character(parts: list[str]) -> Counts:
    return _of_text("".join(parts).encode(errors="surrogatepass"))


def _of_text(text: bytes) -> Counts:
    """Count the characters of UTF-8: those of ASCII by their bytes."""
    counts = _named(histogram(np.frombuffer(text, np.uint8))[: len(ASCII)])
    if wide := text.translate(None, ASCII):
        counts.update(_named(histogram(code_points(wide.decode(errors="surrogatepass")))))
    return counts


def _folded(lines: Sequence[str], length: int, beyond: bool) -> tuple[Counts, Counts, int]:
    heads, tails, fitting = _characters(lines, length, beyond)
    return _upper(heads), _upper(tails), fitting


def _upper(counts: Counts) -> Counts:
    folded: Counts = Counter()
    for symbol, times in counts.items():
        folded[symbol.upper() if symbol.isascii() else symbol] += times
    return folded


def _bytes(lines: Sequence[str], length: int, beyond: bool) -> tuple[Counts, Counts, int]:
    encoded = [line.encode() for line in lines]
    heads, tails = ([line[part] for line in encoded] for part in (slice(length), slice(length, None)))
    counts = [_named(histogram(np.frombuffer(b"".join(parts), np.uint8))) for parts in (heads, tails if beyond else [])]
    return counts[0], counts[1], sum(map(length.__ge__, map(len, encoded)))


def histogram(codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]) -> Histogram:
    """How often each code occurs, (code,); bytes are counted two at a time."""
    if codes.dtype != np.uint8:
        return np.bincount(codes)
    pairs = np.bincount(codes[: len(codes) & ~1].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    times: Histogram = pairs.sum(0) + pairs.sum(1) + np.bincount(codes[len(codes) & ~1 :], minlength=256)
    return times


def _named(times: Histogram) -> Counts:
    return Counter({chr(code): int(times[code]) for code in np.flatnonzero(times).tolist()})


def _tokens(split: Callable[[str], list[str]]) -> UnitCounter:
    def counter(lines: Sequence[str], length: int, beyond: bool) -> tuple[Counts, Counts, int]:
        parts = [split(line) for line in lines]
        heads = Counter(_joined(part[:length] for part in parts))
        tails = Counter(_joined(part[length:] for part in parts) if beyond else ())
        return heads, tails, sum(len(part) <= length for part in parts)

    return counter


def _joined(parts: Iterable[list[str]]) -> Iterable[str]:
    return chain.from_iterable(parts)


def _pieces(lines: Sequence[str], length: int, beyond: bool) -> tuple[Counts, Counts, int]:
    return Counter(), Counter(), sum(len(line) <= CHARACTERS_PER_PIECE * length for line in lines)


COUNTERS: dict[str, UnitCounter] = {
    "char": _characters,
    "byte": _bytes,
    "word": _tokens(words),
    "piece": _pieces,
    "dna": _folded,
    "protein": _folded,
    "smiles": _tokens(atoms),
}
