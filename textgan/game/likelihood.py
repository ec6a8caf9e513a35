"""The window likelihood: how well the generator's windows, taken as a mixture, explain real windows."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from textgan.contract import State, Term, TermBatch


def window_nll(real: Tensor, log_probabilities: Tensor) -> Tensor:
    """-(1 / (n M)) Σ_m log((1/K) Σ_k Π_j p_kj(x_mj)). [nats a symbol]

    Args:
        real: ids of M real windows, (M, n).
        log_probabilities: log-softmax of K generated windows, (K, n, symbol).

    Returns:
        Scalar; +inf where some real window is impossible under every generated one.

    Source: this project.
    """
    windows, order = real.shape
    joint = sum(log_probabilities[:, j].index_select(1, real[:, j]) for j in range(order))  # (K, M)
    assert isinstance(joint, Tensor)
    return -(torch.logsumexp(joint, dim=0) - math.log(len(log_probabilities))).sum() / (order * windows)


def _windows(x: Tensor, count: int, order: int, rng: torch.Generator) -> Tensor:
    """Choose windows of `order` positions from rows: (batch, position, ...) -> (count, order, ...)."""
    rows = torch.randint(len(x), (count, 1), generator=rng)
    starts = torch.randint(x.shape[1] - order + 1, (count, 1), generator=rng)
    return x[rows.to(x.device), (starts + torch.arange(order)).to(x.device)]


def window_likelihood(
    rows: Iterable[Tensor], *, symbols: int, order: int, real: int, fake: int, device: torch.device | str = "cpu"
) -> Term:
    """Build the window likelihood as a generator term; it needs nothing of the corpus but each step's real rows.

    Args:
        rows: not looked at.
        symbols: not looked at.
        order: length of a window n. [symbols]
        real: real windows a step M.
        fake: generated windows a step K.
        device: not looked at.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        chosen = _windows(batch.real.long(), real, order, rng)
        return window_nll(chosen, _windows(batch.output.logits.log_softmax(-1), fake, order, rng)), state

    return Term(term)
