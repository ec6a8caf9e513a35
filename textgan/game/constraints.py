"""Constraints: what keeps a critic smooth by changing the critic itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from textgan.contract import Constraint, Critic

FLAT = 1e-12  # slopes and divisors below it are taken for none; float32 holds their inverse cube
LIPSCHITZ, SOFTENING = 1.0, 0.1  # K and epsilon of piecewise gradient normalisation


def clip_weights(critic: nn.Module) -> None:
    """Clip every parameter to [-0.01, 0.01] after a critic step.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    """
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.clamp_(-0.01, 0.01)


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


def piecewise_gradient_normalisation(critic: Critic) -> Critic:
    """K D |∇D| / (|∇D|² + ε), with K = 1 and ε = 0.1, for critics that are linear between kinks.

    Around a sample off the kinks the slope becomes K |∇D|² / (|∇D|² + ε), which is under K. Across a kink the score may
    jump; of a critic that bends elsewhere, the change of |∇D| adds to the slope, and nothing bounds it.

    Source: Bhaskara, Aumentado-Armstrong, Jepson & Levinshtein 2022 (2111.03162), "GraN-GAN: Piecewise Gradient
    Normalization for Generative Adversarial Networks": the formula. The numbers are ours: K is the slope that the
    gradient penalty asks for, and a slope of 0.3, the root of ε, becomes half of it.
    """
    return NormalisedCritic(critic, _to_unit_slope)


def _within_one(scores: Tensor, slopes: Tensor) -> Tensor:
    divisor = slopes + scores.abs()
    return scores / divisor.masked_fill(divisor < FLAT, 1.0)


def _to_unit_slope(scores: Tensor, slopes: Tensor) -> Tensor:
    return LIPSCHITZ * scores * slopes / (slopes.square() + SOFTENING)


def _norms(rows: Tensor) -> Tensor:
    """Norms (batch,) of rows (batch, axis); at zero their derivatives are zero too.

    Torch's norm has that for the first derivative only, and a penalty on a normalised critic takes the second.
    """
    flat = rows.detach().abs().amax(1, keepdim=True) < FLAT
    norms: Tensor = torch.linalg.vector_norm(rows.masked_fill(flat, 1.0), dim=1)
    return norms.masked_fill(flat.squeeze(1), 0.0)


CONSTRAINTS = {
    "none": Constraint(),
    "weight_clipping": Constraint(after_step=clip_weights),
    "gradient_normalisation": Constraint(wrap=gradient_normalisation),
    "piecewise_gradient_normalisation": Constraint(wrap=piecewise_gradient_normalisation),
}
