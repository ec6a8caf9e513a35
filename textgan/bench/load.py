"""Text to rows of ids: what `prepare` does once for a corpus, held-out split, checksums and all."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from textgan.bench import plain_load, text
from textgan.bench.case import Case, Cases, Setup, same
from textgan.bench.plain_load import PAD
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.symbols import UNKNOWN, Symbols

LINES, LENGTH, SYMBOLS = 200_000, 32, 2048
SETTINGS = Settings(LENGTH, cut="line", max_symbols=SYMBOLS)


def cases(setup: Setup) -> Cases:
    """Yield the row."""
    count = setup.count or LINES
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "lines.txt"
        path.write_text("\n".join(text.lines(count, seed=4)) + "\n", encoding="utf-8")
        yield Case(
            "load",
            lambda: ours(path),
            lambda: plain_load.load(path, length=LENGTH, most=SYMBOLS),
            lambda: same("load", *map(sorted, both(path))),
            {"count": count, "length": LENGTH},
        )


def ours(path: Path) -> Corpus[Symbols]:
    """Read a file whose rows are in no cache."""
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        return prepare(str(path), SETTINGS, cache=cache)


def both(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the rows of both sides as text, and how often each occurs.

    Ids are compared by what they stand for: ours are numbered by the training lines alone, whose characters alone they
    know, and lie in two parts.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        corpus = prepare(str(path), SETTINGS, cache=cache)
        found = Counter(line for rows in (corpus.train, corpus.heldout) for line in corpus.space.decode(rows.ids))
    plain = plain_load.load(path, length=LENGTH, most=SYMBOLS)
    known = {PAD, *corpus.space.symbols}
    characters = [char if char in known else UNKNOWN for char in plain.characters]
    lines = ("".join(characters[k] for k in row) for row in plain.ids.tolist())
    return found, Counter(line.rstrip(PAD) for line in lines)
