"""Text from elsewhere as harmless HTML, and what in a sample the training text does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.metrics.ngrams import NGrams

NEW = 4  # length of the n-grams that are looked up in the training text
SHOWN = 400  # characters of a line that are shown


def plain(text: str) -> str:
    """Escape text for HTML; what is not printable is spelt out, as U+202E, so that it commands nothing."""
    return "".join(escape(char) if _harmless(char) else _sign(char) for char in text)


def visible(text: str) -> str:
    """As `plain`, with the spelt-out characters set apart."""
    return "".join(_run(fine, run) for fine, run in groupby(text, _harmless))


def marked(text: str, mask: npt.NDArray[np.bool_]) -> str:
    """Write a line for the eye, the masked characters within <mark>; beyond 400 characters it is cut, which is told.

    Args:
        text: a line.
        mask: one value a character, (characters,).
    """
    if not text:
        return '<span class="aside">(empty line)</span>'
    shown = zip(text[:SHOWN], mask[:SHOWN].tolist(), strict=True)
    runs = [(new, visible("".join(char for char, _ in run))) for new, run in groupby(shown, lambda pair: pair[1])]
    left = f'<span class="aside"> … {len(text) - SHOWN:,} more characters</span>' if len(text) > SHOWN else ""
    return "".join(f"<mark>{part}</mark>" if new else part for new, part in runs) + left


def unseen(lines: Sequence[str], text: Sequence[str], n: int = NEW) -> list[npt.NDArray[np.bool_]]:
    """Mark the characters of each line that lie in an n-gram that occurs in no line of a text.

    Args:
        lines: few lines, those shown.
        text: any number of lines.
        n: length of the n-grams. [characters]

    Returns:
        For each line one value a character, (characters,).
    """
    ngrams = NGrams(lines)
    known = ngrams.count(ngrams.encode(text), n).keys
    return [_covered(_new(line, ngrams, known, n), n, len(line)) for line in lines]


def copied(lines: Iterable[str], text: Iterable[str]) -> set[str]:
    """Those of some lines that are lines of a text; not the empty one."""
    wanted = set(lines) - {""}
    return {line for line in text if line in wanted}


def _new(line: str, ngrams: NGrams, known: npt.NDArray[Any], n: int) -> npt.NDArray[np.bool_]:
    """Which n-grams of a line, by first position, are not known, (characters - n + 1,)."""
    if len(line) < n:
        return np.zeros(0, dtype=bool)
    ids = next(iter(ngrams.encode([line]))).ids
    return ~np.isin(ngrams.codes(ids, n), known)


def _covered(starts: npt.NDArray[np.bool_], n: int, length: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(length, dtype=bool)
    for place in np.flatnonzero(starts):
        mask[place : place + n] = True
    return mask


def _harmless(char: str) -> bool:
    """Printable, or a space of any width."""
    return char.isprintable() or char in "\u00a0\u2002\u2003\u2009\u3000"


def _sign(char: str) -> str:
    return f"U+{ord(char):04X}"


def _run(fine: bool, run: Iterable[str]) -> str:
    if fine:
        return escape("".join(run))
    return "".join(f'<b class="control">{_sign(char)}</b>' for char in run)
