"""`textgan generate`: new lines or pictures from a trained model."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from textgan.cli.options import JSON, MODEL, OUT, TEMPERATURE
from textgan.cli.progress import in_json, printable
from textgan.errors import UsageError
from textgan.files import replacing, writing

if TYPE_CHECKING:
    from textgan.model import Model

EPILOG = """\b
Examples:
  textgan generate -n 20                        twenty lines from the newest run under runs/
  textgan generate -m runs/names -n 5 --seed 7  the same five lines each time
  textgan generate -n 100000 --out lines.txt    one sample a line, in UTF-8
  textgan generate -n 20 --label surname        lines of one class, from a model of a labelled corpus

\b
Of a model of pictures:
  textgan generate                              as many as fit in the terminal
  textgan generate -n 64 --out grid.png         one picture of 64
  textgan generate -n 8 --by-label --out grid.png
                                                8 of each class, a row a class; a column has the same noise
  textgan generate -n 50000 --out pictures.npz  arrays for numpy.load: images, and labels where there are classes
  textgan generate -n 1000 --out pictures/      single files, in a new folder

A sample depends on the seed and its place alone: the first 20 of -n 100 are those of -n 20."""


@dataclass(frozen=True)
class Asked:
    """What samples are asked for."""

    folder: Path
    trained: Model
    each: int
    """Samples of every class below."""
    seed: int
    temperature: float | None
    classes: Sequence[str | None]
    """Classes that come one after the other; None: as often as in training."""

    def stream(self, count: int, label: str | None) -> Iterator[list[Any]]:
        """Yield the first samples of a class in blocks."""
        return self.trained.stream(count, seed=self.seed, temperature=self.temperature, label=label)

    def labels(self) -> list[str] | None:
        """Return the class of each sample; None of a model without labels."""
        if not self.trained.space.labels:
            return None
        return [
            name for wanted in self.classes for name in self.trained.labels(self.each, seed=self.seed, label=wanted)
        ]

    def told(self) -> dict[str, Any]:
        """Return what JSON says of them."""
        return {"schema": 1, "model": str(self.folder), "n": self.each * len(self.classes), "seed": self.seed}


@click.command(epilog=EPILOG)
@MODEL
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", default=100, help="How many (100).")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of what is drawn (0).")
@TEMPERATURE
@click.option("--label", metavar="NAME", help="Class of all samples. By default they are as frequent as in training.")
@click.option("--by-label", is_flag=True, help="So many of each class, one class after the other.")
@OUT
@JSON
def generate(
    folder: Path | None,
    count: int,
    seed: int,
    temperature: float | None,
    label: str | None,
    by_label: bool,
    out: str | None,
    as_json: bool,
) -> None:
    """Print exactly as many new lines as asked for, or write as many pictures."""
    from textgan import model

    if label is not None and by_label:
        raise UsageError("--label names one class and --by-label takes all; give one of them")
    folder = folder or model.newest_run()
    trained = model.load(folder)
    asked = Asked(folder, trained, count, seed, temperature, classes_of(trained) if by_label else [label])
    WRITERS.get(trained.space.kind, _lines)(asked, out, as_json)


def classes_of(trained: Model) -> list[str]:
    """The classes that a model was taught, in their order."""
    if not trained.space.labels:
        raise UsageError("this model was trained without labels; leave --by-label out")
    rows = trained.facts["corpus"]["facts"]["labels"]
    return [name for name in trained.space.labels if rows[name]]


def _pictures(asked: Asked, out: str | None, as_json: bool) -> None:
    """Pictures go to files, or are shown."""
    from textgan.cli.album import Album, present

    columns = asked.each if len(asked.classes) > 1 else None
    album = Album(asked.trained.space, asked.stream, asked.each, asked.classes, asked.labels(), columns)
    present(album, out, asked.told(), as_json)


WRITERS = {"image": _pictures}
"""What writes samples that are no lines, by their kind."""


def _lines(asked: Asked, out: str | None, as_json: bool) -> None:
    """Lines and points go to stdout or to a file."""
    blocks = chain.from_iterable(asked.stream(asked.each, name) for name in asked.classes)
    with sink(out) as write:
        if as_json:
            for piece in pieces(asked.told(), blocks, asked.labels()):
                write(piece)
        else:
            show: Callable[[str], str] = printable if out is None and sys.stdout.isatty() else str
            for block in blocks:
                write("".join(f"{show(line)}\n" for line in block))


def pieces(told: dict[str, Any], blocks: Iterable[list[str]], labels: list[str] | None) -> Iterator[str]:
    """One JSON object, `told` with the samples and their labels, in pieces as the samples come."""
    blocks = iter(blocks)
    first = list(islice(blocks, 1))  # what fails at once fails before anything is written
    yield in_json(told).removesuffix("}") + ', "samples": ['
    for i, block in enumerate(chain(first, blocks)):
        yield (", " if i else "") + in_json(block)[1:-1]
    yield "]" + ("" if labels is None else f', "labels": {in_json(labels)}') + "}\n"


@contextmanager
def sink(out: str | None) -> Iterator[Callable[[str], None]]:
    """Open where the data goes: UTF-8 with plain line feeds, whatever the locale."""
    if out and (out.endswith(("/", os.sep)) or Path(out).is_dir()):
        raise UsageError(f"--out {out}: lines go to a file, and this is a folder")
    with ExitStack() as stack:
        stream = stack.enter_context(_file(Path(out))) if out else sys.stdout.buffer

        def write(text: str) -> None:
            stream.write(text.encode())
            stream.flush()

        yield write


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is whole in the end or untouched; a device or a pipe is written as it is."""
    plain = path.is_file() or not path.exists()
    with (
        writing(path, "free some space there, or name another file with --out"),
        replacing(path.resolve()) if plain else nullcontext(path) as target,
        target.open("wb") as stream,
    ):
        yield stream
