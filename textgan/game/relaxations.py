"""Relaxations of the discrete output: logits to a differentiable sample, and the ids drawn with it."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from textgan.contract import Relaxation
from textgan.transfers import drawn


def draw(probabilities: Tensor, *, rng: torch.Generator) -> Tensor:
    """Draw one symbol a position, independently: probabilities (..., symbol) -> ids (...) int64.

    One uniform number a position, drawn on the CPU so that every device sees the same.
    """
    return at_share(probabilities, drawn(partial(torch.rand, probabilities.shape[:-1]), rng, probabilities.device))


def at_share(probabilities: Tensor, share: Tensor) -> Tensor:
    """Return the symbol that lies at a share of the cumulative sum of each position, counted from its end.

    Args:
        probabilities: (..., symbol), of any sum.
        share: in [0, 1), (...), or what broadcasts to it.

    Returns:
        Ids (...) int64.
    """
    ends = probabilities.detach().cumsum(-1)
    share = 1 - share.to(ends.device, ends.dtype)  # in (0, 1]
    # the first end at or past the scaled share: always there, and never a symbol of probability 0
    return torch.searchsorted(ends, (share * ends[..., -1]).unsqueeze(-1)).squeeze(-1)


def softmax(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The softmax itself, (..., symbol).

    Source: Gulrajani et al. 2017, section 5.4.
    """
    sample = F.softmax(logits / temperature, dim=-1)
    return sample, draw(sample, rng=rng)


def straight_through(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The drawn one-hot forward, the softmax's gradient backward, (..., symbol).

    Source: Bengio, Léonard & Courville 2013, section 4; drawn rather than the likeliest symbol.
    """
    soft, ids = softmax(logits, temperature=temperature, rng=rng)
    hard = torch.zeros_like(soft).scatter_(-1, ids.unsqueeze(-1), 1)  # as one_hot, which goes by way of int64
    return hard + (soft - soft.detach()), ids


def identity(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """What needs no relaxation, any shape: the sample itself, which is also its row."""
    return logits, logits


RELAXATIONS: dict[str, Relaxation] = {"softmax": softmax, "straight_through": straight_through}
"""Of symbols."""
EXACT: dict[str, Relaxation] = {"identity": identity}
"""Of samples that are not discrete."""
