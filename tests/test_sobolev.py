"""The number that the Sobolev game holds at 1, and how: `penalties.EQUALITIES` in a critic step."""

from __future__ import annotations

import pytest
import torch
from test_penalties import SHAPES, Bowl, Linear, sides
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import Constraint, State
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import EQUALITIES, PENALTIES, sobolev
from textgan.game.steps import Game, critic_step


@SHAPES
def test_sobolevs_number_is_the_mean_square_slope_of_both_sides(shape: tuple[int, ...], rng: torch.Generator) -> None:
    real, fake = (3 * side for side in sides(shape, rng))
    critic = Linear(shape, 1.7, rng)
    assert sobolev(critic, real, fake, rng=rng).item() == pytest.approx(1.7**2)
    expected = (real.square().sum() + fake.square().sum()) / (2 * len(real))
    assert sobolev(Bowl(), real, fake, rng=rng).item() == pytest.approx(expected.item())


def test_sobolevs_gradient_agrees_with_finite_differences(rng: torch.Generator) -> None:
    real, fake = sides((3, 4, 2), rng)
    weights = [torch.randn(sizes, generator=rng).double().requires_grad_(True) for sizes in ((5, 8), (1, 5))]

    def found(*weights: Tensor) -> Tensor:
        class Smooth(Bowl):
            def __call__(self, samples: Tensor) -> Tensor:
                return F.linear(torch.tanh(F.linear(samples.flatten(1), weights[0])), weights[1])[:, 0]

        return sobolev(Smooth(), real, fake, rng=rng)

    assert torch.autograd.gradcheck(found, weights)


class Scaled(nn.Module):
    """D(x) = c <w, x> with a fixed w: its slope is |c| |w|."""

    def __init__(self, scale: float, weight: Tensor) -> None:
        super().__init__()
        self.scale, self.weight = nn.Parameter(torch.tensor(scale, dtype=torch.float64)), weight

    def features(self, samples: Tensor) -> Tensor:
        return samples

    def forward(self, samples: Tensor) -> Tensor:
        return self.scale * (samples.flatten(1) @ self.weight)


def held(rho: float, penalties: dict[str, float] | None = None) -> Game:
    """The Wasserstein game in which sobolev's number is held at 1."""
    chosen = {name: (w, PENALTIES[name]) for name, w in (penalties or {}).items()}
    return Game(
        OBJECTIVES["wasserstein"], 1.0, chosen, Constraint(), {}, equalities={"sobolev": (rho, EQUALITIES["sobolev"])}
    )


def test_the_multiplier_grows_by_the_excess_and_weighs_its_slope(rng: torch.Generator) -> None:
    critic, (real, fake) = Scaled(0.5, torch.tensor([1.0, -1.0]).double()), sides((6, 2), rng)
    gap = ((real - fake) @ critic.weight).mean().item()
    states: dict[str, State] = {"sobolev": EQUALITIES["sobolev"].initial()}
    multiplier = 0.0
    for c in (0.5, 2.0, 1.0):  # numbers of .5, 8 and 2: excesses of -.5, 7 and 1
        with torch.no_grad():
            critic.scale.fill_(c)
        step = critic_step(held(0.2), critic, [critic.scale], real=real, fake=fake, rng=rng, states=states)
        excess = 2 * c * c - 1
        lagrangian = multiplier * excess + excess**2 / 2
        assert step.losses["sobolev"].item() == pytest.approx(lagrangian)
        assert step.losses["loss"].item() == pytest.approx(-c * gap + 0.2 * lagrangian)
        assert step.gradients[0].item() == pytest.approx(-gap + 0.2 * (multiplier + excess) * 4 * c)
        multiplier += excess
        assert states["sobolev"]["multiplier"].item() == pytest.approx(multiplier - excess)  # nothing in place
        states |= step.states
        assert states["sobolev"]["multiplier"].item() == pytest.approx(multiplier)
    assert multiplier == pytest.approx(-0.5 + 7 + 1)


def test_an_equality_stands_beside_penalties(rng: torch.Generator) -> None:
    critic, (real, fake) = Scaled(0.5, torch.tensor([1.0, -1.0]).double()), sides((6, 2), rng)
    states = {"sobolev": {"multiplier": torch.tensor(3.0)}}
    step = critic_step(held(0.2, {"r1": 4.0}), critic, [critic.scale], real=real, fake=fake, rng=rng, states=states)
    losses = {name: value.item() for name, value in step.losses.items()}
    assert losses.keys() >= {"loss", "objective", "r1", "sobolev"}
    assert losses["r1"] == pytest.approx(0.25)
    assert losses["loss"] == pytest.approx(losses["objective"] + 4 * 0.25 + 0.2 * (3 * -0.5 + 0.125))


@pytest.mark.parametrize("start", [0.3, -0.3])
def test_critic_steps_settle_where_the_number_is_1_and_real_scores_are_the_higher(start: float) -> None:
    critic, rng = Scaled(start, torch.tensor([1.0, -1.0]).double()), torch.Generator()
    real, fake = torch.tensor([[0.5, 0.25]]).double(), torch.tensor([[0.0, 0.25]]).double()  # <w, x - g> is 1/2
    states: dict[str, State] = {"sobolev": EQUALITIES["sobolev"].initial()}
    for _ in range(500):
        step = critic_step(held(0.3), critic, [critic.scale], real=real, fake=fake, rng=rng, states=states)
        states |= step.states
        with torch.no_grad():
            critic.scale.sub_(0.05 * step.gradients[0])
    assert critic.scale.item() == pytest.approx(0.5**0.5, rel=0.01)
    assert sobolev(critic, real, fake, rng=rng).item() == pytest.approx(1, rel=0.01)
    # there rho m dΩ/dc, which is .3 m 4c, is the gap's slope 1/2
    assert states["sobolev"]["multiplier"].item() == pytest.approx(0.5 / (0.3 * 4 * 0.5**0.5), rel=0.02)


def test_a_flat_critic_under_sobolev_has_finite_gradients(rng: torch.Generator) -> None:
    critic, (real, fake) = Scaled(0.0, torch.tensor([1.0, -1.0]).double()), sides((6, 2), rng)
    states = {"sobolev": EQUALITIES["sobolev"].initial()}
    step = critic_step(held(0.2), critic, [critic.scale], real=real, fake=fake, rng=rng, states=states)
    assert step.losses["sobolev"].item() == 0.5
    assert step.gradients[0].isfinite()
