"""The classifier two-sample test: can samples be told from real text?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.lines import View, pick
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import NGrams
from textgan.metrics.substrings import ended, hashed, within

MOST = 5000  # lines a side
LONGEST = 256  # characters of a line that the classifier reads
CHARACTERS = 1 << 18  # of a side; fewer lines are taken where they are long
ORDERS = (1, 2, 3, 4)
BITS = 18  # of the hash of an n-gram: its column
STEPS = 100
DECAY = 1e-5
MARK = "\n"  # stands before and after a line; no line holds it
NORMAL = 1.959963984540054  # quantile of the 95 % interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Features(NamedTuple):
    """A sparse matrix, (line, column), every row of length 1."""

    row: Ints
    """Of each entry, ascending, (entry,)."""
    column: Ints
    value: Floats

    def of(self, first: int, last: int) -> Features:
        """Rows first..last - 1."""
        low, high = np.searchsorted(self.row, [first, last])
        return Features(self.row[low:high] - first, self.column[low:high], self.value[low:high])

    def times(self, weights: Floats, lines: int) -> Floats:
        """The matrix times a vector over columns, (line,)."""
        product: Floats = np.bincount(self.row, self.value * weights[self.column], lines).astype(np.float64)
        return product

    def transposed_times(self, of_lines: Floats) -> Floats:
        """The transposed matrix times a vector over lines, (column,)."""
        product: Floats = np.bincount(self.column, self.value * of_lines[self.row], 1 << BITS).astype(np.float64)
        return product


def features(lines: Sequence[str], learnt: int) -> Features:
    """Hashed n-grams of 1 to 4 characters, marks at both ends among them, and the length, of each line.

    An entry is the square root of a count, times 1 + the log of how rare its column is among the first `learnt` lines,
    so that what every line has does not drown the rest; rows are then normalised.
    """
    text = [MARK + line[:LONGEST] + MARK for line in lines]
    row, column, counts = _counts(text)
    rows_with = np.bincount(column[row < learnt], minlength=1 << BITS)
    value = np.sqrt(counts) * (1 + np.log((1 + learnt) / (1 + rows_with)))[column]
    return Features(row, column, value / np.sqrt(np.bincount(row, value**2))[row])


def fit(matrix: Features, labels: Floats) -> Floats:
    """Weights of a logistic regression without a constant, (column,); the sides must be equally large.

    Least mean log loss and DECAY / 2 times the squared weights, by accelerated gradient descent.

    Args:
        matrix: features of the lines.
        labels: 1 of samples, 0 of real lines, (line,).

    Source: Nesterov 1983, with steps of one over the most that the slope changes a unit.
    """
    step = 1 / (0.25 * _curvature(matrix, len(labels)) + DECAY)
    weights = ahead = np.zeros(1 << BITS)
    for k in range(STEPS):
        off = 0.5 + 0.5 * np.tanh(0.5 * matrix.times(ahead, len(labels))) - labels  # the logistic, never too large
        slope = matrix.transposed_times(off) / len(labels) + DECAY * ahead
        before, weights = weights, ahead - step * slope
        ahead = weights + k / (k + 3) * (weights - before)
    return weights


def told_apart(samples: Sequence[str], real: Sequence[str]) -> tuple[float, int] | None:
    """Share of lines that a classifier puts on their side, and the lines tried; None with less than 2 lines a side.

    It learns from the first half of both sides, in the order given, and is tried on the rest; a line that it finds as
    likely on either side counts half.
    """
    count = min(len(samples), len(real))
    half = count // 2
    if not half:
        return None
    lines = [*samples[:half], *real[:half], *samples[half:count], *real[half:count]]
    matrix, tried = features(lines, 2 * half), 2 * (count - half)
    weights = fit(matrix.of(0, 2 * half), np.repeat([1.0, 0.0], half))
    found = np.sign(matrix.of(2 * half, len(lines)).times(weights, tried))
    return float(np.mean((1 + found * np.repeat([1.0, -1.0], tried // 2)) / 2)), tried


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of so many. Source: Wilson 1927."""
    spread = NORMAL**2 / count
    middle = (share + spread / 2) / (1 + spread)
    reach = (spread * (share * (1 - share) + spread / 4)) ** 0.5 / (1 + spread)
    return middle - reach, middle + reach


def two_sample(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Accuracy of a logistic regression that learns to tell samples from the reference; .5 is perfect, 1 all told.

    As many lines on each side, at most 5,000, fewer where they are long, chosen by chance; one half of both is learnt
    from, the other tried. Of rows that were cut from one line of the reference only one is taken: they share text, and
    a classifier that knows one knows the others. Samples that repeat a line are not kept together: each is a draw of
    its own, and that it comes again is what tells it from real text; a generator of one line would else be learnt from
    or tried, never both. A memoriser is not told from real text, since what it writes is real. The floor is the
    accuracy on the floor's rows.

    Source: Lopez-Paz & Oquab 2017, section 3.
    """
    rows, against = texts.floor
    samples, real = _chosen(texts.samples, rng), _chosen(texts.reference, rng, texts.sources)
    found = told_apart(samples, real)
    floor = told_apart(_chosen(rows, rng), real if against is texts.reference else _chosen(against, rng))
    value, tried = found or (None, 0)
    low, high = (None, None) if value is None else wilson(value, tried)
    lines = min(len(samples), len(real))
    counts = {"samples": lines, "reference": lines, "tried": tried}
    return [Metric("two_sample", "", value, floor and floor[0], "lower", counts, low, high)]


def _chosen(
    lines: Sequence[str], rng: np.random.Generator, sources: npt.NDArray[np.integer] | None = None
) -> list[str]:
    """At most `MOST` lines and about `CHARACTERS` in random order, one line of each source."""
    order = rng.permutation(len(lines))
    if sources is not None:
        order = order[np.sort(np.unique(sources[order], return_index=True)[1])]
    chosen = pick(lines, order[:MOST])
    read = np.cumsum([min(len(line), LONGEST) for line in chosen])
    return chosen[: int(np.searchsorted(read, CHARACTERS)) + 1]


def _counts(text: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """How often each line has each column: line, column and count, by line."""
    ngrams = NGrams(text)
    ids, owner = ended(ngrams, text)
    rows, codes = [np.arange(len(text))], [np.fromiter(map(len, text), np.uint64, len(text))]
    for n in ORDERS:
        pieces = within(ids, owner, n, ngrams)
        rows.append(owner[pieces.at])
        codes.append(pieces.codes.astype(np.uint64))
    kinds = np.uint64(len(codes))
    columns = [hashed(code * kinds + np.uint64(kind), BITS).astype(np.int64) for kind, code in enumerate(codes)]
    entries, counts = np.unique((np.concatenate(rows) << BITS) + np.concatenate(columns), return_counts=True)
    return entries >> BITS, entries & ((1 << BITS) - 1), counts


def _curvature(matrix: Features, lines: int) -> float:
    """Largest eigenvalue of X'X / lines and a fifth more: five power steps from a positive vector come so near it."""
    vector = np.ones(1 << BITS)
    for _ in range(5):
        product = matrix.times(vector / np.linalg.norm(vector), lines)
        vector = matrix.transposed_times(product)
    return 1.2 * float(product @ product) / lines
