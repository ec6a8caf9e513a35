"""Semi-supervised classification: its loss written out, its rows, its error, and a run of it on labelled points."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from textgan import assemble, kinds, opening, runs
from textgan.assemble import build
from textgan.checks import check
from textgan.config import Config
from textgan.contract import Constraint, Output
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus
from textgan.corpora.toys import open_toy
from textgan.errors import UsageError
from textgan.figures import figures
from textgan.game.conditions import bind_critic
from textgan.game.objectives import OBJECTIVES
from textgan.game.steps import Game, critic_step
from textgan.kinds.toy import TOY
from textgan.nets.conditional import ClassifyingCritic
from textgan.runs import Silence
from textgan.semi_supervised import examiner, labelled_rows, mistakes, of_each, taught
from textgan.settings import resolve
from textgan.training import checkpoint
from textgan.training.loop import Plan, Source, critic_play, play_step
from textgan.training.state import Player, TrainingState
from textgan.transfers import dropping

CLASSES = ["left", "middle", "right"]


class Judge(nn.Module):
    """A critic of points, as those that are wrapped: features, and a score of them."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.score = nn.Linear(2, 5), nn.Linear(5, 1)

    def features(self, samples: Tensor) -> Tensor:
        return self.enter(samples).tanh()  # type: ignore[no-any-return]


def classifying(labels: int = 3) -> ClassifyingCritic:
    torch.manual_seed(0)
    return ClassifyingCritic(Judge(), labels=labels)


def watch(net: Any, method: str, seen: list[Tensor]) -> None:
    """Keep what a method of a net is asked."""
    ask = getattr(net, method)

    def asked(samples: Tensor) -> Tensor:
        seen.append(samples)
        return ask(samples)  # type: ignore[no-any-return]

    setattr(net, method, asked)


def plan(**changes: Any) -> Plan:
    usual = {"steps": 5, "batch": 6, "latent": 2, "critic_steps": 1, "critic_every": 1, "critic_batch": 4}
    kept = {"temperature": 1.0, "schedule": "constant", "seed": 3, "log_every": 1, "evaluate_every": 1}
    return Plan(**usual | kept | changes)  # type: ignore[arg-type]


# --- the loss


def by_softmax(net: ClassifyingCritic, labelled: Tensor, labels: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """L_supervised + ½ of the two means of L_unsupervised, by a softmax over K + 1 classes, the last of generated ones.

    Salimans et al. 2016, section 5, as it is written there; the ½ is of its code.
    """

    def shares(samples: Tensor) -> Tensor:
        logits = net.classes(samples)
        exponentials = torch.cat([logits, torch.zeros(len(logits), 1, dtype=logits.dtype)], 1).exp()
        return exponentials / exponentials.sum(1, keepdim=True)

    known = shares(labelled)
    supervised = -(known[torch.arange(len(labels)), labels] / (1 - known[:, -1])).log().mean()
    unsupervised = -(1 - shares(real)[:, -1]).log().mean() - shares(fake)[:, -1].log().mean()
    return supervised + unsupervised / 2


def test_the_critics_loss_is_twice_the_softmax_over_one_class_more(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, (labelled, real, fake) = classifying().double(), torch.randn(3, 7, 2, generator=rng, dtype=torch.float64) * 2
    net.drop.share = 0.0
    labels = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    game = Game(OBJECTIVES["non_saturating"], 0.0, {}, Constraint(), {}, (2.0, 0.0))
    parameters = [*net.parameters()]
    step = critic_step(
        game, net, parameters, real=real, fake=fake, rng=rng, labelled=(bind_critic(net, labels), labelled)
    )
    expected = by_softmax(net, labelled, labels, real, fake)
    torch.testing.assert_close(step.losses["loss"], 2 * expected)
    for ours, theirs in zip(step.gradients, torch.autograd.grad(2 * expected, parameters), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert all(gradient.abs().sum() > 0 for gradient in step.gradients)  # no weight is left that nothing trains


def test_the_score_is_the_log_of_the_sum_and_stays_finite(rng: torch.Generator) -> None:
    net, samples = classifying(), torch.randn(4, 2, generator=rng)
    torch.testing.assert_close(net(samples), net.classes(samples).exp().sum(1).log())
    torch.testing.assert_close(net.classes(samples), net.classify(net.features(samples)))
    net.classify.bias.data[:] = 500.0
    assert net(samples).isfinite().all()
    assert not any("score" in name for name, _ in net.named_parameters())


def test_values_are_dropped_in_a_labelled_critics_step_alone(rng: torch.Generator) -> None:
    net, samples = classifying(), torch.ones(2000, 2)
    torch.testing.assert_close(net.drop(samples), samples)
    with dropping(rng):
        seen = net.drop(samples)
    assert set(seen.unique().tolist()) == {0.0, 1.25}
    assert (seen == 0).float().mean().item() == pytest.approx(0.2, abs=0.03)
    game = Game(OBJECTIVES["non_saturating"], 0.0, {}, Constraint(), {}, (2.0, 0.0))
    inputs: list[Tensor] = []
    net.critic.enter.register_forward_pre_hook(lambda layer, arguments: inputs.append(arguments[0]))
    labels = torch.zeros(2000, dtype=torch.int64)
    sides = {"real": samples, "fake": samples, "rng": rng}
    critic_step(game, net, [*net.parameters()], **sides, labelled=(bind_critic(net, labels), samples))  # type: ignore[arg-type]
    assert [bool((side == 0).any()) for side in inputs] == [True] * 3
    assert not torch.equal(inputs[0], inputs[1])  # each side drops others
    inputs.clear()
    critic_step(replace(game, classification=None), net, [*net.parameters()], **sides)  # type: ignore[arg-type]
    assert [bool((side == 0).any()) for side in inputs] == [False] * 2


# --- the rows


def test_so_many_of_each_class_are_drawn_by_the_seed() -> None:
    labels = np.array([0, 1, 2] * 20 + [1] * 40, dtype=np.uint16)

    def rows(seed: int) -> list[int]:
        return of_each(labels, 3, 4, torch.Generator().manual_seed(seed)).tolist()  # type: ignore[no-any-return]

    assert labels[rows(0)].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert len(set(rows(0))) == 12
    assert rows(0) == rows(0) != rows(1)
    drawn = np.bincount([row for seed in range(400) for row in rows(seed)], minlength=100)
    assert drawn[labels == 1].min() > 5  # 4 of 60, 400 times: about 27 each
    assert drawn[labels == 1].max() < 60


def points(corpus: Corpus[Any]) -> Corpus[Any]:
    """Points with a class by where they lie from left to right, of which no label is asked."""

    def with_labels(rows: Rows) -> Rows:
        return replace(rows, labels=np.digitize(rows.ids[:, 0], [-0.5, 0.5]).astype(np.uint16))

    heldout = Rows(corpus.heldout.ids[:1000], corpus.heldout.lines[:1000], None)
    train, heldout = with_labels(corpus.train), with_labels(heldout)
    return replace(corpus, train=train, heldout=heldout, facts=corpus.facts | {"classes": CLASSES})


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Settings of a small semi-supervised run on those points."""
    corpus = points(open_toy("8gaussians"))
    monkeypatch.setattr(assemble, "open_corpus", lambda *arguments: corpus)
    pictures = replace(opening.OPENERS["image"], only=())
    monkeypatch.setitem(opening.OPENERS, "image", pictures)
    monkeypatch.setitem(kinds.KINDS, "toy", replace(TOY, look=lambda sight: ({}, {})))  # which draws another critic

    def config(**changes: Any) -> Config:
        keys = {
            "corpus.labels_per_class": 5, "game.objective": "non_saturating", "game.penalties": {}, "game.weight": 0.0,
            "game.classification": (2.0, 0.0), "feature_matching.weight": 1.0, "critic.steps": 1, "training.batch": 16,
            "generator.width": 16, "critic.width": 16, "training.steps": 6, "training.evaluate_every": 3,
            "evaluation.samples": 50, "training.log_every": 1,
        }  # fmt: skip
        return resolve("toy", flags=keys | changes).config

    return config


def test_the_critic_is_taught_by_the_chosen_rows_alone(configured: Callable[..., Config]) -> None:
    parts = build(configured(**{"training.seed": 7, "critic.steps": 2}))
    labelled = parts.source.labelled
    assert labelled is not None
    assert labelled.labels is not None
    assert labelled.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    again = build(configured(**{"training.seed": 7})).source.labelled
    assert again is not None
    np.testing.assert_array_equal(labelled.ids, again.ids)
    other = build(configured(**{"training.seed": 8})).source.labelled
    assert other is not None
    assert not np.array_equal(labelled.ids, other.ids)
    seen: list[Tensor] = []
    assert parts.state.critic is not None
    net: Any = parts.state.critic.net
    watch(net, "classes", seen)
    for _ in range(20):
        play_step(parts.state, assemble.plan_of(parts.config, parts.device), parts.source, parts.game, parts.relaxation)
        parts.state.step += 1
    batches = [batch for i, batch in enumerate(seen) if i % 7 in (2, 5)]  # real, fake, labelled, twice; the generator's
    assert not torch.equal(batches[0], batches[1])
    allowed = {tuple(row) for row in labelled.ids.tolist()}
    assert {tuple(row) for batch in batches for row in batch.tolist()} == allowed
    assert all(len(batch) == 16 for batch in batches)


def test_real_and_generated_samples_are_those_of_a_game_without_labels() -> None:
    found: list[list[Tensor]] = []
    for labelled in (None, Source(np.zeros((3, 2), np.float32), exactly, np.arange(3), "float32")):
        net: Any = classifying()
        seen: list[Tensor] = []
        watch(net, "forward", seen)
        state = TrainingState(Player.of(Painter(), 1e-3, (0.0, 0.9)), Player.of(net, 1e-3, (0.0, 0.9)), 0.0, {})
        game = Game(OBJECTIVES["non_saturating"], 1.0, {}, Constraint(), {}, (2.0, 0.0) if labelled else None)
        real = np.random.default_rng(0).standard_normal((9, 2)).astype(np.float32)
        source = Source(real, exactly, None, "float32", labelled)
        critic_play(state, plan(), source, game, SimpleNamespace, print)(torch.Generator().manual_seed(1))  # type: ignore[arg-type]
        found.append(seen)
    assert len(found[0]) == 2
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def exactly(rows: Tensor, *, rng: torch.Generator) -> Tensor:
    return rows


class Painter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, noise: Tensor, relax: Any) -> Output:
        return Output(noise, self.scale * noise, noise)


# --- refusals


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"corpus.label_column": "label"}, "leave corpus.label_column out"),
        ({"game.objective": "wasserstein"}, "wasserstein has no probabilities.* game.objective=non_saturating"),
        ({"game.objective": "least_squares"}, "least_squares has no probabilities"),
        ({"critic.minibatch": "stddev"}, "critic.minibatch=stddev would class a sample by those beside it"),
        ({"game.constraint": "gradient_normalisation"}, "gradient_normalisation changes the score"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], told: str) -> None:
    usual = {"critic.dropout": 0.0}
    check(resolve("semi_supervised", flags=usual).config)
    with pytest.raises(UsageError, match=rf"^corpus\.labels_per_class: .*{told}"):
        check(resolve("semi_supervised", flags=usual | changes).config)


@pytest.mark.parametrize("preset", ["quick", "toy"])
def test_it_is_refused_of_all_but_pictures(preset: str) -> None:
    with pytest.raises(UsageError, match=r"^corpus\.labels_per_class: is for pictures, and "):
        check(resolve(preset, flags={"corpus.labels_per_class": 5}).config)


def test_a_corpus_without_classes_or_with_too_few_of_one_is_refused(configured: Callable[..., Config]) -> None:
    corpus, config = open_toy("8gaussians"), configured()
    with pytest.raises(UsageError, match=r"^corpus\.labels_per_class: 8gaussians has no classes to learn"):
        labelled_rows(config, corpus)
    assert labelled_rows(resolve("toy").config, corpus) == ([], None)
    train = Rows(corpus.train.ids[:9], corpus.train.lines[:9], np.array([0] * 5 + [2] * 4, np.uint16))
    corpus = replace(corpus, train=train, facts={"classes": CLASSES})
    with pytest.raises(UsageError, match=r"8gaussians has but 0 of 'middle' to learn from; use at most that"):
        labelled_rows(config, corpus)


# --- the error


class Guesser(nn.Module):
    """Guesses the class that the point itself says."""

    def classes(self, samples: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(samples[:, 0].long(), 3).float()


def test_mistakes_are_counted_over_all_rows() -> None:
    guesses = np.arange(1001) % 3
    labels = guesses.copy()
    labels[[0, 250, 251, 1000]] = (labels[[0, 250, 251, 1000]] + 1) % 3
    rows = guesses[:, None].repeat(2, 1).astype(np.float32)
    rows.setflags(write=False)  # as they are on disk
    wrong = mistakes(Guesser(), Source(rows, exactly, labels, "float32"), plan())
    assert np.flatnonzero(wrong).tolist() == [0, 250, 251, 1000]
    assert wrong.shape == (1001,)


@pytest.mark.parametrize(("every", "steps", "expected"), [(1, 1, 5), (2, 3, 9)])
def test_the_supervised_net_takes_as_many_steps_as_the_critic(every: int, steps: int, expected: int) -> None:
    asked: list[Tensor] = []
    net: Any = classifying()
    watch(net, "classes", asked)
    source = Source(np.eye(3, 2, dtype=np.float32), exactly, np.arange(3), "float32")
    player = Player.of(net, 1e-3, (0.0, 0.9))
    taught(player, source, plan(critic_every=every, critic_steps=steps), Constraint())
    assert len(asked) == expected
    assert {tuple(row) for batch in asked for row in batch.tolist()} <= {(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)}


def test_the_supervised_net_stops_when_it_has_learnt() -> None:
    net, updates = classifying(), list[Any]()
    net.drop.share = 0.0
    source = Source(np.array([[-3, 0], [0, 3], [3, 0]], np.float32), exactly, np.arange(3), "float32")
    taught(
        Player.of(net, 0.05, (0.0, 0.9)),
        source,
        plan(steps=5000, critic_batch=16),
        Constraint(after_step=updates.append),
    )
    assert 100 < len(updates) < 2000
    assert len(updates) % 100 == 0
    assert mistakes(net, source, plan()).sum() == 0


def test_an_evaluation_tells_the_error_beside_that_of_the_labels_alone() -> None:
    rows = (np.arange(300) % 3)[:, None].repeat(2, 1).astype(np.float32)
    labels = rows[:, 0].astype(np.uint16)
    labels[:30] = (labels[:30] + 1) % 3
    built: list[int] = []
    said: list[str] = []

    def fresh(classes: int) -> tuple[None, Player]:
        built.append(classes)
        with torch.random.fork_rng(devices=[]):
            return None, Player.of(classifying(classes), 1e-3, (0.0, 0.9))

    labelled = Source(rows[30:36], exactly, labels[30:36], "float32")
    source, heldout = Source(rows, exactly, None, "float32", labelled), Rows(rows, np.arange(300), labels)
    critic: Any = SimpleNamespace(net=Guesser())
    examined = examiner(critic, fresh, source, heldout, plan(), Constraint(), said.append)
    state = torch.get_rng_state()
    told = examined()["classification"]
    assert told == examined()["classification"]
    assert built == [3]  # once
    assert said == ["teaching the same net by the 6 labels alone, for comparison"]
    assert torch.equal(state, torch.get_rng_state())
    assert (told["value"], told["labels"], told["classes"], told["rows"]) == (0.1, 2, 3, 300)
    deviation = math.sqrt(0.1 * 0.9 / 300)
    assert told["low"] == pytest.approx(0.1 - 1.96 * deviation, abs=0.01)
    assert told["high"] == pytest.approx(0.1 + 1.96 * deviation, abs=0.01)
    assert 0 <= told["supervised"] <= 1
    assert examiner(critic, fresh, replace(source, labelled=None), heldout, plan(), Constraint())() == {}
    assert "test error 0.100 (" in figures(told_with(told))


def told_with(classification: dict[str, Any]) -> dict[str, Any]:
    figure = {"value": 0.5, "floor": 0.5}
    return {"jsd": {"4": figure}, "words": figure, "unique": figure, "classification": classification}


# --- a run


def test_a_run_asks_the_generator_for_no_label_and_tells_its_error(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    outcome = runs.train(configured(), tmp_path / "run")
    assert outcome.metrics is not None
    told = outcome.metrics["classification"]
    assert (told["labels"], told["classes"], told["rows"]) == (5, 3, 1000)
    assert 0 <= told["low"] <= told["value"] <= told["high"] <= 1
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "critic" in row and "generator" in row]
    assert len(steps) == 6
    assert all("classification" in row["critic"] and "classification" not in row["generator"] for row in steps)
    errors = {row["evaluation"]["classification"]["supervised"] for row in rows if "evaluation" in row}
    assert errors == {told["supervised"]}
    tensors = checkpoint.load(tmp_path / "run" / "checkpoints", 6)[0]
    assert not any(name.startswith("generator.net.") and "embedding" in name for name in tensors)


def test_measuring_leaves_the_run_as_it_is(configured: Callable[..., Config], tmp_path: Path) -> None:
    for every, run in ((1, "often"), (6, "once")):
        runs.train(configured(**{"training.evaluate_every": every}), tmp_path / run)
    one, other = (checkpoint.load(tmp_path / run / "checkpoints", 6)[0] for run in ("often", "once"))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_an_interrupted_run_ends_as_the_whole_run(configured: Callable[..., Config], tmp_path: Path) -> None:
    class Interrupted(Silence):
        def step(self, step: int, row: dict[str, Any]) -> None:
            if step == 4:
                signal.raise_signal(signal.SIGTERM)

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    ended = runs.train(configured(), whole)
    assert runs.train(configured(), resumed, watch=Interrupted()).stopped == "SIGTERM"
    again = runs.train(configured(), resumed, resume=True)
    one, other = (checkpoint.load(run / "checkpoints", 6)[0] for run in (whole, resumed))
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert ended.metrics == again.metrics
