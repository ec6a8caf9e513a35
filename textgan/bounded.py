"""Reading files that strangers may have written: regular files alone, of so many bytes at most, strict JSON, and TOML.

What is wrong is a ValueError of a few words, out of which who reads makes a line that says what to do.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import tomllib
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, NoReturn

SETTINGS = 1 << 20  # of a file of settings, or a lock [bytes]
TEXT = 1 << 24  # of what is parsed at once: the largest alphabet and tokenizer have less [bytes]
LOG = 1 << 28  # of a run's log: a million rows [bytes]
HEADER = 1 << 20  # of a file of tensors: ten thousand names [bytes]
DEEPEST = 32  # tables within tables
DEEP = f"it is nested more than {DEEPEST} deep"
BITS = 128  # of a whole number, which any float takes


def opened(path: Path) -> BufferedReader:
    """Open a regular file, wherever links lead; a pipe or a device, which could hold the reader up, is not opened.

    Raises:
        ValueError: it is no regular file.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # another one by now
        file.close()
        raise ValueError("it is no regular file")
    return file


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


def read_bytes(path: Path, most: int = TEXT) -> bytes:
    """Return the content of a regular file, which is looked at before memory is taken for it.

    Args:
        path: the file.
        most: how much it may hold. [bytes]

    Raises:
        ValueError: it is no regular file, holds more, or changes while it is read.
        OSError: it cannot be read.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"it has {size:,} bytes, and {most:,} are the most")
        content = file.read(size + 1) or b""
    if len(content) != size:
        raise ValueError("it changes while it is read")
    return content


def read_text(path: Path, most: int = TEXT, errors: str = "strict") -> str:
    """Return the UTF-8 text of a file, without a byte order mark; raises what `read_bytes` does."""
    return read_bytes(path, most).decode("utf-8-sig", errors)


def read_json(path: Path, most: int = TEXT) -> Any:
    """Return the value of a JSON file; raises what `read_bytes` and `parse_json` do."""
    return parse_json(read_text(path, most))


def check_header(tensors: bytes) -> None:
    """Check how long a safetensors file says that its header is, in its first 8 bytes.

    Raises:
        ValueError: longer than any that is written here; to parse it would take many times as much memory.
    """
    if (size := int.from_bytes(tensors[:8], "little")) > HEADER:
        raise ValueError(f"the header of its tensors has {size:,} bytes, and {HEADER:,} are the most")


def parse_json(text: str) -> Any:
    """Return the value of strict JSON: finite numbers, names once in a table, few tables within tables.

    Raises:
        ValueError: it is none.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(DEEP) from None
    _check(value)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of TOML, few within each other.

    Raises:
        ValueError: it is none.
    """
    if _LONG_KEY.search(text):  # over which tomllib would take hours
        raise ValueError(DEEP)
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise ValueError(DEEP) from None
    _check(tree)
    return tree


def _check(value: Any) -> None:
    """Refuse tables too deep within each other, and whole numbers too large for a float."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        held = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(inner, int) and inner.bit_length() > BITS for inner in held):
            raise ValueError(f"a whole number of more than {BITS} bits")
        level = [inner for inner in held if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError(DEEP)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in a table")
    return found


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError("a number that is not finite")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no number of JSON")


_LONG_KEY = re.compile(rf"(?<![\w.\"'-])(?:(?:[\w-]++|\"[^\"\n]*\"|'[^'\n]*')[ \t]*+\.[ \t]*+){{{DEEPEST}}}")
_DECODER = json.JSONDecoder(object_pairs_hook=_table, parse_float=_finite, parse_constant=_no_number)
