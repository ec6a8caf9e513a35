"""Two sets of vectors compared by who is near whom: precision, recall, density, coverage; the nearest of many rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.blocks import blocks

MANIFOLD, DENSE = 3, 5  # the neighbour whose distance is a ball's radius: of precision and recall; of density, coverage

Floats = npt.NDArray[np.float64]


def squared_distances(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Squared distance of each row of one set from each of another, (row of a, row of b), in the type of `a`."""
    apart = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2 * (a @ b.T)
    nowhere_negative: npt.NDArray[Any] = np.maximum(apart, 0, out=apart)
    return nowhere_negative


def radii(rows: Floats) -> dict[int, Floats]:
    """Squared distance of each row from its k-th nearest other row, (row,), for k of 3 and 5.

    Of too few rows the farthest there is stands in.
    """
    found = {k: np.empty(len(rows)) for k in (MANIFOLD, DENSE)}
    for part in blocks(len(rows), len(rows)):
        apart = squared_distances(rows[part], rows)
        apart[np.arange(len(apart)), np.arange(len(rows))[part]] = -1  # itself comes first, whatever coincides with it
        ordered = np.sort(np.partition(apart, min(DENSE, len(rows) - 1), axis=1)[:, : DENSE + 1], axis=1)
        for k, radius in found.items():
            radius[part] = np.maximum(ordered[:, min(k, len(rows) - 1)], 0)
    return found


class Shares(NamedTuple):
    """What each row contributes to a number that is their mean."""

    precision: Floats
    """Of each sample: whether it lies in a ball of real rows."""
    recall: Floats
    """Of each real row: whether it lies in a ball of samples."""
    density: Floats
    """Of each sample: in how many balls of real rows it lies, over 5."""
    coverage: Floats
    """Of each real row: whether its ball holds a sample."""


def shares(samples: Floats, real: Floats, of_samples: dict[int, Floats], of_real: dict[int, Floats]) -> Shares:
    """Compare samples with real rows by balls around the rows of either side.

    A ball reaches to the row's third nearest neighbour on its own side for precision and recall, to the fifth for
    density and coverage, and holds its border. All but density lie within 0..1; all depend on the counts.

    Args:
        samples: (row, dimension), at least two.
        real: the same; its number may differ.
        of_samples: `radii(samples)`.
        of_real: `radii(real)`.

    Source: Kynkäänniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020, eq. 4 and 5.
    """
    precision, density = np.zeros(len(samples)), np.zeros(len(samples))
    recall, coverage = np.zeros(len(real)), np.zeros(len(real))
    for part in blocks(len(real), len(samples)):
        apart = squared_distances(real[part], samples)
        precision = np.maximum(precision, (apart <= of_real[MANIFOLD][part, None]).any(0))
        dense = apart <= of_real[DENSE][part, None]
        density += dense.sum(0) / DENSE
        recall[part], coverage[part] = (apart <= of_samples[MANIFOLD]).any(1), dense.any(1)
    return Shares(precision, recall, density, coverage)


class Nearest(NamedTuple):
    """The nearest row of many, for each row."""

    place: npt.NDArray[np.int64]
    distance: Floats


def nearest(rows: npt.NDArray[Any], among: npt.NDArray[Any]) -> Nearest:
    """Find for each row the nearest among others: its place and Euclidean distance, (row,) each.

    Args:
        rows: (row, ...), features or pixels.
        among: (row, ...), shaped alike; may be memory-mapped, and is read in blocks.
    """
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    best, index = np.full(len(flat), np.inf, np.float32), np.zeros(len(flat), np.int64)
    for part in blocks(len(among), max(len(flat), flat.shape[1])):
        apart = squared_distances(flat, among[part].reshape(-1, flat.shape[1]).astype(np.float32))
        at = apart.argmin(1)
        closer = apart[np.arange(len(flat)), at]
        better = closer < best
        best[better], index[better] = closer[better], at[better] + part.start
    return Nearest(index, _exactly(flat, among, index))


def _exactly(flat: npt.NDArray[np.float32], among: npt.NDArray[Any], index: npt.NDArray[np.int64]) -> Floats:
    """The distance again, of the difference itself: 0 of a copy."""
    order = np.unique(index, return_inverse=True)
    found = among[order[0]].reshape(-1, flat.shape[1])[order[1]]
    apart: Floats = np.linalg.norm(flat.astype(np.float64) - found, axis=1)
    return apart
