from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Constraint, Output, State, Term, TermBatch
from textgan.game.conditions import bind_critic, bind_generator, classification
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Game
from textgan.training.loop import Plan, Source, play_step
from textgan.training.state import Player, TrainingState


class Painter(nn.Module):
    """A generator whose rows are nothing but their condition, in symbol 0."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def forward(self, noise: Tensor, relax: BoundRelaxation, *, condition: Tensor) -> Output:
        self.seen.append(condition)
        logits = self.scale * condition[:, None, None].float().expand(-1, 2, 3)
        return Output(logits, logits, torch.zeros(len(noise), 2, dtype=torch.int64))


class Judge(nn.Module):
    """A critic that remembers the condition under which it scored what."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def features(self, samples: Tensor, *, condition: Tensor) -> Tensor:
        self.seen.append((samples.detach(), condition))
        return samples.flatten(1)

    def forward(self, samples: Tensor, *, condition: Tensor) -> Tensor:
        return self.weight * self.features(samples, condition=condition).sum(1) * condition


def test_nets_without_a_condition_are_left_alone() -> None:
    painter, judge = Painter(), Judge()
    assert bind_generator(painter, None) is painter
    assert bind_critic(judge, None) is judge  # type: ignore[comparison-overlap]


def test_bound_nets_pass_the_condition_on() -> None:
    condition = torch.tensor([2, 5])
    output = bind_generator(Painter(), condition)(torch.zeros(2, 1), lambda x: (x, x))
    assert output.logits[:, 0, 0].tolist() == [2, 5]
    critic = bind_critic(Judge(), condition)
    assert critic(torch.ones(2, 2, 3)).tolist() == [12, 30]
    assert critic.features(torch.ones(2, 2, 3)).shape == (2, 6)


def test_the_fakes_of_a_step_take_the_labels_of_its_real_rows() -> None:
    labels = np.arange(50)
    source = Source(
        labels[:, None].repeat(2, 1), lambda ids, rng=None: ids.unsqueeze(-1).float().expand(-1, -1, 3), labels
    )
    game = Game(OBJECTIVES["relativistic"], 1.0, {"gp": (1.0, PENALTIES["gradient_penalty"])}, Constraint(), {})
    painter, judge = Painter(), Judge()
    state = TrainingState(Player.of(painter, 1e-9, (0.0, 0.9)), Player.of(judge, 1e-9, (0.0, 0.9)), 0.0, {})
    plan = Plan(
        steps=1, batch=8, latent=1, critic_steps=2, critic_every=1, critic_batch=5, temperature=1.0,
        schedule="constant", seed=0, log_every=1, evaluate_every=1,
    )  # fmt: skip
    play_step(state, plan, source, game, RELAXATIONS["softmax"])
    assert len(painter.seen) == 3
    assert len(judge.seen) == 3 + 3 + 2  # real, fake and between in each critic step; real and fake for the generator
    for samples, condition in judge.seen:
        assert samples.shape == (5, 2, 3)
        assert torch.allclose(samples[:, 0, 0], condition.float(), atol=1e-4)
    assert [len(condition) for condition in painter.seen] == [5, 5, 8]
    assert not torch.equal(painter.seen[0], painter.seen[1])


def test_terms_are_told_the_labels_of_the_whole_batch() -> None:
    labels, seen = np.arange(50), list[TermBatch]()
    source = Source(
        labels[:, None].repeat(2, 1), lambda ids, rng=None: ids.unsqueeze(-1).float().expand(-1, -1, 3), labels
    )

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        seen.append(batch)
        return batch.output.logits.mean(), state

    game = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {"term": (1.0, Term(term))})
    players = Player.of(Painter(), 1e-9, (0.0, 0.9)), Player.of(Judge(), 1e-9, (0.0, 0.9))
    plan = Plan(
        steps=1, batch=8, latent=1, critic_steps=1, critic_every=1, critic_batch=5, temperature=1.0,
        schedule="constant", seed=0, log_every=1, evaluate_every=1,
    )  # fmt: skip
    play_step(TrainingState(*players, 0.0, {"term": Term(term)}), plan, source, game, RELAXATIONS["softmax"])
    (batch,) = seen
    assert batch.labels is not None
    assert torch.equal(batch.labels, batch.real[:, 0])
    torch.testing.assert_close(batch.output.sample[:, 0, 0], batch.labels.float())


class Guesser(nn.Module):
    """An auxiliary critic whose classifier's logits are the samples' first position."""

    def classes(self, samples: Tensor) -> Tensor:
        return samples[:, 0]


def test_classification_is_the_cross_entropy_of_the_bound_labels_by_hand() -> None:
    samples = torch.tensor([[[1.0, 3.0, 0.0]], [[0.0, 0.0, 0.0]]])
    expected = (math.log(math.e + math.e**3 + 1) - 3 + math.log(3)) / 2
    assert classification(bind_critic(Guesser(), torch.tensor([1, 2])), samples).item() == pytest.approx(expected)
