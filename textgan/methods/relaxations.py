"""Relaxations: what the critic sees of a generator's logits, and how a gradient goes back."""

from __future__ import annotations

from textgan.methods.method import ON_OTHERS, ON_PICTURES, ON_TEXT, ON_TOYS, Method, Refusal, Source
from textgan.methods.papers import CONCRETE, DCGAN, FBGAN, GUMBEL, REINFORCE, SCRATCH, STRAIGHT, WGAN_GP

RELAXATIONS = (
    Method(
        "softmax",
        "the softmax itself: no noise, no drawn symbol",
        "softmax(l / T)",
        (Source(WGAN_GP, "section 5.4"),),
        ("generator.relaxation=softmax",),
        notes="A critic tells a broad softmax from one-hot text at a glance.",
        refused=ON_OTHERS,
    ),
    Method(
        "straight_through",
        "drawn symbols forward, the softmax's gradient backward",
        "one-hot of a draw from softmax(l / T); its gradient that of softmax(l / T)",
        (Source(STRAIGHT, "section 4"),),
        ("generator.relaxation=straight_through",),
        notes="Drawn rather than the likeliest symbol. The gradient is biased.",
        refused=ON_OTHERS,
    ),
    Method(
        "straight_through_argmax",
        "the likeliest symbols forward, the softmax's gradient backward",
        "one-hot of argmax l; its gradient that of softmax(l / T)",
        (Source(STRAIGHT, "section 4"),),
        ("generator.relaxation=straight_through_argmax",),
        refused=(Refusal("count_critic.weight=1", "it counts drawn symbols, and this draws none"), *ON_OTHERS),
    ),
    Method(
        "gumbel_softmax",
        "a softmax with noise, one-hot as the temperature goes to 0",
        "softmax((l + n) / T), n = -log(-log u), u ~ U(0, 1)",
        (Source(GUMBEL, "eq. 2"), Source(CONCRETE, "eq. 10"), Source(FBGAN, "T of 0.5 to 0.75")),
        ("generator.relaxation=gumbel_softmax", "generator.temperature=0.75"),
        notes="The symbols drawn with it are of the softmax at temperature 1. generator.final_temperature anneals T.",
        refused=ON_OTHERS,
    ),
    Method(
        "gumbel_straight_through",
        "drawn symbols forward, the Gumbel-softmax's gradient backward",
        "one-hot of argmax (l + n); its gradient that of softmax((l + n) / T)",
        (Source(GUMBEL, "section 2.2"),),
        ("generator.relaxation=gumbel_straight_through", "generator.temperature=0.75"),
        refused=ON_OTHERS,
    ),
    Method(
        "reinforce",
        "drawn symbols, paid by the critic; no bias, much variance",
        "loss -(1/N) Σ_i Σ_t (R_it - b_t) log p(x_it), b a moving mean of R",
        (Source(REINFORCE, "eq. 11"), Source(SCRATCH, "eqs. 2 and 3")),
        ("generator.relaxation=reinforce",),
        notes="A reward is minus the generator's loss of a score, of the Wasserstein objective the score itself. A "
        "critic that scores every position pays position t what comes from t on, by game.discount and over the length. "
        "game.baseline is b's decay; ScratchGAN's baseline is one number, here there is one a position.",
        refused=(
            Refusal("critic.net=none", "it is paid by a critic"),
            Refusal("feature_matching.weight=1", "no gradient goes through the sample, by which it teaches"),
            Refusal("generator.temperature=0.5", "it knows the softmax at temperature 1"),
            Refusal(
                "game.condition=auxiliary", "on a labelled corpus it teaches labels through the sample; use projection"
            ),
            *ON_OTHERS,
        ),
    ),
    Method(
        "identity",
        "none at all: points are continuous",
        "the generator's output itself",
        select=("generator.relaxation=identity", "generator.net=mlp", "critic.net=mlp", "corpus.name=8gaussians"),
        notes="The only one of points, text has the others; preset toy chooses all that points want. Nothing is drawn, "
        "and the temperature is not looked at.",
        refused=(ON_TEXT, ON_PICTURES),
    ),
    Method(
        "tanh",
        "pixels that stay between black and white",
        "tanh l, of a generator that gives l for each pixel",
        (Source(DCGAN, "section 3"), Source(WGAN_GP, "appendix F")),
        ("generator.relaxation=tanh", "generator.net=resnet", "critic.net=resnet", "corpus.name=digits"),
        notes="The only one of pictures. Nothing is drawn, and the temperature is not looked at.",
        refused=(ON_TEXT, ON_TOYS),
    ),
)
