from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import textgan
from textgan.contract import ScoreLoss
from textgan.game.objectives import OBJECTIVES, least_squares_critic, logistic_critic

REAL, FAKE = torch.tensor([0.0, 3.0], dtype=torch.float64), torch.tensor([2.0, -4.0], dtype=torch.float64)
UNSURE_REAL, UNSURE_FAKE = torch.tensor([0.5, -0.5]), torch.tensor([0.25, 0.75])  # within every target and margin
NAMES = pytest.mark.parametrize("name", OBJECTIVES)
UNPAIRED = pytest.mark.parametrize("name", [name for name in OBJECTIVES if not OBJECTIVES[name].pairs])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


LOGISTIC = (softplus(0) + softplus(-3)) / 2 + (softplus(2) + softplus(-4)) / 2


@pytest.mark.parametrize(
    ("name", "critic", "generator"),
    [
        ("wasserstein", (2 - 4) / 2 - (0 + 3) / 2, -(2 - 4) / 2),
        ("relativistic", (softplus(2 - 0) + softplus(-4 - 3)) / 2, (softplus(0 - 2) + softplus(3 + 4)) / 2),
        ("non_saturating", LOGISTIC, (softplus(-2) + softplus(4)) / 2),
        ("minimax", LOGISTIC, (math.log(1 / (1 + math.exp(2))) + math.log(1 / (1 + math.exp(-4)))) / 2),
        ("least_squares", (1 + 4) / 4 + (4 + 16) / 4, (1 + 25) / 4),
        ("hinge", (1 + 0) / 2 + (3 + 0) / 2, -(2 - 4) / 2),
    ],
)
def test_losses_by_hand(name: str, critic: float, generator: float) -> None:
    objective = OBJECTIVES[name]
    assert objective.critic(real=REAL, fake=FAKE).item() == pytest.approx(critic)
    assert objective.generator(real=REAL, fake=FAKE).item() == pytest.approx(generator)


def test_every_objective_is_tested_here_and_says_whether_it_pairs() -> None:
    assert {name: objective.pairs for name, objective in OBJECTIVES.items()} == {
        "wasserstein": False,
        "relativistic": True,
        "non_saturating": False,
        "minimax": False,
        "least_squares": False,
        "hinge": False,
    }


def slopes(loss: ScoreLoss, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    real, fake = real.clone().requires_grad_(True), fake.clone().requires_grad_(True)
    by_real, by_fake = torch.autograd.grad(loss(real=real, fake=fake), (real, fake), materialize_grads=True)
    return by_real, by_fake


@NAMES
def test_critic_wants_real_high_and_fake_low_and_the_generator_the_reverse(name: str) -> None:
    real, fake = slopes(OBJECTIVES[name].critic, UNSURE_REAL, UNSURE_FAKE)
    assert (real < 0).all()
    assert (fake > 0).all()
    real, fake = slopes(OBJECTIVES[name].generator, UNSURE_REAL, UNSURE_FAKE)
    assert (real >= 0).all()
    assert (fake < 0).all()
    assert (real > 0).all() == OBJECTIVES[name].pairs


@NAMES
def test_swapped_sides_are_another_loss_and_sides_go_by_name_only(name: str) -> None:
    critic: Any = OBJECTIVES[name].critic
    assert critic(real=REAL, fake=FAKE).item() != pytest.approx(critic(real=FAKE, fake=REAL).item())
    generator: Any = OBJECTIVES[name].generator
    for loss in (critic, generator):
        with pytest.raises(TypeError):
            loss(REAL, FAKE)


@UNPAIRED
def test_sides_of_different_sizes_weigh_the_same(name: str) -> None:
    critic, generator = OBJECTIVES[name].critic, OBJECTIVES[name].generator
    short, long = torch.tensor([-0.5]), torch.tensor([-0.5, -0.5, -0.5])
    assert critic(real=REAL, fake=short).item() == pytest.approx(critic(real=REAL, fake=long[:2]).item())
    assert critic(real=long, fake=FAKE).item() == pytest.approx(critic(real=short, fake=FAKE).item())
    assert generator(real=long, fake=short).item() == pytest.approx(generator(real=short, fake=long).item())


@NAMES
@pytest.mark.parametrize("side", ["critic", "generator"])
def test_both_orders_of_slope_agree_with_finite_differences(name: str, side: str, rng: torch.Generator) -> None:
    loss: ScoreLoss = getattr(OBJECTIVES[name], side)
    real, fake = (3 * torch.randn(6, generator=rng, dtype=torch.float64) for _ in range(2))
    scores = (real.requires_grad_(True), fake.requires_grad_(True))
    assert torch.autograd.gradcheck(lambda real, fake: loss(real=real, fake=fake), scores)
    assert torch.autograd.gradgradcheck(lambda real, fake: loss(real=real, fake=fake).square(), scores)


HUGE = 1e4


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("wasserstein", (-2 * HUGE, HUGE), (2 * HUGE, -HUGE)),
        ("relativistic", (0, 2 * HUGE), (2 * HUGE, 0)),
        ("non_saturating", (0, HUGE), (2 * HUGE, 0)),
        ("minimax", (0, 0), (2 * HUGE, -HUGE)),
        ("least_squares", (HUGE**2 - HUGE + 0.5, (HUGE + 1) ** 2 / 2), (HUGE**2 + HUGE + 0.5, (HUGE - 1) ** 2 / 2)),
        ("hinge", (0, HUGE), (2 * HUGE + 2, -HUGE)),
    ],
)
def test_huge_scores_have_finite_losses_and_slopes(
    name: str, right: tuple[float, float], wrong: tuple[float, float]
) -> None:
    for score, expected in ((HUGE, right), (-HUGE, wrong)):
        real, fake = torch.full((3,), score), torch.full((3,), -score)
        for loss, value in zip((OBJECTIVES[name].critic, OBJECTIVES[name].generator), expected, strict=True):
            assert loss(real=real, fake=fake).item() == pytest.approx(value, rel=1e-6)
            assert all(slope.isfinite().all() for slope in slopes(loss, real, fake))


@pytest.mark.parametrize(
    ("name", "slope"), [("non_saturating", -1.0), ("minimax", 0.0), ("least_squares", -1 - HUGE), ("hinge", -1.0)]
)
def test_only_the_minimax_generator_stops_where_the_critic_is_sure(name: str, slope: float) -> None:
    fake = torch.tensor([-HUGE])
    assert slopes(OBJECTIVES[name].generator, -fake, fake)[1].item() == pytest.approx(slope)


def test_hinge_leaves_scores_beyond_their_margins_alone() -> None:
    real, fake = slopes(OBJECTIVES["hinge"].critic, torch.tensor([1.01, 0.99, -2.0]), torch.tensor([-1.01, -0.99, 2.0]))
    torch.testing.assert_close(real, torch.tensor([0.0, -1 / 3, -1 / 3]))
    torch.testing.assert_close(fake, torch.tensor([0.0, 1 / 3, 1 / 3]))


P, Q = torch.tensor([0.5, 0.375, 0.125], dtype=torch.float64), torch.tensor([0.25, 0.125, 0.625], dtype=torch.float64)


def expected_loss(critic: ScoreLoss, scores: Tensor) -> Tensor:
    """The critic's loss where eight real samples are shared over three points as P, and eight generated as Q."""
    shares = [scores.repeat_interleave((8 * share).long()) for share in (P, Q)]
    return critic(real=shares[0], fake=shares[1])


def relative_entropy(p: Tensor, q: Tensor) -> float:
    return (p * (p / q).log()).sum().item()


JENSEN_SHANNON = (relative_entropy(P, (P + Q) / 2) + relative_entropy(Q, (P + Q) / 2)) / 2


@pytest.mark.parametrize(
    ("critic", "best", "value"),
    [
        (logistic_critic, lambda: (P / Q).log(), 2 * math.log(2) - 2 * JENSEN_SHANNON),
        (least_squares_critic, lambda: P / (P + Q), (P * Q / (P + Q)).sum().item() / 2),
        (OBJECTIVES["hinge"].critic, lambda: (P - Q).sign(), 2 * torch.minimum(P, Q).sum().item()),
    ],
    ids=["log-odds", "posterior", "sign"],
)
def test_the_best_critic_and_its_loss_are_known(critic: ScoreLoss, best: Callable[[], Tensor], value: float) -> None:
    scores = best()
    assert expected_loss(critic, scores).item() == pytest.approx(value, abs=1e-9)
    for point in range(3):
        for step in (-0.1, 0.1):
            moved = scores.clone()
            moved[point] += step
            assert expected_loss(critic, moved).item() > value + 1e-4


@pytest.mark.parametrize(
    ("name", "turn", "bias", "decay"),
    [
        ("wasserstein", 1, 0, 0),
        ("relativistic", 0.5, 0, 0),
        ("non_saturating", 0.5, 0, -0.5),
        ("minimax", 0.5, 0, -0.5),
        ("least_squares", 0.5, 0.5, -2),
        ("hinge", 1, 0, 0),
    ],
)
def test_unregularised_dirac_gan_only_turns_about_its_equilibrium(
    name: str, turn: float, bias: float, decay: float
) -> None:
    """D(x) = psi·x + b, real samples at 0, generated at theta; Mescheder et al. 2018, section 2, with a bias added."""

    def descent(state: Tensor) -> Tensor:
        theta, psi, b = state
        scores = {"real": b.reshape(1), "fake": (psi * theta + b).reshape(1)}
        by_theta = torch.autograd.grad(OBJECTIVES[name].generator(**scores), theta, create_graph=True)
        by_critic = torch.autograd.grad(OBJECTIVES[name].critic(**scores), (psi, b), create_graph=True)
        return -torch.stack((*by_theta, *by_critic))

    state = torch.tensor([0, 0, bias], dtype=torch.float64, requires_grad=True)
    assert descent(state).abs().max() < 1e-12
    expected = torch.tensor([[0, turn, 0], [-turn, 0, 0], [0, 0, decay]], dtype=torch.float64)
    rows = [
        torch.autograd.grad(towards, state, retain_graph=True, materialize_grads=True)[0]
        for towards in descent(state).unbind()
    ]
    torch.testing.assert_close(torch.stack(rows), expected)


@pytest.mark.parametrize("target", [1.0, 0.9, 0.75])
@pytest.mark.parametrize("critic", [logistic_critic, least_squares_critic], ids=["logistic", "least squares"])
def test_the_best_critic_of_smoothed_labels_is_known(critic: Any, target: float) -> None:
    smoothed = partial(critic, target=target)
    chance = target * P / (P + Q)  # of a sample there, to be called real
    scores = (chance / (1 - chance)).log() if critic is logistic_critic else chance
    value = expected_loss(smoothed, scores).item()
    for point in range(3):
        for step in (-0.1, 0.1):
            moved = scores.clone()
            moved[point] += step
            assert expected_loss(smoothed, moved).item() > value + 1e-4


def test_smoothed_losses_by_hand() -> None:
    fake = (softplus(2) + softplus(-4)) / 2
    real = [0.9 * softplus(-x) + 0.1 * softplus(x) for x in (0, 3)]  # cross-entropies to the label .9
    assert logistic_critic(real=REAL, fake=FAKE, target=0.9).item() == pytest.approx(sum(real) / 2 + fake)
    squares = least_squares_critic(real=REAL, fake=FAKE, target=0.9).item()
    assert squares == pytest.approx((0.9**2 + 2.1**2) / 4 + (4 + 16) / 4)


@NAMES
def test_a_target_of_one_is_the_loss_itself_and_only_those_that_say_so_take_one(name: str) -> None:
    critic: Any = OBJECTIVES[name].critic
    if not OBJECTIVES[name].target:
        with pytest.raises(TypeError):
            critic(real=REAL, fake=FAKE, target=0.9)
        return
    assert torch.equal(critic(real=REAL, fake=FAKE, target=1.0), critic(real=REAL, fake=FAKE))
    (real, fake), (plain_real, plain_fake) = (
        slopes(loss, REAL, FAKE) for loss in (partial(critic, target=0.9), critic)
    )
    assert torch.equal(fake, plain_fake)  # one side alone is smoothed
    torch.testing.assert_close(real - plain_real, torch.full_like(real, 0.1 / 2))


@NAMES
def test_every_objective_trains_a_text_gan(name: str, tiny_text: Path, tmp_path: Path) -> None:
    settings = {
        "corpus.name": str(tiny_text),
        "game.objective": name,
        "training.steps": 3,
        "training.log_every": 1,
        "evaluation.samples": 20,
    }
    run = textgan.train("smoke", settings=settings, run=tmp_path / "run").folder
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [row[side] for row in rows for side in ("critic", "generator") if side in row]
    assert len(losses) == 2 * 3
    assert all(math.isfinite(value) for row in losses for value in row.values())
    assert len(textgan.load(run).generate(5, seed=1)) == 5
