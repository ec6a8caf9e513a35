"""What --data names: a file, a folder, or a tar archive, and the visible regular files in it. Nothing is extracted."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, NoReturn, Self

from textgan.corpora.images.collection import LABEL, Stamp, stamp_of
from textgan.errors import TextganError

MOST = 10_000  # files of an archive; those of pictures have a handful
HEADER = 1 << 16  # of an entry: its name, mostly [bytes]
LINKS, SPECIAL = "links that lead elsewhere", "special files"
BROKEN = (tarfile.TarError, zlib.error, LZMAError, EOFError, OSError, ValueError)
"""What a damaged archive raises."""


@dataclass(frozen=True)
class Place:
    """Files by name."""

    path: Path
    """The folder, or the archive."""
    names: tuple[str, ...]
    """With folders, from `path` on; sorted."""
    archive: bool = False
    left_out: dict[str, int] = field(default_factory=dict)
    """What was passed over, by kind."""

    def find(self, pattern: str) -> str | None:
        """Return the first file whose own name matches, if there is one."""
        return next(iter(self.all(pattern)), None)

    def all(self, pattern: str) -> list[str]:
        """Return the files whose own name matches."""
        return [name for name in self.names if fnmatchcase(PurePosixPath(name).name, pattern)]

    def label(self, name: str) -> str:
        """Return what messages call a file."""
        return f"{self.path}!{name}" if self.archive else str(self.path / name)

    def stamp(self, name: str) -> Stamp:
        """Return what changes with a file."""
        return (*stamp_of(self.path), name) if self.archive else stamp_of(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file to be read.

        Raises:
            TextganError: it cannot be read, or is damaged.
        """
        try:
            if not self.archive:
                with (self.path / name).open("rb") as file:
                    yield file
                return
            with _tar(self.path) as tar, _member(tar, name) as file:
                yield file
        except (*BROKEN, KeyError) as error:
            raise TextganError(f"{self.label(name)} cannot be read: {error}; get it again") from None

    def read(self, name: str, most: int) -> bytes:
        """Return a file at once.

        Raises:
            TextganError: it cannot be read, or is larger than `most` bytes.
        """
        with self.open(name) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise TextganError(f"{self.label(name)} is larger than {most:,} bytes, which no such file is")
        return content


class Asked(NamedTuple):
    """What is looked for."""

    place: Place
    column: str = ""
    """Where the picture is in a record; empty for the usual place."""
    label: str = LABEL
    """Which label, of pictures that have several."""


def place_of(path: Path) -> Place:
    """Return what is at a path: of a file that is no archive, the file alone.

    Raises:
        TextganError: it cannot be read, or the archive is damaged.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            raise TextganError(f"{path} is neither a file nor a folder")
        return _archive(path)
    except tarfile.ReadError:  # it is no archive
        return Place(path.parent, (path.name,))
    except BROKEN as error:
        raise TextganError(f"{path} cannot be read: {error}; get it again") from None


def _folder(path: Path) -> Place:
    names: list[str] = []
    left_out: Counter[str] = Counter()
    inside = path.resolve()
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        left_out[LINKS] += sum((Path(folder) / name).is_symlink() for name in folders)  # which are not followed
        for name in files:
            file = Path(folder) / name
            if name.startswith("."):
                continue
            if not Path(os.path.realpath(file)).is_relative_to(inside):
                left_out[LINKS] += 1
            elif not file.is_file():
                left_out[SPECIAL] += 1
            else:
                names.append(file.relative_to(path).as_posix())
    return Place(path, tuple(sorted(names)), left_out=dict(+left_out))


class _Entry(tarfile.TarInfo):
    """An entry of which no part is so large that it fills the memory."""

    @classmethod
    def frombuf(cls, *arguments: Any) -> Self:
        """Read its first block."""
        entry = super().frombuf(*arguments)
        if entry.type == tarfile.GNUTYPE_SPARSE or (entry.type in HEADERS and entry.size > HEADER):
            raise tarfile.HeaderError("a header is too long")
        return entry

    def _proc_gnusparse_10(self, *_: Any) -> NoReturn:
        """Refuse a map of holes, whose length nothing bounds."""
        raise tarfile.HeaderError("a header is too long")


HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
"""Types of entries that `tarfile` reads at once."""


def _tar(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, tarinfo=_Entry)


@contextmanager
def _member(tar: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    """Open the first regular file of that name."""
    while entry := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # it would grow with the archive
        if entry.isreg() and entry.name == name:
            file = tar.extractfile(entry)
            assert file is not None  # it is regular
            with file:
                yield file
            return
    raise KeyError(f"{name} is no longer there")


def _archive(path: Path) -> Place:
    names: set[str] = set()
    left_out: Counter[str] = Counter()
    with _tar(path) as tar:
        while member := tar.next():
            tar.members.clear()  # type: ignore[attr-defined]  # it would grow with the archive
            if len(names) > MOST:
                raise ValueError(f"it has more than {MOST:,} files")
            if member.issym() or member.islnk():
                left_out[LINKS] += 1
            elif member.isreg() and not any(part.startswith(".") for part in PurePosixPath(member.name).parts):
                names.add(member.name)
    return Place(path, tuple(sorted(names)), archive=True, left_out=dict(left_out))
