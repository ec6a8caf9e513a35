"""What an extractor is: a name that settles what it sees, and pictures to features in batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = npt.NDArray[np.uint8]
"""Pictures, (row, channel, y, x)."""
Floats = npt.NDArray[np.float64]
Look = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Pictures (batch, channel, y, x) uint8 to features (batch, feature) and, of a classifier, (batch, class) logits."""


@dataclass(frozen=True)
class Extractor:
    """Pictures to features."""

    name: str
    """Equal names see the same; figures under different names do not compare."""
    look: Look
    device: torch.device
    batch: int
    """Pictures looked at together; it changes no figure but by rounding."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON: what is known of it."""

    def extract(self, rows: Rows) -> tuple[Floats, Floats | None]:
        """Return the features (row, feature) of pictures, at least one, and class probabilities (row, class) or None.

        Args:
            rows: (row, channel, y, x); may be memory-mapped.
        """
        with torch.inference_mode():
            seen = [self._look(rows[start : start + self.batch]) for start in range(0, len(rows), self.batch)]
        features, probabilities = zip(*seen, strict=True)
        return np.concatenate(features), None if probabilities[0] is None else np.concatenate(probabilities)

    def _look(self, rows: Rows) -> tuple[Floats, Floats | None]:
        features, logits = self.look(torch.from_numpy(np.array(rows)).to(self.device))
        shares = None if logits is None else logits.double().softmax(1).cpu().numpy()
        return features.double().cpu().numpy(), shares


def in_colour(rows: Tensor) -> Tensor:
    """Pictures (batch, 3, y, x) of pictures (batch, channel, y, x), of which grey ones get three equal channels."""
    return rows.expand(-1, 3, -1, -1)
