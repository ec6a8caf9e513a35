"""What changes in the course of a run: temperature, smoothing of real samples, and first steps by the likelihood."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_loop import POINTS, ROWS, SOURCE, assert_same, point_state
from torch import Tensor, nn

from textgan.assemble import build_on, plan_of
from textgan.contract import Constraint, Term
from textgan.game.likelihood import likelihood
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.policy import policy_gradient
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Game
from textgan.nets import CRITICS, GENERATORS
from textgan.opening import open_corpus
from textgan.settings import resolve
from textgan.training import checkpoint
from textgan.training.loop import SCHEDULES, Plan, play_step
from textgan.training.state import Player, TrainingState, within

PLAN = Plan(
    steps=5, batch=8, latent=4, critic_steps=2, critic_every=1, critic_batch=8, temperature=2.0, schedule="constant",
    seed=3, log_every=2, evaluate_every=3,
)  # fmt: skip


def test_the_temperature_goes_from_the_first_step_to_the_last_by_equal_factors() -> None:
    plan = dataclasses.replace(PLAN, final_temperature=0.125)
    assert [plan.temperature_at(step) for step in range(5)] == pytest.approx([2, 1, 0.5, 0.25, 0.125])
    assert plan.temperature_at(9) == 0.125  # after the last step
    assert {PLAN.temperature_at(step) for step in range(5)} == {2.0}
    assert dataclasses.replace(plan, steps=1).temperature_at(0) == 2


def test_the_smoothing_goes_by_equal_amounts_and_leaves_a_distribution() -> None:
    real = SOURCE.to_sample(torch.from_numpy(ROWS[:3].astype(np.int64)))
    plan = dataclasses.replace(PLAN, real_smoothing=(0.4, 0.0))
    for step, share in enumerate((0.4, 0.3, 0.2, 0.1, 0.0)):
        found = plan.smoothed(real, step)
        torch.testing.assert_close(found[real == 1], torch.full((24,), 1 - share))
        torch.testing.assert_close(found[real == 0], torch.full((4 * 24,), share / 4))
    constant = dataclasses.replace(PLAN, real_smoothing=(0.1, 0.1))
    torch.testing.assert_close(constant.smoothed(real, 0), constant.smoothed(real, 4))
    assert PLAN.smoothed(real, 2) is real


class Ear(nn.Module):
    """A critic that keeps what it was given, and asks for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.heard = nn.Parameter(torch.ones(())), list[Tensor]()

    def features(self, samples: Tensor) -> Tensor:
        return samples.flatten(1)

    def forward(self, samples: Tensor) -> Tensor:
        self.heard.append(samples.detach())
        return self.value * samples.flatten(1).sum(1)


def heard_at(step: int, plan: Plan, objective: str) -> tuple[list[Tensor], list[float]]:
    """What the critic saw in a step, and the temperatures that the relaxation was given."""
    temperatures, ear = list[float](), Ear()

    def relax(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        temperatures.append(temperature)
        return RELAXATIONS["softmax"](logits, temperature=temperature, rng=rng)

    torch.manual_seed(0)
    shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
    players = [Player.of(net, 0.1, (0.0, 0.9)) for net in (GENERATORS["upsampling"](latent=4, **shape), ear)]
    state = TrainingState(players[0], players[1], 0.0, {})
    state.step = step
    play_step(state, plan, SOURCE, Game(OBJECTIVES[objective], 1.0, {}, Constraint(), {}), relax)
    return ear.heard, temperatures


@pytest.mark.parametrize("objective", ["wasserstein", "relativistic"])
def test_both_steps_have_the_steps_temperature_and_smooth_the_real_side_alone(objective: str) -> None:
    plan = dataclasses.replace(PLAN, final_temperature=0.125, real_smoothing=(0.4, 0.0), critic_steps=1)
    for step, temperature, share in ((0, 2.0, 0.4), (2, 0.5, 0.2), (4, 0.125, 0.0)):
        heard, temperatures = heard_at(step, plan, objective)
        assert temperatures == pytest.approx([temperature] * 2)  # of the critic's fakes and of the generator's step
        real = [x for x in heard if x.max(-1).values.std() < 1e-6]
        assert len(real) == (2 if objective == "relativistic" else 1)
        assert len(heard) == len(real) + 2
        for samples in real:
            torch.testing.assert_close(samples.max(-1).values, torch.full((8, 8), 1 - share))


def test_the_linear_schedule_goes_to_zero_and_no_step_has_none() -> None:
    game, rates = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {}), []
    state = point_state(game, [])
    for step in range(5):
        state.step = step
        play_step(
            state, dataclasses.replace(PLAN, latent=1, schedule="linear"), POINTS, game, RELAXATIONS["softmax"]
        )  # fmt: skip
        rates.append(state.generator.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02])
    assert SCHEDULES["linear"](1.0) == 0


PARTS: dict[str, Term] = {
    "likelihood": likelihood([], symbols=5),
    "policy": policy_gradient(length=8, discount=1.0, decay=0.9),
}


def language_game() -> Game:
    terms = {"policy": (1.0, PARTS["policy"])}
    penalties = {"gradient_penalty": (10.0, PENALTIES["gradient_penalty"])}
    game = Game(OBJECTIVES["wasserstein"], 1.0, penalties, Constraint(), terms)
    return dataclasses.replace(game, pretraining=PARTS["likelihood"])


def language_state(seed: int = 0) -> TrainingState:
    torch.manual_seed(seed)
    shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
    generator = Player.of(GENERATORS["recurrent"](latent=4, **shape), 1e-2, (0.5, 0.9))
    critic = Player.of(CRITICS["downsampling"](**shape), 1e-2, (0.5, 0.9))
    return TrainingState(generator, critic, 0.9, PARTS)


def played(state: TrainingState, steps: int, pretrain: int, game: Game | None = None) -> list[dict[str, Any]]:
    plan, losses = dataclasses.replace(PLAN, steps=7, pretrain=pretrain, temperature=1.0), []
    for _ in range(steps):
        losses.append(play_step(state, plan, SOURCE, game or language_game(), RELAXATIONS["reinforce"]))
        state.step += 1
    return losses


def copied(state: TrainingState) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.tensors().items()}


def test_the_first_steps_are_the_likelihoods_alone_and_then_the_game_begins() -> None:
    state, alone = language_state(), language_state()
    start = copied(state)
    losses = played(state, 3, pretrain=3)
    assert [step.keys() for step in losses] == [{"generator"}] * 3
    assert [step["generator"].keys() for step in losses] == [{"loss", "likelihood", "gradient_norm"}] * 3
    assert all(step["generator"]["loss"] == step["generator"]["likelihood"] for step in losses)
    assert losses[2]["generator"]["loss"] < losses[0]["generator"]["loss"]
    assert_same(within("critic", copied(state)), within("critic", start))
    assert_same(within("terms.policy", copied(state)), within("terms.policy", start))
    # the same bits as a game of the likelihood that knows no critic
    alone.critic = None
    played(alone, 3, 0, Game(OBJECTIVES["wasserstein"], 0.0, {}, Constraint(), {
        "likelihood": (1.0, likelihood([], symbols=5))
    }))  # fmt: skip
    assert_same(within("generator", copied(state)), within("generator", copied(alone)))
    before = copied(state)
    (after,) = played(state, 1, pretrain=3)
    assert after.keys() == {"critic", "generator"}
    assert after["generator"].keys() == {"loss", "adversarial", "policy", "gradient_norm"}  # and no likelihood
    changed = copied(state)
    assert not torch.equal(before["critic.net.score.weight"], changed["critic.net.score.weight"])
    assert changed["terms.policy.seen"].item() == 1


def test_the_critics_first_turn_follows_pretraining_at_once() -> None:
    plan = dataclasses.replace(PLAN, steps=9, pretrain=1, critic_every=3, temperature=1.0)
    state, turns = language_state(), []
    for _ in range(6):
        turns.append("critic" in play_step(state, plan, SOURCE, language_game(), RELAXATIONS["reinforce"]))
        state.step += 1
    assert turns == [False, True, False, False, True, False]


def test_pretraining_generates_nothing_and_asks_the_relaxation_for_nothing() -> None:
    def never(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        raise AssertionError("nothing looks at a sample")

    plan = dataclasses.replace(PLAN, pretrain=1)
    play_step(language_state(), plan, SOURCE, language_game(), never)
    state = language_state()
    state.step = 1
    with pytest.raises(AssertionError, match="nothing looks"):
        play_step(state, plan, SOURCE, language_game(), never)


@pytest.mark.parametrize("at", [2, 3, 4])
def test_a_run_resumed_about_the_end_of_pretraining_is_the_uninterrupted_one(at: int, tmp_path: Path) -> None:
    straight, first, second = language_state(), language_state(), language_state(seed=1)
    played(straight, 6, pretrain=3)
    played(first, at, pretrain=3)
    checkpoint.save(tmp_path, at, first.tensors(), {"score": None})
    second.load(at, checkpoint.load(tmp_path, at)[0])
    played(second, 6 - at, pretrain=3)
    assert_same(copied(straight), copied(second))


ALL_AT_ONCE: dict[str, Any] = {
    "generator.width": 6, "critic.width": 6, "critic.blocks": 1, "generator.blocks": 1, "critic.steps": 2,
    "generator.relaxation": "reinforce", "game.constraint": "spectral_norm", "game.historical_averaging": 0.1,
    "game.penalties": {"sobolev": 0.1}, "game.real_smoothing": (0.2, 0.0), "training.schedule": "linear",
    "generator.optimizer": "rmsprop", "generator.betas": (0.0, 0.9), "count_critic.weight": 0.0,
    "critic.optimizer": "rmsprop", "critic.betas": (0.0, 0.9), "training.steps": 8, "game.weight": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "flags",
    [
        {"critic.net": "paper"},
        {"generator.net": "recurrent", "likelihood.pretrain": 2},
        {
            "generator.relaxation": "gumbel_softmax", "generator.final_temperature": 0.2,
            "feature_matching.weight": 1.0,
            "game.objective": "least_squares", "game.real_label": 0.9,
        },
    ],
    ids=["drawn", "pretrained", "relaxed"],
)  # fmt: skip
def test_all_at_once_resumed_is_the_uninterrupted_run_bit_for_bit(
    flags: dict[str, Any], tiny_text: Path, tmp_path: Path
) -> None:
    config = resolve("smoke", flags={"corpus.name": str(tiny_text)} | ALL_AT_ONCE | flags).config
    corpus = open_corpus(config)

    def play(parts: Any, steps: int) -> dict[str, Tensor]:
        plan, relaxation = plan_of(config, parts.device), RELAXATIONS[config.generator.relaxation]
        for _ in range(steps):
            play_step(parts.state, plan, parts.source, parts.game, relaxation)
            parts.state.step += 1
        return copied(parts.state)

    def new(seed: int = 0) -> Any:
        seeded = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
        return build_on(seeded, corpus, torch.device("cpu"))

    first, whole = new(), play(new(), 8)
    assert_same(first.state.tensors(), new().state.tensors())  # the power iterations' start is drawn from the seed too
    checkpoint.save(tmp_path, 5, play(first, 5), {"score": None})
    second = new(seed=1)
    assert not torch.equal(*(buffers_of(parts) for parts in (new(), second)))
    second.state.load(5, checkpoint.load(tmp_path, 5)[0])
    assert_same(play(second, 3), whole)
    assert whole["terms.sobolev.multiplier"].item() != 0
    assert {"critic.means.0", "critic.count", "generator.means.0"} <= whole.keys()
    assert ("terms.policy.baseline" in whole) == (config.generator.relaxation == "reinforce")


def buffers_of(parts: Any) -> Tensor:
    return torch.cat([buffer.flatten() for buffer in parts.state.critic.net.buffers()])
