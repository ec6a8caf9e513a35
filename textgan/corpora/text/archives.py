"""Members of tar archives, plain or compressed, read in any order without extraction.

A packed stream can only be unpacked from its start. So copies of what unpacks it are kept here and there on the way:
a member is read from the nearest one before it. Members that are read in their order take one pass together.
"""

from __future__ import annotations

import json
import tarfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache, partial
from hashlib import sha256
from operator import attrgetter
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple, cast

from textgan import bounded
from textgan.corpora import matrix
from textgan.corpora.text.streams import (
    CHUNK,
    LONGEST_MAGIC,
    Stamp,
    Stream,
    Unpacking,
    broken,
    printable,
    slices,
    stamp_of,
    stored,
    unpacking_of,
)
from textgan.files import write_text

USTAR = (257, b"ustar")  # the magic of a tar, and where it is
SPACING = 1 << 16  # unpacked, between two kept places; doubled whenever they become too many [bytes]
MOST = 512  # kept places, of about 40 KiB each
WINDOW = 1 << 22  # unpacked and still held behind where reading is, for whoever goes back a little [bytes]
PIECE = 1 << 16  # read from the file at a time: little, since whoever goes back may want no more [bytes]


class Member(NamedTuple):
    """A regular file in an archive; names may occur twice."""

    name: str
    offset: int
    """Of its content in the unpacked archive. [bytes]"""
    size: int
    """[bytes]"""


def members(path: Path, cache: Path) -> tuple[list[Member], dict[str, int]]:
    """Return the visible regular members with harmless names, in order, and how many others there are, by kind.

    The list is made in one pass, to the archive's very end, and kept in the cache.

    Raises:
        TextganError: it is no archive, damaged, cut short, or a bomb; or the cache cannot be written.
    """
    stamp = stamp_of(path)
    listing = cache / "text" / f"members-{sha256(json.dumps(stamp).encode()).hexdigest()[:32]}.json"
    try:
        found, left_out = bounded.read_json(listing, bounded.LOG)
        return [Member(str(name), int(offset), int(size)) for name, offset, size in found], dict(left_out)
    except (OSError, ValueError, TypeError):
        found, left_out = _listed(stamp)
        with matrix.writing(cache):
            write_text(listing, json.dumps([found, left_out]))
        return found, left_out


def stream_of(stamp: Stamp, member: Member) -> Stream:
    """Return the stream of a member of the archive that has this stamp."""
    return Stream(f"{stamp[0]}!{member.name}", partial(_content, stamp, member))


def is_tar(head: bytes) -> bool:
    """Tell an archive by its first 512 unpacked bytes."""
    at, magic = USTAR
    return head[at:].startswith(magic)


def hidden(path: PurePath) -> bool:
    """Tell a file that is hidden, or lies in a hidden folder."""
    return any(part.startswith(".") and part != ".." for part in path.parts)


def _listed(stamp: Stamp) -> tuple[list[Member], dict[str, int]]:
    name, file = stamp[0], _Forward(_opened(stamp))
    found, left_out = [], Counter[str]()
    try:
        with tarfile.TarFile(fileobj=cast("IO[bytes]", file), mode="r") as tar:
            while entry := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would grow with the archive
                if kind := _fault(entry):
                    left_out[kind] += 1
                elif entry.isreg() and not hidden(PurePosixPath(entry.name)):
                    found.append(Member(printable(entry.name), entry.offset_data, entry.size))
    except (tarfile.TarError, ValueError, OverflowError) as error:  # header fields of nonsense give the latter two
        raise broken(name, error) from None
    if file.last.strip(b"\0") or not file.last:  # tarfile ends quietly at what is no header
        raise broken(name, "it ends before its end mark")
    while file.read(CHUNK):  # to the end, where the checksum is
        pass
    return found, dict(left_out)


def _fault(entry: tarfile.TarInfo) -> str:
    """Return the kind of an entry that no corpus has a use for; nothing for files and folders."""
    path = PurePosixPath(entry.name)
    if entry.issym() or entry.islnk():
        return "links in archives"
    if path.is_absolute() or ".." in path.parts:
        return "members of archives with unsafe names"
    return "" if entry.isdir() or (entry.isreg() and not entry.issparse()) else "special members of archives"


def _content(stamp: Stamp, member: Member) -> Iterator[bytes]:
    """Yield the bytes of a member."""
    unpacked, offset, left = _opened(stamp), member.offset, member.size
    while left > 0:
        piece = unpacked.read(offset, left)
        if not piece:
            raise broken(stamp[0], "it ends within a member")
        offset, left = offset + len(piece), left - len(piece)
        yield piece


@lru_cache(maxsize=2)  # what is kept of an archive is bounded, and so is of how many
def _opened(stamp: Stamp) -> Unpacked:
    return Unpacked(Path(stamp[0]))


class Unpacked:
    """The unpacked bytes of a file, from any offset on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        fresh = unpacking_of(next(stored(path, size=LONGEST_MAGIC), b""), str(path))
        self._places = [fresh] if fresh else []  # by offset; a file that is not packed needs none
        self._spacing = SPACING
        self._held: list[bytes] = []  # pieces one after the other
        self._starts: list[int] = []  # their offsets
        self._end = 0  # of the last one
        self._pieces: Iterator[bytes] = iter(())  # what comes after it

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from an offset on; none only at the end.

        Raises:
            TextganError: the file cannot be read, is damaged, cut short, or a bomb.
        """
        place = self._places[bisect_right(self._places, offset, key=attrgetter("given")) - 1] if self._places else None
        nearest = place.given if place else offset - offset % PIECE  # so that pieces are the same in any order
        if not self._starts or offset < self._starts[0] or self._end < nearest:
            self._held, self._starts, self._end = [b""], [nearest], nearest
            self._pieces = self._unpack(place.copy()) if place else stored(self.path, nearest, PIECE)
        while self._end <= offset:
            if not self._more():
                return b""
        at = bisect_right(self._starts, offset) - 1
        start = offset - self._starts[at]
        return self._held[at][start : start + size]

    def _more(self) -> bool:
        """Hold the next piece too, and let go of what lies far behind; False at the end."""
        try:
            piece = next(self._pieces, b"")
        except BaseException:  # nothing comes after it, which is not to be taken for the end
            self._starts.clear()
            raise
        if piece:
            self._held.append(piece)
            self._starts.append(self._end)
            self._end += len(piece)
        while len(self._starts) > 1 and self._starts[1] < self._end - WINDOW:
            del self._held[0], self._starts[0]
        return bool(piece)

    def _unpack(self, now: Unpacking) -> Iterator[bytes]:
        for data in slices(stored(self.path, now.taken, PIECE)):
            if now.copies and now.given - self._places[-1].given >= self._spacing:
                self._keep(now.copy())
            if piece := now.feed(data):
                yield piece
        now.finish()

    def _keep(self, place: Unpacking) -> None:
        self._places.append(place)
        if len(self._places) > MOST:
            del self._places[1::2]
            self._spacing *= 2


class _Forward:
    """What `tarfile` wants for a file; it seeks forward only."""

    def __init__(self, unpacked: Unpacked) -> None:
        self._unpacked = unpacked
        self._at = 0
        self.last = b""
        """What the last read gave."""

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        if offset < self._at:
            raise tarfile.StreamError("a header points back")
        self._at = offset
        return offset

    def read(self, size: int) -> bytes:
        if size > CHUNK:  # a header of that size is none
            raise tarfile.HeaderError("a header is too long")
        pieces = []
        while size and (piece := self._unpacked.read(self._at, size)):
            pieces.append(piece)
            self._at, size = self._at + len(piece), size - len(piece)
        self.last = b"".join(pieces)
        return self.last
