"""Toys: points of the plane, which the generator gives as they are; measured by the modes that they capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textgan.config import Config
from textgan.contract import Critic
from textgan.corpora.prepare import Corpus
from textgan.corpora.toys import TOYS
from textgan.errors import UsageError
from textgan.game.relaxations import EXACT
from textgan.game.steps import Game
from textgan.kinds.kind import Evaluate, Kind, Reference, Seen, Sight, as_text
from textgan.metrics.modes import training_evaluation
from textgan.plane import Plane
from textgan.report import surface

GRID, EXTENT = 96, 2.5  # places along each axis of the surface, and where the axes end: beyond all three toys
SHOWN = 400  # points of each side on it


def evaluation(corpus: Corpus[Plane], config: Config, count: int, tell: Callable[[str], None]) -> Evaluate:
    """Return the metrics of `metrics.modes` against the held-out points."""
    toy = TOYS[corpus.name]
    measured = training_evaluation(
        corpus.heldout.ids, corpus.train.ids, centres=toy.centres, modes=toy.modes, deviation=toy.deviation,
        seed=config.training.seed,
    )  # fmt: skip
    return lambda lines: measured(corpus.space.encode(lines))


def score(evaluation: Mapping[str, Any]) -> float:
    """The distance from the held-out points."""
    value: float = evaluation["distance"]["value"]
    return value


def look(sight: Sight) -> Seen:
    """Draw the critic's value over the plane, the objective's gradients at its layers, and its weights."""
    shown = min(SHOWN, len(sight.samples))
    real, fake = sight.corpus.heldout.ids[:shown], sight.corpus.space.encode(sight.samples[:shown])
    device = next(sight.critic.parameters()).device
    norms = layer_norms(sight.critic, sight.game, *(torch.from_numpy(side).to(device) for side in (real, fake)))
    values = value_surface(sight.game.constraint.wrap(sight.critic), device)  # type: ignore[arg-type]
    linear = [layer.weight for layer in sight.critic.modules() if isinstance(layer, nn.Linear)]  # as it plays
    weights = torch.cat([weight.detach().flatten() for weight in linear])
    title = f"{sight.corpus.name}, step {sight.step:,}"
    return {"layers": norms}, {
        "surface": surface.surface(f"{title}: the critic's value", values, EXTENT, real=real, fake=fake),
        "critic": surface.critic(f"{title}: the critic", norms, weights.cpu().numpy()),
    }


def value_surface(critic: Critic, device: torch.device) -> np.ndarray[Any, Any]:
    """Return the critic's value over the plane, (y, x), both rising."""
    axis = torch.linspace(-EXTENT, EXTENT, GRID, device=device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    values: np.ndarray[Any, Any] = critic(torch.stack([x, y], -1).flatten(0, 1)).detach().cpu().numpy()
    return values.reshape(GRID, GRID)


def layer_norms(critic: nn.Module, game: Game, real: Tensor, fake: Tensor) -> list[float]:
    """Return the norm of the objective's gradient at each hidden layer of a critic, first layer first.

    The objective is that of the critic, penalties left out, at points (batch, 2) of both sides; its gradient is taken
    with respect to the layer's output before the ReLU, for the whole batch.

    Source: Gulrajani et al. 2017, figure 2a.
    """
    found: list[list[Tensor]] = []
    wrapped = game.constraint.wrap(critic)  # type: ignore[arg-type]
    with ExitStack() as hooks:
        for layer in critic.hidden:  # type: ignore[union-attr]
            outputs: list[Tensor] = []
            found.append(outputs)
            hooks.enter_context(layer.register_forward_hook(lambda *call, kept=outputs: kept.append(call[-1])))
        loss = game.objective.critic(real=wrapped(real), fake=wrapped(fake))
    norms = [torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True) for outputs in found]
    return [torch.cat([g.flatten() for g in layer if g is not None]).norm().item() for layer in norms]


def no_text(corpus: Corpus[Plane]) -> Reference:
    """Refuse.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{corpus.name} is points, which have no text to compare; 'textgan report RUN' measures them")


TOY = Kind(
    relaxations=EXACT,
    terms=("feature_matching",),
    told=lambda corpus: {"rows": ()},
    check_memory=lambda config, space, available: None,
    advice=lambda corpus: None,
    evaluation=evaluation,
    kept=as_text,
    score=score,
    look=look,
    reference=no_text,
)
