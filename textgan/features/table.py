"""All extractors by name, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from textgan.errors import UsageError, near_miss
from textgan.features.efficientnet import efficientnet
from textgan.features.extractor import Extractor, Rows
from textgan.features.inception import inception
from textgan.features.kept import classifier

EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    "classifier": classifier,
    "efficientnet": efficientnet,
    "inception": inception,
}
"""By the value of evaluation.extractor."""


def extractor(
    name: str,
    *,
    train: Rows,
    labels: npt.NDArray[Any] | None,
    classes: int,
    cache: Path,
    weights: str = "",
    device: torch.device | str = "cpu",
    tell: Callable[[str], None] = lambda line: None,
) -> Extractor:
    """Make an extractor.

    Args:
        name: a key of EXTRACTORS.
        train: training pictures (row, channel, y, x), which `classifier` learns from.
        labels: the class of each, (row,), or None.
        classes: how many there are.
        cache: folder in which what was learnt is kept.
        weights: where the weights of `inception` lie; else in its library's own cache.
        device: where pictures are looked at.
        tell: is told what takes long.

    Raises:
        UsageError: there is no such extractor.
        TextganError: its library or its weights are not on this machine, or the cache cannot be written.
    """
    if name not in EXTRACTORS:
        raise UsageError(f"evaluation.extractor: {name!r} is none{near_miss(name, EXTRACTORS)}")
    given = {"train": train, "labels": labels, "classes": classes, "cache": cache, "weights": weights}
    return EXTRACTORS[name](**given, device=torch.device(device), tell=tell)
