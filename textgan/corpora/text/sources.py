"""Where text comes from: any file, folder, glob, archive or pipe, as shards of lines."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from glob import glob, has_magic
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from textgan import oracles
from textgan.corpora import matrix
from textgan.corpora.cards import PREFIXED
from textgan.corpora.text import archives
from textgan.corpora.text.archives import hidden
from textgan.corpora.text.damage import Damage as Damage
from textgan.corpora.text.formats import FORMATS, format_of, stem
from textgan.corpora.text.records import Columns
from textgan.corpora.text.streams import CHUNK, Stream, file_stream, printable, stamp_of
from textgan.corpora.text.wire import Wire
from textgan.errors import TextganError, UsageError
from textgan.files import write_named

BY_FILE = "@file"  # as the label column: one file a class
STDIN = "-"
NO_COLUMNS = Columns()
Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """One stream of lines: a file, or a member of an archive."""

    name: str
    """What messages call it: its path, or archive!member."""
    stamp: tuple[str | int, ...]
    """Path, size [bytes] and time of last change [ns] of its file, then what else decides its lines; JSON."""
    read: Callable[[Damage], Iterator[Wire]]
    r"""Gives the lines in blocks: UTF-8 not yet decoded, each ended by "\n", at most about `CHUNK` and a line long."""
    label: str | None = None
    """The class of all its lines, where one file is one class."""


@dataclass(frozen=True)
class Source:
    """Shards of text, and how their lines part into training and held-out ones."""

    name: str
    title: str
    training: tuple[Shard, ...]
    heldout: tuple[Shard, ...] = ()
    """Shards of held-out lines; without any, lines are held out by their hash."""
    split: str = "hash of the line"
    deduplicate: bool = False
    labelled: bool = False
    r"""Each line is "label\ttext"."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Members of archives that were passed over, by kind."""


# --- one file -----------------------------------------------------------------------------------------------------


def shard_of(
    path: Path,
    *,
    format: str = "text",  # noqa: A002
    column: str = "",
    label_column: str = "",
    label: str | None = None,
) -> Shard:
    """Return the shard of a file, packed or not.

    Args:
        path: the file.
        format: a key of `FORMATS`.
        column: which field of a record is the text; empty for "text", or the only one there is.
        label_column: which field is the label; empty for none.
        label: the class of all its lines.

    Raises:
        TextganError: it cannot be read.
        UsageError: the format has no such fields.
    """
    found = Found(path.name, file_stream(path), stamp_of(path))
    return found.shard(format, Columns(column, label_column), label)


class Found(NamedTuple):
    """A file, or a member of an archive, of which a shard can be made."""

    name: str
    """Its own name, with folders."""
    stream: Stream
    stamp: tuple[str | int, ...]
    """What the shard's stamp begins with."""

    def shard(self, form: str = "text", columns: Columns = NO_COLUMNS, label: str | None = None) -> Shard:
        """Return the shard, read as a format of `FORMATS`; all its lines may be of one class.

        Raises:
            UsageError: the format has no columns.
        """
        if columns and form in ("text", "fasta", "smiles"):
            name = self.stream.name
            raise UsageError(f"{name} has no columns, as {form}; leave corpus.column and --label-column out")
        stamp = (*self.stamp, form, columns.text, columns.label, label or "")
        return Shard(self.stream.name, stamp, partial(FORMATS[form], self.stream, columns), label)


def is_current(shard: Shard) -> bool:
    """Tell whether the file of a shard still is what it was when the shard was made."""
    return stamp_of(Path(str(shard.stamp[0]))) == shard.stamp[:3]


# --- archives -----------------------------------------------------------------------------------------------------


def members(path: Path, cache: Path) -> tuple[list[Found], dict[str, int]]:
    """Return the visible regular members of a tar archive, and how many entries were passed over, by kind.

    Their list is kept in the cache.

    Raises:
        TextganError: the archive is damaged, cut short, or a bomb.
    """
    stamp = stamp_of(path)
    listed, left_out = archives.members(path, cache)
    found = (Found(member.name, archives.stream_of(stamp, member), (*stamp, member.offset)) for member in listed)
    return list(found), left_out


# --- anything -----------------------------------------------------------------------------------------------------


def existing(name: str) -> Path | None:
    """Return the absolute path of that name, if there is one; a name too long or of no user's home is none."""
    try:
        path = Path(name).expanduser().absolute()
        return path if name and path.exists() else None
    except (OSError, RuntimeError):
        return None


def resolve(name: str, *, column: str, label_column: str, cache: Path) -> Source | None:
    """Return the source behind a path, a glob, or "-" for standard input; None if there is no such file.

    Args:
        name: a file of any of `FORMATS`, packed or not, a tar archive, a folder of such files, or a glob of them.
        column: as in `shard_of`.
        label_column: as in `shard_of`; "@file" for the file's name without extensions.
        cache: folder for what standard input held, and for lists of archives.

    Raises:
        TextganError: a file cannot be read or is damaged, there is none, or it is neither a file nor a folder.
        UsageError: standard input is empty or a terminal, or the format has no such column.
    """
    if name == STDIN:
        title, files = "stdin", [spool(sys.stdin.buffer if sys.stdin else None, cache)]
    elif path := existing(name):
        title, files = printable(path.name), files_of(path)
    elif has_magic(name):
        title, files = printable(name), _matching(name)
    else:
        return None
    columns = Columns(column, "" if label_column == BY_FILE else label_column)
    shards: list[Shard] = []
    left_out: Counter[str] = Counter()
    for file in files:
        found, others = _found(file, cache)
        left_out.update(others)
        for item in found:
            form = format_of(item.name, item.stream.head() if item.stream.path else b"", columns)
            shards.append(item.shard(form, columns, printable(stem(item.name)[0]) if label_column == BY_FILE else None))
    short = "files" if has_magic(title) else stem(title)[0]
    return Source(short, title, tuple(shards), labelled=bool(columns.label), left_out=dict(left_out))


def _found(file: Path, cache: Path) -> tuple[list[Found], dict[str, int]]:
    """Return the file itself or, of an archive, its text members."""
    stream = file_stream(file)
    if not archives.is_tar(stream.head()):
        return [Found(file.name, stream, stamp_of(file))], {}
    found, left_out = members(file, cache)
    if not found:
        raise TextganError(f"{file} holds no regular files; give an archive of UTF-8 text files")
    return _text_first(found, lambda member: member.name), left_out


def files_of(path: Path) -> list[Path]:
    """Return the file itself, or a folder's files, at any depth, sorted: those named as text if any are, else all.

    Hidden files and folders are passed over.

    Raises:
        TextganError: the folder holds no file, or the path is neither a file nor a folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TextganError(f"{path} is neither a file nor a folder; give a UTF-8 text file or a folder of them")
    visible = sorted(file for file in path.rglob("*") if file.is_file() and not hidden(file.relative_to(path)))
    if not visible:
        raise TextganError(f"{path} holds no text file; give a UTF-8 text file or a folder of them")
    return _text_first(visible, str)


def _text_first(files: list[Item], name: Callable[[Item], str]) -> list[Item]:
    """Return the files whose name tells a format; all of them if none does."""
    return [file for file in files if stem(name(file))[1]] or files


def _matching(pattern: str) -> list[Path]:
    found = glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
    files = sorted(path.absolute() for path in map(Path, found) if path.is_file())
    if not files:
        raise UsageError(f"no file matches {pattern!r}; give a UTF-8 text file, a folder, or a glob of files")
    return files


def absolute(name: str, cache: Path) -> str | None:
    """Return a name of the same text that holds in any folder, and after standard input is gone; None if it is none.

    Raises:
        UsageError: standard input is closed, empty, or a terminal.
    """
    if name == STDIN:
        return str(spool(sys.stdin.buffer if sys.stdin else None, cache))
    if name.startswith(oracles.GRAMMAR):
        return oracles.settled(name)
    if path := existing(name):
        return str(path)
    return str(Path(name).expanduser().absolute()) if has_magic(name) and not PREFIXED.match(name) else None


def spool(stdin: BinaryIO | None, cache: Path) -> Path:
    """Keep what standard input holds as a file in the cache, named by its digest.

    Raises:
        UsageError: it is closed, empty, or a terminal.
        TextganError: the cache cannot be written.
    """
    nothing = UsageError("no text on standard input; pipe some into the command, or name a file")
    if stdin is None or stdin.isatty():
        raise nothing

    def fill(fresh: Path) -> str:
        digest = sha256()
        with fresh.open("wb") as file:
            while chunk := stdin.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
            if not file.tell():
                raise nothing
        return f"stdin-{digest.hexdigest()}.txt"

    with matrix.writing(cache):
        return write_named(cache / "text", "stdin", fill)
