"""From the CPU, where everything random is drawn, to the device that computes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from textgan.ranks import here


class Make(Protocol):
    """What makes a tensor of the CPU, of the same shape whenever it is asked."""

    def __call__(self, *, generator: torch.Generator) -> Tensor:
        """Make it, by a generator of the CPU where it is random."""


class Draw(Protocol):
    """What draws a tensor of the CPU: `torch.rand`, or `torch.randint` up to a number."""

    def __call__(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Tensor:
        """Draw from a generator of the CPU."""


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device; to a GPU by way of pinned memory, so that neither side waits."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def drawn(draw: Draw, shape: Sequence[int], rng: torch.Generator, device: torch.device) -> Tensor:
    """Return what `draw` draws from `rng` for a batch, one row (...) of `shape` a sample, on a device.

    Of a batch that processes share, it draws for all rows and returns those of this one.
    """
    return made(partial(here().drawn, draw, tuple(shape)), rng, device)


def made(make: Make, rng: torch.Generator, device: torch.device) -> Tensor:
    """Return what `make` makes, on a device; a `Draws` in the place of `rng` gives its own tensor instead."""
    if isinstance(rng, Draws):
        return rng.made(make, device)
    return sent(make(generator=rng), device)


class Draws(torch.Generator):
    """Stands in for a generator where a step is to run again and again on the same tensors, filled anew each time.

    The first time through a step it draws, and keeps each draw with the tensor that it gave. From then on it gives
    those, in that order. What reaches a step otherwise than by `drawn` or `made` stays what it was the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[Make, Tensor]] = []
        self._given = 0

    def made(self, make: Make, device: torch.device) -> Tensor:
        """Return the next of its tensors; the first time through, one just made."""
        if self._given == len(self._kept):
            self._kept.append((make, sent(make(generator=self), device)))
        self._given += 1
        return self._kept[self._given - 1][1]

    def rewind(self) -> Draws:
        """Go back to the first tensor."""
        self._given = 0
        return self

    def refill(self, rng: torch.Generator) -> None:
        """Draw everything anew from `rng`, in the order of the first time, into the same tensors."""
        for make, tensor in self._kept:
            tensor.copy_(sent(make(generator=rng), tensor.device))


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
        masks[layer] = drawn(torch.rand, shape, rng, device) < share
    return masks[layer]
