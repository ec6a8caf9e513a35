"""The metrics by name. A new one is a function in the file of its family, a line here, and a test."""

from __future__ import annotations

from textgan.metrics import jsd
from textgan.metrics.metric import MetricFunction
from textgan.metrics.words import known_words, unique

METRICS: dict[str, MetricFunction] = {
    **jsd.FAMILIES,
    "cosine": jsd.cosine,
    "words": known_words,
    "unique": unique,
}

DEFAULT = ("jsd", "words", "unique")
"""What is measured where nothing is asked for."""
