"""Conditions: a label a sample, bound to the nets before the game sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from textgan.contract import BoundRelaxation, Critic, Generator, Output


@dataclass(frozen=True)
class BoundGenerator:
    """A generator of (noise, relax, condition=...) with the condition chosen: one label a sample."""

    generator: Any
    condition: Tensor

    def __call__(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one sample a row of noise (batch, latent), each under its condition."""
        return self.generator(noise, relax, condition=self.condition)  # type: ignore[no-any-return]

    def teacher(self, ids: Tensor, noise: Tensor) -> Tensor:
        """Return teacher-forced logits of rows (batch, position), of a generator that has them."""
        return self.generator.teacher(ids, noise, condition=self.condition)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class BoundCritic:
    """A critic of (samples, condition=...) with the condition chosen: one label a sample."""

    critic: Any
    condition: Tensor

    def __call__(self, samples: Tensor) -> Tensor:
        """Score each sample under its condition, (batch,)."""
        return self.critic(samples, condition=self.condition)  # type: ignore[no-any-return]

    def features(self, samples: Tensor) -> Tensor:
        """Return the layer before the score, (batch, features)."""
        return self.critic.features(samples, condition=self.condition)  # type: ignore[no-any-return]


def bind_generator(generator: Any, condition: Tensor | None) -> Generator:
    """Return the generator with the real batch's condition (batch,) bound, or as it is where there is none."""
    return generator if condition is None else BoundGenerator(generator, condition)


def bind_critic(critic: Any, condition: Tensor | None) -> Critic:
    """Return the critic with the real batch's condition (batch,) bound, or as it is where there is none."""
    return critic if condition is None else BoundCritic(critic, condition)


def classification(critic: Critic, samples: Tensor) -> Tensor:
    """Mean cross-entropy of a bound critic's guess of the labels of its samples (batch, ...). [nats]

    Source: Odena, Olah & Shlens 2017, eq. 3, on real samples for the critic and on generated ones for the generator,
    as in the code of Gulrajani et al. 2017, whose weights are 1 and 0.1; Salimans et al. 2016, section 5, L_supervised,
    on the real samples that have a label.
    """
    assert isinstance(critic, BoundCritic)
    return F.cross_entropy(critic.critic.classes(samples), critic.condition)
