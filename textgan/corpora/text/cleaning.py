"""A block of wire bytes to clean lines: decoded, without empty ones, normalised and filtered as asked, all counted."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Literal, cast

from textgan.corpora.text.streams import split_lines

NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True)
class Rules:
    """How lines are cleaned, and which of them are held out."""

    errors: str = "strict"
    """Lines that are not UTF-8: "replace" mends them; otherwise they are left out, which "strict" then refuses."""
    labelled: bool = False
    """A wire line is a label, a tab, and the text."""
    normalise: str = "none"
    """A Unicode normal form, NFC, NFD, NFKC or NFKD, or none."""
    lower: bool = False
    shortest: int = 0
    """Lines of fewer characters are left out. [characters]"""
    longest: int = 0
    """Lines of more characters are left out; 0 keeps them. [characters]"""
    heldout: float = 0.0
    """Share of the lines held out by hash, where the source has no held-out lines of its own. [share]"""


@dataclass
class Cleaned:
    """The lines of a block that stay, and what became of the others."""

    lines: list[str]
    read: int
    """Lines of the block, all of them."""
    labels: list[str] | None = None
    """A label a line, where the source has labels."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Lines left out, by reason."""
    undecodable: int = 0
    """Lines that are not UTF-8, mended or left out."""
    first_undecodable: int = 0
    """Number of the first of these within the block, from 1; 0 without any."""

    def keep(self, wanted: Iterable[bool], reason: str) -> None:
        """Leave out the lines that are not wanted."""
        wanted = list(wanted)
        if all(wanted):
            return
        self.dropped[reason] += len(wanted) - sum(wanted)
        self.lines = list(compress(self.lines, wanted))
        if self.labels is not None:
            self.labels = list(compress(self.labels, wanted))


def clean(block: bytes, rules: Rules, label: str | None = None) -> Cleaned:
    """Clean the lines of a block.

    Args:
        block: whole lines, as a shard gives them.
        rules: what is asked for.
        label: the label of all its lines, where the shard decides it.
    """
    cleaned = _decode(split_lines(block), rules.errors)
    if rules.labelled:
        pairs = [line.partition("\t")[::2] for line in cleaned.lines]
        cleaned.labels, cleaned.lines = [name for name, _ in pairs], [text for _, text in pairs]
    elif label is not None:
        cleaned.labels = [label] * len(cleaned.lines)
    cleaned.keep([line != "" and not line.isspace() for line in cleaned.lines], "empty")
    if rules.normalise != "none":
        form = cast(NormalForm, rules.normalise)
        cleaned.lines = [line if line.isascii() else unicodedata.normalize(form, line) for line in cleaned.lines]
    if rules.lower:
        cleaned.lines = [line.lower() for line in cleaned.lines]
    if rules.shortest:
        cleaned.keep([len(line) >= rules.shortest for line in cleaned.lines], "too short")
    if rules.longest:
        cleaned.keep([len(line) <= rules.longest for line in cleaned.lines], "too long")
    return cleaned


def _decode(raw: list[bytes], errors: str) -> Cleaned:
    try:
        return Cleaned([line.decode() for line in raw], len(raw))
    except UnicodeDecodeError:
        return _decode_each(raw, errors)


def _decode_each(raw: list[bytes], errors: str) -> Cleaned:
    cleaned = Cleaned([], len(raw))
    for number, line in enumerate(raw, 1):
        try:
            cleaned.lines.append(line.decode())
        except UnicodeDecodeError:
            cleaned.undecodable += 1
            cleaned.first_undecodable = cleaned.first_undecodable or number
            if errors == "replace":
                cleaned.lines.append(line.decode(errors="replace"))
            else:
                cleaned.dropped["not UTF-8"] += 1
    return cleaned
