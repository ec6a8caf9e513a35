from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textgan import runs
from textgan.checks import check
from textgan.config import Config
from textgan.errors import UsageError
from textgan.game.conditions import bind_critic
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.penalties import consistency, slopes
from textgan.nets import CONDITIONAL_CRITICS, CRITICS
from textgan.nets.dropout import Dropout
from textgan.settings import resolve
from textgan.training.precision import Bfloat16
from textgan.transfers import Draws, dropping

SHAPE = {"length": 9, "symbols": 5, "width": 6, "blocks": 2, "kernel": 3}
DROPPING = ["paper", "downsampling"]
CONSISTENT = {"critic.dropout": 0.5, "game.penalties": {"gradient_penalty": 10.0, "consistency": 2.0}}


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def configured(text: Path, **flags: Any) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | flags).config


class Thin(nn.Module):
    """D(x) = w·dropout(x), whose features are dropout(x)."""

    def __init__(self, weights: list[float], share: float) -> None:
        super().__init__()
        self.drop, self.weight = Dropout(share), nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def features(self, samples: Tensor) -> Tensor:
        return self.drop(samples)  # type: ignore[no-any-return]

    def forward(self, samples: Tensor) -> Tensor:
        return self.features(samples) @ self.weight


def test_a_share_is_dropped_and_the_rest_makes_up_for_it() -> None:
    layer, x = Dropout(0.2), torch.full((100, 50, 8), 3.0)
    with dropping(seeded()):
        out = layer(x)
    kept = out != 0
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 3 / 0.8))
    assert kept.float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert kept.float().mean((0, 1)).min() > 0.75  # whichever value it is
    assert kept.float().mean((1, 2)).std() < 0.05


def test_nothing_is_dropped_elsewhere() -> None:
    x = torch.ones(4, 5)
    with dropping(seeded()):
        assert Dropout(0.0)(x) is x
    assert Dropout(0.5)(x) is x
    with pytest.raises(KeyError), dropping(seeded()):
        raise KeyError
    assert Dropout(0.5)(x) is x


def test_a_layer_drops_the_same_within_and_others_anew() -> None:
    one, other, x = Dropout(0.5), Dropout(0.5), torch.ones(20, 30)
    with dropping(seeded()):
        first, second, again = one(x), other(x), one(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    with dropping(seeded()):
        assert torch.equal(one(x), first)
        assert torch.equal(other(x), second)
    with dropping(seeded(2)):
        assert not torch.equal(one(x), first)


@pytest.mark.parametrize("name", DROPPING)
def test_a_critic_drops_within_only_and_its_score_is_that_of_its_features(name: str, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    plain: Any = CRITICS[name](**SHAPE).double()
    net: Any = CRITICS[name](dropout=0.5, **SHAPE).double()
    net.load_state_dict(plain.state_dict())
    samples = torch.rand(4, 9, 5, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(net(samples), plain(samples))
    torch.testing.assert_close(slopes(net, samples), slopes(plain, samples))
    with dropping(seeded()):
        scores, features = net(samples), net.features(samples)
    torch.testing.assert_close(scores, net.score(features)[:, 0])
    assert (scores - plain(samples)).abs().min() > 1e-4
    assert (features == 0).double().mean() == pytest.approx(0.5, abs=0.15)


def test_every_block_drops(rng: torch.Generator) -> None:
    net: Any = CRITICS["paper"](dropout=0.5, **SHAPE)
    layers = [module for module in net.modules() if isinstance(module, Dropout)]
    assert [layer.share for layer in layers] == [0.5, 0.5]
    seen = list[Tensor]()
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, out: seen.append(out))
    with dropping(rng):
        net(torch.rand(4, 9, 5))
    assert [bool((out == 0).any()) for out in seen] == [True, True]


@pytest.mark.parametrize("condition", [None, *CONDITIONAL_CRITICS])
@pytest.mark.parametrize("constraint", ["none", "gradient_normalisation"])
def test_dropping_reaches_through_whatever_is_around(
    condition: str | None, constraint: str, rng: torch.Generator
) -> None:
    torch.manual_seed(0)
    net: Any = CRITICS["paper"](dropout=0.5, **SHAPE)
    labels = None if condition is None else torch.tensor([0, 2, 1, 2])
    whole = net if condition is None else CONDITIONAL_CRITICS[condition](net, labels=3)
    critic = CONSTRAINTS[constraint](Bounds()).wrap(bind_critic(Bfloat16(whole, torch.device("cpu")), labels))
    samples = torch.rand(4, 9, 5, generator=rng)
    paid = consistency(critic, samples, samples, rng=seeded())
    assert paid > 1e-3
    torch.testing.assert_close(paid, consistency(critic, samples, samples, rng=seeded()))


def test_consistency_by_hand() -> None:
    critic, samples = Thin([1.0, 2.0], 0.5), torch.tensor([[1.0, 3.0], [5.0, 7.0]], dtype=torch.float64)
    draws = seeded()
    a, b = ((torch.rand(2, 2, generator=draws) >= 0.5).double() * 2 for _ in range(2))  # kept values are doubled
    assert not torch.equal(a, b)
    expected = 0.0
    for row in range(2):
        score = sum(w * x * (p - q) for w, x, p, q in zip([1, 2], samples[row], a[row], b[row], strict=True))
        features = sum((x * (p - q)) ** 2 for x, p, q in zip(samples[row], a[row], b[row], strict=True)) / 2
        expected += float(score**2 + 0.1 * features) / 2
    assert expected > 1
    fake = torch.full((2, 2), torch.nan, dtype=torch.float64)
    assert consistency(critic, samples, fake, rng=seeded()).item() == pytest.approx(expected)


def test_consistency_in_expectation(rng: torch.Generator) -> None:
    """A value x of weight w is 0 or x/k with chance k = 1 - share: two of them are w² x² · 2(1-k)/k apart."""
    for share in (0.2, 0.5):
        critic = Thin([3.0], share)
        paid = consistency(critic, torch.full((200_000, 1), 2.0, dtype=torch.float64), torch.zeros(1), rng=rng)
        assert paid.item() == pytest.approx((9 + 0.1) * 4 * 2 * share / (1 - share), rel=0.02)


@pytest.mark.parametrize("name", DROPPING)
def test_consistencys_gradients_agree_with_finite_differences(name: str, rng: torch.Generator) -> None:
    torch.manual_seed(0)
    net: Any = CRITICS[name](dropout=0.5, **(SHAPE | {"width": 2})).double()
    samples = torch.rand(2, 9, 5, generator=rng, dtype=torch.float64)
    for parameter in net.parameters():
        parameter.data.uniform_(-0.5, 0.5, generator=rng)  # a bias of 0 puts what is dropped on a kink

    def paid(*weights: Tensor) -> Tensor:
        for parameter, weight in zip(net.parameters(), weights, strict=True):
            parameter.data = weight.data
        return consistency(net, samples, samples, rng=seeded())

    weights = [w.detach().clone() for w in net.parameters()]
    gradients = torch.autograd.grad(paid(*weights), list(net.parameters()))
    towards = [torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights]
    ahead, behind = (paid(*(w + s * t for w, t in zip(weights, towards, strict=True))).item() for s in (1e-6, -1e-6))
    along = sum((g * t).sum().item() for g, t in zip(gradients, towards, strict=True))
    assert abs(along) > 1e-3
    assert along == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)


def test_what_is_dropped_can_be_drawn_anew_into_the_same_tensors() -> None:
    net: Any = CRITICS["paper"](dropout=0.5, **SHAPE)
    samples, kept = torch.rand(4, 9, 5), Draws()
    consistency(net, samples, samples, rng=kept)
    kept.rewind().refill(seeded(5))
    again = consistency(net, samples, samples, rng=kept)
    assert again.item() == consistency(net, samples, samples, rng=seeded(5)).item() > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (CONSISTENT | {"critic.dropout": 0.0}, "^critic.dropout: must be above 0 with the penalty consistency"),
        ({"critic.dropout": 0.5}, "^critic.dropout: nothing but the penalty consistency drops values"),
        (CONSISTENT | {"critic.net": "none"}, "^critic.dropout: the net 'none' has no dropout"),
    ],
)
def test_dropout_that_would_do_nothing_is_refused(flags: dict[str, Any], message: str, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=message):
        check(configured(tiny_text, **flags))


@pytest.mark.parametrize("net", DROPPING)
def test_a_run_trains_with_consistency_and_the_same_twice(net: str, tiny_text: Path, tmp_path: Path) -> None:
    brief = {"training.steps": 3, "evaluation.samples": 20, "critic.net": net, "critic.blocks": 1}
    config = configured(tiny_text, **CONSISTENT, **brief)
    for run in ("a", "b"):
        assert runs.train(config, tmp_path / run).stopped == "finished"
    a, b = ((tmp_path / run / "model" / "model.safetensors").read_bytes() for run in ("a", "b"))
    assert a == b
