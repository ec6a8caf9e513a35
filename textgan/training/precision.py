"""How finely a run computes: float32 throughout, TF32 in matrix products, or bfloat16 inside the nets.

Whatever is chosen, what leaves a net is float32: scores, objectives, slopes, norms, gradients and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from textgan.contract import Output
from textgan.errors import UsageError

DEVICES: Mapping[str, frozenset[str]] = {
    "fp32": frozenset({"cpu", "cuda", "mps"}),
    "tf32": frozenset({"cuda"}),
    "bf16": frozenset({"cpu", "cuda"}),
}
"""Kinds of device that have each precision; on most CPUs bfloat16 is right but slower than float32."""


def choose_precision(name: str, device: torch.device) -> str:
    """Return the precision of a configuration's name; auto is TF32 on CUDA and float32 elsewhere.

    Raises:
        UsageError: this kind of device has no such precision.
    """
    if name == "auto":
        return "tf32" if device.type == "cuda" else "fp32"
    if device.type not in DEVICES[name]:
        homes = " and ".join(sorted(DEVICES[name]))
        raise UsageError(f"training.precision: {name} exists on {homes} only, and this device is {device}; use auto")
    return name


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Let CUDA round the factors of float32 products to TF32's 10 bits, or not; convolutions otherwise would.

    It is a setting of the whole process; afterwards it is what it was.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    # the newer fp32_precision fails inside `cudnn.flags`, by which the recurrent net leaves cuDNN out
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def at_least_float32(x: Tensor) -> Tensor:
    """Return bfloat16 as float32, and what is as fine as that as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Bfloat16:
    """A net whose calls and methods multiply in bfloat16 and answer in float32, differentiable as often as the net."""

    def __init__(self, net: Any, device: torch.device) -> None:
        self._net, self._device = net, device

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Call the net."""
        return self._lowered(self._net)(*inputs, **named)

    def __getattr__(self, name: str) -> Any:
        """Return a method of the net, such as `features`.

        Raises:
            AttributeError: the net has none of this name.
        """
        return self._lowered(getattr(self._net, name))

    def _lowered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def lowered(*inputs: Any, **named: Any) -> Any:
            with torch.autocast(self._device.type, torch.bfloat16):
                return _float32(function(*inputs, **named))

        return lowered


def _float32(answer: Any) -> Any:
    """A net's answer, a tensor or an Output, in float32; ids stay what they are."""
    if isinstance(answer, Output):
        return Output(answer.logits.float(), answer.sample.float(), answer.ids)
    return answer.float()


NETS: Mapping[str, Callable[[Any, torch.device], Any]] = {
    "fp32": lambda net, device: net,
    "tf32": lambda net, device: net,
    "bf16": Bfloat16,
}
"""A net as a step of each precision calls it."""
