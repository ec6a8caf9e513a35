"""Runs on disk: train one from its first step or its last checkpoint, and leave its model, log and checkpoints."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgan import __version__
from textgan import config as schema
from textgan.assemble import Parts, build, describe, measure, model_of, plan_of, settled, summary
from textgan.config import Config
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.files import sweep, writing
from textgan.game.relaxations import RELAXATIONS
from textgan.training import checkpoint
from textgan.training.interrupt import Interrupt
from textgan.training.loop import Ending, Hooks, Watch
from textgan.training.loop import train as play
from textgan.training.runlog import RunLog
from textgan.training.state import TrainingState


@dataclass(frozen=True)
class Outcome:
    """How a training call ended."""

    folder: Path
    step: int
    seconds: float
    stopped: str
    """finished, already finished, minutes, SIGINT or SIGTERM."""
    metrics: dict[str, Any] | None


class Silence:
    """A watch that shows nothing."""

    def started(self, total: int, first: int) -> None:
        """Show nothing."""

    def step(self, step: int, row: dict[str, Any]) -> None:
        """Show nothing."""

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[str]) -> None:
        """Show nothing."""

    def saved(self, step: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def closed(self) -> None:
        """Show nothing."""


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
        TextganError: the text, or the disk that the run is written to, is not fit for it.
    """
    watch = watch or Silence()
    config = settled(config)
    folder = run or new_run_folder(config)
    start = starting_step(folder, config, resume, watch)
    if start is not None and start >= config.training.steps:
        watch.note(f"{folder} already has its {start:,} steps; --steps sets a larger total")
        return Outcome(folder, start, 0.0, "already finished", saved_metrics(folder, start))
    torch.set_flush_denormal(True)  # a confident softmax is full of numbers that are nearly 0 and slow
    parts = build(config, watch.note)
    watch.note(f"{parts.corpus.name}: {summary(parts.corpus)}")
    if start is not None:
        restore(parts, folder, start)
    with writing(folder, "free some space there and add --resume, or name another folder with --run"):
        end = _play(parts, folder, watch)
    return Outcome(folder, parts.state.step, end.seconds, end.stopped, end.metrics)


def _play(parts: Parts, folder: Path, watch: Watch) -> Ending:
    config, log = parts.config, RunLog(folder, parts.state.step)
    for part in (folder, folder / "samples", folder / "checkpoints"):
        sweep(part)
    log.describe(run_facts(parts))
    with Interrupt() as interrupt:
        hooks = Hooks(measure(parts, log), store(parts, folder, log), log.row, watch, interrupt)
        try:
            relaxation = RELAXATIONS[config.generator.relaxation]
            return play(parts.state, plan_of(config, parts.device), parts.source, parts.game, relaxation, hooks)
        finally:
            watch.closed()


def new_run_folder(config: Config) -> Path:
    """Name a run that does not exist yet: runs/CORPUS-PRESET-DATE-TIME."""
    corpus = Path(config.corpus.name).stem or "corpus"
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = Path("runs") / f"{corpus}-{Path(config.preset).stem}-{stamp}"
    return next(
        path for k in range(1000) if not (path := name if k == 0 else name.with_name(f"{name.name}-{k}")).exists()
    )


FREE_TO_CHANGE = {"steps", "minutes", "device", "log_every", "evaluate_every"}
"""Training fields a resumed run may set anew: they change when it stops and what is written, not what is learned."""


def starting_step(folder: Path, config: Config, resume: bool, watch: Watch) -> int | None:
    """Return the step to resume from, or None to start afresh.

    Raises:
        UsageError: the folder holds a run and `resume` was not asked for, or the configuration differs from the run's.
    """
    found = checkpoint.steps(folder / "checkpoints")
    if not resume:
        if found or (folder / "run.json").exists():
            raise UsageError(f"{folder} already holds a run; add --resume to go on with it, or name another with --run")
        return None
    if not found:
        watch.note(f"{folder} has no checkpoint yet; starting from the first step")
        return None
    _refuse_changes(folder, config)
    return found[-1]


def run_config(folder: Path) -> Config:
    """Return the configuration a run was started with.

    Raises:
        TextganError: the folder holds no run.
        CorruptError: run.json cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        raise TextganError(f"{folder} holds no run; start one with 'textgan train --run {folder}'")
    try:
        return Config.model_validate(json.loads(path.read_text(encoding="utf-8"))["config"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{path} cannot be read ({str(error).splitlines()[0]}); restore it") from error


def _refuse_changes(folder: Path, config: Config) -> None:
    before, now = _flat(run_config(folder)), _flat(config)
    changed = [
        f"{key} {before.get(key)} -> {now.get(key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and key.removeprefix("training.") not in FREE_TO_CHANGE and key != "preset"
    ]
    if changed:
        raise UsageError(f"{folder} was started with another configuration ({'; '.join(changed)}); resume it unchanged")


def _flat(section: schema.Section, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, schema.Section) else {f"{prefix}{name}": value}
    return flat


def restore(parts: Parts, folder: Path, step: int) -> None:
    """Load the checkpoint of a step into the parts.

    Raises:
        CorruptError: it does not fit or is damaged.
        TextganError: the corpus is not the one it was trained on.
    """
    tensors, saved = checkpoint.load(folder / "checkpoints", step)
    if saved["fingerprint"] != parts.corpus.fingerprint:
        raise TextganError(f"the text of {parts.corpus.name} is no longer what {folder} was trained on; restore it")
    try:
        parts.state.load(step, tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptError(f"{checkpoint.path_of(folder / 'checkpoints', step)} does not fit ({reason})") from error


def saved_metrics(folder: Path, step: int) -> dict[str, Any] | None:
    """Return what was measured at a checkpoint."""
    metrics: dict[str, Any] | None = checkpoint.load(folder / "checkpoints", step)[1]["evaluation"]
    return metrics


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
    """Return the commit this code was checked out at, or None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def store(parts: Parts, folder: Path, log: RunLog) -> Callable[[TrainingState, dict[str, Any] | None], None]:
    """Return what saves a state: the log's rows first, then the model folder, then the checkpoint.

    In this order a kill between two of them costs the steps since the last checkpoint, and nothing else.
    """

    def save(state: TrainingState, evaluation: dict[str, Any] | None) -> None:
        log.sync()
        score = evaluation["jsd"]["4"]["value"] if evaluation else None
        facts = {"score": score, "fingerprint": parts.corpus.fingerprint, "evaluation": evaluation}
        model_of(parts, evaluation).save(folder / "model")
        checkpoint.save(folder / "checkpoints", state.step, state.tensors(), facts)

    return save
