"""The nets as public ports write them: nn.Conv1d over (batch, channel, position), F.relu, no thought of speed.

Every layer bears the name that it has in `textgan.nets`, so that weights go from one to the other by name.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PlainBlock(nn.Module):
    """x + 0.3 conv(relu(conv(relu(x))))."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.second = nn.Conv1d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, channel, position)."""
        branch: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + 0.3 * branch


class PlainCritic(nn.Module):
    """The critic of Gulrajani et al. 2017, section 5.4: samples (batch, position, symbol) to scores (batch,)."""

    def __init__(self, *, length: int, symbols: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(symbols, width, 1)
        self.blocks = nn.Sequential(*[PlainBlock(width, kernel) for _ in range(blocks)])
        self.score = nn.Linear(width * length, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Score each sample."""
        x = self.enter(samples.transpose(1, 2))
        x = self.blocks(x)
        scores: Tensor = self.score(x.flatten(1))
        return scores.squeeze(1)


class PlainGenerator(nn.Module):
    """Its generator: noise (batch, latent) to the softmax (batch, position, symbol)."""

    def __init__(self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.length, self.width = length, width
        self.enter = nn.Linear(latent, width * length)
        self.blocks = nn.Sequential(*[PlainBlock(width, kernel) for _ in range(blocks)])
        self.leave = nn.Conv1d(width, symbols, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """Generate one sample a row of noise."""
        x: Tensor = self.enter(noise).view(-1, self.width, self.length)
        x = self.leave(self.blocks(x))
        return F.softmax(x.transpose(1, 2), dim=-1)


class PlainUpBlock(nn.Module):
    """Nearest up-sampling by two, two convolutions behind leaky ReLUs, and a 1-wide convolution beside them."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv1d(channels_in, channels_out, 1)
        self.first = nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2)
        self.second = nn.Conv1d(channels_out, channels_out, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, position) -> (batch, channels_out, 2 position)."""
        branch: Tensor = self.first(F.interpolate(F.leaky_relu(x, 0.2), scale_factor=2))
        branch = self.second(F.leaky_relu(branch, 0.2))
        shortcut: Tensor = self.shortcut(F.interpolate(x, scale_factor=2))
        return shortcut + 0.3 * branch


class PlainUpsampling(nn.Module):
    """The generator of the preset quick: noise (batch, latent) to the softmax (batch, position, symbol)."""

    def __init__(self, *, length: int, symbols: int, latent: int, channels: list[int], start: int, kernel: int) -> None:
        """Have `channels` at each length from `start`, which doubles with each, to `length`."""
        super().__init__()
        self.length, self.start = length, start
        self.enter = nn.Linear(latent, channels[0] * start)
        self.blocks = nn.Sequential(*[PlainUpBlock(a, b, kernel) for a, b in pairwise(channels)])
        self.leave = nn.Conv1d(channels[-1], symbols, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """Generate one sample a row of noise."""
        x = self.enter(noise).view(len(noise), -1, self.start)
        x = F.leaky_relu(self.blocks(x), 0.2)[:, :, : self.length]
        return F.softmax(self.leave(x).transpose(1, 2), dim=-1)


def copy_weights(plain: nn.Module, net: nn.Module) -> None:
    """Give a plain net the weights of textgan's: the same names, and the same numbers in the same order.

    Convolutions are (out, in, kernel) on both sides; a 1-wide one is a matrix (out, in) in textgan.
    """
    weights = dict(net.named_parameters())
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            parameter.copy_(weights.pop(name).reshape(parameter.shape))
    assert not weights
