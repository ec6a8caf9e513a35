"""What a kind of sample brings to the one core: everything that assembling a run does for it alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt
from torch import nn

from textgan.config import Config
from textgan.contract import Relaxation, Sample
from textgan.corpora.prepare import Corpus
from textgan.game.steps import Game
from textgan.metrics.lines import Lines

Evaluate = Callable[[Sequence[Sample]], dict[str, Any]]
"""Generated samples to strict JSON, of which `figures` knows how to show it."""


class Reference(NamedTuple):
    """The text of a corpus as its rows are cut."""

    heldout: Lines
    training: Lines
    sources: npt.NDArray[Any]
    """The line that each held-out row was cut from, (row,)."""


class Measured(Protocol):
    """Makes what measures samples of a corpus."""

    def __call__(self, corpus: Corpus[Any], config: Config, count: int, tell: Callable[[str], None]) -> Evaluate:
        """Return it, ready for `count` samples; `tell` is told what takes long."""


class Sight(NamedTuple):
    """A state as it is looked at."""

    critic: nn.Module
    game: Game
    corpus: Corpus[Any]
    samples: Sequence[Sample]
    step: int


Seen = tuple[dict[str, Any], dict[str, str]]
"""Figures for the evaluation, and SVG files by name."""


def as_text(lines: Sequence[str]) -> tuple[str, bytes]:
    """Samples that are lines, one a line."""
    return ".txt", "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class Kind:
    """One kind of sample; `SPACES`, `GENERATORS_OF` and `CRITICS_OF` have its space and nets under the same name."""

    relaxations: Mapping[str, Relaxation]
    """Those that its generators can have."""
    terms: Collection[str]
    """Those generator terms that can look at its rows."""
    told: Callable[[Corpus[Any]], dict[str, Any]]
    """What such a term is built with, besides its settings: its rows, in blocks, and what they are."""
    check_memory: Callable[[Config, Any, int | None], None]
    """Refuses batches in a space that would not fit in the free memory, where that is known."""
    advice: Callable[[Corpus[Any]], str | None]
    """What may be wrong with a corpus, in a line, or None."""
    evaluation: Measured
    """What measures samples, so many as a rule."""
    kept: Callable[[Sequence[Sample]], tuple[str, bytes]]
    """What is kept of an evaluation's samples: the suffix of a file, and its content."""
    score: Callable[[Mapping[str, Any]], float | None]
    """The number of an evaluation that ranks checkpoints, lower is better."""
    look: Callable[[Sight], Seen]
    """What a critic shows besides its scores."""
    reference: Callable[[Corpus[Any]], Reference]
    """Its text; refuses where it has none."""
