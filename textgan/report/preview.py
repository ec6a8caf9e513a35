"""Pictures in a terminal: two pixels a character, in colours where it has them, else by brightness."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgan.report.pictures import enlarged

if TYPE_CHECKING:
    import numpy.typing as npt
    from rich.console import Console
    from rich.text import Text

    from textgan.pixels import Pictures

BESIDE = 4  # pictures that a line always has room for, however large they are
RAMP = " .:-=+*#%@"  # from dark to bright
RESET = "\x1b[0m"
COLOURFUL = ("256", "truecolor")


class Layout(NamedTuple):
    """How pictures are put on a terminal."""

    columns: int
    """Pictures in a row."""
    rows: int
    """Rows of pictures that fit, at least one."""
    reduce: int
    """Each square of this side becomes one pixel."""
    scale: int
    """Each pixel becomes a square of this side."""

    @property
    def places(self) -> int:
        """Pictures that fit."""
        return self.columns * self.rows


def layout(side: int, width: int, height: int = 24, *, colours: bool) -> Layout:
    """Lay out square pictures of a side in so many columns and lines of characters."""
    widest = max(width // BESIDE - 1, 1)
    reduce = -(-side // widest)
    reduced = -(-side // reduce)
    scale = 1 if colours or 2 * reduced > widest else 2  # without colours two pixels would share a character
    cell = reduced * scale
    return Layout(max((width + 1) // (cell + 1), 1), max(height // (-(-cell // 2) + 1), 1), reduce, scale)


def preview(pictures: Sequence[Pictures], width: int, colours: bool) -> str:
    """Show pictures (y, x, channel) in lines of at most so many characters, a line a row of pixel pairs.

    With colours a character is an upper half block in the colour of the upper pixel on the lower one's, by the escape
    sequences of 24-bit colours, which end with each line; else it is one of ten by the pair's brightness. Large
    pictures are reduced by a whole factor, by the mean of each square, so that four stand beside each other.
    """
    if not len(pictures):
        return ""
    shown = np.asarray(pictures, dtype=np.uint8)
    if shown.shape[3] == 1:
        shown = shown.repeat(3, axis=3)
    fit = layout(max(shown.shape[1:3]), width, colours=colours)
    pixels = enlarged(_reduced(shown, fit.reduce), fit.scale)
    if pixels.shape[1] % 2:
        pixels = np.concatenate([pixels, pixels[:, -1:]], axis=1)  # the last line has a lower half, too
    written = _coloured if colours else _grey
    blocks = [[written(line) for line in picture.reshape(-1, 2, *picture.shape[1:])] for picture in pixels]
    rows = [blocks[start : start + fit.columns] for start in range(0, len(blocks), fit.columns)]
    return "\n\n".join("\n".join(" ".join(line) for line in zip(*row, strict=True)) for row in rows)


def _reduced(pictures: Pictures, factor: int) -> Pictures:
    """Mean of each square of pixels; at the lower and right edges the squares may be cut."""
    sums, counts = pictures.astype(np.int64), np.ones_like(pictures, dtype=np.int64)
    for axis in (1, 2):
        places = range(0, pictures.shape[axis], factor)
        sums, counts = (np.add.reduceat(values, places, axis=axis) for values in (sums, counts))
    return (sums // counts).astype(np.uint8)


def _coloured(pair: npt.NDArray[np.uint8]) -> str:
    """A line of pixels (2, x, 3), an escape sequence wherever the colours change."""
    columns = [tuple(column) for column in pair.transpose(1, 0, 2).reshape(-1, 6).tolist()]
    runs = ((colours, len(list(run))) for colours, run in groupby(columns))
    return "".join(_sequence(*colours) + "▀" * count for colours, count in runs) + RESET


def _sequence(*colours: int) -> str:
    upper, lower = (";".join(map(str, side)) for side in (colours[:3], colours[3:]))
    return f"\x1b[38;2;{upper};48;2;{lower}m"


def _grey(pair: npt.NDArray[np.uint8]) -> str:
    """A line of pixels (2, x, 3) by their mean brightness."""
    brightness = pair.mean(axis=(0, 2))
    return "".join(RAMP[int(value * len(RAMP) / 256)] for value in brightness)


def room(console: Console, side: int) -> Layout:
    """Lay out square pictures of a side on a console, whose last two lines are left to what is said."""
    return layout(side, console.width, console.height - 2, colours=colourful(console))


def rendered(console: Console, pictures: Sequence[Pictures]) -> Text:
    """Return pictures (y, x, channel) as a console shows them, in as many colours as it has."""
    from rich.text import Text

    return Text.from_ansi(preview(pictures, console.width, colourful(console)), no_wrap=True)


def colourful(console: Console) -> bool:
    """Return whether a console shows half blocks in colours: it has them, NO_COLOR is not set, and it writes UTF-8."""
    able = console.color_system in COLOURFUL and not console.no_color
    return able and console.encoding.lower().startswith("utf")
