"""Runs on disk: train one from its first step or its last checkpoint, and leave its model, log and checkpoints."""

from __future__ import annotations

import datetime
import itertools
import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgan import __version__
from textgan.assemble import Parts, build, model_of, plan_of, settled
from textgan.config import Config
from textgan.errors import DivergedError, ElsewhereError, TextganError, UsageError
from textgan.files import sweep, writing
from textgan.lock import ADVICE, alone_in
from textgan.measure import measure
from textgan.opening import describe, summary
from textgan.ranks import Ranks
from textgan.resuming import nothing_left, restore, starting_step
from textgan.training import checkpoint, health
from textgan.training.distributed import by_all, by_first, compare, in_turns, joined, restarted, spread
from textgan.training.health import Ward
from textgan.training.interrupt import Interrupt
from textgan.training.loop import Ending, Hooks
from textgan.training.loop import train as play
from textgan.training.precision import products
from textgan.training.runlog import RunLog, read
from textgan.training.state import TrainingState
from textgan.training.watch import Silence as Silence
from textgan.training.watch import Watch

RUNS = Path("runs")
NO_MEMORY = ("can't allocate memory", "DefaultCPUAllocator", "out of memory", "Storage size calculation overflowed")
"""How torch words it, each on some device."""


@dataclass(frozen=True)
class Outcome:
    """How a training call ended."""

    folder: Path
    step: int
    seconds: float
    stopped: str
    """finished, already finished, minutes, SIGINT or SIGTERM."""
    metrics: dict[str, Any] | None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    """The first of each kind in all of the run, {"step", "kind", "text"}."""


def train(config: Config, run: Path | None = None, resume: bool = False, watch: Watch | None = None) -> Outcome:
    """Train a run, from its last checkpoint with `resume`, and leave its model, log and checkpoints in its folder.

    Args:
        config: what to train.
        run: its folder; None names a new one under runs/.
        resume: go on from the last checkpoint; a run without one starts afresh and says so.
        watch: is told how it goes.

    Raises:
        UsageError: an unknown name, or a resumed run whose configuration differs.
        DivergedError: a loss stopped being finite.
        CorruptError: the checkpoint does not hold what its manifest says.
        TextganError: the text, the memory, or the disk that the run is written to, is not fit for it, or another
            process is training in the folder.
    """
    with joined(config.training.patience * 60) as ranks:
        try:
            return _train(config, run, resume or restarted(), (watch if ranks.first else None) or Silence(), ranks)
        except DivergedError as error:  # which all processes see alike
            raise error if ranks.first else ElsewhereError(str(error), error.exit_code) from error


def _train(config: Config, run: Path | None, resume: bool, watch: Watch, ranks: Ranks) -> Outcome:
    check_shares(config, ranks)
    config = settled(config)
    with ExitStack() as held, flushed_denormals(), enough_memory():
        place = by_first(ranks, partial(_begin, held, config, run, resume, watch))
        folder, start, ended = Path(place["folder"]), place["step"], place["ended"]
        if ended is not None:
            return Outcome(folder, start, 0.0, **ended)
        parts = in_turns(ranks, lambda: build(config, watch.note, watch.preparing))
        check_corpus_alike(parts, ranks)
        watch.note(f"{parts.corpus.name}: {summary(parts.corpus)}")
        crowd = crowding(torch.get_num_threads(), os.getloadavg()[0]) if ranks.count == 1 else None
        for advice in filter(None, (parts.kind.advice(parts.corpus), crowd)):
            watch.note(advice)
        _restore(parts, folder, start, ranks)
        end = _play(parts, folder, watch, ranks)
        told = by_first(ranks, lambda: alarms(folder))
    return Outcome(folder, parts.state.step, end.seconds, end.stopped, end.metrics, told)


def _begin(held: ExitStack, config: Config, run: Path | None, resume: bool, watch: Watch) -> dict[str, Any]:
    """Take the folder of a run, until `held` is left, and say where it stands."""
    folder = run or make_run_folder(config)
    held.enter_context(alone_in(folder))
    start, ended = starting_step(folder, config, resume, watch), None
    if start is not None and (over := nothing_left(folder, start, config.training)):
        stopped, told = over
        watch.note(f"{folder} already has its {told} sets a larger total")
        ended = {"stopped": stopped, "metrics": saved_metrics(folder, start), "alarms": alarms(folder)}
    return {"folder": str(folder), "step": start, "ended": ended}


def check_shares(config: Config, ranks: Ranks) -> None:
    """Refuse batches that so many processes cannot share evenly, and what cannot be done by several.

    Raises:
        UsageError: in one line.
    """
    t, c = config.training, config.critic
    critic = c.batch or t.batch
    sizes = {"training.batch": t.batch, "critic.batch": critic, "critic.judged": min(c.judged or critic, t.batch)}
    for key, size in sizes.items():
        if size % ranks.count:
            raise UsageError(
                f"{key}: {size} samples cannot be split evenly over {ranks.count} processes; "
                f"use a multiple of {ranks.count}, or a number of processes that divides it"
            )
    if t.graphs and ranks.count > 1:
        raise UsageError("training.graphs: no CUDA graphs under several processes; use false")


def check_corpus_alike(parts: Parts, ranks: Ranks) -> None:
    """Refuse to train on one text here and another there.

    Raises:
        TextganError: the corpus is not that of the first process.
    """
    corpus = parts.corpus
    firsts = by_first(ranks, lambda: corpus.fingerprint)

    def check() -> None:
        if corpus.fingerprint != firsts:
            raise TextganError(f"{corpus.name} is not the same here as at process 0; give all machines the same files")

    by_all(ranks, check)


def _restore(parts: Parts, folder: Path, start: int | None, ranks: Ranks) -> None:
    """Bring all processes to where the first one's checkpoint is; without any, to its first weights."""
    state = parts.state
    if start is not None:
        by_all(ranks, lambda: restore(parts, folder, start) if ranks.first else None)
    if ranks.count > 1:
        step = by_first(ranks, lambda: state.step)
        state.processor_seconds = by_first(ranks, lambda: state.processor_seconds)
        state.load(step, spread(state.tensors(), ranks))


def crowding(threads: int, load: float) -> str | None:
    """Say so where other work keeps cores busy that torch's threads would wait for at every operation."""
    if threads == 1 or load < 0.7:
        return None
    return f"other work is running here (load {load:.1f}); OMP_NUM_THREADS=1 is then many times faster"


def _play(parts: Parts, folder: Path, watch: Watch, ranks: Ranks) -> Ending:
    guarded = partial(writing, folder, ADVICE)
    log = by_all(ranks, lambda: guarded()(_log)(parts, folder) if ranks.first else None)
    row = _ward(guarded()(log.row), folder, parts.config, watch) if log else _nothing
    keep = guarded()(log.evaluated) if log else _nothing
    # before signals are only remembered: what measures may have a net to train, which one would wait for
    evaluate = measure(parts, keep, watch.note, ranks)
    save = _shared(guarded()(store(parts, folder, log)) if log else _nothing, ranks)
    with Interrupt() as interrupt:
        hooks = Hooks(evaluate, save, row, watch, interrupt)
        try:
            plan = replace(plan_of(parts.config, parts.device), ranks=ranks)
            with products(plan.precision):
                return play(parts.state, plan, parts.source, parts.game, parts.relaxation, hooks)
        finally:
            watch.closed()


def _nothing(*told: Any) -> None:
    """What a process does that is not the first, where that one writes."""


def _log(parts: Parts, folder: Path) -> RunLog:
    """Open the log of a run, without what a killed process left behind."""
    facts = run_facts(parts)
    log = RunLog(folder, parts.state.step)
    for part in (folder, *(folder / name for name in ("samples", "pictures", "checkpoints"))):
        sweep(part)
    log.describe(facts)
    return log


def _ward(log: Callable[[dict[str, Any]], None], folder: Path, config: Config, watch: Watch) -> Ward:
    """Return what keeps a row and judges the health of the run, which knows the rows there are."""
    t = config.training
    ward = Ward(log, watch.note, t.log_every, t.evaluate_every)
    for row in read(folder):
        ward.judge(row)
    return ward


Save = Callable[[TrainingState, dict[str, Any] | None], None]


def _shared(save: Save, ranks: Ranks) -> Save:
    """Return what saves a state in the first process, once all are seen to have the same."""
    if ranks.count == 1:
        return save

    def shared(state: TrainingState, evaluation: dict[str, Any] | None) -> None:
        compare(state.tensors(), state.step, ranks)
        by_first(ranks, lambda: save(state, evaluation))

    return shared


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Take numbers that are nearly 0, of which a confident softmax is full, for 0, which is much faster.

    It is a setting of the whole thread that torch can set but not tell: afterwards it is off, as it is by default.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn a lack of memory, however it is told, into one line.

    Raises:
        TextganError: in its place.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and not any(words in str(error) for words in NO_MEMORY):
            raise
        raise TextganError(
            "not enough memory; lower training.batch, critic.batch, generator.width or critic.width"
        ) from error


def make_run_folder(config: Config) -> Path:
    """Make the folder of a new run: runs/CORPUS-PRESET-DATE-TIME, numbered where another run has that name."""
    corpus = Path(config.corpus.name).stem or "corpus"
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name, numbers = f"{corpus}-{Path(config.preset).stem}-{stamp}", itertools.count(1)
    folder = RUNS / name
    with writing(folder, ADVICE):
        while not _made(folder):
            folder = RUNS / f"{name}-{next(numbers)}"
    return folder


def _made(folder: Path) -> bool:
    """Make a folder, unless it is there."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def folder_of(run: str) -> Path:
    """Return the folder of a run: that path, or runs/NAME for a bare name."""
    return RUNS / run if Path(run).name == run and run not in (".", "..") else Path(run)


def last_started() -> Path:
    """Return the run under runs/ that was started last.

    Raises:
        UsageError: there is none.
    """
    records = sorted(RUNS.glob("*/run.json"), key=lambda record: record.stat().st_mtime)
    if not records:
        raise UsageError("there is no run under runs/ to resume; leave --resume out, or name one with --run")
    return records[-1].parent


def saved_metrics(folder: Path, step: int) -> dict[str, Any] | None:
    """Return what was measured at a checkpoint."""
    metrics: dict[str, Any] | None = checkpoint.load(folder / "checkpoints", step)[1]["evaluation"]
    return metrics


def alarms(folder: Path) -> list[dict[str, Any]]:
    """Return the first alarm of each kind in a run's log, {"step", "kind", "text"}; none where there is no log."""
    return health.alarms(read(folder))


def run_facts(parts: Parts) -> dict[str, Any]:
    """Return what run.json holds: what was trained, on what, by which versions."""
    return {
        "schema": 1,
        "config": parts.config.model_dump(mode="json"),
        "corpus": describe(parts.corpus),
        "seed": parts.config.training.seed,
        "device": str(parts.device),
        "threads": torch.get_num_threads(),
        "versions": {
            "textgan": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "git": git_hash(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def git_hash() -> str | None:
    """Return the commit this code was checked out at, "-dirty" where files differ from it; None outside a checkout."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():  # a repository further up is not this project's
        return None

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def store(parts: Parts, folder: Path, log: RunLog) -> Callable[[TrainingState, dict[str, Any] | None], None]:
    """Return what saves a state: the log's rows first, then the model folder, then the checkpoint.

    In this order a kill between two of them costs the steps since the last checkpoint, and nothing else.
    """

    def save(state: TrainingState, evaluation: dict[str, Any] | None) -> None:
        log.sync()
        score = parts.kind.score(evaluation) if evaluation else None
        facts = {
            "score": score,
            "fingerprint": parts.corpus.fingerprint,
            "evaluation": evaluation,
            "processor_seconds": state.processor_seconds,
        }
        model_of(parts, evaluation).save(folder / "model")
        checkpoint.save(folder / "checkpoints", state.step, state.tensors(), facts)

    return save
