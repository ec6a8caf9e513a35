from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from textgan import runs
from textgan.assemble import build_critic
from textgan.checks import check, warnings
from textgan.config import Config, Critic
from textgan.errors import UsageError
from textgan.game.conditions import bind_critic
from textgan.game.penalties import r1
from textgan.nets import CONDITIONAL_CRITICS, CRITICS
from textgan.nets.minibatch import DIMENSIONS, KERNELS, MINIBATCH, Deviation, Discrimination, MinibatchCritic
from textgan.settings import resolve
from textgan.spaces import Text

SHAPE = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
R1 = {"game.penalties": {"gradient_penalty": 0.0, "r1": 1.0}}


def configured(text: Path, **flags: Any) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | flags).config


class Sum(nn.Module):
    """A critic whose features are its samples."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, 1)

    def features(self, samples: Tensor) -> Tensor:
        return samples.flatten(1)


def test_three_samples_closeness_by_hand() -> None:
    layer = Discrimination(1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, :DIMENSIONS] = torch.tensor([1.0, -1.0, 0.5, 0.0, 0.5])  # distance: 3 times the features'
        layer.weight[0, -1] = 2.0
    found = layer(torch.tensor([[0.0], [1.0], [3.0]]))
    assert found.shape == (3, KERNELS)
    e = math.exp
    assert found[:, 0].tolist() == pytest.approx([e(-3) + e(-9), e(-3) + e(-6), e(-9) + e(-6)], rel=1e-4)
    assert found[:, -1].tolist() == pytest.approx([e(-2) + e(-6), e(-2) + e(-4), e(-6) + e(-4)], rel=1e-4)
    assert found[:, 1].tolist() == [2.0, 2.0, 2.0]  # all the same to it


def test_closeness_is_its_formula_in_loops(rng: torch.Generator) -> None:
    layer = Discrimination(7).double()
    features = torch.randn(5, 7, generator=rng, dtype=torch.float64)
    m = torch.einsum("ia,abc->ibc", features, layer.weight.reshape(7, KERNELS, DIMENSIONS))
    expected = torch.zeros(5, KERNELS, dtype=torch.float64)
    for i in range(5):
        for j in range(5):
            for b in range(KERNELS):
                if i != j:
                    expected[i, b] += torch.exp(-(m[i, b] - m[j, b]).abs().sum())
    torch.testing.assert_close(layer(features), expected)


def test_measures_start_where_they_tell_samples_apart(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    features = torch.randn(64, 400, generator=rng)
    closeness = Discrimination(400)(features) / 63
    assert 0.1 < closeness.mean() < 0.7


def test_a_sample_alone_is_close_to_none() -> None:
    assert Discrimination(3)(torch.ones(1, 3)).tolist() == [[0.0] * KERNELS]
    assert Deviation(3)(torch.ones(1, 3)).item() == pytest.approx(1e-4)


@pytest.mark.parametrize("name", MINIBATCH)
def test_layers_are_differentiable_twice(name: str, rng: torch.Generator) -> None:
    layer = MINIBATCH[name](3).double()
    features = torch.randn(4, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    weights = list(layer.parameters())

    def applied(features: Tensor, *weights: Tensor) -> Any:
        named = dict(zip(dict(layer.named_parameters()), weights, strict=True))
        return torch.func.functional_call(layer, named, (features,))[:, :3]

    few = [w.detach()[:, : 3 * DIMENSIONS] for w in weights]
    rest = [w.detach()[:, 3 * DIMENSIONS :] for w in weights]

    def of_few(features: Tensor, *few: Tensor) -> Any:
        return applied(features, *(torch.cat([a, b], 1) for a, b in zip(few, rest, strict=True)))

    inputs = (features, *(w.requires_grad_(True) for w in few))
    assert torch.autograd.gradcheck(of_few, inputs)
    assert torch.autograd.gradgradcheck(of_few, inputs)


def test_deviation_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0, 5.0], [3.0, 0.0, -1.0]], dtype=torch.float64)
    found = Deviation(3)(features)
    assert found.shape == (2, 1)
    assert found[:, 0].tolist() == pytest.approx([(1 + 3 + 1e-4) / 3] * 2, rel=1e-8)


def test_deviation_is_safe_where_samples_are_equal() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    (first,) = torch.autograd.grad(Deviation(3)(features).sum(), features, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), features)
    assert first.tolist() == second.tolist() == [[0.0] * 3] * 4


@pytest.mark.parametrize("layer", MINIBATCH)
@pytest.mark.parametrize("name", CRITICS)
def test_any_critic_is_told_of_its_batch(name: str, layer: str, rng: torch.Generator) -> None:
    within: Any = CRITICS[name](**SHAPE)
    width = within.score.in_features
    critic = MinibatchCritic(within, layer)
    samples = torch.rand(4, 8, 5, generator=rng)
    own, joined = within.features(samples), critic.features(samples)
    assert torch.equal(joined[:, :width], own)
    torch.testing.assert_close(joined[:, width:], critic.batch(own))
    assert critic.score.in_features == joined.shape[1] == width + critic.batch.width
    torch.testing.assert_close(critic(samples), critic.score(joined)[:, 0])
    other = samples.clone()
    other[3] += 1
    assert (critic(other) - critic(samples))[0].abs() > 0
    learned = [*critic.batch.parameters(), *critic.score.parameters()]
    gradients = torch.autograd.grad(critic(samples).square().sum(), learned)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    with torch.no_grad():
        critic.score.weight[:, :width] = 0  # what the batch says alone
    (gradient,) = torch.autograd.grad(critic(samples).square().sum(), next(within.parameters()))
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("condition", CONDITIONAL_CRITICS)
def test_a_critic_told_of_its_batch_takes_labels(condition: str, rng: torch.Generator) -> None:
    within = MinibatchCritic(Sum(3), "stddev")
    critic = bind_critic(CONDITIONAL_CRITICS[condition](within, labels=3), torch.tensor([0, 2, 1, 2]))
    samples = torch.randn(4, 3, generator=rng)
    assert torch.equal(critic.features(samples), within.features(samples))
    assert critic(samples).shape == (4,)
    assert torch.isfinite(r1(critic, samples, samples, rng=rng))


def test_equal_samples_are_told_from_different_ones(rng: torch.Generator) -> None:
    for layer, sign in (("discrimination", 1), ("stddev", -1)):
        critic = MinibatchCritic(Sum(3), layer)
        with torch.no_grad():
            critic.score.weight.zero_()
            critic.score.weight[:, 3:] = sign
        apart = torch.randn(4, 3, generator=rng)
        assert critic(apart[:1].expand(4, 3)).min() > critic(apart).max()


def test_the_settings_are_the_table() -> None:
    assert set(get_args(Critic.model_fields["minibatch"].annotation)) == set(MINIBATCH) | {"none"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "^critic.minibatch: stddev mixes the samples, and gradient_penalty judges each alone; use r1 or r2"),
        (R1 | {"game.constraint": "gradient_normalisation"}, "and gradient_normalisation judges each alone"),
        (R1 | {"critic.net": "none"}, "^critic.minibatch: there is no critic"),
        (R1 | {"critic.batch": 17, "training.batch": 16}, "^critic.batch: 17 is more than the 16 samples"),
        (R1 | {"critic.judged": 8, "training.batch": 16}, "^critic.judged: a critic step has 16 samples"),
        (R1 | {"critic.dropout": 0.5, "game.penalties": {"gradient_penalty": 0.0, "consistency": 1.0}}, "consistency"),
    ],
)
def test_what_cannot_be_told_of_a_batch_is_refused(flags: dict[str, Any], message: str, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=message):
        check(configured(tiny_text, **({"critic.minibatch": "stddev"} | flags)))


def test_slopes_of_a_whole_batch_are_told_of(tiny_text: Path) -> None:
    told = {"critic.minibatch": "discrimination"}
    config = configured(tiny_text, **told, **R1)
    check(config)
    assert list(warnings(config)) == [
        "with critic.minibatch=discrimination the slopes of r1 are those of a batch's summed scores"
    ]
    for quiet in (R1, told | {"game.penalties": {"gradient_penalty": 0.0}}):
        config = configured(tiny_text, **quiet)
        check(config)
        assert list(warnings(config)) == []


@pytest.mark.parametrize("labels", [(), ("a", "b")], ids=["plain", "labelled"])
def test_the_critic_is_told_of_its_batch_beneath_its_labels(labels: tuple[str, ...], tiny_text: Path) -> None:
    space = Text(tuple("abcde"), 16, labels=labels)
    critic: Any = build_critic(configured(tiny_text, **{"critic.minibatch": "stddev"}), space)
    assert isinstance(critic.critic if labels else critic, MinibatchCritic)


@pytest.mark.parametrize("layer", MINIBATCH)
def test_a_run_trains_with_it_and_says_so(layer: str, tiny_text: Path, tmp_path: Path) -> None:
    class Told(runs.Silence):
        notes: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.notes.append(text)

    config = configured(tiny_text, **R1, **{"critic.minibatch": layer, "training.steps": 3, "evaluation.samples": 20})
    assert runs.train(config, tmp_path / "run", watch=Told()).stopped == "finished"
    assert any(f"critic.minibatch={layer}" in note for note in Told.notes)
