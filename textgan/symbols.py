"""Symbols: lines of text to rows of ids and back, for every unit that text can be counted in.

A unit is one line of `UNITS`: how lines become ids, what text an id stands for, and where a word begins. Nothing here
needs torch, so that the processes which prepare a corpus stay light.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

END = "\n"  # ends a line; no line holds it, so that no symbol does
UNKNOWN, BACKTICK = "\N{REPLACEMENT CHARACTER}", "`"
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # sentencepiece writes a space so
BLOCK = 1 << 20  # ids that are decoded at a time
MOST_SYMBOLS, MOST_CHARACTERS, MOST_POSITIONS = 65_000, 1 << 24, 1 << 16  # no file makes us allocate more

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Flat = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]
"""The ids of several lines one after the other, (id,), and how many each line has, (line,)."""


@dataclass(frozen=True)
class Symbols:
    """Lines of at most `length` symbols of one unit, over a fixed alphabet.

    Ids: 0 is the pad, 1..len(symbols) the symbols, the last is the unknown symbol. With `pad = "own"` the pad is no
    text, and a line ends at its first pad. With `pad = "backtick"` id 0 is the character "`" itself, as in the
    WGAN-GP paper's encoding: pads are text, and a line is always `length` characters.

    Raises:
        ValueError: these cannot be the symbols of any text; a file that says so is broken or forged.
    """

    kind: ClassVar[str] = "text"
    symbols: tuple[str, ...]
    """By falling frequency in the training text; the declared alphabets in their own order."""
    length: int
    """Length of a row. [symbols]"""
    pad: str = "own"
    knows_unknown: bool = False
    """The training text held symbols outside the alphabet; otherwise the unknown symbol is never generated."""
    unit: str = "char"
    labels: tuple[str, ...] = ()
    """Names of the classes of a conditional corpus, by class index; not looked at here."""
    tokenizer: bytes = b""
    """The sentencepiece model of unit "piece"."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def size(self) -> int:
        """Number of ids V: the alphabet, the pad and the unknown symbol."""
        return len(self.symbols) + 2

    @property
    def unknown(self) -> int:
        """Id of the unknown symbol."""
        return len(self.symbols) + 1

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The smallest type that holds every id."""
        return np.uint8 if self.size <= 256 else np.uint16

    @property
    def characters(self) -> int | None:
        """Where lines are cut, in characters; None where a symbol is not one character."""
        return self.length if UNITS[self.unit].of_characters else None

    def encode(self, lines: Sequence[str]) -> Ids:
        """Cut lines at `length` symbols and pad them on the right: ids (line, position), uint8 or uint16."""
        return self.rows(lines, "line")[0]

    def rows(self, lines: Sequence[str], cut: str) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Cut lines into rows.

        Args:
            lines: text without line ends.
            cut: "line" keeps the start of each line; "windows" takes every window of exactly `length` symbols that
                starts the line or a word, and a shorter line as one row.

        Returns:
            Ids (row, position) padded on the right, and the index in `lines` of the line each row is from, (row,).
        """
        ids, counts = UNITS[self.unit].read(self, lines, self.length if cut == "line" else None)
        starts, numbers = CUTS[cut](self, ids, counts)
        return self.rows_at(starts, counts[numbers], ids), numbers  # only the one row of a short line is not full

    def rows_at(self, starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], ids: npt.NDArray[Any]) -> Ids:
        """Return the rows that start at these places among flat ids, of so many ids at most, (row,) each; padded."""
        filled = np.concatenate([ids, np.zeros(self.length, dtype=ids.dtype)])
        rows: Ids = np.lib.stride_tricks.sliding_window_view(filled, self.length)[starts]
        short = np.flatnonzero(counts < self.length)
        rows[short] *= np.arange(self.length) < counts[short, None]
        return rows

    def decode(self, ids: npt.NDArray[Any]) -> list[str]:
        """Return the line of each row of ids (row, position); a row ends at its first pad of its own.

        Bytes that are no UTF-8 become U+FFFD, as the unknown symbol does.
        """
        step = max(1, BLOCK // self.length)
        return list(chain.from_iterable(self._decode(ids[i : i + step]) for i in range(0, len(ids), step)))

    def _decode(self, ids: npt.NDArray[Any]) -> list[str]:
        end, unit = self.size, UNITS[self.unit]
        ended = np.pad(ids.astype(np.intp), ((0, 0), (0, 1)), constant_values=end)
        if self.pad == "own":
            ended[ended == 0] = end
            ended = ended[np.arange(ended.shape[1]) <= (ended == end).argmax(1)[:, None]]
        pool, starts, widths = self._pool
        flat = ended.ravel()
        if len(pool) == len(widths):  # each id is one character or byte
            text = pool[flat]
        else:
            wide = widths[flat]
            text = pool[np.repeat(starts[flat] - (np.cumsum(wide) - wide), wide) + np.arange(wide.sum())]
        decoded = text.tobytes().decode(unit.encoding, errors="replace")
        if unit.joint:
            decoded = decoded.replace(unit.joint + END, END)
        return decoded.split(END)[:-1]

    @cached_property
    def _texts(self) -> list[bytes]:
        """The text of each id, in the unit's encoding; the pad's is the backtick."""
        unit = UNITS[self.unit]
        return [BACKTICK.encode(unit.encoding), *unit.texts(self), UNKNOWN.encode(unit.encoding)]

    @cached_property
    def _pool(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The texts of all ids and of the end of a line, one after the other, and where each starts and how wide."""
        unit = UNITS[self.unit]
        joint = unit.joint.encode(unit.encoding)
        texts = [*(text + joint for text in self._texts), END.encode(unit.encoding)]
        kind = np.uint32 if unit.encoding == UTF32 else np.uint8
        widths = np.array([len(text) for text in texts]) // np.dtype(kind).itemsize
        return np.frombuffer(b"".join(texts), kind), np.cumsum(widths) - widths, widths

    @cached_property
    def by_code(self) -> npt.NDArray[Any]:
        """Id of each code point (0x110000,), or of each byte."""
        table = np.full(0x110000, self.unknown, dtype=self.dtype)
        codes = np.array([*map(ord, self.symbols)], dtype=np.intp)
        table[codes] = np.arange(1, len(self.symbols) + 1)
        if UNITS[self.unit].declared:
            table[codes + 32] = table[codes]  # lower case reads as upper
        if self.pad == "backtick":
            table[ord(BACKTICK)] = 0
        return table

    @cached_property
    def _by_text(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols, 1)}

    @cached_property
    def _processor(self) -> Any:
        return processor(self.tokenizer)

    @cached_property
    def _by_piece(self) -> npt.NDArray[Any]:
        """Id of each piece of the tokenizer, (piece,)."""
        pieces = (self._processor.id_to_piece(i) for i in range(len(self._processor)))
        return np.array([self._by_text.get(piece, self.unknown) for piece in pieces], dtype=self.dtype)

    @cached_property
    def _edges(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which ids end in a space, so that a word follows, and which do not begin with one, (id,) each."""
        unit = UNITS[self.unit]
        space, joint = " ".encode(unit.encoding), unit.joint.encode(unit.encoding)
        before = [(text + joint).endswith(space) for text in self._texts]
        return np.array(before), np.array([not text.startswith(space) for text in self._texts])

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        single = all(len(symbol) == 1 for symbol in self.symbols)
        return {
            "kind": self.kind,
            "unit": self.unit,
            "symbols": "".join(self.symbols) if single else list(self.symbols),
            "length": self.length,
            "pad": self.pad,
            "knows_unknown": self.knows_unknown,
            "labels": list(self.labels),
            "tokenizer": b64encode(self.tokenizer).decode(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild from `to_json`; what older files lack has its default.

        Raises:
            ValueError: the value is not what `to_json` writes.
        """
        try:
            return cls(
                tuple(value["symbols"]),
                value["length"],
                value["pad"],
                value["knows_unknown"],
                value.get("unit", "char"),
                tuple(value.get("labels", ())),
                b64decode(value.get("tokenizer", ""), validate=True),
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"no symbols of a text: {error!r}") from error


def _check(symbols: Symbols) -> None:
    """Raise ValueError unless the fields can be the symbols of a text; they may come from a file."""
    if symbols.unit not in UNITS:
        raise ValueError(f"there is no unit {symbols.unit!r}")
    texts, unit = symbols.symbols, UNITS[symbols.unit]
    lengths = [len(text) for text in texts]
    fine = {
        "symbols": len(texts) <= MOST_SYMBOLS
        and sum(lengths) <= MOST_CHARACTERS
        and len(set(texts)) == len(texts)
        and not any(END in text for text in texts),
        "length": type(symbols.length) is int and 1 <= symbols.length <= MOST_POSITIONS,
        "pad": symbols.pad == "own" or (symbols.pad == "backtick" and symbols.unit == "char"),
        "knows_unknown": type(symbols.knows_unknown) is bool,
        "labels": all(type(label) is str for label in symbols.labels)
        and len(set(symbols.labels)) == len(symbols.labels) <= MOST_SYMBOLS,
        "tokenizer": bool(symbols.tokenizer) == (symbols.unit == "piece"),
    }
    wrong = [name for name, is_fine in fine.items() if not is_fine]
    wrong += [] if unit.holds(symbols) else [f"symbols of unit {symbols.unit}"]
    if wrong:
        raise ValueError(f"no symbols of a text: {wrong[0]}")
    _ = symbols._texts  # every symbol can be written


# --- where rows start -----------------------------------------------------------------------------------------------

Starts = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Where each row starts among the flat ids, and the line it is from, (row,) each."""


def _line_starts(symbols: Symbols, ids: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> Starts:
    return np.cumsum(counts) - counts, np.arange(len(counts))


def _window_starts(symbols: Symbols, ids: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> Starts:
    first, lines = _line_starts(symbols, ids, counts)
    ends, (before, at) = np.cumsum(counts), symbols._edges
    inner = 1 + np.flatnonzero(before[ids[:-1]] & at[ids[1:]])
    line = np.searchsorted(ends, inner)  # the line before, where a line starts: there it does not fit
    fits = inner + symbols.length <= ends[line]
    numbers = np.concatenate([lines, line[fits]])
    order = np.argsort(numbers, kind="stable")  # a line's first window stays before its others
    return np.concatenate([first, inner[fits]])[order], numbers[order]


CUTS = {"line": _line_starts, "windows": _window_starts}


# --- units ----------------------------------------------------------------------------------------------------------

UTF32 = "utf-32-le"  # every character takes one number
_ATOM = re.compile(r"\[[^\[\]]*\]|%[0-9][0-9]|Cl|Br|.", re.DOTALL)


def words(line: str) -> list[str]:
    """Tokens between single spaces: two spaces in a row hold an empty one."""
    return line.split(" ")


def atoms(line: str) -> list[str]:
    """Symbols of a SMILES line: Cl, Br, bracket atoms, two-digit ring closures, else single characters."""
    return _ATOM.findall(line)


def code_points(text: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
    """Code points of text, (character,), in one byte each where all are ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode(UTF32, "surrogatepass"), np.uint32)


def processor(model: bytes) -> Any:
    """Load a sentencepiece model.

    Raises:
        ValueError: these bytes are no model.
    """
    from sentencepiece import SentencePieceProcessor

    loaded = SentencePieceProcessor()
    try:
        loaded.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise ValueError("the tokenizer is no sentencepiece model") from error
    return loaded


def _lengths(parts: Sequence[Any]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(len, parts), np.int64, len(parts))


def _read_characters(symbols: Symbols, lines: Sequence[str], most: int | None) -> Flat:
    parts = [line[:most] for line in lines]
    return symbols.by_code.take(code_points("".join(parts))), _lengths(parts)


def _read_bytes(symbols: Symbols, lines: Sequence[str], most: int | None) -> Flat:
    parts = [line.encode()[:most] for line in lines]
    return symbols.by_code[np.frombuffer(b"".join(parts), np.uint8)], _lengths(parts)


def _read_tokens(split: Callable[[str], list[str]]) -> Callable[[Symbols, Sequence[str], int | None], Flat]:
    def read(symbols: Symbols, lines: Sequence[str], most: int | None) -> Flat:
        parts = [split(line)[:most] for line in lines]
        ids = map(symbols._by_text.get, chain.from_iterable(parts), repeat(symbols.unknown))
        return np.fromiter(ids, symbols.dtype), _lengths(parts)

    return read


def _read_pieces(symbols: Symbols, lines: Sequence[str], most: int | None) -> Flat:
    plain = [line.replace(SPACE, END) for line in lines]  # "▁" itself is the byte that no line holds
    parts = [pieces[:most] for pieces in symbols._processor.encode(plain, num_threads=1)]
    return symbols._by_piece[np.fromiter(chain.from_iterable(parts), np.int64)], _lengths(parts)


def _texts(encoding: str) -> Callable[[Symbols], list[bytes]]:
    return lambda symbols: [symbol.encode(encoding) for symbol in symbols.symbols]


def _piece_texts(symbols: Symbols) -> list[bytes]:
    model = symbols._processor

    def text(piece: str) -> bytes:
        if model.is_byte(model.piece_to_id(piece)):
            byte = bytes([int(piece[3:5], 16)])
            return SPACE.encode() if byte == END.encode() else byte
        return piece.replace(SPACE, " ").encode()

    return [text(piece) for piece in symbols.symbols]


def _single(symbols: Symbols) -> bool:
    return all(len(symbol) == 1 for symbol in symbols.symbols)


def _declared(symbols: Symbols) -> bool:
    return symbols.symbols == tuple(UNITS[symbols.unit].declared)


def _pieces(symbols: Symbols) -> bool:
    model = symbols._processor
    return all(model.id_to_piece(model.piece_to_id(piece)) == piece for piece in symbols.symbols)


@dataclass(frozen=True)
class Unit:
    """What text is counted in."""

    read: Callable[[Symbols, Sequence[str], int | None], Flat]
    """Lines to flat ids; of each line at least the first so many, or all for None."""
    texts: Callable[[Symbols], list[bytes]]
    """The text of each symbol, in `encoding`."""
    holds: Callable[[Symbols], bool]
    """Whether the symbols can be of this unit."""
    encoding: str = "utf-8"
    joint: str = ""
    """Stands between two symbols of a line."""
    declared: str = ""
    """The alphabet, where it is not the training text's own; lower case reads as upper (soft masking)."""

    @property
    def of_characters(self) -> bool:
        """Each symbol is one character."""
        return self.encoding == UTF32


def _declare(alphabet: str) -> Unit:
    return Unit(_read_characters, _texts(UTF32), _declared, UTF32, declared=alphabet)


UNITS = {
    "char": Unit(_read_characters, _texts(UTF32), _single, UTF32),
    "byte": Unit(_read_bytes, _texts("latin-1"), _single),
    "word": Unit(_read_tokens(words), _texts("utf-8"), lambda s: not any(" " in word for word in s.symbols), joint=" "),
    "piece": Unit(_read_pieces, _piece_texts, _pieces),
    "dna": _declare("ACGTN"),  # N is any base; the other ambiguity codes are unknown
    "protein": _declare("ACDEFGHIKLMNPQRSTVWYX"),  # 20 amino acids, X is any; B, J, O, U, Z and "*" are unknown
    "smiles": Unit(_read_tokens(atoms), _texts("utf-8"), lambda s: "" not in s.symbols),
}
"""Characters; UTF-8 bytes; tokens between spaces; sentencepiece's pieces; declared alphabets; atoms and bonds."""
