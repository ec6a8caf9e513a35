from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import Output
from textgan.nets import CRITICS, GENERATORS
from textgan.nets.convolution import Convolution
from textgan.nets.layers import Branch, ResidualBlock, convolution, linear, pointwise, rectify
from textgan.nets.resample import halve
from textgan.nets.sequence import halvings, widths

LENGTHS = range(2, 41)


def raw(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Relax nothing."""
    return logits.softmax(-1), logits.argmax(-1)


def critic(name: str, length: int, *, symbols: int = 6, width: int = 4) -> Any:
    return CRITICS[name](length=length, symbols=symbols, width=width, blocks=2, kernel=3)


def generator(name: str, length: int, *, symbols: int = 6, width: int = 4) -> Any:
    return GENERATORS[name](length=length, symbols=symbols, latent=7, width=width, blocks=2, kernel=3)


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("leak", [0.0, 0.2])
def test_rectify_is_torchs_own_in_value_gradient_and_double_gradient(leak: float, rng: torch.Generator) -> None:
    start = torch.cat([torch.randn(40, generator=rng, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)])
    weight = torch.randn(42, generator=rng, dtype=torch.float64)

    def derivatives(activation: Callable[[Tensor], Tensor]) -> list[Tensor]:
        x = start.clone().requires_grad_(True)
        y = activation(x)
        (first,) = torch.autograd.grad((y * weight * x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        return [y, first, second]

    ours = derivatives(lambda x: rectify(x, leak))
    for mine, torchs in zip(ours, derivatives(lambda x: F.leaky_relu(x, leak)), strict=True):
        torch.testing.assert_close(mine, torchs)
    assert ours[2].abs().max() > 0


@pytest.mark.parametrize(
    ("layer", "deviation"),
    [
        (lambda: convolution(60, 100, 5), math.sqrt(4 / (60 * 5 + 100 * 5))),
        (lambda: convolution(400, 100, 1), math.sqrt(4 / (400 + 100))),
        (lambda: pointwise(400, 100), math.sqrt(4 / (400 + 100))),
        (lambda: linear(300, 200), math.sqrt(2 / 500)),
    ],
    ids=["conv5", "conv1", "pointwise", "linear"],
)
def test_initial_weights_are_uniform_with_the_papers_deviation(
    layer: Callable[[], Convolution | nn.Linear], deviation: float
) -> None:
    torch.manual_seed(0)
    built = layer()
    assert built.bias.abs().max() == 0
    assert built.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert built.weight.abs().max().item() == pytest.approx(deviation * math.sqrt(3), rel=0.01)


def test_a_critics_first_layer_is_a_1_wide_convolution_in_value_gradient_and_double_gradient(
    rng: torch.Generator,
) -> None:
    layer, samples = pointwise(6, 4).double(), torch.rand(3, 5, 6, generator=rng, dtype=torch.float64)
    weight = torch.randn(3, 5, 4, generator=rng, dtype=torch.float64)

    def derivatives(enter: Callable[[Tensor], Tensor]) -> list[Tensor]:
        x = samples.clone().requires_grad_(True)
        y = enter(x)
        (slope,) = torch.autograd.grad((y.square() * weight).sum(), x, create_graph=True)
        return [y, slope, *torch.autograd.grad(slope.square().sum(), [x, layer.weight, layer.bias])]

    def by_convolution(x: Tensor) -> Tensor:
        return F.conv1d(x.permute(0, 2, 1), layer.weight.unsqueeze(2), layer.bias).permute(0, 2, 1)

    for ours, theirs in zip(derivatives(layer), derivatives(by_convolution), strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.abs().max() > 0


@pytest.mark.parametrize("name", CRITICS)
def test_no_copy_of_the_simplex_is_made(name: str, rng: torch.Generator) -> None:
    symbols, length = 3000, 21
    net, samples = critic(name, length, symbols=symbols), torch.rand(4, length, symbols, generator=rng)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        net(samples)
    taken = max((event.self_cpu_memory_usage for event in profile.events()), default=0)
    assert 0 < taken < samples.numel()  # a copy takes four bytes a value


def test_paper_nets_have_the_papers_size() -> None:
    # by hand for V = 100: Linear 128 -> 512 * 32, ten 5-wide convolutions of 512, then 512 -> V; and its mirror
    with torch.device("meta"):
        paper = {"length": 32, "symbols": 100, "width": 512, "blocks": 5, "kernel": 5}
        assert size(GENERATORS["paper"](latent=128, **paper)) == 2_113_536 + 10 * 1_311_232 + 51_300
        assert size(CRITICS["paper"](**paper)) == 51_712 + 10 * 1_311_232 + 16_385


def test_up_and_down_pair_has_the_size_counted_by_hand() -> None:
    # length 16: channels 4, 6, 9 from full length down; a block is shortcut + first + second
    up = (7 * 36 + 36) + (9 * 6 + 6 + 9 * 6 * 3 + 6 + 6 * 6 * 3 + 6) + (6 * 4 + 4 + 6 * 4 * 3 + 4 + 4 * 4 * 3 + 4)
    assert size(generator("upsampling", 16)) == up + (4 * 6 + 6)
    down = (4 * 6 + 6 + 4 * 4 * 3 + 4 + 4 * 6 * 3 + 6) + (6 * 9 + 9 + 6 * 6 * 3 + 6 + 6 * 9 * 3 + 9)
    assert size(critic("downsampling", 16)) == (6 * 4 + 4) + down + 37


def test_scales_go_down_to_a_length_of_4_to_7() -> None:
    assert [halvings(n) for n in (2, 4, 7, 8, 15, 16, 31, 32, 64)] == [0, 0, 0, 1, 1, 2, 2, 3, 4]
    assert widths(32, 3) == [32, 48, 72, 108]


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_make_every_length(name: str, rng: torch.Generator) -> None:
    for length in LENGTHS:
        net, noise = generator(name, length), torch.randn(3, 7, generator=rng)
        output = net(noise, raw)
        assert isinstance(output, Output)
        assert output.logits.shape == output.sample.shape == (3, length, 6)
        assert output.ids.shape == (3, length)
        spread = (net(2 * noise, raw).logits - output.logits).abs().amax((0, 2))
        assert spread.min() > 0, f"a position of {length} does not hear the noise"


@pytest.mark.parametrize("name", CRITICS)
def test_critics_score_every_length_and_look_at_every_position(name: str, rng: torch.Generator) -> None:
    for length in LENGTHS:
        net = critic(name, length, width=8)
        samples = torch.rand(3, length, 6, generator=rng).requires_grad_(True)
        scores = net(samples)
        assert scores.shape == (3,)
        (gradient,) = torch.autograd.grad(scores.sum(), samples)
        assert gradient.abs().amax((0, 2)).min() > 0, f"a position of {length} is not looked at"


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("length", [16, 21])
def test_critics_score_each_sample_by_itself_and_linearly_in_its_features(
    name: str, length: int, rng: torch.Generator
) -> None:
    net, samples = critic(name, length), torch.rand(4, length, 6, generator=rng)
    alone = torch.cat([net(sample.unsqueeze(0)) for sample in samples])
    torch.testing.assert_close(net(samples), alone)
    torch.testing.assert_close(net.score(net.features(samples)).squeeze(1), alone)


@pytest.mark.parametrize("net", [*(critic(name, 11) for name in CRITICS), *(generator(n, 11) for n in GENERATORS)])
def test_every_parameter_is_used(net: Any, rng: torch.Generator) -> None:
    out = net(torch.rand(3, 11, 6, generator=rng)) if hasattr(net, "score") else net(torch.rand(3, 7), raw).logits
    gradients = torch.autograd.grad(out.square().sum(), list(net.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_generators_relax_their_logits_once() -> None:
    seen = []

    def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(logits)
        return logits + 1, logits.argmax(-1)

    output = generator("paper", 5)(torch.ones(2, 7), relax)
    assert len(seen) == 1
    assert torch.equal(seen[0], output.logits)
    assert torch.equal(output.sample, output.logits + 1)


def test_paper_pair_is_the_papers_formula(rng: torch.Generator) -> None:
    net, noise = generator("paper", 6), torch.randn(2, 7, generator=rng)
    x = F.linear(noise, net.enter.weight, net.enter.bias).reshape(2, 4, 6)  # (batch, channel, position)
    x = F.conv1d(net.blocks(x.mT).mT, net.leave.weight.unsqueeze(2), net.leave.bias)
    torch.testing.assert_close(net(noise, raw).logits, x.mT)
    judge, samples = critic("paper", 6), torch.rand(2, 6, 6, generator=rng)
    for convolution_ in (block.second for block in judge.blocks):
        convolution_.bias.data.uniform_(generator=rng)
    x = judge.blocks(F.conv1d(samples.mT, judge.enter.weight.unsqueeze(2), judge.enter.bias).mT).mT
    torch.testing.assert_close(judge(samples), F.linear(x.reshape(2, -1), judge.score.weight, judge.score.bias)[:, 0])


def test_residual_block_adds_three_tenths_of_its_branch(rng: torch.Generator) -> None:
    block, x = ResidualBlock(3, 3, Branch(5)), torch.randn(2, 8, 3, generator=rng)
    torch.testing.assert_close(block(x), x + 0.3 * block.second(F.relu(block.first(F.relu(x)))))


def test_up_block_doubles_by_the_nearest_neighbour(rng: torch.Generator) -> None:
    block, x = ResidualBlock(3, 2, Branch(3, leak=0.2), resample="up"), torch.randn(2, 5, 3, generator=rng)

    def up(x: Tensor) -> Tensor:
        return F.interpolate(x.mT, scale_factor=2, mode="nearest").mT

    branch = block.second(F.leaky_relu(block.first(up(F.leaky_relu(x, 0.2))), 0.2))
    torch.testing.assert_close(block(x), block.shortcut(up(x)) + 0.3 * branch)


def test_down_block_pools_by_the_mean(rng: torch.Generator) -> None:
    block, x = ResidualBlock(3, 2, Branch(3, leak=0.2), resample="down"), torch.randn(2, 8, 3, generator=rng)
    branch = block.second(F.leaky_relu(block.first(F.leaky_relu(x, 0.2)), 0.2))
    pooled = F.avg_pool1d(x.mT, 2).mT
    torch.testing.assert_close(block(x), block.shortcut(pooled) + 0.3 * F.avg_pool1d(branch.mT, 2).mT)
    torch.testing.assert_close(halve(x), pooled)


def test_up_and_down_pair_cuts_and_fills_at_the_end(rng: torch.Generator) -> None:
    net, noise = generator("upsampling", 9), torch.randn(2, 7, generator=rng)
    x = net.blocks(F.linear(noise, net.enter.weight, net.enter.bias).reshape(2, 6, 5).mT)  # 5 -> 10 -> 9
    x = F.conv1d(F.leaky_relu(x, 0.2).mT, net.leave.weight.unsqueeze(2), net.leave.bias)
    torch.testing.assert_close(net(noise, raw).logits, x.mT[:, :9])
    judge, samples = critic("downsampling", 9), torch.rand(2, 9, 6, generator=rng)
    x = torch.cat([samples, torch.zeros(2, 1, 6)], dim=1).permute(0, 2, 1)
    judge.enter.bias.data.uniform_(generator=rng)  # an empty position still has the bias
    x = F.conv1d(x, judge.enter.weight.unsqueeze(2), judge.enter.bias)
    x = F.leaky_relu(judge.blocks(x.mT), 0.2).mT
    torch.testing.assert_close(judge(samples), F.linear(x.flatten(1), judge.score.weight, judge.score.bias)[:, 0])
