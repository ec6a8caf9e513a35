"""What other toolkits measure differently under the same name, so that their published numbers can be compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Compat:
    """How a peer's own script measures."""

    says: str
    """What is different, for the notes of a report."""
    view: dict[str, Any] = field(default_factory=dict)
    """What it changes in the View."""
    samples: int | None = None
    """Only the first so many samples are measured; None takes all."""
    against_training: bool = False
    """The reference is the training text, where that is given."""


COMPAT = {
    "wgan-gp": Compat(
        "JSD of the first 32 characters, short lines padded and pads counted, of the first 640 samples against the "
        "training text where it is given",
        {"length": 32, "count_pads": True},
        samples=640,
        against_training=True,
    ),
    "texygen": Compat(
        "BLEU against the first 500 reference lines, Self-BLEU of the first 500 samples among themselves; split on "
        "white space, where Texygen calls nltk's word_tokenize",
        {"references": 500},
    ),
    "textgan-pytorch": Compat(
        "BLEU and Self-BLEU are the mean over the first 200 samples, Self-BLEU against all the others; split on white "
        "space",
        {"hypotheses": 200},
    ),
}
"""By the name of the peer.

Sources: improved_wgan_training (language_helpers.py, gan_language.py), Texygen (utils/metrics/Bleu.py, SelfBleu.py),
TextGAN-PyTorch (metrics/bleu.py, instructor/real_data/instructor.py).
"""
