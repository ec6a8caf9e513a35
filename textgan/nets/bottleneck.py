"""Residual nets of bottleneck blocks, 101 layers of them at side 64.

Source: Gulrajani et al. 2017 (WGAN-GP), figure 2, "101-layer ResNet", and its code for pictures of side 64; the blocks
are those of He et al. 2016 (1512.03385), figure 5, with the ReLU first. Departures: a stride of 2 is centred at each
second pixel, as its shortcut is, where that code shifts it by one; a shortcut of stride 2 has the initial weights of a
linear layer, where there its outputs count a quarter.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from textgan.nets.image import START, channels_first, channels_last, doublings
from textgan.nets.layers import SCALE, convolution, linear, pointwise, rectify, strided, transposed
from textgan.nets.norms import NORMS, Norm, reference_noise
from textgan.nets.one_pass import OnePassGenerator

BLOCKS, FINEST = 6, 5  # that keep the side, at each side and at the finest
CALM = 5  # what logits and scores are divided by


class Subpixels(nn.Module):
    """1-wide convolution to four pixels for each, which are put beside each other."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.spread = linear(channels_in, 4 * channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, channels_in) -> (batch, 2 y, 2 x, channels_out)."""
        batch, height, width, _ = x.shape
        four: Tensor = self.spread(x).view(batch, height, width, 2, 2, -1)
        return four.transpose(2, 3).reshape(batch, 2 * height, 2 * width, -1)


class Every(nn.Module):
    """1-wide convolution of stride 2."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.mix = linear(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 2 y, 2 x, channels_in) -> (batch, y, x, channels_out)."""
        return self.mix(x[:, ::2, ::2])  # type: ignore[no-any-return]


SHORTCUTS: dict[str, Any] = {"none": nn.Identity, "down": Every, "up": Subpixels}
MIDDLES: dict[str, Any] = {"none": partial(convolution, axes=2), "down": strided, "up": transposed}
"""What becomes of the side, to the layer from one number of channels to another that does it."""


class Bottleneck(nn.Module):
    """shortcut(x) + 0.3 norm(conv1(relu(conv(relu(conv1(relu(x))))))), the convolution between on half the channels."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, norm: Norm, resample: str) -> None:
        super().__init__()
        self.shortcut = SHORTCUTS[resample](channels_in, channels_out)
        self.enter = pointwise(channels_in, channels_in // 2)
        self.middle = MIDDLES[resample](channels_in // 2, channels_out // 2, kernel)
        self.leave = pointwise(channels_out // 2, channels_out, bias=False)
        self.norm = norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, channels_in) to channels_out and, where it resamples, the double or half of both sides."""
        branch = self.middle(rectify(self.enter(rectify(x))))
        branch = self.norm(self.leave(rectify(branch)))
        return torch.add(self.shortcut(x), branch, alpha=SCALE)


def plan(width: int, side: int) -> Iterator[tuple[int, int, bool]]:
    """Yield for each block its channels on the fine and on the coarse side, and whether these differ, finest first.

    There are `width` / 2 at the finest, and twice as many at each halving.
    """
    wide = [(width // 2) << scale for scale in range(doublings(side) + 1)]
    yield from [(wide[0], wide[0], False)] * FINEST
    for fine, coarse in pairwise(wide):
        yield fine, coarse, True
        yield from [(coarse, coarse, False)] * BLOCKS


class BottleneckGenerator(OnePassGenerator):
    """Linear -> 4x4 -> bottleneck blocks, one at each side that doubles it -> convolution to pixels, divided by 5.

    `width` is a multiple of 4, and `blocks` is taken for the common signature and not used: the side decides.

    Source: Gulrajani et al. 2017 (WGAN-GP), figure 2 and its code for pictures of side 64; width 64, batch norm.
    """

    def __init__(
        self, *, channels: int, side: int, latent: int, width: int, blocks: int, kernel: int, norm: str = "none"
    ) -> None:
        super().__init__()
        planned = list(plan(width, side))[::-1]
        self.enter = linear(latent, planned[0][1] * START**2)
        self.blocks = nn.Sequential(
            *(Bottleneck(coarse, fine, kernel, NORMS[norm], "up" if up else "none") for fine, coarse, up in planned)
        )
        self.leave = linear(width // 2, channels)
        self.register_buffer("reference", reference_noise(norm, latent))

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, channel, y, x)."""
        x = self.enter(noise).view(len(noise), START, START, -1)
        return channels_first(self.leave(self.blocks(x)) / CALM)


class BottleneckCritic(nn.Module):
    """1-wide convolution -> bottleneck blocks, one at each side that halves it, to 4x4 -> flatten, over 5 -> linear.

    `width` is a multiple of 4, and `blocks` is taken for the common signature and not used.

    Source: Gulrajani et al. 2017 (WGAN-GP), figure 2 and its code for pictures of side 64; width 64, layer norm. There
    the score is divided by 5, here what it is linear in.
    """

    def __init__(self, *, channels: int, side: int, width: int, blocks: int, kernel: int, norm: str = "none") -> None:
        super().__init__()
        planned = list(plan(width, side))
        self.enter = linear(channels, width // 2)
        self.blocks = nn.Sequential(
            *(
                Bottleneck(fine, coarse, kernel, NORMS[norm], "down" if down else "none")
                for fine, coarse, down in planned
            )
        )
        self.score = linear(planned[-1][1] * START**2, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to features (batch, y * x * channel)."""
        return self.blocks(self.enter(channels_last(samples))).flatten(1) / CALM  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, channel, y, x) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
