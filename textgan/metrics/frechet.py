"""The Fréchet distance of two sets of vectors, whatever they are features of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SHARP = 1e-6  # directions whose spread is below so much of the largest have none

Floats = npt.NDArray[np.float64]


class Frechet(NamedTuple):
    """A distance of two sets of vectors."""

    value: float
    """Squared, in squared units of the vectors, 0 or more."""
    spread: tuple[Floats, Floats]
    """What each vector of the first set, and of the second, contributes, (vector,) each; for the interval."""


def frechet_distance(a: Floats, b: Floats) -> Frechet:
    """Squared Fréchet distance of the normal distributions that have the means and covariances of two sets of vectors.

    |μ₁ - μ₂|² + tr(S₁ + S₂ - 2 (S₁ S₂)^½). The last trace is the sum of the singular values of S₁^½ S₂^½, with the
    symmetric roots: no root of a matrix that rounding has made unsymmetric or negative. The contributions are to first
    order, x in S₁ moving the distance by (I - T) x x', T the best linear map from the first distribution to the second.

    Args:
        a: vectors, (vector, dimension), at least two.
        b: the same.

    Source: Dowson & Landau 1982; Heusel et al. 2017, eq. 6; of sentence embeddings, Semeniuta et al. 2018, section 4.
    The slope of the trace: Bhatia, Jain & Lim 2019, section 3.
    """
    apart = a.mean(0) - b.mean(0)
    (root_a, sharp_a), (root_b, sharp_b) = _roots(a), _roots(b)
    left, shared, right = np.linalg.svd(root_a @ root_b)
    spread_a, spread_b = np.sum(root_a**2), np.sum(root_b**2)  # the traces of the covariances
    value = float(apart @ apart + spread_a + spread_b - 2 * shared.sum())
    gain_a = _gain(a - a.mean(0), sharp_a @ left, shared, apart)
    gain_b = _gain(b - b.mean(0), sharp_b @ right.T, shared, -apart)
    return Frechet(max(value, 0.0), (gain_a, gain_b))


def _roots(rows: Floats) -> tuple[Floats, Floats]:
    """The symmetric root of the covariance of vectors, and its pseudo-inverse, (dimension, dimension) each."""
    centred = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(rows) - 1))
    lengths = np.sqrt(np.maximum(values, 0))
    held = lengths > SHARP * lengths.max()
    inverse = np.divide(1.0, lengths, where=held, out=np.zeros(len(lengths)))
    return (vectors * lengths) @ vectors.T, (vectors * inverse) @ vectors.T


def _gain(centred: Floats, whitened: Floats, shared: Floats, apart: Floats) -> Floats:
    """2 (μ₁ - μ₂)'x + x'(I - T) x of centred vectors x, (vector,); T is `whitened` · `shared` · `whitened`'."""
    gain: Floats = 2 * centred @ apart + np.sum(centred**2, axis=1) - (centred @ whitened) ** 2 @ shared
    return gain
