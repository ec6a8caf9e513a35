"""The count critic: for a fixed generator, the best critic that sees only n-grams is counted, not trained.

P is the n-gram frequency of the training rows, Q an exponentially forgetting count of what the generator drew. The
reward of a window w is ½ log2((P + Q) / 2Q), clipped: minus the slope of the Jensen-Shannon divergence JSD(P, Q) in
Q(w), bounded below by -½, the value of a window that neither side has. The generator is paid, at every position and
for every symbol it might have drawn there, the rewards of the windows that would then stand there.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from textgan.contract import State, Term, TermBatch

DENSE = 1 << 26  # entries of the largest exact table; longer n-grams share hashed buckets
BUCKETS = 1 << 24
PRIOR = 1e-7  # added to Q, so that an unseen window has a finite reward
LARGEST = 1e4  # size of one draw's increment at which counts are scaled back
FORGOTTEN = 1e-6  # counts below this share of a fresh draw are dropped, which keeps checkpoints small


@dataclass(frozen=True)
class Windows:
    """Numbers every window of n symbol classes: exactly where classes**n entries fit, else by hash."""

    order: int
    classes: int
    buckets: int
    """Entries of the hashed table; 0 for an exact one."""

    @property
    def size(self) -> int:
        """Entries of the table."""
        return self.buckets or self.classes**self.order

    def place(self, position: int) -> int:
        """Weight of the symbol at `position` in a window's code."""
        return int(self.classes ** (self.order - 1 - position))

    def codes(self, classes: Tensor) -> Tensor:
        """Codes (batch, window) int64 of every window of rows (batch, position)."""
        count = classes.shape[1] - self.order + 1
        codes = torch.zeros((len(classes), count), dtype=torch.int64, device=classes.device)
        for j in range(self.order):
            codes += classes[:, j : j + count] * self.place(j)
        return codes

    def slots(self, codes: Tensor) -> Tensor:
        """Table entries of codes, any shape."""
        return (codes * 2654435761 >> 7) & (self.buckets - 1) if self.buckets else codes


@dataclass(frozen=True)
class Table:
    """What the critic of one order knows: P from the corpus, and how to read and update Q."""

    windows: Windows
    real: Tensor
    """P by table entry, (size,) float32; sums to 1."""

    def rewards(self, classes: Tensor, alternatives: Tensor, state: State, clip: float) -> Tensor:
        """Sum, for each alternative symbol at each position, of the rewards of the windows that contain the position.

        Args:
            classes: drawn symbol classes (batch, position).
            alternatives: classes to score instead, (alternative,) or (batch, position, alternative).
            state: this order's counts.
            clip: largest reward of a window. [bits]

        Returns:
            (batch, position, alternative) float32 [bits].
        """
        n = self.windows.order
        alternatives = alternatives.expand(*classes.shape, -1)
        codes = self.windows.codes(classes)
        count = codes.shape[1]
        total = torch.zeros(alternatives.shape, device=classes.device)
        for j in range(n):
            rest = codes - classes[:, j : j + count] * self.windows.place(j)
            replaced = rest.unsqueeze(-1) + alternatives[:, j : j + count] * self.windows.place(j)
            total[:, j : j + count] += self.reward(self.windows.slots(replaced), state, clip)
        return total

    def reward(self, slots: Tensor, state: State, clip: float) -> Tensor:
        """Return ½ log2((P + Q') / 2Q') at table entries, at most `clip`, with Q' = Q + 1e-7. [bits]"""
        q = state["counts"].take(slots).div_(state["total"].clamp(min=1e-9)).add_(PRIOR)
        return self.real.take(slots).add_(q).div_(q).log2_().sub_(1).mul_(0.5).clamp_(max=clip)

    def count(self, classes: Tensor, state: State, forgetting: float) -> State:
        """Forget a share of Q, then add the windows of rows (batch, position); the counts are updated in place.

        The table is not swept at every step: increments grow instead, and are scaled back when they get large.
        """
        slots = self.windows.slots(self.windows.codes(classes)).flatten()
        counts, increment, total = state["counts"], state["increment"] / forgetting, state["total"]
        if increment > LARGEST:
            counts /= increment
            counts[counts < FORGOTTEN] = 0
            total, increment = total / increment, torch.ones_like(increment)
        counts.index_add_(0, slots, increment.expand(len(slots)))
        return {"counts": counts, "increment": increment, "total": total + increment * len(slots)}

    def empty(self) -> State:
        """Return the counts before anything was drawn."""
        device = self.real.device
        zero, one = torch.zeros((), device=device), torch.ones((), device=device)
        return {"counts": torch.zeros(self.windows.size, device=device), "increment": one, "total": zero}


def tables(
    rows: Iterable[Tensor], *, orders: Sequence[int], classes: int, dense: int = DENSE, buckets: int = BUCKETS
) -> list[Table]:
    """Count P of each order over blocks of training rows (row, position) of symbol classes."""
    kinds = [Windows(n, classes, buckets if classes**n > dense else 0) for n in orders]
    real = [torch.zeros(windows.size, dtype=torch.float64) for windows in kinds]
    for block in rows:
        for windows, counts in zip(kinds, real, strict=True):
            slots = windows.slots(windows.codes(block)).flatten()
            counts.index_add_(0, slots, torch.ones(len(slots), dtype=torch.float64))
    return [Table(windows, (counts / counts.sum()).float()) for windows, counts in zip(kinds, real, strict=True)]


def count_critic(
    rows: Iterable[Tensor],
    *,
    symbols: int,
    orders: Sequence[int],
    clip: float,
    forgetting: float,
    kept: int,
    likeliest: int = 0,
    device: torch.device | str = "cpu",
) -> Term:
    """Build the count critic of a corpus as a generator term.

    Its loss is -mean over rows and positions of sum_v p(v) R(v), R held fixed: R(v) is the mean over orders of the
    summed rewards of the windows that contain the position, with v in it and the other positions as drawn.

    Args:
        rows: blocks of training ids (row, position), ids by falling frequency.
        symbols: number of ids V.
        orders: n-gram lengths; an order longer than a row is an error of the caller.
        clip: largest reward of a window. [bits]
        forgetting: what a step leaves of Q. [ratio]
        kept: the commonest ids counted apart; the rest share one class. [symbols]
        likeliest: score only so many likeliest classes of each position, R less its mean under them; 0 scores all.
        device: where the tables live.
    """
    classes = min(symbols, kept + 1)
    known = [
        Table(table.windows, table.real.to(device))
        for table in tables((block.long().clamp(max=classes - 1) for block in rows), orders=orders, classes=classes)
    ]

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        probabilities = merge_rare(batch.output.logits.softmax(-1), classes)
        drawn = batch.output.ids.clamp(max=classes - 1)
        after: State = {}
        for table in known:
            name = str(table.windows.order)
            after |= _prefixed(name, table.count(drawn, _of(name, state), forgetting))
        chosen, p = likeliest_classes(probabilities, likeliest)
        with torch.no_grad():
            scored = [table.rewards(drawn, chosen, _of(str(table.windows.order), after), clip) for table in known]
            reward = torch.stack(scored).mean(0)
            if likeliest:  # symbols that are not scored count as the mean, not as 0
                reward -= (p * reward).sum(-1, keepdim=True) / p.sum(-1, keepdim=True)
        return -(p * reward).sum(-1).mean(), after

    initial: State = {}
    for table in known:
        initial |= _prefixed(str(table.windows.order), table.empty())
    return Term(term, initial, pack=pack, unpack=unpack)


def merge_rare(probabilities: Tensor, classes: int) -> Tensor:
    """Add up the probabilities of the ids that share the last class: (..., symbol) -> (..., classes)."""
    if probabilities.shape[-1] == classes:
        return probabilities
    rare = probabilities[..., classes - 1 :].sum(-1, keepdim=True)
    return torch.cat([probabilities[..., : classes - 1], rare], dim=-1)


def likeliest_classes(probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the classes to score and their probabilities: all, or the `count` likeliest of each position."""
    if count == 0 or count >= probabilities.shape[-1]:
        return torch.arange(probabilities.shape[-1], device=probabilities.device), probabilities
    p, chosen = probabilities.topk(count, dim=-1, sorted=False)
    return chosen, p


def pack(state: State) -> State:
    """Store tables by their non-zero entries; exact."""
    packed = {name: value for name, value in state.items() if not name.endswith(".counts")}
    for name in state.keys() - packed.keys():
        slots = state[name].nonzero().squeeze(1)
        packed |= {
            f"{name}.slots": slots,
            f"{name}.values": state[name][slots],
            f"{name}.size": torch.tensor(len(state[name])),
        }
    return packed


def unpack(packed: State) -> State:
    """Undo `pack`."""
    state = {name: value for name, value in packed.items() if ".counts." not in name}
    for name in {name.rpartition(".")[0] for name in packed if ".counts." in name}:
        counts = torch.zeros(int(packed[f"{name}.size"]))
        counts[packed[f"{name}.slots"]] = packed[f"{name}.values"]
        state[name] = counts
    return state


def _of(name: str, state: State) -> State:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _prefixed(name: str, state: State) -> State:
    return {f"{name}.{key}": value for key, value in state.items()}
