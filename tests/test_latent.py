from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from textgan.latent import neighbours, path


def point(seed: int, size: int = 50) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def degrees(a: Tensor, b: Tensor) -> float:
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0)
    return math.degrees(math.acos(max(-1, min(1, cosine.item()))))


@pytest.mark.parametrize("steps", [2, 3, 8, 300])
@pytest.mark.parametrize("size", [1, 2, 50])
def test_both_ends_are_on_the_path_bit_for_bit(steps: int, size: int) -> None:
    points = path(point(1, size), point(2, size), steps)
    assert points.shape == (steps, size)
    assert points.dtype == torch.float32
    assert torch.equal(points[0], point(1, size))
    assert torch.equal(points[-1], point(2, size))


def test_the_quarter_of_a_circle_by_hand() -> None:
    points = path(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0]), 4)
    r3 = math.sqrt(3)
    expected = [[2, 0], [8 / 3 * r3 / 2, 8 / 3 / 2], [10 / 3 / 2, 10 / 3 * r3 / 2], [0, 4]]
    torch.testing.assert_close(points, torch.tensor(expected))


def test_the_path_turns_by_equal_angles_and_its_norm_grows_by_equal_steps() -> None:
    points = path(point(1), 1.5 * point(2), 10)
    angles = [degrees(a, b) for a, b in pairwise(points)]
    assert angles == pytest.approx([degrees(point(1), point(2)) / 9] * 9, rel=1e-3)
    norms = points.norm(dim=1).diff()
    torch.testing.assert_close(norms, norms[:1].expand(9), rtol=1e-3, atol=0)
    middle = path(point(1), point(2), 3)[1]
    assert middle.norm().item() == pytest.approx((point(1).norm() + point(2).norm()).item() / 2)
    assert ((point(1) + point(2)) / 2).norm() < 0.8 * middle.norm()  # where a straight line would pass


def test_points_in_line_are_joined_by_a_straight_line() -> None:
    same = path(point(1), point(1), 5)
    torch.testing.assert_close(same, point(1).expand(5, -1))
    opposite = path(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -2.0]), 3)
    assert opposite.tolist() == [[1, 2], [0, 0], [-1, -2]]
    assert path(torch.tensor([1.0]), torch.tensor([3.0]), 3).tolist() == [[1], [2], [3]]
    zero = path(torch.zeros(3), torch.ones(3), 3)
    assert zero.tolist() == [[0] * 3, [0.5] * 3, [1] * 3]


def test_neighbours_are_standard_normal_and_correlated_with_their_point_as_the_radius_says() -> None:
    centre, fresh = point(1, 40_000), point(2, 40_000).unsqueeze(0)
    for radius in (0.0, 0.3, 0.8, 1.0):
        (near,) = neighbours(centre, fresh, radius)
        assert (near.mean().item(), near.std().item()) == pytest.approx((0, 1), abs=0.02)
        correlation = torch.corrcoef(torch.stack([centre, near]))[0, 1].item()
        assert correlation == pytest.approx(math.sqrt(1 - radius**2), abs=0.02)
    assert torch.equal(neighbours(centre, fresh, 0.0)[0], centre)
    assert torch.equal(neighbours(centre, fresh, 1.0), fresh)
    assert neighbours(torch.tensor([3.0]), torch.tensor([[1.0]]), 0.6).item() == pytest.approx(0.8 * 3 + 0.6)
