"""Bytes of files, plain or compressed, in chunks of bounded size; what a stream is shows in its first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from textgan.errors import TextganError

CHUNK = 1 << 22  # about as much is held at a time [bytes]
# A stream that unpacks to more is taken for a bomb. The largest corpora are split into files smaller than this.
LARGEST = 1 << 36  # [bytes]
STEEPEST = 1000  # unpacked bytes a packed one, which no text reaches that is worth training on,
FREE = 100 << 20  # beyond so many [bytes]


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


def stored(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file as they are.

    Raises:
        TextganError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise TextganError(f"cannot read {path}: {error.strerror}") from None


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
    head, rest = _with_head(chunks, max(map(len, MAGIC)))
    chunks = chain([head], rest) if head else rest
    unpack = next((unpack for magic, unpack in MAGIC.items() if head.startswith(magic)), None)
    return chunks if unpack is None else _bounded(unpack, chunks, name)


def _gunzip(slices: Iterator[bytes], name: str) -> Iterator[bytes]:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for data in slices:
            while data:
                if inflate.eof:
                    data = data.lstrip(b"\0")  # tapes pad with it
                    if not data:
                        break
                    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield inflate.decompress(data, CHUNK)
                data = inflate.unconsumed_tail or inflate.unused_data
    except zlib.error as error:
        raise broken(name, error) from None
    if not inflate.eof:
        raise broken(name, "it ends too soon")


def _unzstd(slices: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise TextganError(f"{name} needs the package zstandard to be read; pip install zstandard") from None
    inflate = zstandard.ZstdDecompressor().decompressobj()
    try:
        for data in slices:
            while data:
                if inflate.eof:
                    inflate = zstandard.ZstdDecompressor().decompressobj()
                yield inflate.decompress(data)
                data = inflate.unused_data if inflate.eof else b""
    except zstandard.ZstdError as error:
        raise broken(name, error) from None
    if not inflate.eof:  # which zstandard's own reader takes for a regular end
        raise broken(name, "it ends too soon")


Unpack = Callable[[Iterator[bytes], str], Iterator[bytes]]
MAGIC: dict[bytes, Unpack] = {
    b"\x1f\x8b\x08": _gunzip,
    b"\x28\xb5\x2f\xfd": _unzstd,
    **{bytes([low, 0x2A, 0x4D, 0x18]): _unzstd for low in range(0x50, 0x60)},  # a Zstandard frame to skip comes first
}
SLICE = 1 << 10  # a call of `unpack` is given as much: Zstandard may make 32 MiB of it, and cannot be bounded [bytes]


def _bounded(unpack: Unpack, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Unpack slice by slice, as long as the stream stays within `LARGEST`, `STEEPEST` and `FREE`."""
    taken = given = 0

    def slices() -> Iterator[bytes]:
        nonlocal taken
        for chunk in chunks:
            for start in range(0, len(chunk), SLICE):
                part = chunk[start : start + SLICE]
                taken += len(part)
                yield part

    for piece in unpack(slices(), name):
        given += len(piece)
        refuse_bombs(name, taken=taken, given=given)
        if piece:
            yield piece


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
