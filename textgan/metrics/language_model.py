"""An interpolated n-gram model of characters, and what it makes of samples: forward and reverse likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from textgan.metrics.alphabets import Characters, Read, blocks
from textgan.metrics.interval import by_source, interval, of_ratio
from textgan.metrics.lines import View, pick
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.ngrams import Codes, NGrams, locate
from textgan.metrics.parts import LONGEST, bounded, some

ORDER = 6
SCORED = 100_000  # lines of one text that are scored
END = "\n"  # stands before and after a line; no line holds it

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Events(NamedTuple):
    """What followed the contexts of one length, n - 1."""

    keys: Codes
    """Codes of the n-grams, ascending, (n-gram,)."""
    counts: Ints
    """Occurrences of each, (n-gram,)."""
    contexts: Codes
    """Codes of the contexts, ascending, (context,)."""
    totals: Ints
    """Characters that followed each, (context,)."""
    kinds: Ints
    """Distinct ones among them, (context,)."""


class CharacterModel:
    """P(character | up to order - 1 before it in the line), each order mixed with the shorter one by Witten and Bell.

    With c(hx) the times that x followed h, c(h) their sum over x, T(h) the number of x with c(hx) > 0 and h' the
    context h less its first character: P(x | h) = (c(hx) + T(h) P(x | h')) / (c(h) + T(h)), and P(x | h') where h was
    never followed. Below the empty context all are as likely: each character learnt, the end of the line, and one
    outcome for all other characters. Marks stand before a line. A line of exactly `length` characters was cut, has no
    end, and none is learnt or scored.

    Source: Witten & Bell 1991, method C; interpolated as in Chen & Goodman 1998, section 2.4.
    """

    def __init__(self, lines: Sequence[str], order: int = ORDER, length: int | None = None) -> None:
        self.order, self.length = order, length
        text = self._ended(lines)
        marked = [END, *(END * (order - 1) + line for line in text)]
        self._characters = Characters(blocks(marked))
        self._ngrams = NGrams(marked, lambda _: self._characters)
        self._events = [self._learn(n, [END * (n - 1) + line for line in text]) for n in range(1, order + 1)]

    @property
    def symbols(self) -> list[str]:
        """The characters learnt; the end of a line is a line feed."""
        return self._characters.symbols

    def bits(self, lines: Sequence[str]) -> Iterator[tuple[Floats, Ints]]:
        """-log2 P of each character, ends among them, (character,), and where lines end, (line,), for blocks of lines.

        The empty line has its end alone.
        """
        for block in self._ngrams.encode([END * (self.order - 1) + line for line in self._ended(lines)]):
            yield self._bits(block), block.ends - (self.order - 1) * np.arange(1, len(block.ends) + 1)

    def scores(self, lines: Sequence[str]) -> tuple[Floats, Ints]:
        """Bits of each line, and its characters, its end among them where it has one, both (line,)."""
        bits, characters = [np.zeros(0)], [np.zeros(0, np.int64)]
        for each, ends in self.bits(lines):
            bits.append(np.diff(np.concatenate([[0.0], np.cumsum(each)])[ends], prepend=0.0))
            characters.append(np.diff(ends, prepend=0))
        return np.concatenate(bits), np.concatenate(characters)

    def _ended(self, lines: Sequence[str]) -> list[str]:
        return [line if len(line) == self.length else line + END for line in lines]

    def _learn(self, n: int, text: Sequence[str]) -> Events:
        keys, counts = self._ngrams.count(self._ngrams.encode(text), n)
        contexts, starts, kinds = np.unique(self._context(keys), return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, starts) if len(starts) else np.zeros(0, np.int64)
        return Events(keys, counts, contexts, totals, kinds)

    def _context(self, codes: Codes) -> Codes:
        return codes.astype(np.uint64) // np.uint64(self._ngrams.base)

    def _bits(self, block: Read) -> Floats:
        marks = self.order - 1
        lengths = np.diff(block.ends, prepend=0)
        place = np.arange(len(block.ids)) - np.repeat(block.ends - lengths, lengths)
        scored = np.flatnonzero(place >= marks)
        p = np.full(len(scored), 1 / self._ngrams.base)
        known = np.arange(len(scored))  # those whose context was met; a longer one can only then have been, too
        for n, events in enumerate(self._events, 1):
            codes = self._ngrams.codes(block.ids, n)[scored[known] - n + 1]
            context, met = locate(events.contexts, self._context(codes))
            known, context, codes = known[met], context[met], codes[met]
            key, seen = locate(events.keys, codes)
            count = np.where(seen, events.counts[np.minimum(key, len(events.counts) - 1)], 0) if len(key) else 0
            kinds = events.kinds[context]
            p[known] = (count + kinds * p[known]) / (events.totals[context] + kinds)
        bits: Floats = -np.log2(p)
        return bits


def lm_nll(texts: Texts, *, view: View, rng: np.random.Generator) -> list[Metric]:
    """How surprising the samples are to a model of real text, and real text to a model of the samples, in bits.

    All are means per character; the end of a line counts as one, unless the line was cut. Pads are no characters here.

    - "forward": a model of the training text scores the samples. Less than real text's means safe, repetitive text;
      more, errors. The floor is the score of as many held-out lines: those of training text the model has learnt.
      Without training text the model is of the reference, and the floor of one half of it, which scores the other.
    - "reverse": a model of the samples scores the reference, and pays for all that the samples lack. It falls with the
      number of samples, so the floor is a model of as many real rows. The interval takes the samples as they are.

    At most 500,000 lines are learnt and 100,000 scored, 4,096 characters of each (`bounded`).
    """
    length = min(view.length or LONGEST, LONGEST)
    return [_forward(texts, length, rng), _reverse(texts, length, rng)]


def _forward(texts: Texts, length: int, rng: np.random.Generator) -> Metric:
    samples = _cut(some(texts.samples, SCORED, rng=rng), length)
    model = _model(texts.reference if texts.training is None else texts.training, length)
    if texts.training is None:
        real, rows = _model(texts.floor.against, length), texts.floor.rows
    else:
        real, rows = model, some(texts.reference, len(samples), rng=rng)
    value, contributions = of_ratio(*model.scores(samples))
    floor, _ = of_ratio(*real.scores(_cut(rows[:SCORED], length)))
    counts = texts.counts | {"scored": len(samples)}
    return _metric("forward", value, floor, "near the floor", counts, contributions, rng)


def _reverse(texts: Texts, length: int, rng: np.random.Generator) -> Metric:
    chosen = rng.permutation(len(texts.reference))[:SCORED]
    lines = pick(texts.reference, chosen)
    value, contributions = of_ratio(*_model(texts.samples, length).scores(_cut(lines, length)))
    rows, against = texts.floor
    held_out = lines if against is texts.reference else some(against, SCORED, rng=rng)
    floor, _ = of_ratio(*_model(rows, length).scores(_cut(held_out, length)))
    moved = by_source(contributions, None if texts.sources is None else texts.sources[chosen])
    return _metric("reverse", value, floor, "lower", texts.counts | {"scored": len(lines)}, moved, rng)


def _metric(
    key: str,
    value: float | None,
    floor: float | None,
    better: Literal["lower", "near the floor"],
    counts: dict[str, int],
    contributions: Floats,
    rng: np.random.Generator,
) -> Metric:
    low, high = (None, None) if value is None else interval(value, contributions, rng=rng)
    return Metric("lm_nll", key, value, floor, better, counts, low, high)


def _model(lines: Sequence[str], length: int) -> CharacterModel:
    return CharacterModel(_cut(bounded(lines), length), length=length)


def _cut(lines: Sequence[str], length: int) -> list[str]:
    return [line[:length] for line in lines]
