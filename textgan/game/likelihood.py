"""Likelihoods of real text as generator terms.

The likelihood proper, of a generator that reads what it has written; and the window likelihood, of any: how well its
windows, taken as a mixture, explain real windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from textgan.contract import State, Term, TermBatch
from textgan.ranks import gathered, mean

IGNORED = -100  # no id


def teacher_nll(real: Tensor, logits: Tensor, *, ends: bool) -> Tensor:
    """-(1 / N) Σ log p(x_t | x_1 .. x_t-1) over the N symbols that count. [nats a symbol]

    Args:
        real: rows of ids (batch, position) int64.
        logits: teacher-forced, (batch, position, symbol).
        ends: a row ends with its first pad (id 0), which counts, and what follows does not; else every position counts.

    Source: Williams & Zipser 1989; the maximum-likelihood baseline of Yu et al. 2017, section 4.
    """
    if ends:
        pads = (real == 0).long()
        real = real.masked_fill(pads.cumsum(1) > pads, IGNORED)  # pads before this position
    whole = F.cross_entropy(logits.flatten(0, 1), real.flatten(), ignore_index=IGNORED, reduction="sum")
    return whole / mean((real != IGNORED).sum().to(whole.dtype))


def likelihood(
    rows: Iterable[Tensor],
    *,
    symbols: int,
    ends: bool = False,
    labels: int = 1,
    row_labels: Iterable[Tensor] | None = None,
    device: torch.device | str = "cpu",
) -> Term:
    """Build the likelihood of each step's real rows as a generator term; nothing needs to be generated for it.

    Each row has a noise of its own, so that by Jensen's inequality this is an upper bound of the text's mean
    -log E_z p(x | z). Alone it teaches a generator to do without its noise.

    Args:
        rows: not looked at.
        symbols: not looked at.
        ends: a row ends with its first pad.
        labels: not looked at; the generator's logits know the step's.
        row_labels: not looked at.
        device: not looked at.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        assert batch.teacher is not None, "the generator has no teacher-forced logits"
        real = batch.real.long()
        return teacher_nll(real, batch.teacher(real), ends=ends), state

    return Term(term, samples=False)


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
    rows: Iterable[Tensor],
    *,
    symbols: int,
    order: int,
    real: int,
    fake: int,
    ends: bool = False,
    device: torch.device | str = "cpu",
) -> Term:
    """Build the window likelihood as a generator term; it needs nothing of the corpus but each step's real rows.

    Args:
        rows: not looked at.
        symbols: not looked at.
        order: length of a window n. [symbols]
        real: real windows a step M.
        fake: generated windows a step K.
        ends: not looked at.
        device: not looked at.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        # a mixture over the whole batch: every process has all of it, and the same windows
        chosen = _windows(gathered(batch.real.long()), real, order, rng)
        return window_nll(chosen, _windows(gathered(batch.output.logits.log_softmax(-1)), fake, order, rng)), state

    return Term(term)
