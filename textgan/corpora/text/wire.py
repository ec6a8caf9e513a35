r"""Lines of text on the wire: bytes between line feeds, not yet decoded.

Lines end at "\n" alone: `str.splitlines` and text mode would also split at a lone "\r", at U+2028 and at other
characters that are text. A block is whole lines, each with its "\n". A labelled line is "label\ttext".
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from textgan.corpora.text.streams import Stream, starting
from textgan.errors import TextganError

# A longer line is read as several, so that a book on one line still has lines to split. It holds the longest row:
# 4,096 characters of at most 4 bytes. [bytes]
LONGEST = 1 << 14


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


def text_chunks(stream: Stream) -> Iterator[bytes]:
    """Yield the bytes of a text without its byte order mark.

    Raises:
        TextganError: the stream is binary, or cannot be read.
    """
    _, chunks = starting(stream.chunks(), codecs.BOM_UTF8)
    for chunk in chunks:
        if b"\0" in chunk:
            raise TextganError(f"{stream.name} is a binary file (it holds NUL bytes); save it as plain UTF-8 text")
        yield chunk


def text_blocks(stream: Stream) -> Iterator[bytes]:
    """Yield the lines of a text in blocks; what is longer than a chunk is broken as `split_lines` would."""
    rest = b""
    for chunk in text_chunks(stream):
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
