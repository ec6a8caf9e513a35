"""Recurrent nets: a generator with GRU or LSTM layers that reads what it has written, and a critic that reads along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from textgan.nets.autoregressive import AutoregressiveGenerator, CausalCritic, embedding
from textgan.nets.layers import linear, pointwise

States = tuple[Tensor, ...]
"""What a layer remembers, (batch, width) each; the first is what it says to the layer above."""


class Cell(NamedTuple):
    """A kind of recurrent layer."""

    name: str
    """Of the layers among a net's parameters."""
    layers: Callable[..., nn.RNNBase]
    states: int
    step: Callable[[Tensor, States, Sequence[Tensor]], States]
    """What is read (batch, width), the states before and a layer's weights to the states after."""


def gru_step(read: Tensor, states: States, weights: Sequence[Tensor]) -> States:
    """Source: Cho et al. 2014."""
    return (torch.gru_cell(read, states[0], *weights),)


def lstm_step(read: Tensor, states: States, weights: Sequence[Tensor]) -> States:
    """Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000."""
    return torch.lstm_cell(read, states, *weights)


class RecurrentGenerator(AutoregressiveGenerator):
    """Embedding -> GRU of `blocks` layers -> 1-wide convolution to symbols; the noise also makes the first state.

    `kernel` is taken for the common signature and not used.

    Source: Cho et al. 2014 for the GRU.
    """

    cell: ClassVar = Cell("gru", nn.GRU, 1, gru_step)

    def __init__(self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.length, self.symbols = length, symbols
        self.enter = linear(latent, self.cell.states * blocks * width)
        self.remind = linear(latent, width)
        self.embed = embedding(symbols, width)
        self.add_module(self.cell.name, self.cell.layers(width, width, num_layers=blocks, batch_first=True))
        self.leave = pointwise(width, symbols)

    def first(self, noise: Tensor) -> list[States]:
        """Noise (batch, latent) to the states of each layer before the first symbol."""
        return list(zip(*self._first(noise), strict=True))

    def step(self, read: Tensor, memory: list[States]) -> tuple[Tensor, list[States]]:
        """Read one symbol (batch, width): the last layer's state (batch, width), and the states of each layer."""
        after = list[States]()
        for before, weights in zip(memory, self._layers.all_weights, strict=True):
            after.append(self.cell.step(read, before, weights))
            read = after[-1][0]
        return read, after

    def steps(self, read: Tensor, noise: Tensor) -> Tensor:
        """All of `step` at once, from the first: (batch, position, width) to (batch, position, width)."""
        first = self._first(noise)
        return read_along(self._layers, read, first if len(first) > 1 else first[0])

    @property
    def _layers(self) -> nn.RNNBase:
        return self.get_submodule(self.cell.name)  # type: ignore[return-value]

    def _first(self, noise: Tensor) -> States:
        """Noise (batch, latent) to each state before the first symbol (layer, batch, width)."""
        first = torch.tanh(self.enter(noise)).reshape(len(noise), self.cell.states, self._layers.num_layers, -1)
        return first.permute(1, 2, 0, 3).contiguous().unbind(0)


class LSTMGenerator(RecurrentGenerator):
    """The recurrent generator with LSTM layers, whose state and memory cell the noise both makes.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 for the forget gate.
    """

    cell: ClassVar = Cell("lstm", nn.LSTM, 2, lstm_step)


class RecurrentCritic(CausalCritic):
    """Embedding -> GRU of `blocks` layers -> linear score at every position, of which the score is the mean.

    `length` and `kernel` are taken for the common signature and not used. It is smooth, not piecewise linear.

    Source: de Masson d'Autume et al. 2019 (ScratchGAN), whose critic is a recurrent net; Cho et al. 2014 for the
    GRU. It departs in having no layer norm and no code of the position.
    """

    def __init__(self, *, length: int, symbols: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.enter = embedding(symbols, width)
        self.gru = nn.GRU(width, width, num_layers=blocks, batch_first=True)
        self.score = linear(width, 1)

    def states(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to states (batch, position, width)."""
        return read_along(self.gru, self.enter(samples), None)


def read_along(layers: nn.RNNBase, read: Tensor, first: Any) -> Tensor:
    """(batch, position, width) through recurrent layers, from the first state or zeros, to (batch, position, width).

    Without cuDNN, which has no second derivative, and wants all weights in one piece of memory, as those of an average
    or a loaded model are not.
    """
    with torch.backends.cudnn.flags(enabled=False):
        states: Tensor = layers(read, first)[0]
    return states
