"""What each number means, in plain words: a line a family."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from textgan.figures import share
from textgan.metrics.metric import Metric
from textgan.report.measure import Report

Show = Callable[[float], str]
Says = Callable[[Metric, Report], str]
"""What a value means, beside real text; of a number that has both."""

SATURATED = 0.5  # a JSD floor from which on real text tells little, in bits


class Family(NamedTuple):
    """The words of a family of numbers."""

    title: str
    group: str
    meaning: str
    show: Show
    says: Says


# --- how numbers are written ----------------------------------------------------------------------------------------


def fine(value: float) -> str:
    """Write a number with four decimals."""
    return f"{value:.4f}"


def coarse(value: float) -> str:
    """Write a number with two decimals, thousands apart."""
    return f"{value:,.2f}"


# --- beside real text -----------------------------------------------------------------------------------------------


def noise(metric: Metric) -> float:
    """How far value and floor, each uncertain, may lie apart by chance; of a metric that has both.

    The half width of the value's interval, times the root of 2 since the floor is about as uncertain. Without an
    interval, two standard errors of a share of the samples; of what is no share, as if lines differed by a third.
    """
    assert metric.value is not None
    assert metric.floor is not None
    lines = max(metric.counts.get("samples", 1), 1)
    is_share = min(metric.value, metric.floor) >= 0 and max(metric.value, metric.floor) <= 1
    if metric.low is not None and metric.high is not None:
        half = (metric.high - metric.low) / 2 or (1 / lines if is_share else 0.0)
    elif is_share:
        half = 2 * math.sqrt(metric.floor * (1 - metric.floor) / lines + 1 / lines**2)
    else:
        half = 0.6 * abs(metric.floor) / math.sqrt(lines)
    return math.sqrt(2) * half


def side(metric: Metric) -> int:
    """-1, 0 or 1: the value is below, about level with, or above its floor."""
    if metric.excess is None or abs(metric.excess) <= noise(metric):
        return 0
    return 1 if metric.excess > 0 else -1


def beside(below: str, level: str, above: str) -> Says:
    """Words for a value below, level with and above real text's; the first and last go on with how far."""

    def says(metric: Metric, _: Report) -> str:
        words = (level, above, below)[side(metric)]
        return f"{words}{_times(metric) if side(metric) else ''}."

    return says


def roughly(factor: float, says: Says, level: str) -> Says:
    """For a number that chance moves much: level with real text's within a factor."""

    def said(metric: Metric, report: Report) -> str:
        near = (metric.value or 0) <= factor * (metric.floor or 0) <= factor**2 * (metric.value or 0)
        return level if near else says(metric, report)

    return said


def by_key(**parts: Says) -> Says:
    """Words that differ by the key of a number; an unknown key has the plain ones."""
    return lambda metric, report: parts.get(metric.key, PLAIN)(metric, report)


def _times(metric: Metric) -> str:
    """How many times real text's the value is, where that can be said."""
    if not metric.floor or not metric.value or metric.value / metric.floor < 0:
        return ""
    ratio = metric.value / metric.floor
    if 0.95 < ratio < 1.05:
        return ": by less than 5 %"
    return f": {ratio:,.1f} times real text's" if ratio > 1 else f": {100 * ratio:.0f} % of real text's"


def rung(report: Report, n: int, value: float) -> str:
    """Between which n-gram models a JSD of n-grams lies; empty without a ladder. Models above n add nothing at n."""
    rungs = {order: values.get(n) for order, values in (report.ladder or {}).items() if order <= n}
    if not rungs:
        return ""
    reached = next((order for order, rung in rungs.items() if rung is not None and value >= rung), None)
    if reached is None:
        return f"level with the {max(rungs)}-gram model or better"
    if reached == 1:
        return "no better than the 1-gram model"
    return f"between the {reached - 1}-gram and the {reached}-gram model"


def _of_jsd(metric: Metric, report: Report) -> str:
    if metric.floor is not None and metric.floor > SATURATED:
        return "Too few lines to tell: real text itself lies this far from real text."
    placed = rung(report, int(metric.key), metric.value or 0.0)
    if side(metric) <= 0 or not placed:
        return _FAR(metric, report)
    return f"{placed.capitalize()}{_times(metric).replace(':', ';')}."


PLAIN = beside("Lower than real text", "Level with real text", "Higher than real text")
_FAR = beside(
    "Closer to the held-out text than other real text is", "As close as real text", "Further away than real text"
)

_LENGTHS = beside("Lengths are closer than real text's", "Lengths are like real text's", "Lengths are off")
_PIECES = beside(
    "Shorter than held-out text shares by chance", "As long as held-out text shares by chance", "Copies longer"
)

# --- the table ------------------------------------------------------------------------------------------------------

LIKE, VARIED, COPIED, JUDGED, FURTHER = (
    "Likeness to real text",
    "Variety",
    "Copying of the training text",
    "Judged by models",
    "Further numbers",
)
GROUPS = (LIKE, VARIED, COPIED, JUDGED, FURTHER)

FAMILIES: Mapping[str, Family] = {
    "jsd": Family(
        "Character n-grams apart (JSD, bits)",
        LIKE,
        "How differently samples and held-out text use runs of n characters: 0 is alike, 1 shares none.",
        fine,
        _of_jsd,
    ),
    "jsd_word": Family(
        "Word n-grams apart (JSD, bits)",
        LIKE,
        "The same for runs of n words, in lower case.",
        fine,
        lambda metric, report: _FAR(metric, report),
    ),
    "jsd_piece": Family(
        "Sentencepiece n-grams apart (JSD, bits)",
        LIKE,
        "The same for runs of n sentencepieces.",
        fine,
        lambda metric, report: _FAR(metric, report),
    ),
    "kl": Family(
        "Divergence from held-out text (KL, bits)",
        LIKE,
        "What it costs to take the samples' n-grams for held-out text's; infinite once one is new there.",
        fine,
        _FAR,
    ),
    "kl_reverse": Family(
        "Divergence of held-out text (KL, bits)",
        LIKE,
        "What it costs to take held-out text's n-grams for the samples'; infinite once one is missing there.",
        fine,
        _FAR,
    ),
    "cosine": Family(
        "Likeness of n-gram frequencies (cosine)",
        LIKE,
        "How alike the frequencies of n-grams are, 1 at best; the frequent ones decide.",
        fine,
        beside("Less alike than real text", "As alike as real text", "More alike than other real text"),
    ),
    "precision": Family(
        "n-grams that are real (precision)",
        LIKE,
        "Share of the samples' n-grams that held-out text has, too.",
        share,
        beside("More is made up than in real text", "As real as real text", "Safer than other real text"),
    ),
    "recall": Family(
        "n-grams that are reached (recall)",
        LIKE,
        "Share of held-out text's n-grams that the samples have, too.",
        share,
        beside("Less is covered than by real text", "Covers as much as real text", "Covers more than other real text"),
    ),
    "words": Family(
        "Known words",
        LIKE,
        "Share of the samples' words that the training text has (the reference, where there is none).",
        share,
        beside("More words are made up", "As many words are known as of real text", "Keeps to known words"),
    ),
    "in_test": Family(
        "Phrases found in held-out text (%-in-test)",
        LIKE,
        "Share of the different runs of n words that held-out text has, too.",
        share,
        beside("Fewer are found", "As many are found as of real text", "More are found than of other real text"),
    ),
    "bleu": Family(
        "BLEU against held-out text",
        LIKE,
        "How much of each sample, in runs of up to n words, occurs in single held-out lines, 1 at best.",
        fine,
        beside("Less fluent than real text", "As fluent as real text", "More predictable than real text"),
    ),
    "backward_bleu": Family(
        "Backward BLEU",
        LIKE,
        "How much of each held-out line occurs in single samples: what the samples miss lowers it.",
        fine,
        beside("Covers less than real text", "Covers as much as real text", "Covers more than other real text"),
    ),
    "length": Family(
        "Length of lines",
        LIKE,
        "Characters a line; how far lengths are from held-out text's (characters), and their histograms (JSD, bits).",
        coarse,
        by_key(
            mean=beside("Lines are shorter", "Lines are as long as real ones", "Lines are longer"),
            distance=roughly(2, _LENGTHS, "Lengths are like real text's."),
            jsd=roughly(2, _LENGTHS, "Lengths are like real text's."),
        ),
    ),
    "unique": Family(
        "Different lines",
        VARIED,
        "Share of the samples that are different lines; falls with their number, so compare at the same.",
        share,
        beside("Lines repeat more often", "Lines repeat as seldom as real ones", "Lines repeat less than real ones"),
    ),
    "distinct": Family(
        "Different word n-grams (distinct-n)",
        VARIED,
        "Different runs of n words over all of them; falls with the number of lines.",
        share,
        beside("Says the same more often", "As varied as real text", "More varied than real text, as noise is"),
    ),
    "distinct_char": Family(
        "Different character n-grams (distinct-n)",
        VARIED,
        "Different runs of n characters over all of them; falls with the number of lines.",
        share,
        beside("Spells the same more often", "As varied as real text", "More varied than real text, as noise is"),
    ),
    "self_bleu": Family(
        "Self-BLEU",
        VARIED,
        "How much of each sample, in runs of up to n words, occurs in other samples.",
        fine,
        beside(
            "Samples are less alike than real lines", "As alike as real lines", "Samples are more alike than real lines"
        ),
    ),
    "entropy": Family(
        "Entropy of symbols (bits)",
        VARIED,
        "How evenly characters, and words, are used: few, over and over, lower it.",
        fine,
        beside("More repetitive than real text", "As varied as real text", "More even than real text, as noise is"),
    ),
    "copies": Family(
        "Copied lines",
        COPIED,
        "Share of the samples that are lines of the training text; of short lines some are by chance.",
        share,
        beside("Fewer than of held-out text", "As many as of held-out text", "Repeats training lines"),
    ),
    "longest_copied": Family(
        "Longest copied piece (characters)",
        COPIED,
        "The longest piece of a sample that stands within one training line.",
        coarse,
        by_key(
            mean=_PIECES,
            median=roughly(1.2, _PIECES, "As long as held-out text shares by chance."),
            p90=roughly(1.2, _PIECES, "As long as held-out text shares by chance."),
            max=lambda *_: "One sample alone decides it.",
        ),
    ),
    "nearest": Family(
        "Distance to the nearest training line",
        COPIED,
        "Edits to the nearest training line, over the length: 0 is a copy, 1 has nothing in common.",
        fine,
        beside("Nearer to training lines", "As far as held-out text is", "Further from training lines"),
    ),
    "novelty": Family(
        "New character n-grams",
        COPIED,
        "Share of the runs of n characters that the training text lacks.",
        share,
        beside("Less is new than in held-out text", "As new as held-out text", "More is new than in held-out text"),
    ),
    "lm_nll": Family(
        "Surprise of a language model (bits a character)",
        JUDGED,
        "Forward: a model of real text reads the samples. Reverse: a model of the samples reads real text.",
        fine,
        by_key(
            forward=beside("More predictable than real text", "As likely as real text", "Less likely than real text"),
            reverse=beside(
                "Teaches more than real text", "Teaches as much as real text", "Teaches less of real text than it does"
            ),
        ),
    ),
    "two_sample": Family(
        "Told from real text by a classifier",
        JUDGED,
        "Share of lines that a small classifier puts on the right side: 50 % is guessing, and perfect.",
        share,
        beside("Harder to tell than real text", "Cannot be told from real text", "Can be told from real text"),
    ),
    "parses": Family(
        "Sentences of the grammar",
        JUDGED,
        "Share of the samples that the grammar parses.",
        share,
        beside("Breaks the grammar", "Keeps the grammar as real text does", "Keeps the grammar better"),
    ),
    "oracle_nll": Family(
        "Surprise of the oracle (nats a line)",
        JUDGED,
        "Negative log-likelihood of the samples under the process that made the text; lower than real is too safe.",
        fine,
        beside("Safer than the oracle's own text", "As likely as the oracle's own text", "Less likely"),
    ),
}
PREFIXES: Mapping[str, Family] = {
    "frechet_": Family("Embeddings apart (Fréchet)", JUDGED, "Distance of the samples' meaning from held-out text's, "
                       "as the named encoder sees it; compare within one encoder only.", fine, _FAR),
    "mauve_": Family("Overlap of embeddings (MAUVE)", JUDGED, "Overlap of samples and held-out text, 1 at best, as the "
                     "named encoder sees it; compare within one encoder only.", fine,
                     beside("Overlaps less than real text", "Overlaps like real text", "Overlaps more than real text")),
}  # fmt: skip
"""Families named after an encoder."""


def family(name: str) -> Family:
    """The words of a family; an unknown one has its name as title and the plain words."""
    for prefix, named in PREFIXES.items():
        if name.startswith(prefix):
            return named._replace(title=f"{named.title}, {name.removeprefix(prefix)}")
    return FAMILIES.get(name, Family(name, FURTHER, "", fine, PLAIN))
