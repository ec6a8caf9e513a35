"""Jensen-Shannon divergence between the n-grams of two texts, in bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import Counts, NGrams, locate


def jensen_shannon(p: Counts, q: Counts) -> float | None:
    """1/2 KL(P|M) + 1/2 KL(Q|M) in bits, M = 1/2 (P + Q), of the frequencies of p and q; no smoothing.

    An n-gram of one side alone pays half its frequency, whatever it is, so only the shared ones need a logarithm.

    Returns:
        0 (equal) to 1 (nothing shared); 1 if one side has no n-grams at all, None if neither has.

    Source: Lin 1991, eq. 3.1 and 4.1; for n-grams of text, Gulrajani et al. 2017, section 5.
    """
    if len(p.keys) == len(q.keys) == 0:
        return None
    place, shared = locate(q.keys, p.keys)
    if not shared.any():
        return 1.0
    a = p.counts[shared] / p.counts.sum()
    b = q.counts[place[shared]] / q.counts.sum()
    paid = 1 + 0.5 * float(np.sum(a * np.log2(a / (a + b)) + b * np.log2(b / (a + b))))
    return min(max(paid, 0.0), 1.0)


def distances(lines: Sequence[str], reference: NGrams, orders: Iterable[int]) -> dict[int, float | None]:
    """JSD of the n-grams of whole lines to the reference's, by n; None where the reference has none so long."""
    text = reference.encode(lines)
    return {
        n: jensen_shannon(reference.count(text, n), counts) if len((counts := reference.counts(n)).keys) else None
        for n in orders
    }


def jsd(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Jensen-Shannon divergence of character n-grams, in bits, for each order of the view."""
    ngrams = NGrams(view.padded(texts.reference))
    rows, against = texts.floor
    real = ngrams if against is texts.reference else NGrams(view.padded(against))
    values = distances(view.padded(texts.samples), ngrams, view.orders)
    floors = distances(view.padded(rows), real, view.orders)
    return [Metric("jsd", str(n), values[n], floors[n], "lower", texts.counts) for n in view.orders]
