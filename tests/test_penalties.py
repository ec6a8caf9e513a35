from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import BoundRelaxation, Constraint, Output
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import (
    EQUALITIES,
    PENALTIES,
    adversarial_lipschitz,
    interpolates,
    r1,
    r2,
    slopes,
    stretches,
    zero_centred_mid,
    zero_centred_mixture,
)
from textgan.game.steps import Game, critic_step, generator_step
from textgan.nets import CRITICS, layers, sequence
from textgan.transfers import Draws

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


class Seen(Bowl):
    """A critic that keeps what it was asked to score."""

    def __init__(self, critic: Any) -> None:
        self.critic, self.calls = critic, list[Tensor]()

    def __call__(self, samples: Tensor) -> Tensor:
        self.calls.append(samples.detach())
        return self.critic(samples)  # type: ignore[no-any-return]


def above_one(slope: Tensor) -> Tensor:
    return slope.clamp(min=1) - 1


BETWEEN: dict[str, Callable[[Tensor], Tensor]] = {
    "gradient_penalty": lambda rows: (rows.square().sum(1).sqrt() - 1) ** 2,
    "gradient_penalty_one_sided": lambda rows: above_one(rows.square().sum(1).sqrt()) ** 2,
    "max_margin": lambda rows: above_one(rows.abs().max(1).values),
    "max_margin_l1": lambda rows: above_one(rows.abs().sum(1)),
    "max_margin_l2": lambda rows: above_one(rows.square().sum(1).sqrt()),
    "max_margin_squared": lambda rows: above_one(rows.abs().max(1).values) ** 2,
    "total_variation": lambda rows: rows.square().sum(1).sqrt(),
}
"""What a penalty at interpolates makes of the gradients there, (batch, axis)."""
PAID: dict[str, Callable[[Tensor], Tensor]] = BETWEEN | {
    "r1": lambda rows: rows.square().sum(1) / 2,
    "r2": lambda rows: rows.square().sum(1) / 2,
    "zero_centred_mid": lambda rows: rows.square().sum(1) / 2,
    "zero_centred_mixture": lambda rows: rows.square().sum(1) / 2,
    "adversarial_lipschitz": lambda rows: above_one(rows.square().sum(1).sqrt()) ** 2,
    "consistency": lambda rows: torch.zeros(1),  # without dropout
}
"""What a linear critic pays for its weights (1, axis)."""

OF_SCORES = [name for name in PENALTIES if name != "consistency"]  # which has tests of its own, with dropout


def test_every_penalty_is_tested_here() -> None:
    assert set(PENALTIES) == set(PAID)


@SHAPES
@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0, 60.0])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_linear_critic_pays_exactly(name: str, shape: tuple[int, ...], slope: float, rng: torch.Generator) -> None:
    critic, (real, fake) = Linear(shape, slope, rng), sides(shape, rng)
    expected = PAID[name](critic.weight.reshape(1, -1)).item()
    assert PENALTIES[name](critic, real, fake, rng=rng).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_slopes_are_of_any_norm() -> None:
    class Plane(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return samples @ torch.tensor([3.0, -4.0])

    for order, norm in ((1, 7.0), (2, 5.0), (math.inf, 4.0)):
        assert slopes(Plane(), torch.ones(3, 2), order=order).tolist() == [norm] * 3
    assert slopes(Plane(), torch.ones(3, 2)).tolist() == [5.0] * 3


@SHAPES
def test_zero_centred_penalties_are_paid_where_they_say(shape: tuple[int, ...], rng: torch.Generator) -> None:
    real, fake = sides(shape, rng)
    for penalty, samples in ((r1, real), (r2, fake), (zero_centred_mid, (real + fake) / 2)):
        expected = samples.square().sum() / (2 * len(samples))
        assert penalty(Bowl(), real, fake, rng=rng).item() == pytest.approx(expected.item())


def test_the_mixture_takes_either_side_of_a_row_by_a_fair_coin(rng: torch.Generator) -> None:
    real = torch.rand(4000, 2, 3, generator=rng)
    fake, critic = real + 10, Seen(Bowl())
    paid = zero_centred_mixture(critic, real, fake, rng=rng)
    (rows,) = critic.calls
    chosen = (rows == real).flatten(1).all(1)
    assert torch.equal(rows[~chosen], fake[~chosen])
    assert chosen.double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(4000))
    assert paid.item() == pytest.approx(rows.square().sum().item() / 8000, rel=1e-5)
    assert (chosen[1:] == chosen[:-1]).double().mean().item() == pytest.approx(0.5, abs=0.05)


@SHAPES
@pytest.mark.parametrize("name", BETWEEN)
def test_slopes_are_paid_between_the_pairs(name: str, shape: tuple[int, ...], rng: torch.Generator) -> None:
    real, fake = (3 * side for side in sides(shape, rng))
    between = interpolates(real, fake, rng=torch.Generator().manual_seed(7))
    expected = BETWEEN[name](between.flatten(1)).mean()
    paid = PENALTIES[name](Bowl(), real, fake, rng=torch.Generator().manual_seed(7))
    assert expected > 0
    assert paid.item() == pytest.approx(expected.item())


@SHAPES
def test_the_adversarial_step_goes_where_the_score_changes_fastest(
    shape: tuple[int, ...], rng: torch.Generator
) -> None:
    critic, (real, fake), turns = Seen(Bowl()), [30 * side for side in sides(shape, rng)], set[float]()
    paid, owed = adversarial_lipschitz(critic, real, fake, rng=rng), []
    assert len(critic.calls) == 6
    for x, (at, far, stepped) in ((real, critic.calls[:3]), (fake, critic.calls[3:])):
        assert torch.equal(at, x)
        s, r = ((to - x).flatten(1) for to in (far, stepped))
        torch.testing.assert_close(s.norm(dim=1), torch.full((4,), 10.0, dtype=torch.float64))
        rising = (Bowl()(far) - Bowl()(x)).sign()[:, None]
        turns |= set(rising.flatten().tolist())
        steepest = rising * far.flatten(1) / far.flatten(1).norm(dim=1, keepdim=True)
        torch.testing.assert_close(r / r.norm(dim=1, keepdim=True), steepest)
        owed.append(above_one((Bowl()(stepped) - Bowl()(x)).abs() / r.norm(dim=1)).square())
    assert turns == {-1.0, 1.0}  # uphill where the first step led up, downhill where it led down
    assert paid.item() == pytest.approx(torch.cat(owed).mean().item())


def test_the_adversarial_step_starts_anywhere_and_is_of_uniform_length(rng: torch.Generator) -> None:
    critic, samples = Seen(Linear((20_000, 5), 2.0, rng)), torch.zeros(20_000, 5, dtype=torch.float64)
    stretches(critic, samples, rng=rng)
    _, start, step = critic.calls
    lengths = step.norm(dim=1)
    assert lengths.min() >= 0.1
    assert lengths.max() <= 10
    assert lengths.mean().item() == pytest.approx(5.05, abs=4 * 9.9 / math.sqrt(12 * 20_000))
    assert lengths.var().item() == pytest.approx(9.9**2 / 12, rel=0.03)
    assert start.mean(0).abs().max() < 4 * 10 / math.sqrt(5 * 20_000)
    torch.testing.assert_close(start.T @ start / 20_000, 20 * torch.eye(5, dtype=torch.float64), rtol=0, atol=0.6)


def test_the_adversarial_step_is_held_fixed(rng: torch.Generator) -> None:
    real, fake = sides((3, 4, 2), rng)
    weights = [torch.randn(5, 8, generator=rng).double(), 3 * torch.randn(1, 5, generator=rng).double()]

    class Smooth(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return F.linear(torch.tanh(F.linear(samples.flatten(1), weights[0])), weights[1])[:, 0]

    for weight in weights:
        weight.requires_grad_(True)
    critic = Seen(Smooth())
    found = torch.autograd.grad(adversarial_lipschitz(critic, real, fake, rng=rng), weights)
    steps = [(x, to, (to - x).flatten(1).norm(dim=1)) for x, _, to in (critic.calls[:3], critic.calls[3:])]
    owed = [above_one((Smooth()(to) - Smooth()(x)).abs() / length).square().mean() / 2 for x, to, length in steps]
    expected = torch.autograd.grad(owed[0] + owed[1], weights)
    assert all(gradient.abs().max() > 1e-3 for gradient in expected)
    torch.testing.assert_close(found, expected)


@SHAPES
@pytest.mark.parametrize("name", PENALTIES)
def test_no_penalty_mixes_rows_or_changes_their_order(name: str, shape: tuple[int, ...], rng: torch.Generator) -> None:
    def calls(real: Tensor, fake: Tensor) -> list[Tensor]:
        critic = Seen(Bowl())
        PENALTIES[name](critic, real, fake, rng=torch.Generator().manual_seed(3))
        return critic.calls

    real, fake = sides(shape, rng)
    before, other = calls(real, fake), [side.clone() for side in (real, fake)]
    for side in other:
        side[1] += 1
    for call, after in zip(before, calls(*other), strict=True):
        assert call.shape == real.shape
        assert [bool(changed) for changed in (call != after).flatten(1).any(1)] == [
            row == 1 for row in range(len(real))
        ]


@pytest.mark.parametrize("name", PENALTIES)
def test_what_a_penalty_draws_can_be_drawn_anew_into_the_same_tensors(name: str, rng: torch.Generator) -> None:
    critic, (real, fake), kept = Bowl(), (20 * side for side in sides((4, 3, 2), rng)), Draws()
    PENALTIES[name](critic, real, fake, rng=kept)
    kept.rewind().refill(torch.Generator().manual_seed(5))
    again = PENALTIES[name](critic, real, fake, rng=kept)
    assert again.item() == PENALTIES[name](critic, real, fake, rng=torch.Generator().manual_seed(5)).item()


def test_interpolates_mix_each_pair_with_one_uniform_number(rng: torch.Generator) -> None:
    real, fake = torch.full((20_000, 2, 3), 5.0), torch.full((20_000, 2, 3), 3.0)
    mix = (interpolates(real, fake, rng=rng).flatten(1) - 3) / 2
    assert (mix - mix[:, :1]).abs().max() < 1e-5
    assert mix.min() >= 0
    assert mix.max() <= 1
    assert mix[:, 0].mean().item() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 20_000))
    assert mix[:, 0].var().item() == pytest.approx(1 / 12, rel=0.03)


@SHAPES
@pytest.mark.parametrize("name", PENALTIES)
def test_a_flat_critic_has_finite_gradients(name: str, shape: tuple[int, ...], rng: torch.Generator) -> None:
    weight = torch.zeros(shape[1:], requires_grad=True)

    class Flat(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return (samples * weight).flatten(1).sum(1)

    paid = PENALTIES[name](Flat(), torch.ones(shape), torch.zeros(shape), rng=rng)
    assert paid.item() == (name == "gradient_penalty")
    assert torch.isfinite(torch.autograd.grad(paid, weight)[0]).all()


def test_slopes_send_nothing_back_into_the_samples(rng: torch.Generator) -> None:
    samples = torch.rand(3, 5, generator=rng).requires_grad_(True)
    weight = torch.ones((), requires_grad=True)

    class Scaled(Bowl):
        def __call__(self, samples: Tensor) -> Tensor:
            return weight * super().__call__(samples)

    paid = slopes(Scaled(), samples).sum()
    assert torch.autograd.grad(paid, (weight, samples), allow_unused=True)[1] is None


@pytest.mark.parametrize("name", sorted(set(OF_SCORES) - {"adversarial_lipschitz"}))  # whose r, held fixed, would move
def test_gradients_agree_with_finite_differences(name: str, rng: torch.Generator) -> None:
    real, fake = sides((3, 4, 2), rng)
    weights = [
        torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True) for shape in [(5, 8), (5,), (1, 5)]
    ]
    weights[2] = (3 * weights[2].detach()).requires_grad_(True)  # all slopes well above 1

    def paid(*weights: Tensor) -> Tensor:
        class Smooth(Bowl):
            def __call__(self, samples: Tensor) -> Tensor:
                return F.linear(torch.tanh(F.linear(samples.flatten(1), weights[0], weights[1])), weights[2])[:, 0]

        return PENALTIES[name](Smooth(), real, fake, rng=torch.Generator().manual_seed(1))

    assert paid(*weights) > 0.1
    assert torch.autograd.gradcheck(paid, weights)


@pytest.mark.parametrize("name", OF_SCORES)
@pytest.mark.parametrize("critic", ["paper", "downsampling"])
def test_gradients_through_our_rectifier_are_those_through_torchs(
    name: str, critic: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    net: Any = CRITICS[critic](length=9, symbols=4, width=6, blocks=2, kernel=3).double()
    real, fake = sides((5, 9, 4), rng)

    def steep(samples: Tensor) -> Any:
        return 10 * net(samples)

    def gradients() -> tuple[Tensor, ...]:
        paid = PENALTIES[name](cast(Any, steep), real, fake, rng=torch.Generator().manual_seed(1))
        return torch.autograd.grad(paid, list(net.parameters()), materialize_grads=True)

    ours = gradients()
    assert any(gradient.any() for gradient in ours)
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


class Layer(nn.Linear):
    """The same critic as a layer, which a constraint may prepare."""

    def __init__(self, value: float) -> None:
        super().__init__(1, 1, bias=False)
        nn.init.constant_(self.weight, value)

    def features(self, samples: Tensor) -> Tensor:
        return samples

    def forward(self, samples: Tensor) -> Tensor:
        return super().forward(samples).squeeze(1)


def play_dirac(
    objective: str, penalties: dict[str, float], constraint: Constraint, start: float, critic: Any = None
) -> list[float]:
    """Return theta after each of 600 alternating steps of gradient descent."""
    game = Game(
        OBJECTIVES[objective], 1.0, {n: (w, PENALTIES[n]) for n, w in penalties.items() if n in PENALTIES}, constraint,
        {}, equalities={n: (w, EQUALITIES[n]) for n, w in penalties.items() if n in EQUALITIES},
    )  # fmt: skip
    generator, critic, path = Line(start), critic or Line(0.0), []
    constraint.prepare(critic)
    states = {name: equality.initial() for name, (_, equality) in game.equalities.items()}
    (psi,) = critic.parameters()
    real, noise, rng = torch.zeros(1, 1), torch.zeros(1, 1), torch.Generator()
    for _ in range(600):
        fake = generator.value.detach().reshape(1, 1)
        step = critic_step(game, critic, [psi], real=real, fake=fake, rng=rng, states=states)
        states |= step.states
        with torch.no_grad():
            psi.sub_(0.1 * step.gradients[0])
        constraint.after_step(critic)
        after = generator_step(
            game, generator, critic, [generator.value], {}, noise=noise, relax=lambda x: (x, x), rows=noise,
            real=real, judged=1, rng=rng,
        )  # fmt: skip
        with torch.no_grad():
            generator.value.sub_(0.1 * after.gradients[0])
        path.append(generator.value.item())
    return path


@pytest.mark.parametrize(
    ("objective", "penalties"),
    [
        ("wasserstein", {"r1": 1.0}),
        ("wasserstein", {"r2": 1.0}),
        ("wasserstein", {"zero_centred_mid": 1.0}),
        ("wasserstein", {"zero_centred_mixture": 1.0}),
        ("relativistic", {"r1": 1.0}),
    ],
)
def test_dirac_gan_converges_with_zero_centred_penalties(objective: str, penalties: dict[str, float]) -> None:
    assert max(map(abs, play_dirac(objective, penalties, Constraint(), 1.0)[-50:])) < 0.01


@pytest.mark.parametrize(
    ("objective", "penalties", "constraint", "start", "stays_beyond"),
    [
        ("wasserstein", {}, "none", 1.0, 0.5),
        ("wasserstein", {"gradient_penalty": 1.0}, "none", 1.0, 0.05),
        ("wasserstein", {"gradient_penalty_one_sided": 1.0}, "none", 1.0, 0.5),
        ("wasserstein", {"max_margin": 1.0}, "none", 1.0, 0.5),
        ("wasserstein", {"adversarial_lipschitz": 1.0}, "none", 1.0, 0.5),
        ("wasserstein", {"sobolev": 0.1}, "none", 1.0, 0.5),
        ("wasserstein", {}, "weight_clipping", 0.05, 0.005),
    ],
    ids=["plain", "one-centred", "one-sided", "max-margin", "adversarial", "sobolev", "clipped"],
)
def test_dirac_gan_circles_without(
    objective: str, penalties: dict[str, float], constraint: str, start: float, stays_beyond: float
) -> None:
    assert (
        max(map(abs, play_dirac(objective, penalties, CONSTRAINTS[constraint](Bounds()), start)[-200:])) > stays_beyond
    )


@pytest.mark.parametrize("psi", [0.3, -20.0])
def test_dirac_gan_under_spectral_norm_knows_the_sign_of_its_one_number_alone(psi: float) -> None:
    """Of one weight the norm leaves ±1: the critic cannot turn, and the generator goes on at its slope of 1."""
    path = play_dirac("wasserstein", {}, CONSTRAINTS["spectral_norm"](Bounds()), 0.5, Layer(psi))
    assert path == pytest.approx([0.5 + math.copysign(0.1, psi) * (k + 1) for k in range(600)], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "spread"), [("r1", 1 / 3), ("r2", 1 / 3), ("zero_centred_mid", 1 / 6), ("zero_centred_mixture", 1 / 3)]
)
def test_a_penalty_measure_damps_as_its_spread_says(name: str, spread: float, rng: torch.Generator) -> None:
    """D = psi x², real ~ U(-1, 1), G = theta z: the flow of (psi, theta) near (0, 1)."""
    real, noise = (2 * torch.rand(20_000, 1, generator=rng, dtype=torch.float64) - 1 for _ in range(2))
    rho = 0.7

    class Parabola(Bowl):
        def __init__(self, psi: Tensor) -> None:
            self.psi = psi

        def __call__(self, samples: Tensor) -> Tensor:
            return self.psi * samples[:, 0].square()

    at = torch.tensor([1e-4, 1.0], dtype=torch.float64, requires_grad=True)  # a norm has no second slope at 0
    psi, theta = at
    paid = PENALTIES[name](Parabola(psi), real, (theta * noise).detach(), rng=rng)
    gain = psi * (real.square().mean() - theta**2 * noise.square().mean())
    (up,) = torch.autograd.grad(gain - rho * paid, psi, create_graph=True)
    (down,) = torch.autograd.grad(gain, theta, create_graph=True)
    (a, b), (c, d) = (torch.autograd.grad(flow, at, retain_graph=True)[0].tolist() for flow in (up, -down))
    # the eigenvalues are -2 rho E x² ± sqrt(4 rho² (E x²)² - 4/9)
    assert a + d == pytest.approx(-4 * rho * spread, rel=0.03)
    assert a * d - b * c == pytest.approx(4 / 9, rel=0.03)
