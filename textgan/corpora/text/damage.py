"""What is wrong with a text, counted by kind, with the first place of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from textgan.errors import TextganError

NOT_UTF8 = "lines that are not UTF-8"


@dataclass
class Damage:
    """The damaged lines and records that reading met. Each is left out, unless `errors` is "replace" and mends it."""

    errors: str
    """"strict", "replace" (U+FFFD in the place of what is not UTF-8) or "skip"."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many of each kind; a kind is what a message calls them, in the plural."""
    first: dict[str, str] = field(default_factory=dict)
    """The first place of each kind, file:line."""

    def add(self, kind: str, name: str, number: int, count: int = 1) -> None:
        """Count what is damaged in the shard `name`, at line (or record) `number`, from 1."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.first.setdefault(kind, f"{name}:{number}")

    def take(self) -> Damage:
        """Return what was met since the last time."""
        taken = Damage(self.errors, self.counts, self.first)
        self.counts, self.first = {}, {}
        return taken

    def update(self, later: Damage) -> None:
        """Add what was met later."""
        for kind, count in later.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.first.setdefault(kind, later.first[kind])

    def describe(self) -> str:
        """Return kinds, counts and first places on one line; nothing if nothing is damaged."""
        return "; ".join(f"{kind}: {count}, the first {self.first[kind]}" for kind, count in self.counts.items())

    def refuse_if_strict(self) -> None:
        """End of reading.

        Raises:
            TextganError: something is damaged and `errors` is "strict".
        """
        if self.counts and self.errors == "strict":
            advice = "mend them, or say -s corpus.errors=replace or -s corpus.errors=skip"
            raise TextganError(f"{self.describe()}; {advice}")
