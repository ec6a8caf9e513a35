"""Feature matching: the generator is asked for the critic's mean features, not for its score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from textgan.contract import State, Term, TermBatch
from textgan.ranks import mean


def mean_distance(*, real: Tensor, fake: Tensor) -> Tensor:
    """|E f(x) - E f(g)|² of features (batch, features); sizes may differ.

    Source: Salimans et al. 2016, section 3.1. Its code takes the mean absolute difference instead.
    """
    return mean(real.mean(0) - fake.mean(0)).square().sum()


def feature_matching(rows: Iterable[Tensor], *, device: torch.device | str = "cpu", **_: Any) -> Term:
    """Build feature matching as a generator term; it looks at nothing of the corpus but each step's real samples.

    The critic is trained by its objective as ever; with a `game.weight` of 0 the generator matches features alone, as
    in the paper.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        assert batch.features is not None, "no critic gives features"
        assert batch.real_samples is not None, "the step was given no real samples"
        with torch.no_grad():
            real = batch.features(batch.real_samples)
        return mean_distance(real=real, fake=batch.features(batch.output.sample[: batch.judged])), state

    return Term(term, real_samples=True)
