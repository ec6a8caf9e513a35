"""Nets: noise to samples, samples to scores. One table a side and kind of sample; a new net is one class, one line."""

from collections.abc import Callable, Mapping

from torch import nn

from textgan.nets.conditional import AuxiliaryCritic, ProjectionCritic
from textgan.nets.plane import PlaneCritic, PlaneGenerator
from textgan.nets.recurrent import RecurrentGenerator
from textgan.nets.sequence import DownsamplingCritic, PaperCritic, PaperGenerator, UpsamplingGenerator

GENERATORS = {"paper": PaperGenerator, "upsampling": UpsamplingGenerator, "recurrent": RecurrentGenerator}
CRITICS = {"paper": PaperCritic, "downsampling": DownsamplingCritic}
CONDITIONAL_CRITICS = {"projection": ProjectionCritic, "auxiliary": AuxiliaryCritic}
"""How a critic takes labels: what wraps it."""

GENERATORS_OF: dict[str, Mapping[str, Callable[..., nn.Module]]] = {"text": GENERATORS, "toy": {"mlp": PlaneGenerator}}
CRITICS_OF: dict[str, Mapping[str, Callable[..., nn.Module]]] = {"text": CRITICS, "toy": {"mlp": PlaneCritic}}
"""By kind of sample; nets of one kind share one constructor, whose sizes the kind's space gives."""
