"""A probabilistic context-free grammar: lines drawn from it, and the exact probability of any line."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError
from textgan.oracles import notation, soundness
from textgan.oracles.notation import Production, Rules

LONGEST = 512  # characters of a line that is drawn, or derived
MOST_KNOWN = 100_000  # lines of which the log-probability is kept
ENOUGH, TRIED = 0.01, 1_000  # share of the drawn lines that must be short enough, after so many
BLOCK = 4_096  # uniform numbers drawn at once
START = 0

Ends = dict[int, float]
"""Where a derivation may end, with the log-probability of what lies before. [nats]"""
Place = tuple[int, int]
"""A symbol, and where in the line it begins."""


class Choice(NamedTuple):
    """One alternative of a symbol, compiled."""

    steps: tuple[tuple[str, int], ...]
    tail: str
    log_prob: float


Starting = tuple[dict[str, list[Choice]], list[Choice]]
"""The alternatives of a symbol that may begin with a character, and those that may be empty, for any other."""


class Grammar:
    """A sound grammar of a file; symbols are numbers here, and the start is 0."""

    def __init__(self, name: str, rules: Rules, path: Path) -> None:
        """Check the rules and compile them.

        Raises:
            TextganError: a symbol has no rule or is never reached, derives itself at its left edge, or may not end.
        """
        soundness.check_names(rules, path)
        self.name = name
        self.identity = repr(rules)
        """Names, texts and weights of all rules."""
        empty = soundness.nullable(rules)
        order = soundness.left_first(rules, empty, path)
        bits = {symbol: _bits(soundness.shares(productions)) for symbol, productions in rules.items()}
        self.entropy = soundness.expected(rules, bits, path)[next(iter(rules))]
        """Of a derivation; of a line where each has but one derivation. [nats]"""
        self._choices = _compiled(rules)
        self._sums = [list(accumulate(math.exp(choice.log_prob) for choice in choices)) for choices in self._choices]
        self._starting = _starting(rules, empty, order)
        self._known: dict[str, float] = {}

    @classmethod
    def read(cls, path: Path) -> Grammar:
        """Read a grammar from its file.

        Raises:
            TextganError: the file cannot be read, or is no sound grammar.
        """
        return cls(path.stem, notation.read(path), path)

    # --- drawing ------------------------------------------------------------------------------------------------------

    def draw(self, count: int, *, longest: int = LONGEST, rng: np.random.Generator) -> list[str]:
        """Draw `count` lines; one of more than `longest` characters is left out and drawn anew.

        Raises:
            TextganError: next to none is short enough.
        """
        uniform = _uniform(rng)
        lines: list[str] = []
        tried = 0
        while len(lines) < count:
            line = self._draw(uniform, min(longest, LONGEST))
            tried += 1
            if line is not None:
                lines.append(line)
            elif tried >= TRIED and len(lines) < ENOUGH * tried:
                raise TextganError(
                    f"the grammar {self.name} has next to no lines of at most {min(longest, LONGEST)} characters; "
                    "give it shorter ones, or raise text.length"
                )
        return lines

    def _draw(self, uniform: Iterator[float], longest: int) -> str | None:
        """Expand the leftmost symbol until none is left, or the text is too long."""
        texts, size = [], 0
        todo: list[tuple[str, int | None]] = [("", START)]
        while todo and size <= longest:
            text, symbol = todo.pop()
            texts.append(text)
            size += len(text)
            if symbol is not None:
                sums = self._sums[symbol]
                steps, tail, _ = self._choices[symbol][min(bisect(sums, next(uniform)), len(sums) - 1)]
                todo.append((tail, None))
                todo.extend(reversed(steps))
        return "".join(texts) if size <= longest else None

    # --- deriving -----------------------------------------------------------------------------------------------------

    def parses(self, line: str) -> bool:
        """Tell whether the grammar derives a line of at most `LONGEST` characters."""
        return self.log_prob(line) > -math.inf

    def log_probs(self, lines: Sequence[str]) -> npt.NDArray[np.floating[Any]]:
        """`log_prob` of each line, (line,)."""
        return np.array([self.log_prob(line) for line in lines], dtype=np.float64)

    def log_prob(self, line: str) -> float:
        """Log-probability that the grammar draws this line, by any derivation, in nats; -inf if it never does.

        A line of more than `LONGEST` characters counts as one that is never drawn.
        """
        if line not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[line] = self._inside(line) if len(line) <= LONGEST else -math.inf
        return self._known[line]

    def _inside(self, line: str) -> float:
        """Find where each symbol may end, from wherever it is called for: the inside probabilities (Baker 1979).

        Each place is worked out once, when it is first needed; a stack of our own keeps deep nesting from Python's.
        """
        table: dict[Place, Ends] = {}
        working = [self._ends(line, (START, 0), table)]
        while working:
            needed = next(working[-1], None)
            if needed is None:
                working.pop()
            else:
                working.append(self._ends(line, needed, table))
        return table[START, 0].get(len(line), -math.inf)

    def _ends(self, line: str, place: Place, table: dict[Place, Ends]) -> Iterator[Place]:
        """Write the ends of a place into the table; yields each place whose ends must be there first."""
        symbol, start = place
        found: Ends = {}
        starting, otherwise = self._starting[symbol]
        for steps, tail, log_prob in starting.get(line[start : start + 1], otherwise):
            reached: Ends = {start: log_prob}
            for text, child in steps:
                following: Ends = {}
                for at, before in reached.items():
                    if line.startswith(text, at):
                        inner = child, at + len(text)
                        if inner not in table:
                            yield inner
                        for end, inside in table[inner].items():
                            _add(following, end, before + inside)
                reached = following
            for at, before in reached.items():
                if line.startswith(tail, at):
                    _add(found, at + len(tail), before)
        table[place] = found


def _add(ends: Ends, end: int, log_prob: float) -> None:
    """Add a probability to what is there."""
    if end in ends:
        less, more = sorted((ends[end], log_prob))
        log_prob = more + math.log1p(math.exp(less - more))
    ends[end] = log_prob


def _uniform(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(BLOCK).tolist()


def _bits(shares: npt.NDArray[np.floating[Any]]) -> float:
    """Entropy of a choice, in nats."""
    return float(-(shares * np.log(shares)).sum())


def _compiled(rules: Rules) -> list[list[Choice]]:
    """Return the choices of each symbol, in the order of the file."""
    number = {symbol: i for i, symbol in enumerate(rules)}
    return [
        [
            Choice(tuple((text, number[symbol]) for text, symbol in p.steps), p.tail, math.log(share))
            for share, p in zip(soundness.shares(productions).tolist(), productions, strict=True)
        ]
        for productions in rules.values()
    ]


def _starting(rules: Rules, empty: set[str], order: list[str]) -> list[Starting]:
    """Return how each symbol may begin, so that a parse only tries what the next character allows.

    Args:
        rules: of the grammar.
        empty: the symbols that derive the empty text.
        order: of the symbols, each after those at its left edge.
    """
    firsts: dict[str, set[str]] = {}
    starting: dict[str, Starting] = {}
    compiled = dict(zip(rules, _compiled(rules), strict=True))
    for symbol in order:
        by_first: dict[str, list[Choice]] = {}
        pairs = list(zip(rules[symbol], compiled[symbol], strict=True))
        every = [(_firsts(p, firsts, empty), soundness.is_empty(p, empty), choice) for p, choice in pairs]
        firsts[symbol] = set().union(*(first for first, _, _ in every))
        for first in firsts[symbol]:
            by_first[first] = [choice for may, is_empty, choice in every if first in may or is_empty]
        starting[symbol] = by_first, [choice for _, is_empty, choice in every if is_empty]
    return [starting[symbol] for symbol in rules]


def _firsts(production: Production, firsts: dict[str, set[str]], empty: set[str]) -> set[str]:
    """Return the characters that an alternative may begin with."""
    found: set[str] = set()
    for text, symbol in production.steps:
        if text:
            return found | {text[0]}
        found |= firsts[symbol]
        if symbol not in empty:
            return found
    return found | set(production.tail[:1])
