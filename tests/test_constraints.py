from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan import runs
from textgan.contract import Output
from textgan.game.conditions import bind_critic
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES, slopes
from textgan.game.steps import Game, critic_step, generator_step
from textgan.nets import CONDITIONAL_CRITICS, CRITICS
from textgan.settings import resolve

NORMALISED = ("gradient_normalisation", "piecewise_gradient_normalisation")
BOTH = pytest.mark.parametrize("name", NORMALISED)
SHAPES = pytest.mark.parametrize("shape", [(4, 32, 7), (4, 3, 8, 8), (4, 2)], ids=["text", "image", "toy"])


def plainly(name: str, score: Tensor, slope: Tensor) -> Tensor:
    """The papers' formulas, K = 1 and epsilon = 0.1."""
    if name == "gradient_normalisation":
        return score / (slope + score.abs())
    return score * slope / (slope**2 + 0.1)


def wrapped(name: str, critic: Any) -> Any:
    return CONSTRAINTS[name](Bounds()).wrap(critic)


class Net(nn.Module):
    """Two layers over all axes of a sample, with weights of size 1 or so, in float64."""

    def __init__(self, shape: tuple[int, ...], rng: torch.Generator, bend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bend, size = bend, torch.Size(shape[1:]).numel()

        def drawn(*sides: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(sides, generator=rng, dtype=torch.float64))

        self.enter, self.offset, self.leave, self.bias = drawn(6, size), drawn(6), drawn(6), drawn()
        with torch.no_grad():
            self.enter.div_(size**0.5)

    def features(self, samples: Tensor) -> Tensor:
        return self.bend(F.linear(samples.flatten(1), self.enter, self.offset))

    def forward(self, samples: Tensor) -> Tensor:
        return self.features(samples) @ self.leave + self.bias


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def samples_of(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def new_slopes(name: str, score: Tensor, slope: Tensor) -> Tensor:
    """The slope of a normalised critic that is linear around each sample."""
    if name == "gradient_normalisation":
        return (slope / (slope + score.abs())) ** 2
    return slope**2 / (slope**2 + 0.1)


def test_weight_clipping_bounds_every_parameter_and_changes_no_other() -> None:
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -0.5], [0.003, -0.01]]))
        net.bias.copy_(torch.tensor([-2.0, 0.0]))
    CONSTRAINTS["weight_clipping"](Bounds()).after_step(net)
    assert torch.equal(net.weight, torch.tensor([[0.01, -0.01], [0.003, -0.01]]))
    assert torch.equal(net.bias, torch.tensor([-0.01, 0.0]))


def test_the_clipping_bound_is_settable() -> None:
    net = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.7, -0.2]]))
    CONSTRAINTS["weight_clipping"](Bounds(clip=0.5)).after_step(net)
    assert torch.equal(net.weight, torch.tensor([[0.5, -0.2]]))


def test_the_slope_of_piecewise_normalisation_is_settable(rng: torch.Generator) -> None:
    net, samples = Net((4, 3), rng, leaky), samples_of((4, 3), rng)
    rules = [CONSTRAINTS["piecewise_gradient_normalisation"](Bounds(lipschitz=k)).wrap(net) for k in (1.0, 2.5)]
    torch.testing.assert_close(rules[1](samples), 2.5 * rules[0](samples))
    torch.testing.assert_close(slopes(rules[1], samples), 2.5 * slopes(rules[0], samples))
    slope = slopes(net, samples).detach()
    torch.testing.assert_close(slopes(rules[1], samples).detach(), 2.5 * slope**2 / (slope**2 + 0.1))


def test_what_does_not_wrap_hands_the_critic_back_and_what_does_leaves_its_weights() -> None:
    net = nn.Linear(2, 2)
    before = net.weight.clone()
    for name, build in CONSTRAINTS.items():
        if name != "weight_clipping":
            build(Bounds()).after_step(net)
        assert (wrapped(name, net) is net) == (name not in NORMALISED)
    assert torch.equal(net.weight, before)


@SHAPES
@BOTH
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_a_piecewise_linear_critic_has_the_promised_slope(
    name: str, scale: float, shape: tuple[int, ...], rng: torch.Generator
) -> None:
    net, samples = Net(shape, rng, leaky), samples_of(shape, rng)
    with torch.no_grad():
        net.leave.mul_(scale)
        net.bias.mul_(scale)
    # by hand: D = (leave * bent) . enter . x around each sample
    bent = 0.2 + 0.8 * (F.linear(samples.flatten(1), net.enter, net.offset) > 0).double()
    slope = ((bent * net.leave) @ net.enter).norm(dim=1).detach()
    score = net(samples).detach()
    assert (score < 0).any()
    found = slopes(wrapped(name, net), samples).detach()
    torch.testing.assert_close(found, new_slopes(name, score, slope), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(wrapped(name, net)(samples).detach(), plainly(name, score, slope), rtol=1e-10, atol=0)
    assert found.max() <= 1


@pytest.mark.parametrize("critic", ["paper", "downsampling"])
@BOTH
def test_our_convolutional_critics_are_piecewise_linear_and_have_that_slope(
    name: str, critic: str, rng: torch.Generator
) -> None:
    torch.manual_seed(0)
    net: Any = CRITICS[critic](length=9, symbols=4, width=6, blocks=2, kernel=3).double()
    samples = torch.rand((5, 9, 4), generator=rng, dtype=torch.float64)
    expected = new_slopes(name, net(samples).detach(), slopes(net, samples).detach())
    torch.testing.assert_close(slopes(wrapped(name, net), samples).detach(), expected, rtol=1e-10, atol=1e-12)


def test_hand_numbers() -> None:
    class Plane:
        def __call__(self, samples: Tensor) -> Tensor:
            return samples @ torch.tensor([3.0, 0.0, 4.0]) + 2  # slope 5

    at = torch.tensor([[1.0, 9.0, 0.0], [0.0, 9.0, -3.0]])  # scores 5 and -10
    assert wrapped("gradient_normalisation", Plane())(at).tolist() == pytest.approx([1 / 2, -2 / 3])
    found = wrapped("piecewise_gradient_normalisation", Plane())(at).tolist()
    assert found == pytest.approx([25 / 25.1, -50 / 25.1])


def test_gradient_normalisation_stays_within_one_and_does_not_see_the_critics_scale(rng: torch.Generator) -> None:
    net, samples = Net((50, 3), rng, torch.tanh), 100 * samples_of((50, 3), rng)
    before = wrapped("gradient_normalisation", net)(samples).detach()
    assert before.abs().max() <= 1
    with torch.no_grad():
        net.leave.mul_(7)
        net.bias.mul_(7)
    torch.testing.assert_close(wrapped("gradient_normalisation", net)(samples).detach(), before)


@BOTH
@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 2, 2, 2)], ids=["text", "image"])
def test_gradients_agree_with_finite_differences(name: str, shape: tuple[int, ...], rng: torch.Generator) -> None:
    net, samples = Net(shape, rng, torch.tanh), samples_of(shape, rng).requires_grad_(True)
    weights = dict(net.named_parameters())

    def scores(samples: Tensor, *values: Tensor) -> Tensor:
        def critic(at: Tensor) -> Tensor:
            return torch.func.functional_call(net, dict(zip(weights, values, strict=True)), (at,))  # type: ignore[no-any-return]

        return wrapped(name, critic)(samples)  # type: ignore[no-any-return]

    inputs = (samples, *weights.values())
    assert torch.autograd.gradcheck(scores, inputs)
    assert torch.autograd.gradgradcheck(scores, inputs)  # what a penalty on it needs


class Quadric(nn.Module):
    """D(x) = ½ xAx + b with a symmetric A: |∇D| = |Ax|, which changes with A and x."""

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.randn(3, 3, generator=rng, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(-1.0, dtype=torch.float64))

    def gradient(self, samples: Tensor) -> Tensor:
        return samples @ (self.root + self.root.T)

    def features(self, samples: Tensor) -> Tensor:
        return 3 * samples

    def forward(self, samples: Tensor) -> Tensor:
        return (samples * self.gradient(samples)).sum(1) / 2 + self.bias

    def plainly(self, name: str, samples: Tensor) -> Tensor:
        return plainly(name, self(samples), self.gradient(samples).square().sum(1).sqrt())


class Point(nn.Module):
    """G(z) = theta z, of three values each."""

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.randn(3, generator=rng, dtype=torch.float64))

    def forward(self, noise: Tensor, relax: Any) -> Output:
        sample = self.theta * noise
        return Output(sample, sample, torch.zeros(len(noise), 1, dtype=torch.int64))


def game(name: str, objective: str, penalties: tuple[str, ...] = ()) -> Game:
    return Game(
        OBJECTIVES[objective], 0.5, {p: (2.0, PENALTIES[p]) for p in penalties}, CONSTRAINTS[name](Bounds()), {}
    )


@BOTH
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_both_steps_have_the_gradients_of_the_plain_formula(name: str, objective: str, rng: torch.Generator) -> None:
    critic, generator = Quadric(rng), Point(rng)
    real, noise = samples_of((4, 3), rng), samples_of((4, 3), rng)
    fake = generator(noise, None).sample.detach()
    one = critic_step(
        game(name, objective), critic, list(critic.parameters()), real=real, fake=fake, rng=rng
    )  # fmt: skip
    loss = OBJECTIVES[objective].critic(real=critic.plainly(name, real), fake=critic.plainly(name, fake))
    expected = torch.autograd.grad(loss, list(critic.parameters()), materialize_grads=True)
    torch.testing.assert_close(one.gradients, expected)
    two = generator_step(
        game(name, objective), generator, critic, [generator.theta], {}, noise=noise, relax=lambda x: (x, x),
        rows=noise, real=real, judged=4, rng=rng,
    )  # fmt: skip
    loss = OBJECTIVES[objective].generator(
        real=critic.plainly(name, real), fake=critic.plainly(name, generator.theta * noise)
    )
    torch.testing.assert_close(two.gradients, torch.autograd.grad(0.5 * loss, [generator.theta]))
    assert not real.requires_grad
    assert all(weight.grad is None for weight in (*critic.parameters(), generator.theta))


@BOTH
@pytest.mark.parametrize("penalty", [name for name in PENALTIES if name != "consistency"])  # which takes features
def test_a_penalty_looks_at_the_normalised_critic(name: str, penalty: str, rng: torch.Generator) -> None:
    critic, real, fake = Quadric(rng), samples_of((4, 3), rng), samples_of((4, 3), rng)
    step = critic_step(
        game(name, "wasserstein", (penalty,)), critic, list(critic.parameters()), real=real, fake=fake,
        rng=torch.Generator().manual_seed(3),
    )  # fmt: skip
    plain: Any = lambda samples: critic.plainly(name, samples)  # noqa: E731
    loss = plain(fake).mean() - plain(real).mean()
    loss = loss + 2 * PENALTIES[penalty](plain, real, fake, rng=torch.Generator().manual_seed(3))
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, list(critic.parameters())))


@BOTH
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_a_critic_without_slope_has_finite_gradients_of_every_order(name: str, bias: float) -> None:
    weight, offset = torch.zeros(5, requires_grad=True), torch.tensor(bias, requires_grad=True)

    class Flat:
        def __call__(self, samples: Tensor) -> Tensor:
            return samples @ weight + offset

        def features(self, samples: Tensor) -> Tensor:
            return samples

    critic = wrapped(name, Flat())
    real, fake = torch.ones(3, 5), torch.zeros(3, 5, requires_grad=True)
    values = critic(fake)
    assert values.tolist() == [1.0 if bias and name == "gradient_normalisation" else 0.0] * 3
    for loss in (values.sum(), *(p(critic, real, fake, rng=torch.Generator()) for p in PENALTIES.values())):
        found = torch.autograd.grad(loss, (weight, offset, fake), materialize_grads=True)
        assert all(torch.isfinite(gradient).all() for gradient in found)


def half_off(rng: torch.Generator) -> tuple[nn.Module, Tensor]:
    """A critic of rectifiers, and samples of which the second is where all of them are off."""
    net, samples = Net((4, 3), rng, torch.relu), samples_of((4, 3), rng).abs()
    with torch.no_grad():
        net.enter.abs_()
        net.offset.zero_()
    return net, samples * torch.tensor([[1.0], [-1.0], [1.0], [1.0]])


def at_the_bottom(rng: torch.Generator) -> tuple[nn.Module, Tensor]:
    """A critic that bends, and samples of which the second is where it has no slope."""
    return Quadric(rng), samples_of((4, 3), rng) * torch.tensor([[1.0], [0.0], [1.0], [1.0]])


@BOTH
@pytest.mark.parametrize("start", [half_off, at_the_bottom])
def test_one_sample_without_slope_leaves_the_others_gradients(
    name: str, start: Callable[[torch.Generator], tuple[nn.Module, Tensor]], rng: torch.Generator
) -> None:
    net, samples = start(rng)
    assert (slopes(net, samples) == 0).tolist() == [False, True, False, False]  # type: ignore[arg-type]

    def gradients(samples: Tensor) -> tuple[Tensor, ...]:
        paid = slopes(wrapped(name, net), samples).sum() + wrapped(name, net)(samples).sum()
        return torch.autograd.grad(paid, list(net.parameters()))

    torch.testing.assert_close(gradients(samples), gradients(samples[[0, 2, 3]]))


@BOTH
def test_without_gradients_the_scores_are_the_same(name: str, rng: torch.Generator) -> None:
    net, samples = Net((4, 3), rng, torch.tanh), samples_of((4, 3), rng)
    with torch.no_grad():
        scores = wrapped(name, net)(samples)
    assert not scores.requires_grad
    assert not samples.requires_grad
    assert torch.equal(scores, wrapped(name, net)(samples))
    assert torch.equal(scores, wrapped(name, net)(samples.clone().requires_grad_(True)))


@BOTH
def test_features_are_the_critics_own(name: str, rng: torch.Generator) -> None:
    critic, samples = Quadric(rng), samples_of((4, 3), rng)
    assert torch.equal(wrapped(name, critic).features(samples), 3 * samples)


@BOTH
@pytest.mark.parametrize("condition", CONDITIONAL_CRITICS)
def test_a_bound_critic_is_normalised_under_its_labels(name: str, condition: str, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    net: Any = CRITICS["paper"](length=9, symbols=4, width=6, blocks=2, kernel=3)
    bound = bind_critic(CONDITIONAL_CRITICS[condition](net, labels=3).double(), torch.tensor([0, 2, 1, 1, 0]))
    samples = torch.rand((5, 9, 4), generator=rng, dtype=torch.float64)
    found = wrapped(name, bound)
    torch.testing.assert_close(found(samples), plainly(name, bound(samples), slopes(bound, samples)))
    torch.testing.assert_close(found.features(samples), net.features(samples))


@BOTH
@pytest.mark.parametrize("penalties", [{}, {"gradient_penalty": 10.0, "r1": 1.0}], ids=["alone", "penalised"])
def test_a_run_trains_under_it(name: str, penalties: dict[str, float], tiny_text: Path, tmp_path: Path) -> None:
    flags = {"game.constraint": name, "game.penalties": penalties, "training.steps": 4, "evaluation.samples": 20}
    config = resolve("smoke", flags={"corpus.name": str(tiny_text), **flags}).config
    outcome = runs.train(config, tmp_path / "run")
    assert (outcome.stopped, outcome.step) == ("finished", 4)
