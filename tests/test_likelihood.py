from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from textgan import load, train
from textgan.assemble import build
from textgan.checks import check
from textgan.config import Config
from textgan.contract import Constraint, Output, Term, TermBatch
from textgan.errors import UsageError
from textgan.game.likelihood import _windows, likelihood, teacher_nll, window_likelihood, window_nll
from textgan.game.objectives import OBJECTIVES
from textgan.game.steps import Game, generator_step
from textgan.nets.recurrent import RecurrentGenerator
from textgan.settings import resolve


def test_one_hot_windows_explain_themselves_and_nothing_else() -> None:
    window = torch.tensor([[2, 0, 1]])
    certain = torch.nn.functional.one_hot(window, 3).float().log()
    assert window_nll(window, certain).item() == 0
    assert window_nll(torch.tensor([[2, 0, 2]]), certain).item() == math.inf
    assert window_nll(torch.tensor([[2, 0, 1], [2, 0, 2]]), certain).item() == math.inf


def test_value_by_hand() -> None:
    p = torch.tensor([[[0.5, 0.5], [0.2, 0.8]], [[0.1, 0.9], [0.6, 0.4]]])  # two generated windows of two symbols
    real = torch.tensor([[0, 1], [1, 1], [1, 0]])
    mixture = [(0.5 * 0.8 + 0.1 * 0.4) / 2, (0.5 * 0.8 + 0.9 * 0.4) / 2, (0.5 * 0.2 + 0.9 * 0.6) / 2]
    expected = -sum(map(math.log, mixture)) / (2 * 3)
    assert window_nll(real, p.log()).item() == pytest.approx(expected)


def test_gradients_agree_with_finite_differences(rng: torch.Generator) -> None:
    logits = torch.randn(4, 3, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    real = torch.randint(5, (6, 3), generator=rng)
    assert torch.autograd.gradcheck(lambda x: window_nll(real, x.log_softmax(-1)), [logits])


def test_windows_are_stretches_of_rows_from_every_start(rng: torch.Generator) -> None:
    rows = torch.arange(5 * 6).reshape(5, 6)
    chosen = _windows(rows, 2000, 4, rng)
    assert (chosen[:, 1:] - chosen[:, :-1] == 1).all()
    assert sorted(set(chosen[:, 0].tolist())) == [6 * row + start for row in range(5) for start in range(3)]
    assert _windows(rows.unsqueeze(-1).expand(5, 6, 7), 3, 6, rng).shape == (3, 6, 7)


def test_term_is_the_likelihood_of_the_steps_real_rows(rng: torch.Generator) -> None:
    term = window_likelihood([], symbols=3, order=4, real=50, fake=60)
    rows = torch.tensor([[0, 1, 2, 1]] * 5, dtype=torch.uint8)
    logits = torch.zeros(8, 4, 3).requires_grad_(True)
    batch = TermBatch(Output(logits, logits.softmax(-1), logits.argmax(-1)), rows, None)
    loss, state = term.function(batch, term.initial(), rng=rng)
    assert loss.item() == pytest.approx(math.log(3), abs=1e-5)
    assert state == {}
    (gradient,) = torch.autograd.grad(loss, logits)
    wanted = torch.nn.functional.one_hot(rows[:1].long(), 3).bool().expand(8, 4, 3)
    assert (gradient[wanted] < 0).all()
    assert (gradient[~wanted] > 0).all()


# --- the likelihood proper


def slow_nll(real: Tensor, logits: Tensor, *, ends: bool) -> float:
    """The mean of -log p over the symbols that count, one by one."""
    paid = []
    for row, scores in zip(real.tolist(), logits.tolist(), strict=True):
        for symbol, score in zip(row, scores, strict=True):
            paid.append(-score[symbol] + math.log(sum(math.exp(x) for x in score)))
            if ends and symbol == 0:
                break
    return float(sum(paid) / len(paid))


@pytest.mark.parametrize("ends", [True, False])
def test_likelihood_counts_the_first_pad_and_nothing_after_it(ends: bool, rng: torch.Generator) -> None:
    real = torch.tensor([[1, 2, 3, 0, 0], [0, 0, 0, 0, 0], [3, 3, 3, 3, 3], [2, 0, 1, 0, 2], [1, 1, 1, 1, 0]])
    logits = torch.randn(5, 5, 4, generator=rng, dtype=torch.float64)
    assert teacher_nll(real, logits, ends=ends).item() == pytest.approx(slow_nll(real, logits, ends=ends), abs=1e-12)


def test_likelihood_by_hand() -> None:
    p = torch.tensor([[[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]])
    row = torch.tensor([[1, 0, 1]])
    assert teacher_nll(row, p.log(), ends=True).item() == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    expected = -(math.log(0.8) + math.log(0.5) + math.log(0.1)) / 3
    assert teacher_nll(row, p.log(), ends=False).item() == pytest.approx(expected)


def test_likelihood_pushes_up_the_symbols_that_count_and_leaves_the_others_alone() -> None:
    real = torch.tensor([[2, 0, 1]])
    logits = torch.zeros(1, 3, 3, dtype=torch.float64).requires_grad_(True)
    (gradient,) = torch.autograd.grad(teacher_nll(real, logits, ends=True), logits)
    torch.testing.assert_close(gradient[0, 0], torch.tensor([1 / 6, 1 / 6, -1 / 3], dtype=torch.float64))
    assert gradient[0, 2].abs().max() == 0


class Mute(RecurrentGenerator):
    """A generator that must not be asked for samples."""

    def forward(self, noise: Tensor, relax: Any) -> Output:
        raise AssertionError("nobody looks at samples")


def stepped(net: Any, term: Term, noise: Tensor, rows: Tensor) -> Any:
    game = Game(OBJECTIVES["wasserstein"], 0.0, {}, Constraint(), {"likelihood": (2.0, term)})
    step = generator_step(
        game, net, None, list(net.parameters()), {"likelihood": {}}, noise=noise, relax=lambda x: (x, x), rows=rows,
        real=None, judged=0, rng=torch.Generator(),
    )  # fmt: skip
    return step


def test_a_game_of_likelihood_alone_draws_no_sample_and_reads_real_rows_under_the_steps_noise(
    rng: torch.Generator,
) -> None:
    net = Mute(length=6, symbols=4, latent=3, width=5, blocks=1, kernel=3)
    noise, rows = torch.randn(8, 3, generator=rng), torch.randint(4, (8, 6), generator=rng)
    step = stepped(net, likelihood([], symbols=4, ends=True), noise, rows)
    loss = 2 * teacher_nll(rows, net.teacher(rows, noise), ends=True)
    torch.testing.assert_close(step.gradients, torch.autograd.grad(loss, list(net.parameters())))
    assert step.losses["likelihood"].item() == pytest.approx(loss.item() / 2)


def test_a_term_that_looks_at_samples_has_them(rng: torch.Generator) -> None:
    net = Mute(length=6, symbols=4, latent=3, width=5, blocks=1, kernel=3)
    windows = window_likelihood([], symbols=4, order=2, real=5, fake=5)
    with pytest.raises(AssertionError, match="nobody looks"):
        stepped(net, windows, torch.randn(8, 3), torch.randint(4, (8, 6), generator=rng))


def test_likelihood_learns_a_grammar_to_its_entropy(rng: torch.Generator) -> None:
    """Rows are abab.. or cdcd.., at even odds: one bit a row of 6 symbols."""
    torch.manual_seed(0)
    net = RecurrentGenerator(length=6, symbols=5, latent=2, width=16, blocks=1, kernel=3)
    term, adam = likelihood([], symbols=5, ends=True), torch.optim.Adam(net.parameters(), lr=0.02)
    kinds = torch.tensor([[1, 2, 1, 2, 1, 2], [3, 4, 3, 4, 3, 4]])
    for _ in range(150):
        step = stepped(net, term, torch.randn(32, 2, generator=rng), kinds[torch.arange(32) % 2])
        for parameter, gradient in zip(net.parameters(), step.gradients, strict=True):
            parameter.grad = gradient
        adam.step()
    assert math.log(2) / 6 - 0.001 < step.losses["likelihood"].item() < math.log(2) / 6 + 0.03


def recurrent(text: Path, **flags: Any) -> Config:
    keys = {"generator.net": "recurrent", "critic.net": "none", "count_critic.weight": 0.0, "likelihood.weight": 1.0}
    return resolve("smoke", flags=keys | {"corpus.name": str(text)} | flags).config


@pytest.mark.parametrize("net", ["upsampling", "paper"])
def test_a_net_without_likelihood_is_refused_in_one_line(net: str, tiny_text: Path) -> None:
    line = rf"^likelihood\.weight: the net '{net}' gives no likelihood; set generator\.net to recurrent, lstm, .*$"
    with pytest.raises(UsageError, match=line):
        check(recurrent(tiny_text, **{"generator.net": net}))
    check(recurrent(tiny_text))
    check(recurrent(tiny_text, **{"generator.net": net, "likelihood.weight": 0.0, "count_critic.weight": 1.0}))


@pytest.mark.parametrize("pad", ["own", "backtick"])
def test_rows_end_at_their_first_pad_only_where_pads_are_no_text(pad: str, tiny_text: Path) -> None:
    parts = build(recurrent(tiny_text, **{"text.pad": pad, "text.length": 24}))
    (_, term) = parts.game.terms["likelihood"]
    rows = torch.from_numpy(parts.corpus.train.ids[:64].astype("int64"))
    assert (rows[:, -2:] == 0).any()
    net: Any = parts.state.generator.net
    noise = torch.randn(64, 16)
    nothing = Output(noise, noise, rows)
    loss, _ = term.function(TermBatch(nothing, rows, None, None, partial(net.teacher, noise=noise)), {}, rng=None)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(slow_nll(rows, net.teacher(rows, noise), ends=pad == "own"), rel=1e-5)


GAMES: dict[str, dict[str, Any]] = {
    "alone": {},
    "with critic and counts": {
        "critic.net": "downsampling", "count_critic.weight": 1.0, "generator.relaxation": "straight_through",
        "game.weight": 1.0,
    },
    "no likelihood": {"critic.net": "downsampling", "game.weight": 1.0, "likelihood.weight": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("labelled", [False, True], ids=["plain", "labelled"])
@pytest.mark.parametrize("name", GAMES)
def test_a_recurrent_generator_plays_every_game(
    name: str, labelled: bool, tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = tiny_text.read_text(encoding="utf-8").splitlines()
    rows = [f"{line}\t{len(line.split())}" for line in lines]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    flags = GAMES[name] | {"training.steps": 4, "evaluation.samples": 20, "corpus.name": str(tmp_path / "rows.tsv")}
    config = recurrent(tiny_text, **flags | ({"corpus.label_column": "label"} if labelled else {}))
    outcome = train(config, run=tmp_path / "run")
    assert (outcome.stopped, outcome.step) == ("finished", 4)
    model = load(outcome.folder)
    assert len(model.generate(5)) == len(model.interpolate(0, 1, steps=5)) == 5
    assert bool(model.space.labels) == labelled
    if "likelihood.weight" not in flags:
        row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-2])
        assert 0 < row["generator"]["likelihood"] < 10
