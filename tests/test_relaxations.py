from __future__ import annotations

import math

import pytest
import torch

from textgan.game.relaxations import (
    DRAWN_AT_ONE,
    RELAXATIONS,
    annealed,
    draw,
    gumbel_softmax,
    reinforce,
    smoothed,
    softmax,
    straight_through,
    straight_through_argmax,
)

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


def test_the_same_randomness_draws_the_same() -> None:
    logits = torch.zeros(50, 3)
    draws = [straight_through(logits, temperature=1.0, rng=torch.Generator().manual_seed(s))[1] for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_gumbel_softmax_by_its_formula_and_its_gradient(temperature: float, rng: torch.Generator) -> None:
    logits = torch.randn(2, 3, 4, generator=rng, dtype=torch.float64).requires_grad_(True)
    weight = torch.randn(2, 3, 4, generator=rng, dtype=torch.float64)
    sample, ids = gumbel_softmax(logits, temperature=temperature, rng=seeded())
    uniform = torch.rand(2, 3, 4, generator=seeded()).double()
    noisy = logits.detach() - (-uniform.log()).log()
    expected = (noisy / temperature).exp()
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(sample.detach(), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(ids, noisy.argmax(-1))
    # the softmax's gradient by hand: s (w - <s, w>) / T
    (found,) = torch.autograd.grad((sample * weight).sum(), logits)
    s = sample.detach()
    torch.testing.assert_close(found, s * (weight - (s * weight).sum(-1, keepdim=True)) / temperature)
    assert torch.autograd.gradcheck(
        lambda x: gumbel_softmax(x, temperature=temperature, rng=seeded())[0], (logits,)
    )  # fmt: skip


def test_a_cold_gumbel_softmax_tends_to_what_it_drew_and_its_ids_do_not_know_the_temperature() -> None:
    logits = torch.randn(50, 4, generator=seeded(), dtype=torch.float64)
    gaps, drawn = [], []
    for temperature in (1.0, 0.1, 1e-3, 1e-5):
        sample, ids = gumbel_softmax(logits, temperature=temperature, rng=seeded(4))
        gaps.append((sample - torch.nn.functional.one_hot(ids, 4)).abs().max().item())
        drawn.append(ids)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-9
    assert all(torch.equal(ids, drawn[0]) for ids in drawn)


@pytest.mark.parametrize("number", [0.0, 1 - 2**-24])  # rand may give 0, never 1
@pytest.mark.parametrize("name", ["gumbel_softmax", "gumbel_straight_through"])
def test_the_ends_of_uniform_numbers_are_safe(name: str, number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    extremes = torch.tensor([[number, 0.5, 0.3], [number, number, number]])
    monkeypatch.setattr(torch, "rand", lambda *size, generator: extremes)
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(2, 3).clone().requires_grad_(True)
    sample, ids = RELAXATIONS[name](logits, temperature=0.5, rng=seeded())
    assert sample.isfinite().all()
    assert ids[1] == 2
    assert torch.autograd.grad((sample * torch.arange(3)).sum(), logits)[0].isfinite().all()


@pytest.mark.parametrize(
    ("hard", "soft"),
    [
        ("straight_through", "softmax"),
        ("straight_through_argmax", "softmax"),
        ("gumbel_straight_through", "gumbel_softmax"),
    ],
)
def test_straight_through_forms_are_one_hot_forward_and_soft_backward(hard: str, soft: str) -> None:
    start, weight = (torch.randn(5, 3, 4, generator=seeded(seed), dtype=torch.float64) for seed in (1, 2))
    found = []
    for name in (hard, soft):
        logits = start.clone().requires_grad_(True)
        sample, ids = RELAXATIONS[name](logits, temperature=0.7, rng=seeded())
        found.append((sample, ids, torch.autograd.grad((sample * weight).sum(), logits)[0]))
    (sample, ids, through), (_, soft_ids, expected) = found
    assert torch.equal(sample, torch.nn.functional.one_hot(ids, 4).double())
    torch.testing.assert_close(through, expected)
    assert torch.equal(ids, start.argmax(-1) if hard == "straight_through_argmax" else soft_ids)


def test_argmax_draws_nothing() -> None:
    rng = seeded()
    straight_through_argmax(torch.zeros(5, 3), temperature=1.0, rng=rng)
    assert torch.equal(rng.get_state(), seeded().get_state())


def test_reinforce_gives_the_one_hot_of_its_draw_and_no_gradient() -> None:
    logits = torch.randn(50, 3, generator=seeded()).requires_grad_(True)
    sample, ids = reinforce(logits, temperature=0.7, rng=seeded())
    assert not sample.requires_grad
    assert torch.equal(sample, torch.nn.functional.one_hot(ids, 3).float())
    assert torch.equal(ids, softmax(logits, temperature=0.7, rng=seeded())[1])


@pytest.mark.parametrize(("first", "last", "middle"), [(1.0, 0.25, 0.5), (0.5, 2.0, 1.0), (1e-300, 1e300, 1.0)])
def test_annealing_goes_by_equal_factors_and_ends_where_it_should(first: float, last: float, middle: float) -> None:
    assert [annealed(first, last, done) for done in (0.0, 1.0)] == [first, last]
    assert annealed(first, last, 0.5) == pytest.approx(middle)


def test_a_last_temperature_of_zero_keeps_the_first_to_the_digit() -> None:
    assert {annealed(0.7, 0.0, done / 97) for done in range(98)} == {0.7}


def test_smoothing_gives_to_the_others_in_equal_parts(rng: torch.Generator) -> None:
    ids = torch.randint(11, (4, 6), generator=rng)
    samples = torch.nn.functional.one_hot(ids, 11).double()
    found = smoothed(samples, 0.1)
    assert set(found[samples == 1].tolist()) == {0.9}
    torch.testing.assert_close(found[samples == 0], torch.full((4 * 6 * 10,), 0.01, dtype=torch.float64))
    torch.testing.assert_close(found.sum(-1), torch.ones(4, 6, dtype=torch.float64))
    assert smoothed(samples, 0.0) is samples
