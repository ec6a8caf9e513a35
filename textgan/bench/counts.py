"""A step of the count critic at the sizes of the preset quick: loss, gradient of the logits, draws counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from textgan.bench import text
from textgan.bench.case import Case, Setup, same_tensors
from textgan.bench.plain_counts import PlainCounts
from textgan.contract import Output, State, Term, TermBatch
from textgan.game.counts import count_critic
from textgan.settings import resolve
from textgan.symbols import Symbols

ROWS = 20_000
BATCHES = 16  # so many different ones by turns, lest all that is looked up lie in the cache
SURE = 4.0  # how far the logit of a drawn symbol stands out, as in a generator that has learnt something
FEW = 12  # symbols of the check: so few that every window has an entry of its own, and no hash plays a part


class Batch(NamedTuple):
    """Logits (batch, position, symbol), and the ids (batch, position) that were drawn of them."""

    logits: Tensor
    ids: Tensor


class Ours:
    """The term, and its state."""

    def __init__(self, term: Term) -> None:
        self.term, self.state = term, term.initial()

    def step(self, batch: Batch) -> Tensor:
        """Return loss and gradient of a batch, joined."""
        logits = batch.logits.requires_grad_(True)
        loss, self.state = self._loss(logits, batch.ids)
        return _joined(loss, logits)

    def _loss(self, logits: Tensor, ids: Tensor) -> tuple[Tensor, State]:
        output = Output(logits, logits, ids)
        return self.term.function(TermBatch(output, ids, None), self.state, rng=torch.Generator())


def case(setup: Setup) -> Case:
    """Return the row."""
    config = resolve("quick").config
    settings, batch = config.count_critic.model_dump(exclude={"weight"}), config.training.batch
    rows, symbols = _rows(config.text.length)
    ours, plain = sides(setup, rows, symbols, settings)
    ours_next, plain_next = (cycle(list(batches(setup, rows, symbols, batch))) for _ in range(2))
    return Case(
        "count_critic_step",
        lambda: ours.step(next(ours_next)),
        lambda: plain_step(plain, next(plain_next)),
        lambda: check(setup, rows, settings, batch),
        {"batch": batch, "length": rows.shape[1], "symbols": symbols, "orders": settings["orders"]}
        | {"likeliest": settings["likeliest"]},
    )


def sides(setup: Setup, rows: Tensor, symbols: int, settings: dict[str, Any]) -> tuple[Ours, PlainCounts]:
    """Return the term and its plain form for rows of training ids (row, position)."""
    term = count_critic([rows], symbols=symbols, device=setup.device, ends=True, **settings)
    return Ours(term), PlainCounts(rows.to(setup.device), symbols=symbols, **settings)


def batches(setup: Setup, rows: Tensor, symbols: int, batch: int) -> Iterator[Batch]:
    """Yield batches as of a generator that has learnt something: rows of text, but for a sixth of the symbols."""
    rng = torch.Generator().manual_seed(0)
    for _ in range(BATCHES):
        ids = rows[torch.randint(len(rows), (batch,), generator=rng)]
        wrong = torch.rand(ids.shape, generator=rng) < 1 / 6
        ids = torch.where(wrong, torch.randint(symbols, ids.shape, generator=rng), ids)
        logits = torch.randn(*ids.shape, symbols, generator=rng)
        logits.scatter_add_(2, ids.unsqueeze(2), torch.full((*ids.shape, 1), SURE))
        yield Batch(logits.to(setup.device), ids.to(setup.device))


def plain_step(plain: PlainCounts, batch: Batch) -> Tensor:
    """Return loss and gradient of a batch, joined."""
    logits = batch.logits.requires_grad_(True)
    return _joined(plain.loss(logits, batch.ids), logits)


def check(setup: Setup, rows: Tensor, settings: dict[str, Any], batch: int) -> None:
    """Refuse a term whose loss or gradient is not the plain one over three steps, with few symbols and no hash."""
    few = rows.clamp(max=FEW - 1)
    ours, plain = sides(setup, few, FEW, settings)
    for made, _ in zip(batches(setup, few, FEW, batch), range(3), strict=False):
        found, expected = ours.step(made), plain_step(plain, made)
        parts = {"loss": slice(0, 1), "gradient of the logits": slice(1, None)}
        same_tensors(
            "count_critic_step",
            {name: found[part] for name, part in parts.items()},
            {name: expected[part] for name, part in parts.items()},
        )


def _joined(loss: Tensor, logits: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, logits)
    return torch.cat([loss.detach().view(1), gradient.flatten()])


def _rows(length: int) -> tuple[Tensor, int]:
    """Return rows of ids (row, position) of made-up text, ids by falling frequency, and the number of ids."""
    lines = text.lines(ROWS, seed=0)
    characters, counted = np.unique(np.array(list("".join(lines))), return_counts=True)
    space = Symbols(tuple(characters[np.argsort(-counted, kind="stable")].tolist()), length)
    return torch.from_numpy(space.encode(lines).astype("int64")), space.size
