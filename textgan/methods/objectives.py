"""Objectives: what critic and generator minimise."""

from __future__ import annotations

from textgan.methods.method import Method, Recipe, Source
from textgan.methods.papers import (
    DCGAN,
    GAN,
    GEOMETRIC,
    LSGAN,
    R3GAN,
    R3GAN_RECIPE,
    RELATIVISTIC,
    SNGAN,
    SNGAN_RECIPE,
    WGAN,
    WGAN_GP,
    WGAN_RECIPE,
)

OBJECTIVES = (
    Method(
        "wasserstein",
        "scores that differ as much as the critic's slope lets them",
        "critic: mean D(g) - mean D(x); generator: -mean D(g)",
        (Source(WGAN, "eq. 2 and algorithm 1"),),
        ("game.objective=wasserstein",),
        recipe=WGAN_RECIPE,
        notes="Wants a bound on the slope: a penalty or a constraint. The critic's loss, negated, estimates the "
        "Wasserstein-1 distance only where the critic is 1-Lipschitz and optimal. Under the gradient penalty its "
        "recipe is that of the penalty.",
    ),
    Method(
        "relativistic",
        "pairs: a real sample is to score above a generated one",
        "critic: mean softplus(D(g) - D(x)), pair by pair; generator: mean softplus(D(x) - D(g))",
        (Source(RELATIVISTIC, "RpGAN"), Source(R3GAN, "eq. 2")),
        ("game.objective=relativistic",),
        recipe=R3GAN_RECIPE,
        notes="The recipe is that of R3GAN, with r1 and r2 together.",
    ),
    Method(
        "non_saturating",
        "cross-entropy, with a generator whose gradient stays",
        "critic: mean softplus(-D(x)) + mean softplus(D(g)); generator: mean softplus(-D(g))",
        (Source(GAN, "section 3"), Source(DCGAN)),
        ("game.objective=non_saturating",),
        recipe=Recipe("adam", 2e-4, 2e-4, (0.5, 0.999), 1),
        notes="D is the log-odds that a sample is real; the sigmoid is in the loss. The recipe is that of DCGAN.",
    ),
    Method(
        "minimax",
        "the first GAN's game; the generator's gradient vanishes early",
        "critic: mean softplus(-D(x)) + mean softplus(D(g)); generator: -mean softplus(D(g))",
        (Source(GAN, "eq. 1 and algorithm 1"),),
        ("game.objective=minimax",),
        notes="D is the log-odds that a sample is real. The paper's optimizer, gradient descent with momentum, is none "
        "of ours.",
    ),
    Method(
        "least_squares",
        "scores drawn to 1 and 0 by squares, which do not saturate",
        "critic: ½ mean (D(x) - 1)² + ½ mean D(g)²; generator: ½ mean (D(g) - 1)²",
        (Source(LSGAN, "eq. 9"), Source(WGAN_GP, "its code, for the recipe")),
        ("game.objective=least_squares",),
        recipe=Recipe("rmsprop", 1e-4, 1e-4, critic_steps=1),
    ),
    Method(
        "hinge",
        "scores that matter only within a margin",
        "critic: mean relu(1 - D(x)) + mean relu(1 + D(g)); generator: -mean D(g)",
        (Source(GEOMETRIC), Source(SNGAN, "eqs. 16 and 17")),
        ("game.objective=hinge",),
        recipe=SNGAN_RECIPE,
        notes="No norm of weights is added, as in a support vector machine. The recipe is that of spectral "
        "normalisation, setting C.",
    ),
)
