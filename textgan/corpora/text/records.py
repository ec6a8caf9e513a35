"""Records, each with a text and maybe a label, and what they are on the wire: each line of a text is a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from textgan.corpora.text.damage import NOT_UTF8, Damage
from textgan.corpora.text.streams import Stream, gathered
from textgan.corpora.text.wire import LONGEST, pieces, text_chunks

LARGEST = 1 << 25  # a longer line is no record [bytes]
NO_LABEL = "records without a label"
NO_TEXT = "records without text in their column"
BAD_LABEL = "labels with a tab or a line end"
NUL = "records with NUL characters"

_LINE_END = re.compile("\r\n|\n|\r")
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Columns:
    """Which fields of a record are its text and its label: names, or numbers from 1 where there are no names."""

    text: str = ""
    """Without any: the field "text", else the only one there is."""
    label: str = ""
    """Without any, lines bear no label."""

    def __bool__(self) -> bool:
        return bool(self.text or self.label)


class Record(NamedTuple):
    """One text of a file that holds several."""

    number: int
    """Its first line, or its row, from 1."""
    text: str
    """What is not UTF-8 is surrogates."""
    label: str | None = None


def wire_blocks(records: Iterator[Record], name: str, damage: Damage) -> Iterator[bytes]:
    """Yield the lines of the records in blocks, "label\\ttext" where they have labels.

    Args:
        records: of one shard, either all with labels or none.
        name: the shard.
        damage: counts texts and labels that no line can hold.
    """
    return gathered(_plain(record) or b"".join(_lines(record, name, damage)) for record in records)


def _plain(record: Record) -> bytes:
    """Return the line of a record that is one, short and printable, as nearly all are; nothing for others."""
    _, text, label = record
    if not text.isprintable() or len(text) > LONGEST // 4 or label == "":
        return b""
    if label is None:
        return f"{text}\n".encode()
    return f"{label}\t{text}\n".encode() if label.isprintable() else b""


def _lines(record: Record, name: str, damage: Damage) -> Iterator[bytes]:
    text, label = record.text, record.label or ""
    kind = _fault(text, label)
    if kind == NOT_UTF8 and damage.errors == "replace":
        damage.add(kind, name, record.number)
        text, label = _SURROGATES.sub("\ufffd", text), _SURROGATES.sub("\ufffd", label)
        kind = _fault(text, label)
    if not kind and record.label == "":
        kind = NO_LABEL
    if kind:
        damage.add(kind, name, record.number)
        return
    prefix = b"" if record.label is None else f"{label}\t".encode()
    for line in _LINE_END.split(text) if "\n" in text or "\r" in text else (text,):
        for piece in pieces(line.encode()):
            yield b"%b%b\n" % (prefix, piece)


def _fault(text: str, label: str) -> str:
    """Return what keeps a record from the wire, if anything does."""
    if (not text.isascii() and _SURROGATES.search(text)) or _SURROGATES.search(label):
        return NOT_UTF8
    if "\0" in text or "\0" in label:
        return NUL
    return BAD_LABEL if any(character in label for character in "\t\n\r") else ""


def numbered_lines(stream: Stream, damage: Damage) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines of a text, without line ends, whole up to `LARGEST` bytes.

    What is not UTF-8 becomes surrogates, for `wire_blocks` to see to.
    """
    number, rest, lost = 0, b"", False
    for chunk in text_chunks(stream):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if not lost:
                yield number, line.removesuffix(b"\r").decode(errors="surrogateescape")
            lost = False
        if len(rest) > LARGEST:
            if not lost:
                damage.add(f"records longer than {LARGEST:,} bytes", stream.name, number + 1)
            rest, lost = b"", True
    if rest and not lost:
        yield number + 1, rest.removesuffix(b"\r").decode(errors="surrogateescape")
