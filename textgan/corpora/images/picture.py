"""One picture: bytes to pixels, upright and opaque, and pixels to a row of the size that is asked for.

Pictures are arrays (y, x, channel) uint8 of 1 or 3 channels. Pillow is imported where it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError

Picture = npt.NDArray[np.uint8]
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # as Pillow calls them
MOST = 1 << 26  # pixels of a picture: more is a bomb, or would need gigabytes
LARGEST = 1 << 28  # of the file of one picture [bytes]
LUMA = np.array([19595, 38470, 7471], np.uint32)  # of 65,536: Rec. 601, rounded as Pillow has it

DAMAGED, EMPTY, TOO_LARGE = "damaged pictures and files that are none", "empty pictures", "pictures that are too large"
WRONG_SHAPE, NO_CLASS = "pictures of the wrong shape", "pictures with a label that is none"


class UnusableError(Exception):
    """A picture that cannot be used: the kind of fault, in the plural, and maybe more."""


def as_it_is(picture: Any) -> Picture:
    """Return a picture that is stored as an array (y, x) or (y, x, channel) of bytes.

    Raises:
        UnusableError: it is no such array.
    """
    array = np.asarray(picture)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
        raise UnusableError(WRONG_SHAPE)
    return array


def from_file(path: Path) -> Picture:
    """Decode the picture of a file; raises what `decoded` does."""
    try:
        if path.stat().st_size > LARGEST:
            raise UnusableError(TOO_LARGE)
        content = path.read_bytes()
    except OSError as error:
        raise UnusableError(DAMAGED, error.strerror or "it cannot be read") from None
    return decoded(content)


def decoded(content: bytes) -> Picture:
    """Decode a PNG, JPEG, WebP, BMP or GIF (its first frame) to colours (y, x, 3).

    It is turned upright as its EXIF says; what is transparent is laid on white.

    Raises:
        UnusableError: it is none, damaged, cut short, or too large.
        TextganError: there is no Pillow.
    """
    pillow, ops = import_pillow()
    if not content:
        raise UnusableError(EMPTY)
    with _told(), pillow.open(BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > MOST:
            raise UnusableError(TOO_LARGE, f"{image.width} x {image.height} pixels")
        upright = ops.exif_transpose(_eight_bits(image))
        if upright.has_transparency_data:
            opaque = upright.convert("RGBA")
            white = pillow.new("RGBA", opaque.size, "white")
            upright = pillow.alpha_composite(white, opaque)
        return np.asarray(upright.convert("RGB"))


def _eight_bits(image: Any) -> Any:
    """Return grey of 16 bits in 8, which Pillow would cut off at 255."""
    return image.point(lambda value: value / 257).convert("L") if image.mode.startswith("I") else image


@contextmanager
def _told() -> Iterator[None]:
    """Turn whatever Pillow raises about a picture into one kind of error, and keep its warnings quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UnusableError, MemoryError):
        raise
    except Exception as error:  # damaged files make its decoders raise nearly anything
        name = type(error).__name__
        said = f"no {', '.join(FORMATS)}" if name == "UnidentifiedImageError" else " ".join(str(error).split())[:100]
        raise UnusableError(TOO_LARGE if name == "DecompressionBombError" else DAMAGED, said) from None


def import_pillow() -> tuple[Any, Any]:
    """Return Pillow's `Image` and `ImageOps`.

    Raises:
        TextganError: it is not installed.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise needs("Pillow") from None
    return Image, ImageOps


def needs(library: str) -> TextganError:
    """Return the error of a library that is not installed."""
    return TextganError(f"pictures of this kind need {library}; pip install 'textgan[images]'")


def fitted(picture: Picture, side: int, channels: int) -> Picture:
    """Return the row (channel, side, side) of a picture (y, x, channel): its middle square, resized.

    Shrinking takes the mean of the area that a pixel covers (Pillow's box filter): nothing is skipped, which would
    alias, and nothing overshoots, which would ring. Enlarging is bilinear. Colours become grey by their luma
    (Rec. 601), and grey is repeated.
    """
    high, wide = picture.shape[:2]
    if not high or not wide:
        raise UnusableError(EMPTY)
    square = min(high, wide)
    top, left = (high - square) // 2, (wide - square) // 2
    middle = picture[top : top + square, left : left + square]
    if channels == 1 and middle.shape[2] == 3:
        middle = ((middle @ LUMA + 0x8000) >> 16).astype(np.uint8)[..., None]
    if square != side:
        middle = _resized(middle, side)
    return np.ascontiguousarray(np.broadcast_to(middle, (side, side, channels)).transpose(2, 0, 1))


def _resized(square: Picture, side: int) -> Picture:
    pillow, _ = import_pillow()
    image = pillow.fromarray(square[..., 0] if square.shape[2] == 1 else square)
    by = pillow.Resampling.BOX if side < len(square) else pillow.Resampling.BILINEAR
    return np.asarray(image.resize((side, side), by)).reshape(side, side, -1)
