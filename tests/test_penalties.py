from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import BoundRelaxation, Constraint, Output
from textgan.game.constraints import CONSTRAINTS
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES, gradient_penalty, interpolates, r1, r2, slopes
from textgan.game.steps import Game, critic_step, generator_step
from textgan.nets import CRITICS, layers, sequence

SHAPES = pytest.mark.parametrize("shape", [(4, 32, 7), (4, 3, 8, 8), (4, 2)], ids=["text", "image", "toy"])


class Linear:
    """D(x) = w·x with |w| = slope over all axes of a sample."""

    def __init__(self, shape: tuple[int, ...], slope: float, rng: torch.Generator) -> None:
        weight = torch.randn(shape[1:], generator=rng, dtype=torch.float64)
        self.weight = slope * weight / weight.norm()

    def __call__(self, samples: Tensor) -> Tensor:
        scores: Tensor = (samples * self.weight).flatten(1).sum(1)
        return scores

    def features(self, samples: Tensor) -> Tensor:
        return samples


class Bowl(Linear):
    """D(x) = ½|x|², whose slope at x is |x|."""

    def __init__(self) -> None:
        pass

    def __call__(self, samples: Tensor) -> Tensor:
        return samples.square().flatten(1).sum(1) / 2


def sides(shape: tuple[int, ...], rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.rand(shape, generator=rng, dtype=torch.float64), torch.rand(shape, generator=rng, dtype=torch.float64)


@SHAPES
@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_linear_critic_pays_the_square_of_its_excess_slope(
    shape: tuple[int, ...], slope: float, rng: torch.Generator
) -> None:
    critic, (real, fake) = Linear(shape, slope, rng), sides(shape, rng)
    assert gradient_penalty(critic, real, fake, rng=rng).item() == pytest.approx((slope - 1) ** 2, abs=1e-12)
    assert r1(critic, real, fake, rng=rng).item() == pytest.approx(slope**2 / 2)
    assert r2(critic, real, fake, rng=rng).item() == pytest.approx(slope**2 / 2)


@SHAPES
def test_r1_looks_at_real_and_r2_at_generated_samples(shape: tuple[int, ...], rng: torch.Generator) -> None:
    real, fake = sides(shape, rng)
    for penalty, samples in ((r1, real), (r2, fake)):
        expected = samples.square().sum() / (2 * len(samples))
        assert penalty(Bowl(), real, fake, rng=rng).item() == pytest.approx(expected.item())


@SHAPES
def test_gradient_penalty_is_paid_between_the_pairs(shape: tuple[int, ...], rng: torch.Generator) -> None:
    real, fake = sides(shape, rng)
    between = interpolates(real, fake, rng=torch.Generator().manual_seed(7))
    expected = (between.flatten(1).norm(dim=1) - 1).square().mean()
    paid = gradient_penalty(Bowl(), real, fake, rng=torch.Generator().manual_seed(7))
    assert paid.item() == pytest.approx(expected.item())


def test_interpolates_mix_each_pair_with_one_uniform_number(rng: torch.Generator) -> None:
    real, fake = torch.full((20_000, 2, 3), 5.0), torch.full((20_000, 2, 3), 3.0)
    mix = (interpolates(real, fake, rng=rng).flatten(1) - 3) / 2
    assert (mix - mix[:, :1]).abs().max() < 1e-5
    assert mix.min() >= 0
    assert mix.max() <= 1
    assert mix[:, 0].mean().item() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 20_000))
    assert mix[:, 0].var().item() == pytest.approx(1 / 12, rel=0.03)


def test_a_flat_critic_has_finite_gradients(rng: torch.Generator) -> None:
    weight = torch.zeros(5, requires_grad=True)

    class Flat(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return samples @ weight

    for penalty in PENALTIES.values():
        (gradient,) = torch.autograd.grad(penalty(Flat(), torch.ones(3, 5), torch.zeros(3, 5), rng=rng), weight)
        assert torch.isfinite(gradient).all()


def test_slopes_send_nothing_back_into_the_samples(rng: torch.Generator) -> None:
    samples = torch.rand(3, 5, generator=rng).requires_grad_(True)
    weight = torch.ones((), requires_grad=True)

    class Scaled(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return weight * super().__call__(samples)

    paid = slopes(Scaled(), samples).sum()
    assert torch.autograd.grad(paid, (weight, samples), allow_unused=True)[1] is None


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_agree_with_finite_differences(name: str, rng: torch.Generator) -> None:
    real, fake = sides((3, 4, 2), rng)
    weights = [
        torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True) for shape in [(5, 8), (5,), (1, 5)]
    ]

    def paid(*weights: Tensor) -> Tensor:
        class Smooth(Bowl):
            def __call__(self, samples: Tensor) -> Tensor:
                return F.linear(torch.tanh(F.linear(samples.flatten(1), weights[0], weights[1])), weights[2])[:, 0]

        return PENALTIES[name](Smooth(), real, fake, rng=torch.Generator().manual_seed(1))

    assert torch.autograd.gradcheck(paid, weights)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("critic", CRITICS)
def test_gradients_through_our_rectifier_are_those_through_torchs(
    name: str, critic: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    net: Any = CRITICS[critic](length=9, symbols=4, width=6, blocks=2, kernel=3).double()
    real, fake = sides((5, 9, 4), rng)

    def gradients() -> tuple[Tensor, ...]:
        paid = PENALTIES[name](net, real, fake, rng=torch.Generator().manual_seed(1))
        return torch.autograd.grad(paid, list(net.parameters()), materialize_grads=True)

    ours = gradients()
    for module in (layers, sequence):
        monkeypatch.setattr(module, "rectify", lambda x, leak=0.0: F.leaky_relu(x, leak) if leak else F.relu(x))
    torch.testing.assert_close(ours, gradients())


class Line(nn.Module):
    """D(x) = psi·x on the line, and G = theta: the Dirac-GAN, whose corpus is one point at 0."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def features(self, samples: Tensor) -> Tensor:
        return samples

    def forward(self, samples: Tensor, relax: BoundRelaxation | None = None) -> Any:
        if relax is None:
            return (self.value * samples).flatten(1).sum(1)
        sample = self.value.expand(len(samples), 1)
        return Output(sample, sample, torch.zeros(len(samples), 1, dtype=torch.int64))


def play_dirac(objective: str, penalties: dict[str, float], constraint: Constraint, start: float) -> list[float]:
    """Return theta after each of 600 alternating steps of gradient descent."""
    game = Game(
        OBJECTIVES[objective], 1.0, {name: (w, PENALTIES[name]) for name, w in penalties.items()}, constraint, {}
    )
    generator, critic, path = Line(start), Line(0.0), []
    real, noise, rng = torch.zeros(1, 1), torch.zeros(1, 1), torch.Generator()
    for _ in range(600):
        fake = generator.value.detach().reshape(1, 1)
        step = critic_step(game, critic, [critic.value], real=real, fake=fake, rng=rng)
        with torch.no_grad():
            critic.value.sub_(0.1 * step.gradients[0])
        constraint.after_step(critic)
        after, _ = generator_step(
            game, generator, critic, [generator.value], {}, noise=noise, relax=lambda x: (x, x), rows=noise,
            real=real, judged=1, rng=rng,
        )  # fmt: skip
        with torch.no_grad():
            generator.value.sub_(0.1 * after.gradients[0])
        path.append(generator.value.item())
    return path


@pytest.mark.parametrize(
    ("objective", "penalties"),
    [("wasserstein", {"r1": 1.0}), ("wasserstein", {"r2": 1.0}), ("relativistic", {"r1": 1.0})],
)
def test_dirac_gan_converges_with_zero_centred_penalties(objective: str, penalties: dict[str, float]) -> None:
    assert max(map(abs, play_dirac(objective, penalties, CONSTRAINTS["none"], 1.0)[-50:])) < 0.01


@pytest.mark.parametrize(
    ("objective", "penalties", "constraint", "start", "stays_beyond"),
    [
        ("wasserstein", {}, "none", 1.0, 0.5),
        ("wasserstein", {"gradient_penalty": 1.0}, "none", 1.0, 0.05),
        ("wasserstein", {}, "weight_clipping", 0.05, 0.005),
    ],
    ids=["plain", "one-centred", "clipped"],
)
def test_dirac_gan_circles_without(
    objective: str, penalties: dict[str, float], constraint: str, start: float, stays_beyond: float
) -> None:
    assert max(map(abs, play_dirac(objective, penalties, CONSTRAINTS[constraint], start)[-200:])) > stays_beyond


def test_every_penalty_is_tested_here() -> None:
    assert set(PENALTIES) == {"gradient_penalty", "r1", "r2"}
