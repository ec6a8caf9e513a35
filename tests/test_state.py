"""Players: what an update does to the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from textgan.training.state import Player, laid_out


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
