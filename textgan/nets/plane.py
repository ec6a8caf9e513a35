"""Generator and critic of points: multilayer perceptrons.

Source: Gulrajani et al. 2017 (WGAN-GP), figure 1 and its code for toys: three hidden layers of 512 ReLUs in both nets.
"""

from __future__ import annotations

from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Output
from textgan.nets.layers import linear, rectify


def hidden(values: int, width: int, blocks: int) -> nn.ModuleList:
    """`blocks` linear layers of `width` for ReLUs."""
    return nn.ModuleList(_layer(width if i else values, width) for i in range(blocks))


def _layer(values_in: int, values_out: int) -> nn.Linear:
    """Weights uniform of variance 2 / fan_in, as in the paper's code for toys."""
    layer = nn.Linear(values_in, values_out)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class PlaneGenerator(nn.Module):
    """Noise through `blocks` hidden layers of `width` ReLUs to a point; `kernel` is of the common signature only."""

    def __init__(self, *, axes: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.hidden = hidden(latent, width, blocks)
        self.leave = linear(width, axes)

    def forward(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one point (2,) a row of noise (batch, latent)."""
        x = noise
        for layer in self.hidden:
            x = rectify(layer(x))
        points = self.leave(x)
        return Output(points, *relax(points))


class PlaneCritic(nn.Module):
    """A point through `blocks` hidden layers of `width` ReLUs to a score; the generator's mirror."""

    def __init__(self, *, axes: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.hidden = hidden(axes, width, blocks)
        self.score = linear(width, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Points (batch, 2) to features (batch, width)."""
        x = samples
        for layer in self.hidden:
            x = rectify(layer(x))
        return x

    def forward(self, samples: Tensor) -> Tensor:
        """Points (batch, 2) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]
