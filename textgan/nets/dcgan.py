"""Generators and critics of pictures by convolutions of stride 2 alone, with a choice of nonlinearities.

Source: Radford, Metz & Chintala 2016 (DCGAN), section 3 and figure 1; sizes, kernel 5 and initial weights as in the
code of Gulrajani et al. 2017 (WGAN-GP) for CIFAR-10 and for pictures of side 64. Departures: windows are centred at
each second pixel, where that code shifts them by half a stride; its plain nets of side 64 have initial weights of
standard deviation .02 instead.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from textgan.nets.image import START, channels_first, channels_last, doublings
from textgan.nets.layers import linear, rectify, strided, transposed
from textgan.nets.norms import NORMS, reference_noise
from textgan.nets.one_pass import OnePassGenerator

LEAK = 0.2  # of a critic's ReLUs


class Nonlinearity(NamedTuple):
    """What stands between two layers."""

    apply: Callable[[Tensor, float], Tensor]
    """Values (..., channel), and a leak for those that have one, to values."""
    parts: int = 1
    """Channels that one of its own is made of."""


def _tanh(x: Tensor, leak: float) -> Tensor:
    return x.tanh()


def _gated(x: Tensor, leak: float) -> Tensor:
    """sigmoid(a) · tanh(b) of the two halves of the channels.

    Source: van den Oord et al. 2016 (1606.05328), eq. 2; Gulrajani et al. 2017, figure 2.
    """
    gate, value = x.chunk(2, -1)
    return gate.sigmoid() * value.tanh()


NONLINEARITIES = {
    "relu": Nonlinearity(rectify),
    "tanh": Nonlinearity(_tanh),
    "gated": Nonlinearity(_gated, parts=2),
}


class Stage(nn.Module):
    """A layer, its norm and its nonlinearity; a layer of gated units gives two channels for each of the stage."""

    def __init__(self, layer: nn.Module, norm: nn.Module, nonlinearity: Nonlinearity, leak: float) -> None:
        super().__init__()
        self.layer, self.norm, self.nonlinearity, self.leak = layer, norm, nonlinearity, leak

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, channel) to another side and number of channels."""
        return self.nonlinearity.apply(self.norm(self.layer(x)), self.leak)


def doubling(width: int, count: int) -> list[int]:
    """Channels of `count` stages, the finest first: each has twice those of the one before."""
    return [width << scale for scale in range(count)]


def constant(width: int, count: int) -> list[int]:
    """The same channels at each of `count` stages."""
    return [width] * count


class DCGANGenerator(OnePassGenerator):
    """Linear -> 4x4 -> transposed convolutions that double the side and halve the channels; ReLUs between.

    `blocks` is taken for the common signature and not used: the side decides.

    Source: Radford, Metz & Chintala 2016 (DCGAN), figure 1.
    """

    channels_at = staticmethod(doubling)

    def __init__(
        self,
        *,
        channels: int,
        side: int,
        latent: int,
        width: int,
        blocks: int,
        kernel: int,
        norm: str = "none",
        nonlinearity: str = "relu",
    ) -> None:
        super().__init__()
        between = NONLINEARITIES[nonlinearity]
        wide, parts = self.channels_at(width, doublings(side))[::-1], between.parts

        def stage(layer: nn.Module, channels: int) -> Stage:
            return Stage(layer, NORMS[norm](channels * parts), between, 0.0)

        first = nn.Sequential(linear(latent, wide[0] * parts * START**2), nn.Unflatten(1, (START, START, -1)))
        later = (stage(transposed(a, b * parts, kernel), b) for a, b in pairwise(wide))
        self.stages = nn.Sequential(stage(first, wide[0]), *later)
        self.leave = transposed(width, channels, kernel)
        self.register_buffer("reference", reference_noise(norm, latent))

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, channel, y, x)."""
        return channels_first(self.leave(self.stages(noise)))


class ConstantGenerator(DCGANGenerator):
    """The same with as many channels at 4x4 as at full size; in that table without a norm.

    Source: Gulrajani et al. 2017 (WGAN-GP), figure 2, "no BN and a constant number of filters in G", and its
    code; Arjovsky, Chintala & Bottou 2017, section 4.3.
    """

    channels_at = staticmethod(constant)


class DCGANCritic(nn.Module):
    """Convolutions of stride 2 down to 4x4, the channels doubling -> flatten -> linear; leaky ReLUs between.

    The first convolution has no norm behind it. `blocks` is taken for the common signature and not used.

    Source: Radford, Metz & Chintala 2016 (DCGAN), section 3; leak .2.
    """

    def __init__(
        self,
        *,
        channels: int,
        side: int,
        width: int,
        blocks: int,
        kernel: int,
        norm: str = "none",
        nonlinearity: str = "relu",
    ) -> None:
        super().__init__()
        between = NONLINEARITIES[nonlinearity]
        wide, parts = doubling(width, doublings(side)), between.parts

        def stage(a: int, b: int, norm: str) -> Stage:
            return Stage(strided(a, b * parts, kernel), NORMS[norm](b * parts), between, LEAK)

        later = (stage(a, b, norm) for a, b in pairwise(wide))
        self.stages = nn.Sequential(stage(channels, width, "none"), *later)
        self.score = linear(wide[-1] * START**2, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to features (batch, y * x * channel)."""
        return self.stages(channels_last(samples)).flatten(1)  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
