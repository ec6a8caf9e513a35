"""The recurrent generator: one symbol after the other, each with what came before in mind."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.contract import BoundRelaxation, Output
from textgan.nets.layers import linear, pointwise


class RecurrentGenerator(nn.Module):
    """Embedding -> GRU of `blocks` layers -> 1-wide convolution to symbols, all of it told the noise.

    The noise makes the first state, and is added to what is read at every position, lest it be forgotten on the way.

    The relaxation is applied at every position and what it gives is read at the next: a soft symbol is embedded by a
    product with a matrix, a drawn one that is given as its id by a look-up. Before the first the net reads zeros.

    Source: Cho et al. 2014 for the GRU; Williams & Zipser 1989 for teacher forcing.
    """

    def __init__(self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.length, self.symbols = length, symbols
        self.enter = linear(latent, blocks * width)
        self.remind = linear(latent, width)
        self.embed = nn.Linear(symbols, width, bias=False)
        nn.init.normal_(self.embed.weight)
        self.gru = nn.GRU(width, width, num_layers=blocks, batch_first=True)
        self.leave = pointwise(width, symbols)

    def forward(self, noise: Tensor, relax: BoundRelaxation) -> Output:
        """Generate one sample a row of noise (batch, latent), position by position."""
        state, reminder = list(self._first(noise)), self.remind(noise)
        symbol = noise.new_zeros(len(noise), self.symbols)
        steps = []
        for _ in range(self.length):
            state = self._step(self._embedded(symbol) + reminder, state)
            logits = self.leave(state[-1])
            symbol, ids = relax(logits)
            steps.append(Output(logits, symbol, ids))
        logits, sample, ids = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return Output(logits, sample, ids)

    def teacher(self, ids: Tensor, noise: Tensor) -> Tensor:
        """Logits (batch, position, symbol) of rows: at each position of its symbol, given the real ones before it.

        Args:
            ids: rows (batch, position) int64.
            noise: (batch, latent), one a row.
        """
        before = F.pad(self._embedded(ids[:, :-1]), (0, 0, 1, 0)) + self.remind(noise).unsqueeze(1)
        # cuDNN wants all weights in one piece of memory, which those of an average or a loaded model are not
        with torch.backends.cudnn.flags(enabled=False):
            read, _ = self.gru(before, self._first(noise))
        logits: Tensor = self.leave(read)
        return logits

    def _embedded(self, symbols: Tensor) -> Tensor:
        """Embed ids (...) int64 or soft symbols (..., symbol)."""
        soft = symbols.is_floating_point()
        embedded: Tensor = self.embed(symbols) if soft else F.embedding(symbols, self.embed.weight.T)
        return embedded

    def _first(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to the state before the first symbol (layer, batch, width)."""
        first = torch.tanh(self.enter(noise)).reshape(len(noise), self.gru.num_layers, -1)
        return first.transpose(0, 1).contiguous()

    def _step(self, read: Tensor, state: list[Tensor]) -> list[Tensor]:
        """Read one symbol (batch, width) in a state (batch, width) a layer: the next state, the last layer's on top."""
        after = list[Tensor]()
        for before, weights in zip(state, self.gru.all_weights, strict=True):
            read = torch.gru_cell(read, before, *weights)
            after.append(read)
        return after
