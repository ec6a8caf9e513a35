"""`textgan report`: samples against held-out text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from textgan.cli.progress import printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from textgan.report.measure import Report

EPILOG = """\b
Examples:
  textgan report                                   the newest run under runs/
  textgan report runs/names --n 1-4                a run, n-grams of 1 to 4 characters
  textgan report --samples a.txt --reference b.txt --max-chars 32
  textgan report --samples a.txt --reference python_docs --json

JSD is the Jensen-Shannon divergence of character n-grams in bits, 0 to 1, lower is better. It falls with the number
of lines, so read it beside its floor: real text at the same count. The ladder places it among samples of 1- to
6-gram models of the training text."""


SHORTEST, LONGEST = 2, 4096  # rows, as text.length has it; --max-chars may cut them further. [characters]


class Sides(NamedTuple):
    """What is compared, and how it was made."""

    samples: Sequence[str]
    reference: Sequence[str]
    training: Sequence[str] | None
    length: int | None = None
    """Where the lines were cut already. [characters]"""
    decode: str | None = None


def _orders(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Read `1-6`, `4` or `2,4-6`."""
    parts = [part.partition("-") for part in value.split(",")]
    try:
        spans = [(int(low), int(high or low)) for low, _, high in parts]
    except ValueError:
        spans = []
    if not spans or not all(1 <= low <= high <= 32 for low, high in spans):
        raise click.BadParameter(f"{value!r} is no range of n within 1-32, such as 1-6 or 4", context, parameter)
    return tuple(sorted({n for low, high in spans for n in range(low, high + 1)}))


@click.command(epilog=EPILOG)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--samples", type=click.Path(path_type=Path), metavar="FILE", help="Lines to measure, instead of a run.")
@click.option("--reference", metavar="FILE|CORPUS", help="Real text for --samples: a file, or a corpus' held-out part.")
@click.option("--data", metavar="PATH", help="Where that corpus lies on this machine.")
@click.option("--train", type=click.Path(path_type=Path), metavar="FILE", help="Training text: for floor and ladder.")
@click.option("--metrics", metavar="LIST", default="jsd,words,unique", help="Which of jsd,words,unique (all).")
@click.option("--n", "orders", metavar="RANGE", default="1-6", callback=_orders, help="Lengths of n-grams (1-6).")
@click.option("--max-chars", type=click.IntRange(min=1), metavar="N", help="Cut the lines of both sides at N.")
@click.option("--count-pads", is_flag=True, help="Pad short lines to --max-chars, and count the pads.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Samples of a run (as its settings say).")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of all that is drawn (0).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(
    run: Path | None,
    samples: Path | None,
    reference: str | None,
    data: str | None,
    train: Path | None,
    metrics: str,
    orders: tuple[int, ...],
    max_chars: int | None,
    count_pads: bool,
    count: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the newest run, RUN, or a file of samples against held-out text.

    Of a run, report.json is written into its folder.
    """
    from textgan.report.measure import report as measure

    if samples is None:
        if reference or data or train:
            raise UsageError("--reference, --data and --train go with --samples FILE; a run has its own held-out text")
        run = run or _newest()
        sides = _of_run(run, count, seed)
    else:
        if run or count:
            raise UsageError("measure either a run or --samples FILE, not both (--count is for a run)")
        sides = _of_files(samples, reference, data, train, max_chars)
    result = measure(
        *sides[:3],
        metrics=[name.strip() for name in metrics.split(",") if name.strip()],
        n=orders,
        max_chars=min((n for n in (max_chars, sides.length) if n), default=None),
        count_pads=count_pads,
        seed=seed,
        decode=sides.decode,
    )
    _print(result, as_json)
    if run:
        from textgan.files import dump_json, write_text, writing

        with writing(run / "report.json", "free some space there and run the command again"):
            write_text(run / "report.json", dump_json(result.to_json()))


def _newest() -> Path:
    from textgan import model

    return model.newest_run()


def _of_run(run: Path, count: int | None, seed: int) -> Sides:
    from textgan import assemble, model

    trained = model.load(run)
    count = count or trained.config.evaluation.report_samples
    heldout, training = assemble.reference(trained)
    _tell(f"drawing {count:,} samples from {run}")
    length, decode = trained.space.characters, trained.config.text.decode
    return Sides(trained.generate(count, seed=seed), heldout, training, length, decode)


def _of_files(
    samples: Path, reference: str | None, data: str | None, train: Path | None, max_chars: int | None
) -> Sides:
    from textgan.corpora import cards
    from textgan.metrics.lines import read_lines

    if reference is None:
        raise UsageError("--samples needs --reference, a file of real text or a corpus to compare with")
    lines = read_lines(samples)
    training = None if train is None else read_lines(train)
    if reference not in cards.names():
        return Sides(lines, read_lines(_reference_file(reference, cards.names())), training)
    heldout, own, length = _of_corpus(reference, data, max_chars)
    return Sides(lines, heldout, own if training is None else training, length)


def _reference_file(name: str, corpora: Sequence[str]) -> Path:
    """The path, unless it looks more like a corpus misspelt."""
    path = Path(name)
    if not path.exists() and path.name == name and not path.suffix:
        raise UsageError(f"unknown reference {name!r}: no such file{near_miss(name, corpora)}")
    return path


def _of_corpus(name: str, data: str | None, max_chars: int | None) -> tuple[Sequence[str], Sequence[str], int | None]:
    """Held-out and training rows of a registered corpus, cut as its preset does, at --max-chars where given.

    Pads are no text here, even where they are in training.
    """
    from textgan import assemble
    from textgan.corpora import cards
    from textgan.settings import resolve_for_corpus

    length = None if max_chars is None else min(max(max_chars, SHORTEST), LONGEST)
    flags = {"corpus.name": name, "corpus.data": data, "text.length": length, "text.pad": "own"}
    config = resolve_for_corpus(None, cards.suits, flags=flags, environ=os.environ).config
    corpus = assemble.open_corpus(config, _tell)
    heldout, training = (assemble.lines_of(corpus.space, rows.ids) for rows in (corpus.heldout, corpus.train))
    return heldout, training, corpus.space.characters


def _tell(line: str) -> None:
    click.echo(printable(line), err=True)


def _print(result: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from textgan.report.table import render

    console = Console(file=sys.stdout, highlight=False)
    for part in render(result):
        console.print(part)
