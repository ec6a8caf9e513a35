"""Points of the plane: rows of two coordinates to lines of text and back, beside `Symbols` for text.

Nothing here needs torch: a row is its own sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Generator, Tensor

AXES = 2


@dataclass(frozen=True)
class Plane:
    """Points as samples (batch, 2), written as lines "x<TAB>y" of 6 significant digits."""

    kind: ClassVar[str] = "toy"
    draws: ClassVar[bool] = False
    """A row is what the net gives: nothing is drawn, at no temperature."""
    length: ClassVar[None] = None
    row_type: ClassVar[str] = "float32"
    """Of rows on the device, until they become samples."""
    labels: ClassVar[tuple[str, ...]] = ()
    values: ClassVar[int] = AXES
    """Numbers of a sample."""
    sizes: ClassVar[Mapping[str, int]] = {"axes": AXES}
    """What the nets are built for, besides the configuration."""
    task: ClassVar[str] = "toy"
    samples: ClassVar[str] = "points of the plane"
    """What its samples are, in words."""
    example: ClassVar[str] = 'print("\\n".join(textgan.load("PATH").generate(10, seed=0)))'
    """How a model card shows that samples are made."""
    absent: ClassVar[str] = "The points follow from the formula alone."
    """What a model card says of the data that is not part of it."""

    def encode(self, lines: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the points (line, 2) float32 of lines.

        Raises:
            ValueError: a line is not two numbers.
        """
        return np.array([line.split("\t") for line in lines], dtype=np.float32).reshape(len(lines), AXES)

    def decode(self, points: npt.NDArray[Any]) -> list[str]:
        """Return the line of each point (row, 2)."""
        return [f"{x:.6g}\t{y:.6g}" for x, y in points.tolist()]

    def to_sample(self, points: Tensor, *, rng: Generator | None = None) -> Tensor:
        """Points (batch, 2) float32 are samples as they are."""
        return points

    def chosen(self, output: Tensor, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what a generator gives, (batch, 2), as it is."""
        return output

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {"kind": self.kind, "axes": AXES}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the plane.

        Raises:
            ValueError: the value is of another space.
        """
        if dict(value) != cls().to_json():
            raise ValueError("this is no plane")
        return cls()
