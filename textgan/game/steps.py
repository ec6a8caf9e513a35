"""One critic step and one generator step: losses and gradients, no update and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from textgan.contract import (
    BoundRelaxation,
    Constraint,
    Critic,
    Equality,
    Generator,
    Objective,
    Output,
    Penalty,
    State,
    Term,
    TermBatch,
)
from textgan.game.conditions import classification
from textgan.ranks import mean
from textgan.transfers import dropping

NOTHING: Mapping[str, State] = MappingProxyType({})


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
    """Weights of a classifier in the critic's and, of a generator with labels, its loss; None where there is none."""
    equalities: Mapping[str, tuple[float, Equality]] = field(default_factory=dict)
    pretraining: Term | None = None
    """What trains the generator alone, before the game begins."""

    @property
    def samples(self) -> bool:
        """Whether a term looks at what the generator makes."""
        return any(term.samples for _, term in self.terms.values())

    @property
    def real_samples(self) -> bool:
        """Whether the generator's step looks at real samples."""
        return self.objective.pairs or any(term.real_samples for _, term in self.terms.values())

    def before(self) -> Game:
        """Return the game of pretraining: the likelihood alone, with weight 1."""
        assert self.pretraining is not None
        return replace(self, terms={"likelihood": (1.0, self.pretraining)})


class Step(NamedTuple):
    """What a step found: the gradients to apply and the numbers to log."""

    gradients: tuple[Tensor, ...]
    losses: dict[str, Tensor]
    """Scalars by name; "loss" is what the gradients are of."""
    states: Mapping[str, State] = NOTHING
    """What parts carry to the next step, by their name."""


def critic_step(
    game: Game,
    critic: Critic,
    parameters: Sequence[Tensor],
    *,
    real: Tensor,
    fake: Tensor,
    rng: torch.Generator,
    states: Mapping[str, State] = NOTHING,
    labelled: tuple[Critic, Tensor] | None = None,
) -> Step:
    """Gradients of the critic's objective and penalties at real and generated samples (batch, ...).

    `states` holds the multiplier of each equality. `labelled` is the critic bound to labels and the samples that have
    them, where the real batch has none; lest it learns those few by heart, a critic that can drops values then. Among
    the losses are the objective's mean scores of both sides, score_real and score_fake, whose gap is logged.

    Source: Gulrajani et al. 2017, algorithm 1, lines 4-8.
    """
    wrapped, means = game.constraint.wrap(critic), dict[str, Tensor]()

    def thinned(function: Callable[..., Tensor], *arguments: object) -> Tensor:
        with nullcontext() if labelled is None else dropping(rng):
            return function(*arguments)

    def objective() -> Tensor:
        scores = {"real": thinned(wrapped, real), "fake": thinned(wrapped, fake)}
        means.update({f"score_{side}": of_side.detach().mean() for side, of_side in scores.items()})
        return game.objective.critic(**scores)

    parts: dict[str, tuple[float, Callable[[], Tensor]]] = {"objective": (1.0, objective)}
    for name, (weight, penalty) in game.penalties.items():
        parts[name] = weight, partial(penalty, wrapped, real, fake, rng=rng)
    after: dict[str, State] = {}
    for name, (weight, equality) in game.equalities.items():
        found = partial(equality.function, wrapped, real, fake, rng=rng)
        parts[name] = weight, partial(_held, name, found, states, after)
    if game.classification is not None:
        found = partial(thinned, classification, *(labelled or (critic, real)))
        parts["classification"] = game.classification[0], found
    step = _added(parts, parameters, after)
    return step._replace(losses=step.losses | means)


def _held(name: str, found: Callable[[], Tensor], states: Mapping[str, State], after: dict[str, State]) -> Tensor:
    """The augmented Lagrangian m e + ½ e² of an excess e over 1, whose multiplier m then grows by e.

    With the weight ρ the multiplier proper is ρ m, and grows by ρ e.

    Source: Mroueh et al. 2018 (Sobolev GAN), algorithm 1.
    """
    excess, multiplier = mean(found()) - 1, states[name]["multiplier"]
    after[name] = {"multiplier": multiplier + excess.detach()}
    return multiplier * excess + excess.square() / 2


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
) -> Step:
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
        real: as many real samples as the critic judges, where `game.real_samples`; None where none is needed.
        judged: how many samples of the batch the critic scores.
        rng: randomness of the terms.
        labels: the classes (batch,) that the samples share with the real rows, for terms that look at them.

    Source: Gulrajani et al. 2017, algorithm 1, lines 10-11, where the adversarial term is the only one.
    """
    output = generator(noise, relax) if critic is not None or game.samples else Output(noise[:0], noise[:0], rows[:0])
    batch = TermBatch(output, rows, None, labels, _teacher(generator, noise), judged, real)
    loss, losses = torch.zeros((), device=noise.device), {}
    if critic is not None:
        fake = output.sample[:judged]
        losses["adversarial"], rewards = _judged(game, critic, real=real, fake=fake)
        loss = loss + game.weight * losses["adversarial"]
        if game.classification is not None and labels is not None:
            losses["classification"] = classification(critic, fake)
            loss = loss + game.classification[1] * losses["classification"]
        batch = batch._replace(features=critic.features, rewards=rewards)
    after: dict[str, State] = {}
    for name, (weight, term) in game.terms.items():
        losses[name], after[name] = term.function(batch, states[name], rng=rng)
        loss = loss + weight * losses[name]
    return _step(loss, losses, parameters, after)


def _judged(game: Game, critic: Critic, *, real: Tensor | None, fake: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
    """The adversarial loss of generated samples, and what computes their rewards.

    Samples that have no gradient are scored by position, where a critic can; their score is the positions' mean.
    A reward is minus the loss of one score alone, of the Wasserstein objective that score.
    """
    wrapped = game.constraint.wrap(critic)
    judge = getattr(wrapped, "position_scores", None)
    if judge is None or fake.requires_grad:
        judge = wrapped
    with torch.set_grad_enabled(fake.requires_grad and game.weight > 0):
        scores = {"fake": judge(fake)}
        scores["real"] = judge(real) if game.objective.pairs and real is not None else scores["fake"].detach()
        whole = {side: found.flatten(1).mean(1) if found.dim() > 1 else found for side, found in scores.items()}
        loss = game.objective.generator(**whole)

    @torch.no_grad()
    def rewards() -> Tensor:
        alone = torch.vmap(lambda real, fake: game.objective.generator(real=real, fake=fake))
        losses: Tensor = alone(scores["real"].reshape(-1, 1), scores["fake"].reshape(-1, 1))
        return -losses.view(len(fake), -1)

    return loss, rewards


def _teacher(generator: Generator, noise: Tensor) -> Callable[[Tensor], Tensor] | None:
    teacher = getattr(generator, "teacher", None)
    return None if teacher is None else partial(teacher, noise=noise)


def _added(
    parts: Mapping[str, tuple[float, Callable[[], Tensor]]], parameters: Sequence[Tensor], after: dict[str, State]
) -> Step:
    """Add up weighted losses, each with its gradients before the next, so that one graph at a time is in memory."""
    weighted, losses, gradients = list[Tensor](), dict[str, Tensor](), list[Tensor]()
    for name, (weight, part) in parts.items():
        loss = part()
        losses[name] = loss.detach()
        weighted.append(weight * losses[name])
        found = torch.autograd.grad(weight * loss, tuple(parameters), materialize_grads=True)
        gradients = [a + b for a, b in zip(gradients, found, strict=True)] if gradients else list(found)
    return Step(tuple(gradients), {"loss": torch.stack(weighted).sum()} | losses, after)


def _step(loss: Tensor, losses: dict[str, Tensor], parameters: Sequence[Tensor], after: dict[str, State]) -> Step:
    gradients = torch.autograd.grad(loss, tuple(parameters))
    return Step(gradients, {"loss": loss.detach()} | {name: value.detach() for name, value in losses.items()}, after)
