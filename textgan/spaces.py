"""Spaces: rows as they are stored to samples, and what a generator gives to rows. One a kind of sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from textgan.pixels import Pixels
from textgan.plane import Plane
from textgan.symbols import Symbols
from textgan.transfers import drawn


class Text(Symbols):
    """Lines of at most `length` symbols as one-hot samples (batch, position, symbol)."""

    draws: ClassVar[bool] = True
    """Symbols are drawn from what the net gives, at a temperature."""
    row_type: ClassVar[str] = "int64"
    """Of rows on the device, until they become samples."""
    task: ClassVar[str] = "text-generation"
    example: ClassVar[str] = 'print("\\n".join(textgan.load("PATH").generate(10, seed=0)))'
    """How a model card shows that samples are made."""
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

    def to_sample(self, ids: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        """One-hot samples (batch, position, symbol) float32 of ids (batch, position)."""
        samples = torch.zeros(*ids.shape, self.size, device=ids.device)
        return samples.scatter_(-1, ids.long().unsqueeze(-1), 1)

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits (..., symbol) without the unknown symbol, the last, where training held none."""
        return logits if self.knows_unknown else logits[..., : self.unknown]

    def chosen(self, output: Tensor, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the ids (...) that `pick` takes by logits (..., symbol)."""
        return pick(self.allowed(output))


class Image(Pixels):
    """Pictures as samples (batch, channel, y, x), -1 for black and 1 for white."""

    def to_sample(self, pixels: Tensor, *, rng: torch.Generator) -> Tensor:
        """Pixels (batch, channel, y, x) uint8 as 2 p / 255 - 1 + U(0, 1/128), which `chosen` undoes.

        Source: Gulrajani et al. 2017 (WGAN-GP), its code for CIFAR-10; the noise, about as large as the step between
        two values, lets a density be one. Departure: there 2 p / 256 - 1, so that noise and all stays below 1; here
        white with its noise lies up to 1/128 beyond what a tanh can give.
        """
        noise = drawn(torch.rand, pixels.shape, rng, pixels.device)
        return pixels.to(noise.dtype) / 127.5 - 1 + noise / 128

    def chosen(self, output: Tensor, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the pixels (batch, channel, y, x) uint8 of what a generator gives before its tanh."""
        return ((output.float().tanh() + 1) * 127.5).to(torch.uint8)


Space = Text | Plane | Image
SPACES: dict[str, type[Text] | type[Plane] | type[Image]] = {"text": Text, "toy": Plane, "image": Image}
"""By kind of sample."""


def space_of(value: dict[str, Any]) -> Space:
    """Return the space that its `to_json` describes.

    Raises:
        ValueError: the value describes none; also LookupError, TypeError or AttributeError, of one that is forged.
    """
    return SPACES[value["kind"]].from_json(value)
