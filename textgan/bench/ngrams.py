"""n-gram measures of made-up text, beside dictionaries."""

from __future__ import annotations

import math

import numpy as np

from textgan.bench import plain_ngrams, text
from textgan.bench.case import Case, Cases, Setup
from textgan.errors import TextganError
from textgan.metrics.bleu import self_bleu_scores
from textgan.metrics.jsd import distances
from textgan.metrics.ngrams import NGrams

LINES, TEXTS = 50_000, 500
CHECKED = 1_000, 60  # of these the results are compared before any timing
CHARACTERS = 32
ORDERS, BLEU = (4, 6), 4
EXACT = 1e-9


def cases(setup: Setup) -> Cases:
    """Yield the rows: JSD-4 and JSD-6 of lines of 32 characters against as many, and Self-BLEU-4."""
    count = setup.count or LINES
    samples, reference = ([line[:CHARACTERS] for line in text.lines(count, seed=seed)] for seed in (1, 2))
    for n in ORDERS:
        yield jsd(samples, reference, n)
    yield self_bleu(text.lines(min(count, TEXTS), seed=3, words=30))


def jsd(samples: list[str], reference: list[str], n: int) -> Case:
    """Return the row of a Jensen-Shannon divergence, both texts read and counted."""

    def check() -> None:
        some = samples[: CHECKED[0]], reference[: CHECKED[0]]
        same_numbers("jsd", [our_jsd(*some, n)], [plain_ngrams.jsd(*some, n)])

    return Case(
        "jsd",
        lambda: our_jsd(samples, reference, n),
        lambda: plain_ngrams.jsd(samples, reference, n),
        check,
        {"n": n, "count": len(samples)},
    )


def our_jsd(samples: list[str], reference: list[str], n: int) -> float:
    """Jensen-Shannon divergence of the n-grams of two texts."""
    found = distances(samples, NGrams(reference), [n])[n]
    return math.nan if found is None else found


def self_bleu(lines: list[str]) -> Case:
    """Return the row of Self-BLEU-4, every line against all others."""

    def check() -> None:
        some = lines[: CHECKED[1]]
        same_numbers("self_bleu", self_bleu_scores(some, [BLEU])[BLEU].tolist(), plain_ngrams.self_bleu(some, BLEU))

    return Case(
        "self_bleu",
        lambda: self_bleu_scores(lines, [BLEU]),
        lambda: plain_ngrams.self_bleu(lines, BLEU),
        check,
        {"n": BLEU, "count": len(lines)},
    )


def same_numbers(what: str, ours: list[float], plain: list[float]) -> None:
    """Refuse numbers that differ by more than 1e-9, or are none.

    Raises:
        TextganError: they do.
    """
    if len(ours) != len(plain) or not np.abs(np.subtract(ours, plain)).max(initial=0.0) <= EXACT:
        raise TextganError(f"{what}: the result is not the plain one, so that times would say nothing")
