"""Optimizers, and how learning rates go over the steps."""

from __future__ import annotations

from textgan.methods.method import Method, Refusal, Source
from textgan.methods.papers import ADAM, RMSPROP, SGDR, WGAN_GP

OPTIMIZERS = (
    Method(
        "adam",
        "steps by the mean gradient over the root of its mean square",
        "m ← β1 m + (1 - β1) g, v ← β2 v + (1 - β2) g²; w ← w - rate m̂ / (√v̂ + 1e-8), both corrected for their start",
        (Source(ADAM, "algorithm 1"),),
        ("critic.optimizer=adam", "generator.optimizer=adam"),
    ),
    Method(
        "rmsprop",
        "steps by the gradient over the root of its mean square",
        "v ← β2 v + (1 - β2) g²; w ← w - rate g / (√v + 1e-8)",
        (Source(RMSPROP),),
        (
            "critic.optimizer=rmsprop",
            "critic.betas=[0.0, 0.99]",
            "generator.optimizer=rmsprop",
            "generator.betas=[0.0, 0.99]",
        ),
        refused=(Refusal("critic.betas=[0.5, 0.99]", "it keeps no mean of gradients; the first beta must be 0"),),
    ),
)

SCHEDULES = (
    Method(
        "constant",
        "learning rates that stay",
        "rate",
        (Source(WGAN_GP, "section 5.4"),),
        ("training.schedule=constant",),
    ),
    Method(
        "linear",
        "learning rates that go to 0 along a line",
        "rate · (1 - done), done the share of the steps",
        (Source(WGAN_GP, "its CIFAR-10 model"),),
        ("training.schedule=linear",),
    ),
    Method(
        "cosine",
        "learning rates that fall to a tenth, slowly at both ends",
        "rate · (0.1 + 0.45 · (1 + cos(π · done))), done the share of the steps",
        (Source(SGDR, "eq. 5, with no restart"),),
        ("training.schedule=cosine",),
        notes="There it falls to a chosen rate, here to a tenth.",
    ),
)
