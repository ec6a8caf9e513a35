"""The alphabet of the training lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from textgan.spaces import Text

CODE_POINTS = 0x110000
Counts = npt.NDArray[np.int64]
"""How often each code point occurs, (0x110000,)."""


def count(lines: Sequence[str]) -> Counts:
    """Count the characters of lines."""
    codes = np.frombuffer("".join(lines).encode("utf-32-le"), dtype=np.uint32)
    return np.bincount(codes, minlength=CODE_POINTS)


def text_space(counts: Counts, *, length: int, pad: str, max_symbols: int) -> Text:
    """Build the space whose symbols are the commonest characters, ties by code point.

    With `pad = "backtick"` the backtick is the pad and so no symbol.
    """
    from textgan import spaces

    counts = counts.copy()
    if pad == "backtick":
        counts[ord(spaces.BACKTICK)] = 0
    ranked = np.argsort(-counts, kind="stable")
    present = int(np.count_nonzero(counts))
    kept = tuple(map(chr, ranked[: min(present, max_symbols)].tolist()))
    return spaces.Text(kept, length, pad, knows_unknown=present > len(kept))


def outside(counts: Counts, space: Text) -> int:
    """Return how many of the counted characters the space has no symbol for."""
    known = sum(int(counts[ord(symbol)]) for symbol in space.symbols)
    backticks = int(counts[ord("`")]) if space.pad == "backtick" else 0
    return int(counts.sum()) - known - backticks
