from __future__ import annotations

import math

import pytest
import torch

from textgan.contract import Output, TermBatch
from textgan.game.likelihood import _windows, window_likelihood, window_nll


def test_one_hot_windows_explain_themselves_and_nothing_else() -> None:
    window = torch.tensor([[2, 0, 1]])
    certain = torch.nn.functional.one_hot(window, 3).float().log()
    assert window_nll(window, certain).item() == 0
    assert window_nll(torch.tensor([[2, 0, 2]]), certain).item() == math.inf
    assert window_nll(torch.tensor([[2, 0, 1], [2, 0, 2]]), certain).item() == math.inf


def test_value_by_hand() -> None:
    p = torch.tensor([[[0.5, 0.5], [0.2, 0.8]], [[0.1, 0.9], [0.6, 0.4]]])  # two generated windows of two symbols
    real = torch.tensor([[0, 1], [1, 1], [1, 0]])
    mixture = [(0.5 * 0.8 + 0.1 * 0.4) / 2, (0.5 * 0.8 + 0.9 * 0.4) / 2, (0.5 * 0.2 + 0.9 * 0.6) / 2]
    expected = -sum(map(math.log, mixture)) / (2 * 3)
    assert window_nll(real, p.log()).item() == pytest.approx(expected)


def test_gradients_agree_with_finite_differences(rng: torch.Generator) -> None:
    logits = torch.randn(4, 3, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    real = torch.randint(5, (6, 3), generator=rng)
    assert torch.autograd.gradcheck(lambda x: window_nll(real, x.log_softmax(-1)), [logits])


def test_windows_are_stretches_of_rows_from_every_start(rng: torch.Generator) -> None:
    rows = torch.arange(5 * 6).reshape(5, 6)
    chosen = _windows(rows, 2000, 4, rng)
    assert (chosen[:, 1:] - chosen[:, :-1] == 1).all()
    assert sorted(set(chosen[:, 0].tolist())) == [6 * row + start for row in range(5) for start in range(3)]
    assert _windows(rows.unsqueeze(-1).expand(5, 6, 7), 3, 6, rng).shape == (3, 6, 7)


def test_term_is_the_likelihood_of_the_steps_real_rows(rng: torch.Generator) -> None:
    term = window_likelihood([], symbols=3, order=4, real=50, fake=60)
    rows = torch.tensor([[0, 1, 2, 1]] * 5, dtype=torch.uint8)
    logits = torch.zeros(8, 4, 3).requires_grad_(True)
    batch = TermBatch(Output(logits, logits.softmax(-1), logits.argmax(-1)), rows, None)
    loss, state = term.function(batch, term.initial(), rng=rng)
    assert loss.item() == pytest.approx(math.log(3), abs=1e-5)
    assert state == {}
    (gradient,) = torch.autograd.grad(loss, logits)
    wanted = torch.nn.functional.one_hot(rows[:1].long(), 3).bool().expand(8, 4, 3)
    assert (gradient[wanted] < 0).all()
    assert (gradient[~wanted] > 0).all()
