"""A block of wire bytes to clean lines: decoded, without empty ones, normalised and filtered as asked, all counted."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Literal, cast

from textgan.corpora.text.wire import split_labelled, split_lines

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
    raw: list[bytes]
    """The UTF-8 of each."""
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
        self.raw = list(compress(self.raw, wanted))
        if self.labels is not None:
            self.labels = list(compress(self.labels, wanted))

    def rewrite(self, lines: Iterable[str]) -> None:
        """Put other lines in the place of these."""
        self.lines = list(lines)
        self.raw = list(map(str.encode, self.lines))


def clean(block: bytes, rules: Rules, label: str | None = None) -> Cleaned:
    """Clean the lines of a block.

    Args:
        block: whole lines, as a shard gives them.
        rules: what is asked for.
        label: the label of all its lines, where the shard decides it.
    """
    if rules.labelled:
        labels, texts = split_labelled(block)
    else:
        labels, texts = None, split_lines(block)
    cleaned = _decode(texts, labels, rules.errors)
    if label is not None:
        cleaned.labels = [label] * len(cleaned.lines)
    if not all(map(str.strip, cleaned.lines)):
        cleaned.keep([bool(line.strip()) for line in cleaned.lines], "empty")
    if rules.normalise != "none":
        form = cast(NormalForm, rules.normalise)
        cleaned.rewrite(line if line.isascii() else unicodedata.normalize(form, line) for line in cleaned.lines)
    if rules.lower:
        cleaned.rewrite(map(str.lower, cleaned.lines))
    if rules.shortest:
        cleaned.keep([len(line) >= rules.shortest for line in cleaned.lines], "too short")
    if rules.longest:
        cleaned.keep([len(line) <= rules.longest for line in cleaned.lines], "too long")
    return cleaned


def _decode(texts: list[bytes], labels: list[bytes] | None, errors: str) -> Cleaned:
    names = None if labels is None else [label.decode(errors="replace") for label in labels]
    try:
        return Cleaned(list(map(bytes.decode, texts)), texts, len(texts), names)
    except UnicodeDecodeError:
        return _decode_each(texts, names, errors)


def _decode_each(texts: list[bytes], labels: list[str] | None, errors: str) -> Cleaned:
    cleaned = Cleaned([], [], len(texts), labels)
    cleaned.rewrite(text.decode(errors="replace") for text in texts)
    fine = [_is_utf8(text) for text in texts]
    cleaned.undecodable, cleaned.first_undecodable = len(fine) - sum(fine), fine.index(False) + 1
    if errors != "replace":
        cleaned.keep(fine, "not UTF-8")
    return cleaned


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
