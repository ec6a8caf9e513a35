"""Convolutions and the nets of them against torch's own, in value, gradient and the gradient of a slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.game.penalties import PENALTIES
from textgan.nets import CRITICS, GENERATORS, convolution
from textgan.nets.convolution import POINTS, TILE, Convolution, by_winograd, maps
from textgan.nets.linear_map import linear_map

SHAPES = [  # batch, length, channels in and out, kernel
    (3, 32, 16, 16, 5),
    (2, 9, 17, 21, 5),
    (1, 1, 16, 19, 5),
    (1, 2, 33, 16, 3),
    (4, 7, 16, 16, 3),
    (2, 30, 23, 64, 3),
    (2, 13, 16, 16, 7),
    (2, 5, 3, 4, 5),
    (3, 6, 20, 5, 3),
    (2, 11, 18, 17, 1),
    (2, 10, 48, 51, 5),
]
SMALL = 16  # channels from which these tests take Winograd's way, which narrow nets otherwise do not
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WIDE", SMALL)


def layer(shape: tuple[int, ...], dtype: torch.dtype, rng: torch.Generator) -> tuple[Convolution, Tensor]:
    """A convolution of these sizes with random weights, and an input."""
    batch, length, channels_in, channels_out, kernel = shape
    built = Convolution(channels_in, channels_out, kernel).to(dtype)
    nn.init.normal_(built.weight, std=(channels_in * kernel) ** -0.5, generator=rng)
    nn.init.normal_(built.bias, generator=rng)
    return built, torch.randn(batch, length, channels_in, generator=rng, dtype=dtype)


def torchs(built: Convolution, x: Tensor) -> Tensor:
    return F.conv1d(x.mT, built.weight, built.bias, padding=built.weight.shape[2] // 2).mT


def derivatives(function: Callable[[Tensor], Tensor], x: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """Value, gradients, and the gradients of a square of the gradient."""
    x = x.clone().requires_grad_(True)
    y = function(x)
    first = torch.autograd.grad(y.pow(3).sum(), [x, *parameters], create_graph=True)
    second = torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), [x, *parameters])
    return [y, *first, *second]


def close(ours: Tensor, theirs: Tensor, dtype: torch.dtype) -> None:
    """Equal up to rounding, which is measured by the largest entry."""
    size = theirs.abs().max().item()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE[dtype] * max(size, 1e-3))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["double", "float"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_convolution_is_torchs_in_value_gradient_and_double_gradient(
    shape: tuple[int, ...], dtype: torch.dtype, rng: torch.Generator
) -> None:
    built, x = layer(shape, dtype, rng)
    parameters = [built.weight, built.bias]
    ours = derivatives(built, x, parameters)
    for mine, other in zip(ours, derivatives(lambda x: torchs(built, x), x, parameters), strict=True):
        assert mine.shape == other.shape
        close(mine, other, dtype)


def test_real_nets_are_convolved_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    built = {width: Convolution(width, width, 5) for width in (32, 64)}
    assert [by_winograd(torch.empty(1, 4, width), built[width].weight) for width in built] == [False, True]


def test_shapes_are_convolved_both_ways(rng: torch.Generator) -> None:
    ways = [by_winograd(layer(shape, torch.float32, rng)[1], torch.empty(*shape[3:1:-1], shape[4])) for shape in SHAPES]
    assert ways == [kernel in POINTS and min(a, b) >= SMALL for _, _, a, b, kernel in SHAPES]
    assert set(ways) == {True, False}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_adjoint_is_the_transpose(shape: tuple[int, ...], rng: torch.Generator) -> None:
    built, x = layer(shape, torch.float64, rng)
    y = torch.randn(shape[0], shape[1], shape[3], generator=rng, dtype=torch.float64)
    there = ((built(x) - built.bias) * y).sum()
    torch.testing.assert_close((built.adjoint(y) * x).sum(), there, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", POINTS)
def test_the_maps_multiply_polynomials(kernel: int) -> None:
    # Lavin & Gray's F(m, r) is exact: y = Aᵀ[(G w) ⊙ (Bᵀ x)] for one tile of one channel
    matrices = maps(kernel, torch.float64, torch.device("cpu"))
    for _ in range(5):
        x, w = torch.randn(TILE + kernel - 1, dtype=torch.float64), torch.randn(kernel, dtype=torch.float64)
        y = matrices.output @ ((matrices.kernel @ w) * (matrices.tile @ x))
        expected = torch.stack([(x[i : i + kernel] * w).sum() for i in range(TILE)])
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)


def test_a_net_that_has_generated_can_be_trained(rng: torch.Generator) -> None:
    maps.cache_clear()
    built, x = layer((2, 9, 16, 16, 5), torch.float32, rng)
    with torch.inference_mode():
        built(x)
    (gradient,) = torch.autograd.grad(built(x).sum(), built.weight)
    assert gradient.abs().max() > 0


def test_an_empty_batch_has_no_scores_and_a_weight_may_lie_as_it_likes(rng: torch.Generator) -> None:
    built, x = layer((2, 9, 16, 18, 5), torch.float64, rng)
    empty = x[:0].clone().requires_grad_(True)
    assert built(empty).shape == (0, 9, 18)
    assert torch.autograd.grad(built(empty).sum(), empty)[0].shape == (0, 9, 16)
    expected = built(x)
    built.weight.data = built.weight.data.mT.contiguous().mT
    assert not built.weight.is_contiguous()
    close(built(x), expected, torch.float64)


def test_half_precision_is_not_convolved_by_winograd() -> None:
    built = Convolution(32, 32, 5)
    nn.init.normal_(built.weight)
    nn.init.zeros_(built.bias)
    x = torch.randn(2, 8, 32)
    assert by_winograd(x, built.weight)
    assert not by_winograd(x.half(), built.weight.half())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not by_winograd(x, built.weight)
        assert built(x).dtype == torch.bfloat16


def test_a_map_of_ours_takes_its_transpose_for_its_backward() -> None:
    matrix = torch.randn(3, 4, dtype=torch.float64)
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def mapped(x: Tensor) -> Tensor:
        return linear_map(x, lambda v: matrix @ v, lambda v: matrix.T @ v)

    assert torch.autograd.gradcheck(mapped, x)
    assert torch.autograd.gradgradcheck(mapped, x)


def plain_critic(net: Any, samples: Tensor) -> Tensor:
    """The paper's critic as one would write it, with the weights of ours."""
    x = F.conv1d(samples.mT, net.enter.weight.unsqueeze(2), net.enter.bias)
    for block in net.blocks:
        branch = F.relu(F.conv1d(F.relu(x), block.first.weight, block.first.bias, padding="same"))
        x = x + 0.3 * F.conv1d(branch, block.second.weight, block.second.bias, padding="same")
    scores: Tensor = net.score(x.flatten(1))
    return scores[:, 0]


def plain_downsampling(net: Any, samples: Tensor) -> Tensor:
    """The down-sampling critic likewise."""
    x = F.conv1d(F.pad(samples.mT, (0, net.filler)), net.enter.weight.unsqueeze(2), net.enter.bias)
    for block in net.blocks:
        branch = F.conv1d(F.leaky_relu(x, 0.2), block.first.weight, block.first.bias, padding="same")
        branch = F.conv1d(F.leaky_relu(branch, 0.2), block.second.weight, block.second.bias, padding="same")
        shortcut = F.conv1d(F.avg_pool1d(x, 2), block.shortcut.weight, block.shortcut.bias)
        x = shortcut + 0.3 * F.avg_pool1d(branch, 2)
    scores: Tensor = net.score(F.leaky_relu(x, 0.2).flatten(1))
    return scores[:, 0]


PLAIN = {"paper": plain_critic, "downsampling": plain_downsampling}


def randomised(net: nn.Module, rng: torch.Generator) -> nn.Module:
    """The net with biases that are not 0, so that no term drops out."""
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.1, generator=rng)
    return net


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["double", "float"])
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("penalty", [name for name in PENALTIES if name != "consistency"])  # which takes features
@pytest.mark.parametrize(
    ("batch", "length", "width", "kernel"),
    [(3, 8, 16, 5), (1, 11, 21, 5), (2, 6, 17, 3), (4, 9, 5, 5), (2, 5, 16, 7)],
)
def test_a_critics_loss_and_gradients_are_those_of_torchs_own_layers(
    name: str, penalty: str, batch: int, length: int, width: int, kernel: int, dtype: torch.dtype, rng: torch.Generator
) -> None:
    net: Any = CRITICS[name](length=length, symbols=7, width=width, blocks=2, kernel=kernel)
    randomised(net.to(dtype), rng)
    real = F.one_hot(torch.randint(7, (batch, length), generator=rng), 7).to(dtype)
    fake = torch.randn(batch, length, 7, generator=rng, dtype=dtype).softmax(-1)

    def step(critic: Any) -> list[Tensor]:
        paid = PENALTIES[penalty](critic, real, fake, rng=torch.Generator().manual_seed(1))
        loss = critic(fake).mean() - critic(real).mean() + 10 * paid
        return [loss, *torch.autograd.grad(loss, list(net.parameters()))]

    for ours, theirs in zip(step(net), step(lambda samples: PLAIN[name](net, samples)), strict=True):
        close(ours, theirs, dtype)
    close(net(real), net.score(net.features(real))[:, 0], dtype)


@pytest.mark.parametrize("name", ["paper", "upsampling"])
def test_a_generators_gradients_are_the_same_by_winograd_and_without(
    name: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    net: Any = GENERATORS[name](length=18, symbols=7, latent=5, width=16, blocks=2, kernel=3)
    randomised(net.double(), rng)
    noise = torch.randn(3, 5, generator=rng, dtype=torch.float64)
    parameters = list(net.parameters())
    ours = derivatives(net.make_logits, noise, parameters)
    monkeypatch.setattr(convolution, "by_winograd", lambda x, weight: False)
    for mine, other in zip(ours, derivatives(net.make_logits, noise, parameters), strict=True):
        close(mine, other, torch.float64)
