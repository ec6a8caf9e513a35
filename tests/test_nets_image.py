"""Nets of pictures: sizes, shapes, derivatives, and what they compute against torch's own layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.checks import check
from textgan.errors import UsageError
from textgan.game.conditions import bind_generator
from textgan.game.constraints import iterate_power, spectral_norm
from textgan.game.penalties import gradient_penalty
from textgan.model import build_generator
from textgan.nets import IMAGE_CRITICS, IMAGE_GENERATORS
from textgan.nets.bottleneck import Bottleneck, Every, Subpixels, plan
from textgan.nets.conditional import AuxiliaryCritic, ConditionalGenerator, ProjectionCritic
from textgan.nets.dcgan import NONLINEARITIES
from textgan.nets.image import FirstBlock, doublings, growing
from textgan.nets.layers import Branch, ResidualBlock, linear
from textgan.nets.minibatch import MinibatchCritic
from textgan.nets.norms import NORMS, ConditionalBatchNorm, resting
from textgan.nets.resample import halve
from textgan.settings import resolve
from textgan.spaces import Image
from textgan.training.precision import Bfloat16
from textgan.transfers import dropping

LATENT = 5
DOUBLE: Any = {"dtype": torch.float64}


def bounded(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.tanh(), logits.tanh()


def generator(name: str, side: int = 8, *, width: int = 4, channels: int = 3, **options: Any) -> Any:
    sizes = {"channels": channels, "side": side, "width": width, "latent": LATENT, "blocks": 2, "kernel": 3}
    return IMAGE_GENERATORS[name](**sizes | options)


def critic(name: str, side: int = 8, *, width: int = 4, channels: int = 3, **options: Any) -> Any:
    return IMAGE_CRITICS[name](
        **{"channels": channels, "side": side, "width": width, "blocks": 2, "kernel": 3} | options
    )


def randomised(net: nn.Module, rng: torch.Generator) -> Any:
    """Give every parameter a value of its own: biases and shifts start as 0."""
    for parameter in net.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=rng, **DOUBLE)
    return net.double()


def first(x: Tensor) -> Tensor:
    """Channels first."""
    return x.permute(0, 3, 1, 2)


def last(x: Tensor) -> Tensor:
    """Channels last."""
    return x.permute(0, 2, 3, 1)


BATCH, LAYER = {"norm": "batch"}, {"norm": "layer"}
SIZES = [
    ("resnet", 32, 128, 3, BATCH, 1_204_483, {}, 1_053_825),
    ("resnet_growing", 64, 64, 3, BATCH, 8_540_483, LAYER, 7_491_841),
    ("resnet101", 64, 64, 3, BATCH, 9_189_587, LAYER, 7_618_801),
    ("dcgan", 64, 64, 5, BATCH, 5_364_739, LAYER, 4_316_545),
    ("dcgan", 64, 64, 5, BATCH | {"nonlinearity": "tanh"}, 5_364_739, LAYER | {"nonlinearity": "tanh"}, 4_316_545),
    ("dcgan", 64, 64, 5, BATCH | {"nonlinearity": "gated"}, 10_724_675, LAYER | {"nonlinearity": "gated"}, 8_624_897),
    ("dcgan_constant", 64, 64, 5, {}, 444_291, None, 0),
    ("mlp", 64, 512, 5, {"blocks": 4}, 7_157_760, None, 0),
]


@pytest.mark.parametrize(("name", "side", "width", "kernel", "g", "of_g", "c", "of_c"), SIZES)
def test_nets_have_the_papers_size(
    name: str, side: int, width: int, kernel: int, g: Any, of_g: int, c: Any, of_c: int
) -> None:
    def size(net: nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    with torch.device("meta"):
        assert size(generator(name, side, width=width, latent=128, kernel=kernel, **g)) == of_g
        if c is not None:
            assert size(critic(name, side, width=width, kernel=kernel, **c)) == of_c


def test_resnet101_has_101_layers() -> None:
    for name, net in (("resnet101", generator("resnet101", 64)), ("resnet101", critic("resnet101", 64))):
        blocks = [module for module in net.modules() if isinstance(module, Bottleneck)]
        # three a block, and one at either end
        assert 3 * len(blocks) + 2 == 101, name
    assert [coarse for _, coarse, differs in plan(64, 64) if differs] == [64, 128, 256, 512]


@pytest.mark.parametrize("side", [8, 16, 32, 64])
@pytest.mark.parametrize("name", IMAGE_GENERATORS)
def test_generators_make_every_side(name: str, side: int, rng: torch.Generator) -> None:
    channels = 1 if side == 16 else 3
    net, noise = generator(name, side, width=8, channels=channels), torch.randn(5, LATENT, generator=rng)
    output = net(noise, bounded)
    assert output.logits.shape == output.sample.shape == (5, channels, side, side)
    torch.testing.assert_close(output.sample, output.logits.tanh())
    spread = (net(2 * noise, bounded).logits - output.logits).abs().amax((0, 1))
    assert spread.min() > 0, "a pixel does not hear the noise"


@pytest.mark.parametrize("side", [8, 16, 32, 64])
@pytest.mark.parametrize("name", IMAGE_CRITICS)
def test_critics_score_every_side_each_sample_by_itself(name: str, side: int, rng: torch.Generator) -> None:
    net = critic(name, side, width=8, channels=1 if side == 16 else 3)
    samples = torch.rand(3, 1 if side == 16 else 3, side, side, generator=rng).requires_grad_(True)
    scores = net(samples)
    (gradient,) = torch.autograd.grad(scores.sum(), samples)
    assert gradient.abs().amax((0, 1)).min() > 0, "a pixel is not looked at"
    torch.testing.assert_close(net.score(net.features(samples)).squeeze(1), scores)
    torch.testing.assert_close(torch.cat([net(sample.unsqueeze(0)) for sample in samples]), scores)
    assert net.score.in_features == net.features(samples).shape[1]


CONFIGURED: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in IMAGE_CRITICS),
    *((name, {"norm": "layer"}) for name in IMAGE_CRITICS),
    ("dcgan", {"nonlinearity": "tanh"}),
    ("dcgan", {"nonlinearity": "gated", "norm": "layer"}),
]


@pytest.mark.parametrize(("name", "options"), CONFIGURED)
def test_a_critics_slope_is_differentiated_as_differences_do(
    name: str, options: dict[str, Any], rng: torch.Generator
) -> None:
    net = randomised(critic(name, channels=1, **options), rng)
    real, fake = torch.rand(2, 2, 1, 8, 8, generator=rng, **DOUBLE)
    weights = list(net.parameters())

    def paid() -> Tensor:
        return gradient_penalty(net, real, fake, rng=torch.Generator().manual_seed(1))

    gradients = torch.autograd.grad(paid(), weights, materialize_grads=True)
    towards = [torch.randn(w.shape, generator=rng, **DOUBLE) for w in weights]
    along = sum((g * t).sum().item() for g, t in zip(gradients, towards, strict=True))
    ends, step = [], 1e-7
    for sign in (1, -2):
        for weight, toward in zip(weights, towards, strict=True):
            weight.data += sign * step * toward
        ends.append(paid().item())
    assert along != 0
    assert along == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("name", IMAGE_GENERATORS)
def test_every_parameter_of_a_generator_is_used(name: str) -> None:
    net = generator(name, width=16)
    gradients = torch.autograd.grad(net(torch.randn(8, LATENT), bounded).logits.square().sum(), list(net.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_a_resnet_is_its_formula_in_torchs_own_layers(rng: torch.Generator) -> None:
    net, noise = randomised(generator("resnet", 8, norm="batch"), rng), torch.randn(3, LATENT, generator=rng, **DOUBLE)

    def normal(x: Tensor, norm: Any) -> Tensor:
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)

    def up(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2)

    x = first(F.linear(noise, net.enter.weight, net.enter.bias).view(3, 4, 4, 4))
    (block,) = net.blocks
    branch = up(F.relu(normal(x, block.first_norm)))
    branch = F.conv2d(branch, block.first.weight, block.first.bias, padding=1)
    branch = F.conv2d(F.relu(normal(branch, block.second_norm)), block.second.weight, block.second.bias, padding=1)
    x = F.conv2d(up(x), block.shortcut.weight[:, :, None, None], block.shortcut.bias) + branch
    x = F.conv2d(F.relu(normal(x, net.norm)), net.leave.weight, net.leave.bias, padding=1)
    torch.testing.assert_close(net(noise, bounded).logits, x)


def test_a_resnet_critic_is_its_formula_in_torchs_own_layers(rng: torch.Generator) -> None:
    net, samples = randomised(critic("resnet", 32), rng), torch.rand(2, 3, 32, 32, generator=rng, **DOUBLE)
    (start, down, *plain), pool = net.blocks, nn.AvgPool2d(2)
    assert [block.resample for block in (down, *plain)] == ["down", "none", "none"]

    def conv(x: Tensor, layer: Any) -> Tensor:
        weight = layer.weight if layer.weight.dim() == 4 else layer.weight[:, :, None, None]
        return F.conv2d(x, weight, layer.bias, padding=weight.shape[2] // 2)

    x = pool(conv(F.relu(conv(samples, start.first)), start.second)) + conv(pool(samples), start.shortcut)
    x = pool(conv(F.relu(conv(F.relu(x), down.first)), down.second)) + conv(pool(x), down.shortcut)
    for block in plain:
        x = x + conv(F.relu(conv(F.relu(x), block.first)), block.second)
    torch.testing.assert_close(net(samples), F.linear(F.relu(x).mean((2, 3)), net.score.weight, net.score.bias)[:, 0])


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_dcgan_is_its_formula_in_torchs_own_layers(nonlinearity: str, rng: torch.Generator) -> None:
    def bent(x: Tensor, leak: float) -> Tensor:
        if nonlinearity == "gated":
            half = x.shape[1] // 2
            return torch.sigmoid(x[:, :half]) * torch.tanh(x[:, half:])
        return torch.tanh(x) if nonlinearity == "tanh" else F.leaky_relu(x, leak)

    options: Any = {"norm": "layer", "kernel": 5} | ({} if nonlinearity == "relu" else {"nonlinearity": nonlinearity})
    net, noise = randomised(generator("dcgan", 16, **options), rng), torch.randn(2, LATENT, generator=rng, **DOUBLE)
    enter, up = net.stages
    x = first(enter.layer[0](noise).view(2, 4, 4, -1))
    x = bent(F.group_norm(x, 1, enter.norm.weight, enter.norm.bias), 0)
    x = F.conv_transpose2d(x, up.layer.weight, up.layer.bias, 2, 2, 1)
    x = bent(F.group_norm(x, 1, up.norm.weight, up.norm.bias), 0)
    x = F.conv_transpose2d(x, net.leave.weight, net.leave.bias, 2, 2, 1)
    torch.testing.assert_close(net(noise, bounded).logits, x)

    judge, samples = randomised(critic("dcgan", 16, **options), rng), torch.rand(2, 3, 16, 16, generator=rng, **DOUBLE)
    bare, normed = judge.stages
    assert isinstance(bare.norm, nn.Identity)
    x = bent(F.conv2d(samples, bare.layer.weight, bare.layer.bias, 2, 2), 0.2)
    x = F.group_norm(F.conv2d(x, normed.layer.weight, normed.layer.bias, 2, 2), 1, normed.norm.weight, normed.norm.bias)
    torch.testing.assert_close(judge.features(samples), last(bent(x, 0.2)).flatten(1))


@pytest.mark.parametrize("resample", ["none", "down", "up"])
def test_a_bottleneck_is_its_formula_in_torchs_own_layers(resample: str, rng: torch.Generator) -> None:
    wide = {"none": (4, 4), "down": (4, 8), "up": (8, 4)}[resample]
    block: Any = randomised(Bottleneck(*wide, 3, NORMS["layer"], resample), rng)
    x = torch.randn(2, 6, 6, wide[0], generator=rng, **DOUBLE)

    def one(x: Tensor, layer: Any, stride: int = 1) -> Tensor:
        return F.conv2d(x, layer.weight[:, :, None, None], layer.bias, stride)

    y, middle = F.relu(one(F.relu(first(x)), block.enter)), block.middle
    if resample == "up":
        y = F.conv_transpose2d(y, middle.weight, middle.bias, 2, 1, 1)
        beside = block.shortcut.spread(x)  # of each pixel: two rows of two pixels of 4 channels
        shortcut = torch.cat([torch.cat([beside[..., i * 8 + j * 4 :][..., :4] for j in (0, 1)], 3) for i in (0, 1)], 2)
        shortcut = first(shortcut.reshape(2, 6, 2, 6, 2, 4).reshape(2, 12, 12, 4))
    else:
        y = F.conv2d(y, middle.weight, middle.bias, 2 if resample == "down" else 1, 1)
        shortcut = first(x) if resample == "none" else one(first(x), block.shortcut.mix, 2)
    y = F.group_norm(one(F.relu(y), block.leave), 1, block.norm.weight, block.norm.bias)
    assert block.leave.bias is None
    torch.testing.assert_close(block(x), last(shortcut + 0.3 * y))
    assert isinstance(block.shortcut, {"none": nn.Identity, "down": Every, "up": Subpixels}[resample])


def test_what_bottleneck_nets_give_is_divided_by_5(rng: torch.Generator) -> None:
    net, noise = randomised(generator("resnet101"), rng), torch.randn(2, LATENT, generator=rng, **DOUBLE)
    x = net.blocks(net.enter(noise).view(2, 4, 4, -1))
    torch.testing.assert_close(net(noise, bounded).logits, first(net.leave(x)) / 5)
    judge, samples = randomised(critic("resnet101"), rng), torch.rand(2, 3, 8, 8, generator=rng, **DOUBLE)
    whole = judge.blocks(judge.enter(last(samples))).flatten(1)
    torch.testing.assert_close(judge(samples), (whole @ judge.score.weight[0]) / 5 + judge.score.bias)


@pytest.mark.parametrize("resample", ["none", "down", "up"])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
def test_a_block_of_pictures_is_that_of_sequences_where_all_rows_are_alike(
    resample: str, norm: str, rng: torch.Generator
) -> None:
    along: Any = randomised(ResidualBlock(3, 4, Branch(3, norm=NORMS[norm]), resample=resample), rng)
    flat: Any = ResidualBlock(3, 4, Branch(3, axes=2, norm=NORMS[norm], shortcut=linear), resample=resample).double()
    weights = along.state_dict()
    weights["shortcut.weight"] = weights["shortcut.weight"].squeeze(2)
    for layer in ("first", "second"):  # a kernel of its middle row alone
        weights[f"{layer}.weight"] = F.pad(weights[f"{layer}.weight"].unsqueeze(2), (0, 0, 1, 1))
    flat.load_state_dict(weights)
    x = torch.randn(2, 6, 3, generator=rng, **DOUBLE)
    rows = flat(x.unsqueeze(1).expand(-1, 2, -1, -1).contiguous())
    for row in rows.unbind(1):
        torch.testing.assert_close(row, along(x))


def test_blocks_add_their_branch_by_scale_and_bend_by_leak(rng: torch.Generator) -> None:
    block: Any = randomised(ResidualBlock(3, 3, Branch(3, axes=2, scale=0.5, leak=0.1, bias=False)), rng)
    x = torch.randn(2, 4, 4, 3, generator=rng, **DOUBLE)
    branch = block.second(F.leaky_relu(block.first(F.leaky_relu(x, 0.1)), 0.1))
    torch.testing.assert_close(block(x), x + 0.5 * branch)
    assert block.first.bias is None
    start: Any = randomised(FirstBlock(3, 4, 3), rng)
    branch = start.second(F.relu(start.first(x)))
    torch.testing.assert_close(start(x), start.shortcut(halve(x)) + halve(branch))


def test_growing_nets_have_their_channels() -> None:
    assert [doublings(side) for side in (8, 16, 32, 64, 128)] == [1, 2, 3, 4, 5]
    assert [growing(3, count) for count in (1, 2, 4)] == [[3, 3], [3, 6, 6], [3, 6, 12, 24, 24]]
    net, judge = generator("resnet_growing", 32), critic("resnet_growing", 32)
    blocks = [*net.blocks, *judge.blocks]
    assert [block.first.weight.shape[:2] for block in blocks] == [
        (16, 16), (8, 16), (4, 8), (4, 4), (8, 8), (16, 16),
    ]  # fmt: skip
    assert all(block.first.bias is None and block.second.bias is not None for block in blocks)


def test_initial_weights_have_the_papers_deviation() -> None:
    net, judge = generator("resnet", 16, width=64), critic("dcgan", 16, width=32, kernel=5)
    block = net.blocks[0]
    expected = {
        net.enter.weight: (2 / (LATENT + 1024)) ** 0.5,
        block.first.weight: (4 / (9 * 128)) ** 0.5,
        block.shortcut.weight: (2 / 128) ** 0.5,
        net.leave.weight: (2 / (9 * 67)) ** 0.5,
        generator("resnet_growing", 16, width=64).leave.weight: (4 / (9 * 67)) ** 0.5,
        judge.stages[1].layer.weight: (4 / (25 * 32 + 25 * 64 / 4)) ** 0.5,
        generator("dcgan", 16, width=32, kernel=5).stages[1].layer.weight: (4 / (25 * 64 / 4 + 25 * 32)) ** 0.5,
    }
    for weight, deviation in expected.items():
        assert weight.std().item() == pytest.approx(deviation, rel=0.03)
        assert weight.abs().max().item() <= deviation * 3**0.5 * (1 + 1e-6)


# --- norms of pictures


@pytest.mark.parametrize("name", ["batch", "layer"])
def test_norms_of_pictures_are_torchs(name: str, rng: torch.Generator) -> None:
    ours: Any = randomised(NORMS[name](5), rng)
    x = 3 * torch.randn(4, 6, 7, 5, generator=rng, **DOUBLE) + 2
    theirs: Any = nn.BatchNorm2d(5).double() if name == "batch" else nn.GroupNorm(1, 5).double()
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), last(theirs(first(x))))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_virtual_batch_norm_of_pictures_is_that_of_their_pixels_in_a_row(rng: torch.Generator) -> None:
    norm: Any = randomised(NORMS["virtual_batch"](3), rng)
    x = torch.randn(64 + 3, 4, 2, 3, generator=rng, **DOUBLE)
    torch.testing.assert_close(norm(x), norm(x.flatten(1, 2)).view(x.shape))


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 2, 5, 3)], ids=["sequence", "picture"])
def test_conditional_batch_norm_scales_and_shifts_by_the_label(shape: tuple[int, ...], rng: torch.Generator) -> None:
    norm = ConditionalBatchNorm(3, labels=4)
    torch.testing.assert_close(norm.scale.detach(), torch.ones(4, 3))
    torch.testing.assert_close(norm.shift.detach(), torch.zeros(4, 3))
    norm = randomised(norm, rng)
    x, labels = torch.randn(shape, generator=rng, **DOUBLE) + 1, torch.tensor([0, 3, 3, 1, 0, 2])
    normal = nn.BatchNorm1d(3, affine=False).double()(x.flatten(0, -2)).view(shape)
    slow = [
        torch.stack([plane[..., c] * norm.scale[label, c] + norm.shift[label, c] for c in range(3)], -1)
        for plane, label in zip(normal, labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(norm(x, labels), torch.stack(slow))
    assert norm.running_mean.abs().max() > 0
    norm.eval()
    torch.testing.assert_close(norm(x[:1], labels[:1])[0], norm(x, labels)[0])


@pytest.mark.parametrize("name", ["resnet", "resnet_growing"])
def test_a_generator_with_that_norm_is_conditional_itself(name: str, rng: torch.Generator) -> None:
    net = generator(name, norm="conditional_batch", labels=3)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, ConditionalBatchNorm):
                module.shift.normal_(generator=rng)
    noise = torch.randn(4, LATENT, generator=rng)
    with resting(net):
        made, other = (
            bind_generator(net, torch.tensor(labels))(noise, bounded).sample for labels in ([0, 1, 2, 0], [0, 1, 1, 0])
        )
    assert [torch.equal(a, b) for a, b in zip(made, other, strict=True)] == [True, True, False, True]
    assert type(net.norm) is NORMS["batch"]
    norms = [module for module in net.modules() if isinstance(module, ConditionalBatchNorm)]
    assert len(norms) == 2 * len(net.blocks)
    gradients = torch.autograd.grad(made.sum(), [norms[0].shift], allow_unused=True)
    assert gradients[0] is not None


def test_dropout_of_pictures_is_off_until_a_step_asks(rng: torch.Generator) -> None:
    for name in ("resnet", "resnet_growing"):
        plain, net = critic(name, width=8), critic(name, width=8, dropout=0.5)
        net.load_state_dict(plain.state_dict())
        samples = torch.rand(2, 3, 8, 8, generator=rng)
        assert torch.equal(net(samples), plain(samples))
        with dropping(torch.Generator().manual_seed(1)):
            assert not torch.equal(net(samples), plain(samples))


# --- what is put around a critic


@pytest.mark.parametrize("name", IMAGE_CRITICS)
def test_heads_and_spectral_norm_go_around_every_critic(name: str, rng: torch.Generator) -> None:
    samples, labels = torch.rand(4, 3, 8, 8, generator=rng), torch.tensor([0, 1, 2, 0])
    assert ProjectionCritic(critic(name), labels=3)(samples, condition=labels).shape == (4,)
    assert AuxiliaryCritic(critic(name), labels=3).classes(samples).shape == (4, 3)
    assert MinibatchCritic(critic(name), "stddev")(samples).shape == (4,)
    net = critic(name)
    large = [parameter for parameter in net.parameters() if parameter.dim() > 1]
    spectral_norm(net)
    iterate_power(net)
    assert torch.isfinite(net(samples)).all()
    found = [key for key in net.state_dict() if key.endswith("parametrizations.weight.original")]
    assert len(found) == len(large)


@pytest.mark.parametrize("name", IMAGE_CRITICS)
def test_critics_work_in_bfloat16_and_their_slopes_are_differentiated(name: str, rng: torch.Generator) -> None:
    net, (real, fake) = critic(name, norm="layer"), torch.rand(2, 4, 3, 8, 8, generator=rng)
    low: Any = Bfloat16(net, torch.device("cpu"))
    torch.testing.assert_close(low(real), net(real), rtol=0.1, atol=0.1)
    paid = gradient_penalty(low, real, fake, rng=rng)
    gradients = torch.autograd.grad(paid, list(net.parameters()), materialize_grads=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


# --- refusals


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"image.side": 24}, "^image.side: .* never gives 24"),
        (
            {"generator.nonlinearity": "gated"},
            "^generator.nonlinearity: 'resnet' has no choice of one; use relu, or the net dcgan or dcgan_constant$",
        ),
        (
            {"critic.nonlinearity": "tanh"},
            "^critic.nonlinearity: 'resnet' has no choice of one; use relu, or the net dcgan$",
        ),
        ({"generator.net": "resnet101", "generator.width": 10}, "^generator.width: resnet101 halves 10 twice"),
        ({"corpus.label_column": ""}, "^generator.norm: .* goes by labels, and there are none"),
        (
            {"generator.norm": "conditional_batch", "generator.net": "dcgan", "corpus.label_column": "label"},
            "^generator.norm: .* no norm of 'dcgan' is given",
        ),
        (
            {"generator.net": "mlp", "generator.norm": "batch"},
            "^generator.norm: the net 'mlp' takes no norm.*resnet or",
        ),
        (
            {"critic.net": "dcgan", "critic.dropout": 0.5, "game.penalties": {"consistency": 1}},
            "^critic.dropout: the net 'dcgan' has no dropout; use 0, or the net resnet or resnet_growing",
        ),
        (
            {
                "critic.net": "dcgan",
                "critic.nonlinearity": "tanh",
                "game.constraint": "piecewise_gradient_normalisation",
            },
            "^game.constraint: .* and 'dcgan' with tanh is none; .*critic.nonlinearity=relu",
        ),
        ({"critic.norm": "batch"}, "^critic.norm: batch mixes the samples, and gradient_penalty judges each alone"),
        ({"generator.net": "paper"}, "^generator.net: there is no 'paper' for pictures"),
    ],
)
def test_nets_of_pictures_that_cannot_work_are_refused(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(resolve("digits", flags=flags).config)


def test_nets_of_pictures_that_can_work_are_not_refused() -> None:
    for side in (8, 16, 64):
        check(resolve("digits", flags={"image.side": side}).config)
    labelled = {"generator.norm": "conditional_batch", "corpus.label_column": "label"}
    bent = {"critic.net": "dcgan", "critic.nonlinearity": "gated"}
    dropped = {"critic.dropout": 0.5, "game.penalties": {"gradient_penalty": 10, "consistency": 2}}
    for flags in (labelled, bent, dropped, {"game.constraint": "spectral_norm", "game.penalties": {}}):
        check(resolve("digits", flags=flags).config)


def test_built_generators_are_told_of_labels_once() -> None:
    for norm, within in (("batch", ConditionalGenerator), ("conditional_batch", IMAGE_GENERATORS["resnet"])):
        flags = {"generator.norm": norm, "corpus.label_column": "label"}
        net: Any = build_generator(resolve("digits", flags=flags).config, Image(8, 1, ("a", "b", "c")))
        assert type(net) is within
        bound = bind_generator(net, torch.tensor([0, 2]))
        assert bound(torch.randn(2, 128), bounded).sample.shape == (2, 1, 8, 8)
