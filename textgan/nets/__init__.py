"""Nets: noise to samples, samples to scores. One table a side; a new net is one class and one line here."""

from textgan.nets.conditional import AuxiliaryCritic, ProjectionCritic
from textgan.nets.recurrent import RecurrentGenerator
from textgan.nets.sequence import DownsamplingCritic, PaperCritic, PaperGenerator, UpsamplingGenerator

GENERATORS = {"paper": PaperGenerator, "upsampling": UpsamplingGenerator, "recurrent": RecurrentGenerator}
CRITICS = {"paper": PaperCritic, "downsampling": DownsamplingCritic}
CONDITIONAL_CRITICS = {"projection": ProjectionCritic, "auxiliary": AuxiliaryCritic}
"""How a critic takes labels: what wraps it."""
