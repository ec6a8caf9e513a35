"""The entropy floor: a generator whose softmax is all but one-hot learns nothing more from rewards."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from textgan.contract import State, Term, TermBatch


def mean_entropy(logits: Tensor) -> Tensor:
    """Mean over rows and positions of the softmax's entropy, (batch, position, symbol) -> scalar. [bits]"""
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1).mean() / math.log(2)


def entropy_floor(rows: Iterable[Tensor], *, symbols: int, floor: float, device: torch.device | str = "cpu") -> Term:
    """Build the term relu(floor - H), with H the mean entropy of a position: it pushes only below the floor.

    The gradient of sum_v p(v) R(v) in the logits is p(v) (R(v) - mean R): it vanishes as p becomes one-hot, whatever R
    says. A bonus that pushes always would keep the generator at the uniform distribution it starts from.

    Args:
        rows: not looked at.
        symbols: not looked at.
        floor: least mean entropy that is free. [bits]
        device: not looked at.

    Source: this project; a bonus on entropy is Williams & Peng 1991.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        return F.relu(floor - mean_entropy(batch.output.logits)), state

    return Term(term, {})
