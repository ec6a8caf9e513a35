"""Convolutions along a sequence, channels last: (batch, position, channel) in and out, the length kept.

On a CPU a kernel of 3 or 5 is computed by Winograd's minimal filtering: instead of `kernel` products of matrices at
each position, kernel + 3 products for every tile of 4 positions, a half of the multiplications for 3 and two fifths
for 5. What surrounds the products is three constant linear maps, each the backward of its mirror, so that gradients of
any order, such as those of a slope, run through the same products: nothing here is a special case for a penalty.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textgan.nets.linear_map import linear_map
from textgan.nets.resample import double, halve

TILE = 4  # positions of the output that are computed together; 8 would take a quarter less time at 10 times the error
POINTS = {3: (0, 1, -1, 2, -2), 5: (0, 1, -1, 2, -2, 0.5, -0.5)}
"""Points where the polynomials of a kernel and a tile are evaluated, besides infinity: kernel + 2 of them."""
WIDE = 48  # channels from which the products cost more than the maps around them


class Convolution(nn.Conv1d):
    """A convolution of odd kernel over (batch, position, channel), zeros beyond both ends.

    Its parameters are those of `nn.Conv1d`: weight (channels_out, channels_in, kernel) and bias (channels_out,).
    """

    bias: nn.Parameter

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, position, channels_in) -> (batch, position, channels_out)."""
        if self.weight.shape[2] == 1:
            return F.linear(x, self.weight.squeeze(2), self.bias)
        if by_winograd(x, self.weight):
            return winograd(x, self.weight) + self.bias
        # one row of an image: its channels lie last as they do here, which one-dimensional convolutions cannot say
        rows = F.conv2d(x.mT.unsqueeze(2), self.weight.unsqueeze(2), self.bias, padding=(0, self.weight.shape[2] // 2))
        return rows.squeeze(2).mT

    def doubled(self, x: Tensor) -> Tensor:
        """(batch, position, channels_in) -> (batch, 2 position, channels_out), of every position twice."""
        return self(double(x))  # type: ignore[no-any-return]

    def halved(self, x: Tensor) -> Tensor:
        """(batch, 2 position, channels_in) -> (batch, position, channels_out), means of neighbours."""
        return halve(self(x))

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose of the linear part: (batch, position, channels_out) -> (batch, position, channels_in)."""
        return F.conv_transpose1d(y.mT, self.weight, padding=self.weight.shape[2] // 2).mT


def by_winograd(x: Tensor, weight: Tensor) -> bool:
    """Whether these sizes are convolved faster by Winograd's way; half precision is too coarse for it."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and weight.shape[2] in POINTS
        and min(weight.shape[:2]) >= WIDE
        and not torch.is_autocast_enabled("cpu")
    )


class Maps(NamedTuple):
    """The constant matrices of F(4, kernel), with n = kernel + 3."""

    tile: Tensor
    """Bᵀ (n, n): n neighbouring inputs to their values at the points."""
    kernel: Tensor
    """G (n, kernel): a kernel to its values at the points."""
    output: Tensor
    """Aᵀ (4, n): products at the points to 4 outputs."""


@lru_cache
@torch.inference_mode(False)  # tensors made in that mode could never be trained with
def maps(kernel: int, dtype: torch.dtype, device: torch.device) -> Maps:
    """Return the matrices of F(4, kernel): y = Aᵀ[(G w) ⊙ (Bᵀ x)].

    They are Vandermonde matrices of the points; a float32 convolution is off by some 3e-6 of its largest output.

    Source: Winograd 1980, "Arithmetic Complexity of Computations"; Lavin & Gray 2016 (1509.09308), section 4.
    """
    points = torch.tensor(POINTS[kernel], dtype=torch.float64)

    def values(coefficients: int) -> Tensor:
        """Polynomials of so many coefficients to their values at the points and, last, at infinity."""
        infinity = F.pad(torch.ones(1, 1, dtype=torch.float64), (coefficients - 1, 0))
        return torch.cat([torch.vander(points, coefficients, increasing=True), infinity])

    matrices = (torch.linalg.inv(values(kernel + TILE - 1)).mT, values(kernel), values(TILE).mT)
    return Maps(*(matrix.to(device, dtype).contiguous() for matrix in matrices))


def winograd(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve x (batch, position, channels_in) with weight (channels_out, channels_in, kernel)."""
    batch, length, _ = x.shape
    channels_out, channels_in, kernel = weight.shape
    matrices = maps(kernel, weight.dtype, weight.device)
    spectrum = (matrices.kernel @ weight.reshape(-1, kernel).mT).view(-1, channels_out, channels_in)
    enter, enter_transposed = partial(to_points, matrices.tile), partial(back_from_points, matrices.tile, batch, length)
    leave, leave_transposed = partial(outputs, matrices.output, batch, length), partial(back_to_points, matrices.output)
    products = torch.bmm(linear_map(x, enter, enter_transposed), spectrum.mT)
    return linear_map(products, leave, leave_transposed)


def to_points(matrix: Tensor, x: Tensor) -> Tensor:
    """Values at the points (point, batch * tile, channel) of every tile of x (batch, position, channel): Bᵀ x.

    Tiles overlap by kernel - 1 positions.
    """
    tiles, edge = tiled(x), (len(matrix) - TILE) // 2
    windows = x.new_empty(len(matrix), *tiles.shape[1:])
    windows[edge : edge + TILE] = tiles
    windows[:edge, :, 0] = 0
    windows[:edge, :, 1:] = tiles[TILE - edge :, :, :-1]
    windows[edge + TILE :, :, -1] = 0
    windows[edge + TILE :, :, :-1] = tiles[:edge, :, 1:]
    return (matrix @ windows.flatten(1)).view(len(matrix), len(x) * tiles.shape[2], x.shape[2])


def back_from_points(matrix: Tensor, batch: int, length: int, values: Tensor) -> Tensor:
    """Transpose of `to_points`: where tiles overlap, what comes back adds up."""
    edge = (len(matrix) - TILE) // 2
    windows = (matrix.mT @ values.reshape(len(matrix), -1)).view(len(matrix), batch, count(length), values.shape[2])
    tiles = windows[edge : edge + TILE]
    tiles[TILE - edge :, :, :-1] += windows[:edge, :, 1:]
    tiles[:edge, :, 1:] += windows[edge + TILE :, :, :-1]
    return untiled(tiles, length)


def outputs(matrix: Tensor, batch: int, length: int, products: Tensor) -> Tensor:
    """Outputs (batch, position, channel) of products at the points (point, batch * tile, channel): Aᵀ m."""
    tiles = matrix @ products.reshape(len(products), -1)
    return untiled(tiles.view(TILE, batch, count(length), products.shape[2]), length)


def back_to_points(matrix: Tensor, x: Tensor) -> Tensor:
    """Transpose of `outputs`."""
    tiles = tiled(x)
    return (matrix.mT @ tiles.reshape(TILE, -1)).view(matrix.shape[1], len(x) * tiles.shape[2], x.shape[2])


def count(length: int) -> int:
    """Tiles of a row."""
    return -(-length // TILE)


def tiled(x: Tensor) -> Tensor:
    """(batch, position, channel) -> (4, batch, tile, channel), the last tile filled up with zeros."""
    batch, length, channels = x.shape
    x = F.pad(x, (0, 0, 0, -length % TILE)) if length % TILE else x
    return x.reshape(batch, count(length), TILE, channels).permute(2, 0, 1, 3)


def untiled(tiles: Tensor, length: int) -> Tensor:
    """(4, batch, tile, channel) -> (batch, position, channel), the first `length` positions."""
    return tiles.permute(1, 2, 0, 3).flatten(1, 2)[:, :length]
