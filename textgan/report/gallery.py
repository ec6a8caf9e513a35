"""A report of pictures as one HTML page: the pictures themselves, what they were measured at, how training went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textgan.figures import COPIES, classification, figure_of, picture_name
from textgan.pixels import Pictures
from textgan.report.charts import Axis, Series, lines
from textgan.report.document import Section, Tile, beside, configuration, document, glance, head, numbers, sentences
from textgan.report.figures import figure
from textgan.report.likeness import counts, faults, likenesses
from textgan.report.markup import plain
from textgan.report.pictures import data_uri, grid, zoomed

LEGEND = {"samples": "samples", "real": "real pictures"}
POINTS = 150  # of a curve of losses, each the mean of as many steps
PAIRS = 18  # samples beside training pictures
AT_A_GLANCE = ("frechet", "precision", "recall", "coverage", "unique", COPIES[0])
DRAWN = ("frechet", "kernel", "class_score", "precision", "recall", "coverage")
PLAYERS = ("critic", "generator")
GENERAL = (
    "Real pictures beside a number are training pictures in the samples' place, as many where there are so many: what "
    "a perfect generator would score, and no better is to be expected",
    "Intervals hold the number in 95 of 100 draws of as many pictures, by bootstrap",
    "Numbers on the features of different extractors, or of different counts of pictures, are not comparable",
)


Pair = tuple[Pictures, Pictures, float]
"""A sample, the training picture nearest to it by features, and their distance."""


@dataclass(frozen=True)
class Gallery:
    """What a page shows of a run on pictures; a section is there only where there is something to show."""

    title: str
    found: Mapping[str, Any]
    """The evaluation, with its notes."""
    samples: Sequence[Pictures]
    """Pictures (y, x, channel), all of one shape, as everywhere below."""
    real: Sequence[Pictures] = ()
    """Held-out ones."""
    classes: Sequence[tuple[str, Sequence[Pictures]]] = ()
    """Samples of each class, by its name."""
    paths: Sequence[Sequence[Pictures]] = ()
    """Samples along paths between two points of latent space."""
    pairs: Sequence[Pair] = ()
    """The nearest first; of many, the first 18 are shown."""
    history: Sequence[Mapping[str, Any]] = ()
    """Rows of metrics.jsonl."""
    settings: Mapping[str, Any] | None = None


def page(gallery: Gallery) -> str:
    """Return a self-contained page; all text in it is taken as untrusted, and pictures are within it as PNG files.

    Raises:
        TextganError: Pillow is not installed.
    """
    return document(gallery.title, _head(gallery), _sections(gallery))


def _head(gallery: Gallery) -> str:
    found = gallery.found
    wrong = faults(found)
    verdict = sentences(wrong) if wrong else "<p>The numbers prove no fault.</p>"
    taught = sentences(filter(None, [classification(found)]))
    tiles = glance(_tiles(found), "real pictures")
    return head(gallery.title, counts(found), verdict + taught, tiles, bad=bool(wrong))


def _tiles(found: Mapping[str, Any]) -> Iterator[Tile]:
    written = {row.name: row for row in likenesses(found)}
    for key in AT_A_GLANCE:
        if row := written.get(picture_name(key, found["extractor"])):
            yield Tile(row.name, row.value, row.real)


def _sections(gallery: Gallery) -> Iterator[Section]:
    sides = [("generated", gallery.samples), ("held-out", gallery.real)]
    shown = "".join(_figure(side, f"{len(side):,} {name} pictures.") for name, side in sides if len(side))
    yield Section("pictures", "Pictures", f'<div class="sides">{shown}</div>' if shown else "")
    yield Section("classes", "By class", "".join(_strip(of, name) for name, of in gallery.classes))
    yield Section("paths", "Between two points of latent space", _paths(gallery.paths))
    yield Section("nearest", "Nearest training pictures", _pairs(gallery.pairs))
    yield Section("numbers", "The numbers", numbers(likenesses(gallery.found), "real pictures"))
    yield Section("training", "Over training", beside(curves(gallery.history)))
    yield Section("configuration", "Configuration", configuration(gallery.settings or {}))
    notes = [*gallery.found.get("notes", ()), *GENERAL]
    yield Section("measured", "How it was measured", sentences(notes))


# --- pictures -------------------------------------------------------------------------------------------------------


def _image(pictures: Sequence[Pictures], columns: int | None, name: str) -> str:
    """Pictures beside each other, enlarged by the page too, which keeps it small; they shrink to its width."""
    zoom = zoomed(pictures[0])
    scale = max(1, zoom // 4)
    whole = grid(pictures, columns, scale, gap=1)
    height, width = (side * zoom // scale for side in whole.shape[:2])
    return f'<img src="{data_uri(whole)}" width="{width}" height="{height}" alt="{plain(name)}">'


def _figure(pictures: Sequence[Pictures], caption: str) -> str:
    image = _image(pictures, None, f"{len(pictures):,} pictures")
    return f'<figure class="pictures">{image}<figcaption>{plain(caption)}</figcaption></figure>'


def _strip(pictures: Sequence[Pictures], name: str) -> str:
    """A row of pictures beside its name."""
    if not len(pictures):
        return ""
    image = _image(pictures, len(pictures), f"{name}: {len(pictures):,} pictures" if name else "a path")
    caption = f"<figcaption>{plain(name)}</figcaption>" if name else ""
    return f'<figure class="row">{caption}{image}</figure>'


def _paths(paths: Sequence[Sequence[Pictures]]) -> str:
    strips = "".join(_strip(path, "") for path in paths)
    told = "<p>Each row walks from one random point to another; its first and last picture are the two points.</p>"
    return f"{told}{strips}" if strips else ""


def _pairs(pairs: Sequence[Pair]) -> str:
    """The samples that are nearest to a training picture, each beside it."""
    if not pairs:
        return ""
    shown = "".join(
        f'<figure class="pair">{_image(sides, 2, "a sample and its nearest training picture")}'
        f"<figcaption>{distance:#.3g}</figcaption></figure>"
        for *sides, distance in pairs[:PAIRS]
    )
    told = (
        f"<p>Of {len(pairs):,} samples those nearest to a training picture by features: the sample on the left, the "
        "training picture on the right, their distance below. Pairs of one picture would be copies.</p>"
    )
    return f'{told}<div class="pairs">{shown}</div>'


# --- curves ---------------------------------------------------------------------------------------------------------


def curves(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The figures at each evaluation beside real pictures', and the losses."""
    rows = [(row["step"], row["evaluation"]) for row in history if row.get("evaluation")]
    counted = f", of {' or '.join(f'{n:,}' for n in sorted({found['samples'] for _, found in rows}))} samples"
    for key in DRAWN:
        measured = [(step, figure) for step, found in rows if (figure := figure_of(found, key))]
        series = [
            Series(kind, [(step, of[side]) for step, of in measured if of[side] is not None], dots=side == "value")
            for kind, side in (("real", "floor"), ("samples", "value"))
        ]
        name = picture_name(key, rows[-1][1]["extractor"]) if rows else key
        yield _curve(name, series, Axis(name, low=0), list(LEGEND), counted)
    for player in PLAYERS:
        points = [(row["step"], row[player]["loss"]) for row in history if "loss" in row.get(player, {})]
        yield _curve(f"loss of the {player}", [Series("samples", _means(points))], Axis("loss"), ())


def _curve(name: str, series: Sequence[Series], axis: Axis, kinds: Sequence[str], counted: str = "") -> str:
    title = f"{name[:1].upper()}{name[1:]}"
    chart = lines(f"{title} over training", series, Axis("step", low=0), axis)
    return figure(chart, f"{title} as training went on{counted}.", kinds, legend=LEGEND)


def _means(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbouring points, so that few are left."""
    together = -(-len(points) // POINTS) or 1
    parts = (points[start : start + together] for start in range(0, len(points), together))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
