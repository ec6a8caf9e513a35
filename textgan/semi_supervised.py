"""Semi-supervised classification: which rows keep their label, and how often the critic errs on those held out.

Source: Salimans et al. 2016 (1606.03498), section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from textgan.config import Config
from textgan.contract import Constraint
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus
from textgan.errors import UsageError
from textgan.metrics.interval import clipped, interval
from textgan.training import sampler
from textgan.training.loop import SCHEDULES, Plan, Source
from textgan.training.state import Player
from textgan.transfers import dropping

KEY = "corpus.labels_per_class"
TOGETHER = 250  # held-out rows at once
LEARNT, LATELY = 1e-3, 100  # the mean cross-entropy of so many steps under which nothing is left to learn [nats]

Array = npt.NDArray[Any]


def labelled_rows(config: Config, corpus: Corpus[Any]) -> tuple[list[str], Rows | None]:
    """Return the classes of a corpus, and those training rows that keep their label; nothing where none are to.

    Of each class the same number is drawn by the seed; all other labels are as if they were not there.

    Raises:
        UsageError: the corpus has no classes, or too few rows of one.
    """
    count, train = config.corpus.labels_per_class, corpus.train
    if not count:
        return [], None
    classes: list[str] = corpus.facts.get("classes", [])
    if train.labels is None or len(classes) < 2:
        raise UsageError(f"{KEY}: {corpus.name} has no classes to learn; use 0, or pictures that have some")
    there = np.bincount(train.labels, minlength=len(classes))
    if there.min() < count:
        rare = classes[there.argmin()]
        raise UsageError(f"{KEY}: {corpus.name} has but {there.min()} of {rare!r} to learn from; use at most that")
    kept = of_each(train.labels, len(classes), count, sampler.generator(config.training.seed, "labelled rows", 0))
    return classes, Rows(train.ids[kept], train.lines[kept], train.labels[kept])


def of_each(labels: Array, classes: int, count: int, rng: torch.Generator) -> Array:
    """Draw `count` rows of each class without replacement: their places among labels (row,), class by class."""
    places = (np.flatnonzero(labels == label) for label in range(classes))
    kept = [of_one[torch.randperm(len(of_one), generator=rng)[:count].numpy()] for of_one in places]
    return np.concatenate(kept)


def examiner(
    critic: Player | None,
    fresh: Callable[[int], tuple[Any, Player | None]],
    source: Source,
    heldout: Rows,
    plan: Plan,
    constraint: Constraint,
    tell: Callable[[str], None] = lambda line: None,
) -> Callable[[], dict[str, Any]]:
    """Return what tells the error of a semi-supervised critic, beside that of a net that learnt from the labels alone.

    Args:
        critic: whose net has `classes(samples)`, and is in evaluation mode when it is asked.
        fresh: builds the players of so many classes anew, of which the second learns from the labels alone, once.
        source: what the critic learns from; without `labelled` nothing is told.
        heldout: all of them are looked at.
        plan: of the run.
        constraint: what changes the critic after a step.
        tell: is told what takes long.
    """
    labelled = source.labelled
    if labelled is None or critic is None:
        return dict
    assert labelled.labels is not None
    classes, net = len(np.unique(labelled.labels)), critic.net
    among = replace(labelled, ids=heldout.ids, labels=heldout.labels)

    @cache
    def supervised() -> Array:
        alone = fresh(classes)[1]
        assert alone is not None
        tell(f"teaching the same net by the {len(labelled.ids):,} labels alone, for comparison")
        taught(alone, labelled, plan, constraint)
        return mistakes(alone.net.eval(), among, plan)

    def examined() -> dict[str, Any]:
        wrong = mistakes(net, among, plan)
        value, rng = wrong.mean().item(), np.random.default_rng(plan.seed)
        low, high = clipped(interval(value, wrong, rng=rng))
        told = {"value": value, "low": low, "high": high, "supervised": supervised().mean().item()}
        counts = {"labels": len(labelled.ids) // classes, "classes": classes, "rows": len(wrong)}
        return {"classification": told | counts}

    return examined


def mistakes(net: Any, source: Source, plan: Plan) -> Array:
    """Return for each row whether a classifier errs, (row,) float64, 1 where it does."""
    assert source.labels is not None
    rng, guesses = sampler.generator(plan.seed, "test error", 0), []
    with torch.no_grad():
        for start in range(0, len(source.ids), TOGETHER):
            rows = torch.from_numpy(np.array(source.ids[start : start + TOGETHER], dtype=source.row_type))
            samples = source.to_sample(rows.to(plan.device), rng=rng)
            guesses.append(plan.net(net).classes(samples).argmax(1).cpu().numpy())
    wrong: Array = np.concatenate(guesses) != source.labels
    return wrong.astype(np.float64)


def taught(player: Player, source: Source, plan: Plan, constraint: Constraint) -> None:
    """Teach a classifier the labels of a source alone, by the cross-entropy, in the batches and at the rates of a run.

    It takes as many steps as the run's critic, but for those when nothing is left to learn.
    """
    losses: list[torch.Tensor] = []
    for step in range(plan.critic_steps * -(-plan.steps // plan.critic_every)):
        rng = sampler.generator(plan.seed, "supervised", step)
        samples, labels = source.examples(plan.critic_batch, rng, plan.device)
        with dropping(rng):
            loss = F.cross_entropy(plan.net(player.net).classes(samples), labels)
        done = step * plan.critic_every / plan.critic_steps / plan.steps
        player.apply(torch.autograd.grad(loss, player.parameters), SCHEDULES[plan.schedule](done))
        constraint.after_step(player.net)
        losses.append(loss.detach())
        if len(losses) == LATELY:
            if torch.stack(losses).mean() < LEARNT:
                return
            losses.clear()
