"""Sampling as public ports write it: batches of 64, ids to the host, characters joined one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

BATCH = 64
END = "\0"  # stands for a pad that is no text


def argmax(probabilities: Tensor, rng: torch.Generator) -> Tensor:
    """Ids (batch, position) of the likeliest symbols."""
    return probabilities.argmax(dim=2)


def sample(probabilities: Tensor, rng: torch.Generator) -> Tensor:
    """Ids (batch, position), drawn."""
    batch, position, symbol = probabilities.shape
    return torch.multinomial(probabilities.view(-1, symbol), 1, generator=rng).view(batch, position)


DECODE = {"argmax": argmax, "sample": sample}


def generate(
    generator: nn.Module, count: int, *, latent: int, characters: Sequence[str], decode: str, rng: torch.Generator
) -> list[str]:
    """Generate `count` lines of a plain generator.

    Args:
        generator: noise (batch, latent) to probabilities (batch, position, symbol).
        count: of lines.
        latent: size of the noise.
        characters: of each id.
        decode: "argmax" or "sample".
        rng: of all that is drawn, on the generator's device.
    """
    found = list[str]()
    while len(found) < count:
        with torch.no_grad():
            probabilities = generator(torch.randn(BATCH, latent, generator=rng, device=rng.device))
        found += lines(DECODE[decode](probabilities, rng).cpu().numpy(), characters)
    return found[:count]


def lines(ids: npt.NDArray[Any], characters: Sequence[str]) -> list[str]:
    """Lines of ids (batch, position), each up to its first END."""
    return ["".join([characters[k] for k in row]).partition(END)[0] for row in ids]
