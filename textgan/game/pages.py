"""Memory for tables that are read at random."""

from __future__ import annotations

import mmap
from contextlib import suppress

import torch
from torch import Tensor


def zeros(*shape: int, device: torch.device) -> Tensor:
    """Return zeros (*shape) float32; on a CPU on huge pages where the system has them.

    A random read of a large table misses the cache of page addresses as well as the data's, unless pages are large.
    """
    size = 4 * torch.Size(shape).numel()
    if device.type != "cpu" or not size or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(shape, device=device)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel built without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32).view(shape)
