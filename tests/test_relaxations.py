from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from textgan.game.relaxations import DRAWN_AT_ONE, RELAXATIONS, draw, softmax, straight_through

N = 100_000


def test_draws_follow_the_probabilities(rng: torch.Generator) -> None:
    p = torch.tensor([[0.5, 0.2, 0.2, 0.1], [0.01, 0.09, 0.3, 0.6]])
    ids = draw(p.expand(N, 2, 4), rng=rng)
    assert (ids.shape, ids.dtype) == ((N, 2), torch.int64)
    shares = torch.nn.functional.one_hot(ids, 4).double().mean(0)
    assert ((shares - p).abs() < 4.5 * (p * (1 - p) / N).sqrt()).all()


def test_positions_are_drawn_independently(rng: torch.Generator) -> None:
    ids = draw(torch.full((N, 2, 2), 0.5), rng=rng).double()
    assert torch.corrcoef(ids.T)[0, 1].abs().item() < 5 / math.sqrt(N)


def test_symbols_of_probability_zero_are_never_drawn(rng: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    p = torch.tensor([0.0, 0.3, 0.0, 0.7, 0.0])
    assert set(draw(p.expand(N, 5), rng=rng).tolist()) == {1, 3}
    extremes = torch.tensor([0.0, 1 - 2**-24, 0.7, 0.3])  # rand may give 0, never 1
    monkeypatch.setattr(torch, "rand", lambda *size, generator: extremes)
    assert draw(p.expand(4, 5), rng=rng).tolist() == [3, 1, 1, 3]


def test_probabilities_that_round_below_one_still_draw_a_symbol(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = torch.full((2048,), 1 / 2049)  # the cumulative sum ends short of one
    monkeypatch.setattr(torch, "rand", lambda *size, generator: torch.zeros(1))
    assert draw(p.unsqueeze(0), rng=rng).tolist() == [2047]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", sorted(RELAXATIONS.keys() - {"straight_through_argmax"}))
def test_ids_are_drawn_from_the_softmax_at_the_temperature(name: str, temperature: float, rng: torch.Generator) -> None:
    logits = torch.tensor([1.0, 0.0, -1.0])
    weights = [math.exp(x / (1 if name in DRAWN_AT_ONE else temperature)) for x in (1, 0, -1)]
    p = torch.tensor([w / sum(weights) for w in weights])
    _, ids = RELAXATIONS[name](logits.expand(N, 3), temperature=temperature, rng=rng)
    assert ((torch.bincount(ids, minlength=3) / N - p).abs() < 4.5 * (p * (1 - p) / N).sqrt()).all()


def test_softmax_is_the_softmax(rng: torch.Generator) -> None:
    logits = torch.randn(2, 3, 4, generator=rng)
    sample, _ = softmax(logits, temperature=0.5, rng=rng)
    torch.testing.assert_close(sample, (2 * logits).exp() / (2 * logits).exp().sum(-1, keepdim=True))


def test_straight_through_is_one_hot_forward_and_the_softmax_backward(rng: torch.Generator) -> None:
    start = torch.randn(2, 3, 4, generator=rng)
    weight = torch.randn(2, 3, 4, generator=rng)

    def gradient(name: str) -> tuple[Tensor, Tensor, Tensor]:
        logits = start.clone().requires_grad_(True)
        sample, ids = RELAXATIONS[name](logits, temperature=0.7, rng=torch.Generator().manual_seed(3))
        return sample, ids, torch.autograd.grad((sample * weight).sum(), logits)[0]

    sample, ids, through = gradient("straight_through")
    assert torch.equal(sample, torch.nn.functional.one_hot(ids, 4).float())
    _, soft_ids, soft = gradient("softmax")
    torch.testing.assert_close(through, soft)
    assert torch.equal(ids, soft_ids)


def test_the_same_randomness_draws_the_same() -> None:
    logits = torch.zeros(50, 3)
    draws = [straight_through(logits, temperature=1.0, rng=torch.Generator().manual_seed(s))[1] for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
