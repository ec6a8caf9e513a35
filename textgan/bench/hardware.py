"""The machine, as far as a time depends on it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

from textgan.bench.case import Setup

SIZE = 1024  # of the square matrices whose product is the limit
PRODUCTS, TRIES = 5, 8


def describe(setup: Setup) -> dict[str, Any]:
    """Say what this machine is, as JSON, and measure its limit with the threads that torch has now."""
    device = setup.device
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "gemm_gflops": float(f"{matrix_limit(setup):.5g}"),
    }


def cpu_name() -> str:
    """Return what the processor calls itself."""
    try:
        listed = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        listed = []
    names = [line.partition(":")[2].strip() for line in listed if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def matrix_limit(setup: Setup) -> float:
    """Return the speed of float32 products of 1024 x 1024 matrices, the best of 8 tries. [GFLOP/s]"""
    a, b = torch.rand(2, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).to(setup.device)
    product = torch.mm(a, b)
    best = float("inf")
    for _ in range(TRIES):
        setup.wait()
        begin = time.perf_counter()
        for _ in range(PRODUCTS):
            torch.mm(a, b, out=product)
        setup.wait()
        best = min(best, time.perf_counter() - begin)
    return 2 * SIZE**3 * PRODUCTS / best / 1e9
