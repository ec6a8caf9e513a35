"""`textgan train`: settings to a run on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.config import CORPUS_FLAGS, config_options, corpus_options, resolved
from textgan.cli.progress import duration, is_first, printable, watch

if TYPE_CHECKING:
    from pathlib import Path

    from textgan.config import Config
    from textgan.runs import Outcome

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}

EPILOG = """\b
Examples:
  textgan train                                        five minutes on two cores, on Python's own documentation
  textgan train --corpus names.txt -s text.length=16   your own text, one sample a line
  textgan train --steps 500 --run first                a shorter run, in runs/first
  textgan train --steps 900 --run first --resume       go on with it, with its settings
  textgan train -c runs/first --seed 1                 the same settings again, another seed
  textgan train --corpus billion_word --data FOLDER    the paper's experiment: days on a CPU, where -c quick fits
  textgan train -c wgan_gp --dry-run                   build it all, count its parameters, train nothing
  textgan train --corpus 8gaussians                    points of the plane; the critic is drawn in runs/NAME/pictures
  textgan train --corpus digits                        pictures, minutes on two cores
  textgan train --corpus images --data FOLDER          your own pictures, a subfolder a class if they have classes
  torchrun --nproc-per-node 2 -m textgan train         the same run, each batch shared by two processes

`textgan config show --describe` explains every setting that -s takes. Ctrl-C saves a checkpoint and stops; --resume
goes on from it."""


@click.command(epilog=EPILOG)
@click.option("--corpus", metavar="NAME|PATH", help="What to train on; `textgan corpora` lists names and forms.")
@corpus_options
@config_options
@click.option(
    "--labels-per-class",
    type=int,
    metavar="N",
    help="Learn to classify pictures from so many labels of each class; by default with -c semi_supervised.",
)
@click.option("--steps", type=int, metavar="N", help="Generator steps in all; a resumed run goes on to this total.")
@click.option("--minutes", type=float, metavar="M", help="Stop after this time even if steps are left.")
@click.option("-r", "--run", metavar="DIR", help="Folder of the run; a bare NAME is runs/NAME. By default a new one.")
@click.option("--resume", is_flag=True, help="Go on with that run, or the newest, from its last checkpoint.")
@click.option("--allow-changes", is_flag=True, help="Resume with other settings; each is told, and noted in run.json.")
@click.option("--seed", type=int, metavar="N", help="Seed of everything that is drawn.")
@click.option("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--dry-run", is_flag=True, help="Build everything and describe it, but train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.pass_context
def train(
    ctx: click.Context,
    /,
    preset_or_file: str | None,
    overrides: tuple[str, ...],
    run: str | None,
    resume: bool,
    allow_changes: bool,
    dry_run: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a GAN on text, pictures or points, and leave a run: its model, checkpoints, samples and figures."""
    folder = _folder(run, resume) if is_first() else None  # the others take the first's settings
    if resume and preset_or_file is None and folder is not None and (folder / "run.json").is_file():
        _mend(folder)
        preset_or_file = str(folder)
    if preset_or_file is None and flags["labels_per_class"]:
        preset_or_file = "semi_supervised"
    config = resolved(preset_or_file, overrides, _keys(flags)).config
    if dry_run:
        if is_first():
            _describe(config, as_json)
        return
    outcome = _train(config, folder, resume, allow_changes)
    if as_json and is_first():
        click.echo(json.dumps(_json(outcome)))
    ctx.exit(EXIT_CODES.get(outcome.stopped, 0))


def _keys(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags by the key of the setting that each one is."""
    corpus = {"corpus": "corpus.name"} | {name: f"corpus.{name}" for name in CORPUS_FLAGS}
    corpus["labels_per_class"] = "corpus.labels_per_class"
    return {corpus.get(name, f"training.{name}"): value for name, value in flags.items()}


def _folder(run: str | None, resume: bool) -> Path | None:
    """The folder that is asked for, None for a new one."""
    if run is None and not resume:
        return None
    from textgan import runs

    return runs.last_started() if run is None else runs.folder_of(run)


def _mend(folder: Path) -> None:
    from textgan import resuming

    resuming.mend(folder, watch().note)


def _train(config: Config, folder: Path | None, resume: bool, allow_changes: bool) -> Outcome:
    from textgan import runs

    limits = config.training.minutes, config.training.processor_minutes
    progress = watch(min((limit for limit in limits if limit), default=0.0)) if is_first() else runs.Silence()
    try:
        outcome = runs.train(config, folder, resume=resume, watch=progress, allow_changes=allow_changes)
    finally:
        progress.closed()
    progress.note(f"{_ending(outcome)} at step {outcome.step} after {duration(outcome.seconds)}")
    progress.note(f"next: textgan generate -m {outcome.folder}, textgan report {outcome.folder}")
    return outcome


def _ending(outcome: Outcome) -> str:
    return f"stopped by {outcome.stopped}" if outcome.stopped in EXIT_CODES else outcome.stopped


def _json(outcome: Outcome) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": str(outcome.folder),
        "step": outcome.step,
        "seconds": round(outcome.seconds, 3),
        "stopped": outcome.stopped,
        "metrics": outcome.metrics,
        "alarms": outcome.alarms,
    }


def _describe(config: Config, as_json: bool) -> None:
    from textgan import assemble

    told = assemble.dry_run(config, watch().note)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(
        f"preset {config.preset} on {printable(config.corpus.name)}: {told['summary']}\n"
        f"generator {told['generator_parameters']:,} parameters, critic {told['critic_parameters']:,}\n"
        f"{config.training.steps:,} generator steps of {config.training.batch} samples"
    )
