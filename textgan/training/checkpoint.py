"""Checkpoints: `step-000123/` with all that training changes; the last two and the best are kept."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from textgan.errors import CorruptError, FormatError
from textgan.files import dump_json, is_whole, read_record, verify_folder, write_folder
from textgan.training.tensors import save_tensors

KEPT = 3  # checkpoints, at most: the last two and the best
TENSORS, STATE = "tensors.safetensors", "state.json"
SCHEMA = 2
"""Format of a checkpoint's state; the first did not say its own, nor the run's settings."""


def path_of(folder: Path, step: int) -> Path:
    """Return the folder of a step's checkpoint."""
    return folder / f"step-{step:06d}"


def steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint, in order, whole or not."""
    found = [path.name.removeprefix("step-") for path in folder.glob("step-*") if path.is_dir()]
    numbers = [int(step) for step in found if step.isascii() and step.isdecimal()]
    return sorted(step for step in set(numbers) if path_of(folder, step).is_dir())


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Write the checkpoint of a step as a whole, then drop all but it, the whole one before it and the best so far.

    What is of later steps goes too: the run went back, since it was damaged or had diverged.

    Args:
        folder: the run's `checkpoints`.
        step: finished generator steps.
        tensors: all that training changes.
        state: JSON; "score" says how good the step is, lower is better, None if it was not measured.
    """

    def fill(target: Path) -> None:
        save_tensors(target / TENSORS, tensors)
        (target / STATE).write_text(dump_json({"schema": SCHEMA, "step": step} | state), encoding="utf-8")

    write_folder(path_of(folder, step), fill)
    tidy(folder, step)


def tidy(folder: Path, step: int) -> None:
    """Drop all checkpoints but that of a step, the whole one before it and the best so far."""
    drop_after(folder, step)
    scores = _scores(folder)
    kept = {*sorted(scores)[-2:], _best(scores)}
    for other in steps(folder):
        if other not in kept:
            shutil.rmtree(path_of(folder, other))


def drop_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of later steps."""
    for later in steps(folder):
        if later > step:
            shutil.rmtree(path_of(folder, later))


def load(folder: Path, step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a step's checkpoint.

    Raises:
        CorruptError: it does not hold what its manifest says.
        FormatError: another version wrote it.
    """
    path, state = path_of(folder, step), verify(folder, step)
    try:
        return load_file(path / TENSORS), state
    except (SafetensorError, OSError) as error:
        raise CorruptError(f"{path} cannot be read ({error}); restore it, or remove it") from error


def verify(folder: Path, step: int) -> dict[str, Any]:
    """Check a step's checkpoint without its tensors in memory, and return its state; raises what `load` does."""
    path = path_of(folder, step)
    verify_folder(path, TENSORS, STATE)
    return _state(path, step)


def whole(folder: Path) -> tuple[int | None, list[str]]:
    """Return the newest step whose checkpoint is whole, None if none is, and what is wrong with those after it.

    Raises:
        FormatError: a newer version wrote the newest one; going back to one before it would lose steps.
    """
    wrong: list[str] = []
    for step in reversed(steps(folder)):
        try:
            verify(folder, step)
        except CorruptError as error:
            wrong.append(str(error).partition(";")[0])
        else:
            return step, wrong
    return None, wrong


def best(folder: Path) -> int | None:
    """Return the step of the lowest score, or None where no step was measured."""
    return _best(_scores(folder))


def _best(scores: Mapping[int, float | None]) -> int | None:
    measured = {step: score for step, score in scores.items() if score is not None}
    return min(measured, key=lambda step: (measured[step], -step)) if measured else None


def _scores(folder: Path) -> dict[int, float | None]:
    """Score of each step whose files are there in full size; None of one that was not measured."""
    scores = {}
    for step in filter(lambda step: is_whole(path_of(folder, step)), steps(folder)):
        with suppress(CorruptError, FormatError):
            scores[step] = _state(path_of(folder, step), step).get("score")
    return scores


def _state(path: Path, step: int) -> dict[str, Any]:
    advice = f"restore it, or remove {path}"
    state = read_record(path / STATE, advice, newest=SCHEMA, unsaid=1)
    if state.get("step") != step:
        raise CorruptError(f"{path / STATE} is of step {state.get('step')}; {advice}")
    return state
