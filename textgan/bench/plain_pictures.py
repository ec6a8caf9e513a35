"""The nets of CIFAR-10 as public ports write them: nn.Conv2d over (batch, channel, y, x), nn.BatchNorm2d, F.relu.

Every layer bears the name that it has in `textgan.nets`, so that weights go from one to the other by name. Doubling
repeats pixels before a convolution, halving takes means behind one, and the shortcut does as its branch; only that of
the critic's first block takes means before, as in the code of Gulrajani et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

START = 4  # the side that the generator begins with


class PlainUpBlock(nn.Module):
    """Batch norm, ReLU, doubling and convolution; batch norm, ReLU and convolution; a 1x1 convolution beside them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(width, width, 1)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, channel, 2 y, 2 x)."""
        branch: Tensor = self.first(F.interpolate(F.relu(self.first_norm(x)), scale_factor=2, mode="nearest"))
        branch = self.second(F.relu(self.second_norm(branch)))
        shortcut: Tensor = self.shortcut(F.interpolate(x, scale_factor=2, mode="nearest"))
        return shortcut + branch


class PlainGenerator(nn.Module):
    """The generator of Gulrajani et al. 2017 for CIFAR-10: noise (batch, latent) to (batch, channel, 32, 32)."""

    def __init__(self, *, channels: int, latent: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(latent, width * START**2)
        self.blocks = nn.Sequential(*[PlainUpBlock(width) for _ in range(3)])
        self.norm = nn.BatchNorm2d(width)
        self.leave = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, noise: Tensor) -> Tensor:
        """Generate one picture a row of noise, from -1 to 1."""
        x = self.enter(noise).view(len(noise), START, START, -1)
        x = x.permute(0, 3, 1, 2).contiguous()  # or torch would choose channels last for all that follows
        return torch.tanh(self.leave(F.relu(self.norm(self.blocks(x)))))


class PlainFirstBlock(nn.Module):
    """Convolution, ReLU, convolution and halving; beside them halving and a 1x1 convolution."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(channels, width, 1)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 2 y, 2 x) -> (batch, width, y, x)."""
        branch: Tensor = F.avg_pool2d(self.second(F.relu(self.first(x))), 2)
        shortcut: Tensor = self.shortcut(F.avg_pool2d(x, 2))
        return shortcut + branch


class PlainBlock(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, channel, y, x)."""
        branch: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + branch


class PlainDownBlock(PlainBlock):
    """The same with halving behind it, and a 1x1 convolution in place of x."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, 2 y, 2 x) -> (batch, channel, y, x)."""
        branch: Tensor = self.second(F.relu(self.first(F.relu(x))))
        shortcut: Tensor = self.shortcut(x)
        return F.avg_pool2d(shortcut, 2) + F.avg_pool2d(branch, 2)


class PlainCritic(nn.Module):
    """Its critic: pictures (batch, channel, 32, 32) to scores (batch,)."""

    def __init__(self, *, channels: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            PlainFirstBlock(channels, width), PlainDownBlock(width), PlainBlock(width), PlainBlock(width)
        )
        self.score = nn.Linear(width, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Score each picture."""
        x = F.relu(self.blocks(samples))
        scores: Tensor = self.score(x.mean((2, 3)))
        return scores.squeeze(1)
