"""Nets: noise to samples, samples to scores. One table a side; a new net is one class and one line here."""

from textgan.nets.sequence import DownsamplingCritic, PaperCritic, PaperGenerator, UpsamplingGenerator

GENERATORS = {"paper": PaperGenerator, "upsampling": UpsamplingGenerator}
CRITICS = {"paper": PaperCritic, "downsampling": DownsamplingCritic}
