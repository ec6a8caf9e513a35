"""Doubling and halving every axis of sequences and pictures, channels last."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from textgan.nets.linear_map import linear_map


def double(x: Tensor) -> Tensor:
    """Every place twice along each axis: (batch, ..., channel), twice as long."""
    return linear_map(x, _repeated, lambda y: _means(y) * 2 ** (x.dim() - 2))


def halve(x: Tensor) -> Tensor:
    """Mean of neighbouring places along each axis: (batch, ..., channel), half as long."""
    return linear_map(x, _means, lambda y: _repeated(y / 2 ** (x.dim() - 2)))


def _repeated(x: Tensor) -> Tensor:
    places = x.shape[1:-1]
    apart = x.reshape(len(x), *(size for length in places for size in (length, 1)), x.shape[-1])
    twice = apart.expand(-1, *(-1, 2) * len(places), -1)
    return twice.reshape(len(x), *(2 * length for length in places), x.shape[-1])


def _means(x: Tensor) -> Tensor:
    """By pooling: a mean over parts of reshaped axes takes up to thirty times as long."""
    picture = x if x.dim() == 4 else x.unsqueeze(1)  # a sequence is a picture of one row
    means = F.avg_pool2d(picture.permute(0, 3, 1, 2), (x.dim() - 2, 2)).permute(0, 2, 3, 1)
    return means if x.dim() == 4 else means.squeeze(1)
