"""Nets: noise to samples, samples to scores. One table a side; a new net is one class and one line here."""

from collections.abc import Callable
from typing import Any

from textgan.nets.conditional import AuxiliaryCritic, ProjectionCritic
from textgan.nets.recurrent import RecurrentGenerator
from textgan.nets.sequence import DownsamplingCritic, PaperCritic, PaperGenerator, UpsamplingGenerator

GENERATORS: dict[str, Callable[..., Any]] = {
    "paper": PaperGenerator,
    "upsampling": UpsamplingGenerator,
    "recurrent": RecurrentGenerator,
}
CRITICS: dict[str, Callable[..., Any]] = {"paper": PaperCritic, "downsampling": DownsamplingCritic}
CONDITIONAL_CRITICS = {"projection": ProjectionCritic, "auxiliary": AuxiliaryCritic}
"""How a critic takes labels: what wraps it."""
