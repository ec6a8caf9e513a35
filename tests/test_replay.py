from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_loop import PLAN, ROWS, Recorder, assert_same, new_game
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from textgan import assemble
from textgan.errors import UsageError
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Game, Step
from textgan.nets import CONDITIONAL_CRITICS, CRITICS, GENERATORS
from textgan.nets.conditional import ConditionalGenerator
from textgan.settings import resolve
from textgan.spaces import Text
from textgan.training import loop, replay
from textgan.training.loop import Plan, Source, train
from textgan.training.replay import Capture, Play, as_graph, graphed, replayed
from textgan.training.state import Player, TrainingState
from textgan.transfers import Draws, drawn, made

CPU = torch.device("cpu")
WAITS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default}


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A CUDA graph of the CPU: notes every operation with its tensors, and computes it again into the same memory.

    No Python of what was captured runs again. As on a GPU, what would wait for a number is an error.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.noted: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in WAITS:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        kwargs = kwargs or {}
        noted = tree_map_only(Tensor, Tensor.detach, (args, kwargs))  # of this shape, whatever they are made to be
        out = function(*args, **kwargs)
        if "generator" not in kwargs:  # drawing is the host's work, which no graph holds
            self.noted.append((function, *noted, tree_map_only(Tensor, Tensor.detach, out)))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        for function, args, kwargs, out in self.noted:
            again = function(*args, **kwargs)
            for old, new in zip(tensors_of(out), tensors_of(again), strict=True):
                if old.data_ptr() != new.data_ptr():  # else a view, or changed in place
                    old.copy_(new)


def tensors_of(out: Any) -> list[Tensor]:
    return [part for part in (out if isinstance(out, list | tuple) else [out]) if isinstance(part, Tensor)]


def taped(function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
    with Tape() as tape:
        step = function()
    return tape.replay, step


def on_tape(monkeypatch: pytest.MonkeyPatch, capture: Capture = taped) -> None:
    monkeypatch.setattr(replay, "as_graph", lambda device, function: capture(function))


LABELS = np.random.default_rng(1).integers(0, 3, len(ROWS)).astype(np.uint16)
FIVE: Any = SimpleNamespace(size=5)
TO_SAMPLE = partial(Text.to_sample, FIVE)  # the real one; torch's one_hot would wait


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of run."""

    nets: tuple[str, str] = ("upsampling", "downsampling")
    objective: str = "wasserstein"
    penalties: tuple[str, ...] = ("gradient_penalty",)
    constraint: str = "none"
    relaxation: str = "softmax"
    condition: str | None = None
    plan: Plan = PLAN

    def start(self) -> tuple[TrainingState, Source, Game]:
        torch.manual_seed(0)
        shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 2, "kernel": 3}
        generator: Any = GENERATORS[self.nets[0]](latent=4 if self.condition is None else 8, **shape)
        critic: Any = CRITICS[self.nets[1]](**shape)
        if self.condition is not None:
            generator = ConditionalGenerator(generator, labels=3, latent=4)
            critic = CONDITIONAL_CRITICS[self.condition](critic, labels=3)
        classification = (1.0, 0.1) if self.condition == "auxiliary" else None
        penalties = {name: (10.0, PENALTIES[name]) for name in self.penalties}
        constraint = CONSTRAINTS[self.constraint](Bounds())
        game = Game(OBJECTIVES[self.objective], 1, penalties, constraint, {}, classification)
        players = [Player.of(net, 1e-2, (0.5, 0.9)) for net in (generator, critic)]
        source = Source(ROWS, TO_SAMPLE, None if self.condition is None else LABELS)
        return TrainingState(players[0], players[1], 0.9, {}), source, game

    def ended(self, recorder: Recorder, *, graphs: bool, steps: tuple[int, ...] = (4,)) -> dict[str, Tensor]:
        """What training ends with, where after each of `steps` it was interrupted and resumed by a new process."""
        tensors: dict[str, Tensor] = {}
        plan = dataclasses.replace(self.plan, schedule="constant", evaluate_every=2, graphs=graphs)
        for before, total in zip((0, *steps), steps, strict=False):
            state, source, game = self.start()
            if before:
                state.load(before, tensors)
            relaxation = RELAXATIONS[self.relaxation]
            train(state, dataclasses.replace(plan, steps=total), source, game, relaxation, recorder.hooks())
            tensors = {name: value.clone() for name, value in state.tensors().items()}
        losses = [row["critic"] for row in recorder.rows if "critic" in row]
        return tensors | {f"{i}.{name}": torch.tensor(x) for i, row in enumerate(losses) for name, x in row.items()}


KINDS = {
    "paper": Kind(nets=("paper", "paper")),
    "straight-through": Kind(relaxation="straight_through", objective="relativistic", penalties=("r1", "r2")),
    "recurrent": Kind(nets=("recurrent", "paper"), relaxation="straight_through"),
    "clipped": Kind(penalties=(), constraint="weight_clipping"),
    "projection": Kind(condition="projection"),
    "auxiliary": Kind(condition="auxiliary", penalties=("gradient_penalty", "r1")),
    "bfloat16": Kind(plan=dataclasses.replace(PLAN, precision="bf16")),
    "now and then": Kind(plan=dataclasses.replace(PLAN, critic_every=2, critic_steps=3, critic_batch=5)),
}


@pytest.mark.parametrize("name", KINDS)
def test_replayed_steps_train_to_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_tape(monkeypatch)
    recorder = Recorder()
    plain = Recorder()
    assert_same(KINDS[name].ended(plain, graphs=False), KINDS[name].ended(recorder, graphs=True))
    assert plain.notes == recorder.notes == []


@pytest.mark.parametrize("name", ["paper", "projection"])
def test_a_resumed_run_of_replayed_steps_ends_as_the_whole_plain_run(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_tape(monkeypatch)
    whole = KINDS[name].ended(Recorder(), graphs=False)
    assert_same(whole, KINDS[name].ended(Recorder(), graphs=True, steps=(2, 4)))


def test_python_plays_the_critics_step_no_more_once_it_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    on_tape(monkeypatch)
    calls: list[str] = []
    for name in ("critic_step", "generator_step"):
        function = getattr(loop, name)

        def counted(*arguments: Any, name: str = name, function: Any = function, **named: Any) -> Any:
            calls.append(name)
            return function(*arguments, **named)

        monkeypatch.setattr(loop, name, counted)
    Kind().ended(Recorder(), graphs=True, steps=(6,))
    # to see what is drawn, to capture, to compare
    assert calls == ["critic_step"] * 3 + ["generator_step"] * 6


def test_only_what_is_asked_for_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    captured: list[str] = []

    def capture(function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
        captured.append("step")
        return taped(function)

    on_tape(monkeypatch, capture)
    Kind().ended(Recorder(), graphs=False)
    game = new_game()
    state, source, _ = Kind().start()
    state = TrainingState(state.generator, None, 0.9, {name: term for name, (_, term) in game.terms.items()})
    train(state, dataclasses.replace(PLAN, graphs=True), source, game, RELAXATIONS["softmax"], Recorder().hooks())
    assert captured == []


def refused(function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
    raise torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing\nSearch for it")


def frozen(function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
    return lambda: None, function()


REFUSED = {
    "operation not permitted when stream is capturing": refused,
    "the replay computes something else than the step": frozen,
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_captured_is_played_on_after_one_note(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_tape(monkeypatch, REFUSED[why])
    recorder = Recorder()
    assert_same(Kind().ended(Recorder(), graphs=False), Kind().ended(recorder, graphs=True))
    (note,) = recorder.notes
    assert note.startswith("no CUDA graph of the critic's step")
    assert note.endswith(why)


WEIGHT = torch.ones(3)


def a_step(*draws: Tensor) -> Step:
    """A step of what was drawn, (3,) each."""
    total = torch.stack(draws).sum(0) * WEIGHT
    return Step((total,), {"loss": total.sum()})


def of_one(rng: torch.Generator) -> Tensor:
    return drawn(torch.rand, (3,), rng, CPU)


def past_drawn(rng: torch.Generator) -> Step:
    return a_step(of_one(rng), torch.rand(3, generator=rng) / 1e6)


def more_and_more() -> Play:
    calls: list[int] = []

    def play(rng: torch.Generator) -> Step:
        calls.append(1)
        return a_step(*(of_one(rng) for _ in calls))

    return play


def longer_and_longer() -> Play:
    calls: list[int] = []

    def play(rng: torch.Generator) -> Step:
        calls.append(1)
        size = 2 + len(calls)
        return a_step(drawn(torch.rand, (size,), rng, CPU)[:3])

    return play


def waiting(rng: torch.Generator) -> Step:
    first = of_one(rng)
    return a_step(first * first.sum().item())


BAD: dict[str, tuple[Play, str]] = {
    "drawn past `drawn`": (past_drawn, "the replay draws other numbers than the step"),
    "one more each time": (more_and_more(), "the replay draws other numbers than the step"),
    "longer each time": (longer_and_longer(), "the replay draws other numbers than the step"),
    "waits for a number": (waiting, "operation not permitted when stream is capturing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_step_that_is_not_the_same_each_time_is_not_replayed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    play, why = BAD[name]
    on_tape(monkeypatch)
    notes: list[str] = []
    assert graphed(play, CPU, notes.append) is play
    (note,) = notes
    assert note.endswith(why)


def test_a_replay_that_differs_is_refused_in_gradients_and_in_losses() -> None:
    def bent(part: int) -> Capture:
        def capture(function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
            run, step = taped(function)

            def bend() -> None:
                run()
                (step.gradients, tuple(step.losses.values()))[part][0].mul_(1.01)

            return bend, step

        return capture

    for part in (0, 1):
        with pytest.raises(RuntimeError, match="computes something else"):
            replayed(lambda rng: a_step(of_one(rng)), bent(part))


def test_a_replay_reads_the_weights_as_they_are_and_fills_the_same_tensors() -> None:
    weight = torch.ones(3)

    def play(rng: torch.Generator) -> Step:
        total = of_one(rng) * weight
        return Step((total,), {"loss": total.sum()})

    again = replayed(play, taped)
    one = again(torch.Generator().manual_seed(5))
    first = one.gradients[0].clone()
    weight.mul_(2)
    two = again(torch.Generator().manual_seed(5))
    assert torch.equal(two.gradients[0], 2 * first)
    assert two.gradients[0] is one.gradients[0]
    assert torch.equal(two.losses["loss"], 2 * first.sum())


def test_draws_are_filled_anew_in_their_order() -> None:
    def play(rng: torch.Generator) -> list[Tensor]:
        places = drawn(partial(torch.randint, 100), (4,), rng, CPU).numpy()
        rows = made(lambda generator: torch.from_numpy(np.arange(100)[places]), rng, CPU)
        return [rows, of_one(rng), drawn(torch.randn, (20,), rng, CPU)]

    draws = Draws()
    first = play(draws)
    for seed in (4, 5):
        rng, plain = (torch.Generator().manual_seed(seed) for _ in range(2))
        draws.refill(rng)
        for mine, again, expected in zip(first, play(draws.rewind()), play(plain), strict=True):
            assert mine is again
            assert torch.equal(mine, expected)
        assert torch.equal(rng.get_state(), plain.get_state())


class Cuda:
    """Stands in for torch.cuda, and notes what is asked of it; a stream is its number."""

    def __init__(self, *, broken: bool = False) -> None:
        self.told: list[Any] = []
        self.streams, self.broken = ["default"], broken

    def put(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("device", "stream", "graph", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "Stream", lambda: Stream("side", self.told))
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)

    def replay(self) -> None:
        self.told.append("replay")

    def current_stream(self) -> Stream:
        return Stream(self.streams[-1], self.told)

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        self.told.append(str(device))
        yield

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self.streams.append(stream.name)
        try:
            yield
        finally:
            self.streams.pop()

    @contextmanager
    def graph(self, graph: Cuda, stream: Stream) -> Iterator[None]:
        assert graph is self
        self.told.append(f"capture on {stream.name}")
        yield
        if self.broken:
            raise RuntimeError("capture failed")
        self.told.append("captured")


@dataclasses.dataclass(frozen=True)
class Stream:
    name: str
    told: list[Any]

    def wait_stream(self, other: Stream) -> None:
        self.told.append(f"{self.name} waits for {other.name}")


@pytest.mark.parametrize("broken", [False, True])
def test_a_step_is_warmed_up_and_captured_on_a_stream_of_its_own(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(broken=broken)
    cuda.put(monkeypatch)

    def function() -> Step:
        cuda.told.append(f"step on {cuda.streams[-1]}")
        return Step((), {})

    asked = ["cuda:1", "side waits for default", *["step on side"] * 3, "capture on side", "step on side"]
    if broken:
        with pytest.raises(RuntimeError, match="capture failed"):
            as_graph(torch.device("cuda", 1), function)
        assert cuda.told == asked
    else:
        run, step = as_graph(torch.device("cuda", 1), function)
        run()
        assert step == Step((), {})
        assert cuda.told == [*asked, "captured", "default waits for side", "replay"]
    assert cuda.streams == ["default"]


def test_graphs_are_for_cuda_where_they_are_asked_for() -> None:
    for wanted in (True, False):
        config = resolve("smoke", flags={"training.graphs": wanted, "training.precision": "fp32"}).config
        assert assemble.plan_of(config, torch.device("cuda:1")).graphs is wanted
    assert not resolve("smoke", flags={}).config.training.graphs
    with pytest.raises(UsageError, match=r"training.graphs: .* this device is cpu"):
        assemble.build(resolve("smoke", flags={"training.graphs": True, "training.device": "cpu"}).config)
