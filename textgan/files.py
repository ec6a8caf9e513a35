"""Files and folders that are whole or absent: written beside, synced, renamed; a folder with a manifest of its own."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from textgan import bounded
from textgan.errors import CorruptError, FormatError, TextganError

MANIFEST = "manifest.json"
SURROGATES = re.compile("[\ud800-\udfff]")  # which no file in UTF-8 can hold


def dump_json(value: Any) -> str:
    """Strict JSON, indented; NaN and infinities are errors. Names of files that are not UTF-8 come back as they are."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@contextmanager
def writing(place: Path | str, advice: str) -> Iterator[None]:
    """Turn a full disk, or a folder that cannot be written, into one line that ends in what to do.

    Raises:
        TextganError: in the place of any OSError but a broken pipe, which is no disk.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TextganError(f"cannot write to {place}: {error.strerror or error}; {advice}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield where to write a file; it takes the place of `path` if all goes well, else nothing is left of it."""
    with _beside(path) as fresh:
        yield fresh
        _sync(fresh)
        _put(fresh, path)


def write_text(path: Path, text: str) -> None:
    """Make or replace a text file as a whole."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Make or replace a file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_bytes(content)


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file all of it or, where the disk has no room, nothing."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while content:
                content = content[file.write(content) :]
        except OSError:
            file.truncate(size)
            raise


def read_lines(path: Path) -> list[str]:
    """Return the lines of a log.

    Raises:
        CorruptError: it is larger than any log, or no file.
    """
    try:
        return bounded.read_text(path, bounded.LOG, errors="replace").split("\n")
    except ValueError as error:
        raise CorruptError(f"{path} cannot be read: {error}; remove it to go without it") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a log, one a line, but for what is none: a row that a kill cut short.

    Raises:
        CorruptError: it is larger than any log, or no file.
    """
    found = []
    for line in read_lines(path):
        with suppress(ValueError):
            found.append(bounded.parse_json(line))
    return [row for row in found if isinstance(row, dict)]


def read_record(
    path: Path, advice: str = "restore it", *, oldest: int = 1, newest: int = 1, unsaid: int | None = None,
    content: bytes | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read a JSON object that says of which format it is, as `schema`.

    Args:
        path: of the file.
        advice: what to do about a damaged one.
        oldest: format that can still be read.
        newest: format that is written.
        unsaid: format of a file that says none; None where all say theirs.
        content: what the file holds, where it has been read.

    Raises:
        CorruptError: it is not there, no JSON object, or says no format.
        FormatError: it is of a newer format, or of one that is no longer read.
    """
    try:
        text = bounded.read_text(path) if content is None else content.decode()
        record: dict[str, Any] = bounded.parse_json(text)
        if not isinstance(record, dict):
            raise ValueError("it is no JSON object")
        schema = record.get("schema", unsaid)
        if type(schema) is not int:  # a bool is an int too
            raise ValueError("it does not say its format")
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise CorruptError(f"{path} is missing or damaged ({reason}); {advice}") from error
    if schema > newest:
        raise FormatError(f"{path} is of format {schema}, and this textgan reads {newest}; upgrade textgan")
    if schema < oldest:
        raise FormatError(f"{path} is of format {schema}, which is no longer read; use the textgan that wrote it")
    return record


def reopened(path: Path, size: int) -> BinaryIO:
    """Open a file to go on after its first `size` bytes; for none, a new one."""
    file = path.open("r+b" if size else "wb")
    file.truncate(size)
    file.seek(size)
    return file


def sync(file: BinaryIO) -> None:
    """Bring what was written to an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_named(folder: Path, draft: str, fill: Callable[[Path], str]) -> Path:
    """Make a file as a whole whose name settles its content, and return its path; one that is there stays.

    Args:
        folder: where; it is made.
        draft: what the file is called while it is written.
        fill: writes the file it is given, and returns its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _beside(folder / draft) as fresh:
        path = folder / fill(fresh)
        if not path.is_file():
            _sync(fresh)
            _put(fresh, path)
    return path


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make or replace a folder as a whole: `fill` writes its files, a manifest of sizes and digests comes last.

    Args:
        folder: its path; the folders above it are made.
        fill: is given an empty folder beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _beside(folder) as fresh:
        fresh.mkdir()
        fill(fresh)
        seal(fresh)
        _put(fresh, folder)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `folder`, new or empty, if all goes well, else nothing is left of it.

    Raises:
        OSError: there are files in `folder` by then; they stay as they are.
    """
    with _beside(folder) as fresh:
        fresh.mkdir()
        yield fresh
        fresh.replace(folder)


def seal(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the manifest of a folder whose files are finished, and bring it all to the disk.

    Returns:
        Size in bytes and digest of each file, by name.
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in _files(folder)
        if path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(dump_json({"schema": 1, "files": files}), encoding="utf-8")
    _sync(*_files(folder), folder)
    return files


def move_folder(fresh: Path, folder: Path, *, once: bool = False) -> None:
    """Move a sealed folder to its place on the same disk.

    Args:
        fresh: what was sealed; its parent may take what stood in the place before.
        folder: its place; the folders above it are made.
        once: the name settles the content, so that what is there, whole, stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if once and is_whole(folder):
        return
    try:
        _put(fresh, folder)
    except OSError:  # another process was faster
        if not (once and is_whole(folder)):
            raise


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with bounded.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_folder(folder: Path, *names: str, digests: bool = True) -> None:
    """Check a folder against its manifest: the sizes of its files and, unless told not to read them, their digests.

    Args:
        folder: what `write_folder` made.
        names: the files to check, all of which must be in the manifest; without any, all that it lists.
        digests: read the files.

    Raises:
        CorruptError: a file is missing, of another size, or of another digest; the line names it.
        FormatError: the manifest is of a newer format.
    """
    manifest = read_record(folder / MANIFEST, f"restore it, or remove {folder}")
    try:
        files = manifest["files"]
        for name in names or files:
            path, expected = folder / Path(name).name, files[name]
            if not path.is_file():
                raise CorruptError(f"{path} is missing; restore it, or remove {folder} to go without it")
            if path.stat().st_size != expected["bytes"] or (digests and sha256(path) != expected["sha256"]):
                raise CorruptError(f"{path} is damaged (not what its manifest says); restore it, or remove {folder}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{folder / MANIFEST} is missing or damaged; restore it, or remove {folder}") from error


def listed(folder: Path) -> dict[str, str]:
    """Return the digest of each file that the manifest of a folder lists, by name.

    Raises:
        CorruptError: there is no such manifest.
        FormatError: it is of a newer format.
    """
    path, advice = folder / MANIFEST, f"restore it, or remove {folder}"
    files = read_record(path, advice).get("files")
    try:
        return {name: entry["sha256"] for name, entry in dict(files or {}).items()}
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptError(f"{path} is missing or damaged; {advice}") from error


def read_checked(path: Path, digests: Mapping[str, str], read: Callable[[Path], bytes] = bounded.read_bytes) -> bytes:
    """Read a file of a folder once, and check what was read, so that nothing can change in between.

    Args:
        path: of the file.
        digests: what `listed` says of the folder.
        read: reads it, in bounds.

    Raises:
        CorruptError: it is missing, cannot be read, is out of bounds, or of another digest.
    """
    try:
        content = read(path)
    except FileNotFoundError:
        raise CorruptError(f"{path} is missing; restore it, or remove {path.parent} to go without it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorruptError(f"{path} cannot be read: {reason}; restore it, or remove {path.parent}") from error
    if hashlib.sha256(content).hexdigest() != digests.get(path.name):
        raise CorruptError(f"{path} is damaged (not what its manifest says); restore it, or remove {path.parent}")
    return content


def open_lock(path: Path) -> FileIO:
    """Open a file to lock it, made where it is missing; what a link leads to is neither opened nor emptied.

    Raises:
        OSError: it cannot be made, or a link or no file is in its place.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileExistsError(errno.EEXIST, "something else is in the place of a lock", str(path))
    return os.fdopen(handle, "ab", buffering=0)


def is_whole(folder: Path) -> bool:
    """Return whether all files of the manifest are there in full size; what they hold is not read."""
    try:
        verify_folder(folder, digests=False)
    except (CorruptError, FormatError):
        return False
    return True


def sweep(folder: Path, *, quiet: float = 0.0, own: bool = False) -> None:
    """Remove what killed processes left half-written in a folder.

    Args:
        folder: need not exist.
        quiet: spare what changed so lately: another machine's process, of which this one cannot know. [s]
        own: this process writes nothing there yet: what bears its id is of an earlier one, as the first of a container
            always has the same.
    """
    for path in folder.glob(".*.tmp"):
        process = path.name.split(".")[-2]
        if process.isdecimal() and not _alive(int(process), own) and _age(path) >= quiet:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a hidden folder beside it, which bears this process' id and goes in the end."""
    suffix = f".{os.getpid()}.tmp"  # what `sweep` looks for
    with TemporaryDirectory(suffix, f".{path.name}.", path.parent, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch) / path.name


def _put(fresh: Path, path: Path) -> None:
    """Rename into place; an old folder, which no one move can replace, steps aside and goes with what is beside."""
    aside = fresh.with_name("old " + path.name)
    if path.is_dir():
        path.replace(aside)
    try:
        fresh.replace(path)
    except OSError:
        if aside.exists():
            aside.replace(path)
        raise
    _sync(path.parent)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _sync(*paths: Path) -> None:
    """Flush files and folders to the disk."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _age(path: Path) -> float:
    """Seconds since the last change, or until it, if the clock went back; 0 if another process removed it first."""
    try:
        return abs(time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0


def _alive(process: int, own: bool) -> bool:
    if process == os.getpid():
        return not own
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
