"""The count critic without thought of speed: P and Q of each order in two dense tables, plain indexing, int64 codes.

Its mathematics is that of `textgan.game.counts`, which explains it. Windows that do not fit are hashed in their own
way here, so that results are equal only where every window has an entry of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

PRIOR = 1e-7
SPREAD = 0x9E3779B97F4A7C15 - (1 << 64)  # an odd number whose multiples spread over all bits


class PlainTable:
    """P and Q of one order."""

    def __init__(self, rows: Tensor, *, order: int, classes: int, edges: int, bits: int, pads_paid: bool) -> None:
        """Count the windows of classes (row, position), with edge symbols (the last class) on each side."""
        self.order, self.classes, self.bits = order, classes, bits
        self.edges, self.pads_paid = min(edges, order - 1), pads_paid
        self.exact = classes**order <= 1 << bits
        size = classes**order if self.exact else 1 << bits
        counts = torch.bincount(self.slots(self.codes(rows)).flatten(), minlength=size).double()
        self.real = (counts / counts.sum()).float()
        self.counts = torch.zeros(size, device=rows.device)
        self.total, self.increment = 0.0, 1.0
        pads = torch.zeros(1, order, dtype=torch.int64, device=rows.device)
        self.blank = torch.unique(self.slots(self.codes(pads)))
        self.blank_real = self.real[self.blank]
        self.settle_pads()

    def codes(self, rows: Tensor) -> Tensor:
        """Codes (batch, window) of rows (batch, position)."""
        padded = F.pad(rows, (self.edges, self.edges), value=self.classes - 1)
        places = torch.tensor([self.place(j) for j in range(self.order)], device=rows.device)
        return (padded.unfold(1, self.order, 1) * places).sum(-1)

    def place(self, j: int) -> int:
        """What a class counts for at position j of a window."""
        return int(self.classes ** (self.order - 1 - j))

    def slots(self, codes: Tensor) -> Tensor:
        """Table entries of codes: themselves, or a hash of them."""
        return codes if self.exact else (codes * SPREAD >> (64 - self.bits)) & ((1 << self.bits) - 1)

    def q(self, slots: Tensor) -> Tensor:
        """Q' = Q + 1e-7 at table entries."""
        return self.counts[slots] / max(self.total, 1e-9) + PRIOR

    def rewards(self, rows: Tensor, chosen: Tensor, clip: float) -> Tensor:
        """Sum of the rewards of the windows around each position, for each chosen class (batch, position, k)."""
        codes, length = self.codes(rows), rows.shape[1]
        change = chosen - rows.unsqueeze(-1)
        total = torch.zeros(change.shape, device=rows.device)
        for j in range(self.order):  # window s has position s + j - edges at its j
            first, last = max(0, self.edges - j), min(codes.shape[1], length + self.edges - j)
            at = slice(first + j - self.edges, last + j - self.edges)
            slots = self.slots(codes[:, first:last].unsqueeze(-1) + change[:, at] * self.place(j))
            p, q = self.real[slots], self.q(slots)
            total[:, at] += (0.5 * torch.log2((p + q) / (2 * q))).clamp(max=clip)
        return total

    def count(self, rows: Tensor, forgetting: float) -> None:
        """Forget a share of Q, by increments that grow, and add the windows of rows."""
        slots = self.slots(self.codes(rows)).flatten()
        self.increment /= forgetting
        self.counts.index_add_(0, slots, torch.full(slots.shape, self.increment, device=rows.device))
        self.total += self.increment * len(slots)
        if self.increment > 1e4:
            self.counts /= self.increment
            self.total, self.increment = self.total / self.increment, 1.0
        self.settle_pads()

    def settle_pads(self) -> None:
        """Where windows of padding alone are not to be paid, let P be no more than Q' there."""
        if not self.pads_paid:
            self.real[self.blank] = torch.minimum(self.blank_real, self.q(self.blank))


class PlainCounts:
    """The loss of a batch of logits and of what was drawn of them."""

    def __init__(
        self,
        rows: Tensor,
        *,
        symbols: int,
        orders: Sequence[int],
        kept: int,
        edges: int,
        bits: int,
        clip: float,
        forgetting: float,
        likeliest: int,
        counted_first: int,
        pads: str,
    ) -> None:
        """Count training ids (row, position); the rest is as in `textgan.game.counts.count_critic`."""
        self.classes = min(symbols, kept + 1)
        self.clip, self.forgetting = clip, forgetting
        self.likeliest, self.counted_first = likeliest, counted_first
        rows, classes = rows.clamp(max=self.classes - 1), self.classes + bool(edges)
        self.tables = [
            PlainTable(rows, order=n, classes=classes, edges=edges, bits=bits, pads_paid=pads == "paid") for n in orders
        ]

    def loss(self, logits: Tensor, ids: Tensor) -> Tensor:
        """Return the loss of logits (batch, position, symbol) and drawn ids (batch, position), and count the ids."""
        probabilities = F.softmax(logits, dim=-1)
        rare = probabilities[..., self.classes - 1 :].sum(-1, keepdim=True)
        probabilities = torch.cat([probabilities[..., : self.classes - 1], rare], dim=-1)
        p, chosen = probabilities.topk(min(self.likeliest or self.classes, self.classes), dim=-1, sorted=False)
        drawn = ids.clamp(max=self.classes - 1)
        with torch.no_grad():
            reward = torch.stack([self._rewards(table, drawn, chosen) for table in self.tables]).mean(0)
            if self.likeliest:
                reward = reward - (p * reward).sum(-1, keepdim=True) / p.sum(-1, keepdim=True)
        return -(p * reward).sum(-1).mean()

    def _rewards(self, table: PlainTable, drawn: Tensor, chosen: Tensor) -> Tensor:
        if table.order <= self.counted_first:
            table.count(drawn, self.forgetting)
        reward = table.rewards(drawn, chosen, self.clip)
        if table.order > self.counted_first:
            table.count(drawn, self.forgetting)
        return reward
