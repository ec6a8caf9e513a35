"""Constant linear maps that autograd sees as one operation, whose backward is their transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.autograd import Function

Map = Callable[[Tensor], Tensor]
"""A linear function of a tensor."""


def linear_map(x: Tensor, there: Map, back: Map) -> Tensor:
    """Return there(x), with derivatives of any order.

    Args:
        x: any tensor.
        there: linear in x; what else it uses is constant.
        back: its transpose.
    """
    return LinearMap.apply(x, there, back)  # type: ignore[no-any-return, no-untyped-call]


class LinearMap(Function):
    """A map and its transpose; each is the other's backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Map, back: Map) -> Tensor:
        """Map x."""
        ctx.there, ctx.back = there, back
        return there(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Map the gradient by the transpose."""
        return linear_map(gradient, ctx.back, ctx.there), None, None
