from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textgan.game.conditions import bind_critic, bind_generator
from textgan.game.penalties import gradient_penalty
from textgan.nets import CONDITIONAL_CRITICS, CRITICS, GENERATORS
from textgan.nets.conditional import AuxiliaryCritic, ConditionalGenerator, ProjectionCritic

SHAPE = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
LABELS = torch.tensor([0, 2, 1, 2])


def raw(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits, logits.argmax(-1)


class Sum(nn.Module):
    """A linear critic whose features are the samples."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.score = nn.Linear(len(weights), 1)
        with torch.no_grad():
            self.score.weight.copy_(torch.tensor([weights]))

    def features(self, samples: Tensor) -> Tensor:
        return samples.flatten(1)

    def forward(self, samples: Tensor) -> Tensor:
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", GENERATORS)
def test_the_generators_noise_is_joined_by_the_labels_vector(name: str, rng: torch.Generator) -> None:
    within = GENERATORS[name](latent=14, **SHAPE)
    generator, noise = ConditionalGenerator(within, labels=3, latent=7), torch.randn(4, 7, generator=rng)
    assert generator.embedding.weight.shape == (3, 7)
    bound = bind_generator(generator, LABELS)(noise, raw)
    vectors = generator.embedding.weight[LABELS]
    torch.testing.assert_close(bound.logits, within(torch.cat([noise, vectors], 1), raw).logits)
    other = bind_generator(generator, torch.tensor([0, 1, 1, 2]))(noise, raw).logits
    assert [torch.equal(a, b) for a, b in zip(bound.logits, other, strict=True)] == [True, False, True, True]


def test_the_labels_vectors_are_as_large_as_the_noise() -> None:
    torch.manual_seed(0)
    weight = ConditionalGenerator(nn.Identity(), labels=300, latent=40).embedding.weight
    assert (weight.mean().item(), weight.std().item()) == pytest.approx((0, 1), abs=0.03)


def test_a_projections_score_is_the_critics_own_and_a_product_by_hand() -> None:
    critic = ProjectionCritic(Sum([1.0, 2.0]), labels=3)
    with torch.no_grad():
        critic.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, -1.0], [0.5, 4.0]]))
        critic.critic.score.bias.fill_(10)
    scores = critic(torch.tensor([[3.0, 5.0]]).expand(4, 2), condition=LABELS)
    assert scores.tolist() == [23.0, 23 + 21.5, 23 - 2.0, 23 + 21.5]


def test_a_linear_projection_critic_pays_for_the_slope_under_its_label(rng: torch.Generator) -> None:
    critic = ProjectionCritic(Sum([3.0, 0.0]), labels=2)
    with torch.no_grad():
        critic.embedding.weight.copy_(torch.tensor([[0.0, 4.0], [-2.0, 0.0]]))  # slopes 5 and 1
    real, fake = (torch.randn(4, 2, generator=rng) for _ in range(2))
    bound = bind_critic(critic, torch.tensor([0, 1, 0, 0]))
    assert gradient_penalty(bound, real, fake, rng=rng).item() == pytest.approx(16 * 3 / 4)


def test_a_projection_starts_as_small_as_the_score() -> None:
    torch.manual_seed(0)
    critic: Any = CRITICS["paper"](**(SHAPE | {"width": 200}))
    weight = ProjectionCritic(critic, labels=4).embedding.weight
    assert weight.std().item() == pytest.approx((2 / (4 + 1600)) ** 0.5, rel=0.05)


def test_an_auxiliary_critics_score_knows_no_label_and_its_classifier_does(rng: torch.Generator) -> None:
    critic, samples = AuxiliaryCritic(Sum([1.0, 2.0]), labels=3), torch.randn(4, 2, generator=rng)
    expected = critic.critic(samples)
    assert torch.equal(critic(samples, condition=LABELS), expected)
    assert torch.equal(critic(samples, condition=LABELS.flip(0)), expected)
    torch.testing.assert_close(critic.classes(samples), samples @ critic.classify.weight.T)  # biases start at 0
    assert critic.classes(samples).shape == (4, 3)


@pytest.mark.parametrize("condition", CONDITIONAL_CRITICS)
@pytest.mark.parametrize("name", CRITICS)
def test_every_critic_takes_labels_and_is_differentiable_twice(name: str, condition: str, rng: torch.Generator) -> None:
    within: Any = CRITICS[name](**SHAPE)
    critic: Any = CONDITIONAL_CRITICS[condition](within, labels=3)
    real, fake = (torch.randn(4, 8, 5, generator=rng).softmax(-1) for _ in range(2))
    bound = bind_critic(critic, LABELS)
    assert torch.equal(bound.features(real), within.features(real))
    penalty = gradient_penalty(bound, real, fake, rng=rng)
    looked_at = [next(within.parameters()), *([critic.embedding.weight] if condition == "projection" else [])]
    for gradient in torch.autograd.grad(penalty, looked_at):
        assert gradient.flatten(1).abs().sum(1).ne(0).all()
