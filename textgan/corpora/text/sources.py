r"""Files of text, read as lines: binary, split on "\n" alone, decoded line by line, in blocks of bounded size.

`str.splitlines` and text mode would also split at a lone "\r", at U+2028 and at other characters that are text.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from textgan.errors import TextganError

CHUNK = 1 << 22  # bytes read at a time
# A longer line is read as several, so that a book on one line still has lines to split. It holds the longest row:
# 4,096 characters of at most 4 bytes. [bytes]
LONGEST = 1 << 14


@dataclass
class Damage:
    """What reading met that is not as it should be, by kind."""

    errors: str = "strict"
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, shard: str, line: int, count: int = 1) -> None:
        """Count damage of a kind; the first place of each kind is kept."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.first.setdefault(kind, f"{shard}:{line}")


@dataclass(frozen=True)
class Shard:
    """One stream of lines: a file, or a member of an archive."""

    name: str
    stamp: tuple[str | int, ...]
    read: Callable[[Damage], Iterator[bytes]]
    label: str | None = None


@dataclass(frozen=True)
class Source:
    """Shards of text, and how their lines part into training and held-out ones."""

    name: str
    title: str
    training: tuple[Shard, ...]
    heldout: tuple[Shard, ...] = ()
    split: str = "hash of the line"
    deduplicate: bool = False
    labelled: bool = False


def shard_of(
    path: Path, *, format: str = "text", column: str = "", label_column: str = "", label: str | None = None  # noqa: A002
) -> Shard:
    """Return the shard of a file (stub: plain and .gz text)."""

    def read(damage: Damage) -> Iterator[bytes]:
        opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            content = file.read()
        yield content if content.endswith(b"\n") else content + b"\n"

    return Shard(str(path), _stamp(path), read, label)


@dataclass
class Tally:
    """What reading met."""

    read: int = 0
    empty: int = 0
    duplicates: int = 0
    undecodable: int = 0
    """Lines that are not UTF-8, whether left out or repaired."""
    first_undecodable: Path | None = None


def existing(name: str) -> Path | None:
    """Return the absolute path of that name, if there is one; a name too long or of no user's home is none."""
    try:
        path = Path(name).expanduser().absolute()
        return path if name and path.exists() else None
    except (OSError, RuntimeError):
        return None


def text_files(path: Path) -> tuple[Path, ...]:
    """Return the file itself, or a folder's .txt files (all its visible files where none is .txt), sorted.

    Raises:
        TextganError: the folder holds no file, or the path is neither a file nor a folder.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise TextganError(f"{path} is neither a file nor a folder; give a UTF-8 text file or a folder of them")
    visible = sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file.relative_to(path)))
    files = [file for file in visible if file.suffix == ".txt"] or visible
    if not files:
        raise TextganError(f"{path} holds no text file; give a UTF-8 text file or a folder of them")
    return tuple(files)


def stamps(files: tuple[Path, ...]) -> list[tuple[str, int, int]]:
    """Return (path, size, time of last change) of each file, in bytes and nanoseconds."""
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from None
    return str(file), stat.st_size, stat.st_mtime_ns


def _unreadable(file: Path, error: OSError) -> TextganError:
    return TextganError(f"cannot read {file}: {error.strerror}")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_blocks(path: Path, *, errors: str, tally: Tally) -> Iterator[list[str]]:
    """Yield the lines of a file that hold more than white space, in blocks of about `CHUNK` bytes.

    Args:
        path: a UTF-8 file, with or without a byte order mark, with "\\n" or "\\r\\n" line ends.
        errors: "replace" puts U+FFFD for bytes that are not UTF-8, anything else leaves such lines out.
        tally: counts what is met.

    Raises:
        TextganError: the file cannot be read, or is binary.
    """
    for raw in _raw_blocks(path):
        tally.read += len(raw)
        decoded = _decode(raw, path, errors, tally)
        lines = [line for line in decoded if line and not line.isspace()]
        tally.empty += len(decoded) - len(lines)
        yield lines


def _raw_blocks(path: Path) -> Iterator[list[bytes]]:
    rest = b""
    try:
        with path.open("rb") as file:
            if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                file.seek(0)
            while chunk := file.read(CHUNK):
                if b"\0" in chunk:
                    raise TextganError(f"{path} is a binary file (it holds NUL bytes); save it as plain UTF-8 text")
                *lines, rest = (rest + chunk).split(b"\n")
                *pieces, rest = _pieces(rest, spare=1)  # its last byte may be half of a line end
                yield [piece for line in lines for piece in _pieces(line.removesuffix(b"\r"))] + pieces
    except OSError as error:
        raise _unreadable(path, error) from None
    if rest:
        yield [rest.removesuffix(b"\r")]


def _pieces(line: bytes, spare: int = 0) -> list[bytes]:
    """Break a line longer than `LONGEST + spare`, at a space where there is one, else between two characters."""
    if len(line) <= LONGEST + spare:
        return [line]
    pieces, start = [], 0
    while len(line) - start > LONGEST + spare:
        end = line.rfind(b" ", start, start + LONGEST) + 1 or _character_start(line, start + LONGEST)
        pieces.append(line[start:end])
        start = end
    return [*pieces, line[start:]]


def _character_start(line: bytes, at: int) -> int:
    return next((i for i in range(at, at - 4, -1) if line[i] & 0xC0 != 0x80), at)


def _decode(raw: list[bytes], path: Path, errors: str, tally: Tally) -> list[str]:
    try:
        return [line.decode() for line in raw]
    except UnicodeDecodeError:
        return list(_decode_each(raw, path, errors, tally))


def _decode_each(raw: list[bytes], path: Path, errors: str, tally: Tally) -> Iterator[str]:
    for line in raw:
        try:
            yield line.decode()
        except UnicodeDecodeError:
            tally.undecodable += 1
            tally.first_undecodable = tally.first_undecodable or path
            if errors == "replace":
                yield line.decode(errors="replace")


def first_undecodable_line(path: Path) -> int:
    """Return the number, from 1, of a file's first line that is not UTF-8; 0 where every line is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    number = 1
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
                number += chunk.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return number + error.object[: error.start].count(b"\n")
    return 0
