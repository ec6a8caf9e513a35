"""Pictures: pixels as they are, measured on the features of a net that knows pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textgan.config import Config
from textgan.corpora import matrix
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.corpora.passes import Show
from textgan.corpora.prepare import Corpus
from textgan.errors import UsageError
from textgan.features.table import extractor
from textgan.game.relaxations import BOUNDED
from textgan.kinds.kind import Evaluate, Kind, Reference, Sample
from textgan.metrics.pictures import training_evaluation
from textgan.pixels import Pixels
from textgan.report.pictures import grid, png

KEPT = 100  # pictures of an evaluation's samples that are kept, in a grid


def open_images(config: Config, tell: Callable[[str], None], show: Show) -> Corpus[Pixels]:
    """Prepare the pictures of a configuration's corpus, or find them ready."""
    c, i = config.corpus, config.image
    settings = PictureSettings(
        side=i.side, channels=i.channels, heldout=c.heldout, errors=c.errors, max_pictures=c.max_lines,
        column=c.column, label_column=c.label_column,
    )  # fmt: skip
    return open_pictures(c.name, settings, data=c.data, tell=tell, show=show)


def summary(corpus: Corpus[Pixels]) -> str:
    """One line on a corpus: pictures, their size and classes."""
    classes = len(corpus.facts["classes"])
    return (
        f"{len(corpus.train):,} training and {len(corpus.heldout):,} held-out {corpus.space.samples}"
        f"{f' of {classes} classes' if classes else ''}, held out by {corpus.facts['split']}"
    )


def evaluation(corpus: Corpus[Pixels], config: Config, count: int, tell: Callable[[str], None]) -> Evaluate:
    """Return the metrics of `metrics.pictures` against the held-out pictures, on the features that are asked for."""
    e, train = config.evaluation, corpus.train
    found = extractor(
        e.extractor, train=train.ids, labels=train.labels, classes=len(corpus.facts["classes"]),
        cache=matrix.cache_root(None), weights=e.weights, tell=tell,
    )  # fmt: skip
    measured = training_evaluation(
        corpus.heldout.ids, train.ids, found.extract, name=found.name, seed=config.training.seed
    )
    return lambda pictures: measured(corpus.space.encode(pictures))


def score(evaluation: Mapping[str, Any]) -> float:
    """The Fréchet distance from the held-out pictures."""
    value: float = evaluation["frechet"]["value"]
    return value


def kept(pictures: Sequence[Sample]) -> tuple[str, bytes]:
    """The first pictures in a grid."""
    return ".png", png(grid(pictures[:KEPT]))


def no_text(corpus: Corpus[Pixels]) -> Reference:
    """Refuse.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{corpus.name} is pictures, which have no text to compare; 'textgan report RUN' measures them")


IMAGE = Kind(
    samples="pictures",
    open=open_images,
    relaxations=BOUNDED,
    terms=("feature_matching",),
    told=lambda corpus: {"rows": ()},
    check_memory=lambda space, batch, available: None,
    extent=lambda space: dict(space.sizes),
    summary=summary,
    advice=lambda corpus: None,
    evaluation=evaluation,
    kept=kept,
    score=score,
    look=lambda sight: ({}, {}),
    reference=no_text,
)
