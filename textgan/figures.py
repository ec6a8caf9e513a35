"""The figures of an evaluation in words: a line of progress, the table of a model card. One entry a kind of sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

Evaluation = Mapping[str, Any]


class Row(NamedTuple):
    """One figure, with that of real rows at the same count beside it."""

    name: str
    value: str
    floor: str


def figures(evaluation: Evaluation) -> str:
    """Put the evaluation of generated samples in a line, each figure beside real data's own, which is its floor."""
    shown = [f"{name} {value} (real {floor})" for name, value, floor in _shown(evaluation).line(evaluation)]
    return ", ".join(shown + _classified(evaluation))


def _classified(evaluation: Evaluation) -> list[str]:
    """The test error of a semi-supervised critic, where there is one."""
    figure = evaluation.get("classification")
    alone = figure and f"by the labels alone {figure['supervised']:.3f}"
    return [f"test error {figure['value']:.3f} ({alone})"] if figure else []


def table(evaluation: Evaluation) -> list[str]:
    """Write the table of a model card, in Markdown, a line each; below it what a semi-supervised critic can do."""
    rows = [f"| {' | '.join(row)} |" for row in _shown(evaluation).rows(evaluation)]
    taught = classification(evaluation)
    return [
        _shown(evaluation).head,
        "|---|---|---|",
        *rows,
        *(["", f"{taught[0].upper()}{taught[1:]}."] if taught else []),
    ]


def classification(evaluation: Evaluation) -> str:
    """Say how well the critic classifies where it was taught to, beside a net taught by the labels alone."""
    if not (figure := evaluation.get("classification")):
        return ""
    value, supervised = share(figure["value"], 2), share(figure["supervised"], 2)
    ends = [share(figure[end], 2) for end in ("low", "high") if figure.get(end) is not None]
    spread = f" (95 %: {' to '.join(ends)})" if ends else ""
    return (
        f"test error {value}{spread} with {figure['labels']:,} labels a class, on {figure['rows']:,} held-out samples; "
        f"a net taught by these labels alone has {supervised}"
    )


def share(value: float, decimals: int = 1) -> str:
    """Write 0..1 as a percentage."""
    return f"{100 * value:.{decimals}f} %"


def _of_text(evaluation: Evaluation) -> Iterator[Row]:
    shown = {"JSD-4": evaluation["jsd"].get("4"), "words": evaluation["words"], "unique": evaluation["unique"]}
    for name, figure in shown.items():
        if figure:
            yield Row(name, _number(figure["value"]), _number(figure["floor"]))


def _jsd(evaluation: Evaluation) -> Iterator[Row]:
    for n, figure in evaluation["jsd"].items():
        if figure["value"] is not None and figure["floor"] is not None:
            yield Row(n, f"{figure['value']:.4f}", f"{figure['floor']:.4f}")


def of_points(evaluation: Evaluation) -> Iterator[Row]:
    """Yield the figures of generated points."""
    for name in ("modes", "balanced"):
        figure = evaluation[name]
        yield Row(name, f"{figure['value']} of {figure['of']}", str(figure["floor"]))
    for name, digits in (("good", 3), ("distance", 4)):
        yield Row(name, *(f"{evaluation[name][side]:.{digits}f}" for side in ("value", "floor")))


INCEPTION = "inception-v3-compat"
"""The extractor whose figures have names of their own."""
SCORES = {"frechet": ("FD", "FID"), "kernel": ("KD", "KID"), "class_score": ("CS", "IS")}
"""What a figure on features is called, and what on those of INCEPTION."""
COPIES = ("copies.features", "copies.pixels")
PICTURES = (*SCORES, "precision", "recall", "density", "coverage", "unique", *COPIES)
"""All figures of pictures, by their place in an evaluation, in the order in which they are shown."""
FEW = ("frechet", "class_score", "precision", "recall")
"""What progress tells of them."""


def of_pictures(evaluation: Evaluation, keys: Sequence[str] = PICTURES) -> Iterator[Row]:
    """Yield the figures of generated pictures; those on features bear the extractor's name."""
    for key in keys:
        if figure := figure_of(evaluation, key):
            told = (picture_figure(key, figure[side]) for side in ("value", "floor"))
            yield Row(picture_name(key, evaluation["extractor"]), *told)


def figure_of(evaluation: Evaluation, key: str) -> Evaluation:
    """Return a figure of an evaluation by its place, such as copies.pixels; empty where it is not there."""
    for part in key.split("."):
        evaluation = evaluation.get(part) or {}
    return evaluation


def picture_name(key: str, extractor: str) -> str:
    """Return what a figure is called: FID on the features of the Inception net, FD[NAME] on others."""
    if key not in SCORES:
        return key.replace(".", " by ")
    plain, inception = SCORES[key]
    return inception if extractor == INCEPTION else f"{plain}[{extractor}]"


def picture_figure(key: str, value: float | None) -> str:
    """Write a figure: a distance or a score by four digits, a share by three decimals."""
    return "-" if value is None else f"{value:#.4g}" if key in SCORES else _number(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


class Shown(NamedTuple):
    """How the evaluation of one kind of sample is shown."""

    line: Callable[[Evaluation], Iterator[Row]]
    """What progress tells."""
    rows: Callable[[Evaluation], Iterator[Row]]
    """What the model card tells."""
    head: str
    """Of the card's table."""


SHOWN = {
    "jsd": Shown(_of_text, _jsd, "| n | JSD (bits) | real text at the same count |"),
    "frechet": Shown(partial(of_pictures, keys=FEW), of_pictures, "| | generated | real pictures at the same count |"),
    "modes": Shown(of_points, of_points, "| | generated | real points at the same count |"),
}
"""By the figure that only this kind has."""


def _shown(evaluation: Evaluation) -> Shown:
    return next(shown for figure, shown in SHOWN.items() if figure in evaluation)
