"""`textgan bench`: the plain forms do what ours do, a difference is found, and rows tell what was timed."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import textgan as command
from torch import Tensor, nn

from textgan import assemble
from textgan.bench import (
    BENCHMARKS,
    counts,
    flops,
    hardware,
    load,
    ngrams,
    parts,
    pictures,
    plain_ngrams,
    plain_pictures,
    plain_sample,
    plain_startup,
    preset,
    sample,
    startup,
    step,
)
from textgan.bench import text as made_up
from textgan.bench.case import Case, Setup, same, same_tensors
from textgan.bench.plain_load import load as plain_load
from textgan.bench.plain_nets import PlainCritic, PlainGenerator, PlainUpsampling, copy_weights
from textgan.bench.plain_sample import lines as plain_lines
from textgan.bench.plain_step import critic_loss, generator_loss, one_hot
from textgan.bench.timing import Effort, Pair, Time, measure, row, shares
from textgan.cli.main import main
from textgan.contract import Constraint
from textgan.errors import TextganError
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import BOUNDED, RELAXATIONS
from textgan.game.steps import Game, Step, critic_step, generator_step
from textgan.nets.image import ResNetCritic, ResNetGenerator
from textgan.nets.sequence import PaperCritic, PaperGenerator, UpsamplingGenerator
from textgan.training import loop

GAME = Game(
    OBJECTIVES["wasserstein"],
    1.0,
    {"gradient_penalty": (10.0, PENALTIES["gradient_penalty"])},
    Constraint(),
    {},
)
SHAPES = [(4, 8, 5, 6, 2, 3), (1, 7, 3, 5, 1, 5), (3, 5, 9, 4, 2, 1)]  # batch, length, symbols, width, blocks, kernel
SETUP = Setup(widths=(8,), count=300)
TIMES = {"ms", "low", "high", "cpu_ms", "plain_ms", "plain_low", "plain_high", "plain_cpu_ms", "ratio", "ratio_low"}
TIMES |= {"ratio_high", "cpu_ratio", "pairs", "name"}
ONCE = Effort.of(1)


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's limit is not looked at here."""
    monkeypatch.setattr(hardware, "SIZE", 64)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def nets(shape: tuple[int, ...]) -> tuple[PaperGenerator, PaperCritic, PlainGenerator, PlainCritic]:
    _, length, symbols, width, blocks, kernel = shape
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"length": length, "symbols": symbols, "width": width, "blocks": blocks, "kernel": kernel}
    ours = PaperGenerator(latent=4, **sizes).double(), PaperCritic(**sizes).double()
    plain = PlainGenerator(latent=4, **sizes).double(), PlainCritic(**sizes).double()
    for a, b in zip(plain, ours, strict=True):
        copy_weights(a, b)
    return *ours, *plain


def batch_of(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    batch, length, symbols, *_ = shape
    ids = torch.randint(symbols, (batch, length), generator=rng()).numpy()
    fake = torch.rand(batch, length, symbols, generator=rng(), dtype=torch.float64).softmax(-1)
    return one_hot(ids, symbols).double(), fake


def equal(ours: Step, net: nn.Module, loss: Tensor, plain: nn.Module) -> None:
    """Loss and every gradient, by name, to 1e-9 of the largest."""
    assert ours.losses["loss"].item() == pytest.approx(loss.item(), rel=1e-9)
    found = dict(zip((name for name, _ in net.named_parameters()), ours.gradients, strict=True))
    gradients = torch.autograd.grad(loss, list(plain.parameters()))
    expected = dict(zip((name for name, _ in plain.named_parameters()), gradients, strict=True))
    assert found.keys() == expected.keys()
    largest = max(gradient.abs().max().item() for gradient in gradients)
    assert largest > 0
    for name, gradient in expected.items():
        assert (found[name].reshape(gradient.shape) - gradient).abs().max().item() <= 1e-9 * largest, name


# --- the plain forms


@pytest.mark.parametrize("shape", SHAPES)
def test_the_plain_critic_step_is_ours_in_float64(shape: tuple[int, ...]) -> None:
    _, critic, _, plain = nets(shape)
    real, fake = batch_of(shape)
    ours = critic_step(GAME, critic, list(critic.parameters()), real=real, fake=fake, rng=rng())
    equal(ours, critic, critic_loss(plain, real=real, fake=fake, rng=rng()), plain)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_plain_generator_step_is_ours_in_float64(shape: tuple[int, ...]) -> None:
    generator, critic, plain, plain_critic = nets(shape)
    noise = torch.randn(shape[0], 4, generator=rng(), dtype=torch.float64)
    ours = generator_step(
        GAME, generator, critic, list(generator.parameters()), {}, noise=noise,
        relax=lambda logits: RELAXATIONS["softmax"](logits, temperature=1.0, rng=rng()),
        rows=torch.zeros(shape[:2], dtype=torch.int64), real=None, judged=shape[0], rng=rng(),
    )  # fmt: skip
    equal(ours, generator, generator_loss(plain, plain_critic, noise), plain)


def test_the_plain_upsampling_generator_is_ours_in_float64() -> None:
    torch.manual_seed(0)
    ours = UpsamplingGenerator(length=32, symbols=7, latent=6, width=4, blocks=5, kernel=3).double()
    plain = PlainUpsampling(length=32, symbols=7, latent=6, channels=[14, 9, 6, 4], start=4, kernel=3).double()
    copy_weights(plain, ours)
    noise = torch.randn(5, 6, dtype=torch.float64)
    logits = ours(noise, lambda x: (x, x.argmax(-1))).logits
    torch.testing.assert_close(plain(noise), logits.softmax(-1), rtol=1e-9, atol=1e-12)


def test_the_plain_steps_of_pictures_are_ours_in_float64() -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"channels": 3, "side": 32, "width": 3, "blocks": 5, "kernel": 3}
    generator, critic = ResNetGenerator(latent=4, norm="batch", **sizes).double(), ResNetCritic(**sizes).double()
    plain = plain_pictures.PlainGenerator(channels=3, latent=4, width=3).double()
    plain_critic = plain_pictures.PlainCritic(channels=3, width=3).double()
    with torch.no_grad():
        for value in (*generator.parameters(), *critic.parameters()):
            value.add_(0.1 * torch.randn(value.shape))  # no bias, scale or shift is what it begins as
    copy_weights(plain, generator)
    copy_weights(plain_critic, critic)
    real, noise = torch.rand(4, 3, 32, 32, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    fake = plain(noise).detach()
    ours = critic_step(GAME, critic, list(critic.parameters()), real=real, fake=fake, rng=rng())
    equal(ours, critic, critic_loss(plain_critic, real=real, fake=fake, rng=rng()), plain_critic)
    ours = generator_step(
        GAME, generator, critic, list(generator.parameters()), {}, noise=noise,
        relax=lambda logits: BOUNDED["tanh"](logits, temperature=1.0, rng=rng()),
        rows=real, real=None, judged=4, rng=rng(),
    )  # fmt: skip
    equal(ours, generator, generator_loss(plain, plain_critic, noise), plain)


@pytest.mark.parametrize(
    "settings",
    [
        {"likeliest": 12, "pads": "unpaid", "edges": 5},
        {"likeliest": 3, "pads": "paid", "edges": 0},
        {"likeliest": 0, "pads": "unpaid", "edges": 1},
    ],
)
def test_the_plain_count_critic_is_ours(settings: dict[str, Any]) -> None:
    shared = {"orders": (2, 3), "counted_first": 2, "kept": 7, "bits": 16, "clip": 0.7, "forgetting": 0.5} | settings
    symbols, rows = 10, torch.randint(10, (40, 9), generator=rng())
    rows[:, 6:] = 0
    ours, plain = counts.sides(Setup(), rows, symbols, shared)
    for batch in counts.batches(Setup(), rows, symbols, 6):  # 16: counts are scaled back on the way
        torch.testing.assert_close(ours.step(batch), counts.plain_step(plain, batch), rtol=2e-5, atol=1e-6)


def test_plain_counts_that_do_not_fit_are_hashed_into_the_table() -> None:
    rows = torch.randint(10, (40, 9), generator=rng())
    shared = {"orders": (4,), "counted_first": 0, "kept": 80, "bits": 10, "edges": 3, "likeliest": 4, "pads": "paid"}
    ours, plain = counts.sides(Setup(), rows, 10, shared | {"clip": 0.7, "forgetting": 0.5})
    batch = next(counts.batches(Setup(), rows, 10, 6))
    found = counts.plain_step(plain, batch)
    assert plain.tables[0].real.shape == (1024,)
    assert plain.tables[0].real.sum().item() == pytest.approx(1)
    assert (plain.tables[0].real > 0).sum().item() > 150  # of some 480 windows
    assert found[0].item() == pytest.approx(ours.step(batch)[0].item(), abs=0.5)


def test_what_the_plain_sides_draw_is_that_of_a_seed() -> None:
    def trained(seed: int) -> Tensor:
        torch.manual_seed(seed)  # which nothing draws from
        sides = step.both(parts.paper(SETUP, 8))
        sides.plain.update(2)
        return torch.cat([value.flatten() for value in sides.plain.generator.parameters()])

    def sampled(seed: int) -> object:
        torch.manual_seed(seed)
        paper = next(sample.cases(SETUP))
        assert paper.plain is not None
        return paper.plain()

    state = np.random.get_state()[1].tolist()  # type: ignore[index]
    assert torch.equal(trained(1), trained(2))
    assert sampled(1) == sampled(2)
    drawn = [plain_sample.sample(torch.full((9, 9, 9), 1 / 9), rng()) for _ in range(2)]
    assert torch.equal(*drawn)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]


def test_plain_divergence_and_self_bleu_by_hand() -> None:
    assert plain_ngrams.jsd(["ab"], ["ab"], 1) == 0
    assert plain_ngrams.jsd(["ab"], ["cd"], 2) == 1
    # P = (1/2, 1/2), Q = (1, 0), M = (3/4, 1/4): half of (1/2 log2 2/3 + 1/2 log2 2) and of log2 4/3
    assert plain_ngrams.jsd(["ab"], ["aa"], 1) == pytest.approx(0.311278124459133, abs=1e-12)
    # "a b" against "a c": 1 of 2 words, and 0.1 of 1 pair; as many words
    assert plain_ngrams.self_bleu(["a b", "a c"], 2) == pytest.approx([(0.5 * 0.1) ** 0.5] * 2)
    assert plain_ngrams.self_bleu(["a b", "c d"], 2) == [0, 0]


def test_plain_loading_by_hand(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("aab\nbacd\n")
    ids, characters = plain_load(tmp_path / "lines", length=3, most=2)
    assert characters == ["`", "a", "b", "\ufffd"]
    assert ids.tolist() == [[1, 1, 2], [2, 1, 3]]
    assert plain_lines(ids, ["\0", *"xyz"]) == ["xxy", "yxz"]
    assert plain_lines(ids * 0 + [[1, 0, 1]], ["\0", *"xyz"]) == ["x", "x"]


# --- a difference is found


def spoilt(net: nn.Module) -> None:
    with torch.no_grad():
        next(net.parameters())[0, 0] += 0.1


def test_training_that_differs_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = step.both(parts.paper(SETUP, 8))
    step.check_critic(sides)
    step.check_generator(sides)
    spoilt(sides.plain.critic)
    with pytest.raises(TextganError, match=r"critic_step: .* off the plain result"):
        step.check_critic(sides)
    monkeypatch.setattr(step, "generator_loss", lambda *batch: 1.03 * generator_loss(*batch))
    with pytest.raises(TextganError, match="generator_update: loss is"):
        step.check_generator(sides)


def test_pictures_that_differ_are_not_timed() -> None:
    sides = pictures.both(parts.pictures(SETUP, 2))
    pictures.check_critic(sides)
    pictures.check_generator(sides)
    spoilt(sides.plain.critic)
    with pytest.raises(TextganError, match=r"critic_step: .* off the plain result"):
        pictures.check_critic(sides)
    spoilt(player := step.player(sides.ours).net)
    sides.plain.update(1)
    pictures.check_generator(sides)  # takes the weights of ours again, whatever was timed
    assert torch.equal(next(player.parameters()).flatten(), next(sides.plain.critic.parameters()).flatten())


def test_sampling_that_differs_is_not_timed() -> None:
    (paper, quick) = sample.cases(SETUP)
    for case in (paper, quick):
        case.check()
        assert case.plain is not None
        found = case.plain()
        assert isinstance(found, list)
        assert len(found) == 300
    made = parts.paper(SETUP, 8)
    plain = PlainGenerator(length=32, symbols=128, latent=128, width=8, blocks=5, kernel=5)
    with pytest.raises(TextganError, match="sample: softmax"):
        sample.check(assemble.model_of(made, None), plain, ["`"] * 128)
    copy_weights(plain, made.state.average)
    with pytest.raises(TextganError, match="sample: the result"):
        sample.check(assemble.model_of(made, None), plain, ["`"] * 128)


@pytest.mark.parametrize(
    ("name", "kind", "module", "function", "spoil"),
    [
        ("critic_step", step, step, "critic_loss", lambda loss: 1.03 * loss),
        ("generator_update", step, step, "generator_loss", lambda loss: 1.03 * loss),
        ("critic_step", pictures, pictures, "critic_loss", lambda loss: 1.03 * loss),
        ("generator_step", pictures, pictures, "generator_loss", lambda loss: 1.03 * loss),
        ("count_critic_step", step, counts, "plain_step", lambda joined: 1.03 * joined),
        ("sample", sample, plain_sample, "lines", lambda lines: [line + "x" for line in lines]),
        ("jsd", ngrams, plain_ngrams, "jsd", lambda value: value + 1e-3),
        ("self_bleu", ngrams, plain_ngrams, "self_bleu", lambda values: [value + 1e-3 for value in values]),
        ("load", load, load, "both", lambda sides: (sides[0], [])),
    ],
)
def test_what_differs_is_refused_before_it_is_timed(
    name: str, kind: Any, module: Any, function: str, spoil: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "ROWS", 500)
    plain = getattr(module, function)
    rows = kind.cases(Setup(widths=(8,), count=60))
    case = next(case for case in rows if case.name == name)
    monkeypatch.setattr(module, function, lambda *sides, **named: spoil(plain(*sides, **named)))
    refused = dataclasses.replace(case, ours=lambda: pytest.fail("timed"))
    with pytest.raises(TextganError, match=f"{name}: .* so that times would say nothing"):
        measure(refused, ONCE, SETUP.wait)


def test_a_small_difference_of_a_part_is_found_and_rounding_is_not() -> None:
    plain = {"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([1e-2])}
    same_tensors("x", {"a": plain["a"] * (1 + 1e-4), "b": plain["b"].view(1, 1)}, plain)
    with pytest.raises(TextganError, match="x: a is"):
        same_tensors("x", {"a": torch.tensor([3.0, 4.1]), "b": plain["b"]}, plain)
    with pytest.raises(TextganError, match="x: b is"):
        same_tensors("x", {"a": plain["a"], "b": plain["b"] * 1.03}, plain)
    with pytest.raises(TextganError, match="x: a is nan"):
        same_tensors("x", {"a": plain["a"] * torch.nan, "b": plain["b"]}, plain)
    with pytest.raises(TextganError, match="parts"):
        same_tensors("x", {"a": plain["a"]}, plain)
    same("x", [1], [1])
    with pytest.raises(TextganError, match="x: the result"):
        same("x", [1], [2])


@pytest.mark.parametrize("found", [[1.0, 2.0 + 1e-8], [1.0], [1.0, float("nan")]])
def test_numbers_that_differ_are_found(found: list[float]) -> None:
    ngrams.same_numbers("x", [1.0, 2.0 + 1e-10], [1.0, 2.0])
    with pytest.raises(TextganError, match="x: the result"):
        ngrams.same_numbers("x", found, [1.0, 2.0])
    with pytest.raises(TextganError, match="x: the result"):
        ngrams.same_numbers("x", [1.0], [1.0, 1.0])


def test_start_up_that_fails_or_prints_otherwise_is_not_timed(tmp_path: Path) -> None:
    assert startup.run(tmp_path, "textgan", "--version").startswith("textgan ")
    with pytest.raises(TextganError, match="no such command 'no'"):
        startup.run(tmp_path, "textgan", "no")
    startup.CHECKS["--help"]("Usage: x", "usage: y")
    startup.CHECKS["generate -n 1"]("a\n", "b\n")
    value = json.dumps({"metrics": {"jsd": {"1": {"value": 0.5}, "2": {"value": 0.75}}}})
    startup.CHECKS["report --samples"](value, "[0.5, 0.75]")
    for name, ours, plain in (
        ("--help", "x", "usage: "),
        ("generate -n 1", "a\nb\n", "c\n"),
        ("report --samples", value, "[0.5, 0.7]"),
    ):
        with pytest.raises(TextganError, match="so that times would say nothing"):
            startup.CHECKS[name](ours, plain)


# --- times


def test_a_row_by_hand() -> None:
    case = Case(
        "x", lambda: None, lambda: None, about={"width": 8}, flops=6e9, units=2, sequences=30, steps=1000
    )  # fmt: skip
    walls = [(1.0, 4.0), (2.0, 4.0), (3.0, 3.0), (4.0, 2.0), (5.0, 5.0)]
    told = row(case, [Pair(Time(ours, ours / 2), Time(plain, plain)) for ours, plain in walls])
    assert told == {
        "name": "x", "width": 8, "pairs": 5, "ms": 1500, "low": 1000, "high": 2000, "cpu_ms": 750,
        "plain_ms": 2000, "plain_low": 1500, "plain_high": 2000, "plain_cpu_ms": 2000,
        "ratio": 1, "ratio_low": 1, "ratio_high": 2, "cpu_ratio": 2,
        "sequences_per_s": 20, "plain_sequences_per_s": 15, "gflops": 2, "steps": 1000, "estimate_s": 1500,
    }  # fmt: skip
    assert shares(told, 40.0) == {"share": 0.05, "plain_share": 0.0375}
    alone = row(Case("y", lambda: None), [Pair(Time(0.25, 0.25), None)])
    assert alone.keys() == TIMES
    assert alone["ms"] == 250
    assert alone["plain_ms"] is alone["ratio"] is None
    assert shares(alone, 40.0) == {}


def test_pairs_go_by_turns_after_a_check_and_a_first_pair_that_is_dropped() -> None:
    done = list[str]()

    def call(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    told = measure(Case("x", call("a"), call("b"), call("check")), Effort(2, float("inf")), call("wait"))
    pair = ["wait", "a", "wait", "wait", "b", "wait"]
    assert done == ["check", *pair * 3]
    assert told["pairs"] == 2
    assert measure(Case("x", call("a")), Effort(seconds=0), lambda: None)["pairs"] == 3


def test_a_first_pair_that_takes_long_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textgan.bench.timing.LONG", 0.0)
    done = list[int]()
    assert measure(Case("x", lambda: done.append(1)), Effort(seconds=0), lambda: None)["pairs"] == 1
    assert measure(Case("x", lambda: done.append(1)), ONCE, lambda: None)["pairs"] == 1
    assert len(done) == 2


def test_operations_by_hand() -> None:
    """Batch 2, length 3, 5 symbols, width 7, 1 block of two convolutions of kernel 3, latent 11."""
    sizes = {"batch": 2, "length": 3, "symbols": 5, "width": 7, "blocks": 1, "kernel": 3}
    judge, maker = flops.critic(**sizes), flops.generator(**sizes, latent=11)
    body = 2 * (7 * 7 * 3) * 3
    assert judge == (2 * 2 * 5 * 7 * 3, 2 * 2 * (body + 7 * 3))
    assert maker == (2 * 2 * 11 * 7 * 3, 2 * 2 * (body + 5 * 7 * 3))
    unit = flops.Net(1, 100)
    assert flops.critic_step(unit) == 1008
    assert flops.generator_step(unit, flops.Net(1, 10)) == 302 + 22
    assert flops.update(unit, unit, 10) == 10 * (101 + 1008) + 302 + 202


def test_made_up_text_is_the_same_for_a_seed() -> None:
    assert made_up.lines(5, seed=1) == made_up.lines(5, seed=1) != made_up.lines(5, seed=2)
    assert {len(line) for line in made_up.noise(20, 9, symbols=4, seed=0)} == {9}
    assert len(set("".join(made_up.noise(20, 9, symbols=4, seed=0)))) == 4


# --- each kind


def test_pictures_at_a_small_width() -> None:
    rows = [measure(case, ONCE, SETUP.wait) for case in pictures.cases(Setup(widths=(2,)))]
    assert [told["name"] for told in rows] == ["critic_step", "generator_step"]
    for told in rows:
        assert told.keys() >= TIMES
        assert [told[size] for size in ("width", "batch", "channels", "side")] == [2, 64, 3, 32]


def test_each_benchmark_has_widths_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (parts.WIDTHS, parts.PICTURE_WIDTHS) == ((512, 128, 64), (128, 64, 32))
    monkeypatch.setattr(parts, "WIDTHS", (6, 512))
    monkeypatch.setattr(parts, "PICTURE_WIDTHS", (3, 128))
    for kind, width in ((step, 6), (sample, 6), (pictures, 3)):
        assert next(kind.cases(Setup())).about["width"] == width


@pytest.mark.parametrize("kind", [ngrams, load])
def test_a_kind_at_a_small_size(kind: Any) -> None:
    rows = [measure(case, ONCE, SETUP.wait) for case in kind.cases(Setup(count=100))]
    assert [told["name"] for told in rows] == {ngrams: ["jsd", "jsd", "self_bleu"], load: ["load"]}[kind]
    for told in rows:
        assert told.keys() >= TIMES
        assert told["count"] == 100
        assert told["ratio"] == pytest.approx(told["plain_ms"] / told["ms"], rel=1e-3)


def test_text_is_loaded_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("\n".join(made_up.lines(100, seed=0)), encoding="utf-8")
    assert len(load.ours(path).train.ids) > 50
    assert list(tmp_path.iterdir()) == [path]


def test_settings_of_ones_own() -> None:
    made = parts.preset(Setup(), "smoke", made_up.lines(300, seed=0), {"critic.every": 3, "training.steps": 500})
    (case,) = preset.cases(Setup(), made)
    told = measure(case, ONCE, lambda: None)
    assert case.units == 3
    assert made.state.step == 6  # of a first turn that is dropped, and one that is timed
    assert (told["name"], told["steps"]) == ("smoke_step", 500)
    assert told["estimate_s"] == pytest.approx(0.5 * told["ms"], rel=1e-3)


@pytest.mark.parametrize(("kind", "name"), [(step, "generator_update"), (preset, "smoke_step")])
def test_training_is_timed_at_its_precision_and_with_its_graph(
    kind: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played, told = list[str](), list[str]()

    def graph(play: Any, device: torch.device, note: Callable[[str], None]) -> Any:
        def replay(rng: torch.Generator) -> Any:
            played.append("replayed")
            return play(rng)

        note("as a graph")
        return replay

    def planned(*parts: Any) -> Any:
        return dataclasses.replace(assemble.plan_of(*parts), precision="tf32", graphs=True)

    monkeypatch.setattr(loop, "graphed", graph)
    monkeypatch.setattr(step, "plan_of", planned)
    monkeypatch.setattr(preset, "plan_of", planned)
    setup, matmul = Setup(widths=(8,), tell=told.append), torch.backends.cuda.matmul
    made = [] if kind is step else [parts.preset(setup, "smoke", made_up.lines(300, seed=0), {"critic.steps": 3})]
    rows = kind.cases(setup, *made)
    case = next(case for case in rows if case.name == name)
    assert matmul.allow_tf32
    case.ours()
    rows.close()
    assert not matmul.allow_tf32
    assert (told, played) == (["as a graph"], ["replayed"] * (10 if kind is step else 3))


@pytest.mark.slow
def test_start_up() -> None:
    rows = [measure(case, ONCE, SETUP.wait) for case in startup.cases(SETUP)]
    assert [told["command"].split()[1] for told in rows] == ["--help", "generate", "report"]


def test_start_up_of_both_sides_within_one_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(folder: Path, module: str, *arguments: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        capfd.readouterr()
        if module == "textgan":
            assert main(arguments) == 0
        else:
            plain_startup.main()
        return capfd.readouterr().out

    monkeypatch.setattr(startup, "run", run)
    monkeypatch.chdir(Path.cwd())  # where to come back to
    for case in startup.cases(Setup()):
        case.check()
    assert case.about == {"command": "textgan report --samples"}


# --- the command


@pytest.mark.slow
def test_training_as_a_command(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    asked = ("step", "--widths", "8", "--repeats", "1", "--threads", "1", "--json")
    code, out, err = command(tmp_path, "bench", *asked, environ={"TMPDIR": str(there)})
    assert code == 0, err
    told = json.loads(out)
    assert told.keys() == {"schema", "hardware", "rows"}
    assert told["schema"] == 1
    assert told["hardware"].keys() == {"cpu", "cores", "threads", "device", "torch", "python", "gemm_gflops"}
    assert told["hardware"]["threads"] == 1
    rows = {entry["name"]: entry for entry in told["rows"]}
    assert list(rows) == ["critic_step", "generator_update", "count_critic_step", "quick_step"]
    assert all(entry.keys() >= TIMES and entry["ms"] > 0 for entry in rows.values())
    critic = rows["critic_step"]
    assert (critic["width"], critic["batch"], critic["length"], critic["symbols"]) == (8, 64, 32, 128)
    assert critic["share"] == pytest.approx(critic["gflops"] / told["hardware"]["gemm_gflops"], rel=0.01)
    assert rows["generator_update"]["critic_steps"] == 10
    assert rows["count_critic_step"]["likeliest"] == 12
    assert rows["quick_step"]["steps"] == 9000
    assert [line.partition(",")[0] for line in err.splitlines()] == [f"timing {name}" for name in rows]
    assert list(tmp_path.rglob("*")) == [there]  # nothing is left behind


def test_the_table(capsys: pytest.CaptureFixture[str], tiny_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["bench", "ngrams", "--count", "100", "--repeats", "1"]) == 0
    out = capsys.readouterr().out
    assert "jsd, n 4, count 100" in out
    assert "1 thread, cpu, torch" in out
    assert main(["bench", "-c", "smoke", "-s", f"corpus.name={tiny_text}", "-s", "training.steps=7"]) == 0
    out = capsys.readouterr().out
    assert "smoke: 7 steps take about 0:0" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stpe"], "there is no benchmark 'stpe'; did you mean 'step'?"),
        (["--widths", "64,x"], "'64,x' is no list of widths"),
        (["--widths", "0"], "'0' is no list of widths"),
        (["load", "--widths", "64"], "--widths goes with step, pictures, sample"),
        (["--count", "9"], "--count goes with sample, ngrams, load"),
        (["load", "--count", "49"], "--count is 49, and load takes 50 or more"),
        (["-c", "quick", "--widths", "64"], "--widths goes with step, pictures, sample without -c and -s"),
        (["load", "-c", "quick"], "-c and -s time a step of training; leave load out, or them"),
        (["-c", "quik"], "did you mean 'quick'?"),
        (["--repeats", "0"], "--repeats"),
        (["--device", "cudda"], "'cudda' cannot be used here"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err


@pytest.mark.parametrize("kind", ["sample", "ngrams", "load"])
def test_the_least_count(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    widths = ["--widths", "8"] * (kind == "sample")
    assert main(["bench", kind, "--count", str(BENCHMARKS[kind].least), "--repeats", "1", "--json", *widths]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["count"] == BENCHMARKS[kind].least


def test_denormals_are_flushed_as_in_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny, seen = torch.tensor(1e-40), list[bool]()
    monkeypatch.setattr(load, "ours", lambda path: seen.append(bool(tiny * 1 > 0)))
    assert main(["bench", "load", "--count", "50", "--repeats", "1"]) == 0
    assert seen == [False, False]
    assert tiny * 1 > 0


def test_sigterm_is_143_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    left, before = list[Path](), signal.getsignal(signal.SIGTERM)

    def stop(path: Path) -> None:
        left.append(path)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(load, "ours", stop)
    with pytest.raises(SystemExit) as end:
        main(["bench", "load", "--count", "50"])
    assert end.value.code == 143
    assert not left[0].parent.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    left = list[Path]()

    def stop(path: Path) -> None:
        left.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(load, "ours", stop)
    assert main(["bench", "load", "--count", "50"]) == 130
    assert not left[0].parent.exists()


def test_the_table_of_benchmarks_names_modules_that_have_cases() -> None:
    from importlib import import_module

    assert list(BENCHMARKS) == ["step", "pictures", "sample", "ngrams", "load", "startup"]
    assert all(callable(import_module(entry.module).cases) for entry in BENCHMARKS.values())
