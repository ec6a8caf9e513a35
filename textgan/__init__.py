"""textgan: train, sample, measure and compare GANs on discrete sequences.

import textgan

run = textgan.train("quick", corpus="names.txt")
model = textgan.load(run.folder)
lines = model.generate(100, seed=1)
print(textgan.report(lines, reference_lines).to_json())
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load", "report", "train"]

if TYPE_CHECKING:
    from textgan.api import train
    from textgan.model import load
    from textgan.report.measure import report

_HOMES = {"load": "textgan.model", "report": "textgan.report.measure", "train": "textgan.api"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing textgan imports no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'textgan' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
