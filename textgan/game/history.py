"""Historical averaging: a player pays for moving away from the mean of where it has been."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def historical_averaging(parameters: Sequence[Tensor], means: Sequence[Tensor]) -> Tensor:
    """|θ - θ̄|², summed over parameters, with θ̄ the mean of all earlier θ.

    Source: Salimans et al. 2016, section 3.3, where the mean holds the present θ too: the same but for a factor that
    goes to 1 with time.
    """
    return torch.stack([(now - mean).square().sum() for now, mean in zip(parameters, means, strict=True)]).sum()


def remember_(means: Sequence[Tensor], parameters: Sequence[Tensor], count: int) -> None:
    """Take parameters into the mean of the `count` earlier ones, in place."""
    with torch.no_grad():
        torch._foreach_lerp_(list(means), list(parameters), 1 / (count + 1))
