"""The members of a .tar or .tar.gz as shards, in any order, without extraction.

A gzip stream has no random access: one pass over the archive keeps, at the start of each wanted member, a copy of the
decompressor (its 32 KiB window), from which that member is read again alone. Members in the order of their names then
cost two passes, where rewinding would cost one a member.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from textgan.corpora import matrix
from textgan.corpora.text.sources import Damage, Shard
from textgan.errors import TextganError
from textgan.files import dump_json, write_text

GZIP = b"\x1f\x8b"
WITH_GZIP_HEADER = 31  # zlib's wbits: a window of 32 KiB, header and checksum of gzip
INPUT, OUTPUT = 1 << 14, 1 << 15  # bytes at a time; small, since every kept place holds up to this much
BLOCK = 1 << 22  # bytes of a block of lines
LARGEST = 64 << 30  # bytes that an archive may unpack to
FREE, RATIO = 100 << 20, 1000  # beyond the first bytes, no archive of text is this many times its size

Wanted = Callable[[str], bool]


@dataclass(frozen=True)
class Place:
    """Where a member starts, and all that is needed to go on from there."""

    size: int
    """Of the member. [bytes]"""
    offset: int
    """Of the member in the unpacked archive. [bytes]"""
    at: int
    """Of the compressed bytes that are read next. [bytes]"""
    compressed: bytes
    inflate: Any
    ready: bytes


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is a tar archive."""
    return path.name.endswith((".tar", ".tar.gz", ".tgz"))


def shards(path: Path, wanted: Wanted, *, cache: Path) -> dict[str, Shard]:
    """Return the shards of the wanted regular members by name; links and names that leave the archive are none.

    Args:
        path: a .tar or .tar.gz.
        wanted: tells by the last part of a member's name; a module-level function.
        cache: keeps the names, so that they are listed once.

    Raises:
        TextganError: no archive, damaged, cut short, or a bomb.
    """
    stamp = _stamp(path)
    kept = cache / "text" / f"members-{sha256(json.dumps([stamp, wanted.__qualname__]).encode()).hexdigest()[:32]}.json"
    names = _kept(kept)
    if names is None:
        names = list(_places(stamp, wanted))
        with matrix.writing(cache):
            write_text(kept, dump_json(names))
    read = partial(_read, stamp, wanted)
    return {name: Shard(f"{path}!{name}", (*stamp, name), partial(read, name)) for name in names}


def _kept(file: Path) -> list[str] | None:
    try:
        return list(map(str, json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        return None


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=2)
def _places(stamp: tuple[str, int, int], wanted: Wanted) -> dict[str, Place]:
    """Pass over the archive once, to its very end, and keep the place of every wanted member."""
    path, places = Path(stamp[0]), {}
    try:
        with Unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
            for member in tar:
                if member.isreg() and not member.issparse() and _inside(member.name) and wanted(_last(member.name)):
                    stream.seek(member.offset_data)
                    places[member.name] = stream.place(member.size)
            stream.drain()
    except tarfile.TarError as error:
        raise TextganError(f"{path} is no tar archive, or a damaged one ({error}); get it again") from None
    except OSError as error:
        raise TextganError(f"cannot read {path}: {error.strerror}") from None
    return places


def _inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in PurePosixPath(name).parts


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _read(stamp: tuple[str, int, int], wanted: Wanted, name: str, damage: Damage) -> Iterator[bytes]:
    """Yield a member's blocks of whole lines."""
    path, place = Path(stamp[0]), _places(stamp, wanted)[name]
    with Unpacked(path, place) as stream:
        left, rest = place.size, b""
        while left:
            chunk = stream.read(min(BLOCK, left))
            if not chunk:
                raise _cut_short(path)
            if b"\0" in chunk:
                raise TextganError(f"{path}!{name} is a binary file (it holds NUL bytes); it should be UTF-8 text")
            left -= len(chunk)
            lines, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                yield lines + end
        if rest:
            yield rest + b"\n"


def _cut_short(path: Path) -> TextganError:
    return TextganError(f"{path} is cut short; get it again")


class Unpacked:
    """The bytes of an archive, decompressed where it is gzip; forward only, from its start or from a kept place."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self.path, self.file = path, path.open("rb")
        zipped = self.file.read(len(GZIP)) == GZIP
        fresh = zlib.decompressobj(WITH_GZIP_HEADER) if zipped else None
        begin = place or Place(0, 0, 0, b"", fresh, b"")
        self.file.seek(begin.at)
        self.offset, self.compressed, self.ready = begin.offset, begin.compressed, begin.ready
        self.inflate = begin.inflate and begin.inflate.copy()

    def place(self, size: int) -> Place:
        """Keep where the stream is, at the start of a member of so many bytes."""
        inflate = self.inflate and self.inflate.copy()
        return Place(size, self.offset, self.file.tell(), self.compressed, inflate, self.ready)

    def tell(self) -> int:
        """Return the offset in the unpacked archive. [bytes]"""
        return self.offset

    def seek(self, offset: int) -> None:
        """Go forward."""
        while self.offset < offset and self.read(min(BLOCK, offset - self.offset)):
            pass

    def drain(self) -> None:
        """Go to the end, so that checksums are checked and a missing end is seen."""
        while self.read(BLOCK):
            pass

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        pieces, missing = [], size
        while missing and (self.ready or self._more()):
            piece, self.ready = self.ready[:missing], self.ready[missing:]
            pieces.append(piece)
            missing -= len(piece)
        self.offset += size - missing
        return b"".join(pieces)

    def _more(self) -> bool:
        """Unpack a piece; False at the end."""
        if self.inflate is None:
            self.ready = self.file.read(OUTPUT)
            return bool(self.ready)
        while not self.ready:
            self.compressed = self.compressed or self.file.read(INPUT)
            if self.inflate.eof:
                if not self.compressed:
                    return False
                self.compressed = self.compressed.lstrip(b"\0")  # padding, and maybe another gzip after it
                self.inflate = zlib.decompressobj(WITH_GZIP_HEADER) if self.compressed else self.inflate
            else:
                self._inflate()
        return True

    def _inflate(self) -> None:
        ended = not self.compressed
        try:
            self.ready = self.inflate.decompress(self.compressed, OUTPUT)
        except zlib.error as error:
            raise TextganError(f"{self.path} is damaged ({error}); get it again") from None
        self.compressed = self.inflate.unconsumed_tail or self.inflate.unused_data
        if ended and not self.ready and not self.inflate.eof:
            raise _cut_short(self.path)
        unpacked = self.offset + len(self.ready)
        if unpacked > LARGEST or unpacked > max(FREE, RATIO * self.file.tell()):
            raise TextganError(f"{self.path} unpacks to far more than text would; it is refused")

    def __enter__(self) -> Unpacked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.file.close()
