"""What a critic is told of the whole batch beside each sample, so that it sees a generator that repeats itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from textgan.nets.layers import linear
from textgan.ranks import gathered

KERNELS, DIMENSIONS = 32, 5  # 100 kernels, as published, make a step of a small critic on a CPU five times as long


class Discrimination(nn.Module):
    """How close each sample lies to the others of its batch, by 32 learned measures.

    M = f T has 32 kernels b of 5 dimensions, and o_b(i) is the sum over j other than i of exp(-|M_ib - M_jb|_1). It
    grows with the batch, and the time with the batch's square.

    Source: Salimans et al. 2016 (1606.03498), section 3.2. Departures: the paper's code has 100 kernels, and learns the
    length of T's columns apart from their direction, and a shift of o; here the entries of T start with deviation
    1 / (5 √features), so that features that differ by about 1 each lie about 1 apart.
    """

    width = KERNELS

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, KERNELS * DIMENSIONS) / (DIMENSIONS * features**0.5))

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, features) to closeness (batch, 32)."""
        m = (features @ self.weight).view(len(features), KERNELS, DIMENSIONS)
        # `cdist` has no double backward
        distance = (m.unsqueeze(1) - gathered(m)).abs().sum(3)  # (batch, batch, kernel)
        return torch.exp(-distance).sum(1) - 1  # each is at distance 0 from itself


class Deviation(nn.Module):
    """The standard deviation of each feature over the batch, averaged to one number that all samples are told.

    Source: Karras et al. 2018 (1710.10196), section 3, over the whole batch as there; its code has groups of 4. As
    in that code 1e-8 is added to a variance, so that equal samples have finite gradients.
    """

    width = 1

    def __init__(self, features: int) -> None:
        super().__init__()

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, features) to (batch, 1)."""
        deviation = (gathered(features).var(0, correction=0) + 1e-8).sqrt().mean()
        return deviation.expand(len(features), 1)


MINIBATCH: dict[str, Callable[[int], Any]] = {"discrimination": Discrimination, "stddev": Deviation}
"""The number of features to what makes (batch, width) of them."""


class MinibatchCritic(nn.Module):
    """A critic whose features are joined by what a layer says of their batch, with a score of all of these.

    A batch is scored as a whole: real and generated samples go in apart.
    """

    def __init__(self, critic: Any, layer: str) -> None:
        """Take a critic that has `features(samples)` and `score`, a linear layer of these, which is taken from it."""
        super().__init__()
        features = critic.score.in_features
        del critic.score  # nothing would train it
        self.critic = critic
        self.batch = MINIBATCH[layer](features)
        self.score = linear(features + self.batch.width, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to features (batch, features + width)."""
        features = self.critic.features(samples)
        return torch.cat([features, self.batch(features)], dim=1)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, ...) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
