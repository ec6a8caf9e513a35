"""What generators of one pass share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Output


class OnePassGenerator(nn.Module):
    """A generator that makes all logits of a sample at once and relaxes them once."""

    reference: Tensor | None
    """Noise (row, latent) that goes through the net before every batch, for a norm that needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("reference", None)

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, ...)."""
        raise NotImplementedError

    def forward(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one sample a row of noise."""
        if self.reference is None:
            logits = self.make_logits(noise)
        else:
            logits = self.make_logits(torch.cat([self.reference, noise]))[len(self.reference) :]
        return Output(logits, *relax(logits))
