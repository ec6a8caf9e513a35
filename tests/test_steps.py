from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import Constraint, Critic, State, Term, TermBatch
from textgan.game.conditions import bind_critic
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import softmax
from textgan.game.steps import Game, critic_step, generator_step
from textgan.nets import CRITICS, GENERATORS
from textgan.nets.conditional import AuxiliaryCritic


class Players:
    def __init__(self, rng: torch.Generator) -> None:
        torch.manual_seed(0)
        shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
        self.generator: Any = GENERATORS["paper"](latent=4, **shape)
        self.critic: Any = CRITICS["paper"](**shape)
        self.noise = torch.randn(6, 4, generator=rng)
        self.rows = torch.randint(5, (6, 8), generator=rng)
        self.real = torch.nn.functional.one_hot(self.rows, 5).float()
        self.fake = self.sample().detach()

    def sample(self) -> Tensor:
        return self.generator(self.noise, relax).sample  # type: ignore[no-any-return]


def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
    return softmax(logits, temperature=1.0, rng=torch.Generator().manual_seed(2))


def weights(net: nn.Module) -> list[nn.Parameter]:
    return list(net.parameters())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


FREE = Constraint()


def game(
    objective: str = "wasserstein",
    weight: float = 1.0,
    penalties: dict[str, float] | None = None,
    constraint: Constraint = FREE,
    terms: dict[str, tuple[float, Term]] | None = None,
) -> Game:
    chosen = {name: (w, PENALTIES[name]) for name, w in (penalties or {}).items()}
    return Game(OBJECTIVES[objective], weight, chosen, constraint, terms or {})


@pytest.fixture
def players(rng: torch.Generator) -> Players:
    return Players(rng)


def test_critic_step_adds_its_weighted_penalties(players: Players) -> None:
    p = players
    step = critic_step(
        game(penalties={"gradient_penalty": 10.0, "r1": 3.0}), p.critic, weights(p.critic),
        real=p.real, fake=p.fake, rng=seeded(),
    )  # fmt: skip
    objective = p.critic(p.fake).mean() - p.critic(p.real).mean()
    pays = {name: PENALTIES[name](p.critic, p.real, p.fake, rng=seeded()) for name in ("gradient_penalty", "r1")}
    loss = objective + 10 * pays["gradient_penalty"] + 3 * pays["r1"]
    scores = {"score_real": p.critic(p.real).mean(), "score_fake": p.critic(p.fake).mean()}
    torch.testing.assert_close(step.losses, {
        name: value.detach() for name, value in ({"loss": loss, "objective": objective} | pays | scores).items()
    })  # fmt: skip
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.critic), materialize_grads=True))
    assert not any(value.requires_grad for value in (*step.losses.values(), *step.gradients))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_generator_step_weighs_the_adversarial_loss(objective: str, players: Players) -> None:
    p = players
    real = p.real if OBJECTIVES[objective].pairs else None
    step = generator_step(
        game(objective, 0.3), p.generator, p.critic, weights(p.generator), {},
        noise=p.noise, relax=relax, rows=p.rows, real=real, judged=6, rng=seeded(),
    )  # fmt: skip
    loss = 0.3 * OBJECTIVES[objective].generator(real=p.critic(p.real), fake=p.critic(p.sample()))
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.generator)))
    assert step.losses["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert step.losses["adversarial"].item() == pytest.approx(loss.item() / 0.3, rel=1e-5)
    assert step.states == {}
    assert all(parameter.grad is None for parameter in weights(p.critic))


def counting_term(seen: list[TermBatch]) -> Term:
    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        seen.append(batch)
        return batch.output.logits.square().mean(), {"calls": state["calls"] + 1}

    return Term(term, lambda: {"calls": torch.zeros(())})


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_critic_may_judge_the_first_of_the_batch_only(objective: str, players: Players) -> None:
    p, seen = players, list[TermBatch]()
    real = p.real[:4] if OBJECTIVES[objective].pairs else None
    step = generator_step(
        game(objective, terms={"square": (0.0, counting_term(seen))}), p.generator, p.critic, weights(p.generator),
        {"square": {"calls": torch.zeros(())}},
        noise=p.noise, relax=relax, rows=p.rows, real=real, judged=4, rng=seeded(),
    )  # fmt: skip
    loss = OBJECTIVES[objective].generator(real=p.critic(p.real[:4]), fake=p.critic(p.sample()[:4]))
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.generator)))
    assert len(seen[0].output.ids) == len(seen[0].real) == 6  # the terms look at all


def test_terms_add_their_weighted_scalars_and_carry_their_states(players: Players) -> None:
    p, seen = players, list[TermBatch]()
    terms = {"square": (4.0, counting_term(seen))}
    step = generator_step(
        game(weight=0.5, terms=terms), p.generator, p.critic, weights(p.generator),
        {"square": {"calls": torch.tensor(6.0)}},
        noise=p.noise, relax=relax, rows=p.rows, real=None, judged=6, rng=seeded(),
    )  # fmt: skip
    output = p.generator(p.noise, relax)
    loss = -0.5 * p.critic(output.sample).mean() + 4 * output.logits.square().mean()
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.generator)))
    assert step.states["square"]["calls"].item() == 7
    (batch,) = seen
    assert torch.equal(batch.real, p.rows)
    assert torch.equal(batch.output.ids, output.ids)
    assert batch.features is not None
    torch.testing.assert_close(batch.features(p.real), p.critic.features(p.real))


def test_a_game_without_a_critic_is_its_terms(players: Players) -> None:
    p, seen = players, list[TermBatch]()
    step = generator_step(
        game(terms={"square": (2.0, counting_term(seen))}), p.generator, None, weights(p.generator),
        {"square": {"calls": torch.zeros(())}},
        noise=p.noise, relax=relax, rows=p.rows, real=None, judged=6, rng=seeded(),
    )  # fmt: skip
    loss = 2 * p.generator(p.noise, relax).logits.square().mean()
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.generator)))
    assert step.losses.keys() == {"loss", "square"}
    assert seen[0].features is None


def test_a_wrapping_constraint_holds_in_both_steps(players: Players) -> None:
    p = players

    class Doubled:
        def __init__(self, critic: Any) -> None:
            self.critic, self.features = critic, critic.features

        def __call__(self, samples: Tensor) -> Tensor:
            return 2 * self.critic(samples)  # type: ignore[no-any-return]

    def wrap(critic: Critic) -> Critic:
        return Doubled(critic)

    def gradients(constraint: Constraint, factor: float) -> list[Tensor]:
        played = game(weight=factor, constraint=constraint)
        one = critic_step(played, p.critic, weights(p.critic), real=p.real, fake=p.fake, rng=seeded())
        two = generator_step(
            played, p.generator, p.critic, weights(p.generator), {},
            noise=p.noise, relax=relax, rows=p.rows, real=None, judged=6, rng=seeded(),
        )  # fmt: skip
        return [*(factor * g for g in one.gradients), *two.gradients]

    torch.testing.assert_close(gradients(Constraint(wrap=wrap), 1.0), gradients(Constraint(), 2.0))


def test_an_auxiliary_classifier_learns_from_real_samples_and_teaches_with_generated_ones(players: Players) -> None:
    p, labels = players, torch.tensor([0, 2, 1, 2, 0, 1])
    net = AuxiliaryCritic(p.critic, labels=3)
    critic = bind_critic(net, labels)
    played = dataclasses.replace(game(weight=0.5, penalties={"gradient_penalty": 10.0}), classification=(2.0, 0.25))
    step = critic_step(played, critic, weights(net), real=p.real, fake=p.fake, rng=seeded())
    guess = F.cross_entropy(net.classes(p.real), labels)
    loss = p.critic(p.fake).mean() - p.critic(p.real).mean() + 2 * guess
    loss = loss + 10 * PENALTIES["gradient_penalty"](p.critic, p.real, p.fake, rng=seeded())
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(net)))
    torch.testing.assert_close(step.losses["classification"], guess.detach())
    step = generator_step(
        played, p.generator, bind_critic(net, labels[:4]), weights(p.generator), {},
        noise=p.noise, relax=relax, rows=p.rows, real=None, judged=4, rng=seeded(), labels=labels,
    )  # fmt: skip
    sample = p.sample()[:4]
    guess = F.cross_entropy(net.classes(sample), labels[:4])
    loss = -0.5 * p.critic(sample).mean() + 0.25 * guess
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, weights(p.generator)))
    torch.testing.assert_close(step.losses["classification"], guess.detach())


def test_the_classifier_is_asked_of_the_critic_within_a_wrapping_constraint(players: Players) -> None:
    p, labels = players, torch.tensor([0, 2, 1, 2, 0, 1])
    critic = bind_critic(AuxiliaryCritic(p.critic, labels=3), labels)
    wrapped = Constraint(wrap=lambda bound: lambda samples: 2 * bound(samples))  # type: ignore[arg-type, return-value]
    played = dataclasses.replace(game(constraint=wrapped), classification=(1.0, 1.0))
    step = critic_step(played, critic, weights(p.critic), real=p.real, fake=p.fake, rng=seeded())
    assert step.losses["objective"].item() == pytest.approx(2 * (critic(p.fake).mean() - critic(p.real).mean()).item())
    assert step.losses["classification"].item() > 0
