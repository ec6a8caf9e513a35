"""Players: what an update does to the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from textgan.contract import Equality
from textgan.training import checkpoint
from textgan.training.state import OPTIMIZERS, Player, TrainingState, laid_out


@pytest.mark.parametrize("layout", ["as the weights", "transposed"])
def test_an_update_is_adams_whatever_the_gradients_layout(layout: str, rng: torch.Generator) -> None:
    net, plain = nn.Conv1d(6, 6, 5), nn.Conv1d(6, 6, 5)
    plain.load_state_dict(net.state_dict())
    player = Player.of(net, 1e-2, (0.5, 0.9))
    adam = torch.optim.Adam(plain.parameters(), lr=1e-2, betas=(0.5, 0.9), fused=False)
    for _ in range(5):
        gradients = [torch.randn(p.shape, generator=rng) for p in plain.parameters()]
        for parameter, gradient in zip(plain.parameters(), gradients, strict=True):
            parameter.grad = gradient.clone()
        adam.step()
        if layout == "transposed":  # the same numbers, laid out as a convolution's double backward gives them
            gradients[0] = gradients[0].transpose(0, 1).contiguous().transpose(0, 1)
        player.apply(tuple(gradients), 1.0)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_factor_scales_the_step() -> None:
    net = nn.Linear(3, 1, bias=False)
    before = net.weight.detach().clone()
    Player.of(net, 1e-2, (0.0, 0.0)).apply((torch.ones(1, 3),), 0.5)
    torch.testing.assert_close(before - net.weight, torch.full((1, 3), 0.5e-2))


def test_a_gradient_is_copied_only_where_its_layout_is_not_the_weights() -> None:
    weight = torch.zeros(4, 3, 5)
    same, turned = torch.rand(4, 3, 5), torch.rand(3, 4, 5).transpose(0, 1)
    assert laid_out(same, weight) is same
    copied = laid_out(turned, weight)
    assert torch.equal(copied, turned)
    assert copied.stride() == weight.stride()
    flipped = torch.zeros(3, 4, 5).transpose(0, 1)  # a weight with a layout of its own
    assert laid_out(turned, flipped) is turned
    assert laid_out(same, flipped).stride() == flipped.stride()
    spread = torch.rand(1, 1, 1).expand(4, 3, 5)  # one number for all, as a sum's gradient is
    assert laid_out(spread, weight).stride() == weight.stride()


def test_rmsprop_by_its_formula(rng: torch.Generator) -> None:
    net = nn.Linear(3, 2).double()
    weights = [p.detach().clone() for p in net.parameters()]
    squares = [torch.zeros_like(weight) for weight in weights]
    player = Player.of(net, 1e-2, (0.0, 0.8), optimizer="rmsprop")
    for factor in (1.0, 0.5, 0.25):
        gradients = tuple(torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights)
        player.apply(gradients, factor)
        squares = [0.8 * square + 0.2 * g.square() for square, g in zip(squares, gradients, strict=True)]
        moves = [g / (square.sqrt() + 1e-8) for square, g in zip(squares, gradients, strict=True)]
        weights = [w - 1e-2 * factor * move for w, move in zip(weights, moves, strict=True)]
    torch.testing.assert_close([p.detach() for p in net.parameters()], weights)


@pytest.mark.parametrize("inertia", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_player_goes_on_from_disk_bit_for_bit(
    optimizer: str, inertia: float, rng: torch.Generator, tmp_path: Path
) -> None:
    def new(seed: int) -> Player:
        torch.manual_seed(seed)
        return Player.of(nn.Linear(3, 2), 1e-2, (0.0, 0.9), optimizer=optimizer, inertia=inertia)

    gradients = [(torch.randn(2, 3, generator=rng), torch.randn(2, generator=rng)) for _ in range(9)]
    straight, second = new(0), new(1)
    for k, gradient in enumerate(gradients):
        if k == 5:
            checkpoint.save(tmp_path, k, straight.tensors(), {"score": None})
        straight.apply(gradient, 1.0)
    second.load(checkpoint.load(tmp_path, 5)[0])
    assert second.count == (5 if inertia else 0)
    for gradient in gradients[5:]:
        second.apply(gradient, 1.0)
    one, other = straight.tensors(), second.tensors()
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert ("means.1" in one) == ("count" in one) == (inertia > 0)


@pytest.mark.parametrize("missing", ["means.0", "means.1", "count"])
def test_a_history_with_a_gap_is_refused(missing: str) -> None:
    player = Player.of(nn.Linear(3, 2), 1e-2, (0.5, 0.9), inertia=0.1)
    tensors = {name: value for name, value in player.tensors().items() if name != missing}
    with pytest.raises(KeyError):
        player.load(tensors)


def test_what_parts_carry_is_saved_under_their_names() -> None:
    def state() -> TrainingState:
        player = Player.of(nn.Linear(3, 2), 1e-2, (0.5, 0.9))
        return TrainingState(player, None, 0.0, {"sobolev": Equality(lambda *sides, rng: torch.zeros(()))})

    one, other = state(), state()
    assert one.states["sobolev"]["multiplier"].item() == 0
    one.states["sobolev"] = {"multiplier": torch.tensor(-0.25)}
    assert one.tensors()["terms.sobolev.multiplier"].item() == -0.25
    other.load(4, one.tensors())
    assert (other.step, other.states) == (4, one.states)


@pytest.mark.parametrize("inertia", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_size_of_a_checkpoint_is_known_before_the_first_step(optimizer: str, inertia: float) -> None:
    players = [
        Player.of(nn.Linear(30, width), 1e-2, (0.5, 0.9), optimizer=optimizer, inertia=inertia) for width in (20, 30)
    ]
    state = TrainingState(players[0], players[1], 0.0, {})
    before = state.size()
    for player in players:
        player.apply(tuple(torch.ones_like(p) for p in player.parameters), 1.0)
    taken = sum(value.nbytes for value in state.tensors().values())
    assert state.size() == taken
    assert taken - 8 * 4 <= before <= taken  # but for the optimizers' counts of steps


def test_what_is_no_tensor_is_saved_too() -> None:
    one, other = (TrainingState(Player.of(nn.Linear(3, 2), 1e-2, (0.5, 0.9)), None, 0.0, {}) for _ in range(2))
    one.processor_seconds, one.rollbacks = 1.5, 2
    other.load(4, one.tensors(), one.facts())
    assert (other.step, other.processor_seconds, other.rollbacks) == (4, 1.5, 2)
