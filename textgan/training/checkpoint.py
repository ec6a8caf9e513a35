"""Checkpoints: `step-000123/` with all that training changes; the last and the best are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from textgan.errors import CorruptError
from textgan.files import dump_json, verify_folder, write_folder
from textgan.training.tensors import save_tensors

TENSORS, STATE = "tensors.safetensors", "state.json"


def path_of(folder: Path, step: int) -> Path:
    """Return the folder of a step's checkpoint."""
    return folder / f"step-{step:06d}"


def steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint, in order."""
    found = [path.name.removeprefix("step-") for path in folder.glob("step-*")]
    return sorted(int(step) for step in found if step.isdigit())


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Write the checkpoint of a step as a whole, then drop all but it and the best so far.

    Args:
        folder: the run's `checkpoints`.
        step: finished generator steps.
        tensors: all that training changes.
        state: JSON; "score" says how good the step is, lower is better, None if it was not measured.
    """

    def fill(target: Path) -> None:
        save_tensors(target / TENSORS, tensors)
        (target / STATE).write_text(dump_json({"step": step} | state), encoding="utf-8")

    write_folder(path_of(folder, step), fill)
    kept = {step, best(folder)}
    for other in steps(folder):
        if other not in kept:
            shutil.rmtree(path_of(folder, other))


def load(folder: Path, step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a step's checkpoint.

    Raises:
        CorruptError: it does not hold what its manifest says.
    """
    path = path_of(folder, step)
    verify_folder(path, TENSORS, STATE)
    try:
        return load_file(path / TENSORS), _state(path)
    except (SafetensorError, OSError) as error:
        raise CorruptError(f"{path} cannot be read ({error}); restore it, or remove it") from error


def best(folder: Path) -> int | None:
    """Return the step of the lowest score, or None where no step was measured."""
    scores = {step: _state(path_of(folder, step)).get("score") for step in steps(folder)}
    measured = {step: score for step, score in scores.items() if score is not None}
    return min(measured, key=lambda step: (measured[step], -step)) if measured else None


def _state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((path / STATE).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CorruptError(f"{path / STATE} cannot be read ({error}); restore it, or remove {path}") from error
    return state
