"""What training takes of pictures: a critic step and a generator step of the nets of CIFAR-10, at 64 of 32x32x3."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from textgan.assemble import Parts, plan_of
from textgan.bench import parts
from textgan.bench.case import Case, Cases, Setup
from textgan.bench.plain_nets import copy_weights
from textgan.bench.plain_pictures import PlainCritic, PlainGenerator
from textgan.bench.plain_step import PlainTrainer, critic_loss, generator_loss
from textgan.bench.step import player, rng, same_steps
from textgan.game.conditions import bind_critic
from textgan.game.steps import Step, critic_step, generator_step
from textgan.training.precision import products


class Sides(NamedTuple):
    """One game, ours and plain, and a batch to look at."""

    ours: Parts
    plain: PlainTrainer
    real: Tensor
    """(batch, channel, y, x)"""
    fake: Tensor
    """Likewise, generated."""
    noise: Tensor
    """(batch, latent)"""


def cases(setup: Setup) -> Cases:
    """Yield the rows of training on pictures."""
    for width in setup.widths or parts.PICTURE_WIDTHS:
        made = parts.pictures(setup, width)
        with products(plan_of(made.config, made.device).precision):
            yield from both_steps(both(made))


def both_steps(sides: Sides) -> Cases:
    """Yield a critic step and a generator step."""
    ours, plain = sides.ours, sides.plain
    critic, generator = player(ours), ours.state.generator
    about = {"width": ours.config.critic.width, "batch": len(sides.real), **ours.space.sizes}
    yield Case(
        "critic_step",
        lambda: critic.apply(our_critic_step(sides).gradients, 1.0),
        lambda: plain.critic_step(sides.real, sides.fake),
        lambda: check_critic(sides),
        about,
    )
    yield Case(
        "generator_step",
        lambda: generator.apply(our_generator_step(sides).gradients, 1.0),
        lambda: plain.generator_step(sides.noise),
        lambda: check_generator(sides),
        about,
    )


def both(ours: Parts) -> Sides:
    """Put plain nets of the same weights beside ours, and make a batch."""
    g, channels, batch = ours.config.generator, ours.space.channels, ours.config.training.batch
    generator = PlainGenerator(channels=channels, latent=g.latent, width=g.width).to(ours.device)
    critic = PlainCritic(channels=channels, width=ours.config.critic.width).to(ours.device)
    real = ours.space.to_sample(torch.from_numpy(ours.corpus.train.ids[:batch]).to(ours.device), rng=rng())
    trainer = PlainTrainer(generator, critic, lambda rng: real, latent=g.latent, batch=batch, rng=rng())
    noise = torch.randn(batch, g.latent, generator=rng()).to(ours.device)
    copy_both(ours, trainer)
    with torch.no_grad():
        fake = generator(noise)
    return Sides(ours, trainer, real, fake, noise)


def copy_both(ours: Parts, plain: PlainTrainer) -> None:
    """Give both plain nets the weights of ours."""
    copy_weights(plain.critic, player(ours).net)
    copy_weights(plain.generator, ours.state.generator.net)


def our_critic_step(sides: Sides) -> Step:
    """Loss and gradients of the critic at the batch."""
    critic = player(sides.ours)
    bound = bind_critic(critic.net, None)
    return critic_step(sides.ours.game, bound, critic.parameters, real=sides.real, fake=sides.fake, rng=rng())


def our_generator_step(sides: Sides) -> Step:
    """Loss and gradients of the generator at the noise."""
    ours, generator = sides.ours, sides.ours.state.generator
    return generator_step(
        ours.game, generator.net, bind_critic(player(ours).net, None), generator.parameters, {}, noise=sides.noise,
        relax=lambda logits: ours.relaxation(logits, temperature=1.0, rng=rng()),
        rows=sides.real, real=None, judged=len(sides.noise), rng=rng(),
    )  # fmt: skip


def check_critic(sides: Sides) -> None:
    """Refuse a critic step whose loss or gradients are not the plain ones."""
    loss = critic_loss(sides.plain.critic, real=sides.real, fake=sides.fake, rng=rng())
    same_steps("critic_step", our_critic_step(sides), player(sides.ours).net, loss, sides.plain.critic)


def check_generator(sides: Sides) -> None:
    """Refuse a generator step whose loss or gradients are not the plain ones; both nets start from equal weights."""
    copy_both(sides.ours, sides.plain)
    loss, net = generator_loss(sides.plain.generator, sides.plain.critic, sides.noise), sides.ours.state.generator.net
    same_steps("generator_step", our_generator_step(sides), net, loss, sides.plain.generator)
