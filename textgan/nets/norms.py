"""Normalisation over (batch, position, channel): each layer has a learned scale and shift a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5  # added to a variance, as torch's norms do
REFERENCE = 64  # rows of noise that virtual batch norm goes by; the paper says no number


class BatchNorm(nn.BatchNorm1d):
    """To mean 0 and variance 1 of each channel over (batch, position); in evaluation by the running statistics.

    It mixes samples: no critic whose slope is taken may have it.

    Source: Ioffe & Szegedy 2015, algorithm 1; before each ReLU of the generator as in Gulrajani et al. 2017.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, position, channel)."""
        return super().forward(x.flatten(0, 1)).view(x.shape)


class Affine(nn.Module):
    """A scale and a shift a channel, which start as 1 and 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))


class LayerNorm(Affine):
    """To mean 0 and variance 1 of each sample over (position, channel) together: the norm of the paper's critics.

    Source: Ba, Kiros & Hinton 2016, eq. 3; Gulrajani et al. 2017, section 4, in place of a critic's batch norm.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, position, channel)."""
        return F.layer_norm(x, x.shape[1:], eps=EPSILON) * self.weight + self.bias


class VirtualBatchNorm(Affine):
    """Batch norm by a reference batch, the first 64 rows, and each row itself, as if it were one more row of it.

    The mean and mean square of a row's channels are 1/(R+1) of its own and R/(R+1) of the reference's, so that a row
    depends on itself and the reference only. The reference rows are normalised by their own.

    Source: Salimans et al. 2016, section 3.5, and its code.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (64 + batch, position, channel)."""
        x = x.to(self.weight.dtype)  # bfloat16 would be too coarse for a variance
        reference, rows = x[:REFERENCE], x[REFERENCE:]
        spread, mean = torch.var_mean(reference, (0, 1), correction=0)
        own_spread, own_mean = torch.var_mean(rows, 1, correction=0, keepdim=True)
        own = 1 / (REFERENCE + 1)
        # the mean square less the mean's square, in the form that does not lose its digits
        mixed_spread = own * own_spread + (1 - own) * (spread + own * (own_mean - mean).square())
        mixed_mean = own * own_mean + (1 - own) * mean
        normal = [
            (reference - mean) * (spread + EPSILON).rsqrt(),
            (rows - mixed_mean) * (mixed_spread + EPSILON).rsqrt(),
        ]
        return torch.cat(normal) * self.weight + self.bias


def _none(channels: int) -> nn.Module:
    return nn.Identity()


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": _none,
    "batch": BatchNorm,
    "layer": LayerNorm,
    "virtual_batch": VirtualBatchNorm,
}
"""Channels to the norm of so many."""

REFERENCES = {"virtual_batch": REFERENCE}
"""Rows of reference noise that a norm needs before a generator's own."""


def reference_noise(norm: str, latent: int) -> Tensor | None:
    """Draw the noise (rows, latent) that a norm goes by from torch's global generator; None for one that needs none."""
    return torch.randn(REFERENCES[norm], latent) if norm in REFERENCES else None


@contextmanager
def resting(*nets: nn.Module) -> Iterator[None]:
    """Put nets in evaluation mode, where running statistics are used and stay, and then back in training mode."""
    for net in nets:
        net.eval()
    try:
        yield
    finally:
        for net in nets:
            net.train()
