"""`textgan report` and `textgan compare` of runs on pictures: figures beside those of real pictures, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.generate import classes_of
from textgan.cli.options import show
from textgan.cli.other import Asked, refuse_others
from textgan.cli.page import history
from textgan.cli.progress import in_json
from textgan.cli.sides import draw, tell
from textgan.errors import TextganError
from textgan.files import write_text, writing

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from textgan.model import Model
    from textgan.pixels import Pictures
    from textgan.report.compare import Row
    from textgan.report.gallery import Gallery
    from textgan.report.gates import PictureGate

TAKEN = {"run", "count", "seed", "as_json", "html", "fail_above", "fail_below"}
COMPARED = {"runs", "count", "seed", "as_json"}
SHOWN = 64  # pictures of each side on the page
SOUGHT = 1000  # samples whose nearest training pictures are sought for it
CLASSES, EACH = 20, 10  # classes on it, and samples of each
PATHS, STEPS = 4, 10
LEGEND = (
    "{}, {}: distances of features from held-out pictures' (lower is better); {}: how sure a classifier is, and how "
    "evenly it finds its classes (higher is better); precision: samples that lie among real pictures; recall, "
    "coverage: real pictures that lie among samples; density: how thickly real pictures lie around samples; unique: "
    "different samples; copies: samples nearer to a training picture than 1 % of held-out ones are"
)


def measure(asked: Asked) -> tuple[dict[str, Any], list[str]]:
    """Measure a run on pictures, print what was found, and return it as JSON, with how it fails the limits set.

    Raises:
        UsageError: an option was given that pictures do not take, or a limit that is none.
    """
    refuse_others(TAKEN, asked.run, "pictures")
    gates = _gates(asked)
    from textgan import assemble
    from textgan.kinds import image

    corpus = assemble.corpus_of(asked.trained)
    samples: Sequence[Pictures] = draw(asked.run, asked.trained, asked.count, asked.seed)
    found: dict[str, Any] = {"schema": 1, "model": str(asked.run), "seed": asked.seed}
    found |= image.closer(corpus, asked.trained.config, tell)(samples)
    found |= {key: value for key, value in _saved(asked).items() if key == "classification"}
    found |= {"notes": list(asked.notes)}
    if asked.as_json:
        click.echo(in_json(found, allow_nan=False))
    else:
        show(_table(found))
    if asked.html:
        from textgan.report.gallery import page

        gallery = _gallery(asked, found, samples, corpus)
        with writing(asked.html, "free some space there and run the command again"):
            write_text(asked.html, page(gallery))
        tell(f"the page is in {asked.html}")
    return found, [gate.failure(found) for gate in gates]


def _gates(asked: Asked) -> list[PictureGate]:
    from textgan.report.gates import picture_gate

    above = [picture_gate(text, "above") for text in asked.fail_above]
    return above + [picture_gate(text, "below") for text in asked.fail_below]


def _saved(asked: Asked) -> dict[str, Any]:
    """What was measured when the model was saved: the only place of what the critic can do, which is not in it."""
    return asked.trained.facts.get("evaluation") or {}


def _table(found: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield what to print: counts, a row a figure, what they prove to be wrong."""
    from rich.text import Text

    from textgan.figures import SCORES, classification, picture_name
    from textgan.report.likeness import counts, faults, likenesses

    yield Text(counts(found))
    table = _columns("", "generated", "95 % interval", "real pictures")
    for row in likenesses(found):
        table.add_row(*map(Text, row[:4]))
    yield table
    if taught := classification(found):
        yield Text(f"{taught[:1].upper()}{taught[1:]}.")
    for fault in faults(found):
        yield Text(f"Fault: {fault}.", style="bold red")
    scores = (picture_name(key, found["extractor"]).partition("[")[0] for key in SCORES)
    yield Text(LEGEND.format(*scores), style="dim")
    for note in found["notes"]:
        yield Text(f"Note: {note}.", style="dim")


def compare(
    names: Sequence[str], runs: Sequence[Path], trained: Sequence[Model], count: int | None, seed: int, as_json: bool
) -> None:
    """Measure runs on the same pictures, on the features that the first one's settings ask for, side by side.

    Raises:
        UsageError: an option was given that only text has.
        TextganError: a run was trained on other pictures.
    """
    refuse_others(COMPARED, runs[0], "pictures")
    from textgan import assemble
    from textgan.kinds import image
    from textgan.report.compare import side_by_side, verdicts
    from textgan.report.likeness import metrics

    _check(runs, trained)
    evaluate = image.closer(assemble.corpus_of(trained[0]), trained[0].config, tell)
    count = count or trained[0].config.evaluation.report_samples
    found = [evaluate(draw(run, of, count, seed)) for run, of in zip(runs, trained, strict=True)]
    rows = side_by_side([list(metrics(of)) for of in found])
    if as_json:
        sides = [{"name": name, "report": of} for name, of in zip(names, found, strict=True)]
        told = {"schema": 1, "seed": seed, "sides": sides, "metrics": verdicts(names, rows)}
        click.echo(in_json(told, allow_nan=False))
        return
    show(_compared(names, found, rows))


def _check(runs: Sequence[Path], trained: Sequence[Model]) -> None:
    """Refuse runs on different pictures, or on pictures of different sizes."""
    prints = [of.facts["corpus"]["fingerprint"] for of in trained]
    for run, found in zip(runs, prints, strict=True):
        if found != prints[0]:
            raise TextganError(f"{run} was not trained on the pictures that {runs[0]} was, or not at their size")


def _compared(names: Sequence[str], found: Sequence[dict[str, Any]], rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield a table: a row a figure, a column a run, the best and those level with it marked."""
    from rich.text import Text

    from textgan.figures import picture_figure, picture_name
    from textgan.report.likeness import counts
    from textgan.report.table import BEST, MARKS, cell

    yield Text(counts(found[0]))
    table = _columns("", *names, "real pictures", "best")
    for row in rows:
        show_one, some = partial(picture_figure, row.name), next(filter(None, row.values))
        cells = [cell(row, side, show_one) for side in range(len(names))]
        name = picture_name(row.name, found[0]["extractor"])
        table.add_row(*map(Text, [name, *cells, show_one(some.floor), BEST[some.better]]))
    yield table
    yield Text(MARKS, style="dim")


def _columns(*names: str) -> Table:
    """Return a table whose first column is of names."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in names:
        table.add_column(Text(column), justify="right" if column else "left", no_wrap=True)
    return table


def _gallery(asked: Asked, found: dict[str, Any], samples: Sequence[Pictures], corpus: Any) -> Gallery:
    """Draw what a page shows beside the numbers."""
    from textgan.kinds import image
    from textgan.report.gallery import Gallery, curves

    trained, seed = asked.trained, asked.seed
    tell("drawing the pictures of the page")
    names = classes_of(trained)[:CLASSES] if trained.space.labels else []
    seeds = range(seed, seed + 2 * PATHS, 2)
    return Gallery(
        title=asked.run.resolve().name,
        found=found,
        samples=samples[:SHOWN],
        real=image.heldout(corpus, SHOWN),
        classes=[(name, trained.generate(EACH, seed=seed, label=name)) for name in names],
        paths=[trained.interpolate(start, start + 1, steps=STEPS) for start in seeds],
        pairs=image.neighbours(corpus, trained.config, samples[:SOUGHT], tell),
        history=history(asked.run / "metrics.jsonl", lambda rows: list(curves(rows))),
        settings=trained.config.model_dump(mode="json"),
    )
