"""The kernel distance of two sets of vectors: squared maximum mean discrepancy under a cubic kernel, without bias."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textgan.metrics.blocks import blocks

SIZE, SUBSETS, SEED = 1_000, 100, 2020  # rows of a subset, how many, and what chooses them: those of torch-fidelity

Floats = npt.NDArray[np.float64]


def kernel_distance(a: Floats, b: Floats, *, size: int = SIZE, subsets: int = SUBSETS, seed: int = SEED) -> float:
    """Mean over subsets of the unbiased squared MMD under the kernel (x·y / dimension + 1)³.

    Around 0, and below it by chance, where both sets are of one distribution. Of few rows each pair is taken through
    the kernel once, and its value counted in all subsets that hold the pair; of many rows each subset by itself has
    fewer pairs.

    Args:
        a: vectors, (vector, dimension), at least two.
        b: the same; its number may differ.
        size: vectors of a subset of either set, drawn without replacement; at most those that there are.
        subsets: how many are drawn.
        seed: draws them, as torch-fidelity does.

    Source: Bińkowski et al. 2018, section 4; the estimate without bias, Gretton et al. 2012, eq. 3.
    """
    size = min(size, len(a), len(b))
    rng = np.random.RandomState(seed)  # not default_rng: the subsets are those of published figures
    chosen = [[rng.choice(len(rows), size, replace=False) for rows in (a, b)] for _ in range(subsets)]
    if subsets * size**2 <= len(a) * len(b):
        ones = np.ones((1, size))
        return float(np.mean([_discrepancies(a[of_a], b[of_b], ones, ones) for of_a, of_b in chosen]))
    held_a, held_b = np.zeros((subsets, len(a))), np.zeros((subsets, len(b)))
    for one, other, (of_a, of_b) in zip(held_a, held_b, chosen, strict=True):
        one[of_a], other[of_b] = 1, 1
    return float(np.mean(_discrepancies(a, b, held_a, held_b)))


def _discrepancies(a: Floats, b: Floats, held_a: Floats, held_b: Floats) -> Floats:
    """The unbiased squared MMD of each subset of either set, (subset,)."""
    size = held_a[0].sum()
    within = sum(_sums(x, x, held, held) - held @ _cubed(np.einsum("ij,ij->i", x, x), x.shape[1])
                 for x, held in ((a, held_a), (b, held_b)))  # fmt: skip
    between = _sums(a, b, held_a, held_b)
    apart: Floats = within / (size * (size - 1)) - 2 * between / size**2
    return apart


def _cubed(products: Floats, dimension: int) -> Floats:
    """The kernel of inner products, in their place."""
    products /= dimension
    products += 1
    products *= products * products
    return products


def _sums(a: Floats, b: Floats, held_a: Floats, held_b: Floats) -> Floats:
    """Sum of the kernel over all pairs of rows that each subset holds, (subset,)."""
    found = np.zeros(len(held_a))
    for rows in blocks(len(a), len(b)):
        found += np.einsum("sj,sj->s", held_a[:, rows] @ _cubed(a[rows] @ b.T, a.shape[1]), held_b)
    return found
