"""Languages of which every probability is known: synthetic corpora, and judges of what was learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from textgan.errors import UsageError, near_miss
from textgan.oracles import grammar, lstm
from textgan.resources import folder

GRAMMAR = "grammar:"


class Oracle(Protocol):
    """A language that draws lines, and knows how probable each line is."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def identity(self) -> str:
        """All that decides its probabilities, as text."""

    def draw(self, count: int, *, longest: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` lines, leaving out those of more than `longest` characters where lengths differ."""

    def log_probs(self, lines: Sequence[str]) -> npt.NDArray[np.floating[Any]]:
        """Log-probability of each line, (line,), in nats; -inf for a line that it never draws."""


def oracle_of(corpus: str) -> Oracle | None:
    """Return the oracle of a corpus `grammar:NAME`, `grammar:PATH` or `oracle:NAME`; None for any other corpus.

    Raises:
        UsageError: there is no oracle of that name.
        TextganError: the file of the grammar cannot be read, or is no sound grammar.
    """
    prefix, colon, name = corpus.partition(":")
    return KINDS[prefix](name) if colon and prefix in KINDS else None


def names(prefix: str) -> list[str]:
    """Return the oracles that come with textgan, by prefix: "grammar" or "oracle"."""
    return sorted({"grammar": list(_files()), "oracle": list(lstm.SIZES)}[prefix])


def settled(corpus: str) -> str:
    """Return the name of the same oracle in any folder: the path of a grammar is made absolute."""
    name = corpus.removeprefix(GRAMMAR)
    own = corpus.startswith(GRAMMAR) and name and name not in _files()
    return f"{GRAMMAR}{Path(name).expanduser().absolute()}" if own else corpus


def _files() -> dict[str, Path]:
    return {path.stem: path for path in (folder("data") / "grammars").glob("*.cfg")}


def _grammar(name: str) -> Oracle:
    built_in = _files()
    path = built_in.get(name) or Path(name).expanduser()
    if not name or not (name in built_in or path.exists()):
        raise UsageError(f"there is no grammar {name!r}, and no such file{near_miss(name, built_in)}")
    return grammar.Grammar.read(path)


@lru_cache(maxsize=1)
def _random_lstm(name: str) -> Oracle:
    if name not in lstm.SIZES:
        raise UsageError(f"there is no oracle {name!r}{near_miss(name, lstm.SIZES)}")
    return lstm.RandomLstm(name, lstm.SIZES[name])


KINDS: dict[str, Callable[[str], Oracle]] = {"grammar": _grammar, "oracle": _random_lstm}
"""Makers of oracles, by the prefix of their corpora."""
