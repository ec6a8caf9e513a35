"""Pictures beside each other in one picture, and a picture as a PNG file."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO

import numpy as np

from textgan.errors import TextganError
from textgan.pixels import Pictures

SEEN = 64  # side that small pictures are enlarged to, about [pixels]
WIDEST = 2048  # of a grid that is enlarged [pixels]
GAP, BETWEEN = 2, 128  # pixels between pictures, and their grey, which is seen on dark pages and on bright ones


def grid(
    pictures: Sequence[Pictures], columns: int | None = None, scale: int | None = None, gap: int = GAP
) -> Pictures:
    """Lay pictures out in rows, from left to right and then down.

    Args:
        pictures: one or more (y, x, channel), all of one shape.
        columns: pictures in a row; None makes the grid nearly square.
        scale: each pixel becomes a square of this side; None enlarges small pictures so that they can be seen.
        gap: around each picture. [pixels]

    Returns:
        One picture (y, x, channel); where a row is not full, its rest is as the gaps are.

    Raises:
        ValueError: there are no pictures.
    """
    shown = np.asarray(pictures, dtype=np.uint8)
    if not len(shown):
        raise ValueError("a grid of no pictures")
    columns = columns or math.ceil(math.sqrt(len(shown)))
    rows = -(-len(shown) // columns)
    scale = scale or max(1, min(zoomed(shown[0]), WIDEST // (columns * shown.shape[2])))
    shown = enlarged(shown, scale)
    _, height, width, channels = shown.shape
    cells = np.full((rows * columns, height + gap, width + gap, channels), BETWEEN, dtype=np.uint8)
    cells[: len(shown), gap:, gap:] = shown
    table = cells.reshape(rows, columns, height + gap, width + gap, channels).swapaxes(1, 2)
    joined = table.reshape(rows * (height + gap), columns * (width + gap), channels)
    return np.pad(joined, ((0, gap), (0, gap), (0, 0)), constant_values=BETWEEN)


def zoomed(picture: Pictures) -> int:
    """Return the whole factor by which a small picture (y, x, channel) can be seen, 1 of a large one."""
    height, width, _ = picture.shape
    return max(1, SEEN // int(max(height, width)))


def enlarged(pictures: Pictures, scale: int) -> Pictures:
    """Make each pixel of pictures (..., y, x, channel) a square of this side."""
    return pictures.repeat(scale, axis=-3).repeat(scale, axis=-2)


def png(picture: Pictures) -> bytes:
    """Return the PNG file of a picture (y, x, channel) of 1 or 3 channels.

    Raises:
        TextganError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise TextganError("PNG files are written by Pillow; pip install 'textgan[images]'") from None
    file = BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(file, "PNG")
    return file.getvalue()


def data_uri(picture: Pictures) -> str:
    """Return the PNG file of a picture (y, x, channel) as an address that holds it whole."""
    return "data:image/png;base64," + b64encode(png(picture)).decode()
