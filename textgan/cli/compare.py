"""`textgan compare`: the same numbers of several runs, beside n-gram models of the same text."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.report import orders
from textgan.cli.sides import Sides, tell
from textgan.errors import TextganError, UsageError

if TYPE_CHECKING:
    from textgan.assemble import Reference
    from textgan.model import Model

EPILOG = """\b
Examples:
  textgan compare runs/a runs/b                    two runs on the same text, and its 3- and 4-gram models
  textgan compare runs/a runs/b --models 2-5 --metrics all
  textgan train -c baseline_lm --run runs/lm && textgan compare runs/gan runs/lm

All are measured with as many samples against the same held-out text. A difference is real where the 95 % intervals
leave no room for chance; what cannot be told from the best is marked so. The n-gram models learn the same training
text; `textgan train -c baseline_lm` trains a recurrent model of it by maximum likelihood: what a GAN gives
for what it costs against that is a latent space, and lines made in one pass (samples a second are told)."""

MODELS = "3-4"


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    """Measure RUNs against the same held-out text, side by side."""
    from textgan import assemble, model
    from textgan.metrics.table import DEFAULT
    from textgan.report.compare import compare as lay_side_by_side

    rungs = () if models == "0" else orders(context, context.command.params[1], models)
    trained = [model.load(run) for run in runs]
    _check(runs, trained)
    text = assemble.reference(trained[0])
    count = count or trained[0].config.evaluation.report_samples
    length = trained[0].space.characters
    drawn = {_name(run, runs): _draw(run, of, count, seed) for run, of in zip(runs, trained, strict=True)}
    drawn |= {f"{order}-gram": (lines, {}) for order, lines in _rungs(rungs, text, count, length, seed).items()}
    asked = DEFAULT if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    reports = []
    for name, (lines, _) in drawn.items():
        tell(f"measuring {name}")
        sides = Sides(lines, text.heldout, text.training, text.sources, length, corpus=trained[0].config.corpus.name)
        reports.append(sides.measure(metrics=asked, n=n, max_chars=None, seed=seed, ladder=False))
    result = lay_side_by_side(list(drawn), reports, [facts for _, facts in drawn.values()])
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from textgan.report.table import side_by_side

    console = Console(file=sys.stdout, highlight=False)
    for part in side_by_side(result):
        console.print(part)


def _check(runs: Sequence[Path], trained: Sequence[Model]) -> None:
    """Refuse runs on different text, or on differently cut rows of it."""
    prints = [of.facts["corpus"]["fingerprint"] for of in trained]
    for run, found in zip(runs, prints, strict=True):
        if found != prints[0]:
            raise TextganError(
                f"{run} was not trained on the rows that {runs[0]} was (another text, cut or alphabet); measure their "
                "samples with textgan report --samples FILE --reference FILE"
            )


def _name(run: Path, runs: Sequence[Path]) -> str:
    """The last part of a path, where that tells it from the others."""
    name = run.resolve().name
    return str(run) if [other.resolve().name for other in runs].count(name) > 1 else name


def _draw(run: Path, trained: Model, count: int, seed: int) -> tuple[list[str], dict[str, Any]]:
    """Samples of a run, and what it costs and gives."""
    tell(f"drawing {count:,} samples from {run}")
    began = time.perf_counter()
    lines = trained.generate(count, seed=seed)
    config = trained.config
    facts = {
        "preset": config.preset,
        "step": trained.facts["step"],
        "parameters": sum(p.numel() for p in trained.net.parameters()),
        "samples a second": round(count / (time.perf_counter() - began)),
        "size of the noise": config.generator.latent,
    }
    return lines, facts


def _rungs(wanted: Sequence[int], text: Reference, count: int, length: int | None, seed: int) -> dict[int, list[str]]:
    """Samples of n-gram models of the training text, by order."""
    import numpy as np

    from textgan.metrics.ladder import models_of

    if not wanted:
        return {}
    if max(wanted) > 6:
        raise UsageError("--models: n-gram models have an order of 1 to 6")
    tell(f"drawing samples of {len(wanted)} n-gram models of the training text")
    ladder = models_of(text.training, length)
    return {order: ladder.sample(order, count, rng=np.random.default_rng(seed)) for order in wanted}
