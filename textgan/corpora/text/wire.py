r"""Lines of text on the wire: bytes between line feeds, not yet decoded.

Lines end at "\n" alone: `str.splitlines` and text mode would also split at a lone "\r", at U+2028 and at other
characters that are text. A block is whole lines, each with its "\n". A labelled line is "label\ttext".
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from textgan.corpora.text import streams
from textgan.corpora.text.streams import LONGEST_MAGIC, Stream, cannot_read, starting, stored, unpacking_of
from textgan.errors import TextganError

# A longer line is read as several, so that a book on one line still has lines to split. It holds the longest row:
# 4,096 characters of at most 4 bytes. [bytes]
LONGEST = 1 << 14
SHORT = 1 << 16  # where the end of a line is looked for first [bytes]


def split_lines(block: bytes) -> list[bytes]:
    r"""Return the lines of a block, without line ends ("\n" or "\r\n"), the long ones in several pieces."""
    *lines, _ = block.split(b"\n")
    if b"\r" not in block and len(max(lines, key=len, default=b"")) <= LONGEST:
        return lines
    return [piece.removesuffix(b"\r") for line in lines for piece in pieces(line, spare=line.endswith(b"\r"))]


def split_labelled(block: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the labels and the texts of the labelled lines of a block; a line without a tab is a label alone."""
    labels, texts = [], []
    *lines, _ = block.split(b"\n")
    for line in lines:
        label, _, text = line.partition(b"\t")
        for piece in split_lines(text + b"\n"):
            labels.append(label)
            texts.append(piece)
    return labels, texts


def pieces(line: bytes, spare: int = 0) -> list[bytes]:
    """Break a line longer than `LONGEST + spare`, at a space where there is one, else between two characters.

    What is broken off does not depend on what is yet to come, so that a line can be broken while it is read.
    """
    if len(line) <= LONGEST + spare:
        return [line]
    broken, start = [], 0
    while len(line) - start > LONGEST + spare:
        end = line.rfind(b" ", start, start + LONGEST) + 1 or _character_start(line, start + LONGEST)
        broken.append(line[start:end])
        start = end
    return [*broken, line[start:]]


def _character_start(line: bytes, at: int) -> int:
    return next((i for i in range(at, at - 4, -1) if line[i] & 0xC0 != 0x80), at)


class Stretch(NamedTuple):
    """A block that is still in its file, a plain one, for whoever works on it to read."""

    path: Path
    start: int
    """Where it begins. [bytes]"""
    size: int
    """How long it is. [bytes]"""


Wire = bytes | Stretch
"""A block of lines, or where to read it."""


def loaded(block: Wire) -> bytes:
    """Return the bytes of a block.

    Raises:
        TextganError: its file is binary, or cannot be read.
        ValueError: its file has changed since.
    """
    if isinstance(block, bytes):
        return block
    path, start, size = block
    with cannot_read(path), path.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    if len(data) < size:
        raise ValueError(f"{path} was cut short")
    _refuse_binary(data, str(path))
    return data if data.endswith(b"\n") else data + b"\n"


def text_chunks(stream: Stream, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a text without its byte order mark, from byte `start` on of what is a plain file.

    Raises:
        TextganError: the stream is binary, or cannot be read.
    """
    chunks = stored(stream.path, start) if start and stream.path else starting(stream.chunks(), codecs.BOM_UTF8)[1]
    for chunk in chunks:
        _refuse_binary(chunk, stream.name)
        yield chunk


def _refuse_binary(data: bytes, name: str) -> None:
    if b"\0" in data:
        raise TextganError(
            f"{name} is a binary file (it holds NUL bytes); save it as plain UTF-8 text, or name pictures "
            "with --corpus images --data FOLDER"
        )


def text_blocks(stream: Stream, start: int = 0) -> Iterator[bytes]:
    """Yield the lines of a text in blocks; what is longer than a chunk is broken as `split_lines` would."""
    rest = b""
    for chunk in text_chunks(stream, start):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            *broken, rest = pieces(rest + chunk, spare=1)  # its last byte may be half of a line end
            if broken:
                yield b"\n".join([*broken, b""])
    if rest:
        yield rest + b"\n"


def text_stretches(stream: Stream) -> Iterator[Wire]:
    """Yield the lines of a text as `text_blocks` does, but of a plain file stretches, which cost no reading here."""
    path = stream.path
    start = None if path is None else _plain_start(path)
    if path is None or start is None:
        yield from text_blocks(stream)
        return
    with cannot_read(path), path.open("rb") as file:
        whole = file.seek(0, os.SEEK_END)
        while start < whole and (end := whole if whole - start <= streams.CHUNK else _last_line_end(file, start)):
            yield Stretch(path, start, end - start)
            start = end
    if start < whole:  # a line that is longer than a chunk
        yield from text_blocks(stream, start)


def _plain_start(path: Path) -> int | None:
    """Return where the text of a file starts, after its byte order mark; None where it is packed."""
    head = next(stored(path, size=max(LONGEST_MAGIC, len(codecs.BOM_UTF8))), b"")
    if unpacking_of(head, str(path)) is not None:
        return None
    return len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0


def _last_line_end(file: BinaryIO, start: int) -> int:
    """Return where the last line ends that ends within a chunk from `start` on; 0 where none does."""
    for size in (min(SHORT, streams.CHUNK), streams.CHUNK):
        file.seek(start + streams.CHUNK - size)
        if end := file.read(size).rfind(b"\n") + 1:
            return start + streams.CHUNK - size + end
    return 0
