from __future__ import annotations

from typing import Any

import torch

from textgan.transfers import sent


class Recorder:
    """Stands in for a tensor on a machine without a GPU: it remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def pin_memory(self) -> Recorder:
        self.asked.append("pin_memory")
        return self

    def to(self, device: torch.device, non_blocking: bool = False) -> Recorder:
        self.asked.append((str(device), non_blocking))
        return self


def test_a_gpu_is_sent_pinned_memory_without_waiting() -> None:
    tensor = Recorder()
    assert sent(tensor, torch.device("cuda", 1)) is tensor  # type: ignore[arg-type, comparison-overlap]
    assert tensor.asked == ["pin_memory", ("cuda:1", True)]


def test_any_other_device_is_sent_the_tensor_as_it_is() -> None:
    tensor = Recorder()
    sent(tensor, torch.device("mps"))  # type: ignore[arg-type]
    assert tensor.asked == [("mps", False)]
    there = torch.ones(2)
    assert sent(there, torch.device("cpu")) is there
