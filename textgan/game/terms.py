"""Generator terms by name. A new term is a function that builds it, a line here and a section of the configuration."""

from __future__ import annotations

from collections.abc import Callable

from textgan.contract import Term
from textgan.game.counts import count_critic
from textgan.game.likelihood import likelihood, window_likelihood
from textgan.game.matching import feature_matching

TERMS: dict[str, Callable[..., Term]] = {
    "count_critic": count_critic,
    "feature_matching": feature_matching,
    "likelihood": likelihood,
    "window_likelihood": window_likelihood,
}
