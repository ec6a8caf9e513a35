"""What training takes: a critic step and a whole update of the paper's nets, a step of the count critic, of `quick`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from textgan.assemble import Parts, plan_of
from textgan.bench import counts, flops, parts, preset
from textgan.bench.case import Case, Cases, Setup, same_tensors
from textgan.bench.plain_nets import PlainCritic, PlainGenerator, copy_weights
from textgan.bench.plain_step import PlainTrainer, critic_loss, generator_loss, one_hot
from textgan.game.conditions import bind_critic
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Step, critic_step, generator_step
from textgan.training.precision import products
from textgan.training.state import Player


class Sides(NamedTuple):
    """One game of the paper, ours and plain, from the same weights; and a batch to look at."""

    ours: Parts
    plain: PlainTrainer
    rows: npt.NDArray[Any]
    """Real ids (batch, position)."""
    fake: Tensor
    """Generated samples (batch, position, symbol)."""
    noise: Tensor
    """(batch, latent)"""


def cases(setup: Setup) -> Cases:
    """Yield the rows of training."""
    for width in setup.widths or parts.WIDTHS:
        made = parts.paper(setup, width)
        with products(plan_of(made.config, made.device).precision):
            yield from paper_cases(setup, made)
    yield counts.case(setup)
    yield from preset.cases(setup, parts.quick(setup))


def paper_cases(setup: Setup, ours: Parts) -> Cases:
    """Yield a critic step, and a whole update, of the parts of the paper's preset."""
    sides, config, space, width = both(ours), ours.config, ours.space, ours.config.critic.width
    sizes = {"batch": config.training.batch, "length": space.length, "symbols": space.size}
    nets = sizes | {"width": width, "blocks": config.critic.blocks, "kernel": config.critic.kernel}
    made_by, judged_by = flops.generator(**nets, latent=config.generator.latent), flops.critic(**nets)
    critic, about = player(ours), {"width": width} | sizes
    yield Case(
        "critic_step",
        lambda: critic.apply(our_critic_step(sides).gradients, 1.0),
        lambda: sides.plain.critic_step(plain_real(sides), sides.fake),
        lambda: check_critic(sides),
        about,
        flops.critic_step(judged_by),
    )
    yield Case(
        "generator_update",
        preset.turns(setup, ours, plan_of(config, ours.device)),
        lambda: sides.plain.update(config.critic.steps),
        lambda: check_generator(sides),
        about | {"critic_steps": config.critic.steps},
        flops.update(made_by, judged_by, config.critic.steps),
    )


def both(ours: Parts) -> Sides:
    """Put plain nets of the same weights beside the parts of the paper's preset, and make a batch."""
    config, space, critic = ours.config, ours.space, player(ours)
    sizes = {"length": space.length, "symbols": space.size}
    g, c, batch = config.generator, config.critic, config.training.batch
    nets = (
        PlainGenerator(**sizes, latent=g.latent, width=g.width, blocks=g.blocks, kernel=g.kernel).to(ours.device),
        PlainCritic(**sizes, width=c.width, blocks=c.blocks, kernel=c.kernel).to(ours.device),
    )
    for plain, net in zip(nets, (ours.state.generator.net, critic.net), strict=True):
        copy_weights(plain, net)

    def draw(rng: torch.Generator) -> Tensor:
        rows = ours.corpus.train.ids[torch.randint(len(ours.corpus.train.ids), (batch,), generator=rng).numpy()]
        return one_hot(rows, space.size).to(ours.device)

    trainer = PlainTrainer(*nets, draw, latent=g.latent, batch=batch, rng=rng())
    noise = torch.randn(batch, g.latent, generator=rng()).to(ours.device)
    with torch.no_grad():
        fake = nets[0](noise).contiguous()
    return Sides(ours, trainer, ours.corpus.train.ids[:batch], fake, noise)


def player(ours: Parts) -> Player:
    """Return the critic, which these presets have."""
    assert ours.state.critic is not None
    return ours.state.critic


def rng() -> torch.Generator:
    """Return a random generator that is the same for both sides."""
    return torch.Generator().manual_seed(0)


def plain_real(sides: Sides) -> Tensor:
    """Make the real samples of the batch as the plain side does."""
    return one_hot(sides.rows, sides.ours.space.size).to(sides.ours.device)


def our_critic_step(sides: Sides) -> Step:
    """Loss and gradients of the critic at the batch."""
    ours, critic = sides.ours, player(sides.ours)
    rows = torch.from_numpy(sides.rows.astype("int64")).to(ours.device)
    real = ours.space.to_sample(rows)
    bound = bind_critic(critic.net, None)
    return critic_step(ours.game, bound, critic.parameters, real=real, fake=sides.fake, rng=rng())


def our_generator_step(sides: Sides) -> Step:
    """Loss and gradients of the generator at the noise."""
    ours, generator = sides.ours, sides.ours.state.generator
    return generator_step(
        ours.game, generator.net, bind_critic(player(ours).net, None), generator.parameters, {}, noise=sides.noise,
        relax=lambda logits: RELAXATIONS["softmax"](logits, temperature=1.0, rng=rng()),
        rows=torch.from_numpy(sides.rows.astype("int64")), real=None, judged=len(sides.noise), rng=rng(),
    )  # fmt: skip


def check_critic(sides: Sides) -> None:
    """Refuse a critic step whose loss or gradients are not the plain ones."""
    loss = critic_loss(sides.plain.critic, real=plain_real(sides), fake=sides.fake, rng=rng())
    same_steps("critic_step", our_critic_step(sides), player(sides.ours).net, loss, sides.plain.critic)


def check_generator(sides: Sides) -> None:
    """Refuse a generator step whose loss or gradients are not the plain ones; both nets start from equal weights."""
    copy_weights(sides.plain.critic, player(sides.ours).net)
    copy_weights(sides.plain.generator, sides.ours.state.generator.net)
    loss = generator_loss(sides.plain.generator, sides.plain.critic, sides.noise)
    same_steps(
        "generator_update", our_generator_step(sides), sides.ours.state.generator.net, loss, sides.plain.generator
    )


def same_steps(what: str, ours: Step, net: torch.nn.Module, loss: Tensor, plain: torch.nn.Module) -> None:
    """Refuse a step of a net whose loss or gradients are not those of the plain net's loss."""
    same_tensors(what, {"loss": ours.losses["loss"]}, {"loss": loss.detach()})
    names = [name for name, _ in net.named_parameters()]
    gradients = torch.autograd.grad(loss, list(plain.parameters()))
    expected = dict(zip((name for name, _ in plain.named_parameters()), gradients, strict=True))
    same_tensors(what, dict(zip(names, ours.gradients, strict=True)), expected)
