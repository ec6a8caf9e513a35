"""Whether, from where and with what a run may be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textgan import config as schema
from textgan.assemble import Parts
from textgan.checks import moving
from textgan.config import Config
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.training import checkpoint
from textgan.training.watch import Watch

FREE_TO_CHANGE = {
    "steps",
    "minutes",
    "processor_minutes",
    "device",
    "graphs",
    "patience",
    "log_every",
    "evaluate_every",
}
"""Training fields a resumed run may set anew: they change when it stops and what is written, not what is learned.

Steps are also the length of every schedule that is not constant: with another total, what is learned is told to differ.
"""


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
    _check_changes(folder, config, watch)
    return found[-1]


def nothing_left(folder: Path, step: int, limits: schema.Training) -> tuple[str, str] | None:
    """Return how a run ended whose last checkpoint is at this step, and what it has; None where there is more to do.

    What was interrupted at the end of its processor time has still to be measured.
    """
    if step >= limits.steps:
        return "already finished", f"{step:,} steps; --steps"
    saved = checkpoint.load(folder / "checkpoints", step)[1]
    left = saved.get("processor_seconds", 0.0) < (limits.processor_minutes * 60 or float("inf"))
    if left or saved["evaluation"] is None:
        return None
    return "minutes", f"{limits.processor_minutes:g} minutes of processor time; training.processor_minutes"


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


def _check_changes(folder: Path, config: Config, watch: Watch) -> None:
    before, now = _flat(run_config(folder)), _flat(config)
    changed = {
        key: f"{key} {before.get(key)} -> {now.get(key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    }
    bound = [told for key, told in changed.items() if key.removeprefix("training.") not in FREE_TO_CHANGE | {"preset"}]
    if bound:
        raise UsageError(f"{folder} was started with another configuration ({'; '.join(bound)}); resume it unchanged")
    if "training.steps" in changed:
        schedule = config.training.schedule
        rates = [f"{schedule} schedule of the learning rates"] if schedule != "constant" else []
        for what in rates + [f"schedule of {key}" for key in moving(config)]:
            watch.note(
                f"{changed['training.steps']} changes the {what}: the result is not that of an uninterrupted run"
            )


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
        raise TextganError(f"{parts.corpus.name} is no longer what {folder} was trained on; restore it")
    try:
        parts.state.load(step, tensors)
        parts.state.processor_seconds = saved.get("processor_seconds", 0.0)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptError(f"{checkpoint.path_of(folder / 'checkpoints', step)} does not fit ({reason})") from error
