"""Constraints: what keeps a critic smooth by changing the critic itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from textgan.contract import Constraint, Critic

FLAT = 1e-12  # slopes and divisors below it are taken for none; float32 holds their inverse cube
SOFTENING = 0.1  # epsilon of piecewise gradient normalisation
FIRST = 20  # power iterations on new weights; later ones start near the end


class Bounds(NamedTuple):
    """The numbers of constraints that have one."""

    clip: float = 0.01
    """c of weight clipping."""
    lipschitz: float = 1.0
    """K of piecewise gradient normalisation."""


def clip_weights(critic: nn.Module, bound: float) -> None:
    """Clip every parameter to [-bound, bound] after a critic step.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1; bound 0.01.
    """
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.clamp_(-bound, bound)


class SpectralNorm(nn.Module):
    """A weight (out, ...) over its largest singular value, as a matrix (out, rest), by a power iteration's vectors."""

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows = weight.detach().flatten(1)
        self.register_buffer("left", F.normalize(torch.ones_like(rows[:, 0]), dim=0))
        self.register_buffer("right", F.normalize(torch.ones_like(rows[0]), dim=0))
        self.left.normal_()
        for _ in range(FIRST):
            self.iterate(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over u W v, whose gradient knows u and v for constants."""
        norm = self.left @ weight.flatten(1) @ self.right
        return weight / norm.clamp_min(FLAT)

    @torch.no_grad()
    def iterate(self, weight: Tensor) -> None:
        """Take one step of the power iteration."""
        rows = weight.flatten(1)
        self.right.copy_(F.normalize(rows.T @ self.left, dim=0))
        self.left.copy_(F.normalize(rows @ self.right, dim=0))


def spectral_norm(critic: nn.Module) -> None:
    """Divide the weight of every linear layer, convolution and embedding of a critic by its largest singular value.

    Source: Miyato et al. 2018 (SN-GAN), eq. 8 and algorithm 1.
    """
    for module in list(critic.modules()):
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.dim() > 1:
            parametrize.register_parametrization(module, "weight", SpectralNorm(weight))


def iterate_power(critic: nn.Module) -> None:
    """Take a step of every power iteration of a critic: after its update, once, however often it is called.

    Source: Miyato et al. 2018 (SN-GAN), algorithm 1, one iteration an update.
    """
    for module in critic.modules():
        if parametrize.is_parametrized(module, "weight"):
            norms = module.parametrizations.weight  # type: ignore[union-attr]
            norms[0].iterate(norms.original)  # type: ignore[index, union-attr]


@dataclass(frozen=True)
class NormalisedCritic:
    """A critic whose score at a sample is divided by its own slope there, in one way or another.

    The slope is the norm of the critic's gradient over all axes of a sample together. It is differentiated along with
    the score: by the critic's weights, and by the samples, in the generator's step, where it costs a second order.
    """

    critic: Critic
    """May not mix samples (no batch norm), or the gradient of the sum is not each one's own."""
    normalise: Callable[[Tensor, Tensor], Tensor]
    """Scores (batch,) and slopes (batch,) to normalised scores (batch,)."""

    def __call__(self, samples: Tensor) -> Tensor:
        """Score each sample (batch, ...); the samples, where they need no gradient, are left without."""
        with torch.enable_grad():  # a slope is needed also where nothing is trained
            at = samples if samples.requires_grad else samples.detach().requires_grad_(True)
            scores = self.critic(at)
            (gradient,) = torch.autograd.grad(scores.sum(), at, create_graph=True)
        return self.normalise(scores, _norms(gradient.flatten(1)))

    def features(self, samples: Tensor) -> Tensor:
        """Return the critic's own features, (batch, features)."""
        return self.critic.features(samples)


def gradient_normalisation(critic: Critic) -> Critic:
    """D / (|∇D| + |D|): scores within [-1, 1], the same for c·D with any c > 0.

    Where D is linear around a sample, the slope becomes (|∇D| / (|∇D| + |D|))², which is at most 1. Elsewhere the
    change of |∇D| adds to it.

    Source: Wu, Shuai, Tam & Chiu 2021 (2109.02235), "Gradient Normalization for Generative Adversarial Networks", who
    play with the hinge loss at learning rates of 4e-4 for the critic and 2e-4 for the generator; nothing here sets
    these. Departure: where |∇D| + |D| is under 1e-12, as of a critic of zero weights, the score stays D.
    """
    return NormalisedCritic(critic, _within_one)


def piecewise_gradient_normalisation(critic: Critic, lipschitz: float) -> Critic:
    """K D |∇D| / (|∇D|² + ε), with K = `lipschitz` and ε = 0.1, for critics that are linear between kinks.

    Around a sample off the kinks the slope becomes K |∇D|² / (|∇D|² + ε), which is under K. Across a kink the score may
    jump; of a critic that bends elsewhere, the change of |∇D| adds to the slope, and nothing bounds it.

    Source: Bhaskara, Aumentado-Armstrong, Jepson & Levinshtein 2022 (2111.03162), "GraN-GAN: Piecewise Gradient
    Normalization for Generative Adversarial Networks": the formula. The numbers are ours: K is 1 unless set, the slope
    that the gradient penalty asks for, and a slope of 0.3, the root of ε, becomes half of it.
    """
    return NormalisedCritic(critic, partial(_to_slope, lipschitz=lipschitz))


def _within_one(scores: Tensor, slopes: Tensor) -> Tensor:
    divisor = slopes + scores.abs()
    return scores / divisor.masked_fill(divisor < FLAT, 1.0)


def _to_slope(scores: Tensor, slopes: Tensor, lipschitz: float) -> Tensor:
    return lipschitz * scores * slopes / (slopes.square() + SOFTENING)


def _norms(rows: Tensor) -> Tensor:
    """Norms (batch,) of rows (batch, axis); at zero their derivatives are zero too.

    Torch's norm has that for the first derivative only, and a penalty on a normalised critic takes the second.
    """
    flat = rows.detach().abs().amax(1, keepdim=True) < FLAT
    norms: Tensor = torch.linalg.vector_norm(rows.masked_fill(flat, 1.0), dim=1)
    return norms.masked_fill(flat.squeeze(1), 0.0)


CONSTRAINTS: dict[str, Callable[[Bounds], Constraint]] = {
    "none": lambda bounds: Constraint(),
    "weight_clipping": lambda bounds: Constraint(after_step=partial(clip_weights, bound=bounds.clip)),
    "spectral_norm": lambda bounds: Constraint(prepare=spectral_norm, after_step=iterate_power),
    "gradient_normalisation": lambda bounds: Constraint(wrap=gradient_normalisation),
    "piecewise_gradient_normalisation": lambda bounds: Constraint(
        wrap=partial(piecewise_gradient_normalisation, lipschitz=bounds.lipschitz)
    ),
}
