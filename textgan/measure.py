"""What is measured of a state in training: samples of the averaged generator, and what the critic tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn

from textgan.assemble import Parts, build_players, model_of, plan_of, source_of
from textgan.contract import Critic, Sample
from textgan.game.conditions import bind_critic, bind_generator
from textgan.game.penalties import interpolates, slopes
from textgan.kinds.kind import Seen, Sight
from textgan.nets.norms import resting
from textgan.ranks import ALONE, Ranks
from textgan.semi_supervised import examiner
from textgan.training import sampler
from textgan.training.distributed import by_all, by_first, collected
from textgan.training.state import TrainingState

OVERFIT, TOGETHER = 256, 64  # rows of each side for the critic's value, and how many of them at once


def measure(
    parts: Parts,
    keep: Callable[[int, tuple[str, bytes], dict[str, str]], None],
    tell: Callable[[str], None] = lambda line: None,
    ranks: Ranks = ALONE,
) -> Callable[[TrainingState], tuple[dict[str, Any], list[Sample]]]:
    """Return the evaluation of a state: metrics of the averaged generator, and what the critic tells.

    Of several processes each generates its share of the samples, and the first measures them.

    Args:
        parts: holds that state.
        keep: is given the step, the samples as a file's suffix and content, and pictures by name.
        tell: is told what takes long.
        ranks: the processes; all call this, and then what it returns.
    """
    count, seed = parts.config.evaluation.samples, parts.config.training.seed
    examine = by_all(ranks, lambda: _examination(parts, keep, tell) if ranks.first else None)

    def evaluate(state: TrainingState) -> tuple[dict[str, Any], list[Sample]]:
        rows = collected(model_of(parts, None).rows(count, seed=seed, share=ranks), ranks)
        samples: list[Sample] = parts.space.decode(rows.numpy()) if ranks.first else []
        return by_first(ranks, lambda: examine(state, samples) if examine else {}), samples

    return evaluate


def _examination(
    parts: Parts, keep: Callable[[int, tuple[str, bytes], dict[str, str]], None], tell: Callable[[str], None]
) -> Callable[[TrainingState, list[Sample]], dict[str, Any]]:
    """Return what measures a state's samples, and keeps them."""
    measured = parts.kind.evaluation(parts.corpus, parts.config, parts.config.evaluation.samples, tell)
    state, plan = parts.state, plan_of(parts.config, parts.device)
    fresh = partial(build_players, parts.config, parts.space, parts.device)
    heldout, constraint = parts.corpus.heldout, parts.game.constraint
    classified = examiner(state.critic, fresh, parts.source, heldout, plan, constraint, tell)

    def examine(state: TrainingState, samples: list[Sample]) -> dict[str, Any]:
        nets = [player.net for player in (state.generator, state.critic) if player is not None]
        with resting(*nets):
            checked = critic_check(parts)
            figures, pictures = seen(parts, samples)
            figures |= classified()
        keep(state.step, parts.kind.kept(samples), pictures)
        return measured(samples) | checked | figures

    return examine


def seen(parts: Parts, samples: Sequence[Sample]) -> Seen:
    """Look at the critic, if there is one, among samples of the averaged generator."""
    state = parts.state
    if state.critic is None:
        return {}, {}
    return parts.kind.look(Sight(state.critic.net, parts.game, parts.corpus, samples, state.step))


def critic_check(parts: Parts) -> dict[str, Any]:
    """Return the critic's mean value on training, held-out and generated rows, and its mean slope between them.

    The critic is the one that plays, as the game constrains it; one that looks at its batch has no slope at a
    sample, and is shown batches of the size it is trained on. A value on training rows that leaves the held-out rows'
    behind is the overfitting Gulrajani et al. 2017 show in section 5.5.
    """
    state, plan = parts.state, plan_of(parts.config, parts.device)
    if state.critic is None:
        return {}
    rng = sampler.generator(plan.seed, "critic check", 0)
    sides = {"train": parts.corpus.train, "heldout": parts.corpus.heldout}
    drawn = {side: source_of(parts.space, rows).draw(OVERFIT, rng, plan.device) for side, rows in sides.items()}
    samples = {
        side: plan.smoothed(parts.source.to_sample(rows, rng=rng), state.step) for side, (rows, _) in drawn.items()
    }
    conditions = {side: condition for side, (_, condition) in drawn.items()}
    conditions["fake"] = conditions["train"]
    wrap, alone = parts.game.constraint.wrap, parts.config.critic.minibatch == "none"
    average = partial(mean, state.critic.net, together=TOGETHER if alone else min(plan.critic_batch, OVERFIT))
    with torch.no_grad():
        noise = sampler.noise(OVERFIT, plan.latent, rng=rng).to(plan.device)
        generator = bind_generator(state.generator.net, conditions["fake"])
        output = generator(noise, lambda x: parts.relaxation(x, temperature=plan.temperature_at(state.step), rng=rng))
        samples["fake"] = output.sample
        values = {side: average(lambda critic, x: wrap(critic)(x), x, conditions[side]) for side, x in samples.items()}
    if alone:
        between = interpolates(samples["train"], samples["fake"], rng=rng)
        values["slope"] = average(lambda critic, x: slopes(wrap(critic), x), between, conditions["fake"])
    return {"critic": values | {"rows": OVERFIT}}


def mean(
    net: nn.Module,
    of: Callable[[Critic, Tensor], Tensor],
    samples: Tensor,
    condition: Tensor | None,
    *,
    together: int = TOGETHER,
) -> float:
    """Mean of what a critic makes of samples (batch, ...) under conditions (batch,), so many whole rows at a time."""
    whole = len(samples) - len(samples) % together
    conditions = repeat(None) if condition is None else torch.split(condition[:whole], together)
    parts = zip(torch.split(samples[:whole], together), conditions, strict=False)
    return torch.cat([of(bind_critic(net, c), x).detach() for x, c in parts]).mean().item()
