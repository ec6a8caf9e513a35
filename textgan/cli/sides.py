"""The two sides of a comparison, from a run or from files, as `report` and `compare` measure them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from textgan.cli.progress import printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from textgan.model import Model
    from textgan.oracles import Oracle
    from textgan.report.measure import Report

SHORTEST, LONGEST = 2, 4096  # rows, as text.length has it; --max-chars may cut them further. [characters]


class Sides(NamedTuple):
    """What is compared, and how it was made."""

    samples: Sequence[str]
    reference: Sequence[str]
    training: Sequence[str] | None
    sources: Any = None
    """The line that each row of the reference was cut from, (row,); None where each row is a line."""
    length: int | None = None
    """Where the lines were cut already. [characters]"""
    decode: str | None = None
    corpus: str = ""
    """The corpus of the reference, where it is one."""
    tokenizer: bytes = b""
    """A sentencepiece model, where there is one."""

    def measure(self, *, max_chars: int | None, **request: Any) -> Report:
        """Measure them; the arguments are those of `textgan.report`."""
        from textgan.report.measure import report

        length = min((n for n in (max_chars, self.length) if n), default=None)
        return report(
            self.samples, self.reference, self.training, sources=self.sources, max_chars=length, decode=self.decode,
            oracle=self.oracle, pieces=self.pieces, **request,
        )  # fmt: skip

    @property
    def pieces(self) -> Callable[[str], list[str]] | None:
        """Splits a line into sentencepieces.

        Raises:
            UsageError: the file is no model of them.
        """
        if not self.tokenizer:
            return None
        from textgan.corpora.text.pieces import splitter

        try:
            return splitter(self.tokenizer)
        except ValueError as error:
            raise UsageError(f"--pieces: {error}; give the .model file of a sentencepiece model") from None

    @property
    def oracle(self) -> Oracle | None:
        """What the reference was drawn from, where that is known."""
        from textgan.oracles import oracle_of

        return oracle_of(self.corpus)


def of_run(run: Path, trained: Model, count: int | None, seed: int) -> Sides:
    """Samples of a run's model, and the text it was trained on."""
    from textgan import assemble

    text = assemble.reference(trained)
    return Sides(
        draw(run, trained, count, seed), text.heldout, text.training, text.sources, trained.space.characters,
        trained.config.text.decode, trained.config.corpus.name, trained.space.tokenizer,
    )  # fmt: skip


def draw(run: Path, trained: Model, count: int | None, seed: int) -> list[Any]:
    """Draw the samples of a run that are measured, and say so."""
    count = count or trained.config.evaluation.report_samples
    tell(f"drawing {count:,} samples from {run}")
    return trained.generate(count, seed=seed)


def of_files(
    samples: Path, reference: str | None, data: str | None, train: Path | None, max_chars: int | None
) -> Sides:
    """Samples of a file, and the reference: another file, or the held-out part of a corpus.

    Raises:
        UsageError: no reference is named, or no such one.
    """
    from textgan.corpora import cards
    from textgan.metrics.lines import read_lines

    if reference is None:
        raise UsageError("--samples needs --reference, a file of real text or a corpus to compare with")
    lines = read_lines(samples)
    training = None if train is None else read_lines(train)
    if reference not in cards.names() and not cards.PREFIXED.match(reference):
        return Sides(lines, read_lines(_reference_file(reference, cards.names())), training)
    found = _of_corpus(reference, data, max_chars)
    return found._replace(samples=lines, training=found.training if training is None else training)


def _reference_file(name: str, corpora: Sequence[str]) -> Path:
    """The path, unless it looks more like a corpus misspelt."""
    path = Path(name)
    if not path.exists() and path.name == name and not path.suffix:
        raise UsageError(f"unknown reference {name!r}: no such file{near_miss(name, corpora)}")
    return path


def _of_corpus(name: str, data: str | None, max_chars: int | None) -> Sides:
    """Held-out and training rows of a registered corpus, cut as its preset does, at --max-chars where given.

    Pads are no text here, even where they are in training.
    """
    from textgan import assemble
    from textgan.corpora import cards
    from textgan.opening import open_corpus
    from textgan.settings import resolve_for_corpus

    length = None if max_chars is None else min(max(max_chars, SHORTEST), LONGEST)
    flags = {"corpus.name": name, "corpus.data": data, "text.length": length, "text.pad": "own"}
    config = resolve_for_corpus(None, cards.suits, flags=flags, environ=os.environ).config
    corpus = open_corpus(config, tell)
    text = assemble.text_of(corpus)
    return Sides((), text.heldout, text.training, text.sources, corpus.space.characters, corpus=name)


def tell(line: str) -> None:
    """Say something on stderr."""
    click.echo(printable(line), err=True)
