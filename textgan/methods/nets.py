"""Nets of both sides, and how a critic takes labels."""

from __future__ import annotations

from textgan.methods import picture_nets
from textgan.methods.method import ON_OTHERS, ON_PICTURES, ON_TEXT, Method, Refusal, Source
from textgan.methods.papers import (
    AC_GAN,
    ATTENTION,
    GPT2,
    GRU,
    LSTM,
    PROJECTION,
    SCRATCH,
    TEACHER,
    WGAN_GP,
    WGAN_GP_RECIPE,
)

STEEP = Refusal("game.constraint=spectral_norm", "what it does with bounded matrices can be steep")

GENERATORS = (
    Method(
        "paper",
        "the language model of WGAN-GP, exactly",
        "z → Linear → (width, length) → blocks × [h + 0.3 conv(relu(conv(relu(h))))] → 1-wide convolution → symbols",
        (Source(WGAN_GP, "section 5.4 and its code"),),
        ("generator.net=paper",),
        recipe=WGAN_GP_RECIPE,
        notes="There width 512, 5 blocks, kernel 5, latent 128; no norm anywhere.",
        refused=ON_OTHERS,
    ),
    Method(
        "upsampling",
        "the same in a pyramid, which learns sooner on a CPU",
        "z → Linear → length 4 to 8 → blocks that double the length → 1-wide convolution → symbols",
        select=("generator.net=upsampling",),
        refused=ON_OTHERS,
    ),
    Method(
        "recurrent",
        "one symbol after the other, each with what came before in mind",
        "GRU over embedded symbols; z makes the first state, and is added to what is read at every position",
        (Source(GRU), Source(TEACHER)),
        ("generator.net=recurrent",),
        notes="The relaxation is applied at every position, and what it gives is read at the next.",
        refused=ON_OTHERS,
    ),
    Method(
        "lstm",
        "the same with a memory cell, of which less is forgotten",
        "as recurrent, LSTM layers for GRU; z makes state and cell",
        (Source(LSTM), Source(TEACHER)),
        ("generator.net=lstm",),
        notes="With a forget gate.",
        refused=ON_OTHERS,
    ),
    Method(
        "transformer",
        "all symbols at once, each looking at all others",
        "z → Linear → (position, width) + learned positions → blocks [h + attend(norm h), h + mlp(norm h)] → norm → "
        "1-wide convolution → symbols",
        (Source(GPT2, "section 2.3, the block"), Source(ATTENTION)),
        ("generator.net=transformer",),
        notes="A generator of one pass, unlike that of the papers.",
        refused=ON_OTHERS,
    ),
    Method(
        "causal_transformer",
        "one symbol after the other, looking at those before",
        "embedded symbols + z through Linear + learned positions → causal blocks → norm → 1-wide convolution → symbols",
        (Source(GPT2, "section 2.3"), Source(ATTENTION), Source(TEACHER)),
        ("generator.net=causal_transformer",),
        notes="That the noise is added to all that is read is ours.",
        refused=ON_OTHERS,
    ),
    Method(
        "mlp",
        "points of the plane",
        "z → blocks × [Linear → relu] → Linear → point",
        (Source(WGAN_GP, "figure 1 and its code for toys"),),
        ("generator.net=mlp", "critic.net=mlp", "generator.relaxation=identity", "corpus.name=8gaussians"),
        notes="There width 512, 3 blocks and noise of 2 values. Hidden weights uniform of variance 2 / fan_in, as "
        "there. No norm, and the kernel is not looked at. Preset toy chooses all that points want. A generator of this "
        "name makes all pixels of pictures, a row of the robustness table, where it goes with the critic dcgan.",
        refused=(ON_TEXT, ON_PICTURES),
    ),
    *picture_nets.GENERATORS,
)

CRITICS = (
    Method(
        "paper",
        "the critic of WGAN-GP's language model, exactly",
        "1-wide convolution → blocks × [h + 0.3 conv(relu(conv(relu(h))))] → flatten → Linear → score",
        (Source(WGAN_GP, "section 5.4 and its code"),),
        ("critic.net=paper",),
        recipe=WGAN_GP_RECIPE,
        notes="There width 512, 5 blocks, kernel 5; no norm anywhere. Linear between kinks.",
        refused=ON_OTHERS,
    ),
    Method(
        "downsampling",
        "the mirror of the up-sampling generator",
        "1-wide convolution → blocks that halve the length by means → length 4 to 8 → Linear → score",
        select=("critic.net=downsampling",),
        notes="Linear between kinks.",
        refused=ON_OTHERS,
    ),
    Method(
        "recurrent",
        "a score at every symbol, by those up to it",
        "GRU over embedded symbols → Linear at every position; D is the mean over positions",
        (Source(SCRATCH), Source(GRU)),
        ("critic.net=recurrent",),
        notes="There a classifier at every position, with layer norm and a code of the position. Smooth, not linear "
        "between kinks.",
        refused=(STEEP, *ON_OTHERS),
    ),
    Method(
        "transformer",
        "attention over the whole sample",
        "embedded symbols + learned positions → blocks → norm → mean over positions → Linear → score",
        (Source(ATTENTION, "eq. 1"), Source(GPT2, "section 2.3, the block")),
        ("critic.net=transformer",),
        notes="Attention by products has no Lipschitz constant: clipped or normed weights bound no slope here; a "
        "penalty does where it looks. Not linear between kinks.",
        refused=(STEEP, *ON_OTHERS),
    ),
    Method(
        "causal_transformer",
        "attention to what came before: a score at every symbol",
        "as transformer, each position looking at itself and those before; D is the mean of their scores",
        (Source(ATTENTION, "eq. 1"), Source(GPT2, "section 2.3, the block"), Source(SCRATCH)),
        ("critic.net=causal_transformer",),
        notes="Not linear between kinks.",
        refused=(STEEP, *ON_OTHERS),
    ),
    Method(
        "mlp",
        "points of the plane",
        "point → blocks × [Linear → relu] → Linear → score",
        (Source(WGAN_GP, "figure 1 and its code for toys"),),
        ("critic.net=mlp", "generator.net=mlp", "generator.relaxation=identity", "corpus.name=8gaussians"),
        notes="There width 512 and 3 blocks. Hidden weights as the generator's. No norm, no dropout, and the kernel is "
        "not looked at. For points alone; preset toy chooses all that they want. Linear between "
        "kinks.",
        refused=(ON_TEXT, ON_PICTURES),
    ),
    *picture_nets.CRITICS,
)

CONDITIONS = (
    Method(
        "projection",
        "labels in the critic's score",
        "D(x, y) = D(x) + <e(y), f(x)>, a learned vector e(y) a label, f the critic's features",
        (Source(PROJECTION, "eq. 3"),),
        ("game.condition=projection",),
        notes="The generator's noise is joined by an embedding of the label, unless its norm is conditional_batch.",
    ),
    Method(
        "auxiliary",
        "labels by a classifier of its own on the critic's features",
        "+ w_D H(y, c(x)) to the critic's loss, + w_G H(y, c(g)) to the generator's; H the cross-entropy",
        (Source(AC_GAN, "eq. 3"), Source(WGAN_GP, "section 5.3, weights 1 and 0.1")),
        ("game.condition=auxiliary", "game.classification=[1.0, 0.1]"),
        notes="The score itself knows no label. Real samples for the critic, generated ones for the generator.",
        refused=(
            Refusal(
                "generator.relaxation=reinforce",
                "on a labelled corpus; no gradient goes through the sample to teach by",
            ),
        ),
    ),
)
