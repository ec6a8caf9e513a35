"""Members of a tar archive, plain or gzip, as shards that can be read in any order, without extraction.

A gzip stream can only be read from its start. So one pass over the archive keeps, where each wanted member begins, a
copy of the decompressor (its window of 32 KiB), from which that member alone is unpacked later: two passes in all,
where going back to the start would cost a pass for every member that lies before the last one.
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
from typing import IO, Any, cast

from textgan.corpora import matrix
from textgan.corpora.text.formats import FORMATS
from textgan.corpora.text.records import Columns
from textgan.corpora.text.sources import Shard
from textgan.corpora.text.streams import CHUNK, Stream, broken, refuse_bombs
from textgan.errors import TextganError
from textgan.files import dump_json, write_text

GZIP = b"\x1f\x8b"
WITH_GZIP_HEADER = 31  # zlib's wbits: a window of 32 KiB, header and checksum of gzip
INPUT, OUTPUT = 1 << 14, 1 << 15  # bytes at a time: small, since every kept place holds up to as much

Wanted = Callable[[str], bool]
Stamp = tuple[str, int, int]


@dataclass(frozen=True)
class Place:
    """A member's size, and what is needed to unpack from its start on."""

    size: int
    """[bytes]"""
    offset: int = 0
    """Of the member in the unpacked archive. [bytes]"""
    at: int = 0
    """In the file: where reading goes on. [bytes]"""
    packed: bytes = b""
    """Read before that, and not yet unpacked."""
    ready: bytes = b""
    """Unpacked already."""
    inflate: Any = None
    """The decompressor; None for a plain archive."""


def shards(path: Path, wanted: Wanted, *, cache: Path) -> dict[str, Shard]:
    """Return the shards of the wanted regular members by name; links and names that leave the archive are none.

    Args:
        path: a .tar or .tar.gz.
        wanted: tells by a member's name; a function of a module, whose name is part of what is remembered.
        cache: keeps the list of members, so that it is made once.

    Raises:
        TextganError: it is no archive, damaged, cut short, or a bomb.
    """
    stamp = _stamp(path)
    key = sha256(json.dumps([stamp, wanted.__module__, wanted.__qualname__]).encode()).hexdigest()[:32]
    listing = cache / "text" / f"places-{key}.json"
    try:
        names = [str(name) for name in json.loads(listing.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        names = list(_places(stamp, wanted))
        with matrix.writing(cache):
            write_text(listing, dump_json(names))
    return {name: _shard(stamp, wanted, name) for name in names}


def _shard(stamp: Stamp, wanted: Wanted, name: str) -> Shard:
    stream = Stream(f"{stamp[0]}!{name}", partial(_content, stamp, wanted, name))
    return Shard(stream.name, (*stamp, name), partial(FORMATS["text"], stream, Columns("", "")))


def _stamp(path: Path) -> Stamp:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=2)
def _places(stamp: Stamp, wanted: Wanted) -> dict[str, Place]:
    """Pass over the archive once, to its very end, and keep the place of every wanted member."""
    path, places = Path(stamp[0]), dict[str, Place]()
    try:
        with Unpacked(path) as stream, tarfile.TarFile(fileobj=cast("IO[bytes]", stream), mode="r") as tar:
            while member := tar.next():
                if member.isreg() and not member.issparse() and _is_inside(member.name) and wanted(member.name):
                    stream.seek(member.offset_data)
                    places[member.name] = stream.place(member.size)
            if stream.last.strip(b"\0") or not stream.last:  # tarfile ends quietly at what is no header
                raise broken(str(path), "it ends before its end mark")
            while stream.read(CHUNK):  # to the end, where the checksum is
                pass
    except (tarfile.TarError, ValueError, OverflowError) as error:  # header fields of nonsense give the latter two
        raise broken(str(path), error) from None
    except OSError as error:
        raise TextganError(f"cannot read {path}: {error.strerror}") from None
    return places


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _content(stamp: Stamp, wanted: Wanted, name: str) -> Iterator[bytes]:
    """Yield a member's bytes."""
    path = Path(stamp[0])
    place = _places(stamp, wanted)[name]
    with Unpacked(path, place) as stream:
        left = place.size
        while left:
            chunk = stream.read(min(CHUNK, left))
            if not chunk:
                raise broken(str(path), "it ends within a member")
            left -= len(chunk)
            yield chunk


class Unpacked:
    """The bytes of an archive, decompressed where it is gzip; forward only, from its start or from a kept place."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self.path, self.file = path, path.open("rb")
        zipped = self.file.read(len(GZIP)) == GZIP
        fresh = zlib.decompressobj(WITH_GZIP_HEADER) if zipped else None
        begin = place or Place(0, inflate=fresh)
        self.file.seek(begin.at)
        self.offset, self.packed, self.ready = begin.offset, begin.packed, begin.ready
        self.inflate = begin.inflate and begin.inflate.copy()
        self.last = b""
        """What the last read gave."""

    def place(self, size: int) -> Place:
        """Keep where the stream is, at the start of a member of so many bytes."""
        inflate = self.inflate and self.inflate.copy()
        return Place(size, self.offset, self.file.tell(), self.packed, self.ready, inflate)

    def tell(self) -> int:
        """Return the offset in the unpacked archive. [bytes]"""
        return self.offset

    def seek(self, offset: int) -> int:
        """Go forward."""
        while self.offset < offset and self.read(min(CHUNK, offset - self.offset)):
            pass
        return self.offset

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        pieces, missing = [], size
        while missing and (self.ready or self._more()):
            piece, self.ready = self.ready[:missing], self.ready[missing:]
            pieces.append(piece)
            missing -= len(piece)
        self.offset += size - missing
        self.last = b"".join(pieces)
        return self.last

    def _more(self) -> bool:
        """Unpack a piece; False at the end."""
        if self.inflate is None:
            self.ready = self.file.read(OUTPUT)
            return bool(self.ready)
        while not self.ready:
            self.packed = self.packed or self.file.read(INPUT)
            if self.inflate.eof:
                if not self.packed:
                    return False
                self.packed = self.packed.lstrip(b"\0")  # padding, and maybe another gzip after it
                self.inflate = zlib.decompressobj(WITH_GZIP_HEADER) if self.packed else self.inflate
            else:
                self._inflate()
        return True

    def _inflate(self) -> None:
        ended = not self.packed
        try:
            self.ready = self.inflate.decompress(self.packed, OUTPUT)
        except zlib.error as error:
            raise broken(str(self.path), error) from None
        self.packed = self.inflate.unused_data if self.inflate.eof else self.inflate.unconsumed_tail
        if ended and not self.ready and not self.inflate.eof:
            raise broken(str(self.path), "it ends before its end mark")
        refuse_bombs(str(self.path), taken=self.file.tell(), given=self.offset + len(self.ready))

    def __enter__(self) -> Unpacked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.file.close()
