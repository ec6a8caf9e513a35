"""What can go wrong for a user: one clear line that says what to do, and the exit code that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TextganError(Exception):
    """A data or runtime error; its text is the one line the user sees. Exit code 1."""

    exit_code = 1


class KilledError(TextganError):
    """A helper process was killed, often for want of memory; what it did stays, to go on from. Exit code 1."""


class UsageError(TextganError):
    """An unknown key, name or value in a command or a configuration. Exit code 2."""

    exit_code = 2


class GateError(TextganError):
    """A number is beyond the limit that the user set for it. Exit code 3."""

    exit_code = 3


class DivergedError(TextganError):
    """A loss or gradient stopped being finite; nothing was updated with it. Exit code 4."""

    exit_code = 4


class CorruptError(TextganError):
    """A checkpoint or model folder does not hold what its manifest says. Exit code 5."""

    exit_code = 5


class ElsewhereError(TextganError):
    """Another process of this run could not go on, and says why itself. Its exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class FormatError(TextganError):
    """A file says that it is of a format which this textgan does not read. Exit code 1."""


NO_MEMORY = ("can't allocate memory", "DefaultCPUAllocator", "out of memory", "Storage size calculation overflowed")
"""How torch words it, each on some device."""


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error is a lack of memory, however it is told."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def near_miss(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known name, else "; known: a, b, c"."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
