"""The parts of a preset on made-up text or pictures, as a run would have them, beside nothing on disk that stays."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgan import assemble
from textgan.assemble import Parts
from textgan.bench import text
from textgan.bench.case import Setup
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.pixels import Pixels
from textgan.settings import resolve

SYMBOLS, LENGTH = 128, 32
ROWS = 4_000
WIDTHS, PICTURE_WIDTHS = (512, 128, 64), (128, 64, 32)  # of the papers' nets where none are asked for [channels]
BATCH = 64  # pictures of a step


def paper(setup: Setup, width: int) -> Parts:
    """Parts of the preset `wgan_gp` at a width: rows of 32 out of 128 symbols."""
    lines = text.noise(ROWS, LENGTH, symbols=SYMBOLS - 2, seed=0)  # the pad and the unknown are symbols, too
    sizes = {"generator.width": width, "critic.width": width, "text.length": LENGTH}
    return preset(setup, "wgan_gp", lines, sizes)


def pictures(setup: Setup, width: int) -> Parts:
    """Parts of the preset `cifar10_wgan_gp` at a width: a batch of pictures of noise."""
    sizes = {"generator.width": width, "critic.width": width, "training.batch": BATCH, "critic.judged": BATCH}
    config = resolve("cifar10_wgan_gp", flags={"training.device": str(setup.device), **sizes}).config
    space = Pixels(config.image.side, config.image.channels)
    pixels = np.random.default_rng(0).integers(256, size=(BATCH, space.channels, space.side, space.side), dtype="uint8")
    rows = Rows(pixels, np.arange(BATCH, dtype=np.uint32))
    return assemble.build_on(config, Corpus("noise", "", space, rows, rows, {}), setup.device)


def quick(setup: Setup, **settings: Any) -> Parts:
    """Parts of the preset `quick`, with settings by key, on random words."""
    return preset(setup, "quick", text.lines(ROWS, seed=0), settings)


def preset(setup: Setup, name: str, lines: Sequence[str], settings: dict[str, Any]) -> Parts:
    """Parts of a preset with settings by key, on these lines."""
    config = resolve(name, flags={"training.device": str(setup.device), **settings}).config
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        path = Path(folder) / "lines.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        corpus = prepare(str(path), Settings.of(config.corpus, config.text), cache=Path(folder) / "cache")
        return assemble.build_on(config, corpus, setup.device)
