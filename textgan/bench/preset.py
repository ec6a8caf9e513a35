"""A whole step of a configuration, whatever it is, and with it the time that its training will take."""

from __future__ import annotations

from textgan.assemble import Parts, plan_of
from textgan.bench.case import Case, Cases
from textgan.game.relaxations import RELAXATIONS
from textgan.training.loop import play_step


def cases(parts: Parts) -> Cases:
    """Yield the only row."""
    yield case(parts)


def case(parts: Parts) -> Case:
    """Return the row of parts that are built: their generator steps, each with its share of the critic's turns."""
    config = parts.config
    plan, relaxation = plan_of(config, parts.device), RELAXATIONS[config.generator.relaxation]

    def turns() -> None:
        for _ in range(plan.critic_every):
            play_step(parts.state, plan, parts.source, parts.game, relaxation)
            parts.state.step = (parts.state.step + 1) % plan.steps  # schedules end with the steps

    about = {"preset": config.preset, "batch": plan.batch, "length": parts.space.length, "symbols": parts.space.size}
    return Case(f"{config.preset}_step", turns, about=about, units=plan.critic_every, steps=plan.steps)
