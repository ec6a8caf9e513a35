"""`textgan report`: samples against held-out ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan import bounded
from textgan.cli import pictures, points
from textgan.cli.options import JSON, show
from textgan.cli.other import Asked
from textgan.cli.progress import in_json
from textgan.cli.sides import of_files, of_run, tell
from textgan.errors import GateError, UsageError
from textgan.files import dump_json, write_text, writing

if TYPE_CHECKING:
    from textgan.model import Model
    from textgan.report.gates import Gate
    from textgan.report.measure import Report

EPILOG = """\b
Examples:
  textgan report                                   the newest run under runs/
  textgan report runs/names --metrics all --html report.html
  textgan report --samples a.txt --reference b.txt --max-chars 32
  textgan report --samples a.txt --reference python_docs --json
  textgan report --fail-above jsd4=0.35 --fail-below words=0.5    exit code 3 beyond a limit
  textgan report runs/8gaussians                   of a run on points: its modes, and how far it is off
  textgan report runs/digits --html report.html    of a run on pictures: distances, and a page that shows them
  textgan report runs/digits --fail-above frechet=30 --fail-below recall=0.5

\b
Figures of pictures:
  frechet, kernel, class_score, precision, recall, density, coverage, unique, copies.features, copies.pixels

JSD is the Jensen-Shannon divergence of character n-grams in bits, 0 to 1, lower is better. It falls with the number
of lines, so read it beside its floor: real text at the same count. The ladder places it among samples of 1- to
6-gram models of the training text.

\b
Metrics, besides jsd:
  jsd_word, jsd_piece, kl, kl_reverse, cosine, precision, recall    n-grams compared
  words, in_test, bleu, backward_bleu                    quality
  unique, distinct, distinct_char, self_bleu, entropy, length    diversity
  copies, longest_copied, nearest, novelty               memorisation; these need training text
  lm_nll, two_sample, frechet, mauve                     judged by a model; parses, oracle_nll on synthetic corpora"""


def orders(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
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
@click.option("--metrics", metavar="LIST", help="Which, as jsd,words; all for all; by default the quick ones.")
@click.option("--n", metavar="RANGE", default="1-6", callback=orders, help="Lengths of n-grams (1-6).")
@click.option("--max-chars", type=click.IntRange(min=1), metavar="N", help="Cut the lines of both sides at N.")
@click.option("--count-pads", is_flag=True, help="Pad short lines to --max-chars, and count the pads.")
@click.option("--max-lines", type=click.IntRange(min=2), metavar="N", help="Most lines of the reference (500000).")
@click.option("--references", type=click.IntRange(min=1), metavar="N", help="BLEU against the first N lines only.")
@click.option(
    "--pieces",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="MODEL",
    help="A sentencepiece model, for jsd_piece.",
)
@click.option("--compat", metavar="NAME", default="", help="Measure as wgan-gp, texygen or textgan-pytorch does.")
@click.option("--encoder", metavar="NAME|PATH", default="lsa", help="Of frechet and mauve: lsa, a folder, a hub model.")
@click.option("--count", type=click.IntRange(min=2), metavar="N", help="Samples of a run (as its settings say).")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of all that is drawn (0).")
@click.option("--fail-above", multiple=True, metavar="NAME=X", help="Exit with 3 if that number is above X.")
@click.option("--fail-below", multiple=True, metavar="NAME=X", help="Exit with 3 if that number is below X.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page, too.")
@JSON
def report(
    run: Path | None,
    samples: Path | None,
    reference: str | None,
    data: str | None,
    train: Path | None,
    metrics: str | None,
    count: int | None,
    fail_above: Sequence[str],
    fail_below: Sequence[str],
    html: Path | None,
    as_json: bool,
    pieces: Path | None,
    **request: Any,
) -> None:
    """Measure the newest run, RUN, or a file of samples against held-out text; a run on pictures against pictures.

    Of a run, report.json is written into its folder.
    """
    if samples is None:
        run, trained = _run(run, reference, data, train)
        if other := OTHERS.get(trained.space.kind):
            asked = Asked(run, trained, _alarms(run), count, request["seed"], as_json, html, fail_above, fail_below)
            found, failed = other(asked)
            _record(run, found)
            _fail(failed)
            return
        gates = _gates(fail_above, fail_below, request["n"])
        sides = of_run(run, trained, count, request["seed"])
    elif run or count:
        raise UsageError("measure either a run or --samples FILE, not both (--count is for a run)")
    else:
        trained, gates = None, _gates(fail_above, fail_below, request["n"])
        sides = of_files(samples, reference, data, train, request["max_chars"])
    if pieces:
        sides = sides._replace(tokenizer=_model_of_pieces(pieces))
    result = sides.measure(metrics=_names(metrics, gates), **request)
    result = replace(result, notes=(*result.notes, *_alarms(run)))
    _print(result, as_json)
    if run:
        _record(run, result.to_json())
    if html:
        from textgan.cli.page import page

        title = (run or samples or Path()).resolve().name
        _write(html, page(result, sides, run, trained, title=title, seed=request["seed"]))
        tell(f"the page is in {html}")
    _fail([gate.failure(result) for gate in gates])


def _model_of_pieces(path: Path) -> bytes:
    """Read a sentencepiece model.

    Raises:
        UsageError: it cannot be read, or is too large for one.
    """
    try:
        return bounded.read_bytes(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--pieces: {path} cannot be read: {error}; give the .model file of one") from None


def _gates(above: Sequence[str], below: Sequence[str], orders: Sequence[int]) -> list[Gate]:
    """Read the limits that the numbers must keep to."""
    from textgan.report.gates import gate

    gates = [*(gate(text, "above") for text in above), *(gate(text, "below") for text in below)]
    for limit in gates:
        limit.check(orders)
    return gates


def _fail(failures: Iterable[str]) -> None:
    """Say how limits were not kept, if any was not."""
    if failed := list(filter(None, failures)):
        raise GateError("; ".join(failed))


def _run(run: Path | None, *others: object) -> tuple[Path, Model]:
    """The run that is named, or the newest one, and its model."""
    from textgan import model

    if any(others):
        raise UsageError("--reference, --data and --train go with --samples FILE; a run has its own held-out text")
    run = run or model.newest_run()
    return run, model.load(run)


def _names(metrics: str | None, gates: Iterable[Gate]) -> list[str]:
    """The metrics asked for, and those that gates are on."""
    from textgan.metrics.table import DEFAULT

    named = DEFAULT if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    return list(dict.fromkeys([*named, *(gate.name for gate in gates)])) if named else []


def _alarms(run: Path | None) -> list[str]:
    """What a run's health was while it was trained."""
    if run is None:
        return []
    from textgan import runs

    return [f"at step {alarm['step']:,} of training, {alarm['text']}" for alarm in runs.alarms(run)]


OTHERS = {"image": pictures.measure, "toy": points.measure}
"""What measures runs on samples that are no text, by their kind."""


def _record(run: Path, found: dict[str, Any]) -> None:
    """Write report.json into the folder of a run; a model folder has none."""
    if (run / "run.json").is_file():
        _write(run / "report.json", dump_json(found))


def _write(path: Path, text: str) -> None:
    with writing(path, "free some space there and run the command again"):
        write_text(path, text)


def _print(result: Report, as_json: bool) -> None:
    if as_json:
        click.echo(in_json(result.to_json(), allow_nan=False))
        return
    from textgan.report.table import render

    show(render(result))
