"""Generators and critics of sequences: the paper's pair, and an up- and down-sampling pair that learns sooner on a CPU.

Every generator takes noise (batch, latent) and a relaxation and gives an Output; every critic takes samples
(batch, position, symbol) and gives scores (batch,). All share one constructor signature a side; the nets here also take
`norm`, one of NORMS, before each ReLU of their blocks (the paper's nets for language have none), and the critics
`dropout`, the share of values that each block's output loses where a step asks for it.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from textgan.nets.layers import SCALE, Branch, ResidualBlock, linear, pointwise, rectify
from textgan.nets.norms import NORMS, reference_noise
from textgan.nets.one_pass import OnePassGenerator


class PaperGenerator(OnePassGenerator):
    """Linear -> (width, length) -> residual blocks -> 1-wide convolution to symbols; in the paper no norm.

    Source: Gulrajani et al. 2017 (WGAN-GP), section 5.4 and its code; width 512, 5 blocks, kernel 5, latent 128.
    """

    def __init__(
        self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int, norm: str = "none"
    ) -> None:
        super().__init__()
        self.length = length
        self.enter = linear(latent, width * length)
        branch = Branch(kernel, norm=NORMS[norm])
        self.blocks = nn.Sequential(*(ResidualBlock(width, width, branch) for _ in range(blocks)))
        self.leave = pointwise(width, symbols)
        self.register_buffer("reference", reference_noise(norm, latent))

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, position, symbol)."""
        x = self.enter(noise).unflatten(1, (-1, self.length)).mT.contiguous()  # (batch, length, width)
        return self.leave(self.blocks(x))  # type: ignore[no-any-return]


class PaperCritic(nn.Module):
    """1-wide convolution -> residual blocks -> flatten -> linear; the generator's mirror, in the paper no norm.

    Source: Gulrajani et al. 2017 (WGAN-GP), section 5.4 and its code.
    """

    def __init__(
        self,
        *,
        length: int,
        symbols: int,
        width: int,
        blocks: int,
        kernel: int,
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.enter = pointwise(symbols, width)
        branch = Branch(kernel, norm=NORMS[norm])
        drawn = (ResidualBlock(width, width, branch, dropout=dropout) for _ in range(blocks))
        self.blocks, self.folded = nn.Sequential(*drawn), dropout == 0
        self.score = linear(width * length, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to features (batch, width * position)."""
        return self.blocks(self.enter(samples)).mT.flatten(1)  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to scores (batch,): the linear layer of their features.

        The last convolution and the linear layer are one linear map, so the weights of the one go back through the
        other once, instead of every sample forth: a tenth less work with 5 blocks. With dropout between them they are
        not.
        """
        if not self.folded:
            return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
        last: ResidualBlock = self.blocks[-1]  # type: ignore[assignment]
        x: Tensor = self.blocks[:-1](self.enter(samples))
        weight = self.score.weight.view(1, -1, x.shape[1]).mT  # (1, position, channel)
        through = SCALE * last.second.adjoint(weight)
        constant = self.score.bias + SCALE * (weight.sum((0, 1)) @ last.second.bias)
        return x.flatten(1) @ weight.flatten() + last.inner(x).flatten(1) @ through.flatten() + constant  # type: ignore[no-any-return]


LEAK = 0.2  # slope below 0 of the rectifiers of the up- and down-sampling pair


def halvings(length: int) -> int:
    """How often `length` is halved before it is under 8: 3 for 32, 2 for 16, 0 below 8."""
    return max(0, int(math.log2(length / 4)))


def widths(width: int, scales: int) -> list[int]:
    """Channels at each scale from full length to the shortest, growing by 1.5."""
    return [round(width * 1.5**scale) for scale in range(scales + 1)]


class UpsamplingGenerator(OnePassGenerator):
    """Linear -> length 4 (to 8) -> up-sampling blocks to full length -> 1-wide convolution to symbols.

    `blocks` is taken for the common signature and not used: the length decides.
    """

    def __init__(
        self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int, norm: str = "none"
    ) -> None:
        super().__init__()
        scales = halvings(length)
        channels = widths(width, scales)[::-1]  # shortest first
        self.length, self.start = length, math.ceil(length / 2**scales)
        self.enter = linear(latent, channels[0] * self.start)
        branch = Branch(kernel, norm=NORMS[norm], leak=LEAK)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, branch, resample="up") for a, b in pairwise(channels)))
        self.leave = pointwise(width, symbols)
        self.register_buffer("reference", reference_noise(norm, latent))

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, position, symbol)."""
        x = self.blocks(self.enter(noise).unflatten(1, (-1, self.start)).mT.contiguous())
        return self.leave(rectify(x, LEAK)[:, : self.length])  # type: ignore[no-any-return]


class DownsamplingCritic(nn.Module):
    """1-wide convolution -> average-pooling blocks down to length 4 (to 8) -> linear; the generator's mirror."""

    def __init__(
        self,
        *,
        length: int,
        symbols: int,
        width: int,
        blocks: int,
        kernel: int,
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        scales = halvings(length)
        channels = widths(width, scales)
        end = math.ceil(length / 2**scales)
        self.filler = end * 2**scales - length  # empty positions that make every halving even
        self.enter = pointwise(symbols, width)
        branch = Branch(kernel, norm=NORMS[norm], leak=LEAK)
        self.blocks = nn.Sequential(
            *(ResidualBlock(a, b, branch, resample="down", dropout=dropout) for a, b in pairwise(channels))
        )
        self.score = linear(channels[-1] * end, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to features (batch, channel * position)."""
        x = F.pad(F.linear(samples, self.enter.weight), (0, 0, 0, self.filler)) + self.enter.bias
        return rectify(self.blocks(x), LEAK).mT.flatten(1)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
