"""What nets along a sequence share: a generator that reads what it has written, critics that average over positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import BoundRelaxation, Output


def embedding(symbols: int, width: int) -> nn.Linear:
    """Vectors of symbols, standard normal at first: one-hot or soft symbols (..., symbol) -> (..., width)."""
    layer = nn.Linear(symbols, width, bias=False)
    nn.init.normal_(layer.weight)
    return layer


class AutoregressiveGenerator(nn.Module):
    """A generator that writes one symbol after the other, each with those before it in mind, all told the noise.

    The noise is added to what is read at every position, lest it be forgotten on the way. The relaxation is applied at
    every position and what it gives is read at the next: a soft symbol is embedded by a product with a matrix, a drawn
    one that is given as its id by a look-up. Before the first the net reads zeros.

    Source: Williams & Zipser 1989 for teacher forcing.
    """

    length: int
    symbols: int
    remind: nn.Linear
    embed: nn.Linear
    leave: nn.Linear

    def first(self, noise: Tensor) -> Any:
        """Noise (batch, latent) to what `step` remembers before it has read anything."""
        raise NotImplementedError

    def step(self, read: Tensor, memory: Any) -> tuple[Tensor, Any]:
        """Read one symbol (batch, width): what is left to say about the next one (batch, width), and the memory."""
        raise NotImplementedError

    def steps(self, read: Tensor, noise: Tensor) -> Tensor:
        """All of `step` at once, from the first: (batch, position, width) to (batch, position, width)."""
        raise NotImplementedError

    def forward(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one sample a row of noise (batch, latent), position by position."""
        memory, reminder = self.first(noise), self.remind(noise)
        symbol = noise.new_zeros(len(noise), self.symbols)
        written = []
        for _ in range(self.length):
            said, memory = self.step(self._embedded(symbol) + reminder, memory)
            logits = self.leave(said)
            symbol, ids = relax(logits)
            written.append(Output(logits, symbol, ids))
        logits, sample, ids = (torch.stack(part, dim=1) for part in zip(*written, strict=True))
        return Output(logits, sample, ids)

    def teacher(self, ids: Tensor, noise: Tensor) -> Tensor:
        """Logits (batch, position, symbol) of rows: at each position of its symbol, given the real ones before it.

        Args:
            ids: rows (batch, position) int64.
            noise: (batch, latent), one a row.
        """
        before = F.pad(self._embedded(ids[:, :-1]), (0, 0, 1, 0)) + self.remind(noise).unsqueeze(1)
        logits: Tensor = self.leave(self.steps(before, noise))
        return logits

    def _embedded(self, symbols: Tensor) -> Tensor:
        """Embed ids (...) int64 or soft symbols (..., symbol)."""
        soft = symbols.is_floating_point()
        embedded: Tensor = self.embed(symbols) if soft else F.embedding(symbols, self.embed.weight.T)
        return embedded


class MeanCritic(nn.Module):
    """A critic whose features are the mean of its states over the positions, and its score linear in them."""

    score: nn.Linear

    def states(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to states (batch, position, width)."""
        raise NotImplementedError

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to features (batch, width)."""
        return self.states(samples).mean(1)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to scores (batch,)."""
        return self.score(self.features(samples)).squeeze(1)  # type: ignore[no-any-return]


class CausalCritic(MeanCritic):
    """A critic whose state at a position knows that position and those before it only.

    So it scores every symbol as soon as it is written: a reward a symbol, with no rollout of the rest.

    Source: de Masson d'Autume et al. 2019 (ScratchGAN), whose critic is recurrent; theirs is a classifier at
    every position, here the score at a position goes into the mean, which any objective may take.
    """

    def position_scores(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to scores (batch, position), whose mean over positions is the score."""
        return self.score(self.states(samples)).squeeze(2)  # type: ignore[no-any-return]
