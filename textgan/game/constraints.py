"""Constraints: what keeps a critic smooth by changing the critic itself."""

from __future__ import annotations

import torch
from torch import nn

from textgan.contract import Constraint


def clip_weights(critic: nn.Module) -> None:
    """Clip every parameter to [-0.01, 0.01] after a critic step.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    """
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.clamp_(-0.01, 0.01)


CONSTRAINTS = {"none": Constraint(), "weight_clipping": Constraint(after_step=clip_weights)}
