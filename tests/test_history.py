from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from textgan.game.history import historical_averaging, remember_
from textgan.training.state import Player


class Numbers(nn.Module):
    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = nn.ParameterList([torch.tensor([value], dtype=torch.float64) for value in values])


def player(inertia: float, *values: float, rate: float = 0.1) -> Player:
    """A player of plain gradient descent."""
    net = Numbers(*values)
    means = [p.detach().clone() for p in net.parameters()]
    return Player(net, torch.optim.SGD(net.parameters(), lr=rate), rate, inertia, means)


def values_of(one: Player) -> list[float]:
    return [value.item() for value in one.parameters]


def test_the_squared_distance_by_hand() -> None:
    now, means = [torch.tensor([1.0, 2.0]), torch.tensor([[5.0]])], [torch.tensor([0.0, 4.0]), torch.tensor([[2.0]])]
    assert historical_averaging(now, means).item() == 1 + 4 + 9


def test_the_mean_is_of_all_that_was_remembered(rng: torch.Generator) -> None:
    seen = torch.randn(7, 2, 3, generator=rng, dtype=torch.float64)
    means = [torch.full((2, 3), 9.0, dtype=torch.float64)]  # what it starts from counts for nothing
    for count, value in enumerate(seen):
        remember_(means, [value.requires_grad_(True)], count)
        torch.testing.assert_close(means[0], seen[: count + 1].mean(0).detach())
    assert not means[0].requires_grad


def test_an_update_adds_twice_the_weighted_way_from_the_mean_of_the_earlier_weights() -> None:
    one, gradient = player(0.5, 1.0, -2.0), (torch.ones(1).double(), torch.full((1,), -3.0).double())
    one.apply(gradient, 1.0)  # at the first step the mean is where it stands
    assert values_of(one) == pytest.approx([0.9, -1.7])
    one.apply(gradient, 1.0)  # the means are 1 and -2: pulls of -.1 and .3
    assert values_of(one) == pytest.approx([0.9 - 0.1 * (1 - 0.1), -1.7 - 0.1 * (-3 + 0.3)])
    assert [mean.item() for mean in one.means] == pytest.approx([0.95, -1.85])
    before = values_of(one)
    one.apply(gradient, 0.5)  # the factor is that of the whole step
    pulls = [before[0] - 0.95, before[1] + 1.85]
    assert values_of(one) == pytest.approx([before[0] - 0.05 * (1 + pulls[0]), before[1] - 0.05 * (-3 + pulls[1])])
    assert one.count == 3


def test_a_player_without_it_remembers_nothing() -> None:
    one = Player.of(nn.Linear(2, 2), 0.1, (0.5, 0.9))
    one.apply((torch.ones(2, 2), torch.ones(2)), 1.0)
    assert (one.means, one.count) == ([], 0)
    assert not {"count", "means.0"} & one.tensors().keys()


def game_distances(inertia: float, steps: int, start: tuple[float, float]) -> list[float]:
    """How far from (1, 1) simultaneous descent is in the game (f(x) - 1)(y - 1), which x minimises and y maximises."""
    one, other, path = player(inertia, start[0], rate=0.05), player(inertia, start[1], rate=0.05), []
    for _ in range(steps):
        (x,), (y,) = one.parameters, other.parameters
        value = ((x if x < 0 else x.square()) - 1) * (y - 1)
        by_x, by_y = torch.autograd.grad(value, (x, y))
        one.apply((by_x,), 1.0)
        other.apply((-by_y,), 1.0)
        path.append(sum((Tensor.item(v) - 1) ** 2 for v in (x, y)) ** 0.5)
    return path


@pytest.mark.parametrize("start", [(-0.5, 0.5), (2.0, 0.0)])
def test_the_papers_game_converges_with_it_alone(start: tuple[float, float]) -> None:
    """Salimans et al. 2016, section 3.3, gives the game and no numbers; weight .25 and rate .05 are ours."""
    assert min(game_distances(0.0, 500, start)[-200:]) > 0.5
    path = game_distances(0.25, 1500, start)
    assert max(path[-100:]) < 0.02
    assert max(path[-100:]) < max(path[500:600]) / 2
