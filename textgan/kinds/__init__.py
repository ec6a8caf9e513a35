"""Kinds of samples, which share one core, loop, checkpoints and commands. A new kind is one file and one line here."""

from textgan.corpora import cards
from textgan.kinds.image import IMAGE
from textgan.kinds.text import TEXT
from textgan.kinds.toy import TOY

KINDS = {"text": TEXT, "image": IMAGE, "toy": TOY}


def name_of(corpus: str) -> str:
    """Return the kind of a corpus."""
    return cards.kind_of(corpus)
