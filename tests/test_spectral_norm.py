from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from textgan.game.conditions import bind_critic
from textgan.game.constraints import CONSTRAINTS, Bounds, SpectralNorm, iterate_power
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES, slopes
from textgan.game.steps import Game, critic_step
from textgan.nets import CONDITIONAL_CRITICS, CRITICS

RULE = CONSTRAINTS["spectral_norm"](Bounds())
CRITIC = pytest.mark.parametrize("critic", CRITICS)


def normalised(critic: str, labels: int = 0, condition: str = "projection") -> Any:
    torch.manual_seed(0)
    net = CRITICS[critic](length=9, symbols=4, width=6, blocks=2, kernel=3)
    if labels:
        net = CONDITIONAL_CRITICS[condition](net, labels=labels)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3).add_(0.1)
    RULE.prepare(net)
    return net


def matrices(net: nn.Module) -> list[Tensor]:
    """The weights of more than one axis as a critic's layers see them, as matrices."""
    found = [getattr(module, "weight", None) for module in net.modules()]
    return [weight.detach().flatten(1) for weight in found if isinstance(weight, Tensor) and weight.dim() > 1]


def norms(net: nn.Module) -> list[float]:
    return [torch.linalg.svdvals(matrix).max().item() for matrix in matrices(net)]


@CRITIC
@pytest.mark.parametrize("condition", [None, *CONDITIONAL_CRITICS])
def test_every_weights_largest_singular_value_is_one(critic: str, condition: str | None) -> None:
    net = normalised(critic, 3 if condition else 0, condition or "")
    assert norms(net) == pytest.approx([1.0] * len(norms(net)), rel=0.2)  # from the start, or nearly
    for _ in range(100):
        iterate_power(net)
    assert norms(net) == pytest.approx([1.0] * len(norms(net)), rel=0.01)
    layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Embedding)]
    assert len(matrices(net)) == sum(parametrize.is_parametrized(module) for module in net.modules())
    assert len(matrices(net)) >= len(layers) > 1


def test_a_weight_of_several_axes_is_a_matrix_of_its_outputs(rng: torch.Generator) -> None:
    weight = torch.randn(5, 3, 2, generator=rng, dtype=torch.float64)
    norm = SpectralNorm(weight)
    for _ in range(200):
        norm.iterate(weight)
    torch.testing.assert_close(norm(weight), weight / torch.linalg.matrix_norm(weight.reshape(5, 6), 2))


def test_an_iteration_by_hand() -> None:
    weight = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    norm = SpectralNorm(weight)
    norm.left.copy_(torch.tensor([0.6, 0.8]))
    norm.iterate(weight)
    first = torch.tensor([1.8, 0.8]) / (1.8**2 + 0.8**2) ** 0.5  # W'u, of length one
    second = torch.tensor([5.4, 0.8]) / (5.4**2 + 0.8**2) ** 0.5  # W v, of length one
    torch.testing.assert_close((norm.right, norm.left), (first, second))
    torch.testing.assert_close(norm(weight), weight / (3 * first[0] * second[0] + first[1] * second[1]))


def test_its_gradient_knows_u_and_v_for_constants(rng: torch.Generator) -> None:
    weight = torch.randn(4, 3, 2, generator=rng, dtype=torch.float64).requires_grad_(True)
    towards = torch.randn(4, 3, 2, generator=rng, dtype=torch.float64)
    norm = SpectralNorm(weight)
    u, v = norm.left, norm.right
    sigma = (u @ weight.flatten(1) @ v).detach()
    (found,) = torch.autograd.grad((norm(weight) * towards).sum(), weight)
    paid = (towards * weight.detach()).sum() / sigma  # eq. 12 of the paper
    torch.testing.assert_close(found, (towards - paid * torch.outer(u, v).view_as(weight)) / sigma)
    assert torch.autograd.gradcheck(norm, (weight,))
    assert torch.autograd.gradgradcheck(norm, (weight,))


def vectors(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.named_buffers()}


@CRITIC
def test_one_iteration_an_update_however_often_it_is_called(critic: str, rng: torch.Generator) -> None:
    net = normalised(critic)
    before, samples = vectors(net), torch.rand(5, 9, 4, generator=rng)
    game = Game(OBJECTIVES["hinge"], 1.0, {"r1": (1.0, PENALTIES["r1"])}, RULE, {})
    critic_step(game, net, list(net.parameters()), real=samples, fake=samples.flip(0), rng=rng)
    assert all(torch.equal(value, before[name]) for name, value in vectors(net).items())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng))
    RULE.after_step(net)
    after = vectors(net)
    assert before.keys() == after.keys()
    for name in (name for name in before if name.endswith("left")):
        original = dict(net.named_parameters())[name.replace("0.left", "original")].detach().flatten(1)
        right = F.normalize(before[name] @ original, dim=0)
        torch.testing.assert_close(after[name.replace("left", "right")], right)
        torch.testing.assert_close(after[name], F.normalize(original @ right, dim=0))


def test_the_papers_critic_folds_its_head_under_it_as_without(rng: torch.Generator) -> None:
    net, samples = normalised("paper").double(), torch.rand(5, 9, 4, generator=rng, dtype=torch.float64)
    folded, plain = net(samples), net.score(net.features(samples)).squeeze(1)
    torch.testing.assert_close(folded, plain)
    found = (torch.autograd.grad(scores.square().sum(), list(net.parameters())) for scores in (folded, plain))
    torch.testing.assert_close(next(found), next(found))


@CRITIC
@pytest.mark.parametrize("condition", CONDITIONAL_CRITICS)
def test_conditional_critics_are_as_they_were_but_for_their_weights(
    critic: str, condition: str, rng: torch.Generator
) -> None:
    net, samples = normalised(critic, 3, condition), torch.rand(5, 9, 4, generator=rng)
    torch.manual_seed(1)
    plain = CRITICS[critic](length=9, symbols=4, width=6, blocks=2, kernel=3)
    plain = CONDITIONAL_CRITICS[condition](plain, labels=3)
    shown = {
        name: getattr(net.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2])
        for name in plain.state_dict()
    }
    plain.load_state_dict(shown)
    labels = torch.tensor([0, 2, 1, 1, 0])
    torch.testing.assert_close(bind_critic(net, labels)(samples), bind_critic(plain, labels)(samples))


def test_a_linear_critic_has_a_slope_of_one(rng: torch.Generator) -> None:
    critic: Any = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0))
    RULE.prepare(critic)
    samples = torch.randn(4, 3, 4, generator=rng)
    torch.testing.assert_close(slopes(critic, samples).detach(), torch.ones(4))


def test_layers_of_norm_one_make_a_critic_of_slope_one_at_most(rng: torch.Generator) -> None:
    net: Any = nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(10 * torch.randn(parameter.shape, generator=rng))
    RULE.prepare(net)
    for _ in range(100):
        iterate_power(net)
    one, other = torch.randn(2, 500, 5, generator=rng)
    stretched = (net(one) - net(other)).abs().squeeze(1) / (one - other).norm(dim=1)
    assert 0.05 < stretched.max().item() <= 1.01


def test_a_weight_of_zeros_stays_finite() -> None:
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.zero_()
    RULE.prepare(net)
    RULE.after_step(net)
    assert not net.weight.any()
    assert torch.autograd.grad(net(torch.ones(1, 3)).sum(), list(net.parameters()))[0].isfinite().all()


def test_biases_and_gains_are_left_alone() -> None:
    net: Any = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    before = [net[0].bias.clone(), net[1].weight.clone(), net[1].bias.clone()]
    RULE.prepare(net)
    assert all(torch.equal(a, b) for a, b in zip(before, [net[0].bias, net[1].weight, net[1].bias], strict=True))
    assert [name for name, _ in net.named_parameters()] == [
        "0.bias", "0.parametrizations.weight.original", "1.weight", "1.bias",
    ]  # fmt: skip
