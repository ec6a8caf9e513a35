r"""How a grammar is written: a text file of rules.

# what stands after a # is a comment
S -> NP " " VP [0.7] | "no" [0.3]     # alternatives, each with a weight; the first symbol is the start
NP -> "a " N | "the " N [3]           # weights are shares of their sum; without one it is 1
N -> "cat"
   | "dog"                            # a line that begins with | goes on with the symbol before it
VP -> "says \"" N "\"" | ""           # \" and \\ inside quotes; "" is the empty text
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from textgan.errors import TextganError

LARGEST = 256 << 10  # bytes of a file
MOST_PRODUCTIONS = 5_000
LIGHTEST, HEAVIEST = 1e-9, 1e9  # weights
_TOKEN = re.compile(
    r"""[ \t]*(?:(?P<comment>\#.*) | (?P<arrow>->) | (?P<bar>\|) | (?P<symbol>[A-Za-z_]\w*)
    | "(?P<text>(?:[^"\\]|\\["\\])*)" | \[(?P<weight>[^\]\#]*)\])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)")
Token = tuple[str, str]


class Production(NamedTuple):
    """One alternative of a symbol: texts and symbols in turn."""

    steps: tuple[tuple[str, str], ...]
    """Each a text, perhaps empty, and the symbol after it."""
    tail: str
    """The text after the last symbol."""
    weight: float
    line: int
    """Where it is written."""


Rules = dict[str, list[Production]]
"""The alternatives of each symbol; the first symbol is the start."""


def read(path: Path) -> Rules:
    """Read the rules of a grammar.

    Raises:
        TextganError: the file cannot be read, is not UTF-8, or a line is no rule; the message says which.
    """
    rules: Rules = {}
    head = ""
    for number, line in enumerate(_text(path).split("\n"), 1):
        place = f"{path}:{number}"
        tokens = _tokens(line, place)
        if not tokens:
            continue
        head, tokens = _head(tokens, head, place)
        rules.setdefault(head, []).extend(_productions(tokens, number, place))
        if sum(map(len, rules.values())) > MOST_PRODUCTIONS:
            raise TextganError(f"{place}: more than {MOST_PRODUCTIONS:,} alternatives; give a smaller grammar")
    if not rules:
        raise TextganError(f'{path} holds no rules; write some, such as S -> "a" S | "b"')
    return rules


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise TextganError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise TextganError(f"{path} is larger than {LARGEST:,} bytes; give a smaller grammar")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TextganError(f"{path} is not UTF-8 text; give a grammar as a text file") from None


def _tokens(line: str, place: str) -> list[Token]:
    """Split a line, without its comment, into kinds and values."""
    found: list[Token] = []
    at, end = 0, len(line.rstrip())
    while at < end:
        match = _TOKEN.match(line, at)
        if match is None:
            rest = line[at:end].lstrip()
            raise TextganError(f'{place}: {rest[:20]!r} is no symbol, "text", [weight], | or ->')
        kind = str(match.lastgroup)
        if kind != "comment":
            found.append((kind, match[kind]))
        at = match.end()
    return found


def _head(tokens: list[Token], before: str, place: str) -> tuple[str, list[Token]]:
    """Return the symbol that a line is about, and what follows the arrow or the bar."""
    kinds = [kind for kind, _ in tokens[:2]]
    if kinds[0] == "bar" and before:
        return before, tokens[1:]
    if kinds != ["symbol", "arrow"]:
        raise TextganError(f"{place}: a rule begins with SYMBOL ->, and what goes on with one with |")
    return tokens[0][1], tokens[2:]


def _productions(tokens: list[Token], number: int, place: str) -> list[Production]:
    alternatives: list[list[Token]] = [[]]
    for token in tokens:
        if token[0] == "bar":
            alternatives.append([])
        else:
            alternatives[-1].append(token)
    return [_production(alternative, number, place) for alternative in alternatives]


def _production(tokens: list[Token], number: int, place: str) -> Production:
    weight = _weight(tokens.pop()[1], place) if tokens and tokens[-1][0] == "weight" else 1.0
    if not tokens:
        raise TextganError(f'{place}: an alternative is missing; write "" for the empty text')
    steps: list[tuple[str, str]] = []
    text = ""
    for kind, value in tokens:
        if kind == "text":
            text += _literal(value, place)
        elif kind == "symbol":
            steps.append((text, value))
            text = ""
        else:
            what = "a weight ends an alternative" if kind == "weight" else "-> stands once, after the first symbol"
            raise TextganError(f"{place}: {what}")
    return Production(tuple(steps), text, weight, number)


def _literal(value: str, place: str) -> str:
    text = _ESCAPED.sub(r"\1", value)
    if not text.isprintable():
        raise TextganError(f"{place}: {text[:20]!r} holds a character that does not print")
    return text


def _weight(text: str, place: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not LIGHTEST <= weight <= HEAVIEST:
        raise TextganError(f"{place}: [{text[:20]}] is no weight; give a number from {LIGHTEST:g} to {HEAVIEST:g}")
    return weight
