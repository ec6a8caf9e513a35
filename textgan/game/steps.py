"""One critic step and one generator step: losses and gradients, no update and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from textgan.contract import (
    BoundRelaxation,
    Constraint,
    Critic,
    Generator,
    Objective,
    Output,
    Penalty,
    State,
    Term,
    TermBatch,
)
from textgan.game.conditions import classification


@dataclass(frozen=True)
class Game:
    """What the two nets play: a sum of weighted terms, the adversarial one among them."""

    objective: Objective
    weight: float
    """Weight of the adversarial loss in the generator's sum."""
    penalties: Mapping[str, tuple[float, Penalty]]
    constraint: Constraint
    terms: Mapping[str, tuple[float, Term]]
    classification: tuple[float, float] | None = None
    """Weights of an auxiliary classifier in the critic's and the generator's loss; None where there is no such."""

    @property
    def samples(self) -> bool:
        """Whether a term looks at what the generator makes."""
        return any(term.samples for _, term in self.terms.values())


class Step(NamedTuple):
    """What a step found: the gradients to apply and the numbers to log."""

    gradients: tuple[Tensor, ...]
    losses: dict[str, Tensor]
    """Scalars by name; "loss" is what the gradients are of."""


def critic_step(
    game: Game,
    critic: Critic,
    parameters: Sequence[Tensor],
    *,
    real: Tensor,
    fake: Tensor,
    rng: torch.Generator,
) -> Step:
    """Gradients of the critic's objective and penalties at real and generated samples (batch, ...).

    Among the losses are the objective's mean scores of both sides, score_real and score_fake, whose gap is logged.

    Source: Gulrajani et al. 2017, algorithm 1, lines 4-8.
    """
    wrapped, means = game.constraint.wrap(critic), dict[str, Tensor]()

    def objective() -> Tensor:
        scores = {"real": wrapped(real), "fake": wrapped(fake)}
        means.update({f"score_{side}": of_side.detach().mean() for side, of_side in scores.items()})
        return game.objective.critic(**scores)

    parts: dict[str, tuple[float, Callable[[], Tensor]]] = {"objective": (1.0, objective)}
    for name, (weight, penalty) in game.penalties.items():
        parts[name] = weight, partial(penalty, wrapped, real, fake, rng=rng)
    if game.classification is not None:
        parts["classification"] = game.classification[0], partial(classification, critic, real)
    step = _added(parts, parameters)
    return step._replace(losses=step.losses | means)


def generator_step(
    game: Game,
    generator: Generator,
    critic: Critic | None,
    parameters: Sequence[Tensor],
    states: Mapping[str, State],
    *,
    noise: Tensor,
    relax: BoundRelaxation,
    rows: Tensor,
    real: Tensor | None,
    judged: int,
    rng: torch.Generator,
    labels: Tensor | None = None,
) -> tuple[Step, dict[str, State]]:
    """Gradients of the generator's weighted terms, and the terms' next states.

    Args:
        game: the terms and their weights.
        generator: noise (batch, latent) to an Output.
        critic: None for a game without one.
        parameters: the generator's.
        states: each term's state by name.
        noise: (batch, latent).
        relax: the relaxation, its temperature and randomness chosen.
        rows: the real batch as stored, for terms that look at it.
        real: as many real samples as the critic judges, for objectives on pairs; None where none is needed.
        judged: how many samples of the batch the critic scores.
        rng: randomness of the terms.
        labels: the classes (batch,) that the samples share with the real rows, for terms that look at them.

    Source: Gulrajani et al. 2017, algorithm 1, lines 10-11, where the adversarial term is the only one.
    """
    output = generator(noise, relax) if critic is not None or game.samples else Output(noise[:0], noise[:0], rows[:0])
    loss, losses = torch.zeros((), device=noise.device), {}
    if critic is not None:
        wrapped = game.constraint.wrap(critic)
        fake_scores = wrapped(output.sample[:judged])
        real_scores = fake_scores.detach() if real is None else wrapped(real)
        losses["adversarial"] = game.objective.generator(real=real_scores, fake=fake_scores)
        loss = loss + game.weight * losses["adversarial"]
        if game.classification is not None:
            losses["classification"] = classification(critic, output.sample[:judged])
            loss = loss + game.classification[1] * losses["classification"]
    batch = TermBatch(output, rows, None if critic is None else critic.features, labels, _teacher(generator, noise))
    after: dict[str, State] = {}
    for name, (weight, term) in game.terms.items():
        losses[name], after[name] = term.function(batch, states[name], rng=rng)
        loss = loss + weight * losses[name]
    return _step(loss, losses, parameters), after


def _teacher(generator: Generator, noise: Tensor) -> Callable[[Tensor], Tensor] | None:
    teacher = getattr(generator, "teacher", None)
    return None if teacher is None else partial(teacher, noise=noise)


def _added(parts: Mapping[str, tuple[float, Callable[[], Tensor]]], parameters: Sequence[Tensor]) -> Step:
    """Add up weighted losses, each with its gradients before the next, so that one graph at a time is in memory."""
    weighted, losses, gradients = list[Tensor](), dict[str, Tensor](), list[Tensor]()
    for name, (weight, part) in parts.items():
        loss = part()
        losses[name] = loss.detach()
        weighted.append(weight * losses[name])
        found = torch.autograd.grad(weight * loss, tuple(parameters), materialize_grads=True)
        gradients = [a + b for a, b in zip(gradients, found, strict=True)] if gradients else list(found)
    return Step(tuple(gradients), {"loss": torch.stack(weighted).sum()} | losses)


def _step(loss: Tensor, losses: dict[str, Tensor], parameters: Sequence[Tensor]) -> Step:
    gradients = torch.autograd.grad(loss, tuple(parameters))
    return Step(gradients, {"loss": loss.detach()} | {name: value.detach() for name, value in losses.items()})
