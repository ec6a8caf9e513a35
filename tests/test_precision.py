"""Precisions: what leaves a net is float32 whatever it multiplies in, and near what float32 gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from test_loop import PLAN, SOURCE, new_game, new_state
from torch import Tensor

from textgan.contract import Output
from textgan.errors import UsageError
from textgan.game.conditions import bind_critic
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES, slopes
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Step, critic_step
from textgan.nets import CONDITIONAL_CRITICS, CRITICS, GENERATORS
from textgan.training import loop
from textgan.training.loop import Plan, play_step
from textgan.training.precision import NETS, Bfloat16, choose_precision, products

CPU = torch.device("cpu")
SHAPE: dict[str, Any] = {"length": 8, "symbols": 5, "width": 16, "blocks": 2, "kernel": 3}
LOW = dataclasses.replace(PLAN, precision="bf16")


@pytest.mark.parametrize(
    ("name", "device", "chosen"),
    [
        ("auto", "cpu", "fp32"), ("auto", "mps", "fp32"), ("auto", "cuda:1", "tf32"),
        ("fp32", "cuda", "fp32"), ("tf32", "cuda", "tf32"), ("bf16", "cuda", "bf16"), ("bf16", "cpu", "bf16"),
    ],
)  # fmt: skip
def test_the_precision_of_a_device(name: str, device: str, chosen: str) -> None:
    assert choose_precision(name, torch.device(device)) == chosen


@pytest.mark.parametrize(("name", "device"), [("tf32", "cpu"), ("tf32", "mps"), ("bf16", "mps")])
def test_a_device_without_that_precision_is_told_in_one_line(name: str, device: str) -> None:
    with pytest.raises(
        UsageError, match=rf"^training\.precision: {name} exists on .*, and this device is {device}; .*$"
    ):
        choose_precision(name, torch.device(device))


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True), ("bf16", False)])
@pytest.mark.parametrize("before", [False, True])
def test_tf32_is_a_setting_of_the_block_alone(precision: str, allowed: bool, before: bool) -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    found = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = before
        with products(precision):
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (allowed, allowed)
            with torch.backends.cudnn.flags(enabled=False):  # the recurrent net's
                pass
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (allowed, allowed)
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (before, before)
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = found


def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
    return RELAXATIONS["softmax"](logits.float(), temperature=1.0, rng=torch.Generator().manual_seed(1))


def is_rounded(low: Tensor, exact: Tensor, within: float = 0.03) -> None:
    """float32, near the exact values, and not equal to them: something in between was rounded."""
    assert low.dtype == torch.float32
    assert not torch.equal(low, exact)
    assert (low - exact).norm() < within * exact.norm()


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_generator_answers_in_float32(name: str, rng: torch.Generator) -> None:
    net: Any = GENERATORS[name](latent=4, **SHAPE)
    noise = torch.randn(6, 4, generator=rng)
    exact, low = net(noise, relax), NETS["bf16"](net, CPU)(noise, relax)
    assert isinstance(low, Output)
    assert low.ids.dtype == torch.int64
    if not hasattr(net, "teacher"):  # one that writes symbol by symbol reads what it has drawn
        is_rounded(low.logits, exact.logits)
        is_rounded(low.sample, exact.sample)
    assert (low.logits.dtype, low.sample.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("name", sorted(CRITICS))
def test_scores_features_and_slopes_are_float32_and_differentiable_twice(name: str, rng: torch.Generator) -> None:
    net: Any = CRITICS[name](**SHAPE)
    low = NETS["bf16"](net, CPU)
    samples = torch.rand(6, 8, 5, generator=rng)
    is_rounded(low(samples), net(samples))
    is_rounded(low.features(samples), net.features(samples))
    is_rounded(slopes(low, samples), slopes(net, samples))
    parameters = [net.enter.weight, net.score.weight]
    ours = torch.autograd.grad(slopes(low, samples).square().mean(), parameters)
    theirs = torch.autograd.grad(slopes(net, samples).square().mean(), parameters)
    for one, other in zip(ours, theirs, strict=True):
        is_rounded(one, other, within=0.1)  # a rounding may turn a rectifier on or off


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_the_other_precisions_leave_nets_as_they_are(precision: str) -> None:
    net = CRITICS["paper"](**SHAPE)
    assert NETS[precision](net, CPU) is net


def test_a_net_has_the_methods_it_has_and_no_others(rng: torch.Generator) -> None:
    ids, noise = torch.ones(2, 8, dtype=torch.int64), torch.randn(2, 4, generator=rng)
    for name in GENERATORS:
        net: Any = GENERATORS[name](latent=4, **SHAPE)
        low = Bfloat16(net, CPU)
        assert hasattr(low, "teacher") == (name in ("recurrent", "lstm", "causal_transformer"))
        if hasattr(low, "teacher"):
            is_rounded(low.teacher(ids, noise), net.teacher(ids, noise))
    samples = torch.rand(6, 8, 5, generator=rng)
    for name in CRITICS:
        net = CRITICS[name](**SHAPE)
        low = Bfloat16(net, CPU)
        assert hasattr(low, "position_scores") == (name in ("recurrent", "causal_transformer"))
        if hasattr(low, "position_scores"):
            is_rounded(low.position_scores(samples), net.position_scores(samples))


@pytest.mark.parametrize("kind", sorted(CONDITIONAL_CRITICS))
def test_a_conditional_critic_at_low_precision(kind: str, rng: torch.Generator) -> None:
    critic: Any = CONDITIONAL_CRITICS[kind](CRITICS["paper"](**SHAPE), labels=3)
    samples, labels = torch.rand(6, 8, 5, generator=rng), torch.arange(6) % 3
    is_rounded(bind_critic(Bfloat16(critic, CPU), labels)(samples), bind_critic(critic, labels)(samples))
    game = dataclasses.replace(new_game(), classification=(1.0, 0.1) if kind == "auxiliary" else None)
    step = critic_step(
        game, bind_critic(Bfloat16(critic, CPU), labels), [critic.critic.score.weight],
        real=samples, fake=samples.flip(0), rng=rng,
    )  # fmt: skip
    assert {value.dtype for value in (*step.gradients, *step.losses.values())} == {torch.float32}


def steps_of(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Step], dict[str, dict[str, float]]]:
    """The steps of one turn of the loop, as they go to the update, and its losses."""
    seen: list[Step] = []
    update = loop._update

    def watched(player: Any, step: Step, *rest: Any) -> dict[str, float]:
        seen.append(step)
        return update(player, step, *rest)

    monkeypatch.setattr(loop, "_update", watched)
    game = new_game()
    losses = play_step(new_state(game), plan, SOURCE, game, RELAXATIONS["straight_through"])
    monkeypatch.setattr(loop, "_update", update)
    return seen, losses


def test_a_step_in_bfloat16_has_the_losses_of_float32_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = dataclasses.replace(LOW, critic_steps=1)
    low, losses = steps_of(plan, monkeypatch)
    _, exact = steps_of(dataclasses.replace(plan, precision="fp32"), monkeypatch)
    dtypes = {value.dtype for step in low for value in (*step.gradients, *step.losses.values())}
    assert dtypes == {torch.float32}
    assert losses["critic"] != exact["critic"]
    assert losses["critic"] == pytest.approx(exact["critic"], rel=0.05, abs=0.02)
    assert losses["generator"]["adversarial"] != exact["generator"]["adversarial"]


def test_weights_moments_and_average_stay_float32_and_a_seed_repeats() -> None:
    ended = []
    for _ in range(2):
        game = new_game()
        state = new_state(game)
        for _ in range(2):
            play_step(state, LOW, SOURCE, game, RELAXATIONS["softmax"])
            state.step += 1
        ended.append(state.tensors())
    floating = {tensor.dtype for tensor in ended[0].values() if tensor.is_floating_point()}
    assert floating <= {torch.float32, torch.float64}
    assert {ended[0][name].dtype for name in ended[0] if ".net." in name} == {torch.float32}
    assert [name for name in ended[0] if not torch.equal(ended[0][name], ended[1][name])] == []


def test_objectives_and_penalties_see_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []

    def objective(*, real: Tensor, fake: Tensor) -> Tensor:
        seen.extend((real.dtype, fake.dtype))
        return OBJECTIVES["wasserstein"].critic(real=real, fake=fake)

    def penalty(critic: Any, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
        seen.extend((real.dtype, fake.dtype))
        return PENALTIES["gradient_penalty"](critic, real, fake, rng=rng)

    game = new_game()
    objectives = dataclasses.replace(game.objective, critic=objective, generator=objective)
    game = dataclasses.replace(game, objective=objectives, penalties={"watched": (10.0, penalty)})
    play_step(new_state(game), LOW, SOURCE, game, RELAXATIONS["softmax"])
    assert len(seen) == 2 * PLAN.critic_steps * 2 + 2
    assert set(seen) == {torch.float32}


def test_every_call_of_a_net_in_a_step_is_at_the_runs_precision() -> None:
    calls: list[tuple[str, bool]] = []
    game = new_game()
    state = new_state(game)
    assert state.critic is not None
    for name, net in (("generator", state.generator.net), ("critic", state.critic.net)):
        net.register_forward_pre_hook(
            lambda net, inputs, name=name: calls.append((name, torch.is_autocast_enabled("cpu")))
        )
    play_step(state, dataclasses.replace(LOW, critic_steps=1), SOURCE, game, RELAXATIONS["softmax"])
    critic_steps = ["generator", "critic", "critic", "critic"]  # fakes; real, fake and between
    assert calls == [(name, True) for name in (*critic_steps, "generator", "critic", "critic")]


def test_a_relaxation_sees_and_gives_float32() -> None:
    seen: list[torch.dtype] = []

    def watched(logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        sample, ids = RELAXATIONS["softmax"](logits, temperature=temperature, rng=rng)
        seen.extend((logits.dtype, sample.dtype))
        return sample, ids

    game = new_game()
    play_step(new_state(game), LOW, SOURCE, game, watched)
    assert len(seen) == 2 * (PLAN.critic_steps + 1)
    assert set(seen) == {torch.float32}
