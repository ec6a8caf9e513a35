"""Floating-point operations of the paper's nets that their plain algorithm cannot do without: multiply-adds, twice."""

from __future__ import annotations

from typing import NamedTuple


class Net(NamedTuple):
    """One forward pass of a batch."""

    enter: float
    """Of the first layer, which has no use for the gradient of what comes in."""
    rest: float


def critic(*, batch: int, length: int, symbols: int, width: int, blocks: int, kernel: int) -> Net:
    """Forward pass of the critic."""
    rest = 2 * blocks * width * width * kernel * length + width * length
    return Net(2.0 * batch * symbols * width * length, 2.0 * batch * rest)


def generator(*, batch: int, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> Net:
    """Forward pass of the generator."""
    rest = 2 * blocks * width * width * kernel * length + width * symbols * length
    return Net(2.0 * batch * latent * width * length, 2.0 * batch * rest)


def critic_step(net: Net) -> float:
    """Loss and gradients at real and fake samples and of the penalty.

    Real and fake: forward, and the gradients of weights and of what comes in. Penalty: forward, the gradient of what
    comes in, and of that the gradients of weights and of what comes in.
    """
    return 2 * (2 * net.enter + 3 * net.rest) + 4 * (net.enter + net.rest)


def generator_step(made_by: Net, judged_by: Net) -> float:
    """Forward through both, back through both, with gradients of the generator's weights only."""
    return 2 * (judged_by.enter + judged_by.rest) + 2 * made_by.enter + 3 * made_by.rest


def update(made_by: Net, judged_by: Net, critic_steps: int) -> float:
    """So many critic steps, each with samples made for it, and a generator step."""
    turn = made_by.enter + made_by.rest + critic_step(judged_by)
    return critic_steps * turn + generator_step(made_by, judged_by)
