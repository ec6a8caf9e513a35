"""A named corpus, or a path, to rows of ids on disk: resolve, survey, encode; or find them ready.

Two passes over the text, in bounded memory: the first counts lines and characters and takes the fingerprint, the
second encodes. A second call with the same files and settings reads no text.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgan.corpora import cards, matrix
from textgan.corpora.matrix import Rows
from textgan.corpora.text import alphabet, billion_word, cutting, python_docs, sources
from textgan.corpora.text.sources import Source, Tally
from textgan.corpora.text.split import SIDES, Side, split_blocks
from textgan.errors import TextganError, UsageError, near_miss
from textgan.symbols import Symbols

if TYPE_CHECKING:
    from textgan.spaces import Text

SCHEMA = 1  # part of every key and fingerprint: raise it when the same text gives other rows
Tell = Callable[[str], None]

LAYOUTS = {"billion_word": billion_word.source, "python_docs": python_docs.source}


@dataclass(frozen=True)
class Corpus:
    """Rows of training and of held-out text in one space."""

    name: str
    fingerprint: str
    """Of the settings and the cleaned lines of both sides, hex: equal for equal text from other files."""
    space: Text
    train: Rows
    heldout: Rows
    facts: dict[str, Any]
    """JSON: title, how it was split and cut, and what was counted on the way."""


@dataclass(frozen=True)
class Settings:
    """All that decides the rows, besides the text."""

    heldout: float
    errors: str
    max_lines: int
    length: int
    cut: str
    pad: str
    max_symbols: int


def prepare(
    name: str,
    *,
    data: str,
    heldout: float,
    errors: str,
    max_lines: int,
    length: int,
    cut: str,
    pad: str,
    max_symbols: int,
    cache: Path | str | None = None,
    tell: Tell = lambda line: None,
) -> Corpus:
    """Return the corpus, reading its text only where its rows are not in the cache.

    Args:
        name: a registered corpus, or the path of a UTF-8 text file or of a folder of them.
        data: where a registered corpus lies on this machine.
        heldout: share of lines held out by hash, where the corpus has no split of its own. [share]
        errors: "strict", "replace" or "skip", for lines that are not UTF-8.
        max_lines: most training lines. [lines]
        length: length of a row. [symbols]
        cut: "auto", "line" or "windows".
        pad: "own" or "backtick".
        max_symbols: largest alphabet. [symbols]
        cache: folder for the rows; else TEXTGAN_CACHE, else the user's cache folder.
        tell: receives what a user should know, a line at a time.

    Raises:
        UsageError: the name is neither a corpus nor a path.
        TextganError: the text is missing, empty, binary, not UTF-8 or too short, or the cache cannot be written.
    """
    root = matrix.cache_root(cache)
    settings = Settings(heldout, errors, max_lines, length, cut, pad, max_symbols)
    source = resolve_source(name, data=data, cache=root, tell=tell)
    key = _key(source, settings)
    entry = matrix.recall(root, key)
    if entry is None:
        tell(f"{source.name}: reading the text")
        entry = _build(source, settings, root, tell)
        if key != _key(source, settings):
            raise TextganError(f"{source.name}: the text changed while it was read; run the command again")
        matrix.remember(root, key, entry)
    return _open(source.name, root, entry)


def resolve_source(name: str, *, data: str, cache: Path, tell: Tell) -> Source:
    """Return the files behind a name: a registered corpus first, else an existing path.

    Raises:
        UsageError: neither; the line names the nearest corpus.
        TextganError: the files are missing.
    """
    if name in cards.names():
        card = cards.card(name)
        return LAYOUTS[card.layout](card, data=data, cache=cache, tell=tell)
    path = sources.existing(name)
    if path is None:
        raise UsageError(f"unknown corpus {name!r}, and no such file or folder{near_miss(name, cards.names())}")
    return Source(path.stem, path.name, sources.text_files(path))


@dataclass
class Survey:
    """What the first pass learns."""

    length: int
    tally: Tally = field(default_factory=Tally)
    lines: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    digests: dict[Side, Any] = field(default_factory=lambda: {side: sha256() for side in SIDES})
    heads: alphabet.Counts = field(default_factory=Counter)
    """Characters of training lines up to `length`: all that the line cut keeps."""
    tails: alphabet.Counts = field(default_factory=Counter)
    fitting: int = 0
    """Training lines of at most `length` characters."""

    def add(self, side: Side, block: list[str]) -> None:
        """Count a block of lines."""
        self.lines[side] += len(block)
        self.digests[side].update("".join(f"{line}\n" for line in block).encode())
        if side == "train":
            heads, tails, fitting = alphabet.count("char", block, self.length)
            alphabet.merge(self.heads, heads)
            alphabet.merge(self.tails, tails)
            self.fitting += fitting

    def cut(self, wanted: str) -> str:
        """Return the cut that is used."""
        return cutting.choose(wanted, fitting=self.fitting, lines=self.lines["train"])

    def counts(self, cut: str) -> alphabet.Counts:
        """Return how often each character is in the training text that this cut keeps."""
        return self.heads if cut == "line" else self.heads + self.tails


def _build(source: Source, settings: Settings, root: Path, tell: Tell) -> dict[str, Any]:
    survey = _survey(source, settings)
    _check(source, settings, survey, tell)
    cut = survey.cut(settings.cut)
    counts = survey.counts(cut)
    space = alphabet.build(
        "char", counts, [], length=settings.length, pad=settings.pad, max_symbols=settings.max_symbols
    )
    fingerprint = _fingerprint(space, cut, survey)
    fill = partial(_encode, source, settings, cut, space)
    matrix.write_rows(root, fingerprint, space.to_json(), fill)
    facts = _facts(source, survey, cut, alphabet.outside(counts, space))
    return {"fingerprint": fingerprint, "facts": facts}


def _blocks(source: Source, settings: Settings, tally: Tally) -> Iterator[tuple[Side, list[str]]]:
    return split_blocks(
        source, heldout=settings.heldout, errors=settings.errors, max_lines=settings.max_lines, tally=tally
    )


def _survey(source: Source, settings: Settings) -> Survey:
    survey = Survey(settings.length)
    for side, block in _blocks(source, settings, survey.tally):
        survey.add(side, block)
    return survey


def _check(source: Source, settings: Settings, survey: Survey, tell: Tell) -> None:
    """Refuse text that is not UTF-8 (unless asked to go on) and text too short to split."""
    tally, lines = survey.tally, survey.lines
    if tally.first_undecodable:
        file = tally.first_undecodable
        where = (
            f"lines that are not UTF-8: {tally.undecodable}, the first {file}:{sources.first_undecodable_line(file)}"
        )
        if settings.errors == "strict":
            raise TextganError(f"{where}; mend them, or say -s corpus.errors=replace or -s corpus.errors=skip")
        tell(f"{source.name}: {where} ({settings.errors})")
    if not sum(lines.values()):
        raise TextganError(f"{source.name}: no text in {source.training[0]}; it needs lines that are not empty")
    if not all(lines.values()):
        needed = math.ceil(5 / min(settings.heldout, 1 - settings.heldout))  # then a side is empty once in 150 times
        have = f"lines to train on: {lines['train']}, to hold out: {lines['heldout']}"
        raise TextganError(f"{source.name}: {have}; give at least {needed} different lines, or change corpus.heldout")


def _encode(source: Source, settings: Settings, cut: str, space: Symbols, folder: Path) -> None:
    dtype = np.uint8 if space.size <= 256 else np.uint16
    first = dict.fromkeys(SIDES, 0)
    with (
        matrix.ArrayWriter(folder / "train.ids.npy", dtype, (space.length,)) as train_ids,
        matrix.ArrayWriter(folder / "train.lines.npy", np.uint32) as train_lines,
        matrix.ArrayWriter(folder / "heldout.ids.npy", dtype, (space.length,)) as heldout_ids,
        matrix.ArrayWriter(folder / "heldout.lines.npy", np.uint32) as heldout_lines,
    ):
        writers = {"train": (train_ids, train_lines), "heldout": (heldout_ids, heldout_lines)}
        for side, block in _blocks(source, settings, Tally()):
            ids, lines = writers[side]
            for rows, numbers in cutting.row_blocks(block, space, cut=cut, first=first[side]):
                ids.append(rows)
                lines.append(numbers)
            first[side] += len(block)


def _key(source: Source, settings: Settings) -> str:
    """Return a hash of the files as they lie on disk and of the settings."""
    sides = [sources.stamps(source.training), sources.stamps(source.heldout)]
    return _hash([SCHEMA, sides, source.deduplicate, asdict(settings)])


def _fingerprint(space: Symbols, cut: str, survey: Survey) -> str:
    return _hash([SCHEMA, cut, space.to_json(), *(survey.digests[side].hexdigest() for side in SIDES)])


def _hash(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:32]


def _facts(source: Source, survey: Survey, cut: str, unknown: int) -> dict[str, Any]:
    tally = survey.tally
    return {
        "title": source.title,
        "split": source.split,
        "cut": cut,
        "lines_read": tally.read,
        "empty_dropped": tally.empty,
        "duplicates_dropped": tally.duplicates,
        "not_utf8": tally.undecodable,
        "unknown_characters": unknown,
        "lines": dict(survey.lines),
    }


def _open(name: str, root: Path, entry: dict[str, Any]) -> Corpus:
    from textgan import spaces

    folder = matrix.rows_folder(root, entry["fingerprint"])
    space = matrix.open_space(folder, spaces.Text.from_json)
    train, heldout = (matrix.open_rows(folder, side) for side in SIDES)
    facts = entry["facts"] | {"rows": {"train": len(train), "heldout": len(heldout)}}
    return Corpus(name, entry["fingerprint"], space, train, heldout, facts)
