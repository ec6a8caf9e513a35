"""Two texts compared by where an encoder puts their lines: the Fréchet distance, and an overlap after MAUVE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.encoders import encoder, label
from textgan.metrics.frechet import Frechet, frechet_distance
from textgan.metrics.interval import Bounds, by_source, interval
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts

MOST = 10_000  # lines a side
KEPT = 0.9  # share of the variance that is clustered
CLUSTERS = 500  # at most; else one for each 10 lines of a side
ROUNDS = 100  # of k-means at most
SCALE = 5.0  # how fast the overlap falls with the divergence
POINTS = 2000  # of the frontier
TOGETHER = 1e-6  # vectors of length 1 whose squared distance is below coincide

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


# --- MAUVE ----------------------------------------------------------------------------------------------------------


def frontier_area(p: Floats, q: Floats) -> float:
    """Area under the divergence frontier of two histograms: 1 of equal ones, 1/252 where nothing is shared.

    The points are exp(-5 KL(q|r)) and exp(-5 KL(p|r)), r = λp + (1-λ)q for 2,000 λ within 0..1, KL in nats, between
    (1, 0) and (0, 1); the area is by trapezoids. Nothing is smoothed.

    Args:
        p: shares, (bin,), of sum 1.
        q: the same.

    Source: Pillutla et al. 2021, eq. 2 and 3, and their scaling constant; they take 25 points.
    """
    places = (np.arange(POINTS) + 0.5) / POINTS
    weights = places**2 * (3 - 2 * places)  # closer at the ends, where the points are further apart
    mixed = weights[:, None] * p + (1 - weights[:, None]) * q
    x, y = (np.exp(-SCALE * _divergence(side, mixed)) for side in (q, p))
    x, y = np.concatenate([[1.0], x, [0.0]]), np.concatenate([[0.0], y, [1.0]])
    return float(np.sum((x[:-1] - x[1:]) * (y[:-1] + y[1:])) / 2)


def _divergence(p: Floats, mixed: Floats) -> Floats:
    """KL(p | each row of mixed) in nats, (row,)."""
    held = p > 0
    told: Floats = np.maximum(np.log(p[held] / mixed[:, held]) @ p[held], 0)
    return told


def overlap(a: Floats, b: Floats, clusters: int, rng: np.random.Generator) -> float:
    """Overlap of two sets of vectors as MAUVE measures it, 0..1.

    As the paper: the vectors of both sets together, of length 1, projected on the principal components that have 90 %
    of the variance, are clustered by k-means; the shares of either set in each cluster are compared by
    `frontier_area`. Ours: k-means starts from k-means++ once, of 100 rounds at most, where the paper starts 5 times
    and lets it run 500.

    Args:
        a: vectors, (vector, dimension).
        b: the same.
        clusters: how many at most; vectors that coincide make fewer.
        rng: chooses where k-means starts.

    Source: Pillutla et al. 2021, section 3 and appendix C.
    """
    rows = np.concatenate([a, b])
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    labels = k_means(_principal(rows).astype(np.float32), clusters, rng)
    shares = (np.bincount(side, minlength=clusters) / len(side) for side in (labels[: len(a)], labels[len(a) :]))
    return frontier_area(*shares)


def _principal(rows: Floats) -> Floats:
    """Rows on as many principal components as have `KEPT` of the variance, (row, component)."""
    centred = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    share = np.cumsum(values[::-1]) / max(values.sum(), np.finfo(np.float64).tiny)
    kept: Floats = centred @ vectors[:, ::-1][:, : int(np.searchsorted(share, KEPT)) + 1]
    return kept


def k_means(rows: Singles, clusters: int, rng: np.random.Generator) -> Labels:
    """Cluster of each row, (row,): Lloyd's rounds from k-means++ until nothing moves; an emptied cluster stays so.

    Source: Lloyd 1982; Arthur & Vassilvitskii 2007.
    """
    centres = _spread_out(rows, clusters, rng)
    labels = _nearest(rows, centres)
    for _ in range(ROUNDS):
        order = np.argsort(labels, kind="stable")
        held, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
        centres[held] = np.add.reduceat(rows[order], starts) / sizes[:, None]
        before, labels = labels, _nearest(rows, centres)
        if np.array_equal(before, labels):
            break
    return labels


def _spread_out(rows: Singles, clusters: int, rng: np.random.Generator) -> Singles:
    """Rows to start from, each drawn by its squared distance to those before it; fewer where the rows coincide."""
    squares = np.sum(rows**2, axis=1)
    chosen = [int(rng.integers(len(rows)))]
    apart = np.full(len(rows), np.inf, np.float32)
    while len(chosen) < clusters:
        last = chosen[-1]
        apart = np.minimum(apart, squares + squares[last] - 2 * rows @ rows[last])
        apart[apart < TOGETHER] = 0
        if not apart.any():
            break
        reached = np.cumsum(apart, dtype=np.float64)
        place = np.searchsorted(reached, rng.random() * reached[-1], side="right")
        chosen.append(min(int(place), len(rows) - 1))
    return rows[chosen]


def _nearest(rows: Singles, centres: Singles) -> Labels:
    """The nearest centre of each row, (row,)."""
    nearest: Labels = np.argmax(rows @ centres.T - np.sum(centres**2, axis=1) / 2, axis=1)
    return nearest


# --- of texts -------------------------------------------------------------------------------------------------------


class Embedded(NamedTuple):
    """The lines of all sides as vectors, (line, dimension), equally many."""

    samples: Floats
    rows: Floats
    """Of the floor."""
    real: Floats
    """What both are measured against."""
    sources: npt.NDArray[np.integer] | None
    """The line that each row of the real text was cut from, (row,); None where each row is a line."""


def frechet(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Fréchet distance of the samples' vectors to the reference's, named after the encoder: frechet_lsa.

    As many lines of every side are measured, 10,000 at most, chosen by chance: the distance falls with their number,
    so it is read beside its floor, that of the floor's rows. Both are against what the floor is measured against, the
    reference or, without training text, one half of it; an encoder that learns does so from that, and the floor's rows
    are as new to it as the samples. The interval is of the number at that count, not of its limit.
    """
    sides = _sides(texts, view, rng)
    found, floor = None, None
    if sides:
        found = frechet_distance(sides.samples, sides.real)
        floor = frechet_distance(sides.rows, sides.real).value
    low, high = (None, None) if found is None or sides is None else _interval(found, sides.sources, rng)
    value, counts = found and found.value, _counts(sides)
    return [Metric(f"frechet_{label(view.encoder)}", "", value, floor, "lower", counts, low, high)]


def mauve(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Overlap of the samples' vectors with the reference's after MAUVE, named after the encoder: mauve_lsa.

    Not comparable with published MAUVE, which is of the features of GPT-2 large, nor with another encoder's: hence the
    name. As many lines of every side are measured, 10,000 at most, chosen by chance, in a tenth as many clusters, 500
    at most; it depends on their number, so it is read beside its floor, that of the floor's rows. No interval: the
    clusters themselves are of these lines.
    """
    sides = _sides(texts, view, rng)
    value, floor, counts = None, None, _counts(sides)
    if sides:
        clusters = max(2, min(len(sides.samples) // 10, CLUSTERS))
        starts = rng.spawn(2)
        value = overlap(sides.samples, sides.real, clusters, starts[0])
        floor = overlap(sides.rows, sides.real, clusters, starts[1])
        counts["clusters"] = clusters
    return [Metric(f"mauve_{label(view.encoder)}", "", value, floor, "higher", counts)]


def _sides(texts: Texts, view: View, rng: np.random.Generator) -> Embedded | None:
    """The vectors of all sides, made once; by a generator of their own, so that who asks first changes no number."""
    [own] = rng.spawn(1)
    return texts.once(("embedded", view.encoder), lambda: _embedded(texts, view.encoder, own))


def _embedded(texts: Texts, name: str, rng: np.random.Generator) -> Embedded | None:
    """Encode equally many lines of all sides, `MOST` at most, chosen by chance; None with less than 2."""
    rows, real = texts.floor
    count = min(MOST, *map(len, (texts.samples, rows, real)))
    if count < 2:
        return None
    encode = encoder(name, real, rng)

    def chosen(lines: Sequence[str]) -> tuple[Labels, Floats]:
        at = rng.permutation(len(lines))[:count]
        return at, encode([lines[place] for place in at.tolist()])

    (at, held_out), (_, samples), (_, floor) = map(chosen, (real, texts.samples, rows))
    sources = texts.sources if real is texts.reference else None  # halves of the reference are not known by source
    return Embedded(samples, floor, held_out, None if sources is None else sources[at])


def _interval(found: Frechet, sources: npt.NDArray[np.integer] | None, rng: np.random.Generator) -> Bounds:
    """Both sides' lines are drawn again; rows cut from one line of the reference together."""
    samples, reference = found.spread
    low, high = interval(found.value, samples, by_source(reference, sources), rng=rng)
    return None if low is None else max(low, 0.0), high


def _counts(sides: Embedded | None) -> dict[str, int]:
    lines = len(sides.samples) if sides else 0
    return {"samples": lines, "reference": lines}
