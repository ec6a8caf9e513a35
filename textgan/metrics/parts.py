"""Parts of large texts, chosen by chance, so that what is slow stays bounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgan.metrics.lines import few, pick

LONGEST = 4096  # characters of a line that are looked at
CHARACTERS = 1 << 27  # of one text, that are looked at


def some(lines: Sequence[str], count: int, *, rng: np.random.Generator) -> list[str]:
    """Up to `count` of the lines, without replacement, in random order; the first k of them are as random."""
    chosen = rng.choice(len(lines), min(count, len(lines)), replace=False)
    return pick(lines, chosen)


def bounded(lines: Sequence[str]) -> list[str]:
    """At most 500,000 of the lines, each cut at 4,096 characters, and of those only every k-th if need be.

    k is the least that leaves about 134 million characters.
    """
    cut = [line[:LONGEST] for line in few(lines)]
    return cut[:: max(-(-sum(map(len, cut)) // CHARACTERS), 1)]
