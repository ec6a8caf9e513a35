"""Penalties: what keeps a critic's slope in bounds, added to its loss.

A slope is the norm of the critic's gradient over all axes of one sample together.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from textgan.contract import Critic, Penalty
from textgan.transfers import drawn


def slopes(critic: Critic, samples: Tensor) -> Tensor:
    """Return |∇D| at each sample, (batch,), differentiable in the critic's weights.

    Args:
        critic: scores samples; it may not mix them (no batch norm), or the gradient of the sum is not each one's own.
        samples: (batch, ...).
    """
    at = samples.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # its gradient at zero is zero, not NaN
    return norms


def interpolates(real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """Points a·real + (1-a)·fake with one a ~ U(0, 1) a sample; real and fake are (batch, ...) of one shape."""
    shape = (len(real),) + (1,) * (real.dim() - 1)
    mix = drawn(partial(torch.rand, shape, dtype=real.dtype), rng, real.device)
    return mix * real + (1 - mix) * fake


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E(|∇D(x̂)| - 1)² at interpolates x̂ of paired real and fake samples (batch, ...).

    The norm goes over all axes of a sample: a critic of exact unit slope pays 0.

    Source: Gulrajani et al. 2017, eq. 3; lambda 10.
    """
    return (slopes(critic, interpolates(real, fake, rng=rng)) - 1).square().mean()


def r1(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """½ E|∇D(x)|² at real samples (batch, ...).

    Source: Mescheder, Geiger & Nowozin 2018, eq. 9; the weight is its gamma.
    """
    return slopes(critic, real).square().mean() / 2


def r2(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """½ E|∇D(g)|² at generated samples (batch, ...).

    Source: Mescheder, Geiger & Nowozin 2018, eq. 10; the weight is its gamma.
    """
    return slopes(critic, fake).square().mean() / 2


PENALTIES: dict[str, Penalty] = {"gradient_penalty": gradient_penalty, "r1": r1, "r2": r2}
