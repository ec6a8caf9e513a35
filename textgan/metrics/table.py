"""The metrics by name. A new one is a function in the file of its family, a line here, and a test."""

from __future__ import annotations

from textgan.metrics.jsd import jsd
from textgan.metrics.metric import MetricFunction
from textgan.metrics.oracle import oracle_nll, parses
from textgan.metrics.words import known_words, unique

METRICS: dict[str, MetricFunction] = {
    "jsd": jsd,
    "words": known_words,
    "unique": unique,
    "parses": parses,
    "oracle_nll": oracle_nll,
}
