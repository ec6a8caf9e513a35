"""A named corpus, or a path, to rows of ids on disk: resolve, survey, encode; or find them ready.

Two passes over the text, in bounded memory whatever its size: the first counts lines and symbols, the second encodes.
Where rows are the first characters of lines, the first pass leaves these, and the second reads nothing else.
Both note how far they are, so that a killed preparation goes on, and use several processes where there is much text.
A second call with the same files and settings reads no text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from textgan.corpora import cards, matrix, passes, workers, workshop
from textgan.corpora.layouts import LAYOUTS, OWN_TEXT, own_text
from textgan.corpora.matrix import Rows
from textgan.corpora.passes import Reading, Show
from textgan.corpora.text import alphabet, cutting, hub, nltk_corpora, sources, synthetic
from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.damage import NOT_UTF8, Damage
from textgan.corpora.text.encode import EncodeBlock
from textgan.corpora.text.heads import EncodeHeads
from textgan.corpora.text.sources import Source, is_current
from textgan.corpora.text.split import SIDES
from textgan.corpora.text.survey import Survey, SurveyBlock, sides_of
from textgan.errors import TextganError, UsageError, near_miss
from textgan.symbols import UNITS, Symbols

SCHEMA = 3  # part of every key: raise it when the same text gives other rows
MOST_LABELS = 1_000
Tell = Callable[[str], None]
Space = TypeVar("Space", covariant=True)


@dataclass(frozen=True)
class Settings:
    """All that decides the rows, besides the text."""

    length: int
    """Length of a row. [symbols]"""
    heldout: float = 0.1
    """Share of the lines held out by hash, where the corpus has no split of its own. [share]"""
    errors: str = "strict"
    """"strict", "replace" or "skip", for lines that are not UTF-8 and records that are none."""
    max_lines: int = 10_000_000
    """Most training lines. [lines]"""
    column: str = ""
    """Where the text is in a record; empty for the only or the usual place."""
    label_column: str = ""
    """Where the label is; "@file" for one file a class; empty for none."""
    deduplicate: bool = False
    """Leave out lines that were met before, on either side."""
    normalise: str = "none"
    lower: bool = False
    shortest: int = 0
    longest: int = 0
    cut: str = "auto"
    """"auto", "line" or "windows"."""
    unit: str = "char"
    pad: str = "own"
    max_symbols: int = 2048
    """Most symbols of the alphabet. [symbols]"""

    @classmethod
    def of(cls, *sections: Any) -> Settings:
        """Take each value from the section that has an attribute of its name."""
        names = [entry.name for entry in fields(cls)]
        return cls(**{name: getattr(section, name) for section in sections for name in names if hasattr(section, name)})


@dataclass(frozen=True)
class Corpus(Generic[Space]):
    """Rows of training and of held-out data in one space: text's is `Symbols`."""

    name: str
    fingerprint: str
    """Of the rows and their space, hex: equal for equal text from other files."""
    space: Space
    train: Rows
    heldout: Rows
    facts: dict[str, Any]
    """JSON: title, how it was split and cut, and what was counted on the way."""


def prepare(
    name: str,
    settings: Settings,
    *,
    data: str = "",
    cache: Path | str | None = None,
    processes: int = 0,
    tell: Tell = lambda line: None,
    show: Show = lambda stage, lines, share: None,
) -> Corpus[Symbols]:
    """Return the corpus, reading its text only where its rows are not in the cache.

    Args:
        name: a registered corpus, the path of a file, folder or archive, a glob, "-", `hf:REPO`,
            `nltk:CORPUS`, `grammar:NAME`, `grammar:PATH`, or `oracle:NAME`.
        settings: what decides the rows.
        data: where a registered corpus lies on this machine.
        cache: folder for the rows; else TEXTGAN_CACHE, else the user's cache folder.
        processes: how many read large text; 0 is one a core.
        tell: receives what a user should know, a line at a time.
        show: receives the stage, the lines done, and the share of the work that is, or None where it is not known.

    Raises:
        UsageError: the name is neither a corpus nor a path, or a setting does not suit the unit.
        TextganError: the text is missing, empty, binary, damaged or too short, or the cache cannot be written.
    """
    alphabet.check(settings.unit, pad=settings.pad, max_symbols=settings.max_symbols)
    root = matrix.cache_root(cache)
    with matrix.writing(root):
        source = resolve_source(name, settings, data=data, cache=root, tell=tell)
        key = _key(source, settings)
        entry = matrix.recall(root, key)
        if entry is None:
            with workshop.workshop(root, key, tell) as work:
                entry = matrix.recall(root, key)  # by another process, meanwhile
                if entry is None:
                    tell(f"{source.name}: reading the text" + (", from where it was left" if work.begun else ""))
                    reading = Reading(source, work, _rules(source, settings), processes or workers.available(), show)
                    with _unchanged(source):
                        entry = _build(reading, settings, root, tell)
                    matrix.remember(root, key, entry)
        return _open(source.name, root, entry)


def resolve_source(name: str, settings: Settings, *, data: str, cache: Path, tell: Tell) -> Source:
    """Return the shards behind a name: a registered corpus first, else what its prefix says, else an existing path.

    Raises:
        UsageError: none of these; the line names the nearest corpus.
        TextganError: the text is missing.
    """
    columns = {"column": settings.column, "label_column": settings.label_column}
    card = cards.card(name) if name in cards.names() else None
    if card and card.layout == OWN_TEXT:
        return own_text(card, data=data, cache=cache, **columns)
    if (card or name.startswith(("nltk:", *synthetic.PREFIXES))) and any(columns.values()):
        raise UsageError(f"{name} has neither columns nor labels; leave --column and --label-column out")
    if card:
        return LAYOUTS[card.layout](card, data=data, cache=cache, max_lines=settings.max_lines, tell=tell)
    if name.startswith("nltk:"):
        return nltk_corpora.source(name, cache=cache, tell=tell)
    if name.startswith(synthetic.PREFIXES):
        longest = settings.length if UNITS[settings.unit].of_characters else None
        return synthetic.source(name, cache=cache, longest=longest, tell=tell)
    if name.startswith("hf:"):
        return hub.source(name, cache=cache, max_lines=settings.max_lines, tell=tell, **columns)
    found = sources.resolve(name, cache=cache, **columns)
    if found is None:
        raise UsageError(f"unknown corpus {name!r}, and no such file or folder{near_miss(name, cards.names())}")
    return found


@contextmanager
def _unchanged(source: Source) -> Iterator[None]:
    """Refuse text that changed while it was read, also where its passes disagreed so much that they broke."""
    try:
        yield
    except (LookupError, ValueError):
        _refuse_changed(source)
        raise
    _refuse_changed(source)


def _refuse_changed(source: Source) -> None:
    if not all(map(is_current, (*source.training, *source.heldout))):
        raise TextganError(f"{source.name}: the text changed while it was read; run the command again")


def _rules(source: Source, settings: Settings) -> Rules:
    return Rules(
        errors=settings.errors, labelled=source.labelled, normalise=settings.normalise, lower=settings.lower,
        shortest=settings.shortest, longest=settings.longest, heldout=0.0 if source.heldout else settings.heldout,
    )  # fmt: skip


def _build(reading: Reading, settings: Settings, root: Path, tell: Tell) -> dict[str, Any]:
    source, damage = reading.source, Damage(settings.errors)
    deduplicate = settings.deduplicate or source.deduplicate
    firsts = passes.find_duplicates(reading) if deduplicate else None
    heads = _leaves_heads(source, settings)
    job = SurveyBlock(
        reading.rules, settings.unit, settings.length, alphabet.SAMPLED.get(settings.unit, 0),
        beyond=settings.cut != "line", heads=heads,
    )  # fmt: skip
    survey, extent = passes.survey(reading, damage, firsts, job, settings.max_lines)
    _check(source, settings, survey, damage, tell)
    space, cut, unknown = _space(settings, survey)
    total = sum(survey.lines.values())
    if heads:  # so little work that to share it out would be more
        left = passes.heads_left(reading, settings.length)
        built = passes.encode(replace(reading, processes=1), EncodeHeads(space), left, total)
    else:
        lines = passes.lines_read(reading, extent, firsts)
        built = passes.encode(reading, EncodeBlock(reading.rules, space, cut), lines, total)
    labels = _labels(matrix.open_rows(built, "train"), space)
    fingerprint = matrix.settle_rows(root, built, space.to_json(), cut)
    return {"fingerprint": fingerprint, "facts": _facts(source, survey, damage, cut, unknown) | {"labels": labels}}


def _leaves_heads(source: Source, settings: Settings) -> bool:
    """Whether the survey knows what rows will hold: characters up to the cut, and no labels."""
    labelled = source.labelled or any(shard.label is not None for shard in (*source.training, *source.heldout))
    return settings.cut == "line" and UNITS[settings.unit].of_characters and not labelled


def _labels(train: Rows, space: Symbols) -> dict[str, int]:
    """Count the training rows of each label."""
    if train.labels is None:
        return {}
    return dict(zip(space.labels, np.bincount(train.labels, minlength=len(space.labels)).tolist(), strict=True))


def _space(settings: Settings, survey: Survey) -> tuple[Symbols, str, int]:
    """Return the space, the cut, and how many symbols of the text the space does not have."""
    cut = cutting.choose(settings.cut, fitting=survey.fitting, lines=survey.lines["train"])
    counts = survey.symbols(cut)
    space = alphabet.build(
        settings.unit, counts, [line for _, line in survey.sample], length=settings.length, pad=settings.pad,
        max_symbols=settings.max_symbols,
    )  # fmt: skip
    return replace(space, labels=tuple(sorted(survey.labels))), cut, alphabet.outside(counts, space)


def _check(source: Source, settings: Settings, survey: Survey, damage: Damage, tell: Tell) -> None:
    """Refuse damaged text (unless asked to go on) and text too short to split."""
    if survey.undecodable:
        where, _, number = survey.first_undecodable.rpartition(":")
        damage.add(NOT_UTF8, where, int(number), survey.undecodable)
    damage.refuse_if_strict()
    if damage.counts:
        tell(f"{source.name}: {damage.describe()} ({settings.errors})")
    if len(survey.labels) > MOST_LABELS:
        raise TextganError(
            f"{source.name}: {len(survey.labels):,} different labels, such as {min(survey.labels)!r}; "
            f"--label-column names a column of at most {MOST_LABELS:,} classes"
        )
    lines = sides_of(survey)
    if not sum(lines.values()):
        raise TextganError(f"{source.name}: no text in {_first_name(source)}; it needs lines that are not empty")
    if not all(lines.values()):
        needed = math.ceil(5 / min(settings.heldout, 1 - settings.heldout))  # then a side is empty once in 150 times
        have = f"lines to train on: {lines['train']}, to hold out: {lines['heldout']}"
        raise TextganError(f"{source.name}: {have}; give at least {needed} different lines, or change corpus.heldout")


def _first_name(source: Source) -> str:
    return next((shard.name for shard in source.training), source.name)


def _key(source: Source, settings: Settings) -> str:
    """Return a hash of the files as they lie on disk, of what the facts call them, and of the settings."""
    sides = [[shard.stamp for shard in side] for side in (source.training, source.heldout)]
    value = [SCHEMA, source.title, source.split, sides, source.deduplicate, source.labelled, asdict(settings)]
    return sha256(json.dumps(value).encode()).hexdigest()[:32]


def _facts(source: Source, survey: Survey, damage: Damage, cut: str, unknown: int) -> dict[str, Any]:
    return {
        "title": source.title,
        "split": source.split,
        "cut": cut,
        "lines_read": survey.read,
        "dropped": dict(survey.dropped),
        "damage": damage.counts,
        "left_out": source.left_out,
        "unknown_symbols": unknown,
        "lines": sides_of(survey),
    }


def _open(name: str, root: Path, entry: dict[str, Any]) -> Corpus[Symbols]:
    folder = matrix.rows_folder(root, entry["fingerprint"])
    space = matrix.open_space(folder, Symbols.from_json)
    train, heldout = (matrix.open_rows(folder, side) for side in SIDES)
    facts = entry["facts"] | {"rows": {"train": len(train), "heldout": len(heldout)}}
    return Corpus(name, entry["fingerprint"], space, train, heldout, facts)
