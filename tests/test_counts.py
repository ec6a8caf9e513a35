from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from textgan.contract import Output, State, Term, TermBatch
from textgan.game import counts
from textgan.game.counts import Table, count_critic, likeliest_classes, merge_rare, tables
from textgan.game.windows import Windows

Window = tuple[int, ...]


def windows_of(rows: Tensor, n: int) -> list[Window]:
    return [tuple(row[s : s + n]) for row in rows.tolist() for s in range(rows.shape[1] - n + 1)]


def shares(rows: Tensor, n: int) -> dict[Window, float]:
    """Oracle: the frequency of each window."""
    found = Counter(windows_of(rows, n))
    return {window: count / found.total() for window, count in found.items()}


def oracle_reward(p: dict[Window, float], q: dict[Window, float], window: Window, clip: float) -> float:
    other = q.get(window, 0.0) + 1e-7
    return min(0.5 * math.log2((p.get(window, 0.0) + other) / (2 * other)), clip)


def reward_of(table: Table, windows: Tensor, state: State, labels: Tensor | None = None) -> Tensor:
    """Rewards (window,) clipped at 0.7 of windows (window, symbol): each alone in a row without edges."""
    alone = replace(table, windows=replace(table.windows, edges=0))
    return alone.rewards(windows.int(), windows.int().unsqueeze(2), state, 0.7, labels)[:, 0, 0]


def oracle_rewards_of(corpus: Tensor, earlier: Tensor, drawn: Tensor, chosen: Tensor, orders: Iterable[int]) -> Tensor:
    """Oracle: replace every symbol by each chosen one, and add up the rewards of the windows it is in."""
    per_order = []
    for n in orders:
        p, q, out = shares(corpus, n), shares(earlier, n), torch.zeros(chosen.shape)
        for i, t, k in itertools.product(*map(range, chosen.shape)):
            row = drawn[i].tolist()
            other = [*row[:t], int(chosen[i, t, k]), *row[t + 1 :]]
            starts = range(max(0, t - n + 1), min(t, len(row) - n) + 1)
            out[i, t, k] = sum(oracle_reward(p, q, tuple(other[s : s + n]), 0.7) for s in starts)
        per_order.append(out)
    return torch.stack(per_order).mean(0)


def oracle_rewards(corpus: Tensor, earlier: Tensor, drawn: Tensor, classes: int, orders: Iterable[int]) -> Tensor:
    """Oracle: the rewards of every class at every position."""
    return oracle_rewards_of(corpus, earlier, drawn, torch.arange(classes).expand(*drawn.shape, classes), orders)


def every_row(classes: int, length: int) -> Tensor:
    return torch.tensor(list(itertools.product(range(classes), repeat=length)), dtype=torch.int32)


def row(*symbols: int) -> Tensor:
    return torch.tensor([symbols], dtype=torch.int32)


def term_of(corpus: Tensor, symbols: int, orders: tuple[int, ...], *, kept: int = 80, likeliest: int = 0) -> Term:
    return count_critic(
        [corpus[:7], corpus[7:]], symbols=symbols, orders=orders, clip=0.7, forgetting=0.85, kept=kept,
        likeliest=likeliest,
    )  # fmt: skip


def fresh(term: Term) -> State:
    return term.initial()


def after_drawing(term: Term, ids: Tensor, symbols: int) -> State:
    """Return the term's state after one step that drew these ids."""
    return term.function(batch_of(torch.zeros(*ids.shape, symbols), ids), fresh(term), rng=torch.Generator())[1]


def batch_of(logits: Tensor, ids: Tensor) -> TermBatch:
    return TermBatch(Output(logits, logits.softmax(-1), ids), ids, None)


@pytest.fixture
def corpus(rng: torch.Generator) -> Tensor:
    return torch.randint(4, (30, 7), generator=rng, dtype=torch.int32).clamp(max=2)  # 2 is common, 3 is not there


@pytest.fixture
def earlier(rng: torch.Generator) -> Tensor:
    """What the generator drew one step before."""
    return torch.randint(4, (5, 7), generator=rng)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_corpus_frequencies_are_those_of_a_slow_count(n: int, corpus: Tensor) -> None:
    (table,) = tables([corpus[:11], corpus[11:]], orders=[n], classes=4)
    assert table.real.sum().item() == pytest.approx(1)
    expected = shares(corpus, n)
    for window in itertools.product(range(4), repeat=n):
        code = table.windows.codes(row(*window))
        assert table.real[table.windows.slots(code)].item() == pytest.approx(expected.get(window, 0.0))


def test_where_generated_and_real_windows_agree_every_reward_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "PRIOR", 0.0)
    rows = every_row(3, 4)
    (table,) = tables([rows], orders=[2], classes=3)
    state = table.count(rows, table.empty(), 0.85)
    rewards = table.rewards(rows, torch.arange(3, dtype=torch.int32), state, 0.7)
    assert (table.real > 0).all()
    assert rewards.abs().max() < 1e-5


def test_a_window_that_neither_side_has_costs_a_half_and_a_missing_one_pays_the_clip() -> None:
    (table,) = tables([row(0, 1, 0, 1)], orders=[2], classes=3)
    state = table.count(row(1, 1, 1, 1), table.empty(), 0.85)
    windows = torch.cat([row(2, 2), row(0, 1), row(1, 1)])
    reward = reward_of(table, windows, state)
    assert reward[0].item() == pytest.approx(-0.5)
    assert reward[1].item() == pytest.approx(0.7)
    assert reward[2].item() == pytest.approx(-0.5, abs=1e-4)  # drawn, never real: the bound


def test_a_reward_between_the_bounds_by_hand() -> None:
    (table,) = tables([row(0, 0, 0, 1)], orders=[1], classes=2)  # P = 3/4, 1/4
    state = table.count(row(0, 1), table.empty(), 0.85)  # Q = 1/2, 1/2
    reward = reward_of(table, torch.tensor([[0], [1]]), state)
    assert reward.tolist() == pytest.approx([0.5 * math.log2(1.25), 0.5 * math.log2(0.75)], abs=1e-5)


@pytest.mark.parametrize("orders", [(1,), (2,), (3,), (2, 3), (7,)])
def test_loss_agrees_with_every_replacement_tried_in_turn(
    orders: tuple[int, ...], corpus: Tensor, earlier: Tensor, rng: torch.Generator
) -> None:
    logits, drawn = torch.randn(3, 7, 4, generator=rng), torch.randint(4, (3, 7), generator=rng)
    term = term_of(corpus, 4, orders)
    loss, _ = term.function(batch_of(logits, drawn), after_drawing(term, earlier, 4), rng=rng)
    expected = oracle_rewards(corpus, earlier, drawn, 4, orders)
    assert loss.item() == pytest.approx(-(logits.softmax(-1) * expected).sum(-1).mean().item(), abs=1e-5)


def test_rewards_are_held_fixed_in_the_gradient(corpus: Tensor, earlier: Tensor, rng: torch.Generator) -> None:
    logits = torch.randn(3, 7, 4, generator=rng).requires_grad_(True)
    drawn = torch.randint(4, (3, 7), generator=rng)
    term = term_of(corpus, 4, (2, 3))
    loss, _ = term.function(batch_of(logits, drawn), after_drawing(term, earlier, 4), rng=rng)
    (ours,) = torch.autograd.grad(loss, logits)
    fixed = oracle_rewards(corpus, earlier, drawn, 4, (2, 3))
    (expected,) = torch.autograd.grad(-(logits.softmax(-1) * fixed).sum() / 21, logits)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-3)


def test_rare_symbols_share_one_class(rng: torch.Generator) -> None:
    corpus, drawn = torch.randint(6, (30, 5), generator=rng), torch.randint(6, (2, 5), generator=rng)
    logits, earlier = torch.randn(2, 5, 6, generator=rng), torch.randint(6, (3, 5), generator=rng)
    term = term_of(corpus, 6, (2,), kept=3)
    loss, _ = term.function(batch_of(logits, drawn), after_drawing(term, earlier, 6), rng=rng)
    expected = oracle_rewards(corpus.clamp(max=3), earlier.clamp(max=3), drawn.clamp(max=3), 4, (2,))
    p = logits.softmax(-1)
    merged = torch.cat([p[..., :3], p[..., 3:].sum(-1, keepdim=True)], -1)
    torch.testing.assert_close(merge_rare(p, 4), merged)
    assert loss.item() == pytest.approx(-(merged * expected).sum(-1).mean().item(), abs=1e-5)


def exact_divergence(p: Tensor, logits: Tensor, n: int) -> Tensor:
    """JSD in bits between P over n-grams and those of rows drawn independently a position from softmax(logits)."""
    probabilities, (length, classes) = logits.softmax(-1), logits.shape
    q = torch.zeros(classes**n, dtype=torch.float64)
    for s in range(length - n + 1):
        joint = probabilities[s]
        for j in range(1, n):
            joint = (joint.unsqueeze(-1) * probabilities[s + j]).reshape(-1, classes)
        q = q + joint.flatten() / (length - n + 1)
    m = (p + q) / 2
    return 0.5 * (torch.xlogy(p, p / m) + (q * (q / m).log())).sum() / math.log(2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradient_is_that_of_the_divergence_as_samples_grow(n: int, rng: torch.Generator) -> None:
    length, classes, batch = 5, 3, 100_000
    corpus = (
        torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), 400 * length, True, generator=rng).int().reshape(-1, length)
    )
    logits = torch.randn(length, classes, generator=rng, dtype=torch.float64).requires_grad_(True)
    earlier, ids = (torch.multinomial(logits.detach().softmax(-1), batch, True, generator=rng).T for _ in range(2))
    term = count_critic([corpus], symbols=classes, orders=(n,), clip=10.0, forgetting=0.85, kept=80)
    state = after_drawing(term, earlier, classes)
    loss, _ = term.function(batch_of(logits.float().expand(batch, -1, -1), ids), state, rng=rng)
    (ours,) = torch.autograd.grad(loss, logits)
    (table,) = tables([corpus], orders=[n], classes=classes)
    (expected,) = torch.autograd.grad(exact_divergence(table.real.double(), logits, n), logits)
    error = (ours * length / (length - n + 1) - expected).norm() / expected.norm()
    assert error.item() < 0.02


def test_hashed_and_dense_tables_agree_where_no_windows_collide(rng: torch.Generator) -> None:
    corpus = torch.randint(2, (30, 11), generator=rng, dtype=torch.int32)  # 2 of 4 symbols: 1,024 of 4**10 windows
    (dense,), (hashed,) = (tables([corpus], orders=[10], classes=4, bits=bits) for bits in (20, 19))
    assert (dense.windows.exact, hashed.windows.exact) == (True, False)
    drawn, options = corpus[:5].flip(0), torch.arange(2, dtype=torch.int32)
    results, slots = [], []
    for table in (dense, hashed):
        state = table.count(drawn, table.empty(), 0.85)
        results.append(table.rewards(drawn, options, state, 0.7))
        slots.append(set(table.windows.slots(table.windows.codes(every_row(2, 10))).flatten().tolist()))
    assert len(slots[0]) == len(slots[1]) == 1024  # no collisions here
    assert torch.equal(*results)


def test_hashed_slots_stay_in_the_table_and_spread(rng: torch.Generator) -> None:
    windows = Windows(order=12, classes=81)
    assert not windows.exact
    rows = torch.randint(81, (20_000, 12), generator=rng, dtype=torch.int32)
    slots = windows.slots(windows.codes(torch.cat([rows, torch.full((1, 12), 80, dtype=torch.int32)])))
    assert slots.min() >= 0
    assert slots.max() < windows.size == 1 << 24
    assert len(set(slots.flatten().tolist())) > 19_950  # of 20,001 at random, 12 pairs are expected to meet
    neighbours = rows[:1].repeat(81, 1)
    neighbours[:, 5] = torch.arange(81)
    assert len(set(windows.slots(windows.codes(neighbours)).flatten().tolist())) == 81


def test_scoring_as_many_likeliest_as_there_are_changes_nothing_but_the_mean(
    corpus: Tensor, earlier: Tensor, rng: torch.Generator
) -> None:
    start, drawn = torch.randn(3, 7, 4, generator=rng), torch.randint(4, (3, 7), generator=rng)
    gradients, losses = [], []
    for likeliest in (0, 4):
        logits, term = start.clone().requires_grad_(True), term_of(corpus, 4, (2, 3), likeliest=likeliest)
        loss, _ = term.function(batch_of(logits, drawn), after_drawing(term, earlier, 4), rng=rng)
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, logits)[0])
    torch.testing.assert_close(*gradients)
    assert losses[0] != pytest.approx(0)
    assert losses[1] == pytest.approx(0, abs=1e-6)


def test_scoring_the_likeliest_only(corpus: Tensor, earlier: Tensor, rng: torch.Generator) -> None:
    start, drawn = torch.randn(3, 7, 4, generator=rng), torch.randint(4, (3, 7), generator=rng)
    logits, term = start.clone().requires_grad_(True), term_of(corpus, 4, (2,), likeliest=2)
    loss, _ = term.function(batch_of(logits, drawn), after_drawing(term, earlier, 4), rng=rng)
    p = logits.softmax(-1)
    best, chosen = p.topk(2, dim=-1)
    reward = oracle_rewards(corpus, earlier, drawn, 4, (2,)).gather(-1, chosen)
    reward = reward - ((best * reward).sum(-1) / best.sum(-1)).detach().unsqueeze(-1)
    (ours,), (expected,) = (
        torch.autograd.grad(x, logits, retain_graph=True) for x in (loss, -(best * reward.detach()).sum(-1).mean())
    )
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)
    _, all_classes = likeliest_classes(p, 4)
    assert torch.equal(all_classes, p)


def test_counts_forget_a_share_at_every_step_across_rescaling(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "SWEPT", 4)  # of 9 entries
    (table,) = tables([every_row(3, 2)], orders=[2], classes=3)
    state, expected, total = table.empty(), torch.zeros(9, dtype=torch.float64), 0.0
    for _ in range(40):  # increments reach 2^14 > LARGEST several times
        rows = torch.randint(3, (8, 4), generator=rng, dtype=torch.int32)
        state = table.count(rows, state, 0.5)
        expected, total = expected * 0.5, total * 0.5 + 24
        for a, b in windows_of(rows, 2):
            expected[3 * a + b] += 1
        assert state["increment"] <= 2 * counts.LARGEST
        torch.testing.assert_close(
            (state["pairs"][:, 1] / state["total"]).double(), expected / total, atol=1e-5, rtol=1e-5
        )


def test_pack_keeps_every_count_exactly(corpus: Tensor, rng: torch.Generator) -> None:
    term = term_of(corpus, 4, (1, 2, 5))
    drawn = fresh(term)
    for _ in range(3):
        ids = torch.randint(4, (2, 7), generator=rng)
        _, drawn = term.function(batch_of(torch.randn(2, 7, 4, generator=rng), ids), drawn, rng=rng)
    assert term.pack(drawn)["5.counts"].numel() < 30  # of 1,024 entries
    again = term_of(corpus, 4, (1, 2, 5))
    for before in (drawn, fresh(term_of(corpus, 4, (1, 2, 5)))):
        after = again.unpack(term.pack(before))
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert all(after[name].dtype == before[name].dtype for name in before)


def test_draws_are_scored_against_the_steps_before_and_then_counted(corpus: Tensor, rng: torch.Generator) -> None:
    term, ids = term_of(corpus, 4, (2,)), torch.zeros(2, 7, dtype=torch.int64)
    _, state = term.function(batch_of(torch.zeros(2, 7, 4), ids), fresh(term), rng=rng)
    counts = state["2.pairs"][:, 1]
    assert counts.nonzero().tolist() == [[0]]
    assert (counts / state["2.total"])[0].item() == pytest.approx(1)
    first = term.function(batch_of(torch.zeros(2, 7, 4), ids), fresh(term), rng=rng)[0]
    second = term.function(batch_of(torch.zeros(2, 7, 4), ids), state, rng=rng)[0]
    assert first < second  # nothing had been drawn yet, so all that is real paid the most


def test_orders_that_are_counted_first_pay_for_themselves(corpus: Tensor, rng: torch.Generator) -> None:
    logits = torch.randn(3, 7, 4, generator=rng)
    ids = torch.randint(4, (3, 7), generator=rng)

    def play(first: int) -> tuple[Tensor, State]:
        settings = {"orders": (2, 3), "clip": 0.7, "forgetting": 0.5, "kept": 10, "counted_first": first}
        term = count_critic([corpus], symbols=4, **settings)  # type: ignore[arg-type]
        return term.function(batch_of(logits, ids), fresh(term), rng=rng)

    assert play(0)[0] == play(1)[0] < play(2)[0] < play(3)[0] == play(9)[0]
    one, other = play(0)[1], play(3)[1]
    assert all(torch.equal(one[name], other[name]) for name in one)  # what is counted is the same


def labelled_shares(rows: Tensor, labels: Tensor, n: int) -> dict[Window, float]:
    """Oracle: the frequency of each (label, *window)."""
    found = Counter(
        (label, *window)
        for one, label in zip(rows.unsqueeze(1), labels.tolist(), strict=True)
        for window in windows_of(one, n)
    )
    return {window: count / found.total() for window, count in found.items()}


def edged(rows: Tensor, edges: int, edge: int) -> Tensor:
    return torch.nn.functional.pad(rows, (edges, edges), value=edge)


@pytest.mark.parametrize("edges", [0, 1])
def test_with_labels_loss_agrees_with_every_replacement_tried_in_turn(
    edges: int, corpus: Tensor, earlier: Tensor, rng: torch.Generator
) -> None:
    labels, before, now = torch.randint(3, (30,), generator=rng), torch.tensor([0, 2, 2, 1, 0]), torch.tensor([2, 0, 1])
    logits, drawn = torch.randn(3, 7, 4, generator=rng), torch.randint(4, (3, 7), generator=rng)
    term = count_critic(
        [corpus[:7], corpus[7:]], symbols=4, orders=(2, 3), clip=0.7, forgetting=0.85, kept=80, edges=edges,
        labels=3, row_labels=[labels[:7], labels[7:]],
    )  # fmt: skip
    first = batch_of(torch.zeros(5, 7, 4), earlier)._replace(labels=before)
    state = term.function(first, fresh(term), rng=rng)[1]
    loss, _ = term.function(batch_of(logits, drawn)._replace(labels=now), state, rng=rng)
    total = torch.zeros(3, 7, 4)
    for n in (2, 3):
        p, q = (
            labelled_shares(edged(*x), y, n) for x, y in (((corpus, edges, 4), labels), ((earlier, edges, 4), before))
        )
        for i, t, v in itertools.product(range(3), range(7), range(4)):
            other = edged(row(*drawn[i, :t].tolist(), v, *drawn[i, t + 1 :].tolist()), edges, 4)[0].tolist()
            starts = [s for s in range(len(other) - n + 1) if s <= t + edges < s + n]
            found = [oracle_reward(p, q, (int(now[i]), *other[s : s + n]), 0.7) for s in starts]
            total[i, t, v] += sum(found) / 2
    assert loss.item() == pytest.approx(-(logits.softmax(-1) * total).sum(-1).mean().item(), abs=1e-5)


def test_labels_are_counted_first_or_last_alike(corpus: Tensor, earlier: Tensor, rng: torch.Generator) -> None:
    labels = torch.tensor([0, 2, 2, 1, 0])
    batch = batch_of(torch.zeros(5, 7, 4), earlier)._replace(labels=labels)
    states = []
    for first in (0, 2):
        term = count_critic(
            [corpus], symbols=4, orders=(2,), clip=0.7, forgetting=0.85, kept=80, counted_first=first,
            labels=3, row_labels=[torch.zeros(30)],
        )  # fmt: skip
        states.append(term.function(batch, fresh(term), rng=rng)[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_hashed_and_dense_tables_with_labels_agree_where_no_windows_collide(rng: torch.Generator) -> None:
    corpus = torch.randint(2, (30, 11), generator=rng, dtype=torch.int32)
    labels, now = torch.randint(2, (30,), generator=rng), torch.tensor([0, 1, 1, 0, 1])
    results = []
    for bits in (21, 20):
        (table,) = tables([corpus], orders=[10], classes=4, bits=bits, labels=2, row_labels=[labels])
        assert table.windows.exact == (bits == 21)
        state = table.count(corpus[:5].flip(0), table.empty(), 0.85, now)
        options = torch.arange(2, dtype=torch.int32)
        results.append(table.rewards(corpus[:5].flip(0), options, state, 0.7, now))
    assert torch.equal(*results)


def test_every_label_and_window_has_an_entry_of_its_own() -> None:
    windows = Windows(3, 4, 10, labels=5)
    assert (windows.exact, windows.size) == (True, 320)
    slots = [windows.slots(windows.codes(every_row(4, 3), torch.full((64,), label))) for label in range(5)]
    assert sorted(torch.cat(slots).flatten().tolist()) == list(range(320))
    assert not Windows(3, 4, 8, labels=5).exact
    assert Windows(3, 4, 8, labels=4).exact


def test_hashed_windows_of_different_labels_are_apart() -> None:
    windows = Windows(order=12, classes=81, labels=1000)
    slots = windows.slots(windows.codes(torch.ones(1000, 12, dtype=torch.int32), torch.arange(1000)))
    assert len(set(slots.flatten().tolist())) == 1000


def test_where_all_rows_have_one_label_it_changes_nothing(
    corpus: Tensor, earlier: Tensor, rng: torch.Generator
) -> None:
    logits = torch.randn(5, 7, 4, generator=rng)
    plain = term_of(corpus, 4, (2, 3))
    term = count_critic(
        [corpus], symbols=4, orders=(2, 3), clip=0.7, forgetting=0.85, kept=80, labels=1,
        row_labels=[torch.zeros(30, dtype=torch.int64)],
    )  # fmt: skip
    batch = batch_of(logits, earlier)
    one, two = (
        t.function(b, fresh(t), rng=rng)
        for t, b in ((plain, batch), (term, batch._replace(labels=torch.zeros(5, dtype=torch.int64))))
    )
    assert torch.equal(one[0], two[0])
    assert all(torch.equal(one[1][name], two[1][name]) for name in one[1])


def test_codes_by_hand() -> None:
    windows = Windows(2, 3)
    table = Table(windows, torch.full((9,), 1 / 9))
    assert windows.codes(row(0, 1, 2)).tolist() == [[1, 5]]
    assert Windows(2, 3, labels=4).codes(row(0, 1, 2), torch.tensor([3])).tolist() == [[28, 32]]
    assert table.empty()["pairs"].flatten().tolist() == pytest.approx([1 / 9, 0] * 9)


# --- thousands of symbols -------------------------------------------------------------------------------------------

MANY = 5000


@pytest.mark.parametrize("kept", [MANY, 3000])
def test_thousands_of_symbols_agree_with_every_likely_replacement_tried_in_turn(
    kept: int, rng: torch.Generator
) -> None:
    common = torch.tensor([0, 1, 70, 2900, 4000, 4999])  # of which the last two share a class where 3000 are kept
    corpus, earlier, ids = (common[torch.randint(6, (n, 6), generator=rng)] for n in (12, 4, 3))
    logits = torch.randn(3, 6, MANY, generator=rng)
    logits[..., common] += 8  # most of the likeliest stand in the corpus
    logits.requires_grad_(True)
    term = term_of(corpus, MANY, (1, 2, 3), kept=kept, likeliest=12)
    loss, _ = term.function(batch_of(logits, ids), after_drawing(term, earlier, MANY), rng=rng)
    (gradient,) = torch.autograd.grad(loss, logits)

    classes = min(MANY, kept + 1)
    softmax = logits.softmax(-1)
    p, chosen = torch.cat([softmax[..., : classes - 1], softmax[..., classes - 1 :].sum(-1, True)], -1).topk(12)
    seen, before, now = (rows.clamp(max=classes - 1) for rows in (corpus, earlier, ids))
    reward = oracle_rewards_of(seen, before, now, chosen, (1, 2, 3))
    assert reward.std() > 0.1
    reward -= ((p * reward).sum(-1, keepdim=True) / p.sum(-1, keepdim=True)).detach()
    (expected,) = torch.autograd.grad(-(p * reward.detach()).sum(-1).mean(), logits)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("kept", [MANY, 3000])
def test_thousands_of_symbols_take_no_more_than_a_softmax_and_a_few(kept: int, rng: torch.Generator) -> None:
    corpus, ids = (torch.randint(MANY, (n, 16), generator=rng) for n in (10, 8))
    term = count_critic(
        [corpus], symbols=MANY, orders=(1, 2, 3), clip=0.7, forgetting=0.85, kept=kept, likeliest=12, bits=8
    )
    state, logits = term.initial(), torch.randn(8, 16, MANY, generator=rng, requires_grad=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        torch.autograd.grad(term.function(TermBatch(Output(logits, logits, ids), ids, None), state, rng=rng)[0], logits)
    taken = [event.self_cpu_memory_usage for event in profile.events()]
    simplex = 4 * logits.numel()
    assert sum(size >= simplex // 2 for size in taken) <= 6
    assert max(taken) <= simplex


@pytest.mark.parametrize("edges", [0, 2])
@pytest.mark.parametrize("labels", [1, 2])
def test_unpaid_pads_change_the_reward_of_windows_of_padding_alone(
    edges: int, labels: int, rng: torch.Generator
) -> None:
    rows = torch.randint(0, 3, (200, 6), generator=rng).sort(dim=1, descending=True).values  # 0 is the pad
    names = torch.randint(0, labels, (200,), generator=rng) if labels > 1 else None
    beside = None if names is None else [names]
    (paid,) = tables([rows.int()], orders=[3], classes=3, edges=edges, labels=labels, row_labels=beside)
    unpaid = replace(paid, pads_paid=False)
    windows = paid.windows
    drawn, drawn_labels = rows[:80].int(), None if names is None else names[:80]
    every = every_row(windows.classes, 3).repeat(labels, 1)  # by their entries
    of = torch.arange(labels).repeat_interleave(windows.classes**3) if labels > 1 else None
    blank = torch.zeros(windows.size, dtype=torch.bool)
    blank[unpaid.blank] = True
    assert len(unpaid.blank) == labels * (1 + 2 * windows.edges)  # pads alone, and edges on either side of pads
    kinds = (paid, unpaid)
    before = [reward_of(table, every, table.empty(), of) for table in kinds]
    assert torch.equal(before[1][~blank], before[0][~blank])
    assert before[0][blank].max() == pytest.approx(0.7)
    torch.testing.assert_close(before[1][blank], before[0][blank].clamp(max=0))
    states = [table.count(drawn, table.empty(), 0.9, drawn_labels) for table in kinds]
    for _ in range(3):  # too many pads
        states = [table.count(0 * drawn, state, 0.9, drawn_labels) for table, state in zip(kinds, states, strict=True)]
    plain, bounded = (reward_of(table, every, state, of) for table, state in zip(kinds, states, strict=True))
    assert torch.equal(bounded[~blank], plain[~blank])
    torch.testing.assert_close(bounded[blank], plain[blank].clamp(max=0))
    assert (plain[blank] < -0.1).any()
    assert torch.equal(unpaid.unpack(unpaid.pack(states[1]))["pairs"], states[1]["pairs"])
