"""Back to the last good checkpoint: what becomes of a run whose numbers stopped being finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgan.errors import DivergedError
from textgan.training import checkpoint
from textgan.training.state import TrainingState

Row = dict[str, Any]
ADVICE = "start anew from its settings ('textgan train -c RUN') with a lower learning rate or a heavier penalty"


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
        step = checkpoint.whole(self.folder)[0] if count <= self.limit else None
        if step is None:
            raise error
        tensors, facts = checkpoint.load(self.folder, step)
        checkpoint.drop_after(self.folder, step)
        reason = str(error).partition(";")[0]
        self.record({"step": step, "rollback": count, "reason": reason})
        self.state.load(step, tensors, facts)
        self.state.rollbacks = count
        self.tell(f"{reason}; back to step {step:,} and other draws ({count} of {self.limit} times)")


def stays(error: DivergedError) -> None:
    """Go back nowhere."""
    raise error


def check_weights(state: TrainingState) -> None:
    """Refuse to keep a state that cannot go on: an update of finite gradients may itself be too large.

    Raises:
        DivergedError: a weight is not finite.
    """
    players = {"generator": state.generator, "critic": state.critic}
    for who, player in players.items():
        if player is not None and not all(bool(p.isfinite().all()) for p in player.parameters):
            raise DivergedError(f"step {state.step}: the {who}'s weights are not finite; {ADVICE}")


def check_metrics(step: int, metrics: Mapping[str, Any], within: str = "") -> None:
    """Refuse what was measured of a state whose weights are finite, but too large to compute with.

    Raises:
        DivergedError: a number is not finite; the line names it.
    """
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            check_metrics(step, value, f"{within}{name}.")
        elif isinstance(value, float) and not math.isfinite(value):
            raise DivergedError(f"step {step}: {within}{name} was measured to be {value}; {ADVICE}")


def count_of(rows: Iterable[Row]) -> int:
    """Return how often a run went back, by its log up to the step it stands at."""
    return max((row["rollback"] for row in rows if isinstance(row.get("rollback"), int)), default=0)
