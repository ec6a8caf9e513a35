"""What a step draws. Every number depends on (seed, purpose, step) only, so that a resumed run draws the same."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def generator(seed: int, purpose: str, step: int, rollbacks: int = 0) -> torch.Generator:
    """Return a CPU random generator keyed by (seed, purpose, step) and, once a run went back, by how often it did."""
    again = f"/{rollbacks}" if rollbacks else ""
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}{again}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def noise(count: int, latent: int, *, rng: torch.Generator) -> Tensor:
    """Standard normal noise (count, latent)."""
    return torch.randn(count, latent, generator=rng)
