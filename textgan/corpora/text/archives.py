"""Members of tar archives, plain or compressed, one after the other, without extraction.

A packed archive can only be read from its start: members that are read in their order take one pass together.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple, cast

from textgan.corpora.text.streams import CHUNK, broken, file_stream, printable

USTAR = (257, b"ustar")  # the magic of a tar, and where it is


class Member(NamedTuple):
    """A regular file in an archive."""

    place: int
    """Among all entries, from 0; names may occur twice."""
    name: str


class Archive:
    """A tar file, and how far it has been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]] = iter(())
        self._at = -1  # the entry that was given last

    def members(self) -> tuple[list[Member], dict[str, int]]:
        """Return the visible regular members with harmless names, in order, and how many others there are, by kind.

        Raises:
            TextganError: the archive is damaged, cut short, or a bomb.
        """
        members, left_out = [], Counter[str]()
        for place, entry, _ in _walk(self.path):
            if kind := _fault(entry):
                left_out[kind] += 1
            elif entry.isreg() and not hidden(PurePosixPath(entry.name)):
                members.append(Member(place, printable(entry.name)))
        return members, dict(left_out)

    def read(self, place: int) -> Iterator[bytes]:
        """Yield the bytes of a member; goes back to the archive's start only if the member lies behind.

        Raises:
            TextganError: the archive is damaged, cut short, or a bomb.
        """
        if place <= self._at:
            self._at = -1
        if self._at < 0:
            self._entries = _walk(self.path)
        for at, entry, tar in self._entries:
            self._at = at
            if at == place:
                yield from _content(entry, tar, self.path)
                return
        self._at = -1
        raise broken(str(self.path), "it has fewer members than before")


def is_tar(head: bytes) -> bool:
    """Tell an archive by its first 512 unpacked bytes."""
    at, magic = USTAR
    return head[at:].startswith(magic)


def hidden(path: PurePath) -> bool:
    """Tell a file that is hidden, or lies in a hidden folder."""
    return any(part.startswith(".") and part != ".." for part in path.parts)


def _fault(entry: tarfile.TarInfo) -> str:
    """Return the kind of an entry that no corpus has a use for; nothing for files and folders."""
    path = PurePosixPath(entry.name)
    if entry.issym() or entry.islnk():
        return "links in archives"
    if path.is_absolute() or ".." in path.parts:
        return "members of archives with unsafe names"
    return "" if entry.isdir() or (entry.isreg() and not entry.issparse()) else "special members of archives"


def _walk(path: Path) -> Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]]:
    forward = _Forward(file_stream(path).chunks())
    try:
        with tarfile.TarFile(fileobj=cast("IO[bytes]", forward), mode="r") as tar:
            place = 0
            while entry := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would grow with the archive
                yield place, entry, tar
                place += 1
    except (tarfile.TarError, ValueError, OverflowError) as error:  # header fields of nonsense give the latter two
        raise broken(str(path), error) from None
    if forward.last.strip(b"\0") or not forward.last:  # tarfile ends quietly at what is no header
        raise broken(str(path), "it ends before its end mark")


def _content(entry: tarfile.TarInfo, tar: tarfile.TarFile, path: Path) -> Iterator[bytes]:
    file = tar.extractfile(entry)
    assert file is not None  # a regular member
    try:
        with file:
            while chunk := file.read(CHUNK):
                yield chunk
    except tarfile.TarError as error:
        raise broken(str(path), error) from None


class _Forward:
    """Chunks as the file that `tarfile` wants: it seeks forward only."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""  # what was read last, and what comes next
        self._offset = self._start = 0  # of `_held`: where reading goes on; its place in the stream
        self.last = b""
        """What the last read gave."""

    def tell(self) -> int:
        return self._start + self._offset

    def seek(self, place: int) -> int:
        while place > self._start + len(self._held):
            self._offset = len(self._held)
            if not self._more():
                break
        if place < self._start:
            raise tarfile.StreamError("a header points back")
        self._offset = min(place - self._start, len(self._held))
        return self.tell()

    def read(self, size: int) -> bytes:
        if size > CHUNK:  # a header of that size is none
            raise tarfile.HeaderError("a header is too long")
        while len(self._held) - self._offset < size and self._more():
            pass
        self.last = self._held[self._offset : self._offset + size]
        self._offset += len(self.last)
        return self.last

    def _more(self) -> bool:
        """Hold the next chunk too, and let go of what was read."""
        chunk = next(self._chunks, b"")
        self._held, self._start, self._offset = self._held[self._offset :] + chunk, self.tell(), 0
        return bool(chunk)
