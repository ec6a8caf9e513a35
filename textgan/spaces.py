"""Spaces: rows as they are stored to samples, and what a generator gives to rows. One a kind of sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from textgan.plane import Plane
from textgan.symbols import Symbols


class Text(Symbols):
    """Lines of at most `length` symbols as one-hot samples (batch, position, symbol)."""

    draws: ClassVar[bool] = True
    """Symbols are drawn from what the net gives, at a temperature."""
    task: ClassVar[str] = "text-generation"
    absent: ClassVar[str] = "The text itself is not part of this folder."
    """What a model card says of the data that is not part of it."""

    @property
    def values(self) -> int:
        """Numbers of a sample."""
        return self.length * self.size

    @property
    def sizes(self) -> Mapping[str, int]:
        """What the nets are built for, besides the configuration."""
        return {"length": self.length, "symbols": self.size}

    @property
    def samples(self) -> str:
        """What its samples are, in words."""
        return f"sequences of {self.length} symbols over an alphabet of {len(self.symbols)}"

    def to_sample(self, ids: Tensor) -> Tensor:
        """One-hot samples (batch, position, symbol) float32 of ids (batch, position)."""
        samples = torch.zeros(*ids.shape, self.size, device=ids.device)
        return samples.scatter_(-1, ids.long().unsqueeze(-1), 1)

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits (..., symbol) without the unknown symbol, the last, where training held none."""
        return logits if self.knows_unknown else logits[..., : self.unknown]

    def chosen(self, output: Tensor, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the ids (...) that `pick` takes by logits (..., symbol)."""
        return pick(self.allowed(output))


Space = Text | Plane
SPACES: dict[str, type[Text] | type[Plane]] = {"text": Text, "toy": Plane}
"""By kind of sample."""


def space_of(value: dict[str, Any]) -> Space:
    """Return the space that its `to_json` describes.

    Raises:
        ValueError: the value describes none; also LookupError, TypeError or AttributeError, of one that is forged.
    """
    return SPACES[value["kind"]].from_json(value)
