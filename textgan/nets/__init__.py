"""Nets: noise to samples, samples to scores. One table a side; a new net is one class and one line here."""

from collections.abc import Callable
from typing import Any

from textgan.nets.attention import (
    CausalTransformerCritic,
    CausalTransformerGenerator,
    TransformerCritic,
    TransformerGenerator,
)
from textgan.nets.conditional import AuxiliaryCritic, ProjectionCritic
from textgan.nets.recurrent import LSTMGenerator, RecurrentCritic, RecurrentGenerator
from textgan.nets.sequence import DownsamplingCritic, PaperCritic, PaperGenerator, UpsamplingGenerator

GENERATORS: dict[str, Callable[..., Any]] = {
    "paper": PaperGenerator,
    "upsampling": UpsamplingGenerator,
    "recurrent": RecurrentGenerator,
    "lstm": LSTMGenerator,
    "transformer": TransformerGenerator,
    "causal_transformer": CausalTransformerGenerator,
}
CRITICS: dict[str, Callable[..., Any]] = {
    "paper": PaperCritic,
    "downsampling": DownsamplingCritic,
    "recurrent": RecurrentCritic,
    "transformer": TransformerCritic,
    "causal_transformer": CausalTransformerCritic,
}
CONDITIONAL_CRITICS = {"projection": ProjectionCritic, "auxiliary": AuxiliaryCritic}
"""How a critic takes labels: what wraps it."""
