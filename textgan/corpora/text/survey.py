"""What the first pass over a text learns: its lines, symbols, labels, a sample, and everything that was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from heapq import nsmallest
from typing import Any

from textgan.corpora.text import alphabet
from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.heads import Heads, heads_of
from textgan.corpora.text.split import SIDES, Block, Side, hashes, part

SAMPLED = 1_000  # characters of a sampled line


@dataclass
class Survey:
    """Counts over some blocks; those of two stretches of text add up."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    undecodable: int = 0
    first_undecodable: str = ""
    """Where the first line that is not UTF-8 is, as shard:line."""
    lines: Counter[str] = field(default_factory=Counter)
    """Lines that stay, by side."""
    heads: Counter[str] = field(default_factory=Counter)
    """Symbols of training lines up to the length of a row: all that the line cut keeps."""
    tails: Counter[str] = field(default_factory=Counter)
    """The symbols after those."""
    fitting: int = 0
    """Training lines that fit in a row."""
    labels: Counter[str] = field(default_factory=Counter)
    """Training lines by label; 0 for one that only held-out lines have."""
    sample: list[tuple[int, str]] = field(default_factory=list)
    """The training lines of least hash, which are a uniform sample of the distinct ones, with their hashes."""
    shard: str = ""
    """The shard that was read last."""
    at: int = 0
    """Lines read of it."""

    def add(self, block: Block, other: Survey, most: int) -> None:
        """Add what a block holds, the next one in the order of the text; keep a sample of `most` lines."""
        if block.shard != self.shard:
            self.shard, self.at = block.shard, 0
        if other.undecodable and not self.first_undecodable:
            self.first_undecodable = f"{block.shard}:{self.at + int(other.first_undecodable)}"
        self.at += other.read
        for name in ("read", "undecodable", "fitting"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("dropped", "lines", "labels"):
            getattr(self, name).update(getattr(other, name))
        alphabet.merge(self.heads, other.heads)
        alphabet.merge(self.tails, other.tails)
        if other.sample:
            self.sample = nsmallest(most, {*self.sample, *other.sample})

    def symbols(self, cut: str) -> Counter[str]:
        """Return how often each symbol is in the training text that this cut keeps."""
        return self.heads if cut == "line" else self.heads + self.tails

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Survey:
        """Take back what `to_json` gave."""
        counters = {name: Counter(entry) for name, entry in value.items() if isinstance(entry, dict)}
        sample = [(int(code), str(line)) for code, line in value["sample"]]
        return cls(**(value | counters | {"sample": sample}))


@dataclass(frozen=True)
class SurveyBlock:
    """Block to its Survey; `first_undecodable` is then the line's number within the block."""

    rules: Rules
    unit: str
    length: int
    sample: int = 0
    """Lines to keep of a block for the sample."""
    beyond: bool = True
    """Symbols that no row of the line cut holds are counted too."""
    heads: bool = False
    """The heads of the lines are returned, and their characters counted; not what is beyond, nor which lines fit."""

    def __call__(self, block: Block) -> tuple[Survey, Heads]:
        """Count one block, and return the heads that are asked for."""
        cleaned, sides = part(block, self.rules)
        first = str(cleaned.first_undecodable)
        survey = Survey(cleaned.read, cleaned.dropped, cleaned.undecodable, first)
        for side, lines in sides.items():
            survey.lines[side] = len(lines.text)
            survey.labels.update(lines.labels if side == "train" else dict.fromkeys(lines.labels or (), 0))
        heads = {side: heads_of(lines.text, self.length) for side, lines in sides.items()} if self.heads else {}
        if "train" in sides:
            train = sides["train"]
            if self.heads:
                survey.heads = alphabet.count_heads(self.unit, heads["train"])
            else:
                survey.heads, survey.tails, survey.fitting = alphabet.count(
                    self.unit, train.text, self.length, beyond=self.beyond
                )
            if self.sample:
                codes = hashes(list(map(str.encode, train.text))).tolist()
                pairs = zip(codes, (line[:SAMPLED] for line in train.text), strict=True)
                survey.sample = nsmallest(self.sample, set(pairs))
        return survey, heads


def sides_of(survey: Survey) -> dict[Side, int]:
    """Return the lines on each side."""
    return {side: survey.lines[side] for side in SIDES}
