from __future__ import annotations

import copy
import signal
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan import runs
from textgan.assemble import build
from textgan.checks import check
from textgan.config import Config, Critic, Generator
from textgan.errors import UsageError
from textgan.game.penalties import gradient_penalty, slopes
from textgan.measure import measure
from textgan.model import load
from textgan.nets import CRITICS, GENERATORS
from textgan.nets.layers import Branch, ResidualBlock
from textgan.nets.norms import (
    BY_LABEL,
    NORMS,
    REFERENCE,
    REFERENCES,
    LayerNorm,
    VirtualBatchNorm,
    reference_noise,
    resting,
)
from textgan.nets.resample import double, halve
from textgan.runs import Silence
from textgan.settings import resolve
from textgan.training.precision import Bfloat16
from textgan.training.state import Player, TrainingState

SHAPE = {"length": 9, "symbols": 5, "width": 6, "blocks": 2, "kernel": 3}


def raw(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits, logits.argmax(-1)


def randomised(net: nn.Module, rng: torch.Generator) -> Any:
    """Give every parameter a value of its own: norms start as scale 1 and shift 0."""
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * 0.7
    return net.double()


def configured(text: Path, **flags: Any) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | flags).config


def test_batch_norm_is_torchs_over_batch_and_position(rng: torch.Generator) -> None:
    ours, theirs = NORMS["batch"](5), nn.BatchNorm1d(5)
    x = 3 * torch.randn(4, 7, 5, generator=rng) + 2
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x.mT).mT)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x.mT).mT)
    assert (ours(x) - ours(x[:1])[0])[0].abs().max() < 1e-6  # in evaluation a row is on its own


def test_layer_norm_is_torchs_group_norm_of_one_group(rng: torch.Generator) -> None:
    ours, theirs = randomised(LayerNorm(5), rng), nn.GroupNorm(1, 5).double()
    theirs.load_state_dict(ours.state_dict())
    x = 3 * torch.randn(4, 7, 5, generator=rng, dtype=torch.float64) + 2
    torch.testing.assert_close(ours(x), theirs(x.mT).mT)


def test_layer_norm_is_differentiable_twice(rng: torch.Generator) -> None:
    norm = randomised(LayerNorm(3), rng)
    x = torch.randn(2, 4, 3, generator=rng, dtype=torch.float64, requires_grad=True)

    def applied(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(applied, (x, norm.weight, norm.bias))
    assert torch.autograd.gradgradcheck(applied, (x, norm.weight, norm.bias))


def plain_virtual(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each row by 1/65 of its own mean and mean square and 64/65 of the reference's."""
    means = x.mean(1), x.square().mean(1)
    reference = [part[:REFERENCE].mean(0) for part in means]
    rows = []
    for i, row in enumerate(x):
        mean, square = reference
        if i >= REFERENCE:
            mean, square = (own[i] / 65 + 64 / 65 * other for own, other in zip(means, reference, strict=True))
        rows.append((row - mean) / (square - mean**2 + 1e-5).sqrt() * weight + bias)
    return torch.stack(rows)


def test_virtual_batch_norm_takes_one_part_in_65_from_the_row_itself(rng: torch.Generator) -> None:
    norm = randomised(VirtualBatchNorm(3), rng)
    x = torch.randn(REFERENCE + 4, 5, 3, generator=rng, dtype=torch.float64) + 2
    x[REFERENCE:] *= torch.tensor([1.0, 10.0, 0.0, -30.0])[:, None, None]
    weight, inputs = (
        torch.randn(x.shape, generator=rng, dtype=torch.float64),
        [x.requires_grad_(True), *norm.parameters()],
    )
    found = []
    for out in (norm(x), plain_virtual(x, norm.weight, norm.bias)):
        found.append([out, *torch.autograd.grad((out * weight).sum(), inputs)])
    torch.testing.assert_close(*found)


def test_virtual_batch_norm_keeps_its_digits_far_from_zero(rng: torch.Generator) -> None:
    norm, x = VirtualBatchNorm(3), torch.randn(REFERENCE + 4, 5, 3, generator=rng)
    torch.testing.assert_close(norm(x + 1000), norm(x), rtol=0, atol=2e-3)
    coarse = (x + 1000).bfloat16()
    assert torch.equal(norm(coarse), norm(coarse.float()))


@pytest.mark.parametrize("name", ["paper", "upsampling"])
def test_a_row_under_virtual_batch_norm_depends_on_its_noise_and_the_reference_only(
    name: str, rng: torch.Generator
) -> None:
    net = randomised(GENERATORS[name](latent=4, norm="virtual_batch", **SHAPE), rng)
    noise, others = (torch.randn(5, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    made = net(noise, raw).logits
    assert made.shape == (5, 9, 5)
    others[2] = noise[2]
    torch.testing.assert_close(net(others, raw).logits[2], made[2])
    torch.testing.assert_close(net(noise[2:3], raw).logits[0], made[2])
    net.reference[7] += 1
    assert (net(noise, raw).logits - made).abs().amax((1, 2)).min() > 1e-6


def test_the_reference_is_drawn_after_the_weights_and_kept_with_them() -> None:
    torch.manual_seed(3)
    plain = GENERATORS["upsampling"](latent=4, **SHAPE)
    drawn = torch.randn(REFERENCE, 4)
    torch.manual_seed(3)
    net = GENERATORS["upsampling"](latent=4, norm="virtual_batch", **SHAPE)
    assert torch.equal(net.state_dict()["reference"], drawn)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, net.state_dict()[name])
    assert [reference_noise(norm, 4) is None for norm in NORMS] == [norm not in REFERENCES for norm in NORMS]


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_blocks_have_a_norm_before_each_rectifier(norm: str, rng: torch.Generator) -> None:
    x = torch.randn(3, 8, 6, generator=rng, dtype=torch.float64)
    branch_, leaky = Branch(3, norm=NORMS[norm]), Branch(3, norm=NORMS[norm], leak=0.2)
    plain: Any = randomised(ResidualBlock(6, 6, branch_), rng)
    branch = plain.second(F.relu(plain.second_norm(plain.first(F.relu(plain.first_norm(x))))))
    torch.testing.assert_close(plain(x), x + 0.3 * branch)
    up: Any = randomised(ResidualBlock(6, 4, leaky, resample="up"), rng)
    branch = up.first(double(F.leaky_relu(up.first_norm(x), 0.2)))
    branch = up.second(F.leaky_relu(up.second_norm(branch), 0.2))
    torch.testing.assert_close(up(x), double(up.shortcut(x)) + 0.3 * branch)
    down: Any = randomised(ResidualBlock(6, 4, leaky, resample="down"), rng)
    branch = down.first(F.leaky_relu(down.first_norm(x), 0.2))
    branch = down.second(F.leaky_relu(down.second_norm(branch), 0.2))
    torch.testing.assert_close(down(x), down.shortcut(halve(x)) + 0.3 * halve(branch))
    for block in (plain, up, down):
        assert block.first_norm is not block.second_norm


@pytest.mark.parametrize("name", ["paper", "downsampling"])
def test_layer_norm_in_a_critic_leaves_each_sample_on_its_own(name: str, rng: torch.Generator) -> None:
    net = randomised(CRITICS[name](norm="layer", **SHAPE), rng)
    real, fake = (torch.rand(4, 9, 5, generator=rng, dtype=torch.float64) for _ in range(2))
    alone = torch.cat([net(sample.unsqueeze(0)) for sample in real])
    torch.testing.assert_close(net(real), alone)
    torch.testing.assert_close(net.score(net.features(real))[:, 0], alone)
    torch.testing.assert_close(slopes(net, real), torch.cat([slopes(net, sample.unsqueeze(0)) for sample in real]))

    def paid(*weights: Tensor) -> Tensor:
        named = dict(zip(dict(net.named_parameters()), weights, strict=True))
        critic: Any = lambda samples: torch.func.functional_call(net, named, (samples,))  # noqa: E731
        return gradient_penalty(critic, real, fake, rng=torch.Generator().manual_seed(1))

    weights = list(net.parameters())
    gradients = torch.autograd.grad(paid(*weights), weights, materialize_grads=True)
    towards = [torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights]
    step = 1e-6
    ahead, behind = (paid(*(w + s * t for w, t in zip(weights, towards, strict=True))).item() for s in (step, -step))
    along = sum((g * t).sum().item() for g, t in zip(gradients, towards, strict=True))
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


PINNED = {
    "generator paper": (
        "enter.weight enter.bias blocks.0.first.weight blocks.0.first.bias blocks.0.second.weight blocks.0.second.bias "
        "blocks.1.first.weight blocks.1.first.bias blocks.1.second.weight blocks.1.second.bias leave.weight leave.bias",
        [14.745368957519531],
        0.9921953082084656,
    ),
    "generator upsampling": (
        "enter.weight enter.bias blocks.0.shortcut.weight blocks.0.shortcut.bias blocks.0.first.weight "
        "blocks.0.first.bias blocks.0.second.weight blocks.0.second.bias leave.weight leave.bias",
        [14.124224662780762],
        0.45372676849365234,
    ),
    "critic paper": (
        "enter.weight enter.bias blocks.0.first.weight blocks.0.first.bias blocks.0.second.weight blocks.0.second.bias "
        "blocks.1.first.weight blocks.1.first.bias blocks.1.second.weight blocks.1.second.bias score.weight score.bias",
        [0.773665189743042, 1.6652355194091797],
        0.9799912571907043,
    ),
    "critic downsampling": (
        "enter.weight enter.bias blocks.0.shortcut.weight blocks.0.shortcut.bias blocks.0.first.weight "
        "blocks.0.first.bias blocks.0.second.weight blocks.0.second.bias score.weight score.bias",
        [0.1261405348777771, 0.25219061970710754],
        0.5188401937484741,
    ),
}
"""Names in the state, outputs, and the number drawn next, from before nets took norms."""


@pytest.mark.parametrize("which", PINNED)
def test_nets_without_a_norm_are_what_they_were(which: str) -> None:
    names, values, then = PINNED[which]
    side, name = which.split()
    torch.manual_seed(0)
    if side == "generator":
        net: Any = GENERATORS[name](latent=4, **SHAPE)
        out = net(torch.linspace(-1, 1, 8).view(2, 4), raw).logits.square().sum().reshape(1)
    else:
        net = CRITICS[name](**SHAPE)
        out = net(torch.linspace(0, 1, 90).view(2, 9, 5))
    assert list(net.state_dict()) == names.split()
    assert out.tolist() == pytest.approx(values, rel=1e-5)
    assert torch.rand(1).item() == then


def test_the_settings_are_the_table() -> None:
    assert set(get_args(Generator.model_fields["norm"].annotation)) == set(NORMS)
    assert set(get_args(Critic.model_fields["norm"].annotation)) == set(NORMS) - set(REFERENCES) - BY_LABEL


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_a_norm_works_in_bfloat16(norm: str, rng: torch.Generator) -> None:
    net = CRITICS["paper"](norm=norm, **SHAPE)
    samples = torch.rand(4, 9, 5, generator=rng)
    torch.testing.assert_close(Bfloat16(net, torch.device("cpu"))(samples), net(samples), rtol=0.1, atol=0.1)


def test_virtual_batch_norm_works_in_bfloat16(rng: torch.Generator) -> None:
    net = GENERATORS["paper"](latent=4, norm="virtual_batch", **SHAPE)
    noise = torch.randn(4, 4, generator=rng)
    low = Bfloat16(net, torch.device("cpu"))(noise, raw).logits
    torch.testing.assert_close(low, net(noise, raw).logits, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"generator.net": "recurrent", "generator.norm": "layer"},
            "^generator.norm: the net 'recurrent' takes no norm",
        ),
        ({"critic.norm": "batch"}, "^critic.norm: batch mixes the samples, and gradient_penalty judges each alone"),
        ({"critic.norm": "batch", "game.penalties": {"gradient_penalty": 0, "r1": 1}}, "and r1 judges each alone"),
        (
            {
                "critic.norm": "batch",
                "game.penalties": {"gradient_penalty": 0},
                "game.constraint": "gradient_normalisation",
            },
            "and gradient_normalisation judges each alone",
        ),
        (
            {"critic.norm": "layer", "game.constraint": "piecewise_gradient_normalisation"},
            "^critic.norm: piecewise_gradient_normalisation needs a critic that is linear between kinks",
        ),
        ({"generator.norm": "batch", "training.graphs": True}, "^training.graphs: a graph is tried out first"),
        (
            {"critic.norm": "batch", "game.penalties": {"gradient_penalty": 0}, "training.graphs": True},
            "^training.graphs: a graph is tried out first",
        ),
    ],
)
def test_norms_that_cannot_work_are_refused(flags: dict[str, Any], message: str, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=message):
        check(configured(tiny_text, **flags))


def test_norms_that_can_work_are_not_refused(tiny_text: Path) -> None:
    check(configured(tiny_text, **{"critic.norm": "layer", "generator.norm": "batch"}))
    check(configured(tiny_text, **{"critic.norm": "batch", "game.penalties": {"gradient_penalty": 0}}))
    check(configured(tiny_text, **{"generator.norm": "layer", "training.graphs": True}))
    check(configured(tiny_text, **{"critic.norm": "layer", "game.constraint": "gradient_normalisation"}))


def test_virtual_batch_norm_is_refused_on_a_labelled_corpus(tmp_path: Path) -> None:
    config = configured(tmp_path / "unread", **{"corpus.label_column": "label", "generator.norm": "virtual_batch"})
    with pytest.raises(UsageError, match=r"^generator.norm: virtual_batch needs a corpus without labels"):
        check(config)


def test_the_average_has_the_generators_statistics_and_is_in_evaluation_mode(rng: torch.Generator) -> None:
    net = GENERATORS["paper"](latent=4, norm="batch", **SHAPE)
    state = TrainingState(Player.of(net, 1e-2, (0.5, 0.9)), None, 0.9, {})
    assert net.training
    assert not any(module.training for module in state.average.modules())
    net(torch.randn(8, 4, generator=rng), raw)
    before, weights = copy.deepcopy(state.average.state_dict()), dict(net.named_parameters())
    for weight in weights.values():
        weight.data += 1
    state.update_average()
    for name, value in state.average.state_dict().items():
        if name in weights:
            assert not torch.equal(value, weights[name])
        else:
            assert torch.equal(value, net.state_dict()[name])
    assert not torch.equal(before["blocks.0.first_norm.running_mean"], net.blocks[0].first_norm.running_mean)
    loaded = TrainingState(Player.of(copy.deepcopy(net), 1e-2, (0.5, 0.9)), None, 0.9, {})
    loaded.load(1, state.tensors())
    torch.testing.assert_close(loaded.average.state_dict(), state.average.state_dict())
    torch.testing.assert_close(loaded.generator.net.state_dict(), net.state_dict())
    assert not loaded.average.training


def test_resting_nets_keep_their_statistics_and_train_again(rng: torch.Generator) -> None:
    net = CRITICS["paper"](norm="batch", **SHAPE)
    samples, before = torch.rand(4, 9, 5, generator=rng), copy.deepcopy(net.state_dict())
    with resting(net):
        net(samples)
    torch.testing.assert_close(net.state_dict(), before)
    with pytest.raises(KeyError), resting(net):
        raise KeyError
    torch.testing.assert_close(net.state_dict(), before)
    assert all(module.training for module in net.modules())


BATCHED = {"generator.norm": "batch", "critic.norm": "batch", "game.penalties": {"gradient_penalty": 0}}
BRIEF = {"training.steps": 4, "evaluation.samples": 20}


def test_an_evaluation_moves_nothing(tiny_text: Path) -> None:
    parts = build(configured(tiny_text, **BATCHED, **BRIEF))
    before = {name: value.clone() for name, value in parts.state.tensors().items()}
    evaluate = measure(parts, lambda step, samples, pictures: None)
    first, _ = evaluate(parts.state)
    again, _ = evaluate(parts.state)
    assert first == again
    for part in ("generator", "critic", "average"):
        assert any(name.startswith(part) and name.endswith("running_mean") for name in before)
    for name, value in parts.state.tensors().items():
        assert torch.equal(value, before[name]), name
    assert parts.state.generator.net.training


class Stopped(Silence):
    """Stops a run at a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, step: int, row: dict[str, Any]) -> None:
        if step == self.at:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "flags",
    [
        BATCHED,
        {"generator.norm": "virtual_batch", "critic.norm": "layer"},
        {"generator.norm": "layer", "generator.net": "paper", "generator.blocks": 1},
    ],
    ids=["batch", "virtual batch", "layer"],
)
def test_a_run_with_norms_is_resumed_exactly(flags: dict[str, Any], tiny_text: Path, tmp_path: Path) -> None:
    config = configured(tiny_text, **flags, **BRIEF)
    runs.train(config, tmp_path / "whole")
    runs.train(config, tmp_path / "parts", watch=Stopped(2))
    runs.train(config, tmp_path / "parts", resume=True)
    often = configured(tiny_text, **flags, **BRIEF, **{"training.evaluate_every": 1})
    runs.train(often, tmp_path / "often")
    whole, parts, others = (
        (tmp_path / run / "model" / "model.safetensors").read_bytes() for run in ("whole", "parts", "often")
    )
    assert whole == parts
    assert whole == others
    lines = load(tmp_path / "whole").generate(5)
    assert len(lines) == 5
    assert load(tmp_path / "whole").generate(3) == lines[:3]
