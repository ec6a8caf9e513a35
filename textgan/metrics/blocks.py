"""Tables of all pairs of rows, cut so that they fit in memory."""

from __future__ import annotations

HELD = 1 << 22  # numbers held at a time


def blocks(count: int, width: int) -> list[slice]:
    """Cut so many rows, each of which takes `width` numbers, into blocks of bounded size."""
    step = max(1, HELD // max(width, 1))
    return [slice(start, start + step) for start in range(0, count, step)]
