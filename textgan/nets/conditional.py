"""Nets that know of labels: each wraps one that knows of none. A condition, a label a sample, is given by keyword."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Output
from textgan.nets.dropout import Dropout
from textgan.nets.layers import glorot_uniform_, linear

DROPPED = 0.2  # share of a sample that a classifying critic does without


class ConditionalGenerator(nn.Module):
    """A generator whose noise is joined by a learned embedding of the label, as wide as the noise.

    The generator within takes noise (batch, 2 latent).

    Source: Mirza & Osindero 2014, section 3.2: the label is an input beside the noise.
    """

    def __init__(self, generator: nn.Module, *, labels: int, latent: int) -> None:
        super().__init__()
        self.generator = generator
        self.embedding = nn.Embedding(labels, latent)  # standard normal, as the noise is

    def forward(self, noise: Tensor, relax: BoundRelaxation, *, condition: Tensor) -> Output:
        """Generate one sample a row of noise (batch, latent), each under its label (batch,) int64."""
        output: Output = self.generator(self._joined(noise, condition), relax)
        return output

    def teacher(self, ids: Tensor, noise: Tensor, *, condition: Tensor) -> Tensor:
        """Teacher-forced logits of rows (batch, position) under their labels (batch,), of a generator that has them."""
        logits: Tensor = self.generator.teacher(ids, self._joined(noise, condition))  # type: ignore[operator]
        return logits

    def _joined(self, noise: Tensor, condition: Tensor) -> Tensor:
        return torch.cat([noise, self.embedding(condition)], dim=1)


class ConditionalCritic(nn.Module):
    """A critic that gives its features to a head for the labels, besides its own score.

    The critic within has `features(samples)` and `score`, a linear layer of these features.
    """

    def __init__(self, critic: Any) -> None:
        super().__init__()
        self.critic = critic

    def features(self, samples: Tensor, *, condition: Tensor) -> Tensor:
        """Samples (batch, ...) to features (batch, features), the same under every label."""
        return self.critic.features(samples)  # type: ignore[no-any-return]


class ProjectionCritic(ConditionalCritic):
    """A critic whose score is its own plus <e(label), features>, with a learned vector e a label.

    Source: Miyato & Koyama 2018, eq. 3.
    """

    def __init__(self, critic: Any, *, labels: int) -> None:
        super().__init__(critic)
        self.embedding = nn.Embedding(labels, critic.score.in_features)
        glorot_uniform_(self.embedding.weight)

    def forward(self, samples: Tensor, *, condition: Tensor) -> Tensor:
        """Samples (batch, ...) under labels (batch,) to scores (batch,)."""
        features = self.critic.features(samples)
        score: Tensor = self.critic.score(features).squeeze(1)
        projection: Tensor = (self.embedding(condition) * features).sum(1)
        return score + projection


class AuxiliaryCritic(ConditionalCritic):
    """A critic whose score knows no label, with a classifier of the labels on the same features.

    Source: Odena, Olah & Shlens 2017 (AC-GAN); the conditional CIFAR-10 model of Gulrajani et al. 2017, section 5.3.
    """

    def __init__(self, critic: Any, *, labels: int) -> None:
        super().__init__(critic)
        self.classify = linear(critic.score.in_features, labels)

    def forward(self, samples: Tensor, *, condition: Tensor) -> Tensor:
        """Samples (batch, ...) to scores (batch,); the labels are not looked at."""
        return self.critic(samples)  # type: ignore[no-any-return]

    def classes(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to the logits of their label (batch, label)."""
        return self.classify(self.critic.features(samples))  # type: ignore[no-any-return]


class ClassifyingCritic(nn.Module):
    """A critic that is a classifier of real samples alone: D(x) = log Σ exp l(x) of its logits l, one a class.

    With a logit of 0 for generated samples, sigmoid(D) is the probability that a softmax over all of these gives to
    the real classes together, and softmax(l) the probability of each class of a real sample.

    While it learns from few labels, a fifth of the values of a sample is dropped.

    Source: Salimans et al. 2016 (1606.03498), section 5, where a logit that all share is fixed at 0; what is dropped is
    as in its code for CIFAR-10.
    """

    def __init__(self, critic: Any, *, labels: int) -> None:
        """Take a critic that has `features(samples)` and `score`, a linear layer of these, which is taken from it."""
        super().__init__()
        features = critic.score.in_features
        del critic.score  # nothing would train it
        self.drop = Dropout(DROPPED)
        self.critic = critic
        self.classify = linear(features, labels)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to features (batch, features)."""
        return self.critic.features(self.drop(samples))  # type: ignore[no-any-return]

    def classes(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to the logits of their class (batch, label)."""
        return self.classify(self.features(samples))  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to scores (batch,)."""
        return self.classes(samples).logsumexp(1)
