"""The entropy floor: closed forms, and a push below the floor only."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from textgan.contract import Output, TermBatch
from textgan.game.entropy import entropy_floor, mean_entropy


def loss_of(logits: Tensor, floor: float) -> Tensor:
    term = entropy_floor([], symbols=logits.shape[-1], floor=floor)
    batch = TermBatch(Output(logits, logits.softmax(-1), logits.argmax(-1)), logits.argmax(-1), None)
    return term.function(batch, term.initial, rng=torch.Generator())[0]


@pytest.mark.parametrize("symbols", [2, 5, 64])
def test_a_uniform_softmax_has_log2_of_the_symbols(symbols: int) -> None:
    assert mean_entropy(torch.zeros(3, 4, symbols)).item() == pytest.approx(math.log2(symbols))


def test_the_mean_goes_over_rows_and_positions() -> None:
    logits = torch.zeros(2, 2, 4)
    logits[0, 0, 1] = logits[1, 1, 2] = 1e4  # two of four positions are one-hot: entropy 0
    assert mean_entropy(logits).item() == pytest.approx(1.0)


@pytest.mark.parametrize(("floor", "expected"), [(0.5, 0.0), (2.0, 0.0), (3.0, 1.0)])
def test_only_what_lacks_to_the_floor_is_paid(floor: float, expected: float) -> None:
    logits = torch.zeros(3, 5, 4, requires_grad=True)  # 2 bits
    loss = loss_of(logits + 0.0, floor)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_below_the_floor_a_step_down_the_gradient_raises_the_entropy() -> None:
    logits = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)).mul(3).requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss_of(logits, 1.9), logits)
    assert mean_entropy(logits - 0.1 * gradient) > mean_entropy(logits)
    (silent,) = torch.autograd.grad(loss_of(logits, 0.1), logits)
    assert not silent.any()


def test_gradients_agree_with_finite_differences() -> None:
    logits = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(mean_entropy, [logits])
