"""Residual generators and critics of pictures, and a generator without convolutions.

Samples and logits are (batch, channel, y, x), pixels before the tanh; within, channels lie last. All nets of pictures
share one constructor a side; `side` is 4 times a power of two, which decides how many blocks there are, so `blocks` is
taken for the common signature and not used where nothing else is said. Initial weights are uniform, as in the code of
Gulrajani et al. 2017: standard deviation sqrt(4 / (fan_in + fan_out)) of convolutions within blocks,
sqrt(2 / (fan_in + fan_out)) of shortcuts and linear layers.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Output
from textgan.nets.layers import (
    Branch,
    ResidualBlock,
    convolution,
    glorot_uniform_,
    he_uniform_,
    linear,
    rectify,
)
from textgan.nets.norms import BY_LABEL, NORMS, Norm, reference_noise
from textgan.nets.one_pass import OnePassGenerator
from textgan.nets.plane import hidden
from textgan.nets.resample import halve

START = 4  # the side that a generator begins with, and a critic ends with


def doublings(side: int) -> int:
    """How often 4 is doubled to `side`: 3 for 32."""
    return (side // START).bit_length() - 1


def channels_last(samples: Tensor) -> Tensor:
    """(batch, channel, y, x) -> (batch, y, x, channel)."""
    return samples.permute(0, 2, 3, 1).contiguous()


def channels_first(x: Tensor) -> Tensor:
    """(batch, y, x, channel) -> (batch, channel, y, x)."""
    return x.permute(0, 3, 1, 2)


def branch_of(kernel: int, norm: Norm, *, bias: bool) -> Branch:
    """Residual blocks of pictures: no scale, no leak."""
    return Branch(kernel, axes=2, norm=norm, scale=1.0, bias=bias, shortcut=linear)


def constant(width: int, count: int) -> list[int]:
    """The same number of channels at each of `count` doublings' ends, the finest first."""
    return [width] * (count + 1)


def growing(width: int, count: int) -> list[int]:
    """Channels that double with each halving of the side but the last, the finest first: 1, 2, 4, 8, 8 for 64."""
    return [width << min(scale, count - 1) for scale in range(count + 1)]


class ResNetGenerator(OnePassGenerator):
    """Linear -> 4x4 -> residual blocks that double the side -> norm -> ReLU -> convolution to pixels.

    Under the norm conditional_batch the net takes labels itself; the norm before the last ReLU knows none, as there.

    Source: Gulrajani et al. 2017 (WGAN-GP), appendix F and its code for CIFAR-10; width 128, batch norm, kernel 3.
    """

    channels_at = staticmethod(constant)
    biased = True
    initial = staticmethod(glorot_uniform_)
    """Weights of the last convolution."""

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
        labels: int = 0,
    ) -> None:
        super().__init__()
        wide = self.channels_at(width, doublings(side))[::-1]
        by_label = norm in BY_LABEL
        branch = branch_of(kernel, partial(NORMS[norm], labels=labels) if by_label else NORMS[norm], bias=self.biased)
        self.enter = linear(latent, wide[0] * START**2)
        self.blocks = nn.ModuleList(ResidualBlock(a, b, branch, resample="up") for a, b in pairwise(wide))
        self.norm = NORMS["batch" if by_label else norm](width)
        self.leave = convolution(width, channels, kernel, axes=2)
        self.initial(self.leave.weight)
        self.register_buffer("reference", reference_noise(norm, latent))

    def make_logits(self, noise: Tensor, *labels: Tensor) -> Tensor:
        """Noise (batch, latent), and labels (batch,) if the norms go by them, to logits (batch, channel, y, x)."""
        x = self.enter(noise).view(len(noise), START, START, -1)
        for block in self.blocks:
            x = block(x, *labels)
        return channels_first(self.leave(rectify(self.norm(x))))

    def forward(self, noise: Tensor, relax: BoundRelaxation, *, condition: Tensor | None = None) -> Output:
        """Generate one sample a row of noise, each under its label (batch,) if the norms go by them."""
        if condition is None:
            return super().forward(noise, relax)
        logits = self.make_logits(noise, condition)
        return Output(logits, *relax(logits))


class GrowingGenerator(ResNetGenerator):
    """The same with channels that double towards 4x4, where there are 8 times the width of a side of 64.

    No block's first convolution has a bias, which a norm would take away again.

    Source: Gulrajani et al. 2017 (WGAN-GP), appendix F and its code for pictures of side 64, "good" generator; width
    64, batch norm, kernel 3.
    """

    channels_at = staticmethod(growing)
    biased = False
    initial = staticmethod(he_uniform_)


class FirstBlock(nn.Module):
    """pool(conv(relu(conv(x)))) + conv1(pool(x)): pixels are neither rectified nor normalised before the first."""

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = linear(channels, width)
        self.first = convolution(channels, width, kernel, axes=2)
        self.second = convolution(width, width, kernel, axes=2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 2 y, 2 x, channels) -> (batch, y, x, width)."""
        return self.shortcut(halve(x)) + self.second.halved(rectify(self.first(x)))  # type: ignore[no-any-return]


class ResNetCritic(nn.Module):
    """Residual blocks of one width: a first that halves, others that halve down to 8x8, two that keep -> ReLU -> mean.

    A side of 8 is halved once, to 4x4.

    Source: Gulrajani et al. 2017 (WGAN-GP), appendix F and its code for CIFAR-10; width 128, no norm, kernel 3. Other
    sides than its 32 are ours.
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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        branch = branch_of(kernel, NORMS[norm], bias=True)
        resamples = ["down"] * max(0, doublings(side) - 2) + ["none"] * 2
        later = (ResidualBlock(width, width, branch, resample=how, dropout=dropout) for how in resamples)
        self.blocks = nn.Sequential(FirstBlock(channels, width, kernel), *later)
        self.score = linear(width, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to features (batch, width)."""
        return rectify(self.blocks(channels_last(samples))).mean((1, 2))

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]


class GrowingCritic(nn.Module):
    """Convolution -> residual blocks that halve the side down to 4x4, and double the channels -> flatten -> linear.

    Source: Gulrajani et al. 2017 (WGAN-GP), appendix F and its code for pictures of side 64, "good" critic; width 64,
    layer norm, kernel 3. No block's first convolution has a bias, as there.
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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        wide = growing(width, doublings(side))
        branch = branch_of(kernel, NORMS[norm], bias=False)
        self.enter = convolution(channels, width, kernel, axes=2)
        glorot_uniform_(self.enter.weight)
        self.blocks = nn.Sequential(
            *(ResidualBlock(a, b, branch, resample="down", dropout=dropout) for a, b in pairwise(wide))
        )
        self.score = linear(wide[-1] * START**2, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to features (batch, y * x * channel)."""
        return self.blocks(self.enter(channels_last(samples))).flatten(1)  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]


class PixelGenerator(OnePassGenerator):
    """Noise through `blocks` hidden layers of `width` ReLUs to all pixels; `kernel` is of the common signature only.

    Source: Gulrajani et al. 2017 (WGAN-GP), figure 2, "4-layer 512-dim ReLU MLP G", and its code for pictures of
    side 64.
    """

    def __init__(self, *, channels: int, side: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.shape: Any = (channels, side, side)
        self.hidden = hidden(latent, width, blocks)
        self.leave = linear(width, channels * side**2)

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, channel, y, x)."""
        x = noise
        for layer in self.hidden:
            x = rectify(layer(x))
        return self.leave(x).unflatten(1, self.shape)  # type: ignore[no-any-return]
