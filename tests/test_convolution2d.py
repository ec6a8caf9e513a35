"""Convolutions of pictures against torch's own, and their derivatives of second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textgan.nets.convolution2d import Convolution2d, TransposedConvolution2d, widened
from textgan.nets.resample import double, halve

LAYERS: dict[str, Callable[[], Any]] = {
    "3": lambda: Convolution2d(2, 3, 3),
    "1": lambda: Convolution2d(2, 3, 1),
    "5 by 2": lambda: Convolution2d(2, 3, 5, stride=2),
    "3 by 2": lambda: Convolution2d(2, 3, 3, stride=2),
    "transposed 5": lambda: TransposedConvolution2d(2, 3, 5),
    "transposed 3": lambda: TransposedConvolution2d(2, 3, 3),
}


def layer(which: str, rng: torch.Generator, *shape: int) -> tuple[Any, Tensor]:
    built = LAYERS[which]().double()
    for parameter in built.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return built, torch.randn(*shape, 2, generator=rng, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("which", LAYERS)
def test_layers_are_torchs(which: str, rng: torch.Generator) -> None:
    built, x = layer(which, rng, 2, 4, 6)
    own: Any = nn.ConvTranspose2d if "transposed" in which else nn.Conv2d
    expected = own.forward(built, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.testing.assert_close(built(x), expected)
    sides = (8, 12) if "transposed" in which else (2, 3) if "by 2" in which else (4, 6)
    assert expected.shape == (2, *sides, 3)


class Called(nn.Module):
    """A layer by one of its methods."""

    def __init__(self, layer: Any, method: str) -> None:
        super().__init__()
        self.layer, self.method = layer, method

    def forward(self, x: Tensor) -> Any:
        return getattr(self.layer, self.method)(x)


@pytest.mark.parametrize(
    ("which", "method"), [*((which, "forward") for which in LAYERS), ("3", "halved"), ("3", "doubled")]
)
def test_layers_are_differentiable_twice(which: str, method: str, rng: torch.Generator) -> None:
    built, x = layer(which, rng, 1, 2, 4)

    def applied(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return torch.func.functional_call(Called(built, method), {"layer.weight": weight, "layer.bias": bias}, (x,))

    assert torch.autograd.gradcheck(applied, (x, built.weight, built.bias))
    assert torch.autograd.gradgradcheck(applied, (x, built.weight, built.bias))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_halved_and_doubled_are_by_way_of_every_pixel(kernel: int, rng: torch.Generator) -> None:
    built: Any = Convolution2d(3, 4, kernel).double()
    x = torch.randn(2, 6, 8, 3, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(built.halved(x), halve(built(x)))
    torch.testing.assert_close(built.doubled(x), built(double(x)))


def test_a_kernel_is_widened_by_its_neighbours() -> None:
    weight = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    assert widened(weight).tolist() == [[1, 3, 2], [11, 33, 22], [10, 30, 20]]


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 4, 6, 3)], ids=["sequence", "picture"])
def test_places_are_doubled_and_halved_along_every_axis(shape: tuple[int, ...], rng: torch.Generator) -> None:
    x = torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True)
    repeated, means = x, x
    for axis in range(1, x.dim() - 1):
        repeated = repeated.repeat_interleave(2, axis)
        even, odd = (means.index_select(axis, torch.arange(start, means.shape[axis], 2)) for start in (0, 1))
        means = (even + odd) / 2
    torch.testing.assert_close(double(x), repeated)
    torch.testing.assert_close(halve(x), means)
    assert torch.autograd.gradcheck(double, x)
    assert torch.autograd.gradcheck(halve, x)
    assert torch.autograd.gradgradcheck(double, x)
    assert torch.autograd.gradgradcheck(halve, x)


def test_factors_are_lowered_by_autocast_and_gradients_are_not(rng: torch.Generator) -> None:
    built, x = Convolution2d(3, 4, 3), torch.randn(2, 4, 4, 3, generator=rng, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = built(x)
    assert y.dtype == torch.bfloat16
    gradients = torch.autograd.grad(y.float().square().sum(), [x, built.weight])
    exact = torch.autograd.grad(built(x).square().sum(), [x, built.weight])
    for low, high in zip(gradients, exact, strict=True):
        assert low.dtype == torch.float32
        assert 0 < (low - high).abs().max() < 0.05 * high.abs().max()
