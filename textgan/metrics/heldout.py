"""How much of what the samples say is found in held-out text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from textgan.metrics.alphabets import Tokens
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import NGrams, locate
from textgan.metrics.words import words

ORDERS = (1, 2, 3, 4)


def found_shares(
    lines: Sequence[str], reference: Sequence[str], orders: Iterable[int] = ORDERS
) -> dict[int, float | None]:
    """Share of the lines' distinct word n-grams that occur in the reference, 0..1, by n; None without n-grams.

    Words are split on spaces, empties dropped, case kept; whole lines, also where they were cut within a word.

    Source: Press et al. 2017, section 4 ("%-IN-TEST-n"), as a share.
    """
    grams = NGrams(lines, partial(Tokens, words))
    held = grams.encode(reference)
    shares: dict[int, float | None] = {}
    for n in orders:
        own = grams.counts(n).keys
        _, found = locate(grams.count(held, n).keys, own)
        shares[n] = float(found.mean()) if len(own) else None
    return shares


def in_test(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples' distinct word n-grams, n = 1..4, found in the reference, beside that of the floor's rows.

    A share of distinct n-grams is no mean over lines and falls with their number, so it has no interval.
    """
    found, real = found_shares(texts.samples, texts.reference), found_shares(*texts.floor)
    return [Metric("in_test", str(n), found[n], real[n], "higher", texts.counts) for n in ORDERS]
