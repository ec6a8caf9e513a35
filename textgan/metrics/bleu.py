"""BLEU of samples against real text, of real text against the samples, and of each sample against the others.

An n-gram of a hypothesis counts as often as some one reference holds it. So of all references together only the most
occurrences of each n-gram in one of them matter, and, where a line is left out, the most in any other: everything is
sorted once, whatever the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import WORDS, Read
from textgan.metrics.interval import by_source, interval
from textgan.metrics.lines import View, few
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import Encoded, NGrams, locate

ORDERS = (2, 3, 4, 5)
EPSILON = 0.1  # matches that an order without a match is taken to have

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Scores = dict[int, Floats]


class Most(NamedTuple):
    """How often one reference holds each n-gram at most, all (n-gram,)."""

    times: Ints
    second: Ints
    """The most in any other than the first that holds it so often; the same where two do."""


class Repeats(NamedTuple):
    """How often known n-grams occur in lines of a block, ordered by n-gram, then line, arrays all (pair,)."""

    gram: Ints
    line: Ints
    """Place in the block."""
    times: Ints
    lines: int
    """Lines of the block."""


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str], orders: Iterable[int] = ORDERS) -> Scores:
    """BLEU of each hypothesis against all references, by order.

    Words are split on whitespace, case kept; the orders up to n weigh 1/n each; an order without a match counts as
    having 0.1; the length is held against that of the closest reference, the shorter of two. A hypothesis without
    one matching word scores 0.

    Returns:
        For each order the scores, 0..1, (hypothesis,); NaN if there are no references.

    Source: Papineni et al. 2002, section 2.3, for one sentence as in Texygen (Zhu et al. 2018); smoothing: Chen &
    Cherry 2014, method 1.
    """
    return _scores(hypotheses, references, tuple(orders), leave_out=False)


def self_bleu_scores(
    lines: Sequence[str],
    orders: Iterable[int] = ORDERS,
    *,
    hypotheses: int | None = None,
) -> Scores:
    """BLEU of each line against all other lines, by order: 1 where lines are alike, 0 where they share no word.

    A line is left out of its own references by its place: an equal line elsewhere stays among them.

    Args:
        lines: what is compared.
        orders: largest n-grams.
        hypotheses: score the first so many lines only, still against all.

    Returns:
        For each order the scores, 0..1, (hypothesis,); NaN for the only line there is.

    Source: Zhu et al. 2018 (Texygen), section 3.
    """
    chosen = lines if hypotheses is None else lines[:hypotheses]
    return _scores(chosen, lines, tuple(orders), leave_out=True)


def closest_lengths(own: Ints, others: Ints, *, leave_out: bool) -> Floats:
    """For each length the nearest among others, the shorter of two; with `leave_out`, others less one of its own."""
    known, times = np.unique(others, return_counts=True)
    place = np.searchsorted(known, own)
    equal = known.take(place, mode="clip") == own
    below = np.concatenate([[-np.inf], known])[place]
    above = np.concatenate([known, [np.inf, np.inf]])[place + equal]
    nearest = np.where(own - below <= above - own, below, above)
    return np.where(equal & (times.take(place, mode="clip") > leave_out), own, nearest)


def bleu(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """BLEU-2..5: mean over samples of each one's BLEU against the whole reference. The interval is over the samples.

    Of more than 500,000 lines of a side 500,000 are taken, as the counts say.
    """
    samples, reference = _first(texts.samples, view.hypotheses), _first(texts.reference, view.references)
    rows, against = _first(texts.floor.rows, view.hypotheses), _first(texts.floor.against, view.references)
    counts = {"samples": len(samples), "reference": len(reference)}
    found, real = sentence_bleu(samples, reference), sentence_bleu(rows, against)
    return _means("bleu", found, real, "higher", counts, None, rng)


def backward_bleu(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """BLEU-2..5 the other way: mean over reference lines of each one's BLEU against all samples, which misses modes.

    The floor is that of the lines the floor's rows are measured against, with those rows as references. The interval
    is over the lines of the reference.
    """
    samples, reference = _first(texts.samples, view.references), _first(texts.reference, view.hypotheses)
    rows, against = _first(texts.floor.rows, view.references), _first(texts.floor.against, view.hypotheses)
    counts = {"samples": len(samples), "reference": len(reference)}
    sources = None if texts.sources is None else texts.sources[: len(reference)]
    found, real = sentence_bleu(reference, samples), sentence_bleu(against, rows)
    return _means("backward_bleu", found, real, "higher", counts, sources, rng)


def self_bleu(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Self-BLEU-2..5: mean over samples of each one's BLEU against the other samples; the floor is that of real rows.

    High where samples repeat each other. None for a single line. The counts say how many samples were scored and
    against how many lines each. The interval is over the samples as scored, the others taken as they are.
    """
    lines, rows = _first(texts.samples, view.references), _first(texts.floor.rows, view.references)
    found = self_bleu_scores(lines, hypotheses=view.hypotheses)
    real = self_bleu_scores(rows, hypotheses=view.hypotheses)
    counts = {"samples": len(found[2]), "reference": max(len(lines) - 1, 0)}
    return _means("self_bleu", found, real, "near the floor", counts, None, rng)


def _first(lines: Sequence[str], count: int | None) -> Sequence[str]:
    return few(lines) if count is None else lines[:count]


def _means(
    name: str,
    found: Scores,
    real: Scores,
    better: Literal["higher", "near the floor"],
    counts: dict[str, int],
    sources: Ints | None,
    rng: np.random.Generator,
) -> list[Metric]:
    metrics = []
    for n, scores in found.items():
        value, low, high = _mean(scores), None, None
        if value is not None:
            low, high = interval(value, by_source(scores - value, sources), rng=rng)
        metrics.append(Metric(name, str(n), value, _mean(real[n]), better, counts, low, high))
    return metrics


def _mean(scores: Floats) -> float | None:
    return None if len(scores) == 0 or np.isnan(scores).any() else float(scores.mean())


def _scores(hypotheses: Sequence[str], references: Sequence[str], orders: Sequence[int], *, leave_out: bool) -> Scores:
    if len(references) <= leave_out:
        return {n: np.full(len(hypotheses), np.nan) for n in orders}
    grams = NGrams(references, WORDS)
    text = grams.reference if hypotheses is references else grams.encode(hypotheses)
    words = text.lengths()
    closest = closest_lengths(words, grams.reference.lengths(), leave_out=leave_out)
    matches = [_matches(grams, text, n, leave_out=leave_out) for n in range(1, max(orders) + 1)]
    logs = [_log_precision(matched, words - n + 1) for n, matched in enumerate(matches, 1)]
    brevity = np.minimum(1 - closest / np.maximum(words, 1), 0)
    return {n: np.where(matches[0] > 0, np.exp(brevity + np.sum(logs[:n], axis=0) / n), 0.0) for n in orders}


def _log_precision(matched: Floats, windows: Ints) -> Floats:
    """Logarithm of the smoothed share of matches; a line without one window is taken to have one."""
    precision: Floats = np.where(matched > 0, matched, EPSILON) / np.maximum(windows, 1)
    return np.log(precision)


def _matches(grams: NGrams, text: Encoded, n: int, *, leave_out: bool) -> Floats:
    """N-grams of each line that are in some reference, each at most as often as in one reference, (line,)."""
    real = list(_repeats(grams, grams.reference, n))
    most = _most(real, len(grams.counts(n).keys))
    # of a line less itself: if it alone holds the most, the second is the limit; else it holds no more than the second
    limit = most.second if leave_out else most.times
    sums = [np.zeros(0)]
    for gram, line, times, lines in real if text is grams.reference else _repeats(grams, text, n):
        clipped = np.minimum(times, limit[gram]).astype(np.float64)
        sums.append(np.bincount(line, clipped, lines).astype(np.float64))
    return np.concatenate(sums)


def _most(references: Iterable[Repeats], size: int) -> Most:
    """The most occurrences of each of `size` n-grams in one of the references."""
    most = Most(*np.zeros((2, size), dtype=np.int32))
    for grams, _, times, _ in references:
        starts = np.flatnonzero(np.diff(grams, prepend=-1))
        gram, (top, rest) = grams[starts], _top_two(times, starts)
        before = most.times[gram]
        most.second[gram] = np.maximum(np.minimum(before, top), np.maximum(most.second[gram], rest))
        most.times[gram] = np.maximum(before, top)
    return most


def _top_two(times: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Of each run that begins at a start: its largest number, and the next, which is equal if that stands twice."""
    top = np.maximum.reduceat(times, starts)
    tops = np.flatnonzero(times == np.repeat(top, np.diff(starts, append=len(times))))
    rest = times.copy()
    rest[tops[np.searchsorted(tops, starts)]] = 0
    return top, np.maximum.reduceat(rest, starts)


def _repeats(grams: NGrams, text: Iterable[Read], n: int) -> Iterator[Repeats]:
    """Count the references' n-grams in each line, block by block."""
    keys = grams.counts(n).keys
    for ids, ends in text:
        line = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        first, last = line[: max(len(line) - n + 1, 0)], line[n - 1 :]
        within = first == last
        gram, known = locate(keys, grams.codes(ids, n)[within])
        pairs, times = np.unique(gram[known] * len(ends) + last[within][known], return_counts=True)
        yield Repeats(*np.divmod(pairs, len(ends)), times, len(ends))
