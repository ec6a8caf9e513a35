"""Pictures beside each other, as PNG files, and in a terminal."""

from __future__ import annotations

import io
import sys
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from textgan.errors import TextganError
from textgan.report.pictures import BETWEEN, data_uri, enlarged, grid, png, zoomed
from textgan.report.preview import RAMP, Layout, colourful, layout, preview, rendered, room


def grey(*values: int, side: int = 1) -> list[np.ndarray[Any, Any]]:
    """Pictures of one grey each."""
    return [np.full((side, side, 1), value, dtype=np.uint8) for value in values]


def seen(picture: np.ndarray[Any, Any]) -> list[list[int]]:
    """The values of a grey picture, - for those between pictures."""
    values: list[list[int]] = picture[..., 0].tolist()
    return values


def coloured(*pixels: tuple[int, int, int], columns: int) -> np.ndarray[Any, Any]:
    return np.array(pixels, dtype=np.uint8).reshape(-1, columns, 3)


# --- grids and files


def test_a_grid_goes_from_left_to_right_and_then_down() -> None:
    o = BETWEEN
    assert seen(grid(grey(1, 2, 3), 2, scale=1, gap=1)) == [
        [o, o, o, o, o],
        [o, 1, o, 2, o],
        [o, o, o, o, o],
        [o, 3, o, o, o],
        [o, o, o, o, o],
    ]
    assert seen(grid(grey(1, 2, 3), 3, scale=1, gap=0)) == [[1, 2, 3]]
    assert seen(grid(grey(1, 2), 2, scale=2, gap=0)) == [[1, 1, 2, 2]] * 2


def test_pixels_stay_where_they_are() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(256, size=(5, 3, 4, 3), dtype=np.uint8)
    joined = grid(list(pictures), 2, scale=3, gap=2)
    assert joined.shape == (3 * (9 + 2) + 2, 2 * (12 + 2) + 2, 3)
    for i, picture in enumerate(pictures):
        top, left = 2 + (i // 2) * 11, 2 + (i % 2) * 14
        assert (joined[top : top + 9 : 3, left : left + 12 : 3] == picture).all()
        assert (joined[top + 2 : top + 9 : 3, left + 2 : left + 12 : 3] == picture).all()
    assert (joined[2 + 22 :, 2 + 14 : -2] == BETWEEN).all()  # no sixth picture


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (5, (2, 3)), (64, (8, 8)), (7, (3, 3))]
)
def test_a_grid_is_nearly_square(count: int, shape: tuple[int, int]) -> None:
    assert grid(grey(*range(count)), scale=1, gap=0).shape[:2] == shape


@pytest.mark.parametrize(("side", "factor"), [(1, 64), (8, 8), (28, 2), (32, 2), (64, 1), (65, 1), (300, 1)])
def test_small_pictures_are_enlarged(side: int, factor: int) -> None:
    picture = grey(9, side=side)
    assert zoomed(picture[0]) == factor
    assert grid(picture, gap=0).shape == (side * factor, side * factor, 1)
    assert grid(picture * (2000 if side < 100 else 2), gap=0).shape[1] <= max(2048, 45 * side)
    assert enlarged(picture[0], 3).shape == (3 * side, 3 * side, 1)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        grid([])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_gives_the_picture_back(channels: int) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = np.random.default_rng(1).integers(256, size=(5, 7, channels), dtype=np.uint8)
    for content in (png(picture), b64decode(data_uri(picture).removeprefix("data:image/png;base64,"))):
        with image.open(io.BytesIO(content)) as read:
            assert (read.format, read.size, read.mode) == ("PNG", (7, 5), "RGB" if channels == 3 else "L")
            assert (np.asarray(read).reshape(5, 7, channels) == picture).all()


def test_without_pillow_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(TextganError, match=r"pip install 'textgan\[images\]'"):
        png(grey(0)[0])


# --- previews


def test_with_colours_a_character_is_two_pixels() -> None:
    picture = coloured((1, 2, 3), (1, 2, 3), (9, 9, 9), (4, 5, 6), (4, 5, 6), (7, 7, 7), columns=3)
    assert preview([picture], 80, colours=True) == ("\x1b[38;2;1;2;3;48;2;4;5;6m▀▀\x1b[38;2;9;9;9;48;2;7;7;7m▀\x1b[0m")
    first = "\x1b[38;2;1;1;1;48;2;1;1;1m▀\x1b[0m"
    assert preview(grey(1, 1), 80, colours=True) == f"{first} {first}"  # a lone last pixel is both halves


def test_without_colours_a_character_is_a_brightness() -> None:
    levels = [round(i * 256 / len(RAMP) + 1) for i in range(len(RAMP))]
    ramp = [np.full((2, 2, 1), value, dtype=np.uint8) for value in levels]
    assert preview(ramp, 2, colours=False).replace("\n\n", "") == RAMP  # one character, one a row
    picture = np.zeros((2, 2, 3), dtype=np.uint8)
    picture[0, 1] = 255
    assert preview([picture], 200, colours=False) == "  @@\n    "  # enlarged: two characters and a line a pixel
    assert preview([picture], 15, colours=False) == " ="  # no room: the mean of both
    assert preview([picture * 0 + 255], 15, colours=False) == "@@"


def test_pictures_stand_in_rows_that_fit() -> None:
    assert preview(grey(255, 0, 255, side=2), 5, colours=False) == "@   @"
    assert preview(grey(255, 0, 255, 255, 0, side=2), 5, colours=False) == "@   @\n\n@  "
    assert preview([], 80, colours=True) == ""


@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize("side", [1, 5, 8, 32, 333])
@pytest.mark.parametrize("width", [1, 2, 7, 80, 211])
def test_no_line_is_wider_than_the_terminal(width: int, side: int, colours: bool) -> None:
    from rich.text import Text

    shown = Text.from_ansi(preview(grey(3, 200, 7, 9, 100, side=side), width, colours)).plain.split("\n")
    assert max(map(len, shown)) <= width
    fit = layout(side, width, 24, colours=colours)
    assert fit.columns * (-(-side // fit.reduce) * fit.scale + 1) - 1 <= width or fit.columns == 1
    if width >= 7:
        assert fit.columns >= 4


def test_large_pictures_are_reduced_by_the_mean_of_squares() -> None:
    picture = np.arange(25, dtype=np.uint8).reshape(5, 5, 1)
    shown = preview([picture], 12, colours=True)  # 5 pixels of 2: reduced by 3
    means = {(0, 0): 6, (0, 1): 8, (1, 0): 18, (1, 1): 21}  # of squares of 3, cut at the edges, rounded down
    sequences = [f"38;2;{u};{u};{u};48;2;{v};{v};{v}m▀" for u, v in ((means[0, x], means[1, x]) for x in (0, 1))]
    assert shown == f"\x1b[{sequences[0]}\x1b[{sequences[1]}\x1b[0m"


def test_how_many_fit() -> None:
    assert layout(8, 80, 24, colours=True) == Layout(columns=9, rows=4, reduce=1, scale=1)
    assert layout(8, 80, 24, colours=False) == Layout(columns=4, rows=2, reduce=1, scale=2)
    assert layout(32, 80, 24, colours=True) == Layout(columns=4, rows=2, reduce=2, scale=1)
    assert layout(32, 200, 24, colours=True) == Layout(columns=6, rows=1, reduce=1, scale=1)
    assert layout(8, 80, 2, colours=True).rows == 1
    assert layout(8, 80, 24, colours=True).places == 36


def console(environ: dict[str, str], encoding: str = "utf-8", terminal: bool = True) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=file, force_terminal=terminal, width=40, height=12, _environ=environ)


@pytest.mark.parametrize(
    ("environ", "encoding", "terminal", "expected"),
    [
        ({"COLORTERM": "truecolor"}, "utf-8", True, True),
        ({"TERM": "xterm-256color"}, "utf-8", True, True),
        ({"TERM": "xterm"}, "utf-8", True, False),
        ({"TERM": "dumb"}, "utf-8", True, False),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, "utf-8", True, False),
        ({"COLORTERM": "truecolor"}, "ascii", True, False),
        ({"COLORTERM": "truecolor"}, "utf-8", False, False),
    ],
)
def test_colours_where_the_console_has_them(
    environ: dict[str, str], encoding: str, terminal: bool, expected: bool
) -> None:
    there = console(environ, encoding, terminal)
    assert colourful(there) is expected
    assert ("▀" in rendered(there, grey(1, side=4)).plain) is expected
    there.print(rendered(there, grey(1, 99, side=4)))
    there.file.flush()
    written = there.file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert ("\x1b[" in written) is expected
    assert room(there, 4) == layout(4, 40, 10, colours=expected)
