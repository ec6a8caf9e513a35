"""One picture: what decoding makes upright, opaque and 8 bits deep, and the crop and size of a row."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import picture_files as made
import pytest

from textgan.corpora.images import picture
from textgan.corpora.images.picture import UnusableError, decoded, fitted, from_file

Image = pytest.importorskip("PIL.Image")
RANDOM = made.side(1, 5, size=12).pixels[0][:7]  # (7, 12, 3)


def saved(image: Any, form: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_pictures_come_back_as_they_were(form: str, options: dict[str, Any]) -> None:
    assert np.array_equal(decoded(made.encoded(RANDOM, form, **options)), RANDOM)


def test_jpeg_and_the_first_frame_of_a_gif() -> None:
    flat = np.full((9, 5, 3), [200, 30, 90], np.uint8)
    assert np.abs(decoded(made.encoded(flat, "JPEG", quality=95)).astype(int) - flat).max() <= 3
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    found = decoded(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.array_equal(found, np.full((4, 4, 3), [255, 0, 0]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(orientation: int) -> None:
    # what a camera stores so that turning it as EXIF says gives the picture: the standard's own words, by hand
    stored = {
        1: RANDOM, 2: RANDOM[:, ::-1], 3: RANDOM[::-1, ::-1], 4: RANDOM[::-1], 5: RANDOM.transpose(1, 0, 2),
        6: RANDOM.transpose(1, 0, 2)[::-1], 7: RANDOM.transpose(1, 0, 2)[::-1, ::-1],
        8: RANDOM.transpose(1, 0, 2)[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert np.array_equal(decoded(content), RANDOM)


def test_what_is_transparent_lies_on_white() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[0, 1] = (10, 20, 30, 0)
    pixels[1, 0] = (0, 0, 0, 51)  # a fifth
    found = decoded(saved(Image.fromarray(pixels)))
    assert found[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    assert np.abs(found[1].astype(int) - [[204] * 3, [255] * 3]).max() <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 250, 0, 0])
    palette.putpixel((1, 0), 1)
    assert decoded(saved(palette, transparency=0)).tolist() == [[[255, 255, 255], [250, 0, 0]]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "I;16"])
def test_every_mode_becomes_colours(mode: str) -> None:
    grey = np.array([[0, 255]], np.uint8)
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(np.array([[0, 65535]], np.uint16))
    content = saved(image.convert(mode) if mode != "I;16" else image, "JPEG" if mode == "CMYK" else "PNG")
    assert np.abs(decoded(content).astype(int) - grey[..., None].repeat(3, axis=2)).max() <= 4


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    deep = np.array([[0, 257, 1000, 32896, 65535]], np.uint16)
    assert decoded(saved(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 3, 128, 255]


# --- what is none -------------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", picture.EMPTY),
        (b"hello", picture.DAMAGED),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", picture.DAMAGED),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", picture.DAMAGED),  # of which Pillow would run a program
        (made.encoded(RANDOM)[:-40], picture.DAMAGED),
        (made.encoded(RANDOM, "JPEG")[:300], picture.DAMAGED),
        (bomb(9_000), picture.TOO_LARGE),
        (bomb(60_000), picture.TOO_LARGE),
        (bomb(100), picture.DAMAGED),
    ],
    ids=["empty", "text", "SVG", "EPS", "short PNG", "short JPEG", "large", "bomb", "no pixels"],
)
def test_what_is_no_picture_is_of_a_kind(content: bytes, kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableError) as caught:
        decoded(content)
    assert caught.value.args[0] == kind
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnusableError):
        from_file(tmp_path / "a.png")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(picture.LARGEST + 1)
    with pytest.raises(UnusableError, match=picture.TOO_LARGE):
        from_file(tmp_path / "a.png")
    with pytest.raises(UnusableError, match=picture.DAMAGED):
        from_file(tmp_path / "gone.png")


# --- rows ---------------------------------------------------------------------------------------------------------


def test_the_middle_square_is_taken() -> None:
    wide = fitted(RANDOM, 7, 3)  # 12 wide: two columns go on the left, three on the right
    assert np.array_equal(wide.transpose(1, 2, 0), RANDOM[:, 2:9])
    high = fitted(RANDOM.transpose(1, 0, 2), 7, 3)
    assert np.array_equal(high.transpose(1, 2, 0), RANDOM.transpose(1, 0, 2)[2:9])


@pytest.mark.parametrize("channels", [1, 3])
def test_shrinking_takes_the_mean_of_the_area(channels: int) -> None:
    pixels = made.side(1, 3, size=24, channels=channels).pixels[0]
    found = fitted(pixels, 8, channels).transpose(1, 2, 0)
    means = pixels.reshape(8, 3, 8, 3, channels).astype(float).mean(axis=(1, 3))
    assert np.abs(found - means).max() < 1  # rounded after each axis
    assert abs((found - means).mean()) < 0.1
    board = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    assert set(fitted(board, 8, 1).ravel().tolist()) <= {127, 128}  # a filter that skips would give black or white


def test_enlarging_stays_between_its_neighbours() -> None:
    step = np.repeat(np.array([0, 0, 200, 200], np.uint8)[None], 4, axis=0)[..., None]
    row = fitted(step, 16, 1)[0, 5].tolist()
    assert row == sorted(row)
    assert (row[0], row[-1]) == (0, 200)


def test_grey_and_colours() -> None:
    grey = RANDOM[..., :1]
    assert np.array_equal(fitted(grey, 7, 3), np.repeat(fitted(grey, 7, 1), 3, axis=0))
    luma = fitted(RANDOM, 7, 1)[0]
    exact = RANDOM[:, 2:9].astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(luma - exact).max() <= 0.51
    assert np.array_equal(luma, np.asarray(Image.fromarray(RANDOM[:, 2:9]).convert("L")))
    assert fitted(np.full((8, 8, 3), 255, np.uint8), 8, 1).min() == 255
    with pytest.raises(UnusableError, match=picture.EMPTY):
        fitted(np.zeros((0, 5, 3), np.uint8), 8, 3)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), np.zeros(4, np.uint8)])
def test_arrays_of_another_shape_are_refused(wrong: Any) -> None:
    with pytest.raises(UnusableError, match=picture.WRONG_SHAPE):
        picture.as_it_is(wrong)
