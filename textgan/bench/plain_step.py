"""The training step of WGAN-GP as public ports write it: three passes, one-hots made on the host, default Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

PENALTY = 10.0


def one_hot(rows: npt.NDArray[Any], symbols: int) -> Tensor:
    """Make one-hot samples (batch, position, symbol) float32 of ids (batch, position), in numpy."""
    samples = np.zeros((*rows.shape, symbols), dtype=np.float32)
    batch, position = np.indices(rows.shape)
    samples[batch, position, rows] = 1
    return torch.from_numpy(samples)


def critic_loss(critic: nn.Module, *, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Critic's loss at samples (batch, ...): Gulrajani et al. 2017, algorithm 1, lines 4-7."""
    mix = torch.rand(len(real), *[1] * (real.dim() - 1), generator=rng, dtype=real.dtype).to(real.device)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    scores = critic(between)
    (gradient,) = torch.autograd.grad(
        outputs=scores, inputs=between, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True
    )
    slopes = gradient.reshape(len(real), -1).norm(2, dim=1)
    penalty: Tensor = ((slopes - 1) ** 2).mean()
    loss: Tensor = critic(fake).mean() - critic(real).mean()
    return loss + PENALTY * penalty


def generator_loss(generator: nn.Module, critic: nn.Module, noise: Tensor) -> Tensor:
    """Generator's loss at noise (batch, latent): algorithm 1, line 11."""
    loss: Tensor = -critic(generator(noise)).mean()
    return loss


class PlainTrainer:
    """Both nets with their optimizers, and the loop around them, which draws all noise from `rng`."""

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        draw: Callable[[torch.Generator], Tensor],
        *,
        latent: int,
        batch: int,
        rng: torch.Generator,
    ) -> None:
        """Have `draw` for the real samples (batch, ...) of a step."""
        self.generator, self.critic, self.draw = generator, critic, draw
        self.latent, self.batch, self.rng = latent, batch, rng
        self.device = next(critic.parameters()).device
        self.generator_adam = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.5, 0.9))
        self.critic_adam = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.9))

    def update(self, critic_steps: int) -> None:
        """Take so many critic steps and a generator step."""
        for _ in range(critic_steps):
            real = self.draw(self.rng)
            with torch.no_grad():
                fake = self.generator(self.noise())
            self.critic_step(real, fake)
        self.generator_step(self.noise())

    def noise(self) -> Tensor:
        """Draw noise (batch, latent)."""
        return torch.randn(self.batch, self.latent, generator=self.rng).to(self.device)

    def critic_step(self, real: Tensor, fake: Tensor) -> float:
        """Update the critic at real and fake samples (batch, ...)."""
        self.critic_adam.zero_grad()
        loss = critic_loss(self.critic, real=real, fake=fake, rng=self.rng)
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_adam.step()
        return loss.item()

    def generator_step(self, noise: Tensor) -> float:
        """Update the generator at noise (batch, latent), while the critic needs no gradients."""
        self.critic.requires_grad_(False)
        self.generator_adam.zero_grad()
        loss = generator_loss(self.generator, self.critic, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_adam.step()
        self.critic.requires_grad_(True)
        return loss.item()
