"""Text that is made up, from a seed: the same on every machine, and in no file."""

from __future__ import annotations

import string
from random import Random

LETTERS = string.ascii_lowercase
KNOWN = 20_000  # different words
MARKS = [""] * 300 + [","] * 30 + ["."] * 20 + [mark for mark in string.punctuation if mark != "`"]  # behind a word


def lines(count: int, *, seed: int, words: int = 12) -> list[str]:
    """Draw lines of random words, some capital, some numbers; as in real text a few words make up most of it.

    Args:
        count: of lines.
        seed: of all that is drawn; the words are the same for every seed.
        words: most words of a line.
    """
    random, known = Random(seed), _words()

    def word() -> str:
        drawn = known[int(len(known) ** random.random()) - 1]
        return (drawn.capitalize() if random.random() < 0.1 else drawn) + random.choice(MARKS)

    return [" ".join(word() for _ in range(random.randint(3, words))) for _ in range(count)]


def noise(count: int, length: int, *, symbols: int, seed: int) -> list[str]:
    """Draw lines of `length` characters out of `symbols` different ones, all as likely."""
    random, known = Random(seed), [chr(0x4E00 + k) for k in range(symbols)]
    return ["".join(random.choices(known, k=length)) for _ in range(count)]


def _words() -> list[str]:
    random = Random(0)
    weights = [1 / (1 + k) for k in range(len(LETTERS))]
    letters = [*LETTERS, *string.digits]
    weights += [0.02] * len(string.digits)
    return ["".join(random.choices(letters, weights, k=random.randint(2, 9))) for _ in range(KNOWN)]
