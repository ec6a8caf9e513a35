"""The kernel distance of two sets of vectors: squared maximum mean discrepancy under a cubic kernel, without bias."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textgan.metrics.blocks import blocks

SIZE, SUBSETS, SEED = 1_000, 100, 2020  # rows of a subset, how many, and what chooses them: those of torch-fidelity

Floats = npt.NDArray[np.float64]


def kernel_distance(a: Floats, b: Floats, *, size: int = SIZE, subsets: int = SUBSETS, seed: int = SEED) -> float:
    """Mean over subsets of the unbiased squared MMD under the kernel (x·y / dimension + 1)³.

    Around 0, and below it by chance, where both sets are of one distribution. Each pair of rows is taken through the
    kernel once, and its value counted in all subsets that hold the pair.

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
    held_a, held_b = np.zeros((subsets, len(a))), np.zeros((subsets, len(b)))
    for one, other in zip(held_a, held_b, strict=True):
        one[rng.choice(len(a), size, replace=False)] = 1
        other[rng.choice(len(b), size, replace=False)] = 1
    within = sum(_sums(x, x, held, held) - held @ _cubed(np.einsum("ij,ij->i", x, x), x.shape[1])
                 for x, held in ((a, held_a), (b, held_b)))  # fmt: skip
    between = _sums(a, b, held_a, held_b)
    return float(np.mean(within / (size * (size - 1)) - 2 * between / size**2))


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
