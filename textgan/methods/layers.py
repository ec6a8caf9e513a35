"""Layers that know more than one sample, or one position: norms, and what a critic is told of its batch."""

from __future__ import annotations

from textgan.methods.method import ON_TEXT, ON_TOYS, Method, Refusal, Source, refusing
from textgan.methods.papers import BATCH_NORM, CONDITIONAL_NORM, IMPROVED, LAYER_NORM, PROGRESSIVE, WGAN_GP

MIXES = "it mixes samples, and a slope is each one's own"
BUT_TWO = f"{MIXES}; of penalties r1 and r2 alone go with it"
NO_NORM = "it takes no norm; paper, upsampling, downsampling and nets of pictures do"
BARE_GENERATORS = refusing(
    NO_NORM,
    "generator.net=recurrent",
    "generator.net=lstm",
    "generator.net=transformer",
    "generator.net=causal_transformer",
)
BARE_CRITICS = refusing(
    NO_NORM, "critic.net=recurrent", "critic.net=transformer", "critic.net=causal_transformer", "critic.net=none"
)
UNTOLD = (
    *refusing(
        BUT_TWO,
        "game.penalties.gradient_penalty=10",
        "game.constraint=gradient_normalisation",
        "game.constraint=piecewise_gradient_normalisation",
    ),
    Refusal("critic.net=none", "there is no critic to tell"),
    ON_TOYS,
)

NORMS = (
    Method(
        "batch",
        "each channel to mean 0 and variance 1 over the batch",
        "(h - mean) / √(variance + 1e-5) over (batch, place), then a scale and a shift a channel",
        (Source(BATCH_NORM, "algorithm 1"),),
        ("generator.norm=batch",),
        notes="In a critic only without penalties and constraints on the slope.",
        refused=(
            Refusal("critic.norm=batch", MIXES),
            Refusal("training.graphs=true", "a graph is tried out first, which would move the statistics"),
            *BARE_GENERATORS,
            ON_TOYS,
        ),
    ),
    Method(
        "layer",
        "each sample to mean 0 and variance 1: for critics under a penalty",
        "(h - mean) / √(variance + 1e-5) over (place, channel), then a scale and a shift a channel",
        (Source(LAYER_NORM, "eq. 3"), Source(WGAN_GP, "section 4")),
        ("critic.norm=layer",),
        refused=(
            Refusal("game.constraint=piecewise_gradient_normalisation", "the critic must be linear between kinks"),
            *BARE_CRITICS,
            ON_TOYS,
        ),
    ),
    Method(
        "virtual_batch",
        "batch norm by a fixed reference batch, so that samples do not mix",
        "mean and mean square of a row: 1/(R + 1) its own and R/(R + 1) the reference batch's, R = 64",
        (Source(IMPROVED, "section 3.5"),),
        ("generator.norm=virtual_batch",),
        notes="Of generators. The size of the reference batch is ours.",
        refused=(
            Refusal("corpus.label_column=@file", "a labelled corpus; the reference batch has no labels"),
            *BARE_GENERATORS,
            ON_TOYS,
        ),
    ),
    Method(
        "conditional_batch",
        "batch norm by which a generator of pictures is told the class",
        "as batch, with a scale and a shift a channel and label; the statistics are of all labels together",
        (Source(CONDITIONAL_NORM, "eq. 5"), Source(WGAN_GP, "section 5.3 and its code")),
        (
            "generator.norm=conditional_batch",
            "corpus.label_column=label",
            "generator.net=resnet",
            "critic.net=resnet",
            "generator.relaxation=tanh",
            "corpus.name=digits",
        ),
        notes="Of resnet and resnet_growing, whose noise is then not joined by an embedding of the label. The norm "
        "before the last ReLU knows no label, as in that code.",
        refused=(
            Refusal("corpus.label_column=", "there must be labels"),
            Refusal("generator.net=dcgan", "it takes no norm by labels; resnet and resnet_growing do"),
            Refusal("training.graphs=true", "a graph is tried out first, which would move the statistics"),
            ON_TEXT,
            ON_TOYS,
        ),
    ),
)

MINIBATCH = (
    Method(
        "discrimination",
        "a critic that is told how close its samples lie",
        "o_b(i) = Σ_j≠i exp(-|M_ib - M_jb|_1), M = f T of kernels b; joined to the features",
        (Source(IMPROVED, "section 3.2"),),
        ("critic.minibatch=discrimination",),
        notes="32 kernels of 5 values; the code there has 100. Real and generated batches apart. With r1 or r2 the "
        "slopes are those of a batch's summed scores.",
        refused=UNTOLD,
    ),
    Method(
        "stddev",
        "a critic that is told how far its samples spread",
        "mean over features of √(variance over the batch + 1e-8), one number, joined to the features",
        (Source(PROGRESSIVE, "section 3"),),
        ("critic.minibatch=stddev",),
        notes="Over the whole batch; its code has groups of 4. With r1 or r2 the slopes are those of a batch's summed "
        "scores.",
        refused=UNTOLD,
    ),
)
