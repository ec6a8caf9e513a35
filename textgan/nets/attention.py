"""Small transformers: nets of both sides in which every position looks at the others.

Attention is products of matrices and a softmax, written out: torch's fused kernels have no second derivative, which a
penalty on the critic's slope takes.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.nets.autoregressive import AutoregressiveGenerator, CausalCritic, MeanCritic, embedding
from textgan.nets.layers import glorot_uniform_, linear, pointwise
from textgan.nets.one_pass import OnePassGenerator


def head_count(width: int) -> int:
    """Heads of a width: the largest divisor of it up to width / 16, at least 1; 4 for 64, 3 for 48, 1 below 32."""
    return next(heads for heads in range(max(1, width // 16), 0, -1) if width % heads == 0)


def attend(queries: Tensor, keys: Tensor, values: Tensor, *, causal: bool) -> Tensor:
    """softmax(Q Kᵀ / √size) V, all (..., position, size); causal, a query sees the keys up to its own position.

    There may be fewer queries than keys: then they are those of the last positions.

    Source: Vaswani et al. 2017, eq. 1.
    """
    alike = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if causal:
        ahead = torch.ones(alike.shape[-2:], dtype=torch.bool, device=alike.device)
        alike = alike.masked_fill(ahead.triu(1 + alike.shape[-1] - alike.shape[-2]), -math.inf)
    return alike.softmax(-1) @ values


class Attention(nn.Module):
    """Multi-head self-attention (batch, position, width); keys, which a bias would not change, and all else have none.

    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, width: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = head_count(width), causal
        self.look = nn.Linear(width, 3 * width, bias=False)
        for part in self.look.weight.chunk(3):
            glorot_uniform_(part)
        self.leave = linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, position, width)."""
        return self._joined(attend(*self._looked(x).unbind(0), causal=self.causal))

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Go one position on, as a causal `forward` does.

        Args:
            x: that position (batch, 1, width).
            past: keys and values of all positions before it, (2, batch, head, position, width / head).

        Returns:
            What `forward` gives there (batch, 1, width), and `past` with that position.
        """
        looked = self._looked(x)
        past = torch.cat([past, looked[1:]], dim=3)
        return self._joined(attend(looked[0], *past.unbind(0), causal=False)), past

    def _looked(self, x: Tensor) -> Tensor:
        """(batch, position, width) to queries, keys and values (3, batch, head, position, width / head)."""
        return self.look(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # type: ignore[no-any-return]

    def _joined(self, values: Tensor) -> Tensor:
        return self.leave(values.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), the mlp 4 times as wide within, with GELU.

    Weights start as Glorot's; those of the two layers that leave a branch are divided by √(2 blocks), so that the sum
    of all branches starts as large whatever their number.

    Source: Vaswani et al. 2017; Radford et al. 2019 (GPT-2), section 2.3, for the norm before each branch and the
    initial size of what leaves it; Hendrycks & Gimpel 2016 for GELU.
    """

    def __init__(self, width: int, blocks: int, *, causal: bool) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, causal=causal)
        self.before_mlp = nn.LayerNorm(width)
        self.widen, self.narrow = linear(width, 4 * width), linear(4 * width, width)
        with torch.no_grad():
            for layer in (self.attention.leave, self.narrow):
                layer.weight.div_(math.sqrt(2 * blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, position, width)."""
        return self._mlp(x + self.attention(self.before_attention(x)))

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Go one position on: `Attention.step`, and what a block does besides."""
        branch, past = self.attention.step(self.before_attention(x), past)
        return self._mlp(x + branch), past

    def _mlp(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.gelu(self.widen(self.before_mlp(x))))  # type: ignore[no-any-return]


def stack(width: int, blocks: int, *, causal: bool) -> nn.Sequential:
    """Blocks over (batch, position, width)."""
    return nn.Sequential(*(Block(width, blocks, causal=causal) for _ in range(blocks)))


class TransformerGenerator(OnePassGenerator):
    """Linear -> (position, width), plus learned positions -> blocks -> norm -> 1-wide convolution to symbols.

    Heads are `head_count(width)`. `kernel` is taken for the common signature and not used.

    Source: this project; the block is Radford et al. 2019's.
    """

    def __init__(self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.enter = nn.Linear(latent, length * width, bias=False)
        nn.init.normal_(self.enter.weight, std=1 / math.sqrt(latent))  # so that noise and positions are as large
        self.positions = nn.Parameter(torch.randn(length, width))
        self.blocks = stack(width, blocks, causal=False)
        self.norm = nn.LayerNorm(width)
        self.leave = pointwise(width, symbols)

    def make_logits(self, noise: Tensor) -> Tensor:
        """Noise (batch, latent) to logits (batch, position, symbol)."""
        x = self.enter(noise).unflatten(1, self.positions.shape) + self.positions
        return self.leave(self.norm(self.blocks(x)))  # type: ignore[no-any-return]


class CausalTransformerGenerator(AutoregressiveGenerator):
    """Embedding, plus learned positions -> causal blocks -> norm -> 1-wide convolution to symbols.

    One position at a time it keeps the keys and values of those before. Heads are `head_count(width)`. `kernel` is
    taken for the common signature and not used.

    Source: Radford et al. 2019 (GPT-2); the noise, added to all that is read, is this project's.
    """

    def __init__(self, *, length: int, symbols: int, latent: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.length, self.symbols = length, symbols
        self.remind = linear(latent, width)
        self.embed = embedding(symbols, width)
        self.positions = nn.Parameter(torch.randn(length, width))
        self.blocks = stack(width, blocks, causal=True)
        self.norm = nn.LayerNorm(width)
        self.leave = pointwise(width, symbols)

    def first(self, noise: Tensor) -> list[Tensor]:
        """Return no keys and values yet, a block: (2, batch, head, 0, width / head)."""
        width = self.positions.shape[1]
        heads = head_count(width)
        return [noise.new_zeros(2, len(noise), heads, 0, width // heads)] * len(self.blocks)

    def step(self, read: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read one symbol (batch, width): the last block's output (batch, width), and keys and values a block."""
        x, after = (read + self.positions[memory[0].shape[3]]).unsqueeze(1), list[Tensor]()
        for block, before in zip(self.blocks, memory, strict=True):
            x, past = block.step(x, before)  # type: ignore[operator]
            after.append(past)
        return self.norm(x).squeeze(1), after

    def steps(self, read: Tensor, noise: Tensor) -> Tensor:
        """All of `step` at once, from the first: (batch, position, width) to (batch, position, width)."""
        return self.norm(self.blocks(read + self.positions))  # type: ignore[no-any-return]


class TransformerCritic(MeanCritic):
    """Embedding, plus learned positions -> blocks -> norm -> mean over positions -> linear score.

    Heads are `head_count(width)`. `kernel` is taken for the common signature and not used.

    Attention by products has no Lipschitz constant (Kim, Papamakarios & Mnih 2021, theorem 3.1), and a layer norm's is
    large: bounds on the weights, as by clipping, bound no slope here. A penalty on the slope does where it looks. Nor
    is the net piecewise linear.

    Source: Vaswani et al. 2017; the block is Radford et al. 2019's.
    """

    causal: ClassVar = False

    def __init__(self, *, length: int, symbols: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.enter = embedding(symbols, width)
        self.positions = nn.Parameter(torch.randn(length, width))
        self.blocks = stack(width, blocks, causal=self.causal)
        self.norm = nn.LayerNorm(width)
        self.score = linear(width, 1)

    def states(self, samples: Tensor) -> Tensor:
        """Samples (batch, position, symbol) to states (batch, position, width)."""
        return self.norm(self.blocks(self.enter(samples) + self.positions))  # type: ignore[no-any-return]


class CausalTransformerCritic(TransformerCritic, CausalCritic):
    """The transformer critic in which a position looks at itself and those before it only; its score is the mean."""

    causal: ClassVar = True
