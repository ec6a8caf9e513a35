from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textgan.config import Config
from textgan.game.conditions import bind_generator
from textgan.game.penalties import gradient_penalty
from textgan.game.relaxations import RELAXATIONS, softmax, straight_through
from textgan.model import BLOCK, Model, build_generator, load
from textgan.nets import CRITICS, GENERATORS
from textgan.nets.autoregressive import embedding
from textgan.nets.conditional import ConditionalGenerator
from textgan.spaces import Text

LENGTH, SYMBOLS = 7, 5
WRITERS = ("recurrent", "lstm", "causal_transformer")  # generators that read what they have written
CAUSAL = ("recurrent", "causal_transformer")  # critics that score each symbol
SPACE = Text(tuple("etaoinsr"), 9)
FACTS: dict[str, Any] = {
    "step": 1,
    "corpus": {"name": "tiny", "fingerprint": "ab", "train": 90, "facts": {"title": "tiny.txt"}},
    "evaluation": None,
}


def net(layers: int = 1, latent: int = 3, name: str = "recurrent") -> Any:
    torch.manual_seed(1)
    made: Any = GENERATORS[name](length=LENGTH, symbols=SYMBOLS, latent=latent, width=6, blocks=layers, kernel=3)
    return made.double()


def critic(name: str = "recurrent", *, blocks: int = 2, width: int = 6, length: int = LENGTH) -> Any:
    torch.manual_seed(1)
    made: Any = CRITICS[name](length=length, symbols=SYMBOLS, width=width, blocks=blocks, kernel=3)
    return made.double()


def soft(rows: int, length: int = LENGTH) -> Tensor:
    return torch.rand(rows, length, SYMBOLS, generator=torch.Generator().manual_seed(4), dtype=torch.float64).softmax(2)


def noise(rows: int = 4, latent: int = 3) -> Tensor:
    return torch.randn(rows, latent, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def drawn(name: str = "straight_through") -> Any:
    return partial(RELAXATIONS[name], temperature=1.0, rng=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("layers", [1, 2])
def test_sampling_step_by_step_gives_the_logits_of_teacher_forcing(layers: int, name: str) -> None:
    made = net(layers, name=name)
    output = made(noise(), drawn())
    torch.testing.assert_close(made.teacher(output.ids, noise()), output.logits, rtol=0, atol=1e-10)
    assert len(set(output.ids.flatten().tolist())) > 2


@pytest.mark.parametrize("layers", [1, 2])
def test_the_gru_by_hand(layers: int) -> None:
    """The gates of Cho et al. 2014 as torch orders them, one row and one position at a time."""
    made, z = net(layers), noise(2)
    soft = torch.rand(2, LENGTH, SYMBOLS, dtype=torch.float64).softmax(-1)
    given = iter(soft.unbind(1))
    output = made(z, lambda logits: (next(given), logits.argmax(-1)))
    w = {name: value.detach() for name, value in made.named_parameters()}
    for row in range(2):
        first = torch.tanh(w["enter.weight"] @ z[row] + w["enter.bias"])
        states = [first[6 * k : 6 * k + 6] for k in range(layers)]
        for t in range(LENGTH):
            x = w["remind.weight"] @ z[row] + w["remind.bias"]
            if t > 0:
                x = x + sum(soft[row, t - 1, v] * w["embed.weight"][:, v] for v in range(SYMBOLS))
            for k in range(layers):
                a = w[f"gru.weight_ih_l{k}"] @ x + w[f"gru.bias_ih_l{k}"]
                b = w[f"gru.weight_hh_l{k}"] @ states[k] + w[f"gru.bias_hh_l{k}"]
                reset, keep = torch.sigmoid(a[:6] + b[:6]), torch.sigmoid(a[6:12] + b[6:12])
                fresh = torch.tanh(a[12:] + reset * b[12:])
                states[k] = x = (1 - keep) * fresh + keep * states[k]
            torch.testing.assert_close(output.logits[row, t], w["leave.weight"] @ x + w["leave.bias"])
    assert torch.equal(output.sample, soft)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_lstm_by_hand_and_as_torchs(layers: int) -> None:
    """The gates of Gers et al. 2000 as torch orders them, from the state and the cell that the noise makes."""
    made, z, seen = net(layers, name="lstm"), noise(2), soft(2)
    given = iter(seen.unbind(1))
    logits = made(z, lambda logits: (next(given), logits.argmax(-1))).logits
    w = {name: value.detach() for name, value in made.named_parameters()}
    first = torch.tanh(z @ w["enter.weight"].T + w["enter.bias"]).view(2, 2, layers, 6)
    state, cell = (list(part.unbind(1)) for part in first.unbind(1))
    reads, last = list[Tensor](), list[Tensor]()
    for t in range(LENGTH):
        x = z @ w["remind.weight"].T + w["remind.bias"]
        if t > 0:
            x = x + seen[:, t - 1] @ w["embed.weight"].T
        reads.append(x)
        for k in range(layers):
            gates = x @ w[f"lstm.weight_ih_l{k}"].T + w[f"lstm.bias_ih_l{k}"]
            gates = gates + state[k] @ w[f"lstm.weight_hh_l{k}"].T + w[f"lstm.bias_hh_l{k}"]
            enter, keep, fresh, leave = gates.chunk(4, 1)
            cell[k] = torch.sigmoid(keep) * cell[k] + torch.sigmoid(enter) * torch.tanh(fresh)
            state[k] = x = torch.sigmoid(leave) * torch.tanh(cell[k])
        last.append(x)
        torch.testing.assert_close(logits[:, t], x @ w["leave.weight"].T + w["leave.bias"])
    torchs = nn.LSTM(6, 6, num_layers=layers, batch_first=True).double()
    torchs.load_state_dict(made.lstm.state_dict())
    hidden, memory = (part.transpose(0, 1).contiguous() for part in first.unbind(1))
    torch.testing.assert_close(torchs(torch.stack(reads, 1), (hidden, memory))[0], torch.stack(last, 1))


def test_sizes_counted_by_hand() -> None:
    # width 6, two layers; a GRU has three gates, an LSTM four, each with two matrices and two biases
    around = (3 * 6 + 6) + 5 * 6 + (6 * 5 + 5)  # remind, embed, leave
    assert size(net(2)) == (3 * 12 + 12) + around + 2 * 3 * (2 * 36 + 2 * 6)
    assert size(net(2, name="lstm")) == (3 * 24 + 24) + around + 2 * 4 * (2 * 36 + 2 * 6)
    assert size(critic()) == 5 * 6 + 2 * 3 * (2 * 36 + 2 * 6) + 7


def test_symbols_start_with_standard_normal_vectors() -> None:
    torch.manual_seed(0)
    weight = embedding(60, 50).weight
    assert (weight.mean().item(), weight.std().item()) == pytest.approx((0, 1), abs=0.03)


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("name", WRITERS)
def test_a_position_sees_the_symbols_before_it_and_no_others(name: str) -> None:
    soft = torch.rand(1, LENGTH, SYMBOLS, dtype=torch.float64).requires_grad_(True)
    given = iter(soft.unbind(1))
    logits = net(name=name)(noise(1), lambda logits: (next(given), logits.argmax(-1))).logits
    for t in range(LENGTH):
        looked = torch.autograd.grad(logits[0, t, 2] + 0 * soft.sum(), soft, retain_graph=True)[0].abs().sum(2)[0]
        assert (looked[:t] > 0).all()
        assert (looked[t:] == 0).all()


@pytest.mark.parametrize("name", WRITERS)
def test_teacher_forcing_sees_the_symbols_before_a_position_and_no_others(name: str) -> None:
    made, ids = net(name=name), torch.randint(SYMBOLS, (1, LENGTH), generator=torch.Generator().manual_seed(5))
    before = made.teacher(ids, noise(1))
    for t in range(LENGTH):
        other = ids.clone()
        other[0, t] = (other[0, t] + 1) % SYMBOLS
        changed = (made.teacher(other, noise(1)) - before).abs().sum(2)[0] > 0
        assert changed.tolist() == [False] * (t + 1) + [True] * (LENGTH - t - 1)


@pytest.mark.parametrize("name", WRITERS)
def test_the_relaxation_is_applied_once_a_position_and_fed_back(name: str) -> None:
    seen: list[Tensor] = []

    def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(logits)
        return softmax(logits, temperature=1.0, rng=torch.Generator().manual_seed(len(seen)))

    output = net(name=name)(noise(), relax)
    assert [tuple(logits.shape) for logits in seen] == [(4, SYMBOLS)] * LENGTH
    assert torch.equal(torch.stack(seen, 1), output.logits)
    torch.testing.assert_close(output.sample, output.logits.softmax(-1))
    assert output.ids.dtype == torch.int64


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", sorted(RELAXATIONS.keys() - {"reinforce"}))  # which lets none through
def test_a_critics_gradient_at_the_last_symbol_reaches_the_first(name: str, writer: str) -> None:
    made = net(name=writer)
    reached: list[Tensor] = []

    def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
        sample, ids = drawn(name)(logits)
        reached.append(sample)
        return sample, ids

    output = made(noise(), relax)
    for gradient in torch.autograd.grad(output.sample[:, -1, 1].sum(), reached):
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("part", ["enter", "remind"])
@pytest.mark.parametrize("name", ["recurrent", "lstm"])
def test_the_noise_is_heard_in_the_first_state_and_at_every_position(name: str, part: str) -> None:
    made, ids = net(name=name), torch.zeros(4, LENGTH, dtype=torch.int64)
    with torch.no_grad():
        getattr(made, part).weight.zero_()
    spread = made.teacher(ids, noise()).std(0).amax(1)
    assert (spread > 1e-4).all()
    with torch.no_grad():
        made.enter.weight.zero_()
        made.remind.weight.zero_()
    assert made.teacher(ids, noise()).std(0).max() < 1e-12


@pytest.mark.parametrize("name", WRITERS)
def test_a_label_is_heard_by_sampling_and_teacher_forcing_alike(name: str) -> None:
    labels = torch.tensor([0, 2, 1, 2])
    made = ConditionalGenerator(net(latent=6, name=name), labels=3, latent=3).double()
    bound: Any = bind_generator(made, labels)
    output = bound(noise(), drawn())
    teacher = bound.teacher(output.ids, noise())
    torch.testing.assert_close(teacher, output.logits, rtol=0, atol=1e-10)
    other: Any = bind_generator(made, torch.tensor([0, 1, 1, 2]))
    same = [torch.equal(a, b) for a, b in zip(other.teacher(output.ids, noise()), teacher, strict=True)]
    assert same == [True, False, True, True]


# --- critics that read along


@pytest.mark.parametrize("name", CAUSAL)
def test_the_score_is_the_mean_of_the_positions_scores_and_linear_in_the_features(name: str) -> None:
    made, samples = critic(name), soft(4)
    scores = made.position_scores(samples)
    assert scores.shape == (4, LENGTH)
    assert scores.std(1).min() > 1e-3
    torch.testing.assert_close(scores.mean(1), made(samples))
    torch.testing.assert_close(made.score(made.features(samples)).squeeze(1), made(samples))


@pytest.mark.parametrize("name", CAUSAL)
def test_a_positions_score_knows_the_symbols_up_to_it_and_no_others(name: str) -> None:
    made, ids = critic(name), torch.randint(SYMBOLS, (1, LENGTH), generator=torch.Generator().manual_seed(5))
    before = made.position_scores(nn.functional.one_hot(ids, SYMBOLS).double())
    for t in range(LENGTH):
        other = ids.clone()
        other[0, t] = (other[0, t] + 1) % SYMBOLS
        changed = (made.position_scores(nn.functional.one_hot(other, SYMBOLS).double()) - before).abs()[0] > 0
        assert changed.tolist() == [False] * t + [True] * (LENGTH - t)


def test_other_critics_offer_no_score_of_a_position() -> None:
    assert [name for name in CRITICS if hasattr(CRITICS[name], "position_scores")] == list(CAUSAL)


def test_the_recurrent_critic_by_hand() -> None:
    made, samples = critic(), soft(2)
    w = {name: value.detach() for name, value in made.named_parameters()}
    states, scores = [torch.zeros(2, 6, dtype=torch.float64) for _ in range(2)], list[Tensor]()
    for t in range(LENGTH):
        x = samples[:, t] @ w["enter.weight"].T
        for k in range(2):
            a = x @ w[f"gru.weight_ih_l{k}"].T + w[f"gru.bias_ih_l{k}"]
            b = states[k] @ w[f"gru.weight_hh_l{k}"].T + w[f"gru.bias_hh_l{k}"]
            reset, keep = torch.sigmoid(a[:, :6] + b[:, :6]), torch.sigmoid(a[:, 6:12] + b[:, 6:12])
            fresh = torch.tanh(a[:, 12:] + reset * b[:, 12:])
            states[k] = x = (1 - keep) * fresh + keep * states[k]
        scores.append(x @ w["score.weight"][0] + w["score.bias"])
    torch.testing.assert_close(made.position_scores(samples), torch.stack(scores, 1))
    torch.testing.assert_close(made(samples), torch.stack(scores, 1).sum(1) / LENGTH)


def test_the_recurrent_critic_agrees_with_finite_differences_twice() -> None:
    made, samples = critic(blocks=2, width=2, length=3), soft(2, 3).requires_grad_(True)
    assert torch.autograd.gradcheck(made, samples)
    assert torch.autograd.gradgradcheck(made, samples)


def test_the_recurrent_critics_slope_penalty_agrees_with_finite_differences() -> None:
    made, (real, fake) = critic(blocks=1, width=2, length=3), soft(4, 3).chunk(2)

    def paid(*_: Tensor) -> Tensor:  # gradcheck nudges the weights in place
        return gradient_penalty(made, real, fake, rng=torch.Generator().manual_seed(6))

    assert paid() > 1e-3
    assert torch.autograd.gradcheck(paid, tuple(made.parameters()))


def test_layers_that_read_along_do_without_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    run = nn.GRU.forward

    def watched(self: nn.GRU, *inputs: Any) -> Any:
        seen.append(torch.backends.cudnn.enabled)
        return run(self, *inputs)

    monkeypatch.setattr(nn.GRU, "forward", watched)
    critic()(soft(2))
    net().teacher(torch.zeros(2, LENGTH, dtype=torch.int64), noise(2))
    assert seen == [False, False]


# --- in a model, symbols are decoded one by one


def model(space: Text = SPACE, net: str = "recurrent", **text: Any) -> Model:
    torch.manual_seed(0)
    sections = {"generator": {"net": net, "width": 8, "blocks": 2, "latent": 6}, "text": {"length": 9} | text}
    config = Config.model_validate(sections)
    made = build_generator(config, space).eval().requires_grad_(False)
    made.leave.weight *= 3  # type: ignore[operator, union-attr]
    return Model(made, space, config, FACTS)


@pytest.mark.parametrize(("net", "decode"), [("recurrent", "argmax"), ("recurrent", "sample"), ("lstm", "sample")])
def test_lines_depend_on_seed_and_place_only_and_survive_the_disk(net: str, decode: str, tmp_path: Path) -> None:
    made = model(net=net, decode=decode)
    lines = made.generate(2 * BLOCK, seed=3)
    assert made.generate(65, seed=3) == lines[:65]
    assert made.generate(63, seed=3) == lines[:63]
    assert len(set(lines)) > 50
    made.save(tmp_path / "m")
    assert load(tmp_path / "m").generate(65, seed=3) == lines[:65]


def test_argmax_feeds_back_the_likeliest_symbol_and_is_what_drawing_cold_comes_to() -> None:
    made = model(decode="argmax")
    lines = made.generate(BLOCK, seed=1)
    ids = torch.from_numpy(SPACE.encode(lines).astype("int64"))
    z = torch.stack([made._noise(1)] * BLOCK)
    logits = made.net.teacher(ids[:1], z[:1])  # type: ignore[operator]
    logits[..., SPACE.unknown] = -torch.inf
    ended = int((ids[0] == 0).int().argmax()) + 1 if (ids[0] == 0).any() else 9
    assert torch.equal(logits.argmax(-1)[0, :ended], ids[0, :ended])
    assert model().generate(BLOCK, seed=1, temperature=1e-30) == lines
    assert model().generate(BLOCK, seed=1) != lines


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_symbols_are_drawn_from_the_softmax_at_the_temperature_given_those_before(temperature: float) -> None:
    made = model(knows := Text(SPACE.symbols, 9, knows_unknown=True))
    with torch.inference_mode():
        z = torch.randn(6000, 6, generator=torch.Generator().manual_seed(8))
        pick = partial(_draw, rng=torch.Generator().manual_seed(9))
        ids = made._ids(z, None, made._decode(temperature), pick)
        p = (made.net.teacher(ids, z) / temperature).softmax(-1)  # type: ignore[operator]
    shares = torch.nn.functional.one_hot(ids, knows.size).double()
    deviation = (p * (1 - p)).sum(0).sqrt()
    assert ((shares - p).sum(0).abs() < 5 * deviation + 1e-3).all()


def test_the_unknown_symbol_is_never_fed_back_where_training_held_none() -> None:
    made = model()
    with torch.no_grad():
        made.net.leave.bias[SPACE.unknown] = 1e4  # type: ignore[operator, union-attr]
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(made.generate(50))
    z = torch.zeros(2, 6)
    assert (made._ids(z, None, made._decode(None), partial(_draw, rng=torch.Generator())) < SPACE.unknown).all()


def _draw(probabilities: Tensor, *, rng: torch.Generator) -> Tensor:
    return torch.multinomial(probabilities.flatten(0, -2), 1, generator=rng).view(probabilities.shape[:-1])


def test_straight_through_reads_the_drawn_symbols() -> None:
    output = net()(noise(), partial(straight_through, temperature=2.0, rng=torch.Generator().manual_seed(4)))
    assert torch.equal(output.sample.argmax(-1), output.ids)
