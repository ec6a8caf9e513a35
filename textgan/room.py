"""Whether a disk has the room that a run will need, told before its first step."""

from __future__ import annotations

import shutil
from pathlib import Path

from textgan.errors import TextganError
from textgan.training import checkpoint
from textgan.training.state import TrainingState

AT_ONCE = checkpoint.KEPT + 1  # a checkpoint is written before the oldest one goes


def check_room(folder: Path, state: TrainingState, saves: int, advice: str) -> None:
    """Refuse a run whose checkpoints and model would not fit on the disk beside what is there.

    Args:
        folder: of the run.
        state: as large as it will be, but for what the parts of its game count.
        saves: how many checkpoints are still to come.
        advice: what to do.

    Raises:
        TextganError: it says how much is free, and how much is needed.
    """
    there = min(len(checkpoint.steps(folder / "checkpoints")), checkpoint.KEPT)
    copies, model = min(saves, AT_ONCE - there), sum(value.nbytes for value in state.average.state_dict().values())
    needed, free = copies * state.size() + 2 * model, shutil.disk_usage(folder).free  # a model is replaced by another
    if free < needed:
        raise TextganError(
            f"{folder} has {free / 1e6:,.1f} MB left on its disk, and this run needs {needed / 1e6:,.1f} MB there, for "
            f"{copies} checkpoint{'s' * (copies > 1)} and its model; {advice}"
        )
