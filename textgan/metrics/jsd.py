"""Two texts compared by the frequencies of their n-grams: Jensen-Shannon divergence, and what is told beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import add
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import Characters, Tokens, Unit, lower_words
from textgan.metrics.interval import Bounds, by_source, clipped, interval
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, MetricFunction, Texts
from textgan.metrics.ngrams import Counts, Encoded, NGrams, Range, locate

SPREAD = 20_000  # lines of a side from which the interval is estimated
Array = npt.NDArray[np.float64]


class Sums(NamedTuple):
    """What all the comparisons of a text's n-gram frequencies P with a reference's Q need, over a range of n-grams."""

    divergence: float = 0.0
    """Σ p log2(p/(p+q)) + q log2(q/(p+q)) over the shared n-grams."""
    forward: float = 0.0
    """Σ p log2(p/q) over the shared n-grams."""
    backward: float = 0.0
    """Σ q log2(q/p) over the shared n-grams."""
    product: float = 0.0
    """Σ p q."""
    p_square: float = 0.0
    q_square: float = 0.0
    p_count: int = 0
    """Occurrences of the text's n-grams."""
    q_count: int = 0
    p_shared: int = 0
    """Occurrences of the text's n-grams that the reference has."""
    q_shared: int = 0

    def __add__(self, other: object) -> Sums:
        """Add up two ranges."""
        assert isinstance(other, Sums)
        return Sums(*map(add, self, other))


def sums(p: Counts, q: Counts, p_total: int, q_total: int) -> Sums:
    """Add up the terms of the n-grams in p and q, of texts of that many n-grams."""
    place, shared = locate(q.keys, p.keys)
    p_all, q_all = p.counts / max(p_total, 1), q.counts / max(q_total, 1)
    a, b = p_all[shared], q_all[place[shared]]
    to_a, to_b = np.log2(a / (a + b)), np.log2(b / (a + b))
    return Sums(
        divergence=float(np.sum(a * to_a + b * to_b)),
        forward=float(np.sum(a * (to_a - to_b))),
        backward=float(np.sum(b * (to_b - to_a))),
        product=float(a @ b),
        p_square=float(p_all @ p_all),
        q_square=float(q_all @ q_all),
        p_count=int(p.counts.sum()),
        q_count=int(q.counts.sum()),
        p_shared=int(p.counts[shared].sum()),
        q_shared=int(q.counts[place[shared]].sum()),
    )


# --- the numbers ----------------------------------------------------------------------------------------------------


def _jsd(s: Sums) -> float:
    """1/2 KL(P|M) + 1/2 KL(Q|M), M = 1/2 (P + Q), in bits: an n-gram of one side alone pays half its frequency.

    Source: Lin 1991, eq. 3.1 and 4.1; for n-grams of text, Gulrajani et al. 2017, section 5.
    """
    return min(max(1 + 0.5 * s.divergence, 0.0), 1.0)


def _kl(s: Sums) -> float | None:
    """KL(P|Q) in bits, infinite where the text has an n-gram that the reference has not; None where it has none."""
    if not s.p_count:
        return None
    return max(s.forward, 0.0) if s.p_shared == s.p_count else math.inf


def _kl_reverse(s: Sums) -> float:
    """KL(Q|P) in bits, infinite where the reference has an n-gram that the text has not."""
    return max(s.backward, 0.0) if s.q_shared == s.q_count else math.inf


def _cosine(s: Sums) -> float | None:
    """Cosine of the angle between the frequencies."""
    return s.product / math.sqrt(s.p_square * s.q_square) if s.p_square else None


def _precision(s: Sums) -> float | None:
    """Share of the text's n-grams, by occurrence, that the reference has."""
    return s.p_shared / s.p_count if s.p_count else None


def _recall(s: Sums) -> float | None:
    """Share of the reference's n-grams, by occurrence, that the text has."""
    return s.q_shared / s.q_count if s.q_count else None


# --- of texts -------------------------------------------------------------------------------------------------------


class Compared(NamedTuple):
    """A text against a reference at one n."""

    sums: Sums | None
    """None where neither has an n-gram so long."""
    spread: tuple[Array, ...] = ()
    """What each line of the text, and of the reference, contributes to the JSD, of those asked for; (line,) each."""


Places = npt.NDArray[np.int64]
"""Which lines of a side, ascending, (line,)."""


def jensen_shannon(p: Counts, q: Counts) -> float | None:
    """Jensen-Shannon divergence of the frequencies of p and q in bits, no smoothing.

    Returns:
        0 (equal) to 1 (nothing shared); 1 if one side has no n-grams at all, None if neither has.
    """
    if len(p.keys) == len(q.keys) == 0:
        return None
    return _jsd(sums(p, q, int(p.counts.sum()), int(q.counts.sum())))


def distances(lines: Sequence[str], reference: NGrams, orders: Iterable[int]) -> dict[int, float | None]:
    """JSD of the n-grams of whole lines to the reference's, by n; None where the reference has none so long."""
    text = reference.encode(lines)
    return {n: None if (s := compare(text, reference, n).sums) is None else _jsd(s) for n in orders}


def compare(text: Encoded, reference: NGrams, n: int, *, spread: tuple[Places, Places] | None = None) -> Compared:
    """Compare a text with the reference whose alphabet it was encoded in.

    Args:
        text: what is compared.
        reference: with what.
        n: length of the n-grams.
        spread: lines of the text and of the reference whose contributions are wanted.

    An n-gram that the reference lacks may be counted with others as one: `Sums.p_square` is then not the text's own.
    """
    totals = text.total(n), reference.reference.total(n)
    if not totals[1]:
        return Compared(None)
    ranges = reference.ranges(n, max(totals))
    some = [side.some(places) for side, places in zip((text, reference.reference), spread or (), strict=False)]
    found, sides = Sums(), [np.zeros(len(lines.lines)) for lines in some]
    for within in ranges:
        p = reference.count(text, n, within if len(ranges) > 1 else None)
        q = reference.counts(n) if len(ranges) == 1 else reference.count(reference.reference, n, within)
        found += sums(p, q, *totals)
        if some:
            parts = _spread(
                some, (len(text.lines), len(reference.reference.lines)), reference, n, within, (p, q), totals
            )
            sides = [side + part for side, part in zip(sides, parts, strict=True)]
    return Compared(found, tuple(sides))


def _spread(
    some: list[Encoded],
    sizes: tuple[int, int],
    reference: NGrams,
    n: int,
    within: Range,
    counts: tuple[Counts, Counts],
    totals: tuple[int, int],
) -> list[Array]:
    """Return what some lines of either side contribute to the JSD, to first order.

    A line that holds c_k of the T n-grams k adds (c_k - n p_k) / T to p_k, which adds 1/2 log2(p_k / m_k) times that.
    Where both sides are of one distribution the second order counts too, and the interval is up to a third too narrow.
    """
    found = []
    for lines, size, (own, other), (total, other_total) in zip(
        some, sizes, (counts, counts[::-1]), (totals, totals[::-1]), strict=True
    ):
        place, shared = locate(other.keys, own.keys)
        mine, theirs = own.counts / max(total, 1), np.zeros(len(own.keys))
        theirs[shared] = other.counts[place[shared]] / max(other_total, 1)
        gain = 0.5 + 0.5 * np.log2(mine / (mine + theirs))
        per_line, windows = _line_sums(lines, reference, n, within, own, gain)
        found.append((per_line - windows * float(mine @ gain)) * (size / max(total, 1)))
    return found


def _line_sums(
    lines: Encoded, reference: NGrams, n: int, within: Range, own: Counts, gain: Array
) -> tuple[Array, Array]:
    """Sum of the gains of each line's n-grams within a range of codes, and how many it has of all, (line,) each."""
    sums_, sizes = [], []
    for block in lines:
        codes = reference.windows(block, n)
        sizes.append(np.maximum(np.diff(block.ends, prepend=0) - n + 1, 0))
        number = np.repeat(np.arange(len(block.ends)), sizes[-1])
        inside = (codes >= within[0]) & (codes < within[1])
        place, _ = locate(own.keys, codes[inside])
        sums_.append(np.bincount(number[inside], weights=gain[place], minlength=len(block.ends)))
    return np.concatenate([*sums_, np.zeros(0)]), np.concatenate([*sizes, np.zeros(0)])


# --- families -------------------------------------------------------------------------------------------------------


class Sides(NamedTuple):
    """Samples and the floor's rows at one n, each against what it is measured against."""

    samples: Compared
    floor: Compared


def _compared(texts: Texts, view: View, unit: Unit) -> dict[int, Sides]:
    padded = view.padded if unit is Characters else lambda lines: lines  # pads are characters, and no part of a word
    rows, against = texts.trained_on or texts.floor
    compared = against if texts.trained_on else texts.reference
    reference = NGrams(padded(compared), unit)
    real = reference if against is compared else NGrams(padded(against), unit)
    text, floor = reference.encode(padded(texts.samples)), real.encode(padded(rows))
    spread = some_lines(len(texts.samples)), some_lines(len(compared), None if texts.trained_on else texts.sources)
    return {n: Sides(compare(text, reference, n, spread=spread), compare(floor, real, n)) for n in view.orders}


def some_lines(count: int, sources: npt.NDArray[np.integer[Any]] | None = None) -> Places:
    """Choose at most 20,000 of so many rows by chance, or all rows of some source lines: about as many."""
    rng = np.random.default_rng(0)
    if count <= SPREAD:
        return np.arange(count)
    if sources is None:
        return np.sort(rng.choice(count, SPREAD, replace=False))
    _, line = np.unique(sources, return_inverse=True)
    kept = rng.random(int(line.max()) + 1) < SPREAD / count
    return np.flatnonzero(kept[line])


def ngram_metric(
    texts: Texts,
    *,
    view: View,
    rng: np.random.Generator,
    name: str,
    unit: Unit,
    number: Callable[[Sums], float | None],
    better: Literal["lower", "higher"],
) -> list[Metric]:
    """One comparison of n-grams, for each order of the view."""
    sides = texts.once((unit, view), lambda: _compared(texts, view, unit))
    found = []
    for n, side in sides.items():
        value, floor = (None if of.sums is None else number(of.sums) for of in side)
        low, high = None, None
        if number is _jsd and value is not None:
            low, high = _interval(value, side.samples.spread, texts, rng)
        infinite = value == math.inf
        counts = texts.counts
        if texts.trained_on:
            counts |= {"reference": len(texts.trained_on.against)}
        found.append(Metric(name, str(n), _finite(value), _finite(floor), better, counts, low, high, infinite))
    return found


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value


def _interval(value: float, spread: tuple[Array, ...], texts: Texts, rng: np.random.Generator) -> Bounds:
    """Both sides' lines are drawn again; rows cut from one line of the reference together."""
    samples, reference = spread
    if texts.trained_on or texts.sources is None:
        lines = len(texts.trained_on.against if texts.trained_on else texts.reference)
    else:
        lines = len(np.unique(texts.sources))
        reference = by_source(reference, texts.sources[some_lines(len(texts.sources), texts.sources)])
    return clipped(interval(value, samples, reference, sizes=(len(texts.samples), lines), rng=rng))


LOWER_WORDS: Unit = partial(Tokens, lower_words)

FAMILIES: dict[str, MetricFunction] = {
    "jsd": partial(ngram_metric, name="jsd", unit=Characters, number=_jsd, better="lower"),
    "jsd_word": partial(ngram_metric, name="jsd_word", unit=LOWER_WORDS, number=_jsd, better="lower"),
    "kl": partial(ngram_metric, name="kl", unit=Characters, number=_kl, better="lower"),
    "kl_reverse": partial(ngram_metric, name="kl_reverse", unit=Characters, number=_kl_reverse, better="lower"),
    "precision": partial(ngram_metric, name="precision", unit=Characters, number=_precision, better="higher"),
    "recall": partial(ngram_metric, name="recall", unit=Characters, number=_recall, better="higher"),
}
"""Comparisons of character n-grams, and of word n-grams, lower-cased and split on single spaces."""


def jsd_piece(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Jensen-Shannon divergence of n-grams of sentencepieces, in bits; none without a model of them."""
    if view.pieces is None:
        return []
    unit = partial(Tokens, view.pieces)
    return ngram_metric(texts, view=view, rng=rng, name="jsd_piece", unit=unit, number=_jsd, better="lower")


def cosine(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Cosine of the angle between the n-gram frequencies, for each order of the view."""
    sides = texts.once((Characters, view), lambda: _compared(texts, view, Characters))
    rows, against = texts.trained_on or texts.floor
    own = [NGrams(view.padded(lines)) for lines in (texts.samples, rows)]  # of each, every n-gram is told apart
    counts = texts.counts | ({"reference": len(against)} if texts.trained_on else {})
    found = []
    for n, side in sides.items():
        value, floor = (
            None if of.sums is None else _cosine(of.sums._replace(p_square=_square(text.counts(n))))
            for of, text in zip(side, own, strict=True)
        )
        found.append(Metric("cosine", str(n), value, floor, "higher", counts))
    return found


def _square(counts: Counts) -> float:
    frequencies = counts.counts / max(int(counts.counts.sum()), 1)
    return float(frequencies @ frequencies)
