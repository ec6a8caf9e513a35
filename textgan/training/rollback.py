"""Back to the last good checkpoint: what becomes of a run whose numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from textgan.errors import CorruptError, DivergedError
from textgan.training import checkpoint
from textgan.training.state import TrainingState

Row = dict[str, Any]


@dataclass(frozen=True)
class Rollback:
    """Takes a run that diverged back to its last good checkpoint, from where on it draws other numbers.

    The count of rollbacks is a key of all that is drawn. A kill on the way changes nothing: until the row in the log
    is on the disk the run ends as one that has not gone back yet, and diverges again.
    """

    folder: Path
    """The run's `checkpoints`."""
    state: TrainingState
    limit: int
    """How often a run may go back in all."""
    record: Callable[[Row], None]
    """Cuts the log back to a row's step, and brings the row to the disk."""
    tell: Callable[[str], None]

    def __call__(self, error: DivergedError) -> None:
        """Go back.

        Raises:
            DivergedError: the one given, where there is no good checkpoint, or the run went back as often as it may.
        """
        count = self.state.rollbacks + 1
        good = last_good(self.folder) if count <= self.limit else None
        if good is None:
            raise error
        step, tensors, facts = good
        checkpoint.drop_after(self.folder, step)
        reason = str(error).partition(";")[0]
        self.record({"step": step, "rollback": count, "reason": reason})
        self.state.load(step, tensors, facts)
        self.state.rollbacks = count
        self.tell(f"{reason}; back to step {step:,} and other draws ({count} of {self.limit} times)")


def last_good(folder: Path) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
    """Return the newest checkpoint that is whole and whose nets are finite: its step, tensors and state."""
    for step in reversed(checkpoint.steps(folder)):
        try:
            tensors, facts = checkpoint.load(folder, step)
        except CorruptError:
            continue
        if _finite(tensors):
            return step, tensors, facts
    return None


def _finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(value.isfinite().all()) for name, value in tensors.items() if ".net." in name)


def count_of(rows: Iterable[Row]) -> int:
    """Return how often a run went back, by its log up to the step it stands at."""
    return max((row["rollback"] for row in rows if isinstance(row.get("rollback"), int)), default=0)
