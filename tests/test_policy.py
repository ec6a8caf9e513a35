"""The policy gradient, against the gradient of the expected reward over all samples of a tiny space."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from textgan.contract import Constraint, Output, State, Term, TermBatch
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.objectives import OBJECTIVES
from textgan.game.policy import policy_gradient, returns, surrogate
from textgan.game.relaxations import reinforce
from textgan.game.steps import Game, generator_step
from textgan.nets import CRITICS, GENERATORS

WRITTEN = torch.tensor(list(product(range(3), repeat=2)))
"""All samples of two positions and three symbols, (9, 2)."""
Reward = Callable[[Tensor], Tensor]
"""Ids (9, 2) to rewards (9, 1) or (9, 2)."""


class Policy:
    """p(x_1) p(x_2 | x_1), all of its probabilities free."""

    def __init__(self, rng: torch.Generator) -> None:
        self.first = torch.randn(3, generator=rng, dtype=torch.float64).requires_grad_(True)
        self.second = torch.randn(3, 3, generator=rng, dtype=torch.float64).requires_grad_(True)

    @property
    def parameters(self) -> tuple[Tensor, Tensor]:
        return self.first, self.second

    def logits(self) -> Tensor:
        """Of all samples, (9, 2, 3)."""
        return torch.stack([self.first.expand(9, 3), self.second[WRITTEN[:, 0]]], dim=1)

    def probabilities(self) -> Tensor:
        first, second = self.first.softmax(-1), self.second.softmax(-1)
        return first[WRITTEN[:, 0]] * second[WRITTEN[:, 0], WRITTEN[:, 1]]

    def slope_of_the_mean(self, rewards: Tensor) -> tuple[Tensor, ...]:
        """Of the expected value of rewards (9,)."""
        mean = (self.probabilities() * rewards).sum()
        return torch.autograd.grad(mean, self.parameters, materialize_grads=True)

    def expected_slope(self, advantages: Tensor) -> tuple[Tensor, ...]:
        """Of the surrogate: the mean of what each sample gives, weighted by how often it is drawn."""
        slopes = [
            torch.autograd.grad(
                surrogate(self.logits()[i : i + 1], WRITTEN[i : i + 1], advantages[i : i + 1]), self.parameters
            )
            for i in range(9)
        ]
        p = self.probabilities().detach()
        return tuple(sum(p[i] * slope[k] for i, slope in enumerate(slopes)) for k in range(2))  # type: ignore[misc]


def whole_rewards(rng: torch.Generator) -> Tensor:
    return torch.randn(9, 1, generator=rng, dtype=torch.float64)


def causal_rewards(rng: torch.Generator) -> Tensor:
    """The first position's knows the first symbol alone."""
    first, both = torch.randn(3, generator=rng, dtype=torch.float64), whole_rewards(rng)
    return torch.cat([first[WRITTEN[:, :1]], both], dim=1)


def assert_opposite(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(found, tuple(-slope for slope in expected), rtol=0, atol=1e-14)


@pytest.mark.parametrize("baseline", [[0.0, 0.0], [0.7, -3.0]])
def test_the_surrogates_slope_is_that_of_the_expected_reward(baseline: list[float], rng: torch.Generator) -> None:
    policy, rewards = Policy(rng), whole_rewards(rng)
    advantages = returns(rewards, 2, 1.0) - torch.tensor(baseline, dtype=torch.float64)
    assert_opposite(policy.expected_slope(advantages), policy.slope_of_the_mean(rewards[:, 0]))


@pytest.mark.parametrize("baseline", [[0.0, 0.0], [0.7, -3.0]])
def test_positions_paid_for_what_follows_have_the_slope_of_the_mean_reward(
    baseline: list[float], rng: torch.Generator
) -> None:
    policy, rewards = Policy(rng), causal_rewards(rng)
    advantages = returns(rewards, 2, 1.0) - torch.tensor(baseline, dtype=torch.float64)
    assert_opposite(policy.expected_slope(advantages), policy.slope_of_the_mean(rewards.mean(1)))


@pytest.mark.parametrize("discount", [0.0, 0.6])
def test_a_discount_leaves_out_its_share_of_what_later_rewards_teach_earlier_symbols(
    discount: float, rng: torch.Generator
) -> None:
    policy, rewards = Policy(rng), causal_rewards(rng)
    first, second = policy.expected_slope(returns(rewards, 2, discount))
    full, later = policy.slope_of_the_mean(rewards.mean(1)), policy.slope_of_the_mean(rewards[:, 1] / 2)
    assert_opposite((first, second), (full[0] - (1 - discount) * later[0], full[1]))
    assert later[0].abs().max() > 0.01


def test_rewards_that_look_ahead_have_another_slope(rng: torch.Generator) -> None:
    policy, rewards = Policy(rng), causal_rewards(rng).flip(1)
    _, second = policy.expected_slope(returns(rewards, 2, 1.0))
    assert (second + policy.slope_of_the_mean(rewards.mean(1))[1]).abs().max() > 0.01


def test_returns_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0, 4.0], [0.0, 8.0, -4.0]])
    assert (3 * returns(rewards, 3, 0.5)).tolist() == [[3, 4, 4], [3, 6, -4]]
    assert (3 * returns(rewards, 3, 1.0)).tolist() == [[7, 6, 4], [4, 4, -4]]
    torch.testing.assert_close(3 * returns(rewards, 3, 0.0), rewards)
    assert returns(torch.tensor([[5.0], [7.0]]), 3, 0.5).tolist() == [[5, 5, 5], [7, 7, 7]]


def test_the_surrogate_by_hand() -> None:
    p = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], [[0.2, 0.2, 0.6], [1 / 3, 1 / 3, 1 / 3]]])
    ids, advantages = torch.tensor([[0, 2], [1, 0]]), torch.tensor([[2.0], [-1.0]], requires_grad=True)
    logs = torch.tensor([[0.5, 0.8], [0.2, 1 / 3]]).log()
    paid = surrogate(p.log() + 7, ids, advantages)  # logits are of any level
    torch.testing.assert_close(paid, -(2 * logs[0].sum() - logs[1].sum()) / 2)
    assert not paid.requires_grad  # advantages are held fixed


def batch_of(rewards: list[list[float]], logits: Tensor, ids: Tensor) -> TermBatch:
    output = Output(logits, logits, ids)
    return TermBatch(output, ids, None, judged=len(rewards), rewards=lambda: torch.tensor(rewards))


def test_the_baseline_starts_at_the_first_mean_and_moves_from_there(rng: torch.Generator) -> None:
    term = policy_gradient(length=2, discount=1.0, decay=0.75)
    logits, ids = torch.randn(3, 2, 4, generator=rng), torch.randint(4, (3, 2), generator=rng)
    state = term.initial()
    before, baselines = {name: value.clone() for name, value in state.items()}, []
    for rewards, advantages in (
        ([[1.0], [3.0]], [[-1.0], [1.0]]),  # less their own mean, 2
        ([[-6.0], [-2.0]], [[-8.0], [-4.0]]),  # less 2
        ([[4.0], [8.0]], [[3.5], [7.5]]),  # less .75 · 2 - .25 · 4 = .5
        ([[0.0], [0.0]], [[-1.875], [-1.875]]),  # less .75 · .5 + .25 · 6 = 1.875
    ):
        paid, state = term.function(batch_of(rewards, logits, ids), state, rng=rng)
        torch.testing.assert_close(paid, surrogate(logits[:2], ids[:2], torch.tensor(advantages)))
        baselines.append(state["baseline"].tolist())
    assert baselines == [[2.0, 2.0], [0.5, 0.5], [1.875, 1.875], [1.40625, 1.40625]]
    assert all(torch.equal(value, before[name]) for name, value in term.initial().items())


def test_a_baseline_of_zero_is_one(rng: torch.Generator) -> None:
    term = policy_gradient(length=2, discount=1.0, decay=0.5)
    logits, ids = torch.randn(2, 2, 4, generator=rng), torch.randint(4, (2, 2), generator=rng)
    _, state = term.function(batch_of([[-1.0], [1.0]], logits, ids), term.initial(), rng=rng)
    paid, _ = term.function(batch_of([[3.0], [5.0]], logits, ids), state, rng=rng)
    torch.testing.assert_close(paid, surrogate(logits, ids, torch.tensor([[3.0], [5.0]])))


def test_each_position_has_a_baseline(rng: torch.Generator) -> None:
    term = policy_gradient(length=2, discount=0.5, decay=0.9)
    logits, ids = torch.randn(2, 2, 4, generator=rng), torch.randint(4, (2, 2), generator=rng)
    paid, state = term.function(batch_of([[2.0, 4.0], [0.0, 8.0]], logits, ids), term.initial(), rng=rng)
    assert state["baseline"].tolist() == pytest.approx([2.0, 3.0])  # of (4, 2) / 2 and (4, 4) / 2, and of (4, 8) / 2
    torch.testing.assert_close(paid, surrogate(logits, ids, torch.tensor([[0.0, -1.0], [0.0, 1.0]])))


def test_its_state_goes_back_to_the_device_it_was_on() -> None:
    term = policy_gradient(length=3, discount=1.0, decay=0.9, device="meta")
    state = term.unpack({"baseline": torch.ones(3), "seen": torch.ones(())})
    assert {value.device.type for value in (*state.values(), *term.initial().values())} == {"meta"}
    assert state.keys() == term.initial().keys()


class Players:
    """A generator of drawn symbols and a critic, in float64."""

    def __init__(self, rng: torch.Generator) -> None:
        torch.manual_seed(0)
        shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
        self.generator: Any = GENERATORS["upsampling"](latent=4, **shape).double()
        self.critic: Any = CRITICS["paper"](**shape).double()
        self.noise = torch.randn(6, 4, generator=rng, dtype=torch.float64)
        self.real = torch.rand(4, 8, 5, generator=rng, dtype=torch.float64)

    def step(self, objective: str, terms: dict[str, tuple[float, Term]], critic: Any = None, rule: str = "none") -> Any:
        played = Game(OBJECTIVES[objective], 0.3, {}, CONSTRAINTS[rule](Bounds()), terms)
        return generator_step(
            played, self.generator, critic or self.critic, list(self.generator.parameters()),
            {name: term.initial() for name, (_, term) in terms.items()},
            noise=self.noise, relax=relax, rows=torch.zeros(6, 8, dtype=torch.int64),
            real=self.real if OBJECTIVES[objective].pairs else None, judged=4, rng=torch.Generator(),
        )  # fmt: skip


def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
    return reinforce(logits, temperature=1.0, rng=torch.Generator().manual_seed(2))


def losses_one_by_one(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    loss = OBJECTIVES[objective].generator
    pairs = zip(real.flatten(), fake.flatten(), strict=True)
    return torch.stack([loss(real=x[None], fake=g[None]) for x, g in pairs]).view(fake.shape)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_has_the_policy_gradient_and_none_through_the_sample(objective: str, rng: torch.Generator) -> None:
    p = Players(rng)
    term = policy_gradient(length=8, discount=1.0, decay=0.9)
    step = p.step(objective, {"policy": (0.3, term)})
    output = p.generator(p.noise, relax)
    assert not output.sample.requires_grad
    rewards = -losses_one_by_one(objective, p.critic(p.real), p.critic(output.sample[:4])).detach()
    advantages = (rewards - rewards.mean())[:, None]
    paid = 0.3 * surrogate(output.logits[:4], output.ids[:4], advantages)
    torch.testing.assert_close(step.gradients, torch.autograd.grad(paid, list(p.generator.parameters())))
    assert step.losses["adversarial"].item() == pytest.approx(-rewards.mean().item())
    assert step.states["policy"]["baseline"].tolist() == pytest.approx([rewards.mean().item()] * 8)


def listening(heard: list[Tensor]) -> Term:
    """A term that keeps the rewards."""

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        assert batch.rewards is not None
        heard.append(batch.rewards())
        return batch.output.logits.mean(), state

    return Term(term)


@pytest.mark.parametrize("rule", ["none", "gradient_normalisation"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_reward_is_minus_the_loss_of_one_score(objective: str, rule: str, rng: torch.Generator) -> None:
    p, heard = Players(rng), list[Tensor]()
    p.step(objective, {"listening": (1.0, listening(heard))}, rule=rule)
    judge = CONSTRAINTS[rule](Bounds()).wrap(p.critic)
    fake = p.generator(p.noise, relax).sample[:4]
    expected = -losses_one_by_one(objective, judge(p.real).detach(), judge(fake).detach())
    torch.testing.assert_close(heard, [expected[:, None]])
    assert not heard[0].requires_grad


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_critic_that_scores_positions_pays_positions(objective: str, rng: torch.Generator) -> None:
    weight, calls = torch.randn(5, generator=rng, dtype=torch.float64), list[int]()

    class Positions:
        def position_scores(self, samples: Tensor) -> Tensor:
            calls.append(len(samples))
            return samples @ weight

        def __call__(self, samples: Tensor) -> Tensor:
            return self.position_scores(samples).mean(1)

        def features(self, samples: Tensor) -> Tensor:
            return samples.flatten(1)

    p, heard = Players(rng), list[Tensor]()
    step = p.step(objective, {"listening": (1.0, listening(heard))}, Positions())
    assert len(calls) == (2 if OBJECTIVES[objective].pairs else 1)  # each side once, for the score and the rewards
    fake = p.generator(p.noise, relax).sample[:4]
    torch.testing.assert_close(heard, [-losses_one_by_one(objective, p.real @ weight, fake @ weight)])
    whole = OBJECTIVES[objective].generator(real=(p.real @ weight).mean(1), fake=(fake @ weight).mean(1))
    assert step.losses["adversarial"].item() == pytest.approx(whole.item())


def test_no_rewards_without_a_critic(rng: torch.Generator) -> None:
    p = Players(rng)
    played = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {"listening": (1.0, listening([]))})
    with pytest.raises(AssertionError):
        generator_step(
            played, p.generator, None, list(p.generator.parameters()), {"listening": {}}, noise=p.noise, relax=relax,
            rows=torch.zeros(6, 8, dtype=torch.int64), real=None, judged=4, rng=torch.Generator(),
        )  # fmt: skip
