"""A small convolutional classifier that is trained on the pictures of a corpus, once; its features are then compared.

It learns the corpus' classes. Where a corpus has none it learns which of four turns a picture was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textgan.features.extractor import Rows

FEATURES = 128
FINEST = 4  # side of the last maps; the convolutions halve the side until they are there. [pixels]
MOST = 20_000  # pictures that are learnt from
ASIDE, MOST_ASIDE = 0.1, 2_000  # share of the pictures that tells the accuracy, and how many at most
BATCH, STEPS, ROUNDS = 64, 2_000, 15  # steps, of which few pictures get fewer: so many rounds
RATE, DECAY, FRESH = 3e-3, 1e-3, 0.1  # the highest rate, of a cosine, after a rise over this share of the steps
SHIFT = 8  # pictures are moved by up to this part of the side, and in colour mirrored
TURNS = 4
SEED = 0
RECIPE = (1, FEATURES, FINEST, MOST, ASIDE, MOST_ASIDE, BATCH, STEPS, ROUNDS, RATE, DECAY, FRESH, SHIFT, SEED)
"""Settles the net that pictures give, with the code here: raise the first number when that gives another."""

Labels = npt.NDArray[np.integer]
Places = npt.NDArray[np.int64]


class Lesson(NamedTuple):
    """What there is to learn."""

    rows: Rows
    """(row, channel, y, x)."""
    labels: Labels | None
    """(row,); None to learn the turns."""
    classes: int

    @property
    def task(self) -> str:
        """What the net becomes."""
        return "rotations" if self.labels is None else "classifier"


class Learnt(NamedTuple):
    """A trained net."""

    net: Classifier
    accuracy: float
    """Share of the pictures set aside that it takes for what they are."""
    pictures: int
    """Learnt from."""
    aside: int
    """Pictures set aside."""


class Classifier(nn.Module):
    """Convolutions of stride 2 to maps of 4x4, their mean, a linear layer.

    Each convolution is 3x3, with batch normalisation and a ReLU; widths double towards the end, 16 to 128.

    Args:
        channels: of a picture.
        side: of a picture. [pixels]
        classes: logits.
    """

    def __init__(self, *, channels: int, side: int, classes: int) -> None:
        super().__init__()
        halvings = max(0, math.ceil(math.log2(side / FINEST)))
        strides = [*([1] if side <= 2 * FINEST else []), *[2] * halvings, 1]
        widths = [max(16, FEATURES >> max(0, len(strides) - 2 - place)) for place in range(len(strides))]
        layers: list[nn.Module] = []
        for width, before, stride in zip(widths, [channels, *widths], strides, strict=False):
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.maps = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (batch, 128) and logits (batch, class) of pictures (batch, channel, y, x) uint8."""
        features = self.maps(rows.float() / 127.5 - 1).mean((2, 3))
        return features, self.head(features)


def learn(lesson: Lesson, tell: Callable[[str], None]) -> Learnt:
    """Train a net on pictures, on the CPU; torch's own generator of random numbers is left as it was.

    A tenth of the pictures, 2,000 at most, are set aside and tell the accuracy.

    Source: the task without labels, Gidaris, Singh & Komodakis 2018; the optimizer, Loshchilov & Hutter 2019.
    """
    own, aside = (_taken(lesson, places) for places in parted(len(lesson.rows)))
    what = "turns, for they have no classes" if lesson.labels is None else "classes"
    tell(f"training a small net on {len(own.rows):,} pictures to tell their {what}; its features are compared")
    channels, side = lesson.rows.shape[1:3]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        net = Classifier(channels=channels, side=side, classes=lesson.classes)
    _train(net, own, torch.Generator().manual_seed(SEED))
    accuracy = _accuracy(net, aside)
    tell(f"the net is right on {100 * accuracy:.1f} % of {len(aside.rows):,} others")
    return Learnt(net, accuracy, len(own.rows), len(aside.rows))


def parted(count: int) -> tuple[Places, Places]:
    """Places, in order, of the pictures that are learnt from, and of those set aside, among so many."""
    order = np.random.default_rng(SEED).permutation(count)
    few = min(MOST_ASIDE, max(1, int(count * ASIDE)))
    return np.sort(order[few : few + MOST]), np.sort(order[:few])


def _taken(lesson: Lesson, places: Places) -> Lesson:
    return lesson._replace(rows=lesson.rows[places], labels=None if lesson.labels is None else lesson.labels[places])


def _train(net: Classifier, own: Lesson, rng: torch.Generator) -> None:
    rows = torch.from_numpy(np.ascontiguousarray(own.rows))
    labels = None if own.labels is None else torch.from_numpy(own.labels.astype(np.int64))
    batch = min(BATCH, len(rows))
    steps = min(STEPS, ROUNDS * len(rows) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=DECAY)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(rows), generator=rng)
        chosen, order = order[:batch], order[batch:]
        optimizer.param_groups[0]["lr"] = _rate((step + 0.5) / steps)
        pictures, answers = _asked(_moved(rows[chosen], rng), None if labels is None else labels[chosen], rng)
        optimizer.zero_grad()
        F.cross_entropy(net(pictures)[1], answers).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    net.eval()


def _rate(gone: float) -> float:
    """The rate after a share of the steps."""
    return RATE * min(gone / FRESH, (1 + math.cos(math.pi * gone)) / 2)


def _moved(rows: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures each moved a little, edges going on outward, and of coloured ones half mirrored."""
    side = rows.shape[-1]
    most = max(1, side // SHIFT)
    wide = F.pad(rows.float(), (most,) * 4, mode="replicate").to(torch.uint8)
    x, y = torch.randint(0, 2 * most + 1, (2, len(rows), 1), generator=rng) + torch.arange(side)
    if rows.shape[1] == 3:
        mirrored = torch.rand(len(rows), 1, generator=rng) < 0.5
        x = torch.where(mirrored, x.flip(1), x)
    return wide[torch.arange(len(rows))[:, None, None], :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def _asked(rows: Tensor, labels: Tensor | None, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures with what is to be said of them: their label, or the turn that each is given."""
    if labels is not None:
        return rows, labels
    turns = torch.randint(0, TURNS, (len(rows),), generator=rng)
    turned = torch.stack([torch.rot90(row, int(turn), (1, 2)) for row, turn in zip(rows, turns, strict=True)])
    return turned, turns


def _accuracy(net: Classifier, aside: Lesson) -> float:
    rows = torch.from_numpy(np.ascontiguousarray(aside.rows))
    labels = None if aside.labels is None else torch.from_numpy(aside.labels.astype(np.int64))
    pictures, answers = _asked(rows, labels, torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        right = torch.cat([net(part)[1].argmax(1) for part in torch.split(pictures, 1024)]) == answers
    return right.float().mean().item()
