"""Loading text as public ports write it: lines as tuples of characters, a dictionary for the ids."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

PAD = "`"


class Loaded(NamedTuple):
    """Rows of ids, and the character of each id."""

    ids: npt.NDArray[Any]
    """(line, position)"""
    characters: list[str]


def load(path: Path, *, length: int, most: int) -> Loaded:
    """Read a file of lines: cut at `length` characters, pad with "`", keep the `most` commonest characters.

    The last id is that of all others.
    """
    lines = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = tuple(line.rstrip("\n"))[:length]
            lines.append(row + (PAD,) * (length - len(row)))
    counts = Counter(char for line in lines for char in line)
    counts.pop(PAD, None)
    characters = [PAD, *sorted(counts, key=lambda char: (-counts[char], char))[:most], "\N{REPLACEMENT CHARACTER}"]
    place = {char: i for i, char in enumerate(characters)}
    return Loaded(np.array([[place.get(char, len(characters) - 1) for char in line] for line in lines]), characters)
