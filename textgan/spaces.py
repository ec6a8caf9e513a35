"""Spaces: rows of ids to samples on the simplex, and what a generator may draw."""

from __future__ import annotations

import torch
from torch import Tensor

from textgan.symbols import Symbols


class Text(Symbols):
    """Lines of at most `length` symbols as one-hot samples (batch, position, symbol)."""

    def to_sample(self, ids: Tensor) -> Tensor:
        """One-hot samples (batch, position, symbol) float32 of ids (batch, position)."""
        samples = torch.zeros(*ids.shape, self.size, device=ids.device)
        return samples.scatter_(-1, ids.long().unsqueeze(-1), 1)

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits (..., symbol) without the unknown symbol, the last, where training held none."""
        return logits if self.knows_unknown else logits[..., : self.unknown]
