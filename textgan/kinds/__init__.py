"""Kinds of samples, which share one core, loop, checkpoints and commands. A new kind is one file and one line here."""

from textgan.corpora import cards
from textgan.kinds.text import TEXT
from textgan.kinds.toy import TOY

KINDS = {"text": TEXT, "toy": TOY}


def name_of(corpus: str) -> str:
    """Return the kind of a corpus; one of a kind that is not there yet is opened as text, and says so itself."""
    kind = cards.kind_of(corpus)
    return kind if kind in KINDS else "text"
