"""Relaxations of the discrete output: logits to a differentiable sample, and the ids drawn with it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from textgan.contract import Relaxation
from textgan.transfers import drawn

TINY = torch.finfo(torch.float32).tiny  # a uniform number may be 0, whose logarithm is none


def draw(probabilities: Tensor, *, rng: torch.Generator) -> Tensor:
    """Draw one symbol a position, independently: probabilities (..., symbol) -> ids (...) int64.

    One uniform number a position, drawn on the CPU so that every device sees the same.
    """
    return at_share(probabilities, drawn(torch.rand, probabilities.shape[:-1], rng, probabilities.device))


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
    return _through(soft, ids), ids


def straight_through_argmax(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The likeliest symbol's one-hot forward, the softmax's gradient backward, (..., symbol); no noise.

    The ids are the likeliest symbols too, so that terms that count them see what the critic sees.

    Source: Bengio, Léonard & Courville 2013, section 4.
    """
    soft = F.softmax(logits / temperature, dim=-1)
    ids = soft.detach().argmax(-1)
    return _through(soft, ids), ids


def gumbel_softmax(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """softmax((logits + g) / T) with g = -log(-log u), u uniform, (..., symbol).

    The ids are where logits + g is largest: drawn from the softmax of the logits, whatever the temperature.

    Source: Jang, Gu & Poole 2017, eq. 2; Maddison, Mnih & Teh 2017, eq. 10. T of 0.5 to 0.75 in Gupta & Zou 2019.
    """
    uniform = drawn(torch.rand, logits.shape, rng, logits.device).clamp_min(TINY)
    noisy = logits - (-uniform.log()).log()
    return F.softmax(noisy / temperature, dim=-1), noisy.detach().argmax(-1)


def gumbel_straight_through(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The drawn one-hot forward, the Gumbel-softmax's gradient backward, (..., symbol).

    Source: Jang, Gu & Poole 2017, section 2.2.
    """
    soft, ids = gumbel_softmax(logits, temperature=temperature, rng=rng)
    return _through(soft, ids), ids


def reinforce(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The drawn one-hot, (..., symbol), without a gradient: `policy.policy_gradient` gives one by its reward.

    Source: Williams 1992.
    """
    soft, ids = softmax(logits.detach(), temperature=temperature, rng=rng)
    return _one_hot(soft, ids), ids


def annealed(first: float, last: float, done: float) -> float:
    """Temperature after a share of the steps: from the first to the last by equal factors; a last of 0 keeps it."""
    return first ** (1 - done) * last**done if last else first


def smoothed(samples: Tensor, share: float) -> Tensor:
    """Take a share from each one-hot symbol (..., symbol) and give it to the others in equal parts.

    Source: Mroueh et al. 2018 (Sobolev GAN), section 6.2, which anneals a smoothing of real samples alone.
    """
    if share == 0:
        return samples
    others = samples.shape[-1] - 1
    return (1 - share) * samples + share / others * (1 - samples)


def _one_hot(like: Tensor, ids: Tensor) -> Tensor:
    return torch.zeros_like(like).scatter_(-1, ids.unsqueeze(-1), 1)  # as one_hot, which goes by way of int64


def _through(soft: Tensor, ids: Tensor) -> Tensor:
    """The one-hot of ids forward, the gradient of soft backward."""
    return _one_hot(soft, ids) + (soft - soft.detach())


def identity(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """What needs no relaxation, any shape: the sample itself, which is also its row."""
    return logits, logits


def tanh(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pixels within [-1, 1], any shape; the sample is also its row.

    Source: Radford, Metz & Chintala 2016 (DCGAN), section 3; Gulrajani et al. 2017, appendix F.
    """
    sample = logits.tanh()
    return sample, sample


DRAWN_AT_ONE = frozenset({"gumbel_softmax", "gumbel_straight_through"})
"""Relaxations whose ids are drawn from the softmax of the logits at temperature 1, whatever theirs is."""
RELAXATIONS: dict[str, Relaxation] = {
    "softmax": softmax,
    "straight_through": straight_through,
    "straight_through_argmax": straight_through_argmax,
    "gumbel_softmax": gumbel_softmax,
    "gumbel_straight_through": gumbel_straight_through,
    "reinforce": reinforce,
}
"""Of symbols."""
EXACT: dict[str, Relaxation] = {"identity": identity}
"""Of samples that are not discrete."""
BOUNDED: dict[str, Relaxation] = {"tanh": tanh}
"""Of pictures."""
