"""Every method that can be chosen, told: what it is for, its formula, where it is from, what goes with it.

Data alone: the parts themselves are in the tables of `game`, `nets` and `training`, whose names these bear.
"""

from __future__ import annotations

from collections.abc import Mapping

from textgan.methods.constraints import CONSTRAINTS
from textgan.methods.layers import MINIBATCH, NORMS
from textgan.methods.method import Method
from textgan.methods.nets import CONDITIONS, CRITICS, GENERATORS
from textgan.methods.objectives import OBJECTIVES
from textgan.methods.optimizers import OPTIMIZERS, SCHEDULES
from textgan.methods.penalties import PENALTIES
from textgan.methods.relaxations import RELAXATIONS
from textgan.methods.techniques import TECHNIQUES
from textgan.methods.terms import TERMS

METHODS: Mapping[str, tuple[Method, ...]] = {
    "objective": OBJECTIVES,
    "penalty": PENALTIES,
    "constraint": CONSTRAINTS,
    "relaxation": RELAXATIONS,
    "term": TERMS,
    "technique": TECHNIQUES,
    "generator": GENERATORS,
    "critic": CRITICS,
    "norm": NORMS,
    "minibatch": MINIBATCH,
    "condition": CONDITIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""By kind."""

HEADINGS = {
    "objective": "Objectives: what critic and generator minimise",
    "penalty": "Penalties, added to the critic's loss to bound its slope; several can be on, each with its weight",
    "constraint": "Constraints, which bound the critic's slope by changing the critic",
    "relaxation": "Relaxations: what the critic sees of the generator's logits",
    "term": "Generator terms, added to the generator's loss, each with its weight",
    "technique": "Techniques",
    "generator": "Generators",
    "critic": "Critics",
    "norm": "Norms before each ReLU of a net",
    "minibatch": "What the critic is told of its batch",
    "condition": "Conditions: how the critic takes the labels of a labelled corpus",
    "optimizer": "Optimizers, each player's own",
    "schedule": "Schedules of the learning rates",
    "preset": "Presets: all of it chosen, as a paper has it or as it works here",
}

SIGNS = (
    "D is the critic, G the generator, x a real sample, g = G(z) a generated one; x̂ = a x + (1 - a) g with one "
    "a ~ U(0, 1) a sample; f are the critic's features, l logits, p their softmax; E is a mean, |.| the norm over all "
    "axes of a sample, ∇ the gradient by the sample. A penalty's formula is without its weight."
)
"""What the formulas are written with."""
