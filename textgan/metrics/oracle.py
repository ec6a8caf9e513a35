"""Lines under the oracle that drew the real text: how many it could have drawn, and how probable they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textgan.metrics.interval import interval
from textgan.metrics.lines import View
from textgan.metrics.metric import Metric, Texts
from textgan.oracles import Oracle

MOST = 20_000  # lines of one side that the oracle reads
Array = npt.NDArray[np.floating[Any]]


def evenly(lines: Sequence[str], most: int = MOST) -> list[str]:
    """The lines themselves or, of more, `most` of them at even distances."""
    if len(lines) <= most:
        return list(lines)
    return [lines[place] for place in np.linspace(0, len(lines) - 1, most).astype(int).tolist()]


def possible(log_probs: Array) -> Array:
    """1 for each line that the oracle may draw, else 0, (line,)."""
    return np.isfinite(log_probs).astype(np.float64)


def mean(values: Array) -> float | None:
    """The mean of finite values; None of none, and where one is infinite."""
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None


def parses(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Share of the samples that the oracle may draw: for a grammar those that it derives, 0..1, beside real rows'.

    A row is taken as it is: one that was cut is seldom a whole line of the grammar, and counts as none. Text drawn for
    a run is never cut, so that its floor is 1; other real rows, cut, show in the floor what the cut costs.
    """
    return _measured("parses", texts, view.oracle, possible, "higher", rng)


def oracle_nll(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """Mean negative log-likelihood of the samples under the oracle, in nats a line, beside real rows'.

    Infinite if the oracle cannot draw one of them; the count "impossible" says how many it cannot draw. Probabilities
    are those of the oracle itself; where its longer lines were left out of the text, samples and floor are both
    greater by the same constant. Of a collapsed generator it is under the floor, so that near it is best.

    Source: Yu et al. 2017, "SeqGAN", eq. 10; the paper gives nats a word.
    """
    return _measured("oracle_nll", texts, view.oracle, np.negative, "near the floor", rng)


def _measured(
    name: str,
    texts: Texts,
    oracle: Oracle | None,
    values: Any,
    better: Literal["lower", "higher", "near the floor"],
    rng: np.random.Generator,
) -> list[Metric]:
    """One number, the mean of the values of log-probabilities, of samples and of the floor's rows."""
    if oracle is None:
        return []
    log_probs = oracle.log_probs(evenly(texts.samples))
    real = oracle.log_probs(evenly(texts.floor.rows))
    value, floor = mean(values(log_probs)), mean(values(real))
    low, high = (None, None) if value is None else interval(value, values(log_probs), rng=rng)
    impossible = int(np.isneginf(log_probs).sum())
    counts = {"samples": len(log_probs), "reference": len(real), "impossible": impossible}
    infinite = name == "oracle_nll" and impossible > 0
    return [Metric(name, "", value, floor, better, counts, low, high, infinite)]
