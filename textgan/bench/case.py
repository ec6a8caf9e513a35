"""What a benchmark is made of: two sides that do the same work, and the proof that they do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from textgan.errors import TextganError

TOLERANCE = 0.01  # of float32 results: where a ReLU's input rounds to the other side of 0, more than rounding. [ratio]


@dataclass(frozen=True)
class Setup:
    """What is measured, and where."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    widths: tuple[int, ...] = ()
    """Widths of the nets; none for each benchmark's own. [channels]"""
    count: int | None = None
    """Sequences or lines that are worked on; None for each benchmark's own number."""
    tell: Callable[[str], None] = lambda line: None
    """Is told, in one line, why training is slower here than it might be."""

    def wait(self) -> None:
        """Wait until a GPU has done what it was told."""
        WAITS.get(self.device.type, lambda: None)()


WAITS: dict[str, Callable[[], None]] = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}


@dataclass(frozen=True)
class Case:
    """One row: a call of ours, and the same work done plainly."""

    name: str
    ours: Callable[[], object]
    plain: Callable[[], object] | None = None
    """None where there is nothing to compare with."""
    check: Callable[[], object] = lambda: None
    """Called before any timing; raises where the two sides differ."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the row says besides its times: width, how many sequences."""
    flops: float | None = None
    """Floating-point operations of one call that the plain algorithm cannot do without."""
    units: int = 1
    """Steps, of which times are told, that one call takes."""
    sequences: int | None = None
    """Sequences that one call makes, where their number a second is told."""
    steps: int | None = None
    """Steps of a whole run, where an estimate of its time is told."""


Cases = Generator[Case, None, None]
"""The rows of a benchmark, each made when it is its turn; closed, they leave nothing behind."""


def same_tensors(what: str, ours: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> None:
    """Refuse tensors that differ by more than 1 % of their norm (and 1e-5 of the norm of all together).

    Args:
        what: names them.
        ours: tensors by name.
        plain: tensors by the same names, each with as many elements.

    Raises:
        TextganError: they differ; the line names the first that does.
    """
    if ours.keys() != plain.keys():
        raise TextganError(f"{what}: the two sides have not the same parts, so that times would say nothing")
    scale = 1e-3 * float(sum(tensor.double().square().sum() for tensor in plain.values())) ** 0.5
    for name, expected in plain.items():
        found = ours[name].detach().double().reshape(expected.shape)
        error = float(torch.linalg.vector_norm(found - expected.double()))
        limit = TOLERANCE * (float(torch.linalg.vector_norm(expected.double())) + scale)
        if not error <= limit:
            raise TextganError(f"{what}: {name} is {error:.3g} off the plain result, so that times would say nothing")


def same(what: str, ours: object, plain: object) -> None:
    """Refuse results that are not equal.

    Raises:
        TextganError: they are not.
    """
    if ours != plain:
        raise TextganError(f"{what}: the result is not the plain one, so that times would say nothing")
