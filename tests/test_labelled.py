"""Labelled corpora from the composition root to the lines of a label."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textgan import assemble, measure, runs
from textgan.assemble import build
from textgan.checks import check
from textgan.config import Config
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus
from textgan.errors import UsageError
from textgan.game.conditions import bind_critic
from textgan.model import load
from textgan.nets.conditional import AuxiliaryCritic, ConditionalGenerator, ProjectionCritic
from textgan.opening import open_corpus
from textgan.runs import Silence
from textgan.settings import resolve
from textgan.training import checkpoint

LABELS = ("letters", "digits")
GAMES: dict[str, dict[str, Any]] = {
    "projection": {"training.steps": 300},
    "auxiliary": {"game.condition": "auxiliary"},
    "relativistic": {"game.objective": "relativistic", "critic.batch": 8, "critic.every": 2},
    "counts": {"critic.net": "none"},
    "critic alone": {"count_critic.weight": 0.0, "game.weight": 1.0},
}


def labelled(corpus: Corpus[Any]) -> Corpus[Any]:
    """The corpus with a label for each row, by its first character."""

    def with_labels(rows: Rows) -> Rows:
        lines = corpus.space.decode(rows.ids)
        return replace(rows, labels=np.array([line[:1].isdigit() for line in lines], dtype=np.uint16))

    train, heldout = with_labels(corpus.train), with_labels(corpus.heldout)
    assert train.labels is not None
    counts = dict(zip(LABELS, np.bincount(train.labels).tolist(), strict=True))
    space = replace(corpus.space, labels=LABELS)
    return replace(corpus, space=space, train=train, heldout=heldout, facts=corpus.facts | {"labels": counts})


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 lines of letters and 100 of digits."""
    pick = random.Random(0)
    lines = ["".join(pick.choices(symbols, k=8)) for symbols in ["abc"] * 300 + ["123"] * 100]
    path = tmp_path_factory.mktemp("text") / "two.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def configured(text: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Settings of a small run on that text, whose lines now have labels."""
    monkeypatch.setattr(assemble, "open_corpus", lambda *arguments: labelled(open_corpus(*arguments)))

    def config(**flags: Any) -> Config:
        keys = {"corpus.name": str(text), "text.length": 8, "evaluation.samples": 50}
        return resolve("smoke", flags=keys | flags).config

    return config


def test_labels_reach_the_nets_the_terms_and_the_batches(configured: Callable[..., Config]) -> None:
    parts = build(configured())
    assert isinstance(parts.state.generator.net, ConditionalGenerator)
    assert parts.state.critic is not None
    assert isinstance(parts.state.critic.net, ProjectionCritic)
    assert parts.game.classification is None
    state = parts.state.states["count_critic"]
    size = parts.corpus.space.size
    assert state["2.pairs"].shape == (2 * size**2, 2)
    digits = state["2.pairs"][size**2 :, 0].sum().item()
    assert parts.corpus.train.labels is not None
    assert digits == pytest.approx(parts.corpus.train.labels.mean())
    parts = build(configured(**{"game.condition": "auxiliary", "game.classification": (3.0, 0.5)}))
    assert parts.state.critic is not None
    assert isinstance(parts.state.critic.net, AuxiliaryCritic)
    assert parts.game.classification == (3.0, 0.5)


def test_a_corpus_without_labels_is_played_as_ever(text: Path) -> None:
    config = resolve("smoke", flags={"corpus.name": str(text), "game.condition": "auxiliary"}).config
    parts = build(config)
    assert parts.state.critic is not None
    nets = [parts.state.generator.net, parts.state.critic.net]
    assert [type(net).__name__ for net in nets] == ["UpsamplingGenerator", "DownsamplingCritic"]
    assert (parts.game.classification, parts.source.labels) == (None, None)


def test_window_likelihood_is_refused_on_labels(configured: Callable[..., Config]) -> None:
    with pytest.raises(UsageError, match=r"^window_likelihood\.weight: must be 0 on a labelled corpus"):
        check(configured(**{"window_likelihood.weight": 1.0, "corpus.label_column": "label"}))


@pytest.mark.parametrize("game", GAMES)
def test_an_interrupted_run_with_labels_ends_as_the_whole_run(
    game: str, configured: Callable[..., Config], tmp_path: Path
) -> None:
    class Interrupted(Silence):
        def step(self, step: int, row: dict[str, Any]) -> None:
            if step == 5:
                signal.raise_signal(signal.SIGTERM)

    config = configured(**GAMES[game] | {"training.steps": 8, "training.evaluate_every": 4})
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    runs.train(config, whole)
    assert runs.train(config, resumed, watch=Interrupted()).stopped == "SIGTERM"
    runs.train(config, resumed, resume=True)
    one, other = (checkpoint.load(run / "checkpoints", 8)[0] for run in (whole, resumed))
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert load(whole).generate(30, seed=2) == load(resumed).generate(30, seed=2)
    assert load(whole).generate(30, label="digits") == load(resumed).generate(30, label="digits")


@pytest.mark.parametrize("game", ["projection", "auxiliary"])
def test_the_critics_check_scores_each_side_under_its_own_labels(game: str, configured: Callable[..., Config]) -> None:
    parts = build(configured(**GAMES[game]))
    assert parts.state.critic is not None
    net: Any = parts.state.critic.net
    checked = measure.critic_check(parts)["critic"]
    assert checked == measure.critic_check(parts)["critic"]
    rows = parts.corpus.heldout
    assert rows.labels is not None
    critic = bind_critic(net, torch.from_numpy(rows.labels.astype(np.int64)))
    with torch.no_grad():
        expected = critic(parts.source.to_sample(torch.from_numpy(rows.ids.astype(np.int64)))).mean().item()
    assert checked["heldout"] == pytest.approx(expected, abs=0.1)
    if game == "projection":
        with torch.no_grad():
            net.embedding.weight[1].add_(10)  # letters are scored as before
        moved = measure.critic_check(parts)["critic"]
        assert all(abs(moved[side] - checked[side]) > 0.5 for side in ("train", "heldout", "fake"))


def test_the_critics_check_pairs_generated_rows_with_training_rows_of_their_labels(
    configured: Callable[..., Config],
) -> None:
    parts, seen = build(configured()), dict[str, list[torch.Tensor]]()
    assert parts.state.critic is not None
    for name, net in (("generator", parts.state.generator.net), ("critic", parts.state.critic.net)):

        def remember(net: Any, arguments: Any, keywords: Any, to: list[torch.Tensor]) -> None:
            to.append(keywords["condition"])

        net.register_forward_pre_hook(partial(remember, to=seen.setdefault(name, [])), with_kwargs=True)
    measure.critic_check(parts)
    parts_of_a_side = measure.OVERFIT // measure.TOGETHER
    assert len(seen["critic"]) == 4 * parts_of_a_side
    sides = [torch.cat(seen["critic"][i : i + parts_of_a_side]) for i in range(0, 4 * parts_of_a_side, parts_of_a_side)]
    (generated,), (train, heldout, fake, between) = seen["generator"], sides
    assert all(torch.equal(train, labels) for labels in (generated, fake, between))
    assert not torch.equal(train, heldout)


LEARNT: dict[str, dict[str, Any]] = {
    "counts": {"critic.net": "none", "generator.learning_rate": 5e-3},
    "projection": {"training.steps": 300},
    "auxiliary": {"game.condition": "auxiliary", "game.classification": (1.0, 1.0), "training.steps": 350},
}
ALONE = {
    "count_critic.weight": 0.0, "game.weight": 1.0, "generator.relaxation": "straight_through",
    "generator.learning_rate": 5e-3, "critic.learning_rate": 5e-3,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("game", LEARNT)
def test_a_label_chooses_what_is_generated(game: str, configured: Callable[..., Config], tmp_path: Path) -> None:
    base = {"training.steps": 150, "training.evaluate_every": 1000, "generator.averaging": 0.9}
    config = configured(**base | (ALONE if game != "counts" else {}) | LEARNT[game])
    runs.train(config, tmp_path / "run")
    model = load(tmp_path / "run")
    drawn = {label: "".join(model.generate(200, label=label)) for label in LABELS}
    shares = {label: sum(map(str.isdigit, text)) / len(text) for label, text in drawn.items()}
    assert shares["digits"] > 0.85
    assert shares["letters"] < 0.15
