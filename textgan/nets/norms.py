"""Normalisation over (batch, ..., channel), of sequences or pictures, with a learned scale and shift a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.ranks import here, summed

EPSILON = 1e-5  # added to a variance, as torch's norms do
REFERENCE = 64  # rows of noise that virtual batch norm goes by; the paper says no number


class BatchNorm(nn.BatchNorm1d):
    """To mean 0 and variance 1 of each channel over all other axes; in evaluation by the running statistics.

    It mixes samples: no critic whose slope is taken may have it. Of a batch that processes share it takes the
    statistics of the whole.

    Source: Ioffe & Szegedy 2015, algorithm 1; before each ReLU of the generator as in Gulrajani et al. 2017.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, ..., channel)."""
        if self.training and here().count > 1:
            return self._shared(x)
        return super().forward(x.flatten(0, -2)).view(x.shape)

    def _shared(self, x: Tensor) -> Tensor:
        """Normalise rows of a batch that processes share; torch's own layer does so on a GPU only."""
        x = x.to(self.running_mean.dtype)  # type: ignore[union-attr]
        places, rows = tuple(range(x.dim() - 1)), here().count * x[..., 0].numel()
        mean = summed(x.sum(places)) / rows
        variance = summed((x - mean).square().sum(places)) / rows
        self._remember(mean.detach(), variance.detach() * rows / (rows - 1))
        normal = (x - mean) * (variance + self.eps).rsqrt()
        return normal if self.weight is None else torch.addcmul(self.bias, normal, self.weight)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Take a batch into the running statistics, as torch's layer does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]


class ConditionalBatchNorm(BatchNorm):
    """Batch norm with a scale and a shift a channel and label, which start as 1 and 0; all labels share the statistics.

    Source: Dumoulin, Shlens & Kudlur 2017 (1610.07629), eq. 5, there of instance norm; of batch norm in the conditional
    generator of Gulrajani et al. 2017, section 5.3 and its code.
    """

    def __init__(self, channels: int, *, labels: int) -> None:
        super().__init__(channels, affine=False)
        self.scale = nn.Parameter(torch.ones(labels, channels))
        self.shift = nn.Parameter(torch.zeros(labels, channels))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """Keep the shape (batch, ..., channel) of samples under labels (batch,)."""
        shape = (len(x), *(1 for _ in x.shape[1:-1]), -1)
        scale, shift = (values[condition].view(shape) for values in (self.scale, self.shift))
        return torch.addcmul(shift, super().forward(x), scale)


class Affine(nn.Module):
    """A scale and a shift a channel, which start as 1 and 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))


class LayerNorm(Affine):
    """To mean 0 and variance 1 of each sample over all its axes together: the norm of the paper's critics.

    Source: Ba, Kiros & Hinton 2016, eq. 3; Gulrajani et al. 2017, section 4, in place of a critic's batch norm.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, ..., channel)."""
        return F.layer_norm(x, x.shape[1:], eps=EPSILON) * self.weight + self.bias


class VirtualBatchNorm(Affine):
    """Batch norm by a reference batch, the first 64 rows, and each row itself, as if it were one more row of it.

    The mean and mean square of a row's channels are 1/(R+1) of its own and R/(R+1) of the reference's, so that a row
    depends on itself and the reference only. The reference rows are normalised by their own.

    Source: Salimans et al. 2016, section 3.5, and its code.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (64 + batch, ..., channel)."""
        x = x.to(self.weight.dtype)  # bfloat16 would be too coarse for a variance
        reference, rows = x[:REFERENCE], x[REFERENCE:]
        places = tuple(range(1, x.dim() - 1))
        spread, mean = torch.var_mean(reference, (0, *places), correction=0)
        own_spread, own_mean = torch.var_mean(rows, places, correction=0, keepdim=True)
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


Norm = Callable[[int], nn.Module]
"""Channels to the norm of so many."""
NORMS: dict[str, Callable[..., nn.Module]] = {
    "none": _none,
    "batch": BatchNorm,
    "layer": LayerNorm,
    "virtual_batch": VirtualBatchNorm,
    "conditional_batch": ConditionalBatchNorm,
}
"""Each a `Norm`; of those by label, once it has their number."""
BY_LABEL = frozenset({"conditional_batch"})
"""Norms that are given the samples' labels: a net that has one is conditional by itself."""

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
