"""Objectives: the critic's and the generator's loss on scores."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from textgan.contract import Objective


def wasserstein_critic(*, real: Tensor, fake: Tensor) -> Tensor:
    """Negated dual estimate of the Wasserstein-1 distance, in units of critic score.

    Args:
        real: critic scores of corpus samples, (batch,).
        fake: critic scores of generated samples, (batch,); sizes may differ.

    Returns:
        Scalar to minimise. Its negative estimates W1 only where the critic is 1-Lipschitz and optimal.

    Source: Arjovsky, Chintala & Bottou 2017, eq. 2.
    """
    return fake.mean() - real.mean()


def wasserstein_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """Negated mean critic score of generated samples (batch,); `real` is not looked at.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    """
    return -fake.mean()


def relativistic_critic(*, real: Tensor, fake: Tensor) -> Tensor:
    """Mean softplus(D(g) - D(x)) over pairs of a fake and a real sample, both (batch,).

    Source: Jolicoeur-Martineau 2018 (RpGAN); Huang et al. 2024 (R3GAN), eq. 2.
    """
    return F.softplus(fake - real).mean()


def relativistic_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """Mean softplus(D(x) - D(g)) over pairs: the critic's loss with the sides exchanged.

    Source: as `relativistic_critic`.
    """
    return F.softplus(real - fake).mean()


OBJECTIVES = {
    "wasserstein": Objective(critic=wasserstein_critic, generator=wasserstein_generator),
    "relativistic": Objective(critic=relativistic_critic, generator=relativistic_generator, pairs=True),
}
