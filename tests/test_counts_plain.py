"""The count critic against its formula in plain Python: a dictionary a side, one window at a time."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from textgan.contract import Output, TermBatch
from textgan.game.counts import NEGLIGIBLE, count_critic, likely_or_drawn
from textgan.game.windows import Windows

FORGETTING, CLIP = 0.7, 0.6


@dataclass
class Game:
    """A small count critic: the corpus, and how it is set."""

    symbols: int
    length: int
    batch: int
    orders: tuple[int, ...]
    edges: int = 0
    labels: int = 1
    bits: int = 24
    likeliest: int = 0
    counted_first: int = 0
    pads: str = "paid"
    kept: int = 80
    steps: int = 2
    sharpness: float = 1.0
    corpus: Tensor = field(init=False)
    names: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.rng = torch.Generator().manual_seed(7)
        self.corpus = torch.randint(self.symbols, (12, self.length), generator=self.rng)
        self.names = torch.randint(self.labels, (12,), generator=self.rng)

    @property
    def classes(self) -> int:
        return min(self.symbols, self.kept + 1)


class PlainOrder:
    """One order's P and Q as dictionaries from a window, or from its hash."""

    def __init__(self, game: Game, n: int) -> None:
        self.game, self.n, self.edges = game, n, min(game.edges, n - 1)
        self.real: Counter[object] = Counter()
        self.drawn: dict[object, float] = {}
        self.total = 0.0
        for row, label in zip(game.corpus.tolist(), game.names.tolist(), strict=True):
            self.real.update(self.keys(row, label))
        self.blank = {key for label in range(game.labels) for key in self.keys([0] * n, label)}

    def symbol(self, row: list[int], place: int) -> int:
        return min(row[place], self.game.classes - 1) if 0 <= place < len(row) else self.game.classes

    def key(self, row: list[int], start: int, label: int) -> object:
        window = [self.symbol(row, start + j) for j in range(self.n)]
        game = self.game
        windows = Windows(self.n, game.classes + bool(game.edges), game.bits, self.edges, game.labels)
        if game.labels * (game.classes + bool(game.edges)) ** self.n <= 2**game.bits:
            return (label, *window)
        code = label * windows.label_multiplier * (game.labels > 1)
        code += sum(m * symbol for m, symbol in zip(windows.multipliers, window, strict=True))
        return (code % 2**32) // 2 ** (32 - game.bits)

    def starts(self, row: list[int]) -> range:
        return range(-self.edges, len(row) + self.edges - self.n + 1)

    def keys(self, row: list[int], label: int) -> list[object]:
        return [self.key(row, start, label) for start in self.starts(row)]

    def count(self, ids: Tensor, labels: Tensor) -> None:
        self.drawn = {key: FORGETTING * count for key, count in self.drawn.items()}
        self.total *= FORGETTING
        for row, label in zip(ids.tolist(), labels.tolist(), strict=True):
            for key in self.keys(row, label):
                self.drawn[key] = self.drawn.get(key, 0.0) + 1
                self.total += 1

    def reward(self, key: object) -> float:
        q = self.drawn.get(key, 0.0) / max(self.total, 1e-9) + 1e-7
        p = self.real[key] / self.real.total()
        if self.game.pads == "unpaid" and key in self.blank:
            p = min(p, q)
        return min(0.5 * math.log2((p + q) / (2 * q)), CLIP)

    def rewards(self, row: list[int], place: int, symbol: int, label: int) -> float:
        other = [*row[:place], symbol, *row[place + 1 :]]
        around = [start for start in self.starts(row) if start <= place < start + self.n]
        return sum(self.reward(self.key(other, start, label)) for start in around)


def plain_loss(game: Game, orders: list[PlainOrder], logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
    """The loss by its definition, and the draws counted."""
    for order in orders:
        if order.n <= game.counted_first:
            order.count(ids, labels)
    softmax = logits.double().softmax(-1)
    merged = torch.cat([softmax[..., : game.classes - 1], softmax[..., game.classes - 1 :].sum(-1, True)], -1)
    loss = torch.zeros((), dtype=torch.float64)
    for i in range(game.batch):
        for t in range(game.length):
            best = sorted(range(game.classes), key=lambda v, p=merged[i, t]: -p[v].item())  # type: ignore[misc]
            chosen = best[: game.likeliest] if game.likeliest else best
            p, row, label = merged[i, t][chosen], ids[i].tolist(), int(labels[i])
            scores = [sum(o.rewards(row, t, v, label) for o in orders) / len(orders) for v in chosen]
            reward = torch.tensor(scores, dtype=torch.float64)
            if game.likeliest:
                reward = reward - (p.detach() * reward).sum() / p.detach().sum()
            loss = loss - (p * reward).sum() / (game.batch * game.length)
    for order in orders:
        if order.n > game.counted_first:
            order.count(ids, labels)
    return loss


def agree(game: Game) -> None:
    """Play some steps in both forms, with the same losses and gradients."""
    labelled = game.labels > 1
    term = count_critic(
        [game.corpus[:5], game.corpus[5:]], symbols=game.symbols, orders=game.orders, clip=CLIP,
        forgetting=FORGETTING, kept=game.kept, likeliest=game.likeliest, counted_first=game.counted_first,
        edges=game.edges, bits=game.bits, pads=game.pads, labels=game.labels,
        row_labels=[game.names[:5], game.names[5:]] if labelled else None,
    )  # fmt: skip
    state, orders = term.initial(), [PlainOrder(game, n) for n in game.orders]
    for step in range(game.steps):
        if step == 1:  # as through a checkpoint
            state = term.unpack(term.pack(state))
        shape = (game.batch, game.length, game.symbols)
        logits = (game.sharpness * torch.randn(shape, generator=game.rng)).requires_grad_(True)
        ids = torch.randint(game.symbols, shape[:2], generator=game.rng)
        labels = torch.randint(game.labels, (game.batch,), generator=game.rng)
        batch = TermBatch(Output(logits, logits, ids), ids, None, labels if labelled else None)
        loss, state = term.function(batch, state, rng=game.rng)
        expected = plain_loss(game, orders, logits, ids, labels)
        assert loss.item() == pytest.approx(expected.item(), abs=2e-6)
        if game.classes > 1:
            (ours,), (theirs,) = (torch.autograd.grad(x, logits) for x in (loss, expected))
            torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-4)


GAMES = {
    "one row": Game(4, 5, 1, (2, 3)),
    "as long as the order": Game(3, 4, 3, (4,)),
    "as long as the order, with edges": Game(3, 4, 2, (3, 4), edges=3),
    "some edges": Game(3, 6, 2, (1, 2, 4), edges=2),
    "labels": Game(3, 5, 3, (2, 3), edges=1, labels=3),
    "hashed": Game(5, 6, 3, (3, 4), edges=3, bits=8),
    "hashed labels": Game(5, 6, 3, (3, 4), edges=1, bits=8, labels=4),
    "pads unpaid": Game(3, 6, 2, (2, 4), edges=3, pads="unpaid", counted_first=2, steps=3),
    "likeliest and rare": Game(9, 6, 2, (2, 3), kept=6, likeliest=3, edges=2),
    "all as in quick": Game(12, 8, 2, (3, 4, 5, 6), edges=5, likeliest=4, counted_first=4, pads="unpaid", bits=16),
    "sharp": Game(8, 6, 3, (2, 3), edges=2, likeliest=6, sharpness=12.0),
    "sharp, all": Game(8, 6, 3, (2, 3), edges=1, sharpness=12.0),
}


@pytest.mark.parametrize("name", GAMES)
def test_loss_and_gradient_are_those_of_the_plain_formula(name: str) -> None:
    agree(GAMES[name])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_loss_and_gradient_are_those_of_the_plain_formula_in_any_shape(data: st.DataObject) -> None:
    def pick(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    length = pick(2, 6)
    orders = tuple(sorted(data.draw(st.sets(st.integers(1, min(length, 4)), min_size=1, max_size=2))))
    agree(
        Game(
            symbols=pick(2, 5), length=length, batch=pick(1, 3), orders=orders, edges=pick(0, 4), labels=pick(1, 3),
            bits=data.draw(st.sampled_from([8, 24])), likeliest=pick(0, 3), counted_first=pick(0, 4),
            pads=data.draw(st.sampled_from(["paid", "unpaid"])), kept=pick(1, 6), sharpness=pick(1, 12),
        )
    )  # fmt: skip


def test_only_what_is_too_unlikely_to_tell_is_scored_as_the_drawn() -> None:
    chosen, drawn = torch.tensor([[[4, 5, 6]], [[7, 8, 9]]]).int(), torch.tensor([[1], [2]]).int()
    p = torch.tensor([[[1, NEGLIGIBLE, NEGLIGIBLE / 2]], [[0, 1e-6, 1 - 1e-6]]])
    told = likely_or_drawn(chosen, p, drawn)
    assert told.tolist() == [[[4, 5, 1]], [[2, 8, 9]]]
    assert told.permute(2, 1, 0).is_contiguous()
    assert 1 + torch.tensor(NEGLIGIBLE / 2) == 1


@pytest.mark.parametrize("edges", range(5))
@pytest.mark.parametrize("length", [4, 7])
def test_windows_around_a_position_are_those_of_a_row_with_another_symbol_in_it(edges: int, length: int) -> None:
    windows = Windows(4, 5, edges=min(edges, 3))
    rows = torch.randint(4, (3, length), generator=torch.Generator().manual_seed(edges)).int()
    alternatives = torch.tensor([3, 0, 2], dtype=torch.int32)
    codes = windows.replaced(rows, alternatives).view(4, 3, length, 3)
    beyond = {(j, t) for j, positions in windows.beyond_the_edges(length) for t in range(length)[positions]}
    for t in range(length):
        for k, symbol in enumerate(alternatives.tolist()):
            other = rows.clone()
            other[:, t] = symbol
            real = windows.codes(other)  # (row, window); window s begins at position s - edges
            for j in range(4):
                s = t + j - 3 + windows.edges  # earliest first: the window in which the position is the last
                assert ((j, t) in beyond) == (not 0 <= s < real.shape[1])
                if (j, t) not in beyond:
                    assert codes[j, k, t].tolist() == real[:, s].tolist()
