"""Nets of pictures, both sides."""

from __future__ import annotations

from textgan.methods.method import ON_TEXT, ON_TOYS, Method, Recipe, Refusal, Source
from textgan.methods.papers import DCGAN, WGAN_GP

DRAWN = ("generator.relaxation=tanh", "corpus.name=digits")
RESNET_RECIPE = Recipe("adam", 2e-4, 2e-4, (0.0, 0.9), 5)
DCGAN_RECIPE = Recipe("adam", 2e-4, 2e-4, (0.5, 0.999), 1)
BENT = Refusal("generator.nonlinearity=tanh", "its ReLUs are no choice; dcgan and dcgan_constant have one")
STRAIGHT = Refusal("critic.nonlinearity=tanh", "its ReLUs are no choice; dcgan has one")
IN_FOURS = "it is halved twice"


def _pair(generator: str, critic: str) -> tuple[str, ...]:
    return f"generator.net={generator}", f"critic.net={critic}", *DRAWN


def _judge(critic: str, generator: str) -> tuple[str, ...]:
    return f"critic.net={critic}", f"generator.net={generator}", *DRAWN


GENERATORS = (
    Method(
        "resnet",
        "pictures by the residual net of WGAN-GP for CIFAR-10, exactly",
        "z → Linear → 4 × 4 → blocks that double the side, conv1(up h) + conv(relu(norm(conv(up relu(norm h))))) → "
        "norm → relu → conv → tanh",
        (Source(WGAN_GP, "section 5.3, appendix F and its code"),),
        _pair("resnet", "resnet"),
        recipe=RESNET_RECIPE,
        notes="There width 128, batch norm, kernel 3. As many blocks as the side asks for. With the norm "
        "conditional_batch it takes labels itself.",
        refused=(BENT, ON_TEXT, ON_TOYS),
    ),
    Method(
        "resnet_growing",
        "the same with more channels where the picture is small, for larger pictures",
        "as resnet; a side of 64 has 8, 8, 4, 2 and 1 times the width from 4 × 4 on",
        (Source(WGAN_GP, "section 5.2 and its code for a side of 64"),),
        _pair("resnet_growing", "resnet_growing"),
        recipe=Recipe("adam", 1e-4, 1e-4, (0.0, 0.9), 5),
        notes="There width 64, batch norm, kernel 3. The first convolution of a block has no bias, as there.",
        refused=(BENT, ON_TEXT, ON_TOYS),
    ),
    Method(
        "resnet101",
        "a row of the robustness table: 101 layers of bottleneck blocks",
        "h + 0.3 norm(conv1(relu(conv(relu(conv1(relu h)))))), half the channels between; 6 such at each side, 5 at "
        "the last, one between sides; logits / 5",
        (Source(WGAN_GP, "figure 2 and its code for a side of 64"),),
        _pair("resnet101", "resnet101"),
        notes="There width 64, batch norm, kernel 3; half the width at full size.",
        refused=(BENT, Refusal("generator.width=6", IN_FOURS), ON_TEXT, ON_TOYS),
    ),
    Method(
        "dcgan",
        "pictures by transposed convolutions alone",
        "z → Linear → 4 × 4 → [norm → relu → transposed conv, stride 2] × log2(side / 4) → tanh; the channels halve",
        (Source(DCGAN, "section 3, figure 1"), Source(WGAN_GP, "figure 2 and its code")),
        _pair("dcgan", "dcgan"),
        recipe=DCGAN_RECIPE,
        notes="There batch norm; kernel 5 as in WGAN-GP's code. With generator.nonlinearity=tanh or gated, two more "
        "rows of the robustness table.",
        refused=(ON_TEXT, ON_TOYS),
    ),
    Method(
        "dcgan_constant",
        "a row of the robustness table: as many channels at every side, and there no norm",
        "as dcgan, the channels staying",
        (Source(WGAN_GP, "figure 2 and its code for a side of 64"),),
        _pair("dcgan_constant", "dcgan"),
        refused=(ON_TEXT, ON_TOYS),
    ),
)

CRITICS = (
    Method(
        "resnet",
        "the critic of WGAN-GP's residual net for CIFAR-10, exactly",
        "conv1(pool x) + pool(conv(relu(conv x))) → blocks down to 8 × 8 → two blocks → relu → mean → Linear → score",
        (Source(WGAN_GP, "section 5.3, appendix F and its code"),),
        _judge("resnet", "resnet"),
        recipe=RESNET_RECIPE,
        notes="There width 128, no norm, kernel 3. Linear between kinks.",
        refused=(STRAIGHT, ON_TEXT, ON_TOYS),
    ),
    Method(
        "resnet_growing",
        "the same with more channels where the picture is small, for larger pictures",
        "conv → blocks that halve the side by means, down to 4 × 4 → flatten → Linear → score",
        (Source(WGAN_GP, "section 5.2 and its code for a side of 64"),),
        _judge("resnet_growing", "resnet_growing"),
        recipe=Recipe("adam", 1e-4, 1e-4, (0.0, 0.9), 5),
        notes="There width 64, layer norm, kernel 3. Linear between kinks, without its norm.",
        refused=(STRAIGHT, ON_TEXT, ON_TOYS),
    ),
    Method(
        "resnet101",
        "a row of the robustness table: 101 layers of bottleneck blocks",
        "conv1 → blocks as the generator's down to 4 × 4 → flatten → features / 5 → Linear → score",
        (Source(WGAN_GP, "figure 2 and its code for a side of 64"),),
        _judge("resnet101", "resnet101"),
        notes="There width 64, layer norm, kernel 3. Linear between kinks, without its norm.",
        refused=(STRAIGHT, Refusal("critic.width=6", IN_FOURS), ON_TEXT, ON_TOYS),
    ),
    Method(
        "dcgan",
        "convolutions of stride 2 alone",
        "[conv, stride 2 → norm → leaky relu] × log2(side / 4) → flatten → Linear → score; the channels double",
        (Source(DCGAN, "section 3"), Source(WGAN_GP, "figure 2 and its code")),
        _judge("dcgan", "dcgan"),
        recipe=DCGAN_RECIPE,
        notes="There batch norm; layer norm under a penalty; none behind the first. Linear between kinks with the "
        "nonlinearity relu and no norm.",
        refused=(ON_TEXT, ON_TOYS),
    ),
)
