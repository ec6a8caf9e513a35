"""Text: lines of symbols, drawn from what the generator gives and measured by their n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from textgan import memory
from textgan.config import Config
from textgan.corpora.prepare import Corpus
from textgan.game.relaxations import RELAXATIONS
from textgan.game.terms import TERMS
from textgan.kinds.kind import Evaluate, Kind, Reference, as_text
from textgan.metrics.lines import Lines
from textgan.metrics.monitor import training_evaluation
from textgan.spaces import Text
from textgan.symbols import Symbols

BLOCK = 65_536  # rows read from disk at a time
SEEN = 65_536  # rows by which padding is judged


def check_memory(config: Config, space: Text, available: int | None) -> None:
    """Refuse one-hot samples (batch, position, symbol) that would not fit in so many bytes."""
    batch = max(config.training.batch, config.critic.batch)
    memory.check(batch=batch, length=space.length, symbols=space.size, available=available)


def told(corpus: Corpus[Symbols]) -> dict[str, Any]:
    """Return what a term is told of a corpus: blocks of ids, and of labels where there are some."""
    facts = {"rows": blocks(corpus.train.ids), "symbols": corpus.space.size, "ends": corpus.space.pad == "own"}
    if corpus.train.labels is None:
        return facts
    return facts | {"labels": len(corpus.space.labels), "row_labels": blocks(corpus.train.labels)}


def blocks(ids: npt.NDArray[Any]) -> Iterator[Tensor]:
    """Yield a matrix of ids, or a column of labels, in blocks of rows."""
    for start in range(0, len(ids), BLOCK):
        yield torch.from_numpy(ids[start : start + BLOCK].astype(np.int64))


def lines_of(space: Symbols, ids: npt.NDArray[Any]) -> Lines:
    """Rows as lines, decoded when they are asked for."""
    return Lines(len(ids), lambda places: space.decode(np.asarray(ids[places])))


def reference(corpus: Corpus[Symbols]) -> Reference:
    """Return the text of a corpus."""
    heldout, training = (lines_of(corpus.space, rows.ids) for rows in (corpus.heldout, corpus.train))
    return Reference(heldout, training, corpus.heldout.lines)


def padding(corpus: Corpus[Symbols]) -> str | None:
    """Say so where most of a row is padding: nets spend their time on it, and may learn nothing else."""
    filled = np.count_nonzero(corpus.train.ids[:SEEN], axis=1)
    share = 1 - filled.mean() / corpus.space.length
    if share <= 0.5:
        return None
    enough = max(2, int(np.quantile(filled, 0.9)))
    return f"{share:.0%} of the positions are padding; text.length={enough} holds 9 of 10 lines, and is learnt sooner"


def evaluation(corpus: Corpus[Symbols], config: Config, count: int, tell: Callable[[str], None]) -> Evaluate:
    """Return the metrics of `metrics.monitor` against the held-out rows."""
    text = reference(corpus)
    return training_evaluation(
        text.heldout, text.training, [count], length=corpus.space.characters, seed=config.training.seed
    )


def score(evaluation: Mapping[str, Any]) -> float | None:
    """JSD-4, which is None where no line is so long."""
    value: float | None = evaluation["jsd"]["4"]["value"]
    return value


TEXT = Kind(
    relaxations=RELAXATIONS,
    terms=TERMS.keys(),
    told=told,
    check_memory=check_memory,
    advice=padding,
    evaluation=evaluation,
    kept=as_text,
    score=score,
    look=lambda sight: ({}, {}),
    reference=reference,
)
