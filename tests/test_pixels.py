"""Pictures as rows, as arrays in users' hands, and as samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from textgan.pixels import Pixels
from textgan.spaces import Image, space_of

SPACE = Image(8, 3)
ROWS = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)


def test_rows_become_pictures_and_rows_again() -> None:
    pictures = SPACE.decode(ROWS)
    assert [picture.shape for picture in pictures] == [(8, 8, 3)] * 5
    assert pictures[2][1, 7, 0] == ROWS[2, 0, 1, 7]
    assert np.array_equal(SPACE.encode(pictures), ROWS)
    assert SPACE.encode(pictures).flags.c_contiguous
    with pytest.raises(ValueError, match="reshape"):
        SPACE.encode([pictures[0][:7]])


def test_a_sample_is_the_pixel_scaled_and_less_than_a_step_of_noise(rng: torch.Generator) -> None:
    every = torch.arange(256, dtype=torch.uint8).expand(1, 3, 256)
    clean = 2 * every.double() / 255 - 1
    noise = SPACE.to_sample(every, rng=rng).double() - clean
    assert -1e-6 <= noise.min() < 2e-4
    assert 1 / 128 - 2e-4 < noise.max() <= 1 / 128 + 1e-6
    assert noise.mean().item() == pytest.approx(1 / 256, abs=3e-4)
    again = SPACE.to_sample(every, rng=torch.Generator().manual_seed(0))
    assert torch.equal(again, (clean + noise).float())  # the same draws, the same sample


def test_pixels_come_back_from_samples() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    samples = (every / 127.5 - 1 + 0.5 / 128).clamp(max=1)  # with the mean of the noise; tanh goes to 1 at most
    assert torch.equal(SPACE.chosen(samples.atanh(), lambda found: found), every)
    assert SPACE.chosen(torch.tensor([-100.0, 100.0]), lambda found: found).tolist() == [0, 255]


def test_the_space_is_read_from_what_light_processes_write() -> None:
    space = Pixels(16, 1, ("cat", "dog"))
    image = space_of(space.to_json())
    assert type(image) is Image
    assert (image.side, image.channels, image.labels) == (16, 1, ("cat", "dog"))
    assert (image.values, dict(image.sizes)) == (256, {"channels": 1, "side": 16})
    assert "16x16 pixels in grey" in image.samples


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "toy"}, {"side": 0}, {"side": 1025}, {"side": 8.0}, {"side": True}, {"channels": 2}, {"labels": [1]},
        {"labels": ["a", "a"]},
    ],
)  # fmt: skip
def test_a_forged_space_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        space_of(Pixels(8, 3).to_json() | wrong)
