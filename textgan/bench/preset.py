"""A whole step of a configuration, whatever it is, and with it the time that its training will take."""

from __future__ import annotations

from collections.abc import Callable

from textgan.assemble import Parts, plan_of
from textgan.bench.case import Case, Cases, Setup
from textgan.training.loop import Plan, critic_play, play_step
from textgan.training.precision import products


def cases(setup: Setup, parts: Parts) -> Cases:
    """Yield the only row: generator steps of parts that are built, each with its share of the critic's turns."""
    plan = plan_of(parts.config, parts.device)
    about = {"preset": parts.config.preset, "batch": plan.batch, **parts.space.sizes}
    with products(plan.precision):
        yield Case(
            f"{parts.config.preset}_step",
            turns(setup, parts, plan),
            about=about,
            units=plan.critic_every,
            steps=plan.steps,
        )


def turns(setup: Setup, parts: Parts, plan: Plan) -> Callable[[], None]:
    """Return what takes one turn of the critic and the generator steps that go with it, as training does."""
    critic = critic_play(parts.state, plan, parts.source, parts.game, parts.relaxation, setup.tell)

    def turn() -> None:
        for _ in range(plan.critic_every):
            play_step(parts.state, plan, parts.source, parts.game, parts.relaxation, critic)
            parts.state.step = (parts.state.step + 1) % plan.steps  # schedules end with the steps

    return turn
