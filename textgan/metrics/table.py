"""The metrics by name. A new one is a function in the file of its family, a line here, and a test."""

from __future__ import annotations

from textgan.metrics import jsd
from textgan.metrics.bleu import backward_bleu, bleu, self_bleu
from textgan.metrics.diversity import distinct, distinct_char, entropy, length
from textgan.metrics.embedding import frechet, mauve
from textgan.metrics.heldout import in_test
from textgan.metrics.language_model import lm_nll
from textgan.metrics.memorisation import copies, longest_copied, nearest, novelty
from textgan.metrics.metric import MetricFunction
from textgan.metrics.oracle import oracle_nll, parses
from textgan.metrics.two_sample import two_sample
from textgan.metrics.words import known_words, unique

METRICS: dict[str, MetricFunction] = {
    **jsd.FAMILIES,
    "jsd_piece": jsd.jsd_piece,
    "cosine": jsd.cosine,
    "words": known_words,
    "in_test": in_test,
    "bleu": bleu,
    "backward_bleu": backward_bleu,
    "self_bleu": self_bleu,
    "unique": unique,
    "distinct": distinct,
    "distinct_char": distinct_char,
    "entropy": entropy,
    "length": length,
    "copies": copies,
    "longest_copied": longest_copied,
    "nearest": nearest,
    "novelty": novelty,
    "lm_nll": lm_nll,
    "two_sample": two_sample,
    "frechet": frechet,
    "mauve": mauve,
    "parses": parses,
    "oracle_nll": oracle_nll,
}

BY_ORDER = (*jsd.FAMILIES, "jsd_piece", "cosine")
"""Families with a number for each n that is asked for."""

ENCODED = ("frechet", "mauve")
"""Families whose numbers are named after the encoder, too: frechet_lsa."""

DEFAULT = ("jsd", "words", "self_bleu", "unique", "distinct", "length", "copies")
"""What is measured where nothing is asked for."""


def is_of(name: str, family: str) -> bool:
    """Whether a number of this name is of the family."""
    return name == family or (family in ENCODED and name.startswith(f"{family}_"))
