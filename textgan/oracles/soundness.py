"""What a grammar must be before lines are drawn from it: complete, free of left recursion, and sure to end.

Without left recursion a parse from left to right never waits for itself. A grammar ends with probability one, after
few steps on average, if the expected uses of its symbols solve a linear system (Booth & Thompson 1973).
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError, near_miss
from textgan.oracles.notation import Production, Rules

MOST_SYMBOLS = 500
MOST_USES = 2_000  # of rules in a line, on average
Array = npt.NDArray[np.floating[Any]]


def check_names(rules: Rules, path: Path) -> None:
    """Refuse symbols without a rule, and rules that the start never comes to.

    Raises:
        TextganError: the line names the symbol.
    """
    for productions in rules.values():
        for production in productions:
            for _, symbol in production.steps:
                if symbol not in rules:
                    hint = near_miss(symbol[:40], [known[:40] for known in rules][:20])
                    raise TextganError(f"{path}:{production.line}: {symbol[:40]!r} has no rule{hint}")
    if len(rules) > MOST_SYMBOLS:
        raise TextganError(f"{path} has more than {MOST_SYMBOLS} symbols; give a smaller grammar")
    lost = next((symbol for symbol in rules if symbol not in _reached(rules)), None)
    if lost is not None:
        raise TextganError(
            f"{path}:{rules[lost][0].line}: {lost[:40]!r} is never reached from {next(iter(rules))[:40]!r}"
        )


def _reached(rules: Rules) -> set[str]:
    todo = [next(iter(rules))]
    reached = set(todo)
    while todo:
        fresh = {symbol for production in rules[todo.pop()] for _, symbol in production.steps} - reached
        reached |= fresh
        todo.extend(fresh)
    return reached


def nullable(rules: Rules) -> set[str]:
    """Return the symbols that derive the empty text."""
    found: set[str] = set()
    size = -1
    while len(found) > size:
        size = len(found)
        found |= {symbol for symbol, productions in rules.items() if any(is_empty(p, found) for p in productions)}
    return found


def is_empty(production: Production, empty: set[str]) -> bool:
    """Tell whether an alternative derives the empty text, given the symbols that do."""
    return not production.tail and all(not text and symbol in empty for text, symbol in production.steps)


def left_first(rules: Rules, empty: set[str], path: Path) -> list[str]:
    """Return the symbols, each after all those that can stand at its left edge.

    Raises:
        TextganError: a symbol can stand at its own left edge.
    """
    corners = {symbol: {c for p in productions for c in _corners(p, empty)} for symbol, productions in rules.items()}
    try:
        return list(TopologicalSorter(corners).static_order())
    except CycleError as error:
        cycle = [symbol[:40] for symbol in reversed(error.args[1])]
        shown = " -> ".join(cycle if len(cycle) <= 6 else [*cycle[:3], "...", cycle[-1]])
        line = rules[error.args[1][-1]][0].line
        raise TextganError(f"{path}:{line}: left recursion, {shown}; let a text come first") from None


def _corners(production: Production, empty: set[str]) -> list[str]:
    """Return the symbols before which an alternative may have no text."""
    found = []
    for text, symbol in production.steps:
        if text:
            break
        found.append(symbol)
        if symbol not in empty:
            break
    return found


def shares(productions: list[Production]) -> Array:
    """Probability of each alternative of a symbol, (alternative,)."""
    weights = np.array([production.weight for production in productions])
    found: Array = weights / weights.sum()
    return found


def expected(rules: Rules, gains: dict[str, float], path: Path) -> dict[str, float]:
    """Expected sum of what each use of a symbol gains, over a whole derivation from each symbol.

    Args:
        rules: of the grammar.
        gains: of one use of each symbol; 1 each gives the expected number of uses.
        path: of its file.

    Raises:
        TextganError: derivations may not end, or are far too long.

    Source: Booth & Thompson 1973; x = gain + M x, where M holds the expected uses of each symbol by each.
    """
    place = {symbol: i for i, symbol in enumerate(rules)}
    system = np.eye(len(rules))
    for symbol, productions in rules.items():
        for share, production in zip(shares(productions), productions, strict=True):
            for _, child in production.steps:
                system[place[symbol], place[child]] -= share
    try:
        solved = np.linalg.solve(system, np.array([np.ones(len(rules)), [gains[symbol] for symbol in rules]]).T)
    except np.linalg.LinAlgError:
        solved = np.full((len(rules), 2), np.inf)
    # a solution of all uses >= 1 is there just if the largest eigenvalue of M is under 1 (Collatz & Wielandt)
    if not ((solved[:, 0] > 0.5) & (solved[:, 0] <= MOST_USES)).all():
        start = next(iter(rules))
        raise TextganError(
            f"{path}:{rules[start][0].line}: its lines may never end, or take over {MOST_USES:,} rules on average; "
            "give more weight to alternatives that end"
        )
    return dict(zip(rules, solved[:, 1].tolist(), strict=True))
