"""Penalties: what is added to the critic's loss to bound its slope."""

from __future__ import annotations

from textgan.methods.method import FROZEN, ON_TOYS, Method, Recipe, Refusal, Source, refusing
from textgan.methods.papers import (
    ALP,
    CT_GAN,
    MARGIN,
    MU_PENALTY,
    R1,
    R3GAN,
    SOBOLEV,
    TV,
    WGAN_GP,
    WGAN_GP_RECIPE,
    WGAN_LP,
)

MARGIN_RECIPE = Recipe("adam", 2e-4, 2e-4, critic_steps=1)
R1_RECIPE = Recipe("rmsprop", 1e-4, 1e-4, critic_steps=1)
R1_NOTES = "Its weight is the paper's γ, 10 in its experiments; R3GAN uses another for every data set."

PENALTIES = (
    Method(
        "gradient_penalty",
        "slopes of 1 between real and generated samples",
        "E (|∇D(x̂)| - 1)²",
        (Source(WGAN_GP, "eq. 3"),),
        ("game.penalties.gradient_penalty=10",),
        weight=10,
        recipe=WGAN_GP_RECIPE,
        notes="The norm goes over all axes of a sample together: a critic of exact unit slope pays nothing. The weight "
        "is 0.1 on its toys. The recipe is that of the language model; elsewhere there are 5 critic steps, and "
        "algorithm 1 has betas 0 and 0.9.",
    ),
    Method(
        "gradient_penalty_one_sided",
        "slopes of at most 1 between real and generated samples",
        "E relu(|∇D(x̂)| - 1)²",
        (Source(WGAN_GP, "section 4"), Source(WGAN_LP)),
        ("game.penalties.gradient_penalty_one_sided=10",),
        notes="No weight of its own is known to us; that of gradient_penalty is a start.",
    ),
    Method(
        "max_margin",
        "a largest entry of the gradient of at most 1",
        "E relu(|∇D(x̂)|_∞ - 1)",
        (Source(MARGIN, "and its code"),),
        ("game.penalties.max_margin=20",),
        weight=20,
        recipe=MARGIN_RECIPE,
        notes="The best of its paper, with the hinge objective; an L1 margin there, by the dual norm.",
    ),
    Method(
        "max_margin_l1",
        "a sum of the gradient's entries of at most 1",
        "E relu(|∇D(x̂)|_1 - 1)",
        (Source(MARGIN, "and its code"),),
        ("game.penalties.max_margin_l1=20",),
        weight=20,
        recipe=MARGIN_RECIPE,
        notes="The paper's L∞ margin, the worst of its three. What its code calls l1_margin is max_margin.",
    ),
    Method(
        "max_margin_l2",
        "slopes of at most 1, the excess not squared",
        "E relu(|∇D(x̂)| - 1)",
        (Source(MARGIN, "and its code"),),
        ("game.penalties.max_margin_l2=20",),
        weight=20,
        recipe=MARGIN_RECIPE,
        notes="The paper's L2 margin.",
    ),
    Method(
        "max_margin_squared",
        "the same, the excess squared",
        "E relu(|∇D(x̂)|_∞ - 1)²",
        (Source(MARGIN, "and its code"),),
        ("game.penalties.max_margin_squared=20",),
        weight=20,
        recipe=MARGIN_RECIPE,
        notes="A departure: the paper's code squares the two-sided difference only.",
    ),
    Method(
        "r1",
        "flat scores at real samples, where the game is to end",
        "½ E |∇D(x)|²",
        (Source(R1, "eq. 9"), Source(R3GAN)),
        ("game.penalties.r1=10",),
        weight=10,
        recipe=R1_RECIPE,
        notes=R1_NOTES,
    ),
    Method(
        "r2",
        "flat scores at generated samples",
        "½ E |∇D(g)|²",
        (Source(R1, "eq. 10"), Source(R3GAN)),
        ("game.penalties.r2=10",),
        weight=10,
        recipe=R1_RECIPE,
        notes=R1_NOTES,
    ),
    Method(
        "zero_centred_mid",
        "flat scores halfway between a real and a generated sample",
        "½ E |∇D(m)|², m = ½ (x + g)",
        (Source(MU_PENALTY),),
        ("game.penalties.zero_centred_mid=1",),
        notes="Its weight is the paper's ρ. Of its measures the best on CIFAR-10; those of real and of generated "
        "samples are r1 and r2.",
    ),
    Method(
        "zero_centred_mixture",
        "flat scores at real and generated samples, mixed",
        "½ E |∇D(y)|², y of each row x or g by a fair coin",
        (Source(MU_PENALTY),),
        ("game.penalties.zero_centred_mixture=1",),
        notes="Its weight is the paper's ρ.",
    ),
    Method(
        "total_variation",
        "small slopes between real and generated samples",
        "E |∇D(x̂)|",
        (Source(TV, "the abstract alone was read"),),
        ("game.penalties.total_variation=1",),
        notes="In doubt: the paper's term may well be another, |D(x) - D(g) - δ|, as its abstract promises no extra "
        "work; quote no result of it for this one.",
    ),
    Method(
        "adversarial_lipschitz",
        "slopes of at most 1 over finite steps, where scores change fastest",
        "E relu(|D(y + r) - D(y)| / |r| - 1)², y = x and y = g; r = ε d, ε ~ U(0.1, 10), d by one power iteration",
        (Source(ALP, "and its code"),),
        ("game.penalties.adversarial_lipschitz=10",),
        weight=10,
        notes="The weight is that of its code; the paper says 100. A departure: y + r is not clipped to the range of "
        "samples.",
    ),
    Method(
        "sobolev",
        "a mean square slope of exactly 1, held by a multiplier",
        "λ (Ω - 1) + ½ ρ (Ω - 1)², λ grows by ρ (Ω - 1) a step; Ω = ½ E |∇D(x)|² + ½ E |∇D(g)|²",
        (Source(SOBOLEV, "section 3 and algorithm 1"),),
        ("game.penalties.sobolev=0.01",),
        notes="Its weight is ρ. The multiplier is kept with the checkpoint.",
        refused=(FROZEN,),
    ),
    Method(
        "consistency",
        "scores of real samples that dropout does not move",
        "E [(D'(x) - D''(x))² + 0.1 mean (f'(x) - f''(x))²], ' and '' under two dropouts",
        (Source(CT_GAN, "and its code"),),
        ("game.penalties.consistency=2", "critic.dropout=0.5"),
        weight=2,
        notes="The paper's M' is 0. There beside a gradient penalty of 10, with 0.2 to 0.5 dropped. A departure: "
        "scores and slopes outside this term drop nothing.",
        refused=(
            Refusal("critic.dropout=0", "it compares two dropouts"),
            *refusing(
                "it has no dropout; paper and downsampling do",
                "critic.net=recurrent",
                "critic.net=transformer",
                "critic.net=causal_transformer",
                "critic.net=none",
            ),
            ON_TOYS,
        ),
    ),
)
