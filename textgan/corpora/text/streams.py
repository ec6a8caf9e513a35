"""Bytes of files, plain or compressed, in chunks of bounded size; what a stream is shows in its first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from textgan.errors import TextganError

CHUNK = 1 << 20  # about as much is held at a time: so little that its lines stay in the processor's cache [bytes]
# A stream that unpacks to more is taken for a bomb. The largest corpora are split into files smaller than this.
LARGEST = 1 << 36  # [bytes]
STEEPEST = 1000  # unpacked bytes a packed one, which no text reaches that is worth training on,
FREE = 100 << 20  # beyond so many [bytes]
Stamp = tuple[str, int, int]


@dataclass(frozen=True)
class Stream:
    """Bytes that can be read any number of times."""

    name: str
    """What messages call it."""
    open: Callable[[], Iterator[bytes]]
    """Gives the bytes as they are stored, in chunks."""
    path: Path | None = None
    """The file that is this stream and no more; a member of an archive has none."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, unpacked if they are packed, in chunks of at least `CHUNK` bytes but for the last."""
        return gathered(unpacked(self.open(), self.name))

    def head(self, size: int = 512) -> bytes:
        """Return the first `size` unpacked bytes, or all there are."""
        return _with_head(unpacked(self.open(), self.name), size)[0][:size]


def file_stream(path: Path) -> Stream:
    """Return the stream of a file."""
    return Stream(str(path), partial(stored, path), path)


def stored(path: Path, start: int = 0, size: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file as they are, from byte `start` on, `size` at a time or as many as a chunk has.

    Raises:
        TextganError: it cannot be read.
    """
    with cannot_read(path), path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(size or CHUNK):
            yield chunk


@contextmanager
def cannot_read(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into one line."""
    try:
        yield
    except OSError as error:
        raise TextganError(f"cannot read {path}: {error.strerror}") from None


def stamp_of(path: Path) -> Stamp:
    """Return what tells a file's content from what it held before: its path, size [bytes] and time of change [ns].

    Raises:
        TextganError: it cannot be read.
    """
    with cannot_read(path):
        stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def broken(name: str, reason: object) -> TextganError:
    """Return the error of a file that is cut short, or not what it seems to be."""
    return TextganError(f"{name} is damaged or cut short ({printable(str(reason))}); get it again, or leave it out")


def printable(text: str) -> str:
    """Return a text of strangers as one that a message can hold."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def starting(chunks: Iterator[bytes], mark: bytes) -> tuple[bool, Iterator[bytes]]:
    """Return whether the bytes start with a mark, and the bytes without it."""
    head, chunks = _with_head(chunks, len(mark))
    return head.startswith(mark), chain([head.removeprefix(mark)], chunks)


def _with_head(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Return a first chunk of at least `size` bytes (unless there are fewer), and the chunks after it."""
    head = b""
    while len(head) < size and (chunk := next(chunks, b"")):
        head += chunk
    return head, chunks


def unpacked(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes of a gzip or Zstandard stream, of one or several parts; any other stream as it is.

    Raises:
        TextganError: it is damaged, cut short, or a bomb.
    """
    head, rest = _with_head(chunks, LONGEST_MAGIC)
    chunks = chain([head], rest) if head else rest
    unpacking = unpacking_of(head, name)
    return chunks if unpacking is None else _unpack(unpacking, chunks)


def _unpack(unpacking: Unpacking, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for data in slices(chunks):
        if piece := unpacking.feed(data):
            yield piece
    unpacking.finish()


@dataclass
class Unpacking:
    """A packed stream, of one or several parts, and how far it is unpacked."""

    name: str
    """What messages call it."""
    begin: Callable[[], Any]
    """Gives what unpacks a part."""
    error: type[Exception]
    """What that raises on damage."""
    padding: bytes = b""
    """What may stand after a part."""
    copies: bool = False
    """Whether what unpacks a part can be copied halfway."""
    part: Any = None
    """What unpacks the part that is read; None before the first."""
    taken: int = 0
    """Of the packed stream. [bytes]"""
    given: int = 0
    """Of the unpacked stream. [bytes]"""

    def feed(self, data: bytes) -> bytes:
        """Return what the next slice of the packed stream unpacks to.

        Raises:
            TextganError: it is damaged, or a bomb.
        """
        self.taken += len(data)
        pieces = []
        try:
            while data:
                if self.part is None or self.part.eof:
                    data = data.lstrip(self.padding)
                    if not data:
                        break
                    self.part = self.begin()
                pieces.append(self.part.decompress(data))
                data = self.part.unused_data if self.part.eof else b""
        except self.error as error:
            raise broken(self.name, error) from None
        self.given += sum(map(len, pieces))
        refuse_bombs(self.name, taken=self.taken, given=self.given)
        return b"".join(pieces)

    def finish(self) -> None:
        """Tell that the packed stream has ended.

        Raises:
            TextganError: too soon, which zstandard's own reader takes for a regular end.
        """
        if self.part is None or not self.part.eof:
            raise broken(self.name, "it ends too soon")

    def copy(self) -> Unpacking:
        """Return one that goes on from here on its own; before the first part, or where `copies`."""
        return replace(self, part=self.part and self.part.copy())


def unpacking_of(head: bytes, name: str) -> Unpacking | None:
    """Return what unpacks a stream that begins with these bytes, None if it is not packed."""
    return next((fresh(name) for magic, fresh in MAGIC.items() if head.startswith(magic)), None)


def _gzip(name: str) -> Unpacking:
    tape = b"\0"  # tapes pad with it
    return Unpacking(name, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), zlib.error, padding=tape, copies=True)


def _zstandard(name: str) -> Unpacking:
    import zstandard

    return Unpacking(name, lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError)


MAGIC: dict[bytes, Callable[[str], Unpacking]] = {
    b"\x1f\x8b\x08": _gzip,
    b"\x28\xb5\x2f\xfd": _zstandard,
    **{
        bytes([low, 0x2A, 0x4D, 0x18]): _zstandard for low in range(0x50, 0x60)
    },  # a Zstandard frame to skip comes first
}
LONGEST_MAGIC = max(map(len, MAGIC))  # [bytes]
SLICE = 1 << 10  # unpacked at a time: gzip makes at most 1 MiB of it, Zstandard 32, and cannot be bounded [bytes]


def slices(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks in slices of at most `SLICE` bytes."""
    for chunk in chunks:
        for start in range(0, len(chunk), SLICE):
            yield chunk[start : start + SLICE]


def refuse_bombs(name: str, *, taken: int, given: int) -> None:
    """Check what a stream unpacks to.

    Args:
        name: the stream, for the message.
        taken: packed bytes so far.
        given: unpacked bytes so far.

    Raises:
        TextganError: too many bytes, or too many for each packed one.
    """
    if given > LARGEST:
        raise TextganError(f"{name} unpacks to more than {LARGEST:,} bytes; unpack it yourself, and give the files")
    if given > FREE and given > STEEPEST * taken:
        raise TextganError(
            f"{name} unpacks to over {STEEPEST:,} times its size, as a bomb does; if you trust it, unpack it yourself"
        )


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces to chunks of at least `CHUNK` bytes, the last but the rest."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)
