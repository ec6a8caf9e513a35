"""Numbers for windows: every n-gram of symbol classes to its entry in a table, exactly or by hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

TABLE_BITS = 24  # the largest table has 2**24 entries; windows that do not fit share them by hash


@dataclass(frozen=True)
class Windows:
    """Numbers every window of n symbol classes: exactly where classes**n entries fit in 2**bits, else by hash.

    A code is a sum over positions of multiplier times class, modulo 2**32 (int32 wraps): another symbol at one
    position is one multiplication away, whether codes are exact or hashed.

    With `edges`, so many edge symbols (the last class) stand on each side of a row, as before the first word of an
    n-gram model: the first and last symbols are then in as many windows as the others, which know where a row begins.
    """

    order: int
    classes: int
    """Symbol classes, the edge among them if there are edges."""
    bits: int = TABLE_BITS
    edges: int = 0
    labels: int = 1
    """Labels of a labelled corpus: its windows have the label as one more symbol in front."""

    @property
    def exact(self) -> bool:
        """Every window has an entry of its own."""
        return bool(self.labels * self.classes**self.order <= 1 << self.bits)

    @property
    def size(self) -> int:
        """Entries of the table."""
        return self.labels * self.classes**self.order if self.exact else 1 << self.bits

    @cached_property
    def multipliers(self) -> tuple[int, ...]:
        """One a position: powers of the class count, or odd numbers that are the same in every process."""
        if self.exact:
            return tuple(self.classes ** (self.order - 1 - j) for j in range(self.order))
        return _odd_numbers(self.order, seed=self.order)

    @cached_property
    def label_multiplier(self) -> int:
        """The label's, as the first of the multipliers of one symbol more."""
        return int(self.classes**self.order) if self.exact else _odd_numbers(1, seed=0)[0]

    @cached_property
    def with_all_edges(self) -> Windows:
        """The same with so many edges that every symbol of a row is in n windows."""
        return replace(self, edges=self.order - 1)

    def codes(self, classes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (batch, window) int32 of every window of rows (batch, position) int32 with labels (batch,)."""
        classes = F.pad(classes.T, (0, 0, self.edges, self.edges), value=self.classes - 1)  # passes run along memory
        count = len(classes) - self.order + 1
        codes = classes[:count] * self.multipliers[0]
        for j in range(1, self.order):
            codes.add_(classes[j : j + count], alpha=self.multipliers[j])
        if labels is not None:
            codes.add_(labels.int(), alpha=self.label_multiplier)
        return codes.T

    def replaced(self, classes: Tensor, alternatives: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes of the windows that would stand around each position with another symbol in it.

        Rows lie innermost, then positions: a window one further on is then one batch further on in memory, so that
        all windows around all positions are one strided view, and every pass over them runs along memory.

        Args:
            classes: (batch, position) int32.
            alternatives: (alternative,) or (batch, position, alternative) int32.
            labels: each row's label (batch,), None without labels.

        Returns:
            (n, alternative, position * batch) int32; the first index goes over the windows that contain the position,
            the earliest first. Those named by `beyond_the_edges` do not exist.
        """
        batch, length = classes.shape
        codes = self.with_all_edges.codes(classes, labels).T.flatten()  # (window * batch)
        standing = codes.unfold(0, length * batch, batch)  # (n, position * batch)
        change = (alternatives - classes.unsqueeze(-1)).permute(2, 1, 0).flatten(1)
        codes = change.new_empty(self.order, *change.shape)
        for j, multiplier in enumerate(reversed(self.multipliers)):
            torch.add(standing[j], change, alpha=multiplier, out=codes[j])
        return codes

    def beyond_the_edges(self, length: int) -> list[tuple[int, slice]]:
        """Name the windows of `replaced` that would reach past the edges: its first index, and the positions."""
        before = [(j, slice(0, self.order - 1 - self.edges - j)) for j in range(self.order - 1 - self.edges)]
        return before + [(j, slice(length + self.edges - j, length)) for j in range(self.edges + 1, self.order)]

    def slots(self, codes: Tensor) -> Tensor:
        """Table entries of codes, any shape, int32; a hash is the top bits of its code."""
        return codes if self.exact else (codes >> (32 - self.bits)).bitwise_and_(self.size - 1)


def _odd_numbers(count: int, *, seed: int) -> tuple[int, ...]:
    drawn = torch.randint(-(1 << 31), 1 << 31, (count,), generator=torch.Generator().manual_seed(seed))
    return tuple(int(value) | 1 for value in drawn)
