"""`textgan generate`: new lines from a trained model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import click

from textgan.cli.options import JSON, MODEL, OUT, TEMPERATURE
from textgan.cli.progress import printable
from textgan.files import replacing, writing

EPILOG = """\b
Examples:
  textgan generate -n 20                        twenty lines from the newest run under runs/
  textgan generate -m runs/names -n 5 --seed 7  the same five lines each time
  textgan generate -n 100000 --out lines.txt    one sample a line, in UTF-8
  textgan generate -n 20 --label surname        lines of one class, from a model of a labelled corpus

A line depends on the seed and its place alone: the first 20 lines of -n 100 are those of -n 20."""


@click.command(epilog=EPILOG)
@MODEL
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", default=100, help="Lines to print (100).")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of what is drawn (0).")
@TEMPERATURE
@click.option("--label", metavar="NAME", help="Class of all lines. By default classes are as frequent as in training.")
@OUT
@JSON
def generate(
    folder: Path | None,
    count: int,
    seed: int,
    temperature: float | None,
    label: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print exactly as many new lines as asked for."""
    from textgan import model

    folder = folder or model.newest_run()
    trained = model.load(folder)
    blocks = trained.stream(count, seed=seed, temperature=temperature, label=label)
    with sink(out) as write:
        if as_json:
            labels = trained.labels(count, seed=seed, label=label) if trained.space.labels else None
            for piece in pieces({"schema": 1, "model": str(folder), "n": count, "seed": seed}, blocks, labels):
                write(piece)
        else:
            show: Callable[[str], str] = printable if out is None and sys.stdout.isatty() else str
            for block in blocks:
                write("".join(f"{show(line)}\n" for line in block))


def pieces(told: dict[str, Any], blocks: Iterable[list[str]], labels: list[str] | None) -> Iterator[str]:
    """One JSON object, `told` with the samples and their labels, in pieces as the samples come."""
    dump = partial(json.dumps, ensure_ascii=False)
    blocks = iter(blocks)
    first = list(islice(blocks, 1))  # what fails at once fails before anything is written
    yield dump(told).removesuffix("}") + ', "samples": ['
    for i, block in enumerate(chain(first, blocks)):
        yield (", " if i else "") + dump(block)[1:-1]
    yield "]" + ("" if labels is None else f', "labels": {dump(labels)}') + "}\n"


@contextmanager
def sink(out: Path | None) -> Iterator[Callable[[str], None]]:
    """Open where the data goes: UTF-8 with plain line feeds, whatever the locale."""
    with ExitStack() as stack:
        stream = stack.enter_context(_file(out)) if out else sys.stdout.buffer

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
