from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from textgan.game.objectives import OBJECTIVES

REAL, FAKE = torch.tensor([1.0, 3.0]), torch.tensor([2.0, -4.0])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("name", "critic", "generator"),
    [
        ("wasserstein", (2 - 4) / 2 - (1 + 3) / 2, -(2 - 4) / 2),
        ("relativistic", (softplus(2 - 1) + softplus(-4 - 3)) / 2, (softplus(1 - 2) + softplus(3 + 4)) / 2),
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
    }


@pytest.mark.parametrize("name", OBJECTIVES)
def test_critic_wants_real_high_and_fake_low_and_the_generator_the_reverse(name: str) -> None:
    def slopes(loss: Any) -> tuple[torch.Tensor, torch.Tensor]:
        real, fake = REAL.clone().requires_grad_(True), FAKE.clone().requires_grad_(True)
        by_real, by_fake = torch.autograd.grad(loss(real=real, fake=fake), (real, fake), materialize_grads=True)
        return by_real, by_fake

    real, fake = slopes(OBJECTIVES[name].critic)
    assert (real < 0).all()
    assert (fake > 0).all()
    real, fake = slopes(OBJECTIVES[name].generator)
    assert (real >= 0).all()
    assert (fake < 0).all()
    assert (real > 0).all() == OBJECTIVES[name].pairs


@pytest.mark.parametrize("name", OBJECTIVES)
def test_swapped_sides_are_another_loss_and_sides_go_by_name_only(name: str) -> None:
    critic: Any = OBJECTIVES[name].critic
    assert critic(real=REAL, fake=FAKE).item() != pytest.approx(critic(real=FAKE, fake=REAL).item())
    generator: Any = OBJECTIVES[name].generator
    for loss in (critic, generator):
        with pytest.raises(TypeError):
            loss(REAL, FAKE)


def test_wasserstein_takes_sides_of_different_sizes() -> None:
    assert OBJECTIVES["wasserstein"].critic(real=REAL, fake=torch.tensor([5.0])).item() == pytest.approx(3)
