"""Walks through a generator's noise, which is standard normal: paths between two points, and neighbours of one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

FLAT = 1e-6  # sine of an angle below which two directions span no plane


def path(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Points from `start` to `end`, both among them, on the arc of the sphere: (latent,) twice to (steps, latent).

    The direction turns by equal angles and the norm grows by equal steps, since normal noise lies near a sphere, whose
    inside a straight line would cross, where a generator has never been. Points in line with 0 have no arc between
    them, and are joined by that straight line.

    Source: White 2016, "Sampling Generative Networks", section 2.1, with the norm taken apart.
    """
    a, b = start.double(), end.double()
    share = torch.linspace(0, 1, steps, dtype=torch.float64).unsqueeze(1)
    norms = a.norm() + share * (b.norm() - a.norm())
    u, v = a / a.norm(), b / b.norm()
    angle = torch.arccos((u @ v).clamp(-1, 1))
    if not angle.sin() > FLAT:  # 0 itself has no direction, and NaN for an angle
        return ((1 - share) * a + share * b).to(start.dtype)
    turned = (((1 - share) * angle).sin() * u + (share * angle).sin() * v) / angle.sin()
    points: Tensor = norms * turned
    return points.to(start.dtype)


def neighbours(point: Tensor, fresh: Tensor, radius: float) -> Tensor:
    """Mix noise into a point so that it stays standard normal: √(1 - r²) z + r ε, (count, latent).

    Args:
        point: z, (latent,).
        fresh: ε, standard normal (count, latent).
        radius: r from 0, the point itself, to 1, noise that knows nothing of it. [ratio]
    """
    return math.sqrt(1 - radius * radius) * point + radius * fresh
