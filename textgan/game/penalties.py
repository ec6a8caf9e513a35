"""Penalties: what keeps a critic's slope in bounds, added to its loss.

A slope is the norm of the critic's gradient over all axes of one sample together, Euclidean where nothing else is said.
Every penalty looks at each sample by itself, row i of real and of fake under one condition.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from textgan.contract import Critic, Equality, Penalty
from textgan.transfers import drawn, dropping


def slopes(critic: Critic, samples: Tensor, *, order: float = 2) -> Tensor:
    """Return |∇D|_q at each sample, (batch,), differentiable in the critic's weights.

    Args:
        critic: scores samples; it may not mix them (no batch norm), or the gradient of the sum is not each one's own.
        samples: (batch, ...).
        order: q, 1 or more or infinity. It is the dual of the norm p in which samples lie apart, 1/p + 1/q = 1: a
            gradient of |.|_q <= 1 everywhere makes a critic 1-Lipschitz in |x - y|_p.
    """
    at = samples.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(1), order, dim=1)  # its gradient at 0 is 0, not NaN
    return norms


def interpolates(real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """Points a·real + (1-a)·fake with one a ~ U(0, 1) a sample; real and fake are (batch, ...) of one shape."""
    shape = (len(real),) + (1,) * (real.dim() - 1)
    mix = _uniform(shape, real, rng)
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


def gradient_penalty_one_sided(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |∇D(x̂)| - 1)² at interpolates x̂ of paired real and fake samples (batch, ...).

    A critic pays for slopes above 1 only.

    Source: Gulrajani et al. 2017, section 4, the one-sided penalty; Petzka, Fischer & Lukovnikov 2018, WGAN-LP.
    """
    return _excess(critic, real, fake, order=2, rng=rng).square().mean()


def max_margin(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |∇D(x̂)|_∞ - 1) at interpolates x̂ of paired real and fake samples (batch, ...): the best of its paper.

    The gradient's largest entry bounds the critic in the L1 norm of samples, which is why the paper speaks of an L1
    margin.

    Source: Jolicoeur-Martineau & Mitliagkas 2019 (arXiv:1910.06922) and its code; lambda 20, with a hinge objective.
    """
    return _excess(critic, real, fake, order=math.inf, rng=rng).mean()


def max_margin_l1(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |∇D(x̂)|_1 - 1): `max_margin` with the L1 norm of the gradient.

    It bounds the critic in the largest difference of two samples: the paper's L∞ margin, the worst of the three. What
    the paper's code calls `l1_margin` is `max_margin`.

    Source: as `max_margin`.
    """
    return _excess(critic, real, fake, order=1, rng=rng).mean()


def max_margin_l2(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |∇D(x̂)| - 1): `max_margin` with the Euclidean norm, which is its own dual: the paper's L2 margin.

    Source: as `max_margin`.
    """
    return _excess(critic, real, fake, order=2, rng=rng).mean()


def max_margin_squared(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |∇D(x̂)|_∞ - 1)²: `max_margin` with the square of the one-sided gradient penalty.

    Source: as `max_margin`. A departure: its code squares the two-sided difference only.
    """
    return _excess(critic, real, fake, order=math.inf, rng=rng).square().mean()


def zero_centred_mid(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """½ E|∇D(m)|² at the middles m = ½(x + g) of paired real and fake samples (batch, ...).

    Source: Kim, Park & Hwang 2018 (arXiv:1810.02528), the penalty measure that was its best on CIFAR-10; the weight is
    its rho. Its measures of real and of generated samples are `r1` and `r2`.
    """
    return slopes(critic, (real + fake) / 2).square().mean() / 2


def zero_centred_mixture(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """½ E|∇D|² where each row of a batch (batch, ...) is the real or the generated sample of that row.

    A fair coin a row decides, so that every row keeps its condition and the rows are independent draws of the mixture
    ½ p_real + ½ p_fake; how many of a batch are real varies.

    Source: Kim, Park & Hwang 2018 (arXiv:1810.02528), a penalty measure; the weight is its rho.
    """
    coin = _uniform((len(real),) + (1,) * (real.dim() - 1), real, rng)
    return slopes(critic, torch.where(coin < 0.5, real, fake)).square().mean() / 2


def total_variation(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E|∇D(x̂)| at interpolates x̂ of paired real and fake samples (batch, ...): the mean slope itself.

    Relied upon: the mathematician's total variation of D, under the law of x̂. Zhang, Zhang & Gao 2018
    (arXiv:1812.00810) name a regulariser so; of it only the abstract was read. As it promises no extra work, and code
    of others that cites it penalises |D(x) - D(g) - delta|, theirs may well be that other term: quote no result of
    that paper for this one.
    """
    return slopes(critic, interpolates(real, fake, rng=rng)).mean()


def sobolev(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """Ω = ½ E|∇D(x)|² + ½ E|∇D(g)|² at real and generated samples (batch, ...): what is to be 1.

    Source: Mroueh et al. 2018 (Sobolev GAN), section 3, with their measure μ = ½ (p_real + p_fake).
    """
    return (slopes(critic, real).square().mean() + slopes(critic, fake).square().mean()) / 2


def adversarial_lipschitz(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E max(0, |D(x + r) - D(x)| / |r| - 1)² over real and generated samples x (batch, ...) of one number.

    The step r leads where the score of x changes fastest, as far as `stretches` draws it.

    Source: Terjék 2020 (arXiv:1907.05681), the adversarial Lipschitz penalty with K = 1; lambda is 100 in the paper
    and 10 in its code. A departure from that code: x + r is not clipped to the range of samples, so that text may leave
    the simplex and an image [-1, 1].
    """
    found = torch.cat([stretches(critic, side, rng=rng) for side in (real, fake)])
    return torch.relu(found - 1).square().mean()


def consistency(critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """E[(D'(x) - D''(x))² + 0.1 mean (f'(x) - f''(x))²] over real samples x (batch, ...), and the mean over features.

    D' and f' are the critic's score and features under one dropout, D'' and f'' under another; a critic without
    dropout pays 0.

    Source: Wei et al. 2018 (arXiv:1803.01541), the consistency term, as their code has it: squares, and M' = 0, at
    which its maximum with 0 changes nothing. The weight is their lambda_2 = 2, beside a gradient penalty of 10 and
    shares of 0.2 to 0.5 dropped. A departure: there the critic drops values whatever it is asked; here scores and
    slopes outside this term stay exact.
    """
    passes = []
    for _ in range(2):
        with dropping(rng):
            passes.append((critic(real), critic.features(real).flatten(1)))
    (score, features), (other_score, other_features) = passes
    apart = (score - other_score).square() + 0.1 * (features - other_features).square().mean(1)
    return apart.mean()


def stretches(critic: Critic, samples: Tensor, *, rng: torch.Generator) -> Tensor:
    """Return |D(x + r) - D(x)| / |r| at each sample, (batch,), differentiable in the critic's weights, r held fixed.

    r = eps·d with eps ~ U(0.1, 10) a sample. d, of norm 1, is the gradient in s of |D(x + s) - D(x)| at |s| = 10 in a
    random direction: one power iteration. Where that gradient is 0, so are d and the result.

    Args:
        critic: scores samples; it may not mix them.
        samples: (batch, ...).
        rng: draws the first direction, uniform in a cube as in the paper's code, and eps.

    Source: Terjék 2020 and its code, with xi = 10.
    """
    at = samples.detach()
    scores = critic(at)
    far = (10 * _unit(_uniform(at.shape, at, rng) - 0.5)).requires_grad_(True)
    (steepest,) = torch.autograd.grad((critic(at + far) - scores.detach()).abs().sum(), far)
    eps = 0.1 + 9.9 * _uniform((len(at),) + (1,) * (at.dim() - 1), at, rng)
    return (critic(at + eps * _unit(steepest)) - scores).abs() / eps.flatten()


def _excess(critic: Critic, real: Tensor, fake: Tensor, *, order: float, rng: torch.Generator) -> Tensor:
    """Return how far |∇D(x̂)|_q lies above 1 at each interpolate, (batch,)."""
    return torch.relu(slopes(critic, interpolates(real, fake, rng=rng), order=order) - 1)


def _unit(vectors: Tensor) -> Tensor:
    """Each row over its Euclidean norm over all axes; a row of zeros stays."""
    return F.normalize(vectors.flatten(1), dim=1).view_as(vectors)


def _uniform(shape: tuple[int, ...], like: Tensor, rng: torch.Generator) -> Tensor:
    return drawn(partial(torch.rand, dtype=like.dtype), shape, rng, like.device)


PENALTIES: dict[str, Penalty] = {
    "gradient_penalty": gradient_penalty,
    "gradient_penalty_one_sided": gradient_penalty_one_sided,
    "max_margin": max_margin,
    "max_margin_l1": max_margin_l1,
    "max_margin_l2": max_margin_l2,
    "max_margin_squared": max_margin_squared,
    "r1": r1,
    "r2": r2,
    "zero_centred_mid": zero_centred_mid,
    "zero_centred_mixture": zero_centred_mixture,
    "total_variation": total_variation,
    "adversarial_lipschitz": adversarial_lipschitz,
    "consistency": consistency,
}

EQUALITIES = {"sobolev": Equality(sobolev)}
