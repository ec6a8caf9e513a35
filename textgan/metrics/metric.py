"""What a metric is: lines to measure, a number with all that it takes to read it, and the signature of every family."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from textgan.metrics.floor import Floor
from textgan.metrics.lines import View

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Texts:
    """Both sides of a comparison, cut alike."""

    samples: Sequence[str]
    reference: Sequence[str]
    """Held-out text."""
    training: Sequence[str] | None
    floor: Floor
    """Real rows in the samples' place, and what they are measured against."""
    sources: npt.NDArray[np.integer[Any]] | None = None
    """The line that each row of the reference was cut from, (row,); None where each row is a line."""
    trained_on: Floor | None = None
    """Where n-grams are compared with the training text instead: held-out rows in the samples' place, and that text."""

    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """Return what `make` makes, made when the key is first asked for: several families need the same counts."""
        if key not in self._made:
            self._made[key] = make()
        return cast("Result", self._made[key])

    @property
    def counts(self) -> dict[str, int]:
        """Lines on each side."""
        return {"samples": len(self.samples), "reference": len(self.reference)}


@dataclass(frozen=True)
class Metric:
    """One number about samples, and what it takes to read it."""

    name: str
    key: str
    """Which of several numbers of that name: n for n-grams, else empty."""
    value: float | None
    """None where it does not exist (no n-gram so long, no words) or is infinite."""
    floor: float | None
    """The same of real text at the same count."""
    better: Literal["lower", "higher", "near the floor"]
    counts: dict[str, int]
    """Lines measured, "samples", and measured against, "reference"; what else was counted."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    infinite: bool = False
    """The value is infinite, and given as None."""

    @property
    def excess(self) -> float | None:
        """Value less floor, where both exist."""
        return excess(self.value, self.floor)


class MetricFunction(Protocol):
    """A family: lines already cut, and how to look at them, to its numbers."""

    def __call__(self, texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
        """Measure the samples; rng draws whatever is drawn, the bootstrap among it."""


def excess(value: float | None, floor: float | None) -> float | None:
    """Value less floor, where both exist."""
    return None if value is None or floor is None else value - floor
