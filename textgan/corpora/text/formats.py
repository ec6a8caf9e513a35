"""The formats that text comes in, each as blocks of lines for the wire.

A format is a function of a stream, its columns and where to count damage. Of a record, each line of its text is a
line, with the record's label. What is no record is counted, and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from textgan.corpora.text import tables
from textgan.corpora.text.damage import Damage
from textgan.corpora.text.records import Columns, Record, wire_blocks
from textgan.corpora.text.streams import Stream
from textgan.corpora.text.wire import LONGEST, Wire, text_blocks, text_stretches

Format = Callable[[Stream, Columns, Damage], Iterator[Wire]]


def _text(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return text_stretches(stream)


def _smiles(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    """The first field of each line; a header leaves an empty line, so that lines keep their numbers."""
    first = True
    for block in text_blocks(stream):
        fields = [line.split(None, 1)[:1] for line in block.split(b"\n")[:-1]]
        if first and fields[0] and fields[0][0].lower() == b"smiles":
            fields[0] = []
        first = False
        yield b"".join(b"%b\n" % b"".join(field) for field in fields)


def _fasta(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return wire_blocks(_sequences(stream, damage), stream.name, damage)


def _sequences(stream: Stream, damage: Damage) -> Iterator[Record]:
    """Yield each sequence on one line, without header and white space; what is too long for a line, in several."""
    held, start = "", 0
    number = 0
    for block in text_blocks(stream):
        for line in block.split(b"\n")[:-1]:
            number += 1
            if line.startswith(b">"):
                if held:
                    yield Record(start, held)
                held, start = "", number
            elif not line.startswith(b";") and (part := b"".join(line.split())):
                if not start:
                    damage.add("sequences before the first header (>)", stream.name, number)
                    continue
                held += part.decode(errors="surrogateescape")
                while len(held) > LONGEST:
                    yield Record(start, held[:LONGEST])
                    held = held[LONGEST:]
    if held:
        yield Record(start, held)


def _jsonl(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return wire_blocks(tables.jsonl(stream, columns, damage), stream.name, damage)


def _tsv(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return wire_blocks(tables.tsv(stream, columns, damage), stream.name, damage)


def _csv(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return wire_blocks(tables.comma_separated(stream, columns, damage), stream.name, damage)


def _parquet(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Wire]:
    return wire_blocks(tables.parquet(stream, columns, damage), stream.name, damage)


FORMATS: dict[str, Format] = {
    "text": _text,
    "jsonl": _jsonl,
    "tsv": _tsv,
    "csv": _csv,
    "parquet": _parquet,
    "fasta": _fasta,
    "smiles": _smiles,
}
EXTENSIONS = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".tsv": "tsv",
    ".csv": "csv",
    ".parquet": "parquet",
    ".fa": "fasta",
    ".fasta": "fasta",
    ".fna": "fasta",
    ".faa": "fasta",
    ".smi": "smiles",
    ".smiles": "smiles",
}
PACKED = (".gz", ".zst")  # may follow
ARCHIVES = (".tar", ".tgz")


def stem(name: str) -> tuple[str, str]:
    """Return the name of a file without folders and extensions, and its format: "" where the name does not tell."""
    path = PurePosixPath(name)
    if path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    known = EXTENSIONS.get(path.suffix.lower(), "")
    return (path.stem if known or path.suffix.lower() in ARCHIVES else path.name), known


def format_of(name: str, head: bytes, columns: Columns) -> str:
    """Return the format of a file, by its first bytes and its name.

    Text of which columns are asked for is JSON lines if it starts with "{", else tab-separated.
    """
    if head.startswith(tables.PARQUET):
        return "parquet"
    known = stem(name)[1] or "text"
    if known == "text" and columns:
        return "jsonl" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "tsv"
    return known
