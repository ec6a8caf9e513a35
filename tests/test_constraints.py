from __future__ import annotations

import torch
from torch import nn

from textgan.game.constraints import CONSTRAINTS


def test_weight_clipping_bounds_every_parameter_and_changes_no_other() -> None:
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -0.5], [0.003, -0.01]]))
        net.bias.copy_(torch.tensor([-2.0, 0.0]))
    CONSTRAINTS["weight_clipping"].after_step(net)
    assert torch.equal(net.weight, torch.tensor([[0.01, -0.01], [0.003, -0.01]]))
    assert torch.equal(net.bias, torch.tensor([-0.01, 0.0]))


def test_none_leaves_the_critic_alone() -> None:
    net = nn.Linear(2, 2)
    before = net.weight.clone()
    CONSTRAINTS["none"].after_step(net)
    assert torch.equal(net.weight, before)
    assert all(constraint.wrap(net) is net for constraint in CONSTRAINTS.values())  # type: ignore[arg-type, comparison-overlap]
