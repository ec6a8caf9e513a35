from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.config import Config
from textgan.game.penalties import gradient_penalty
from textgan.game.relaxations import RELAXATIONS
from textgan.model import BLOCK, Model, build_generator, load
from textgan.nets import CRITICS, GENERATORS
from textgan.nets.attention import Attention, Block, CausalTransformerGenerator, attend, head_count, stack
from textgan.spaces import Text

LENGTH, SYMBOLS, WIDTH = 6, 5, 32  # two heads
SPACE = Text(tuple("etaoinsr"), 9)
FACTS: dict[str, Any] = {
    "step": 1,
    "evaluation": None,
    "corpus": {"name": "tiny", "fingerprint": "ab", "train": 90, "facts": {"title": "t"}},
}


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=seeded(), dtype=torch.float64)


def randomised(net: nn.Module) -> Any:
    """In float64 with every parameter away from the round values it may start from."""
    rng = seeded()
    for parameter in net.double().parameters():
        parameter.data.add_(0.2 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return net


def critic(name: str, *, width: int = WIDTH, length: int = LENGTH, symbols: int = SYMBOLS, blocks: int = 2) -> Any:
    return randomised(CRITICS[name](length=length, symbols=symbols, width=width, blocks=blocks, kernel=3))


def generator(name: str, *, width: int = WIDTH, length: int = LENGTH, blocks: int = 2) -> Any:
    net = GENERATORS[name](length=length, symbols=SYMBOLS, latent=3, width=width, blocks=blocks, kernel=3)
    return randomised(net)


def raw(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.softmax(-1), logits.argmax(-1)


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


# --- attention


def test_heads_divide_the_width() -> None:
    widths = (1, 6, 16, 31, 32, 48, 64, 50, 112, 512)
    assert [head_count(width) for width in widths] == [1, 1, 1, 1, 2, 3, 4, 2, 7, 32]


def by_loops(layer: Attention, x: Tensor) -> Tensor:
    """Equation 1 of Vaswani et al. for one row x (position, width), number by number."""
    heads, size = layer.heads, x.shape[1] // layer.heads
    q, k, v = (x @ part.T for part in layer.look.weight.detach().chunk(3))
    joined = torch.zeros_like(x)
    for head in range(heads):
        at = slice(head * size, head * size + size)
        for t in range(len(x)):
            seen = range(t + 1 if layer.causal else len(x))
            alike = [math.exp(float((q[t, at] * k[s, at]).sum()) / math.sqrt(size)) for s in seen]
            for weight, s in zip(alike, seen, strict=True):
                joined[t, at] += weight / sum(alike) * v[s, at]
    return joined @ layer.leave.weight.detach().T + layer.leave.bias.detach()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("width", [6, 48])
def test_attention_is_that_of_plain_loops(width: int, causal: bool) -> None:
    layer, x = randomised(Attention(width, causal=causal)), normal(2, 5, width)
    assert layer.heads == {6: 1, 48: 3}[width]
    torch.testing.assert_close(layer(x), torch.stack([by_loops(layer, row) for row in x]))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_torchs(causal: bool) -> None:
    q, k, v = normal(3, 2, 4, LENGTH, 7).unbind(0)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(attend(q, k, v, causal=causal), theirs)


def test_fewer_queries_than_keys_are_the_last_positions() -> None:
    q, k, v = normal(3, 2, 4, LENGTH, 7).unbind(0)
    whole = attend(q, k, v, causal=True)
    for last in range(1, LENGTH + 1):
        torch.testing.assert_close(attend(q[:, :, -last:], k, v, causal=True), whole[:, :, -last:])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_and_blocks_agree_with_finite_differences_twice(causal: bool) -> None:
    block, x = randomised(Block(2, 1, causal=causal)), normal(2, 3, 2).requires_grad_(True)
    assert torch.autograd.gradcheck(block, x)
    assert torch.autograd.gradgradcheck(block, x)


def test_a_block_is_its_formula() -> None:
    block, x = randomised(Block(WIDTH, 2, causal=False)), normal(2, LENGTH, WIDTH)

    def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
        off = x - x.mean(2, keepdim=True)
        return off / (off.square().mean(2, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias

    x1 = x + block.attention(norm(block.before_attention, x))
    inner = norm(block.before_mlp, x1) @ block.widen.weight.T + block.widen.bias
    inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    torch.testing.assert_close(block(x), x1 + inner @ block.narrow.weight.T + block.narrow.bias)
    assert block.widen.weight.shape == (4 * WIDTH, WIDTH)


@pytest.mark.parametrize("blocks", [1, 8])
def test_weights_start_as_glorots_and_branches_small(blocks: int) -> None:
    torch.manual_seed(0)
    block: Any = stack(96, blocks, causal=True)[0]
    glorot, shrink = math.sqrt(2 / (96 + 96)), math.sqrt(2 * blocks)
    for part in block.attention.look.weight.chunk(3):
        assert part.std().item() == pytest.approx(glorot, rel=0.03)
    assert block.attention.leave.weight.std().item() == pytest.approx(glorot / shrink, rel=0.03)
    assert block.widen.weight.std().item() == pytest.approx(math.sqrt(2 / 480), rel=0.03)
    assert block.narrow.weight.std().item() == pytest.approx(math.sqrt(2 / 480) / shrink, rel=0.03)


def test_without_positions_attention_does_not_know_their_order() -> None:
    net, samples = critic("transformer"), normal(3, LENGTH, SYMBOLS).softmax(-1)
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    shuffled = samples[:, order]
    assert (net(samples) - net(shuffled)).abs().min() > 1e-4
    with torch.no_grad():
        net.positions.zero_()
    torch.testing.assert_close(net.states(shuffled), net.states(samples)[:, order])
    torch.testing.assert_close(net(shuffled), net(samples))


# --- critics: see test_nets.py and test_nets_recurrent.py for what all of a kind share


def test_the_critic_looks_both_ways_and_the_causal_one_back() -> None:
    samples = normal(1, LENGTH, SYMBOLS).softmax(-1).requires_grad_(True)
    for name, causal in (("transformer", False), ("causal_transformer", True)):
        states = critic(name).states(samples)
        for t in range(LENGTH):
            looked = torch.autograd.grad(states[0, t].square().sum(), samples, retain_graph=True)[0].abs().sum(2)[0]
            assert (looked > 0).tolist() == [s <= t or not causal for s in range(LENGTH)]


@pytest.mark.parametrize("name", ["transformer", "causal_transformer"])
def test_a_critics_slope_penalty_agrees_with_finite_differences(name: str) -> None:
    net = critic(name, width=2, length=3, symbols=3, blocks=1)
    real, fake = normal(2, 2, 3, 3).softmax(-1).unbind(0)
    weights = tuple(net.parameters())

    def paid(*_: Tensor) -> Tensor:  # gradcheck nudges the weights in place
        return gradient_penalty(net, real, fake, rng=seeded())

    assert paid() > 1e-3
    assert torch.autograd.gradcheck(paid, weights)


def test_sizes_counted_by_hand() -> None:
    # width 32: two norms, queries keys and values, what leaves attention, the mlp 32 -> 128 -> 32
    block = 2 * 64 + 3 * 32 * 32 + (32 * 32 + 32) + (32 * 128 + 128) + (128 * 32 + 32)
    end, positions = 64 + (32 * 5 + 5), 6 * 32
    assert size(generator("transformer")) == 3 * 6 * 32 + positions + 2 * block + end
    assert size(generator("causal_transformer")) == (3 * 32 + 32) + 5 * 32 + positions + 2 * block + end
    for name in ("transformer", "causal_transformer"):
        assert size(critic(name)) == 5 * 32 + positions + 2 * block + 64 + 33


# --- generators


def test_the_generator_is_its_formula() -> None:
    net, z = generator("transformer"), normal(4, 3)
    x = (net.enter.weight @ z.T).T.reshape(4, LENGTH, WIDTH) + net.positions
    for block in net.blocks:
        assert not block.attention.causal
        x = block(x)
    torch.testing.assert_close(net.make_logits(z), net.leave(F.layer_norm(x, (WIDTH,), net.norm.weight, net.norm.bias)))


def test_the_causal_generator_is_its_formula() -> None:
    net, z = generator("causal_transformer"), normal(4, 3)
    ids = torch.randint(SYMBOLS, (4, LENGTH), generator=seeded())
    before = torch.cat([torch.zeros(4, 1, SYMBOLS).double(), F.one_hot(ids[:, :-1], SYMBOLS).double()], 1)
    x = before @ net.embed.weight.T + (z @ net.remind.weight.T + net.remind.bias).unsqueeze(1) + net.positions
    for block in net.blocks:
        assert block.attention.causal
        x = block(x)
    expected = net.leave(F.layer_norm(x, (WIDTH,), net.norm.weight, net.norm.bias))
    torch.testing.assert_close(net.teacher(ids, z), expected)


def test_noise_and_positions_start_as_large() -> None:
    torch.manual_seed(0)
    net: Any = GENERATORS["transformer"](length=32, symbols=7, latent=50, width=64, blocks=2, kernel=3)
    assert net.enter(torch.randn(200, 50)).std().item() == pytest.approx(1, rel=0.05)
    assert net.positions.std().item() == pytest.approx(1, rel=0.05)


def test_kept_keys_and_values_grow_by_a_position_a_step() -> None:
    net: CausalTransformerGenerator = generator("causal_transformer")
    memory, reads = net.first(normal(4, 3)), normal(4, LENGTH, WIDTH)
    said = []
    for t in range(LENGTH):
        assert [tuple(past.shape) for past in memory] == [(2, 4, 2, t, WIDTH // 2)] * 2
        step, memory = net.step(reads[:, t], memory)
        said.append(step)
    torch.testing.assert_close(torch.stack(said, 1), net.steps(reads, normal(4, 3)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "straight_through", "gumbel_softmax"])
def test_gradients_through_kept_keys_are_those_of_reading_all_again(name: str) -> None:
    net, z = generator("causal_transformer"), normal(4, 3)
    relax = partial(RELAXATIONS[name], temperature=1.0)

    def by_reading_again(rng: torch.Generator) -> Tensor:
        """Every prefix read from the start, with no memory at all."""
        read, sample = net.remind(z).unsqueeze(1), list[Tensor]()
        for _ in range(LENGTH):
            logits = net.leave(net.norm(net.blocks(read + net.positions[: read.shape[1]]))[:, -1])
            sample.append(relax(logits, rng=rng)[0])
            read = torch.cat([read, (net.embed(sample[-1]) + net.remind(z)).unsqueeze(1)], 1)
        return torch.stack(sample, 1)

    samples = net(z, partial(relax, rng=seeded())).sample, by_reading_again(seeded())
    torch.testing.assert_close(*samples)
    weights = normal(4, LENGTH, SYMBOLS)
    ours, theirs = (torch.autograd.grad((sample * weights).sum(), list(net.parameters())) for sample in samples)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["transformer", "causal_transformer"])
def test_lines_depend_on_seed_and_place_only_and_survive_the_disk(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Config.model_validate({"generator": {"net": name, "width": 8, "blocks": 2}, "text": {"length": 9}})
    made = Model(build_generator(config, SPACE).eval().requires_grad_(False), SPACE, config, FACTS)
    lines = made.generate(BLOCK + 9, seed=3)
    assert made.generate(63, seed=3) == lines[:63]
    assert len(set(lines)) > 50
    made.save(tmp_path / "m")
    assert load(tmp_path / "m").generate(BLOCK + 9, seed=3) == lines
