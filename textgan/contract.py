"""The signatures every part keeps, so that text, images and toys share one core.

A sample is a float tensor (batch, ...); the core never looks past the batch axis. One signature a kind of part,
one literal table a kind: a new part is one function, one line in its table, one test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

Sample = Any
"""What a user is given: a line of text, or of a point's coordinates; or a picture (y, x, channel) uint8."""
State = dict[str, Tensor]
"""What a part carries from step to step: a flat dict of tensors, saved in the checkpoint."""


class Output(NamedTuple):
    """What a generator makes of a batch of noise."""

    logits: Tensor
    """Unnormalised log-probabilities, (batch, position, symbol); for images and toys the sample itself."""
    sample: Tensor
    """The relaxed sample that the critic sees, shaped as a real sample."""
    ids: Tensor
    """Symbols drawn independently at each position, (batch, position) int64."""


class Relaxation(Protocol):
    """Logits to a differentiable sample and the ids drawn with it."""

    def __call__(self, logits: Tensor, *, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (sample, ids) for logits (..., symbol)."""


BoundRelaxation = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A relaxation whose temperature and randomness are already chosen: what a generator receives.

One that only draws may give the ids for the sample, where no critic looks."""


class Generator(Protocol):
    """Noise (batch, latent) to an Output; applies the relaxation itself, once or at every position."""

    def __call__(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one sample a row of noise."""


class Critic(Protocol):
    """Samples (batch, ...) to scores (batch,)."""

    def __call__(self, samples: Tensor) -> Tensor:
        """Score each sample."""

    def features(self, samples: Tensor) -> Tensor:
        """Return the layer before the score, (batch, features)."""


class ScoreLoss(Protocol):
    """Scores to a scalar; the sides go by name, since swapped sides are the classic silent GAN bug."""

    def __call__(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """Return the scalar to minimise for scores (batch,)."""


@dataclass(frozen=True)
class Objective:
    """The two losses of an adversarial game, both on critic scores."""

    critic: ScoreLoss
    generator: ScoreLoss
    pairs: bool = False
    """The generator's loss looks at real scores too, paired with the fake ones."""
    target: bool = False
    """The critic's loss takes `target`, the label that real samples are to get, which one-sided smoothing lowers."""


class Penalty(Protocol):
    """What keeps a critic smooth: a scalar added to its loss, before its weight."""

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator) -> Tensor:
        """Return the penalty of this critic at these samples."""


@dataclass(frozen=True)
class Equality:
    """What a multiplier holds at 1 in the critic's loss, an augmented Lagrangian whose weight is its rho."""

    function: Penalty
    """A penalty's signature: the number that is to be 1."""
    initial: Callable[[], State] = lambda: {"multiplier": torch.zeros(())}
    pack: Callable[[State], State] = lambda state: state
    unpack: Callable[[State], State] = lambda state: state


@dataclass(frozen=True)
class Constraint:
    """What keeps a critic smooth by changing it: once when it is made, around every call, or after every update."""

    wrap: Callable[[Critic], Critic] = lambda critic: critic
    after_step: Callable[[torch.nn.Module], None] = lambda critic: None
    prepare: Callable[[torch.nn.Module], None] = lambda critic: None
    """Changes the layers of a new critic, before it has an optimizer."""


class TermBatch(NamedTuple):
    """What a generator term may look at in one generator step."""

    output: Output
    """What the generator made; empty where neither a critic nor a term looks at it."""
    real: Tensor
    """Rows of the corpus as stored: ids (batch, position)."""
    features: Callable[[Tensor], Tensor] | None
    """The critic's features of samples, or None where the game has no critic."""
    labels: Tensor | None = None
    """The class of each sample and each real row, (batch,) int64, or None where there are none."""
    teacher: Callable[[Tensor], Tensor] | None = None
    """Rows of ids (batch, position) to the logits that the generator gives each next symbol of them under the step's
    noise, (batch, position, symbol); None of a generator that does not read what it has written."""
    judged: int = 0
    """How many samples of the batch, its first ones, the critic judges."""
    real_samples: Tensor | None = None
    """As many real samples; None where neither the objective nor a term looks at them."""
    rewards: Callable[[], Tensor] | None = None
    """Computes what each judged sample is worth to the generator, minus its part of the objective's loss: (judged, 1),
    or (judged, position) of a critic that scores every position; None where the game has no critic."""


class TermFunction(Protocol):
    """A batch and the term's state to a scalar and the next state."""

    def __call__(self, batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        """Return the scalar added, with its weight, to the generator's loss."""


@dataclass(frozen=True)
class Term:
    """A generator term: its function, the state it starts from, and how that state goes to disk and back."""

    function: TermFunction
    initial: Callable[[], State] = dict
    """Makes the state before the first step; large tables in it are then updated in place."""
    pack: Callable[[State], State] = lambda state: state
    unpack: Callable[[State], State] = lambda state: state
    samples: bool = True
    """Looks at what the generator made; where nothing does, nothing is made."""
    real_samples: bool = False
    """Looks at the samples of the real rows."""
