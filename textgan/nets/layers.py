"""Layers shared by the nets of sequences and of pictures, channels last: (batch, position or y and x, channel)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from textgan.nets.convolution import Convolution
from textgan.nets.convolution2d import Convolution2d, TransposedConvolution2d
from textgan.nets.dropout import Dropout
from textgan.nets.linear_map import linear_map
from textgan.nets.norms import NORMS, Norm
from textgan.nets.resample import double, halve

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


def he_uniform_(weight: Tensor, stride: int = 1) -> None:
    """Uniform with standard deviation sqrt(4 / (fan_in + fan_out)), as in the WGAN-GP code's convolutions.

    Of two axes with a stride, the side that has more places counts a 1/stride² of its kernel.
    """
    area = math.prod(weight.shape[2:])
    _uniform_(weight, math.sqrt(4 / (weight.shape[0] * area / stride**2 + weight.shape[1] * area)))


def glorot_uniform_(weight: Tensor) -> None:
    """Uniform with standard deviation sqrt(2 / (fan_in + fan_out)), as in the WGAN-GP code's linear layers."""
    _uniform_(weight, math.sqrt(2 / ((weight.shape[0] + weight.shape[1]) * math.prod(weight.shape[2:]))))


def _uniform_(weight: Tensor, deviation: float) -> None:
    with torch.no_grad():
        weight.uniform_(-deviation * math.sqrt(3), deviation * math.sqrt(3))


CONVOLUTIONS: dict[int, Callable[[int, int, int], Any]] = {1: Convolution, 2: Convolution2d}
"""By the number of axes."""


def convolution(channels_in: int, channels_out: int, kernel: int, *, axes: int = 1, bias: bool = True) -> Any:
    """Same-size convolution over (batch, ..., channel) with the paper's initial weights."""
    layer = CONVOLUTIONS[axes](channels_in, channels_out, kernel)
    he_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    else:
        layer.bias = None
    return layer


def strided(channels_in: int, channels_out: int, kernel: int) -> nn.Module:
    """Convolution of stride 2 over (batch, y, x, channel), which halves both sides; the paper's initial weights."""
    return _drawn(Convolution2d(channels_in, channels_out, kernel, stride=2))


def transposed(channels_in: int, channels_out: int, kernel: int) -> nn.Module:
    """The transpose of one, which doubles both sides."""
    return _drawn(TransposedConvolution2d(channels_in, channels_out, kernel))


def _drawn(layer: Any) -> nn.Module:
    he_uniform_(layer.weight, stride=2)
    nn.init.zeros_(layer.bias)
    return layer  # type: ignore[no-any-return]


def pointwise(channels_in: int, channels_out: int, *, bias: bool = True) -> nn.Linear:
    """1-wide convolution over (..., channel), with the paper's initial weights.

    On samples (batch, position, symbol) it mixes the embeddings of the symbols, one matrix product whatever their
    number; a convolution would copy them to (batch, symbol, position) first.
    """
    layer = nn.Linear(channels_in, channels_out, bias=bias)
    he_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def linear(values_in: int, values_out: int) -> nn.Linear:
    """Linear layer with the paper's initial weights."""
    layer = nn.Linear(values_in, values_out)
    glorot_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Branch(NamedTuple):
    """What the residual blocks of a net have in common."""

    kernel: int
    axes: int = 1
    """Of a sample, channels left out: 1 for sequences, 2 for pictures."""
    norm: Norm = NORMS["none"]
    leak: float = 0.0
    """Slope of the rectifiers below 0."""
    scale: float = SCALE
    """Of what the block adds to its shortcut."""
    bias: bool = True
    """The first convolution has one; of sequences every convolution has."""
    shortcut: Callable[[int, int], nn.Module] = partial(convolution, kernel=1)
    """Channels before and after to the 1-wide convolution between them."""


class ResidualBlock(nn.Module):
    """shortcut(x) + scale · conv(rectify(norm(conv(rectify(norm(x)))))), which may double or halve every axis.

    Doubling repeats what the first convolution is given; halving takes means of what the second one gives. The shortcut
    is x itself where the shape stays; else a 1-wide convolution on the smaller of its two sides, which commutes with
    either and costs less there.

    Source: He et al. 2016 (1603.05027), figure 1b; Gulrajani et al. 2017 (WGAN-GP) and its code, of language (no norm,
    scale 0.3) and of pictures (scale 1).
    """

    def __init__(
        self, channels_in: int, channels_out: int, branch: Branch, *, resample: str = "none", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.scale, self.leak, self.resample = branch.scale, branch.leak, resample
        middle = channels_in if resample == "down" else channels_out
        convolve = partial(convolution, kernel=branch.kernel, axes=branch.axes)
        self.first_norm, self.second_norm = branch.norm(channels_in), branch.norm(middle)
        same = resample == "none" and channels_in == channels_out
        self.shortcut = nn.Identity() if same else branch.shortcut(channels_in, channels_out)
        self.first = convolve(channels_in, middle, bias=branch.bias)
        self.second = convolve(middle, channels_out)
        self.drop = Dropout(dropout)

    def inner(self, x: Tensor, *labels: Tensor) -> Tensor:
        """Return what the second convolution is given, (batch, ..., channel)."""
        y = rectify(self.first_norm(x, *labels), self.leak)
        y = self.first.doubled(y) if self.resample == "up" else self.first(y)
        return rectify(self.second_norm(y, *labels), self.leak)

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        """(batch, ..., channels_in) -> (batch, ..., channels_out), under labels (batch,) if the norms go by them."""
        y = self.inner(x, *labels)
        if self.resample == "down":
            x, branch = self.shortcut(halve(x)), self.second.halved(y)
        else:
            x, branch = self.shortcut(x), self.second(y)
        x = double(x) if self.resample == "up" else x
        return self.drop(torch.add(x, branch, alpha=self.scale))  # type: ignore[no-any-return]


USUAL = ("none", "relu", 0)
"""What an option is where it is not chosen."""


def chosen(**options: Any) -> dict[str, Any]:
    """Return the options of a net that are not as usual, so that nets that lack them can be built without."""
    return {name: value for name, value in options.items() if value not in USUAL}
