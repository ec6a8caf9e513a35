"""From the CPU, where everything random is drawn, to the device that computes with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Protocol

import torch
from torch import Tensor


class Draw(Protocol):
    """What draws a tensor of the CPU, of the same shape whenever it is asked."""

    def __call__(self, *, generator: torch.Generator) -> Tensor:
        """Draw from a generator of the CPU."""


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device; to a GPU by way of pinned memory, so that neither side waits."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def drawn(draw: Draw, rng: torch.Generator, device: torch.device) -> Tensor:
    """Return what `draw` draws from `rng`, on a device; a `Draws` in its place gives its own tensor instead."""
    if isinstance(rng, Draws):
        return rng.drawn(draw, device)
    return sent(draw(generator=rng), device)


class Draws(torch.Generator):
    """Stands in for a generator where a step is to run again and again on the same tensors, filled anew each time.

    The first time through a step it draws, and keeps each draw with the tensor that it gave. From then on it gives
    those, in that order. What reaches a step otherwise than by `drawn` stays what it was the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[Draw, Tensor]] = []
        self._given = 0

    def drawn(self, draw: Draw, device: torch.device) -> Tensor:
        """Return the next of its tensors; the first time through, one just drawn."""
        if self._given == len(self._kept):
            self._kept.append((draw, sent(draw(generator=self), device)))
        self._given += 1
        return self._kept[self._given - 1][1]

    def rewind(self) -> Draws:
        """Go back to the first tensor."""
        self._given = 0
        return self

    def refill(self, rng: torch.Generator) -> None:
        """Draw everything anew from `rng`, in the order of the first time, into the same tensors."""
        for draw, tensor in self._kept:
            tensor.copy_(sent(draw(generator=rng), tensor.device))


_DROPPING: ContextVar[tuple[torch.Generator, dict[object, Tensor]] | None] = ContextVar("dropping", default=None)


@contextmanager
def dropping(rng: torch.Generator) -> Iterator[None]:
    """Let layers drop values at random, by numbers from `rng`; however often a layer is called within, the same ones.

    So scores and features that are asked for one after the other come from one thinned net.
    """
    token = _DROPPING.set((rng, {}))
    try:
        yield
    finally:
        _DROPPING.reset(token)


def dropped(layer: object, share: float, shape: torch.Size, device: torch.device) -> Tensor | None:
    """Return where a layer drops, true in that share of a tensor of this shape; None outside `dropping`."""
    within = _DROPPING.get()
    if within is None:
        return None
    rng, masks = within
    if layer not in masks:
        masks[layer] = drawn(partial(torch.rand, shape), rng, device) < share
    return masks[layer]
