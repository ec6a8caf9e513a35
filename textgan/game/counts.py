"""The count critic: for a fixed generator, the best critic that sees only n-grams is counted, not trained.

P is the n-gram frequency of the training rows, Q an exponentially forgetting count of what the generator drew. The
reward of a window w is ½ log2((P + Q) / 2Q), clipped: minus the slope of the Jensen-Shannon divergence JSD(P, Q) in
Q(w), bounded below by -½, the value of a window that neither side has. The generator is paid, at every position and
for every symbol it might have drawn there, the rewards of the windows that would then stand there.

With labels, P and Q are frequencies of a label and a window together: since generated rows have the labels of real
ones, their divergence is the mean over labels of that between the windows of one label.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import torch
from torch import Tensor
from torch.nn import functional as F

from textgan.contract import State, Term, TermBatch
from textgan.game import pages
from textgan.game.windows import TABLE_BITS, Windows
from textgan.ranks import gathered

PRIOR = 1e-7  # added to Q, so that an unseen window has a finite reward
LARGEST = 1e4  # size of one draw's increment at which counts are scaled back
NEGLIGIBLE = 2.0**-24  # probability that a float32 sum with 1 in it does not see
SWEPT = 1 << 17  # entries scaled back at a time: a part stays in the cache from one pass to the next
FORGOTTEN = 1e-6  # counts up to this share of a fresh draw are dropped, which keeps checkpoints small


@dataclass(frozen=True)
class Table:
    """What the critic of one order knows: P from the corpus, and how to read and update Q.

    A state holds P and the counts of Q side by side, so that a look-up touches memory once.
    """

    windows: Windows
    real: Tensor
    """P by table entry, (size,) float32; sums to 1."""
    pads_paid: bool = True
    """Windows of padding alone are paid like others."""

    @cached_property
    def blank(self) -> Tensor:
        """Entries of the windows that hold pads and edges alone, (entry,) int64.

        Where lines are short these are the commonest of all. Were they paid for, a generator that knows nothing yet
        may turn to pads everywhere at once, and stay: so sure a softmax has no gradient. Unpaid, they cost it when it
        has too many, and pay nothing when it has too few.
        """
        windows = self.windows
        pads = torch.zeros(windows.labels, windows.order, dtype=torch.int32)
        codes = windows.codes(pads, torch.arange(windows.labels) if windows.labels > 1 else None)
        return torch.tensor(sorted(set(windows.slots(codes).flatten().tolist())), device=self.real.device)

    def rewards(
        self, classes: Tensor, alternatives: Tensor, state: State, clip: float, labels: Tensor | None = None
    ) -> Tensor:
        """Sum, for each alternative symbol at each position, of the rewards of the windows that contain the position.

        Args:
            classes: drawn symbol classes (batch, position) int32.
            alternatives: classes to score instead, (alternative,) or (batch, position, alternative) int32.
            state: this order's counts.
            clip: largest reward of a window. [bits]
            labels: each row's label (batch,), None without labels.

        Returns:
            (batch, position, alternative) float32 [bits].
        """
        logs = self._logs(self.windows.slots(self.windows.replaced(classes, alternatives, labels)), state)
        batch, length = classes.shape
        for window, positions in self.windows.beyond_the_edges(length):
            logs[window, :, positions.start * batch : positions.stop * batch] = 1  # a reward of 0
        # sum of min(1/2 (log - 1), clip) over the n windows is 1/2 (sum of min(log, 2 clip + 1) - n)
        total = logs.clamp_(max=2 * clip + 1).sum(0).sub_(self.windows.order).mul_(0.5)
        return total.view(-1, length, batch).permute(2, 1, 0)

    def _logs(self, slots: Tensor, state: State) -> Tensor:
        """Return log2((P + Q') / Q') at table entries, with Q' = Q + 1e-7."""
        # a pair of float32 is read as one int64: a copy of bits
        pairs = state["pairs"].view(torch.int64).view(-1).index_select(0, slots.flatten()).view(torch.float32)
        p, counts = pairs.view(*slots.shape, 2).unbind(-1)
        q = (counts / state["total"].clamp(min=1e-9)).add_(PRIOR)
        return torch.div(p, q, out=q).add_(1).log2_()

    def count(self, classes: Tensor, state: State, forgetting: float, labels: Tensor | None = None) -> State:
        """Forget a share of Q, then add the windows of rows (batch, position) with labels (batch,), in place.

        The table is not swept at every step: increments grow instead, and are scaled back when they get large.
        """
        slots = self.windows.slots(self.windows.codes(classes, labels)).flatten()
        pairs, increment, total = state["pairs"], state["increment"] / forgetting, state["total"]
        counts = pairs[:, 1]
        if increment > LARGEST:
            for part in torch.split(counts, SWEPT):
                F.threshold(part.div_(increment), FORGOTTEN, 0, inplace=True)
            total, increment = total / increment, torch.ones_like(increment)
        counts.index_add_(0, slots, increment.expand(len(slots)))
        return self._payable({"pairs": pairs, "increment": increment, "total": total + increment * len(slots)})

    def _payable(self, state: State) -> State:
        """Where pads are not paid, lower P of blank windows to Q' if it is above, in place: their reward is then 0."""
        if not self.pads_paid:
            pairs, blank = state["pairs"], self.blank
            q = pairs.index_select(0, blank)[:, 1] / state["total"].clamp(min=1e-9) + PRIOR
            pairs[:, 0].index_copy_(0, blank, torch.minimum(self.real.index_select(0, blank), q))
        return state

    def empty(self) -> State:
        """Return the state before anything was drawn."""
        pairs = pages.zeros(len(self.real), 2, device=self.real.device)
        pairs[:, 0] = self.real
        return self._payable({"pairs": pairs, "increment": pairs.new_ones(()), "total": pairs.new_zeros(())})

    def pack(self, state: State) -> State:
        """Keep what cannot be rebuilt: the counts, by their non-zero entries; exact."""
        counts = state["pairs"][:, 1]
        slots = counts.nonzero().squeeze(1)
        return {"slots": slots, "counts": counts[slots]} | {name: state[name] for name in ("increment", "total")}

    def unpack(self, packed: State) -> State:
        """Undo `pack`."""
        state = self.empty()
        device = self.real.device
        state["pairs"][packed["slots"].to(device), 1] = packed["counts"].to(device)
        return self._payable(state | {name: packed[name].to(device) for name in ("increment", "total")})


def tables(
    rows: Iterable[Tensor],
    *,
    orders: Sequence[int],
    classes: int,
    edges: int = 0,
    bits: int = TABLE_BITS,
    labels: int = 1,
    row_labels: Iterable[Tensor] | None = None,
) -> list[Table]:
    """Count P of each order over blocks of training rows (row, position) int32 of symbol classes.

    At most n - 1 edge symbols a side are of use to windows of n. With labels, their blocks (row,) go along the rows'.
    """
    kinds = [Windows(n, classes + bool(edges), bits, min(edges, n - 1), labels) for n in orders]
    real = [torch.zeros(windows.size, dtype=torch.float64) for windows in kinds]
    beside: Iterable[Tensor | None] = repeat(None) if row_labels is None else row_labels
    for block, its_labels in zip(rows, beside, strict=False):
        for windows, counts in zip(kinds, real, strict=True):
            slots = windows.slots(windows.codes(block, its_labels)).flatten().long()
            counts.index_add_(0, slots, torch.ones((), dtype=counts.dtype).expand(len(slots)))
    return [Table(windows, (counts / counts.sum()).float()) for windows, counts in zip(kinds, real, strict=True)]


@dataclass(frozen=True)
class CountCritic:
    """The tables of several orders and how their rewards become a loss."""

    tables: dict[str, Table]
    classes: int
    clip: float
    forgetting: float
    likeliest: int
    counted_first: int

    def __call__(self, batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        """Return the loss of a batch and the counts after it."""
        probabilities = merge_rare(batch.output.logits.softmax(-1), self.classes)
        drawn = rows_innermost(batch.output.ids.clamp(max=self.classes - 1).int())
        chosen, p = likeliest_classes(probabilities, self.likeliest)
        with torch.no_grad():
            scored, after = self._score(drawn, likely_or_drawn(chosen, p, drawn), state, batch.labels)
            reward = torch.stack(scored).mean(0).contiguous()
            if self.likeliest:  # symbols that are not scored count as the mean, not as 0
                reward -= (p * reward).sum(-1, keepdim=True) / p.sum(-1, keepdim=True)
        return -(p * reward).sum(-1).mean(), after

    def _score(self, drawn: Tensor, chosen: Tensor, state: State, labels: Tensor | None) -> tuple[list[Tensor], State]:
        """Return each order's summed rewards of the chosen symbols, and the counts after the whole batch's draws."""
        scored, after = [], {}
        counted = rows_innermost(gathered(drawn)), None if labels is None else gathered(labels)
        for name, table in self.tables.items():
            before, first = _of(name, state), table.windows.order <= self.counted_first
            if first:
                before = after[name] = table.count(counted[0], before, self.forgetting, counted[1])
            scored.append(table.rewards(drawn, chosen, before, self.clip, labels))
            if not first:  # the counts are updated in place: only once they are read
                after[name] = table.count(counted[0], before, self.forgetting, counted[1])
        return scored, _joined(after)

    def empty(self) -> State:
        """Return the state before anything was drawn."""
        return _joined({name: table.empty() for name, table in self.tables.items()})

    def pack(self, state: State) -> State:
        """Keep what cannot be rebuilt of a state."""
        return _joined({name: table.pack(_of(name, state)) for name, table in self.tables.items()})

    def unpack(self, packed: State) -> State:
        """Undo `pack`."""
        return _joined({name: table.unpack(_of(name, packed)) for name, table in self.tables.items()})


def count_critic(
    rows: Iterable[Tensor],
    *,
    symbols: int,
    orders: Sequence[int],
    clip: float,
    forgetting: float,
    kept: int,
    likeliest: int = 0,
    counted_first: int = 0,
    edges: int = 0,
    bits: int = TABLE_BITS,
    pads: str = "paid",
    labels: int = 1,
    row_labels: Iterable[Tensor] | None = None,
    ends: bool = False,
    device: torch.device | str = "cpu",
) -> Term:
    """Build the count critic of a corpus as a generator term.

    Its loss is -mean over rows and positions of sum_v p(v) R(v), R held fixed: R(v) is the mean over orders of the
    summed rewards of the windows that contain the position, with v in it and the other positions as drawn.

    A step's draws may be counted before or after they are scored. Counted first, a drawn symbol pays for itself, which
    keeps the softmax broad; but one draw of a long window weighs more than all its share of the corpus, and drowns it.

    Args:
        rows: blocks of training ids (row, position), ids by falling frequency.
        symbols: number of ids V.
        orders: n-gram lengths; an order longer than a row is an error of the caller.
        clip: largest reward of a window. [bits]
        forgetting: what a step leaves of Q. [ratio]
        kept: the commonest ids counted apart; the rest share one class. [symbols]
        likeliest: score only so many likeliest classes of each position, R less its mean under them; 0 scores all.
        counted_first: orders up to this are counted before they are scored, longer ones after. [symbols]
        edges: edge symbols on each side of a row. [symbols]
        bits: a table has at most 2**bits entries.
        pads: "unpaid" bounds the reward of windows of padding alone by 0; "paid" by `clip`, as any other's.
        labels: number of labels; 1 without.
        row_labels: their blocks (row,), beside those of the rows; None without.
        device: where the tables live; `ends` is not looked at.
    """
    classes = min(symbols, kept + 1)
    blocks = (block.clamp(max=classes - 1).int() for block in rows)
    counted = tables(
        blocks, orders=orders, classes=classes, edges=edges, bits=bits, labels=labels, row_labels=row_labels
    )
    known = {str(table.windows.order): Table(table.windows, table.real.to(device), pads == "paid") for table in counted}
    critic = CountCritic(known, classes, clip, forgetting, likeliest, counted_first)
    return Term(critic, critic.empty, critic.pack, critic.unpack)


def merge_rare(probabilities: Tensor, classes: int) -> Tensor:
    """Add up the probabilities of the ids that share the last class: (..., symbol) -> (..., classes)."""
    if probabilities.shape[-1] == classes:
        return probabilities
    rare = probabilities[..., classes - 1 :].sum(-1, keepdim=True)
    return torch.cat([probabilities[..., : classes - 1], rare], dim=-1)


def likeliest_classes(probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the classes to score and their probabilities: all, or the `count` likeliest of each position."""
    if count == 0 or count >= probabilities.shape[-1]:
        every = torch.arange(probabilities.shape[-1], dtype=torch.int32, device=probabilities.device)
        return every, probabilities
    p, chosen = probabilities.topk(count, dim=-1, sorted=False)
    return chosen.int(), p


def rows_innermost(classes: Tensor) -> Tensor:
    """Return classes (batch, position) laid out in memory as `Windows.codes` reads them."""
    return classes.T.contiguous().T


def likely_or_drawn(chosen: Tensor, p: Tensor, drawn: Tensor) -> Tensor:
    """Return chosen classes (batch, position, class), the drawn one in place of those too unlikely to tell.

    The windows of the drawn are in the cache, where those of the unlikely are read from afar; and what p < 2**-24 adds
    to a sum over a position is within its rounding. Only the gradient of such a logit is another number, of at most
    2**-24 times what the rewards of its position differ by. As `Windows.replaced` reads them, rows lie innermost in
    memory.
    """
    told = torch.where(p < NEGLIGIBLE, drawn.unsqueeze(-1), chosen)
    return told.permute(2, 1, 0).contiguous().permute(2, 1, 0)


def _of(name: str, state: State) -> State:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _joined(states: dict[str, State]) -> State:
    return {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
