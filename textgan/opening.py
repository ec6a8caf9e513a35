"""The corpus of a configuration made ready, whatever its samples are. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from textgan import config as schema
from textgan.config import Config
from textgan.corpora import cards, matrix
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.corpora.passes import Show
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.corpora.text.sources import STDIN, absolute
from textgan.corpora.toys import TOYS, open_toy
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels
from textgan.plane import Plane
from textgan.symbols import Symbols

Tell = Callable[[str], None]


class Open(Protocol):
    """Makes the corpus of a configuration ready."""

    def __call__(self, config: Config, tell: Tell, show: Show) -> Corpus[Any]:
        """Return its rows."""


@dataclass(frozen=True)
class Opener:
    """One kind of corpus, under the name that `kinds.KINDS` has it."""

    samples: str
    """What its samples are called."""
    open: Open
    extent: Callable[[Any], Mapping[str, int]]
    """How large its space is, for the record of a run."""
    summary: Callable[[Corpus[Any]], str]
    """A corpus in a line."""
    only: Collection[str]
    """Settings, and sections of them, that no other kind has a use for."""


def open_text(config: Config, tell: Tell, show: Show) -> Corpus[Symbols]:
    """Prepare text, or find it ready."""
    c, t = config.corpus, config.text
    return prepare(c.name, Settings.of(c, t), data=c.data, processes=c.processes, tell=tell, show=show)


def summary_of_text(corpus: Corpus[Symbols]) -> str:
    """Rows, symbols, cut and split."""
    facts = corpus.facts
    return (
        f"{len(corpus.train.ids):,} training and {len(corpus.heldout.ids):,} held-out rows of {corpus.space.length} "
        f"({facts['cut']}), {corpus.space.size} symbols, held out by {facts['split']}"
    )


def open_images(config: Config, tell: Tell, show: Show) -> Corpus[Pixels]:
    """Prepare pictures, or find them ready."""
    c, i = config.corpus, config.image
    settings = PictureSettings(
        side=i.side, channels=i.channels, heldout=c.heldout, errors=c.errors, max_pictures=c.max_lines,
        column=c.column, label_column=c.label_column,
    )  # fmt: skip
    return open_pictures(c.name, settings, data=c.data, processes=c.processes, tell=tell, show=show)


def summary_of_pictures(corpus: Corpus[Pixels]) -> str:
    """Pictures, their size and classes."""
    classes = len(corpus.facts["classes"])
    return (
        f"{len(corpus.train):,} training and {len(corpus.heldout):,} held-out {corpus.space.samples}"
        f"{f' of {classes} classes' if classes else ''}; split: {corpus.facts['split']}"
    )


def open_points(config: Config, tell: Tell, show: Show) -> Corpus[Plane]:
    """Draw points.

    Raises:
        UsageError: a setting of what is read.
    """
    c = config.corpus
    for key in ("column", "label_column"):
        if getattr(c, key):
            raise UsageError(f"corpus.{key}: {c.name} is drawn by a formula and read from nowhere; leave it out")
    return open_toy(c.name)


def summary_of_points(corpus: Corpus[Plane]) -> str:
    """Points and modes."""
    modes = TOYS[corpus.name].modes.max() + 1
    return f"{len(corpus.train):,} training and {len(corpus.heldout):,} held-out points of {modes} modes"


OPENERS: dict[str, Opener] = {
    "text": Opener(
        "text", open_text, lambda space: {"symbols": space.size}, summary_of_text,
        only=(
            "text", "generator.temperature", "generator.final_temperature", "game.real_smoothing", "likelihood",
            "corpus.deduplicate", "corpus.lower", "corpus.normalise", "corpus.shortest", "corpus.longest",
        ),
    ),
    "image": Opener(
        "pictures", open_images, lambda space: dict(space.sizes), summary_of_pictures,
        only=("image", "corpus.labels_per_class", "evaluation.extractor", "evaluation.weights"),
    ),
    "toy": Opener("points", open_points, lambda space: dict(space.sizes), summary_of_points, only=()),
}  # fmt: skip


def kind_of(config: Config) -> str:
    """Return the kind of a configuration's corpus, a key of OPENERS."""
    return cards.kind_of(config.corpus.name)


def open_corpus(
    config: Config, tell: Tell = lambda line: None, show: Show = lambda stage, lines, share: None
) -> Corpus[Any]:
    """Prepare the corpus of a configuration, or find it ready."""
    corpus = OPENERS[kind_of(config)].open(config, tell, show)
    if kind_of(config) != "toy" and config.corpus.name != STDIN:
        with suppress(TextganError, OSError):  # a cache that cannot be written still has the rows
            matrix.note_source(matrix.cache_root(None), corpus.fingerprint, _source(config.corpus))
    return corpus


def was_opened(config: Config, fingerprint: str) -> bool:
    """Return whether this machine's user has had the corpus of a configuration prepared, or it is read from nowhere.

    A configuration that comes with a model may be anyone's: what it names is not opened, nor looked for, without having
    been asked for.
    """
    source = config.corpus.name, config.corpus.data
    return kind_of(config) == "toy" or matrix.is_source(matrix.cache_root(None), fingerprint, source)


def _source(corpus: schema.Corpus) -> tuple[str, str]:
    """By what words a corpus is asked for, wherever a command runs."""
    name, data = (absolute(words, matrix.cache_root(None)) or words for words in (corpus.name, corpus.data))
    return (corpus.name if corpus.name in cards.names() else name), data


def summary(corpus: Corpus[Any]) -> str:
    """Say in a line what a corpus holds."""
    return OPENERS[corpus.space.kind].summary(corpus)


def describe(corpus: Corpus[Any]) -> dict[str, Any]:
    """Say which corpus it is and how large, as JSON."""
    return {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "train": len(corpus.train.ids),
        "heldout": len(corpus.heldout.ids),
        **OPENERS[corpus.space.kind].extent(corpus.space),
        "facts": corpus.facts,
    }


def check_corpus(config: Config) -> None:
    """Check what a corpus is prepared by, whatever is trained on it.

    Raises:
        UsageError: a setting is for another kind of corpus, with the reason.
    """
    for refusals in CHECKS:
        for reason in refusals(config):
            raise UsageError(reason)


def _of_other_kinds(config: Config) -> Iterator[str]:
    mine, plain = kind_of(config), Config()
    for kind, opener in OPENERS.items():
        for key in opener.only if kind != mine else ():
            section, _, field = key.partition(".")
            found, usual = getattr(config, section), getattr(plain, section)
            if (getattr(found, field) != getattr(usual, field)) if field else found != usual:
                about = f"is for {opener.samples}, and {config.corpus.name} is {OPENERS[mine].samples}"
                yield f"{key}: {about}; leave it out"


def _of_pictures(config: Config) -> Iterator[str]:
    if kind_of(config) == "image" and config.corpus.errors == "replace":
        yield "corpus.errors: nothing replaces what cannot be read of a picture; use strict or skip"


CHECKS = (_of_other_kinds, _of_pictures)
"""What each yields is a reason to refuse."""
