"""Pictures: pixels as they are, measured on the features of a net that knows pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from textgan import memory
from textgan.config import Config
from textgan.contract import Sample
from textgan.corpora import matrix
from textgan.corpora.prepare import Corpus
from textgan.errors import UsageError
from textgan.features.extractor import Extractor
from textgan.features.table import extractor
from textgan.game.relaxations import BOUNDED
from textgan.kinds.kind import Evaluate, Kind, Reference
from textgan.metrics.pictures import Library, report_evaluation, spread, training_evaluation
from textgan.pixels import Pictures, Pixels
from textgan.report.pictures import grid, png

KEPT = 100  # pictures of an evaluation's samples that are kept, in a grid


def check_memory(config: Config, space: Pixels, available: int | None) -> None:
    """Refuse nets that would not fit in so many bytes with what they hold of a batch."""
    g, c, batch = config.generator, config.critic, config.training.batch
    memory.check_pictures(
        side=space.side, generator=(g.net, g.width, batch), critic=(c.net, c.width, c.batch or batch),
        available=available,
    )  # fmt: skip


def evaluation(corpus: Corpus[Pixels], config: Config, count: int, tell: Callable[[str], None]) -> Evaluate:
    """Return the metrics of `metrics.pictures` against the held-out pictures, on the features that are asked for."""
    return _measuring(training_evaluation, corpus, config, features(corpus, config, tell))


def closer(corpus: Corpus[Pixels], config: Config, tell: Callable[[str], None]) -> Evaluate:
    """Return what measures for a report: as `evaluation`, with intervals and copies."""
    return _measuring(report_evaluation, corpus, config, features(corpus, config, tell))


def _measuring(of: Any, corpus: Corpus[Pixels], config: Config, found: Extractor) -> Evaluate:
    measured = of(corpus.heldout.ids, corpus.train.ids, found.extract, name=found.name, seed=config.training.seed)
    return lambda pictures: measured(corpus.space.encode(pictures))


def features(corpus: Corpus[Pixels], config: Config, tell: Callable[[str], None]) -> Extractor:
    """Return the extractor that a configuration asks for."""
    e, train = config.evaluation, corpus.train
    return extractor(
        e.extractor, train=train.ids, labels=train.labels, classes=len(corpus.facts["classes"]),
        cache=matrix.cache_root(None), weights=e.weights, device=device_of(config), tell=tell,
    )  # fmt: skip


def device_of(config: Config) -> str:
    """Where pictures are looked at: on the GPU that training asks for, if there is one here; else on the CPU."""
    asked = config.training.device.replace("auto", "cuda")
    return asked if asked.startswith("cuda") and torch.cuda.is_available() else "cpu"


def heldout(corpus: Corpus[Pixels], count: int) -> list[Pictures]:
    """Return so many held-out pictures, evenly spread over all; all where they are fewer."""
    return corpus.space.decode(corpus.heldout.ids[spread(len(corpus.heldout), count)])


def neighbours(
    corpus: Corpus[Pixels], config: Config, pictures: Sequence[Pictures], tell: Callable[[str], None]
) -> list[tuple[Pictures, Pictures, float]]:
    """Return each picture with the training picture nearest to it by features, of 50,000 at most, and their distance.

    The nearest pairs come first.
    """
    extract, rows = features(corpus, config, tell).extract, corpus.space.encode(pictures)
    found = Library(corpus.train.ids, extract).nearest(rows, extract(rows)[0])["features"]
    order = np.argsort(found.distance, kind="stable")
    real = corpus.space.decode(corpus.train.ids[found.place[order]])
    return [(pictures[i], of, float(found.distance[i])) for i, of in zip(order, real, strict=True)]


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
    relaxations=BOUNDED,
    terms=("feature_matching",),
    told=lambda corpus: {"rows": ()},
    check_memory=check_memory,
    advice=lambda corpus: None,
    evaluation=evaluation,
    kept=kept,
    score=score,
    look=lambda sight: ({}, {}),
    reference=no_text,
)
