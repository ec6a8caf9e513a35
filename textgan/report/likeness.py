"""An evaluation of pictures for the eye: each figure with its interval, real pictures' and what it says; faults."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from textgan.figures import COPIES, PICTURES, figure_of, picture_figure, picture_name, share
from textgan.metrics.metric import Metric
from textgan.report.document import Figure

Evaluation = Mapping[str, Any]

SAYS = {
    "frechet": "Distance of the two sides' Gaussians in the space of features; lower is closer.",
    "kernel": "Distance of the two sides by a polynomial kernel on features, without bias; lower is closer.",
    "class_score": "How sure a classifier is of each sample, and how evenly its classes are used; higher is better.",
    "precision": "Samples that lie among real pictures: how real they look; higher is better.",
    "recall": "Real pictures that lie among samples: how varied these are; higher is better.",
    "density": "How many real pictures' neighbourhoods a sample lies in, over 5; near that of real pictures is good.",
    "coverage": "Real pictures with a sample in their neighbourhood; higher is better.",
    "unique": "Different samples over all samples.",
    COPIES[0]: "Samples nearer to a training picture than 1 % of held-out ones are; more is memory, not invention.",
    COPIES[1]: "The same by pixels, to which blurred or plain pictures are near, too.",
}
BETTER: dict[str, Literal["lower", "near the floor"]] = {
    "frechet": "lower", "kernel": "lower", "density": "near the floor", "unique": "near the floor",
    **dict.fromkeys(COPIES, "near the floor"),
}  # fmt: skip
"""Which way a figure is better, where that is not upwards."""
SOUND = {
    "unique": (0.9, math.inf, "the samples repeat one another: {} of them are different pictures"),
    COPIES[0]: (0.0, 3.0, "the samples copy: {} of them are nearer to a training picture than usual"),
    "precision": (0.5, math.inf, "few samples look real: {} lie among real pictures"),
    "recall": (0.5, math.inf, "the samples vary little: {} of real pictures lie among them"),
    "coverage": (0.5, math.inf, "kinds of pictures are missing: samples come near to {} of real ones"),
}
"""Between which multiples of real pictures' own a share lies where nothing is plainly wrong, and what is wrong else."""

FEWEST = 30  # samples below which nothing is concluded
PARTLY = {"precision to coverage": "precision", "copies": COPIES[0]}
"""Figures that are of fewer pictures where there are many, and the place of one whose counts are theirs."""


def likenesses(found: Evaluation) -> Iterator[Figure]:
    """Yield the figures that an evaluation has, as they are written."""
    for key in PICTURES:
        if figure := figure_of(found, key):
            low, high, value, floor = (figure.get(side) for side in ("low", "high", "value", "floor"))
            told = partial(picture_figure, key)
            interval = "" if low is None or high is None else f"{told(low)} to {told(high)}"
            apart = "" if value is None or floor is None else f"{'' if value < floor else '+'}{told(value - floor)}"
            name = picture_name(key, found["extractor"])
            yield Figure(name, told(value), interval, told(floor), apart, SAYS[key])


def metrics(found: Evaluation) -> Iterator[Metric]:
    """Yield the figures that an evaluation has, as they are compared."""
    for key in PICTURES:
        if figure := figure_of(found, key):
            value, floor, low, high = (figure.get(side) for side in ("value", "floor", "low", "high"))
            yield Metric(key, "", value, floor, BETTER.get(key, "higher"), {}, low, high)


def counts(found: Evaluation) -> str:
    """Say how many pictures were measured against how many, by whose features, and how many stand for real ones."""
    usual = {side: found[side] for side in ("samples", "reference")}
    said = [
        f"{found['samples']:,} generated pictures against {found['reference']:,} held-out ones, on the features of "
        f"{found['extractor']}"
    ]
    for name, key in PARTLY.items():
        of = {side: figure_of(found, key).get(side, count) for side, count in usual.items()}
        if of != usual:
            said.append(f"{name} by {of['samples']:,} against {of['reference']:,}")
    said.append(f"real pictures: {found['floor_samples']:,} training pictures in the samples' place")
    return "; ".join(said) + "."


def faults(found: Evaluation) -> list[str]:
    """Say what the figures prove to be wrong, the plainest first; nothing of few samples."""
    said: list[str] = []
    for key, (least, most, text) in SOUND.items() if found["samples"] >= FEWEST else ():
        figure = figure_of(found, key)
        if figure and figure["floor"] and not least <= figure["value"] / figure["floor"] <= most:
            value, floor = (share(figure[side]) for side in ("value", "floor"))
            said.append(f"{text.format(value)} (real pictures: {floor})")
    return said
