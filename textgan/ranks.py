"""The processes that share each batch, and what one of them is told of the others' rows.

Row i of a batch is process i mod count's. A step on several processes is the step on one: what is random is drawn for
the whole batch, and each process takes its rows; statistics of a batch are sums over all processes; and gradients are
averaged once, when a step has them. Without `sharing` a process is alone, and everything here does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd import Function


@dataclass(frozen=True)
class Ranks:
    """Which process this is, and of how many."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that reads and writes for all."""
        return self.rank == 0

    def rows(self, whole: int) -> int:
        """How many rows of a batch are this process's; the number of processes divides it."""
        return whole // self.count

    def drawn(self, draw: Callable[..., Tensor], shape: Sequence[int], *, generator: torch.Generator) -> Tensor:
        """Draw for the rows of all processes, of which each has as many as `shape` says; return this one's."""
        if self.count == 1:
            return draw(tuple(shape), generator=generator)
        whole = draw((shape[0] * self.count, *shape[1:]), generator=generator)
        return whole[self.rank :: self.count].contiguous()

    def averaged(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the means over processes of tensors of one type, by one all-reduce of them all."""
        if self.count == 1:
            return list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        parts = torch.split(flat.div_(self.count), [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


ALONE = Ranks()
_SHARING: ContextVar[Ranks] = ContextVar("sharing", default=ALONE)


@contextmanager
def sharing(ranks: Ranks) -> Iterator[None]:
    """Let the batches within be parts of whole ones."""
    token = _SHARING.set(ranks)
    try:
        yield
    finally:
        _SHARING.reset(token)


def here() -> Ranks:
    """Return the processes that share the batches here."""
    return _SHARING.get()


def summed(x: Tensor) -> Tensor:
    """Return the sum over processes of tensors of one shape, with derivatives of any order.

    A derivative is that of what all processes compute from it, added up.
    """
    return x if here().count == 1 else _Sum.apply(x)  # type: ignore[no-untyped-call]


def mean(x: Tensor) -> Tensor:
    """Return the mean over processes of statistics of their own rows; a derivative is that of this process's own.

    That suffices, without a second exchange, where every process computes the same from it and gradients are then
    averaged: the mean of f'(m) dm_r over processes r is f'(m) dm.
    """
    ranks = here()
    if ranks.count == 1:
        return x
    whole = x.detach().clone()
    distributed.all_reduce(whole)
    return whole / ranks.count + (x - x.detach())  # to the bit the same in all


def gathered(x: Tensor) -> Tensor:
    """Return the rows of all processes (count x rows, ...) in the order of the whole batch; differentiable."""
    ranks = here()
    if ranks.count == 1:
        return x
    places = [x if rank == ranks.rank else torch.zeros_like(x) for rank in range(ranks.count)]
    return summed(torch.stack(places, dim=1).flatten(0, 1))


class _Sum(Function):
    """A sum over processes, which is its own transpose and so its own backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Add up."""
        whole = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Add up the gradients."""
        return _Sum.apply(gradient)  # type: ignore[no-any-return, no-untyped-call]
