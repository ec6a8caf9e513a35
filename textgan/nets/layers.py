"""Layers shared by the sequence nets."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def rectify(x: Tensor, leak: float = 0.0) -> Tensor:
    """ReLU, or LeakyReLU with slope `leak`, as a product with a constant mask; any shape.

    Its value and gradients are torch's, but its double backward makes no tensor of zeros: a quarter less time in a
    critic step with a gradient penalty.
    """
    mask = (x.detach() > 0).to(x.dtype)
    return x * (mask if leak == 0 else mask * (1 - leak) + leak)


def he_uniform_(weight: Tensor) -> None:
    """Uniform with standard deviation sqrt(4 / (fan_in + fan_out)), as in the WGAN-GP code's convolutions."""
    fan_out, fan_in = weight.shape[0] * weight[0, 0].numel(), weight[0].numel()
    _uniform_(weight, math.sqrt(4 / (fan_in + fan_out)))


def glorot_uniform_(weight: Tensor) -> None:
    """Uniform with standard deviation sqrt(2 / (fan_in + fan_out)), as in the WGAN-GP code's linear layers."""
    _uniform_(weight, math.sqrt(2 / (weight.shape[0] + weight.shape[1])))


def _uniform_(weight: Tensor, deviation: float) -> None:
    with torch.no_grad():
        weight.uniform_(-deviation * math.sqrt(3), deviation * math.sqrt(3))


def convolution(channels_in: int, channels_out: int, kernel: int) -> nn.Conv1d:
    """Same-length convolution over (batch, channel, position) with the paper's initial weights."""
    layer = nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2)
    he_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def pointwise(channels_in: int, channels_out: int) -> nn.Linear:
    """1-wide convolution over (..., position, channel), with the paper's initial weights.

    On samples (batch, position, symbol) it mixes the embeddings of the symbols, one matrix product whatever their
    number; a convolution would copy them to (batch, symbol, position) first.
    """
    layer = nn.Linear(channels_in, channels_out)
    he_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def linear(values_in: int, values_out: int) -> nn.Linear:
    """Linear layer with the paper's initial weights."""
    layer = nn.Linear(values_in, values_out)
    glorot_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """x + 0.3 conv(relu(conv(relu(x)))), the paper's block for language."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = convolution(width, width, kernel)
        self.second = convolution(width, width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, channel, position)."""
        branch: Tensor = self.second(rectify(self.first(rectify(x))))
        return x + 0.3 * branch


class UpBlock(nn.Module):
    """Nearest up-sampling by two around a scaled residual branch; the shortcut is a 1-wide convolution."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = convolution(channels_in, channels_out, 1)
        self.first = convolution(channels_in, channels_out, kernel)
        self.second = convolution(channels_out, channels_out, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, position) -> (batch, channels_out, 2 position)."""
        branch: Tensor = self.first(rectify(x, 0.2).repeat_interleave(2, dim=2))
        branch = self.second(rectify(branch, 0.2))
        shortcut: Tensor = self.shortcut(x)
        # a 1-wide convolution commutes with the up-sampling, and costs half before it
        return shortcut.repeat_interleave(2, dim=2) + 0.3 * branch


class DownBlock(nn.Module):
    """Scaled residual branch, then average pooling by two; the shortcut pools, then convolves 1-wide."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = convolution(channels_in, channels_out, 1)
        self.first = convolution(channels_in, channels_in, kernel)
        self.second = convolution(channels_in, channels_out, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, 2 position) -> (batch, channels_out, position)."""
        branch = self.second(rectify(self.first(rectify(x, 0.2)), 0.2))
        shortcut: Tensor = self.shortcut(halve(x))
        return shortcut + 0.3 * halve(branch)


def halve(x: Tensor) -> Tensor:
    """Mean of neighbouring positions: (batch, channel, 2 position) -> (batch, channel, position)."""
    return x.reshape(*x.shape[:2], -1, 2).mean(3)
