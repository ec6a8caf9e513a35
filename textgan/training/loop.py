"""The loop: critic steps, a generator step, evaluation, checkpoints, until the steps are done or someone stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor, nn

from textgan.contract import BoundRelaxation, Relaxation
from textgan.errors import DivergedError
from textgan.game.conditions import bind_critic, bind_generator
from textgan.game.relaxations import annealed, smoothed
from textgan.game.steps import Game, Step, critic_step, generator_step
from textgan.training import precision, sampler
from textgan.training.replay import Play, graphed
from textgan.training.rollback import ADVICE, check_metrics, check_weights, stays
from textgan.training.state import Player, TrainingState
from textgan.transfers import drawn

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.1 + 0.45 * (1 + math.cos(math.pi * done)),
}
"""Factor of the learning rate by the share of the steps that is done; no step has the 0 at the end."""

LONG = 6 * 3600.0  # a run estimated to take longer is announced. [s]
WARM = 30.0  # first steps are slow; no estimate before. [s]


class Watch(Protocol):
    """Who is told how a run goes; it changes nothing."""

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        """So many lines of the text went through a stage: that share of it, where it is known."""

    def started(self, total: int, first: int) -> None:
        """The loop begins at step `first` of `total`."""

    def step(self, step: int, row: dict[str, Any]) -> None:
        """A step was finished and its losses are in `row`."""

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[Any]) -> None:
        """Generated samples were measured."""

    def saved(self, step: int) -> None:
        """A checkpoint is on disk."""

    def note(self, text: str) -> None:
        """Something a user should know."""

    def closed(self) -> None:
        """The loop is over, for whatever reason."""


class Silence:
    """A watch that shows nothing."""

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        """Show nothing."""

    def started(self, total: int, first: int) -> None:
        """Show nothing."""

    def step(self, step: int, row: dict[str, Any]) -> None:
        """Show nothing."""

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[Any]) -> None:
        """Show nothing."""

    def saved(self, step: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def closed(self) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Plan:
    """The numbers of a run."""

    steps: int
    batch: int
    latent: int
    critic_steps: int
    critic_every: int
    critic_batch: int
    temperature: float
    schedule: str
    seed: int
    log_every: int
    evaluate_every: int
    seconds: float = math.inf
    """Stop after this time in this process."""
    processor_seconds: float = math.inf
    """Stop after so much processor time of all steps, those of earlier processes of the run included."""
    final_temperature: float = 0.0
    """At the last step; 0: as at the first."""
    real_smoothing: tuple[float, float] = (0.0, 0.0)
    """What one-hot real symbols give up to the others, at the first step and at the last."""
    pretrain: int = 0
    """First steps by the likelihood alone."""
    judged: int = 0
    """How many of the generator's batch the critic judges, at most; 0: as many as a critic step has."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "fp32"
    """fp32, tf32 or bf16."""
    graphs: bool = False
    """Replay the critic's step as a CUDA graph where it can be one."""

    def net(self, net: nn.Module) -> Any:
        """Return a net as the steps call it, at the run's precision."""
        return precision.NETS[self.precision](net, self.device)

    def temperature_at(self, step: int) -> float:
        """The temperature of a step."""
        return annealed(self.temperature, self.final_temperature, self._done(step))

    def smoothed(self, real: Tensor, step: int) -> Tensor:
        """Real samples (batch, position, symbol) as the nets see them at a step; the share goes by equal amounts."""
        first, last = self.real_smoothing
        return smoothed(real, first + (last - first) * self._done(step))

    def _done(self, step: int) -> float:
        return min(step / max(self.steps - 1, 1), 1.0)


@dataclass(frozen=True)
class Source:
    """Rows to draw from, with a label a row where the corpus has conditions."""

    ids: npt.NDArray[Any]
    to_sample: Callable[..., Tensor]
    """Rows (count, ...) to samples, given `rng` for what is drawn on the way."""
    labels: npt.NDArray[Any] | None = None
    row_type: str = "int64"
    """Of rows on the device, until they become samples."""
    labelled: Source | None = None
    """The few rows whose labels the critic learns, where the game is played without."""

    def draw(self, count: int, rng: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Draw rows with replacement: ids (count, position), or points or pixels as they are; and labels (count,).

        The paper goes through shuffled epochs; drawing with replacement needs no state and has the same distribution.
        """
        chosen = drawn(partial(torch.randint, len(self.ids), (count,)), rng, torch.device("cpu")).numpy()

        def of(column: npt.NDArray[Any], kind: str) -> Tensor:
            return drawn(lambda generator: torch.from_numpy(column[chosen].astype(kind, copy=False)), rng, device)

        return of(self.ids, self.row_type), None if self.labels is None else of(self.labels, "int64")

    def examples(self, count: int, rng: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw samples (count, ...) with their labels (count,), of rows that have them."""
        rows, labels = self.draw(count, rng, device)
        assert labels is not None
        return self.to_sample(rows, rng=rng), labels


@dataclass(frozen=True)
class Hooks:
    """What the loop calls and does not know: measurement, storage, display, and the wish to stop."""

    evaluate: Callable[[TrainingState], tuple[dict[str, Any], list[Any]]]
    save: Callable[[TrainingState, dict[str, Any] | None], None]
    log: Callable[[dict[str, Any]], None]
    watch: Watch
    stop: Callable[[], str | None]
    back: Callable[[DivergedError], None] = stays
    """Takes the state of a run that diverged back to a good one, or raises what it is given."""


@dataclass(frozen=True)
class Ending:
    """How a loop ended."""

    stopped: str
    """finished, minutes, SIGINT or SIGTERM."""
    seconds: float
    metrics: dict[str, Any] | None


def train(state: TrainingState, plan: Plan, source: Source, game: Game, relaxation: Relaxation, hooks: Hooks) -> Ending:
    """Play the game until `plan.steps` generator steps are done; a state that has nothing left is measured and saved.

    Raises:
        DivergedError: a loss or gradient is not finite, and the hooks know of nothing to go back to.
    """
    start, first, metrics = time.perf_counter(), state.step, None
    reason = _over(state, plan)
    if reason:
        metrics = _keep(state, reason, hooks)
    announced = False
    losses: dict[str, dict[str, float]] = {}
    hooks.watch.started(plan.steps, first)
    critic = critic_play(state, plan, source, game, relaxation, hooks.watch.note)
    while reason is None:
        began = time.process_time()
        try:
            losses |= play_step(state, plan, source, game, relaxation, critic)
        except DivergedError as error:
            hooks.back(error)
            losses = {}
            continue
        state.processor_seconds += time.process_time() - began  # measuring and saving cost every method the same
        state.step += 1
        seconds = time.perf_counter() - start
        row = {"step": state.step, "seconds": round(seconds, 3)} | _spent(state) | losses
        hooks.watch.step(state.step, row)
        announced = announced or _announce(state.step - first, plan.steps - first, seconds, hooks.watch)
        reason = _reason(state, plan, seconds, hooks)
        if state.step % plan.log_every == 0 or reason:
            hooks.log(row)
            losses = {}  # a row tells of the last critic step since the row before
        if state.step % plan.evaluate_every == 0 or reason:
            try:
                metrics = _keep(state, reason, hooks)
            except DivergedError as error:
                hooks.back(error)
                reason = None
    return Ending(reason, time.perf_counter() - start, metrics)


def critic_play(
    state: TrainingState, plan: Plan, source: Source, game: Game, relaxation: Relaxation, note: Callable[[str], None]
) -> Play:
    """Return what takes a critic step, as a CUDA graph where the plan asks for one; `note` is told where it cannot."""
    play: Play = partial(_critic_step, state, plan, source, game, relaxation)
    return graphed(play, plan.device, note) if plan.graphs and state.critic is not None else play


def _reason(state: TrainingState, plan: Plan, seconds: float, hooks: Hooks) -> str | None:
    return _over(state, plan) or hooks.stop() or ("minutes" if seconds >= plan.seconds else None)


def _over(state: TrainingState, plan: Plan) -> str | None:
    """Say what of a run is used up, whatever call it was used in."""
    if state.step >= plan.steps:
        return "finished"
    return "minutes" if state.processor_seconds >= plan.processor_seconds else None


def _keep(state: TrainingState, reason: str | None, hooks: Hooks) -> dict[str, Any] | None:
    """Evaluate, unless someone waits for the end, and save."""
    check_weights(state)
    metrics = None if reason in ("SIGINT", "SIGTERM") else _evaluate(state, hooks)
    hooks.save(state, metrics)
    hooks.watch.saved(state.step)
    return metrics


def _spent(state: TrainingState) -> dict[str, float]:
    return {"processor_seconds": round(state.processor_seconds, 3)}


def _evaluate(state: TrainingState, hooks: Hooks) -> dict[str, Any]:
    metrics, samples = hooks.evaluate(state)
    check_metrics(state.step, metrics)
    hooks.log({"step": state.step} | _spent(state) | {"evaluation": metrics})
    hooks.watch.evaluated(state.step, metrics, samples)
    return metrics


def _announce(done: int, steps: int, seconds: float, watch: Watch) -> bool:
    """Say once, when the speed is known, what all the steps would take if that is long; return whether it is known."""
    if done < 3 or seconds < WARM:
        return False
    whole = seconds / done * steps
    if whole > LONG:
        watch.note(
            f"at {seconds / done:.3g} s a step, all {steps:,} steps take about {whole / 86400:.1f} days here; "
            "--minutes stops sooner, and -c quick, or pictures of pictures, is made for a laptop"
        )
    return True


def play_step(
    state: TrainingState,
    plan: Plan,
    source: Source,
    game: Game,
    relaxation: Relaxation,
    critic: Play | None = None,
) -> dict[str, dict[str, float]]:
    """Take `critic_steps` critic steps if it is the critic's turn, then one generator step, and average its weights.

    The order is that of Gulrajani et al. 2017, algorithm 1. `critic` takes a critic step, plainly unless given.

    Returns:
        The losses of the last critic step, if there was one, and of the generator step.
    """
    factor = SCHEDULES[plan.schedule](state.step / plan.steps)
    losses: dict[str, dict[str, float]] = {}
    critic = critic or partial(_critic_step, state, plan, source, game, relaxation)
    pretraining = state.step < plan.pretrain
    turn = (state.step - plan.pretrain) % plan.critic_every == 0
    if state.critic is not None and turn and not pretraining:
        for k in range(plan.critic_steps):
            rng = sampler.generator(plan.seed, "critic", state.step * plan.critic_steps + k, state.rollbacks)
            step = critic(rng)
            losses["critic"] = _update(state.critic, step, factor, "critic", state.step)
            state.states |= step.states
            del step  # its gradients, as large as the net, before the next ones are made
            game.constraint.after_step(state.critic.net)
    rng = sampler.generator(plan.seed, "generator", state.step, state.rollbacks)
    judge = None if pretraining else state.critic
    played = game.before() if pretraining else game
    step = _generator_step(state, judge, plan, source, played, _bound(relaxation, plan, state.step, rng), rng)
    losses["generator"] = _update(state.generator, step, factor, "generator", state.step)
    state.states |= step.states
    state.update_average()
    return losses


def _bound(relaxation: Relaxation, plan: Plan, step: int, rng: torch.Generator) -> BoundRelaxation:
    # a softmax of bfloat16 would lose the rare symbols
    return lambda logits: relaxation(logits.float(), temperature=plan.temperature_at(step), rng=rng)


def _noise(count: int, plan: Plan, rng: torch.Generator) -> Tensor:
    return drawn(lambda generator: sampler.noise(count, plan.latent, rng=generator), rng, plan.device)


def _critic_step(
    state: TrainingState, plan: Plan, source: Source, game: Game, relaxation: Relaxation, rng: torch.Generator
) -> Step:
    assert state.critic is not None
    rows, condition = source.draw(plan.critic_batch, rng, plan.device)
    noise = _noise(plan.critic_batch, plan, rng)
    with torch.no_grad():
        generator = bind_generator(plan.net(state.generator.net), condition)
        fake = generator(noise, _bound(relaxation, plan, state.step, rng)).sample
    real = plan.smoothed(source.to_sample(rows, rng=rng), state.step)
    net, labelled = plan.net(state.critic.net), None
    if source.labelled is not None:
        samples, labels = source.labelled.examples(plan.critic_batch, rng, plan.device)
        labelled = bind_critic(net, labels), samples
    critic, parameters = bind_critic(net, condition), state.critic.parameters
    return critic_step(game, critic, parameters, real=real, fake=fake, rng=rng, states=state.states, labelled=labelled)


def _generator_step(
    state: TrainingState,
    judge: Player | None,
    plan: Plan,
    source: Source,
    game: Game,
    relax: BoundRelaxation,
    rng: torch.Generator,
) -> Step:
    rows, condition = source.draw(plan.batch, rng, plan.device)
    judged = min(plan.judged or plan.critic_batch, plan.batch)
    critic = real = None
    if judge is not None:
        critic = bind_critic(plan.net(judge.net), None if condition is None else condition[:judged])
        real = plan.smoothed(source.to_sample(rows[:judged], rng=rng), state.step) if game.real_samples else None
    return generator_step(
        game,
        bind_generator(plan.net(state.generator.net), condition),
        critic,
        state.generator.parameters,
        state.states,
        noise=_noise(plan.batch, plan, rng),
        relax=relax,
        rows=rows,
        real=real,
        judged=judged,
        rng=rng,
        labels=condition,
    )


def _update(player: Player, step: Step, factor: float, who: str, done: int) -> dict[str, float]:
    """Apply a step's gradients, unless something in it is not finite.

    Raises:
        DivergedError: a loss or the gradients' norm is not finite.
    """
    scalars = step.losses | {"gradient_norm": torch.nn.utils.get_total_norm(step.gradients)}
    numbers = dict(zip(scalars, torch.stack([*scalars.values()]).tolist(), strict=True))  # one wait for the device
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise DivergedError(
                f"step {done + 1}: the {who}'s {name} is {value}; nothing was updated with it; {ADVICE}"
            )
    player.apply(step.gradients, factor)
    return numbers
