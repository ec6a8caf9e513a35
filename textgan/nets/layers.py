"""Layers shared by the sequence nets."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from textgan.nets.convolution import Convolution
from textgan.nets.dropout import Dropout
from textgan.nets.linear_map import linear_map
from textgan.nets.norms import NORMS

SCALE = 0.3  # of a residual branch, as in the WGAN-GP code


def rectify(x: Tensor, leak: float = 0.0) -> Tensor:
    """ReLU, or LeakyReLU with slope `leak`; any shape.

    Its value and gradients are torch's, but its slope does not depend on x as far as autograd knows. Torch's own sends
    a tensor of zeros the whole way back through a critic whose slope is penalised: a quarter of the step's time.
    """
    return Rectify.apply(x, leak)  # type: ignore[no-any-return, no-untyped-call]


class Rectify(Function):
    """x where it is positive, else leak · x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, leak: float) -> Tensor:
        """Keep the output, whose sign is x's."""
        y = F.leaky_relu(x, leak)
        ctx.leak = leak
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Let the gradient through where y is positive, else leak times: a map that is its own transpose."""
        y, leak = ctx.saved_tensors[0].detach(), ctx.leak

        def gate(g: Tensor) -> Tensor:
            passed: Tensor = torch.ops.aten.leaky_relu_backward(g, y, leak, True)
            return passed

        return linear_map(gradient, gate, gate), None


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


def convolution(channels_in: int, channels_out: int, kernel: int) -> Convolution:
    """Same-length convolution over (batch, position, channel) with the paper's initial weights."""
    layer = Convolution(channels_in, channels_out, kernel)
    he_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
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
    """x + 0.3 conv(relu(norm(conv(relu(norm(x)))))), the paper's block for language, which has no norm."""

    def __init__(self, width: int, kernel: int, *, norm: str = "none", dropout: float = 0.0) -> None:
        super().__init__()
        self.first_norm, self.second_norm = NORMS[norm](width), NORMS[norm](width)
        self.first = convolution(width, width, kernel)
        self.second = convolution(width, width, kernel)
        self.drop = Dropout(dropout)

    def inner(self, x: Tensor) -> Tensor:
        """Return what the second convolution is given, (batch, position, channel)."""
        return rectify(self.second_norm(self.first(rectify(self.first_norm(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, position, channel)."""
        return self.drop(torch.add(x, self.second(self.inner(x)), alpha=SCALE))  # type: ignore[no-any-return]


class UpBlock(nn.Module):
    """Nearest up-sampling by two around a scaled residual branch; the shortcut is a 1-wide convolution."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, norm: str = "none") -> None:
        super().__init__()
        self.first_norm, self.second_norm = NORMS[norm](channels_in), NORMS[norm](channels_out)
        self.shortcut = convolution(channels_in, channels_out, 1)
        self.first = convolution(channels_in, channels_out, kernel)
        self.second = convolution(channels_out, channels_out, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, position, channels_in) -> (batch, 2 position, channels_out)."""
        branch = self.first(double(rectify(self.first_norm(x), 0.2)))
        branch = self.second(rectify(self.second_norm(branch), 0.2))
        # a 1-wide convolution commutes with the up-sampling, and costs half before it
        return torch.add(double(self.shortcut(x)), branch, alpha=SCALE)


class DownBlock(nn.Module):
    """Scaled residual branch, then average pooling by two; the shortcut pools, then convolves 1-wide."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, norm: str = "none", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.first_norm, self.second_norm = NORMS[norm](channels_in), NORMS[norm](channels_in)
        self.shortcut = convolution(channels_in, channels_out, 1)
        self.first = convolution(channels_in, channels_in, kernel)
        self.second = convolution(channels_in, channels_out, kernel)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 2 position, channels_in) -> (batch, position, channels_out)."""
        branch = self.first(rectify(self.first_norm(x), 0.2))
        branch = self.second(rectify(self.second_norm(branch), 0.2))
        return self.drop(torch.add(self.shortcut(halve(x)), halve(branch), alpha=SCALE))  # type: ignore[no-any-return]


def double(x: Tensor) -> Tensor:
    """Every position twice: (batch, position, channel) -> (batch, 2 position, channel)."""
    return x.unsqueeze(2).expand(-1, -1, 2, -1).flatten(1, 2)


def halve(x: Tensor) -> Tensor:
    """Mean of neighbouring positions: (batch, 2 position, channel) -> (batch, position, channel)."""
    return x.reshape(len(x), -1, 2, x.shape[2]).mean(2)


def chosen(**options: Any) -> dict[str, Any]:
    """Return the options of a net that are neither "none" nor 0, so that nets that lack them can be built without."""
    return {name: value for name, value in options.items() if value not in ("none", 0)}
