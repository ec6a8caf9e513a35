"""Nets: noise to samples, samples to scores. One table a side and kind of sample; a new net is one class, one line."""

from collections.abc import Callable, Mapping
from typing import Any

from textgan.nets.attention import (
    CausalTransformerCritic,
    CausalTransformerGenerator,
    TransformerCritic,
    TransformerGenerator,
)
from textgan.nets.bottleneck import BottleneckCritic, BottleneckGenerator
from textgan.nets.conditional import AuxiliaryCritic, ProjectionCritic
from textgan.nets.dcgan import ConstantGenerator, DCGANCritic, DCGANGenerator
from textgan.nets.image import GrowingCritic, GrowingGenerator, PixelGenerator, ResNetCritic, ResNetGenerator
from textgan.nets.plane import PlaneCritic, PlaneGenerator
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

IMAGE_GENERATORS: dict[str, Callable[..., Any]] = {
    "resnet": ResNetGenerator,
    "resnet_growing": GrowingGenerator,
    "resnet101": BottleneckGenerator,
    "dcgan": DCGANGenerator,
    "dcgan_constant": ConstantGenerator,
    "mlp": PixelGenerator,
}
IMAGE_CRITICS: dict[str, Callable[..., Any]] = {
    "resnet": ResNetCritic,
    "resnet_growing": GrowingCritic,
    "resnet101": BottleneckCritic,
    "dcgan": DCGANCritic,
}

GENERATORS_OF: dict[str, Mapping[str, Callable[..., Any]]] = {
    "text": GENERATORS,
    "toy": {"mlp": PlaneGenerator},
    "image": IMAGE_GENERATORS,
}
CRITICS_OF: dict[str, Mapping[str, Callable[..., Any]]] = {
    "text": CRITICS,
    "toy": {"mlp": PlaneCritic},
    "image": IMAGE_CRITICS,
}
"""By kind of sample; nets of one kind share one constructor, whose sizes the kind's space gives."""
