from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from textgan.contract import Constraint, Output, TermBatch
from textgan.game.matching import feature_matching, mean_distance
from textgan.game.objectives import OBJECTIVES
from textgan.game.relaxations import softmax
from textgan.game.steps import Game, generator_step
from textgan.nets import CRITICS, GENERATORS

SHAPES = pytest.mark.parametrize("shape", [(4, 32, 7), (4, 3, 8, 8)], ids=["text", "image"])
TERM = feature_matching([])


def test_the_distance_of_means_by_hand() -> None:
    real = torch.tensor([[1.0, 2.0], [3.0, 6.0]])  # mean 2, 4
    fake = torch.tensor([[5.0, 0.0], [4.0, 1.0], [6.0, 2.0]])  # mean 5, 1
    assert mean_distance(real=real, fake=fake).item() == 9 + 9
    assert mean_distance(real=real, fake=real.flip(0)).item() == 0


def batch_of(real: Tensor, fake: Tensor, features: Any) -> TermBatch:
    output = Output(fake, fake, torch.zeros(len(fake), 1, dtype=torch.int64))
    return TermBatch(output, output.ids, features, judged=len(real), real_samples=real)


@SHAPES
def test_it_draws_the_judged_samples_means_towards_the_real_ones(shape: tuple[int, ...], rng: torch.Generator) -> None:
    size = math.prod(shape[1:])
    weight = torch.randn(size, 6, generator=rng, dtype=torch.float64)
    real, fake = (torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(2))
    fake, graphs = torch.cat([fake, fake + 100]).requires_grad_(True), list[bool]()

    def features(samples: Tensor) -> Tensor:
        graphs.append(torch.is_grad_enabled())
        return samples.flatten(1) @ weight

    paid, state = TERM.function(batch_of(real, fake, features), TERM.initial(), rng=rng)
    gap = ((fake[:4] - real).flatten(1) @ weight).mean(0).detach()
    assert paid.item() == pytest.approx(gap.square().sum().item())
    (found,) = torch.autograd.grad(paid, fake)
    torch.testing.assert_close(found[:4].flatten(1), (2 / 4 * weight @ gap).expand(4, -1))  # linear features, by hand
    assert not found[4:].any()
    assert graphs == [False, True]
    assert state == {}
    assert TERM.real_samples


@SHAPES
def test_gradients_agree_with_finite_differences(shape: tuple[int, ...], rng: torch.Generator) -> None:
    weight = torch.randn(math.prod(shape[1:]), 6, generator=rng, dtype=torch.float64)
    real, fake = (torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(2))
    scale = torch.tensor([0.7, -0.4], dtype=torch.float64, requires_grad=True)

    def paid(scale: Tensor) -> Tensor:
        samples = scale[0] * fake + scale[1] * fake.square()
        batch = batch_of(real, samples, lambda samples: torch.tanh(samples.flatten(1) @ weight / 10))
        return TERM.function(batch, {}, rng=rng)[0]

    assert torch.autograd.gradcheck(paid, (scale,))


def test_no_gradient_reaches_the_critic_by_its_real_features(rng: torch.Generator) -> None:
    real, fake = torch.rand(4, 3, generator=rng), torch.rand(4, 3, generator=rng)
    weight = torch.ones(3, requires_grad=True)
    paid, _ = TERM.function(batch_of(real, fake, lambda samples: samples * weight), {}, rng=rng)
    (found,) = torch.autograd.grad(paid, weight)
    gap = fake.mean(0) - real.mean(0)
    torch.testing.assert_close(found, 2 * gap * fake.mean(0))


@pytest.mark.parametrize("weight", [0.0, 0.5])
@pytest.mark.parametrize("critic", ["paper", "downsampling"])
def test_a_generator_step_matches_the_critics_features(critic: str, weight: float, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
    generator: Any = GENERATORS["paper"](latent=4, **shape)
    judge: Any = CRITICS[critic](**shape)
    noise, real = torch.randn(6, 4, generator=rng), torch.rand(4, 8, 5, generator=rng)

    def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
        return softmax(logits, temperature=1.0, rng=torch.Generator().manual_seed(2))

    game = Game(OBJECTIVES["wasserstein"], weight, {}, Constraint(), {"feature_matching": (2.0, TERM)})
    assert game.real_samples
    step = generator_step(
        game, generator, judge, list(generator.parameters()), {"feature_matching": {}}, noise=noise, relax=relax,
        rows=torch.zeros(6, 8, dtype=torch.int64), real=real, judged=4, rng=rng,
    )  # fmt: skip
    sample = generator(noise, relax).sample[:4]
    gap = judge.features(sample).mean(0) - judge.features(real).mean(0)
    loss = 2 * gap.square().sum() - weight * judge(sample).mean()
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, list(generator.parameters())))
    assert step.losses["feature_matching"].item() == pytest.approx(gap.square().sum().item(), rel=1e-5)
