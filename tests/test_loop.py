from __future__ import annotations

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Constraint, Output, State, Term, TermBatch
from textgan.errors import DivergedError
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.counts import count_critic
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Game
from textgan.nets import CRITICS, GENERATORS
from textgan.training import sampler
from textgan.training.interrupt import Interrupt
from textgan.training.loop import SCHEDULES, Ending, Hooks, Plan, Source, play_step, train
from textgan.training.state import Player, TrainingState

PLAN = Plan(
    steps=6, batch=8, latent=4, critic_steps=2, critic_every=1, critic_batch=8, temperature=1.0, schedule="cosine",
    seed=3, log_every=2, evaluate_every=3,
)  # fmt: skip
ROWS = np.random.default_rng(0).integers(0, 5, (50, 8)).astype(np.uint8)
SOURCE = Source(ROWS, lambda ids, rng=None: torch.nn.functional.one_hot(ids, 5).float())


class Recorder:
    """Hooks that remember what they were told, in order."""

    def __init__(self, stop_at: int = 0) -> None:
        self.told: list[tuple[str, int]] = []
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.saved_with: dict[int, Any] = {}
        self.stop_at, self.at = stop_at, 0

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        raise AssertionError("the loop reads no text")

    def hooks(self) -> Hooks:
        return Hooks(self.evaluate, self.save, self.rows.append, self, self.stop)

    def evaluate(self, state: TrainingState) -> tuple[dict[str, Any], list[str]]:
        self.told.append(("measured", state.step))
        torch.rand(3)  # measuring may use torch's global randomness
        return {"score": -state.step}, ["a", "b"]

    def save(self, state: TrainingState, metrics: dict[str, Any] | None) -> None:
        self.saved_with[state.step] = metrics

    def stop(self) -> str | None:
        return "SIGTERM" if self.at == self.stop_at else None

    def started(self, total: int, first: int) -> None:
        self.told.append(("started", total))

    def step(self, step: int, row: dict[str, Any]) -> None:
        self.at = step

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[str]) -> None:
        self.told.append(("evaluated", step))
        assert samples == ["a", "b"]

    def saved(self, step: int) -> None:
        self.told.append(("saved", step))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def closed(self) -> None:
        """Nothing to close."""


def new_game(constraint: str = "none") -> Game:
    rows = [torch.from_numpy(ROWS)]
    term = count_critic(rows, symbols=5, orders=(2, 3), clip=0.7, forgetting=0.85, kept=80)
    penalties = {"gradient_penalty": (10.0, PENALTIES["gradient_penalty"])}
    return Game(
        OBJECTIVES["relativistic"], 0.5, penalties, CONSTRAINTS[constraint](Bounds()), {"count_critic": (1.0, term)}
    )


def new_state(game: Game, averaging: float = 0.9) -> TrainingState:
    torch.manual_seed(0)
    shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
    generator = Player.of(GENERATORS["upsampling"](latent=4, **shape), 1e-2, (0.5, 0.9))
    critic = Player.of(CRITICS["downsampling"](**shape), 1e-2, (0.5, 0.9))
    return TrainingState(generator, critic, averaging, {name: term for name, (_, term) in game.terms.items()})


def trained(plan: Plan = PLAN, recorder: Recorder | None = None) -> tuple[dict[str, Tensor], Recorder, Ending]:
    recorder = recorder or Recorder()
    game = new_game()
    state = new_state(game)
    ending = train(state, plan, SOURCE, game, RELAXATIONS["softmax"], recorder.hooks())
    return {name: value.clone() for name, value in state.tensors().items()}, recorder, ending


def assert_same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_the_same_plan_gives_the_same_bits_whatever_torchs_global_generator_holds() -> None:
    one = trained()[0]
    torch.rand(17)
    assert_same(one, trained()[0])


def test_another_seed_gives_other_numbers() -> None:
    one, two = trained()[0], trained(dataclasses.replace(PLAN, seed=4))[0]
    assert not torch.equal(one["generator.net.leave.weight"], two["generator.net.leave.weight"])


def test_how_often_it_is_measured_and_logged_changes_nothing() -> None:
    often = trained(dataclasses.replace(PLAN, evaluate_every=1, log_every=1))[0]
    assert_same(trained(dataclasses.replace(PLAN, evaluate_every=100, log_every=100))[0], often)


def test_order_of_events_and_the_log() -> None:
    _, recorder, ending = trained(dataclasses.replace(PLAN, steps=7))
    assert recorder.told == [
        ("started", 7),
        *((event, step) for step in (3, 6, 7) for event in ("measured", "evaluated", "saved")),
    ]
    assert recorder.saved_with == {3: {"score": -3}, 6: {"score": -6}, 7: {"score": -7}}
    assert [row["step"] for row in recorder.rows if "evaluation" in row] == [3, 6, 7]
    logged = [row for row in recorder.rows if "generator" in row]
    assert [row["step"] for row in logged] == [2, 4, 6, 7]
    scores = {"score_real", "score_fake"}
    assert logged[0]["critic"].keys() == {"loss", "objective", "gradient_penalty", "gradient_norm"} | scores
    assert logged[0]["generator"].keys() == {"loss", "adversarial", "count_critic", "gradient_norm"}
    assert (ending.stopped, ending.metrics) == ("finished", {"score": -7})


def test_a_row_tells_of_the_last_critic_step_since_the_row_before() -> None:
    _, recorder, _ = trained(dataclasses.replace(PLAN, critic_every=3))  # turns before steps 1 and 4
    assert [row["step"] for row in recorder.rows if "critic" in row] == [2, 4]


def test_a_signal_saves_without_measuring() -> None:
    _, recorder, ending = trained(recorder=Recorder(stop_at=4))
    assert (ending.stopped, ending.metrics) == ("SIGTERM", None)
    assert recorder.saved_with == {3: {"score": -3}, 4: None}
    assert recorder.rows[-1]["step"] == 4


def test_minutes_stop_it_after_a_step_with_a_measurement() -> None:
    _, recorder, ending = trained(dataclasses.replace(PLAN, seconds=0.0))
    assert (ending.stopped, ending.metrics) == ("minutes", {"score": -1})
    assert recorder.saved_with == {1: {"score": -1}}


def test_a_signal_at_the_last_step_is_still_finished() -> None:
    assert trained(recorder=Recorder(stop_at=6))[2].stopped == "finished"


def test_a_long_run_is_announced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000_000, 60))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    _, recorder, _ = trained(dataclasses.replace(PLAN, steps=1000), Recorder(stop_at=5))
    (note,) = recorder.notes
    assert "60 s a step, all 1,000 steps take about 0.7 days" in note


class Point(nn.Module):
    """A generator of one number, or a critic that multiplies by one."""

    def __init__(self, value: float, log: list[str], name: str) -> None:
        super().__init__()
        self.value, self.log, self.name = nn.Parameter(torch.tensor(value)), log, name

    def features(self, samples: Tensor) -> Tensor:
        return samples

    def forward(self, x: Tensor, relax: BoundRelaxation | None = None) -> Any:
        self.log.append(self.name + ("" if torch.is_grad_enabled() else " (fakes)"))
        if relax is None:
            return self.value * x.flatten(1).sum(1)
        sample = self.value * x
        return Output(sample, sample, torch.zeros(len(x), 1, dtype=torch.int64))


def value_of(net: Any) -> Tensor:
    return net.value  # type: ignore[no-any-return]


def point_state(game: Game, log: list[str], value: float = 1.0) -> TrainingState:
    generator, critic = Point(value, log, "generator"), Point(1.0, log, "critic")
    players = [Player.of(net, 0.1, (0.0, 0.9)) for net in (generator, critic)]
    return TrainingState(players[0], players[1], 0.0, {name: term for name, (_, term) in game.terms.items()})


POINTS = Source(np.ones((5, 1)), lambda ids, rng=None: ids.float())


def test_critic_steps_come_first_then_one_generator_step() -> None:
    log: list[str] = []
    game = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {})
    plan = dataclasses.replace(PLAN, critic_steps=3, latent=1, schedule="constant")
    losses = play_step(point_state(game, log), plan, POINTS, game, RELAXATIONS["softmax"])
    assert log == ["generator (fakes)", "critic", "critic"] * 3 + ["generator", "critic"]
    assert losses.keys() == {"critic", "generator"}


def test_the_critic_may_have_its_turn_now_and_then_on_a_batch_of_its_own() -> None:
    log: list[str] = []
    sizes: list[int] = []
    game = Game(OBJECTIVES["relativistic"], 1.0, {}, Constraint(), {})
    plan = dataclasses.replace(PLAN, critic_steps=1, critic_every=3, critic_batch=5, latent=1)
    state = point_state(game, log)

    def to_sample(ids: Tensor, rng: torch.Generator | None = None) -> Tensor:
        sizes.append(len(ids))
        return ids.float()

    kinds = []
    for step in range(5):
        state.step = step
        kinds.append(set(play_step(state, plan, Source(POINTS.ids, to_sample), game, RELAXATIONS["softmax"])))
    assert kinds == [{"critic", "generator"}, {"generator"}, {"generator"}, {"critic", "generator"}, {"generator"}]
    assert log.count("generator (fakes)") == 2
    assert set(sizes) == {5}  # for its own steps, and to pair with what it judges of the generator's 8


@pytest.mark.parametrize(("judged", "expected"), [(0, 5), (7, 7), (9, 8)])
def test_the_generator_may_be_judged_by_more_than_a_critic_step_has(judged: int, expected: int) -> None:
    sizes: list[int] = []

    def to_sample(ids: Tensor, rng: torch.Generator | None = None) -> Tensor:
        sizes.append(len(ids))
        return ids.float()

    game = Game(OBJECTIVES["relativistic"], 1.0, {}, Constraint(), {})
    plan = dataclasses.replace(PLAN, critic_steps=1, critic_batch=5, judged=judged, latent=1)
    play_step(point_state(game, []), plan, Source(POINTS.ids, to_sample), game, RELAXATIONS["softmax"])
    assert sizes == [5, expected]  # of the generator's 8, real samples to pair them with


def test_every_step_and_every_critic_step_draws_its_own_batch() -> None:
    seen: list[Tensor] = []
    game = new_game()
    state = new_state(game)

    def to_sample(ids: Tensor, rng: torch.Generator | None = None) -> Tensor:
        seen.append(ids)
        return SOURCE.to_sample(ids)

    for _ in range(2):
        play_step(state, PLAN, Source(ROWS, to_sample), game, RELAXATIONS["softmax"])
        state.step += 1
    assert len(seen) == 2 * (2 + 1)
    assert len({tuple(ids.flatten().tolist()) for ids in seen}) == 6


@pytest.mark.parametrize("objective", ["wasserstein", "relativistic"])
def test_constraint_is_kept_after_every_critic_step(objective: str) -> None:
    game = dataclasses.replace(new_game("weight_clipping"), objective=OBJECTIVES[objective])
    state = new_state(game)
    play_step(state, PLAN, SOURCE, game, RELAXATIONS["softmax"])
    assert state.critic is not None
    assert max(p.abs().max().item() for p in state.critic.parameters) == pytest.approx(0.01)
    assert max(p.abs().max().item() for p in state.generator.parameters) > 0.1


def test_an_update_waits_once_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    tolist = Tensor.tolist

    def counted(tensor: Tensor) -> Any:
        waits.append(tensor.numel())
        return tolist(tensor)

    game = Game(OBJECTIVES["wasserstein"], 1.0, {"r1": (1.0, PENALTIES["r1"])}, Constraint(), {})
    state = point_state(game, [])
    monkeypatch.setattr(Tensor, "tolist", counted)
    monkeypatch.setattr(Tensor, "item", None)  # one wait a number
    plan = dataclasses.replace(PLAN, critic_steps=2, latent=1)
    losses = play_step(state, plan, POINTS, game, RELAXATIONS["softmax"])
    assert waits == [6, 6, 3]  # loss, objective, penalty, two scores and norm, twice; loss, adversarial and norm
    assert losses["critic"]["r1"] == pytest.approx(0.5, rel=0.5)


def poisoned(at: int, value: float) -> Game:
    """A game whose term is not finite at its call number `at`."""

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        calls = state["calls"] + 1
        return batch.output.logits.mean() * (value if calls == at else 1.0), {"calls": calls}

    terms = {"poison": (1.0, Term(term, lambda: {"calls": torch.zeros(())}))}
    return Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), terms)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_generators_loss_that_is_not_finite_stops_before_the_update(value: float) -> None:
    game = poisoned(3, value)
    state = point_state(game, [])
    plan = dataclasses.replace(PLAN, latent=1, steps=5)
    for _ in range(2):
        play_step(state, plan, POINTS, game, RELAXATIONS["softmax"])
        state.step += 1
    before, average = value_of(state.generator.net).clone(), value_of(state.average).clone()
    with pytest.raises(DivergedError, match=r"^step 3: the generator's loss is (nan|-?inf); nothing was updated"):
        play_step(state, plan, POINTS, game, RELAXATIONS["softmax"])
    assert torch.equal(value_of(state.generator.net), before)
    assert torch.equal(value_of(state.average), average)
    assert state.states["poison"]["calls"].item() == 2


def test_a_critics_loss_that_is_not_finite_stops_before_the_update() -> None:
    game = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {})
    state = point_state(game, [], value=math.inf)
    assert state.critic is not None
    with pytest.raises(DivergedError, match=r"^step 1: the critic's loss is (nan|-?inf)") as caught:
        play_step(state, dataclasses.replace(PLAN, latent=1), POINTS, game, RELAXATIONS["softmax"])
    assert caught.value.exit_code == 4
    assert value_of(state.critic.net).item() == 1
    assert "\n" not in str(caught.value)


def test_a_gradient_that_is_not_finite_stops_too() -> None:
    class Cliff(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            return gradients[0] * math.nan

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        loss: Tensor = Cliff.apply(batch.output.logits.mean())  # type: ignore[no-untyped-call]
        return loss, state

    game = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {"cliff": (1.0, Term(term))})
    with pytest.raises(DivergedError, match="the generator's gradient_norm is nan"):
        play_step(point_state(game, []), dataclasses.replace(PLAN, latent=1), POINTS, game, RELAXATIONS["softmax"])


@pytest.mark.parametrize(
    ("name", "start", "middle", "end"),
    [("constant", 1, 1, 1), ("linear", 1, 0.5, 0), ("cosine", 1, 0.55, 0.1)],
)
def test_schedules(name: str, start: float, middle: float, end: float) -> None:
    assert [SCHEDULES[name](done) for done in (0, 0.5, 1)] == pytest.approx([start, middle, end])
    assert SCHEDULES["cosine"](0.25) == pytest.approx(0.1 + 0.45 * (1 + math.sqrt(0.5)))


def test_both_learning_rates_follow_the_schedule() -> None:
    game = new_game()
    state = new_state(game)
    assert state.critic is not None
    plan = dataclasses.replace(PLAN, steps=4, schedule="linear")
    for expected in (1, 0.75, 0.5, 0.25):
        play_step(state, plan, SOURCE, game, RELAXATIONS["softmax"])
        state.step += 1
        rates = [player.optimizer.param_groups[0]["lr"] for player in (state.generator, state.critic)]
        assert rates == pytest.approx([1e-2 * expected] * 2)


def test_adam_moves_by_the_learning_rate_at_first() -> None:
    net = nn.Linear(1, 1, bias=False)
    player, before = Player.of(net, 0.25, (0.5, 0.9)), net.weight.item()
    player.apply((torch.full((1, 1), 3.0),), 0.5)
    assert net.weight.item() == pytest.approx(before - 0.125, abs=1e-5)
    assert net.weight.grad is None


@pytest.mark.parametrize("averaging", [0.0, 0.3, 0.9])
def test_the_average_forgets_its_first_weights_soon(averaging: float) -> None:
    game = Game(OBJECTIVES["wasserstein"], 1.0, {}, Constraint(), {})
    state = point_state(game, [])
    state.averaging, expected = averaging, 1.0
    for step in range(5):
        state.step = step
        with torch.no_grad():
            value_of(state.generator.net).fill_(10.0 + step)
        state.update_average()
        decay = min(averaging, (1 + step) / (10 + step)) if averaging else 0
        expected = decay * expected + (1 - decay) * (10 + step)
        assert value_of(state.average).item() == pytest.approx(expected)
    assert not value_of(state.average).requires_grad


def test_draws_are_keyed_by_seed_purpose_and_step() -> None:
    def first(*key: Any) -> float:
        return torch.rand((), generator=sampler.generator(*key)).item()

    keys = [(0, "critic", 1), (1, "critic", 1), (0, "generator", 1), (0, "critic", 2), (0, "critic", 11)]
    assert len({first(*key) for key in keys}) == 5
    assert first(0, "critic", 1) == first(0, "critic", 1)
    noise = sampler.noise(2000, 3, rng=sampler.generator(0, "test", 0))
    assert noise.shape == (2000, 3)
    assert noise.mean().item() == pytest.approx(0, abs=0.06)
    assert noise.std().item() == pytest.approx(1, abs=0.03)


def test_source_draws_rows_with_their_labels_from_the_whole_corpus(rng: torch.Generator) -> None:
    source = Source(np.arange(20).reshape(10, 2).astype(np.uint16), lambda ids, rng=None: ids.float(), np.arange(10))
    rows, labels = source.draw(500, rng, torch.device("cpu"))
    assert (rows.dtype, rows.shape) == (torch.int64, (500, 2))
    assert labels is not None
    assert torch.equal(rows[:, 0], 2 * labels)
    assert set(labels.tolist()) == set(range(10))


def test_the_first_signal_is_remembered_and_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupt() as interrupt:
        assert interrupt() is None
        signal.raise_signal(signal.SIGTERM)
        assert interrupt() == "SIGTERM"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("later", "code"), [(-1.0, 143), (1.0, 0)], ids=["later", "its echo"])
def test_a_later_signal_ends_the_process_at_once(later: float, code: int) -> None:
    program = (
        "import signal\nfrom textgan.training import interrupt\n"
        f"interrupt.ECHO = {later}\n"
        "with interrupt.Interrupt():\n    signal.raise_signal(signal.SIGINT)\n    signal.raise_signal(signal.SIGTERM)"
    )
    root = str(Path(sampler.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": root}, check=False)
    assert done.returncode == code
