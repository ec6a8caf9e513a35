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
from textgan import config as schema
from textgan.assemble import Parts, build, choose_device, model_of, plan_of, settled
from textgan.config import Config
from textgan.errors import DivergedError, ElsewhereError, TextganError, UsageError, lacks_memory
from textgan.files import make_folder, sweep, writing
from textgan.lock import ADVICE, alone_in
from textgan.measure import measure
from textgan.opening import describe, summary
from textgan.ranks import Ranks
from textgan.resuming import RECORDED, changes, nothing_left, restore, starting_step
from textgan.room import check_room
from textgan.shares import check_corpus_alike, check_shares, first_config, share_state
from textgan.training import checkpoint, health
from textgan.training.distributed import by_all, by_first, check_device, compare, in_turns, joined, restarted, restarts
from textgan.training.health import Ward
from textgan.training.interrupt import Interrupt
from textgan.training.loop import Ending, Hooks
from textgan.training.loop import train as play
from textgan.training.precision import products
from textgan.training.rollback import Rollback
from textgan.training.runlog import RunLog, read
from textgan.training.state import TrainingState
from textgan.training.watch import Silence as Silence
from textgan.training.watch import Watch

RUNS = Path("runs")


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


def train(
    config: Config,
    run: Path | None = None,
    resume: bool = False,
    watch: Watch | None = None,
    allow_changes: bool = False,
) -> Outcome:
    """Train a run, from its last checkpoint with `resume`, and leave its model, log and checkpoints in its folder.

    Args:
        config: what to train.
        run: its folder; None names a new one under runs/.
        resume: go on from the last checkpoint; a run without one starts afresh and says so.
        watch: is told how it goes.
        allow_changes: go on with another configuration than the checkpoint's; each difference is told and recorded.

    Raises:
        UsageError: an unknown name, or a resumed run whose configuration differs.
        DivergedError: a loss stopped being finite, and going back to the last good checkpoint did not help.
        CorruptError: no checkpoint holds what its manifest says, or the newest does not fit the configuration.
        FormatError: a newer version wrote what there is.
        TextganError: the text, the memory, or the disk that the run is written to, is not fit for it, or another
            process is training in the folder.
    """
    with joined(config.training.patience * 60) as ranks:
        config = first_config(settled(config), ranks)
        begin = partial(_begin, config, run, resume or restarted(), allow_changes)
        try:
            return _train(config, begin, (watch if ranks.first else None) or Silence(), ranks)
        except DivergedError as error:  # which all processes see alike
            raise error if ranks.first else ElsewhereError(str(error), error.exit_code) from error


def _train(config: Config, begin: Callable[[ExitStack, Watch], dict[str, Any]], watch: Watch, ranks: Ranks) -> Outcome:
    check_shares(config, ranks)
    by_all(ranks, lambda: check_device(choose_device(config.training.device), ranks))
    with ExitStack() as held, flushed_denormals(), enough_memory():
        place = by_first(ranks, partial(begin, held, watch))
        folder, start, ended = Path(place["folder"]), place["step"], place["ended"]
        if ended is not None:
            return Outcome(folder, start, 0.0, **ended)
        parts = in_turns(ranks, lambda: build(config, watch.note, watch.preparing))
        check_corpus_alike(parts, ranks)
        watch.note(f"{parts.corpus.name}: {summary(parts.corpus)}")
        crowd = crowding(torch.get_num_threads(), os.getloadavg()[0]) if ranks.count == 1 else None
        for advice in filter(None, (parts.kind.advice(parts.corpus), crowd)):
            watch.note(advice)
        by_all(ranks, lambda: _prepare(parts, folder, start) if ranks.first else None)
        share_state(parts.state, ranks)
        end = _play(parts, folder, watch, ranks)
        told = by_first(ranks, lambda: alarms(folder))
    return Outcome(folder, parts.state.step, end.seconds, end.stopped, end.metrics, told)


def _begin(
    config: Config, run: Path | None, resume: bool, allow_changes: bool, held: ExitStack, watch: Watch
) -> dict[str, Any]:
    """Take the folder of a run, until `held` is left, and say where it stands."""
    if run is None and restarts():
        raise UsageError("torchrun may start this run anew (--max-restarts): name it with -r, for it to go on then")
    folder = run or make_run_folder(config)
    held.enter_context(alone_in(folder))
    start, ended = starting_step(folder, config, resume, watch, allow_changes), None
    if start is not None and (over := nothing_left(folder, start, config.training)):
        stopped, told = over
        with writing(folder, ADVICE):
            _tidy(folder, start)  # a kill may have come after the last checkpoint was there
        watch.note(f"{folder} already has its {told} sets a larger total")
        ended = {"stopped": stopped, "metrics": saved_metrics(folder, start), "alarms": alarms(folder)}
    return {"folder": str(folder), "step": start, "ended": ended}


def _prepare(parts: Parts, folder: Path, start: int | None) -> None:
    """Load the checkpoint that a run goes on from, and see that there is room for the next ones."""
    if start is not None:
        restore(parts, folder, start)
    check_room(folder, parts.state, saves_left(parts.config.training, start or 0), ADVICE)


def crowding(threads: int, load: float) -> str | None:
    """Say so where other work keeps cores busy that torch's threads would wait for at every operation."""
    if threads == 1 or load < 0.7:
        return None
    return f"other work is running here (load {load:.1f}); OMP_NUM_THREADS=1 is then many times faster"


def _play(parts: Parts, folder: Path, watch: Watch, ranks: Ranks) -> Ending:
    guarded = partial(writing, folder, ADVICE)
    book = by_all(ranks, lambda: guarded()(_Book)(parts, folder, watch) if ranks.first else None)
    keep = guarded()(book.log.evaluated) if book else _nothing
    # before signals are only remembered: what measures may have a net to train, which one would wait for
    evaluate = measure(parts, keep, watch.note, ranks)
    save = partial(_save, guarded()(book.save) if book else _nothing, ranks)
    back = partial(_back, guarded()(book.back) if book else _nothing, parts.state, ranks)
    with Interrupt() as interrupt:
        hooks = Hooks(evaluate, save, guarded()(book.ward) if book else _nothing, watch, interrupt, back)
        try:
            plan = replace(plan_of(parts.config, parts.device), ranks=ranks)
            with products(plan.precision):
                return play(parts.state, plan, parts.source, parts.game, parts.relaxation, hooks)
        finally:
            watch.closed()


def _nothing(*told: Any) -> None:
    """What a process writes that is not the first."""


def _save(save: Callable[..., None], ranks: Ranks, state: TrainingState, evaluation: dict[str, Any] | None) -> None:
    """Save a state in the first process, once all are seen to have the same."""
    if ranks.count > 1:
        compare(state.tensors(), state.step, ranks)
    by_first(ranks, lambda: save(state, evaluation))


def _back(back: Callable[..., None], state: TrainingState, ranks: Ranks, error: DivergedError) -> None:
    """Go back to a checkpoint in the first process, and in all to where it then is."""
    by_first(ranks, lambda: back(error))
    share_state(state, ranks)


class _Book:
    """What the first process writes of a run: the log, whose rows it judges, the model and the checkpoints."""

    def __init__(self, parts: Parts, folder: Path, watch: Watch) -> None:
        """Go on with the folder of a run, without what a killed process left behind."""
        t, checkpoints = parts.config.training, folder / "checkpoints"
        facts = run_facts(parts) | {"changes": changes(folder, parts.state.step, parts.config)}
        self.log = RunLog(folder, parts.state.step)
        _sweep(folder)
        self.log.describe(facts)
        self.ward = Ward(self.log.row, watch.note, t.log_every, t.evaluate_every)
        self.ward.begin(read(folder))
        self.save = store(parts, folder, self.log, facts)
        self.back = Rollback(checkpoints, parts.state, t.rollbacks, self._went_back, watch.note)

    def _went_back(self, row: dict[str, Any]) -> None:
        self.log.back(row)
        self.ward.begin(read(self.log.folder))


def _sweep(folder: Path) -> None:
    for part in (folder, *(folder / name for name in ("samples", "pictures", "checkpoints"))):
        sweep(part, own=True)


def _tidy(folder: Path, step: int) -> None:
    _sweep(folder)
    checkpoint.tidy(folder / "checkpoints", step)


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
        if not lacks_memory(error):
            raise
        raise TextganError(
            "not enough memory; lower training.batch, critic.batch, generator.width or critic.width"
        ) from error


def make_run_folder(config: Config) -> Path:
    """Make the folder of a new run: runs/CORPUS-PRESET-DATE-TIME, numbered where another run has that name."""
    stem = Path(config.corpus.name).stem or "corpus"
    corpus = "".join(char if char.isprintable() else "_" for char in stem)  # no folder can have NUL in its name
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name, numbers = f"{corpus}-{Path(config.preset).stem}-{stamp}", itertools.count(1)
    folder = RUNS / name
    with writing(folder, ADVICE):
        while not _made(folder):
            folder = RUNS / f"{name}-{next(numbers)}"
    return folder


def _made(folder: Path) -> bool:
    """Make a folder, unless it is there."""
    make_folder(folder.parent)
    try:
        folder.mkdir()
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
    metrics: dict[str, Any] | None = checkpoint.state_of(folder / "checkpoints", step)["evaluation"]
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


def saves_left(limits: schema.Training, step: int) -> int:
    """Return how many checkpoints are still to come after a step."""
    return max(1, -(-(limits.steps - step) // limits.evaluate_every))


def store(
    parts: Parts, folder: Path, log: RunLog, record: dict[str, Any]
) -> Callable[[TrainingState, dict[str, Any] | None], None]:
    """Return what saves a state: the log's rows first, then the model folder, then the checkpoint.

    It holds the settings of the run's record too, from which one that is damaged can be mended. In this order a kill
    between two of them costs the steps since the last checkpoint, and nothing else.
    """

    def save(state: TrainingState, evaluation: dict[str, Any] | None) -> None:
        log.sync()
        score = parts.kind.score(evaluation) if evaluation else None
        facts = {"score": score, "fingerprint": parts.corpus.fingerprint, "evaluation": evaluation}
        facts |= state.facts() | {name: record[name] for name in RECORDED}
        model_of(parts, evaluation).save(folder / "model")
        checkpoint.save(folder / "checkpoints", state.step, state.tensors(), facts)

    return save
