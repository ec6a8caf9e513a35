"""All that training changes, as flat tensors for the checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from textgan.contract import Equality, Term
from textgan.game.history import historical_averaging, remember_

OPTIMIZERS: dict[str, Callable[[nn.Module, float, tuple[float, float]], torch.optim.Optimizer]] = {
    # fused is three times faster than the default and the same formula
    "adam": lambda net, rate, betas: torch.optim.Adam(net.parameters(), lr=rate, betas=betas, fused=True),
    "rmsprop": lambda net, rate, betas: torch.optim.RMSprop(net.parameters(), lr=rate, alpha=betas[1]),
}
KEPT: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.Adam: ("exp_avg", "exp_avg_sq"),
    torch.optim.RMSprop: ("square_avg",),
}
"""What an optimizer keeps of each weight, in its shape, from its first step on."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass
class Player:
    """A net and its optimizer."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    learning_rate: float
    inertia: float = 0.0
    """Weight of historical averaging."""
    means: list[Tensor] = field(default_factory=list)
    """Of the earlier weights, under historical averaging."""
    count: int = 0
    """How many earlier weights they are of."""

    @classmethod
    def of(
        cls,
        net: nn.Module,
        learning_rate: float,
        betas: tuple[float, float],
        *,
        optimizer: str = "adam",
        inertia: float = 0.0,
    ) -> Player:
        """Give a net its optimizer."""
        means = [p.detach().clone() for p in net.parameters()] if inertia else []
        return cls(net, OPTIMIZERS[optimizer](net, learning_rate, betas), learning_rate, inertia, means)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The net's parameters, in a fixed order."""
        return list(self.net.parameters())

    def apply(self, gradients: tuple[Tensor, ...], factor: float) -> None:
        """Update the net by its optimizer with the learning rate times `factor`."""
        if self.inertia:
            gradients = self._pulled(gradients)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = laid_out(gradient, parameter)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _pulled(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Add the gradients of historical averaging, and take the present weights into the means."""
        loss = self.inertia * historical_averaging(self.parameters, self.means)
        pulls = torch.autograd.grad(loss, self.parameters)
        remember_(self.means, self.parameters, self.count)
        self.count += 1
        return tuple(a + b for a, b in zip(gradients, pulls, strict=True))

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimizer moments by name."""
        moments = self.optimizer.state_dict()["state"]
        flat = {f"optimizer.{i}.{key}": value for i, entry in moments.items() for key, value in entry.items()}
        if self.inertia:
            flat |= {f"means.{i}": mean for i, mean in enumerate(self.means)} | {"count": torch.tensor(self.count)}
        return {f"net.{name}": value for name, value in self.net.state_dict().items()} | flat

    def size(self) -> int:
        """Bytes of what `tensors` gives once a step was taken."""
        ahead = 0 if self.optimizer.state else len(KEPT[type(self.optimizer)])
        return _bytes(self.tensors()) + ahead * sum(p.nbytes for p in self.parameters)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        self.net.load_state_dict(within("net", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in within("optimizer", tensors).items():
            index, _, key = name.partition(".")
            moments.setdefault(int(index), {})[key] = value
        found = {(i, key, value.shape) for i, entry in moments.items() for key, value in entry.items()}
        if moments and found != set(self._moments()):
            raise ValueError("the optimizer's moments are not those of the weights")
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        if self.inertia:
            for i, mean in enumerate(self.means):
                mean.copy_(tensors[f"means.{i}"])
            self.count = int(tensors["count"])

    def _moments(self) -> Iterator[tuple[int, str, torch.Size]]:
        """Yield the number of each weight with the name and shape of what the optimizer keeps of it after a step."""
        for i, parameter in enumerate(self.parameters):
            yield i, "step", torch.Size()
            yield from ((i, name, parameter.shape) for name in KEPT[type(self.optimizer)])


class TrainingState:
    """Both players, the averaged generator, what parts of the game carry, and the number of finished steps."""

    def __init__(
        self, generator: Player, critic: Player | None, averaging: float, parts: Mapping[str, Term | Equality]
    ) -> None:
        self.generator, self.critic, self.averaging, self.parts = generator, critic, averaging, parts
        self.average = copy.deepcopy(generator.net).requires_grad_(False).eval()
        self.states = {name: part.initial() for name, part in parts.items()}
        self.step = 0
        self.processor_seconds = 0.0
        """What the steps cost so far, in this process and those before it."""
        self.rollbacks = 0
        """How often the run went back to a checkpoint, as it had diverged."""

    def update_average(self) -> None:
        """Move the averaged weights towards the generator's: w̄ <- d·w̄ + (1-d)·w, with a shorter memory at first.

        The decay is min(d, (1+step)/(10+step)), so that the first random weights are soon forgotten. What is no weight,
        such as the running statistics of a norm, is the generator's.
        """
        decay = min(self.averaging, (1 + self.step) / (10 + self.step)) if self.averaging else 0.0
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([*self.average.parameters()], self.generator.parameters, None)  # all weights in one call
        for ours, theirs in zip(self.average.buffers(), self.generator.net.buffers(), strict=True):
            ours.copy_(theirs)

    def tensors(self) -> dict[str, Tensor]:
        """Everything, by flat name."""
        parts = {"generator": self.generator.tensors(), "average": self.average.state_dict()}
        if self.critic is not None:
            parts["critic"] = self.critic.tensors()
        for name, part in self.parts.items():
            parts[f"terms.{name}"] = part.pack(self.states[name])
        return {f"{owner}.{name}": value for owner, tensors in parts.items() for name, value in tensors.items()}

    def size(self) -> int:
        """Bytes of a checkpoint; what the parts of the game carry may grow, and is taken as it is now."""
        players = [player for player in (self.generator, self.critic) if player is not None]
        own = _bytes(within("average", self.tensors())) + _bytes(within("terms", self.tensors()))
        return own + sum(player.size() for player in players)

    def facts(self) -> dict[str, Any]:
        """What is no tensor, for JSON."""
        return {"processor_seconds": self.processor_seconds, "rollbacks": self.rollbacks}

    def load(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] = NOTHING) -> None:
        """Take back what `tensors` and `facts` gave after `step` steps."""
        self.generator.load(within("generator", tensors))
        self.average.load_state_dict(within("average", tensors))
        if self.critic is not None:
            self.critic.load(within("critic", tensors))
        for name, part in self.parts.items():
            self.states[name] = part.unpack(within(f"terms.{name}", tensors))
        self.step = step
        self.processor_seconds = facts.get("processor_seconds", 0.0)
        self.rollbacks = facts.get("rollbacks", 0)


def _bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(value.nbytes for value in tensors.values())


def laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
    """Return a gradient laid out in memory as its parameter is; copied only where it is not.

    torch's fused Adam reads memory in order, whatever the strides; a double backward gives transposed ones.
    """
    return gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)


def within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
