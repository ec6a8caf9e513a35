"""An evaluation of pictures for the eye: each figure with its interval, real pictures' and what it says; faults."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from textgan.figures import COPIES, PICTURES, figure_of, picture_figure, picture_name
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
    """Say how many pictures were measured against how many, and by whose features."""
    return (
        f"{found['samples']:,} generated pictures against {found['reference']:,} held-out ones, "
        f"on the features of {found['extractor']}."
    )


def classification(found: Evaluation) -> str:
    """Say how well the critic classifies where it was taught to, beside a net taught by the labels alone."""
    if not (figure := found.get("classification")):
        return ""
    spread = "" if figure.get("low") is None else f" (95 %: {figure['low']:.2%} to {figure['high']:.2%})"
    return (
        f"test error {figure['value']:.2%}{spread} with {figure['labels']:,} labels a class, on {figure['rows']:,} "
        f"held-out pictures; a net taught by these labels alone has {figure['supervised']:.2%}"
    )


def faults(found: Evaluation) -> list[str]:
    """Say what the figures prove to be wrong, the plainest first."""
    said = []
    for key, (least, most, text) in SOUND.items():
        figure = figure_of(found, key)
        if figure and figure["floor"] and not least <= figure["value"] / figure["floor"] <= most:
            value, floor = (f"{figure[side]:.1%}" for side in ("value", "floor"))
            said.append(f"{text.format(value)} (real pictures: {floor})")
    return said
