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


def logistic_critic(*, real: Tensor, fake: Tensor, target: float = 1.0) -> Tensor:
    """Cross-entropy of telling the sides apart, in nats: mean softplus(-D(x)) + mean softplus(D(g)).

    Args:
        real: critic scores of corpus samples, the log-odds that a sample is real, (batch,).
        fake: critic scores of generated samples, (batch,); sizes may differ.
        target: the probability of being real that real samples are to get; the fakes' stays 0. [share]

    Returns:
        Scalar to minimise: 2 ln 2 for a critic that knows nothing, 2 ln 2 - 2 JSD at the best one (of target 1).

    Source: Goodfellow et al. 2014, eq. 1, negated; the sigmoid is in the loss, since scores have none. The target is
    the one-sided label smoothing of Salimans et al. 2016, section 3.4, 0.9.
    """
    return (F.softplus(-real) + (1 - target) * real).mean() + F.softplus(fake).mean()


def non_saturating_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """Mean softplus(-D(g)) = -log sigmoid(D(g)) over generated scores (batch,); `real` is not looked at.

    Source: Goodfellow et al. 2014, section 3: maximise log D(G(z)), whose gradient stays where the critic is sure.
    """
    return F.softplus(-fake).mean()


def minimax_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """Mean -softplus(D(g)) = log(1 - sigmoid(D(g))) over generated scores (batch,); `real` is not looked at.

    Source: Goodfellow et al. 2014, eq. 1 and algorithm 1; its gradient vanishes where the critic is sure.
    """
    return -F.softplus(fake).mean()


def least_squares_critic(*, real: Tensor, fake: Tensor, target: float = 1.0) -> Tensor:
    """Half the mean squares of D(x) - target and of D(g), added; scores (batch,) of sizes that may differ.

    Source: Mao et al. 2017 (LSGAN), eq. 9: targets 1 for real and 0 for generated samples, with the paper's 1/2. A
    lower target is the one-sided label smoothing of Salimans et al. 2016, section 3.4.
    """
    return ((real - target).square().mean() + fake.square().mean()) / 2


def least_squares_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """Half the mean square of D(g) - 1 over generated scores (batch,); `real` is not looked at.

    Source: Mao et al. 2017 (LSGAN), eq. 9: the generator's target is that of real samples, 1.
    """
    return (fake - 1).square().mean() / 2


def hinge_critic(*, real: Tensor, fake: Tensor) -> Tensor:
    """Mean relu(1 - D(x)) + mean relu(1 + D(g)); scores (batch,) of sizes that may differ.

    A score beyond its margin has no gradient. The generator's loss is `wasserstein_generator`.

    Source: Lim & Ye 2017 (Geometric GAN: a support vector machine on the critic's features), here the hinge alone, with
    no norm of weights added; Miyato et al. 2018 (spectral normalisation), eqs. 16 and 17.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


OBJECTIVES = {
    "wasserstein": Objective(critic=wasserstein_critic, generator=wasserstein_generator),
    "relativistic": Objective(critic=relativistic_critic, generator=relativistic_generator, pairs=True),
    "non_saturating": Objective(critic=logistic_critic, generator=non_saturating_generator, target=True),
    "minimax": Objective(critic=logistic_critic, generator=minimax_generator, target=True),
    "least_squares": Objective(critic=least_squares_critic, generator=least_squares_generator, target=True),
    "hinge": Objective(critic=hinge_critic, generator=wasserstein_generator),
}
