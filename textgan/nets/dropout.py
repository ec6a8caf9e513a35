"""Dropout that is off until a step asks for it."""

from __future__ import annotations

from torch import Tensor, nn

from textgan.transfers import dropped


class Dropout(nn.Module):
    """Within `transfers.dropping`, a share of the values becomes 0 and the others grow to make up for it.

    Source: Srivastava et al. 2014, section 4, scaled while training as in torch. Departure: everywhere else it does
    nothing, also in training, so that scores are exact and slopes are those of the critic that is played against.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        where = dropped(self, self.share, x.shape, x.device) if self.share else None
        return x if where is None else x.masked_fill(where, 0) / (1 - self.share)
