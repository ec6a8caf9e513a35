"""Constraints: what bounds a critic's slope by changing the critic."""

from __future__ import annotations

from textgan.methods.method import Method, Recipe, Refusal, Source, refusing
from textgan.methods.papers import GN_GAN, GRAN, SNGAN, SNGAN_RECIPE, WGAN, WGAN_RECIPE

CONSTRAINTS = (
    Method(
        "weight_clipping",
        "a bound by the weights, which the gradient penalty replaced",
        "w ← min(max(w, -c), c) after every critic step; c is game.clip",
        (Source(WGAN, "algorithm 1, c = 0.01"),),
        ("game.constraint=weight_clipping", "game.clip=0.01"),
        recipe=WGAN_RECIPE,
        notes="Clips all parameters of the critic, biases and scales too.",
    ),
    Method(
        "spectral_norm",
        "layers of largest singular value 1",
        "W / (u W v), u and v by one power iteration an update",
        (Source(SNGAN, "eq. 8 and algorithm 1"),),
        ("game.constraint=spectral_norm",),
        recipe=SNGAN_RECIPE,
        notes="Every linear layer, convolution and embedding of the critic; a convolution's weight is the matrix "
        "(out, in · kernel). The recipe is that of its residual nets, with the hinge objective.",
        refused=(
            *refusing(
                "what it does with bounded matrices can still be steep",
                "critic.net=recurrent",
                "critic.net=transformer",
                "critic.net=causal_transformer",
            ),
            Refusal("critic.norm=layer", "a norm divides by what it is given, which is not bounded"),
        ),
    ),
    Method(
        "gradient_normalisation",
        "scores within [-1, 1] whose slope is at most about 1",
        "D / (|∇D| + |D|)",
        (Source(GN_GAN),),
        ("game.constraint=gradient_normalisation",),
        recipe=Recipe("adam", 2e-4, 4e-4, critic_steps=5),
        notes="Of a critic that bends, the change of |∇D| adds to the slope. With the hinge objective there. Takes a "
        "second order of gradients in the generator's step too. Where |∇D| + |D| is under 1e-12 the score stays D.",
    ),
    Method(
        "piecewise_gradient_normalisation",
        "slopes just under K of a critic that is linear between kinks",
        "K · D · |∇D| / (|∇D|² + ε), ε = 0.1; K is game.lipschitz",
        (Source(GRAN),),
        ("game.constraint=piecewise_gradient_normalisation", "game.lipschitz=1"),
        notes="The numbers are ours: K = 1, and an ε whose root, a slope of 0.3, becomes half of it. Across a kink the "
        "score may jump.",
        refused=(
            *refusing(
                "it is not linear between kinks",
                "critic.net=recurrent",
                "critic.net=transformer",
                "critic.net=causal_transformer",
                "critic.norm=layer",
            ),
        ),
    ),
)
