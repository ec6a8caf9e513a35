"""`textgan compare`: the same numbers of several runs, beside n-gram models of the same text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli import pictures
from textgan.cli.options import JSON, show
from textgan.cli.progress import in_json
from textgan.cli.report import orders
from textgan.cli.sides import Sides, draw, of_run, tell
from textgan.errors import TextganError, UsageError

if TYPE_CHECKING:
    from textgan.model import Model

EPILOG = """\b
Examples:
  textgan compare runs/a runs/b                    two runs on the same text, and its 3- and 4-gram models
  textgan compare runs/a runs/b --models 2-5 --metrics all
  textgan train -c baseline_lm --run runs/lm && textgan compare runs/gan runs/lm
  textgan compare runs/digits runs/other           two runs on the same pictures

All are measured with as many samples against the same held-out text or pictures. A difference is real where the 95 %
intervals leave no room for chance; what cannot be told from the best is marked so. The n-gram models learn the same
training text; `textgan train -c baseline_lm` trains a recurrent model of it by maximum likelihood: what a GAN gives
for what it costs against that is a latent space, and lines made in one pass (samples a second are told)."""

MODELS = "3-4"
TIMED = 2000  # samples by which the speed of a run is told


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--models", metavar="RANGE", default=MODELS, help=f"Orders of n-gram models beside them ({MODELS}); 0 for none."
)
@click.option("--metrics", metavar="LIST", help="Which, as jsd,words; all for all; by default the quick ones.")
@click.option("--n", metavar="RANGE", default="1-6", callback=orders, help="Lengths of n-grams (1-6).")
@click.option(
    "--count", type=click.IntRange(min=2), metavar="N", help="Samples of each (as the first run's settings say)."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, help="Seed of all that is drawn (0).")
@JSON
@click.pass_context
def compare(
    context: click.Context,
    runs: Sequence[Path],
    models: str,
    metrics: str | None,
    n: tuple[int, ...],
    count: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure RUNs against the same held-out text or pictures, side by side."""
    from textgan import model
    from textgan.metrics.table import DEFAULT
    from textgan.report.compare import compare as lay_side_by_side

    rungs = () if models == "0" else orders(context, context.command.params[1], models)
    if max(rungs, default=1) > 6:
        raise UsageError("--models: n-gram models have an order of 1 to 6")
    trained = [model.load(run) for run in runs]
    if other := OTHERS.get(trained[0].space.kind):
        other(_names(runs), runs, trained, count, seed, as_json)
        return
    _check(runs, trained)
    first = of_run(runs[0], trained[0], count, seed)
    samples, facts = [first.samples], [_facts(trained[0])]
    for run, of in zip(runs[1:], trained[1:], strict=True):
        samples.append(draw(run, of, len(first.samples), seed))
        facts.append(_facts(of))
    names = [*_names(runs), *(f"{order}-gram" for order in rungs)]
    samples += _rungs(rungs, first, seed)
    asked = DEFAULT if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    reports = []
    for name, lines in zip(names, samples, strict=True):
        tell(f"measuring {name}")
        sides = first._replace(samples=lines)
        reports.append(sides.measure(metrics=asked, n=n, max_chars=None, seed=seed, ladder=False))
    result = lay_side_by_side(names, reports, [*facts, *({} for _ in rungs)])
    if as_json:
        click.echo(in_json(result.to_json(), allow_nan=False))
        return
    from textgan.report.table import side_by_side

    show(side_by_side(result))


OTHERS = {"image": pictures.compare}
"""What compares runs on samples that are no text, by their kind."""


def _check(runs: Sequence[Path], trained: Sequence[Model]) -> None:
    """Refuse runs on different text, or on differently cut rows of it."""
    prints = [of.facts["corpus"]["fingerprint"] for of in trained]
    for run, found in zip(runs, prints, strict=True):
        if found != prints[0]:
            raise TextganError(
                f"{run} was not trained on the rows that {runs[0]} was (another text, cut or alphabet); measure their "
                "samples with textgan report --samples FILE --reference FILE"
            )


def _names(runs: Sequence[Path]) -> list[str]:
    """The last part of each path, with a number where several are called so."""
    last = [run.resolve().name for run in runs]
    return [name if last.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(last, 1)]


def _facts(trained: Model) -> dict[str, Any]:
    """What a run costs and gives, besides its samples."""
    began = time.perf_counter()
    trained.generate(TIMED, seed=0)
    return {
        "preset": trained.config.preset,
        "step": trained.facts["step"],
        "decode": trained.config.text.decode,
        "parameters": sum(p.numel() for p in trained.net.parameters()),
        "samples a second": round(TIMED / (time.perf_counter() - began)),
        "size of the noise": trained.config.generator.latent,
    }


def _rungs(wanted: Sequence[int], text: Sides, seed: int) -> list[list[str]]:
    """Samples of n-gram models of the training text, by order."""
    import numpy as np

    from textgan.metrics.ladder import models_of

    if not wanted:
        return []
    tell(f"drawing samples of {len(wanted)} n-gram models of the training text")
    ladder = models_of(text.training or (), text.length)
    return [ladder.sample(order, len(text.samples), rng=np.random.default_rng(seed)) for order in wanted]
