"""Whether, from where and with what a run may be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from textgan import config as schema
from textgan.assemble import Parts
from textgan.checks import moving
from textgan.config import Config
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.files import dump_json, read_record, verify_folder, write_text
from textgan.training import checkpoint
from textgan.training.rollback import count_of
from textgan.training.runlog import read
from textgan.training.watch import Watch

FREE_TO_CHANGE = {
    "steps", "minutes", "processor_minutes", "device", "graphs", "patience", "log_every", "evaluate_every",
    "rollbacks",
}  # fmt: skip
"""Training fields a resumed run may set anew: they change when it stops and what is written, not what is learned.

Steps are also the length of every schedule that is not constant: with another total, what is learned is told to differ.
"""
FIXED = {"generator.optimizer", "critic.optimizer"}
"""What no run may change: the moments of one optimizer mean nothing to another. What the shape of a tensor depends on
is found when it is loaded, and the corpus by its fingerprint."""
RECORDED = ("config", "changes")
"""What of a run's record its checkpoints hold too."""
Changes = dict[str, tuple[Any, Any]]
"""Settings by dotted key: before, after."""


def starting_step(folder: Path, config: Config, resume: bool, watch: Watch, allow_changes: bool = False) -> int | None:
    """Return the step to resume from, that of the newest whole checkpoint, or None to start afresh.

    Raises:
        UsageError: the folder holds a run and `resume` was not asked for, or the configuration differs from the run's
            in what was not allowed.
        CorruptError: no checkpoint is whole.
        FormatError: a newer version wrote the newest one.
    """
    found = checkpoint.steps(folder / "checkpoints")
    if allow_changes and not resume:
        raise UsageError("--allow-changes goes with --resume: a run that begins has nothing to change")
    if not resume:
        if found or (folder / "run.json").exists():
            raise UsageError(f"{folder} already holds a run; add --resume to go on with it, or name another with --run")
        return None
    if not found:
        watch.note(f"{folder} has no checkpoint yet; starting from the first step of preset {config.preset}")
        return None
    step = _newest(folder, watch)
    _check_changes(folder, step, config, watch, allow_changes)
    return step


def _newest(folder: Path, watch: Watch) -> int:
    """Return the step of the newest whole checkpoint, and tell of damaged ones after it."""
    step, wrong = checkpoint.whole(folder / "checkpoints")
    if step is None:
        raise CorruptError(
            f"no checkpoint in {folder} is whole: {'; '.join(wrong)}; restore one, or begin anew with another --run "
            f"and the same settings, -c {folder}"
        )
    if wrong:
        watch.note(f"{'; '.join(wrong)}: going on from step {step:,}, the newest whole checkpoint")
    return step


def nothing_left(folder: Path, step: int, limits: schema.Training) -> tuple[str, str] | None:
    """Return how a run ended whose newest checkpoint is at this step, and what it has; None where there is more to do.

    What was interrupted at the end of its processor time has still to be measured, and a damaged model to be written.
    """
    try:
        verify_folder(folder / "model")
    except CorruptError:
        return None
    if step >= limits.steps:
        return "already finished", f"{step:,} steps; --steps"
    saved = checkpoint.state_of(folder / "checkpoints", step)
    left = saved.get("processor_seconds", 0.0) < (limits.processor_minutes * 60 or float("inf"))
    if left or saved["evaluation"] is None:
        return None
    return "minutes", f"{limits.processor_minutes:g} minutes of processor time; training.processor_minutes"


def run_config(folder: Path) -> Config:
    """Return the configuration a run was started with.

    Raises:
        TextganError: the folder holds no run.
        CorruptError: run.json cannot be read.
        FormatError: another version wrote it.
    """
    path = folder / "run.json"
    if not path.exists():
        raise TextganError(f"{folder} holds no run; start one with 'textgan train --run {folder}'")
    return _validated(read_record(path).get("config"), path)


def _validated(told: Any, path: Path) -> Config:
    try:
        return Config.model_validate(told)
    except ValueError as error:
        raise CorruptError(f"{path} holds no settings ({str(error).splitlines()[0]}); restore it") from error


def mend(folder: Path, tell: Callable[[str], None]) -> None:
    """Write a record that is damaged anew, from the newest whole checkpoint, if there is one that holds settings."""
    try:
        run_config(folder)
    except CorruptError as error:
        step, _ = checkpoint.whole(folder / "checkpoints")
        saved = {} if step is None else checkpoint.state_of(folder / "checkpoints", step)
        if "config" in saved:
            told = {name: saved[name] for name in RECORDED}
            write_text(folder / "run.json", dump_json({"schema": 1} | told))
            tell(f"{str(error).partition('; restore')[0]}: its settings are taken from the checkpoint of step {step:,}")


def changes(folder: Path, step: int, config: Config) -> list[dict[str, Any]]:
    """Return every setting that a run has changed on its way: {"step", "key", "before", "after"}.

    A change is that of the checkpoint it starts from, whatever was tried in between.
    """
    if not step:
        return []
    saved = checkpoint.state_of(folder / "checkpoints", step)
    fresh = [
        {"step": step, "key": key, "before": before, "after": after}
        for key, (before, after) in _differences(folder, saved, config).items()
    ]
    return [*saved.get("changes", []), *fresh]


def _check_changes(folder: Path, step: int, config: Config, watch: Watch, allowed: bool) -> None:
    """Refuse other settings than those of a checkpoint, but for what is free to change, or allowed now or before."""
    changed = _differences(folder, checkpoint.state_of(folder / "checkpoints", step), config)
    told = {key: f"{key} {before} -> {after}" for key, (before, after) in changed.items()}
    bound = [key for key in changed if key.removeprefix("training.") not in FREE_TO_CHANGE | {"preset"}]
    if fixed := [told[key] for key in bound if key in FIXED]:
        raise UsageError(f"{folder} was started with {'; '.join(fixed)}, which no run can change; resume it unchanged")
    if bound and not allowed and not _known(folder, step, {key: changed[key] for key in bound}):
        raise UsageError(
            f"{folder} was started with another configuration ({'; '.join(told[key] for key in bound)}); resume it "
            "unchanged, or add --allow-changes"
        )
    for key in bound:
        watch.note(f"{told[key]} from step {step:,} on: the result is not that of one configuration")
    if "training.steps" in changed:
        _tell_schedules(told["training.steps"], config, watch)


def _tell_schedules(change: str, config: Config, watch: Watch) -> None:
    schedule = config.training.schedule
    rates = [f"{schedule} schedule of the learning rates"] if schedule != "constant" else []
    for what in rates + [f"schedule of {key}" for key in moving(config)]:
        watch.note(f"{change} changes the {what}: the result is not that of an uninterrupted run")


def _known(folder: Path, step: int, changed: Changes) -> bool:
    """Tell whether a run that was killed before its next checkpoint had these changes already."""
    try:
        told = read_record(folder / "run.json").get("changes", [])
    except CorruptError:
        return False
    return all({"step": step, "key": key, "before": a, "after": b} in told for key, (a, b) in changed.items())


def _differences(folder: Path, saved: Mapping[str, Any], config: Config) -> Changes:
    """Return the settings that a checkpoint and a configuration do not share."""
    path = checkpoint.path_of(folder / "checkpoints", saved["step"])
    before = _flat(_validated(saved["config"], path) if "config" in saved else run_config(folder))
    now = _flat(config)
    return {key: (before[key], now[key]) for key in sorted(now) if before[key] != now[key]}


def _flat(section: schema.Section, prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted key, as they stand in JSON."""
    flat: dict[str, Any] = {}
    told = section.model_dump(mode="json")
    for name in type(section).model_fields:
        value = getattr(section, name)
        inside = isinstance(value, schema.Section)
        flat |= _flat(value, f"{prefix}{name}.") if inside else {f"{prefix}{name}": told[name]}
    return flat


def restore(parts: Parts, folder: Path, step: int) -> None:
    """Load the checkpoint of a step into the parts.

    Raises:
        CorruptError: it does not fit or is damaged.
        TextganError: the corpus is not the one it was trained on.
    """
    tensors, saved = checkpoint.load(folder / "checkpoints", step)
    if saved["fingerprint"] != parts.corpus.fingerprint:
        raise TextganError(
            f"{parts.corpus.name} is no longer what {folder} was trained on; restore it, or how it is read"
        )
    try:
        parts.state.load(step, tensors, saved)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split("\n")[:2]).replace("\t", "")
        raise CorruptError(
            f"{checkpoint.path_of(folder / 'checkpoints', step)} does not fit these settings ({reason})"
        ) from error
    parts.state.rollbacks = max(parts.state.rollbacks, count_of(row for row in read(folder) if row["step"] <= step))
