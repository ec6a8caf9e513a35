"""`textgan interpolate`: the lines or pictures between two seeds, or around one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.generate import sink
from textgan.cli.options import JSON, MODEL, OUT, TEMPERATURE
from textgan.cli.progress import in_json, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textgan.model import Model

EPILOG = """\b
Examples:
  textgan interpolate                            eight lines from seed 0 to seed 1, of the newest run under runs/
  textgan interpolate --from 7 --to 12 --steps 20
                                                 smaller steps between other lines
  textgan interpolate --around 7 -n 10           ten lines near seed 7's
  textgan interpolate --around 7 --radius 0.1    nearer ones: 0 is seed 7's line itself, 1 any line

\b
Of a model of pictures, where all that is said of lines holds for pictures, and --out is that of textgan generate:
  textgan interpolate --steps 12 --out strip.png twelve beside each other

A seed stands for the first line that `textgan generate --seed` prints, and for the noise behind it. The path is an arc
of the sphere near which the noise lies, in equal steps. Where symbols are drawn, every line has the draws of --from (or
--around), so that lines differ by their noise alone. Neighbouring lines that resemble each other are a sign that the
generator uses its noise smoothly; one trained by likelihood alone (the preset baseline_lm) hardly uses it at all."""


@click.command(epilog=EPILOG)
@MODEL
@click.option("--from", "start", type=click.IntRange(min=0), metavar="SEED", help="Where the path starts (0).")
@click.option("--to", "end", type=click.IntRange(min=0), metavar="SEED", help="Where the path ends (1).")
@click.option("--steps", type=click.IntRange(min=2), metavar="N", help="Lines on the path, both ends among them (8).")
@click.option("--around", type=click.IntRange(min=0), metavar="SEED", help="Print neighbours of this seed, no path.")
@click.option("--radius", type=click.FloatRange(0, 1), metavar="R", help="How far neighbours are, from 0 to 1 (0.3).")
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", help="Neighbours to print (8).")
@TEMPERATURE
@click.option("--label", metavar="NAME", help="Class of all lines. By default the class of the seed's line.")
@OUT
@JSON
def interpolate(
    folder: Path | None,
    start: int | None,
    end: int | None,
    steps: int | None,
    around: int | None,
    radius: float | None,
    count: int | None,
    temperature: float | None,
    label: str | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Print the lines, or show the pictures, along the path between two seeds' noise, or around one seed's."""
    path, near = {"--from": start, "--to": end, "--steps": steps}, {"--radius": radius, "-n": count}
    for option, value in (near if around is None else path).items():
        if value is not None:
            raise click.UsageError(f"{option} goes {'with' if around is None else 'without'} --around")
    from textgan import model

    folder = folder or model.newest_run()
    trained = model.load(folder)
    if around is None:
        seed, to, steps = start or 0, 1 if end is None else end, steps or 8
        where: dict[str, float] = {"from": seed, "to": to, "steps": steps}
        samples = trained.interpolate(seed, to, steps=steps, temperature=temperature, label=label)
    else:
        seed, n, r = around, 8 if count is None else count, 0.3 if radius is None else radius
        where = {"around": seed, "radius": r, "n": n}
        samples = trained.around(seed, n, radius=r, temperature=temperature, label=label)
    told: dict[str, Any] = {"schema": 1, "model": str(folder), **where}
    if trained.space.labels:
        told["label"] = trained.labels(1, seed=seed, label=label)[0]
    WRITERS.get(trained.space.kind, _lines)(trained, samples, told, out, as_json)


def _pictures(trained: Model, samples: list[Any], told: dict[str, Any], out: str | None, as_json: bool) -> None:
    """Pictures go to files, a strip of all or one each, or are shown."""
    from textgan.cli.album import Album, present

    def stream(count: int, label: str | None) -> Iterator[list[Any]]:
        yield samples[:count]

    present(Album(trained.space, stream, len(samples), columns=len(samples)), out, told, as_json)


WRITERS = {"image": _pictures}
"""What writes samples that are no lines, by their kind."""


def _lines(trained: Model, samples: list[Any], told: dict[str, Any], out: str | None, as_json: bool) -> None:
    """Lines and points go to stdout or to a file."""
    with sink(out) as write:
        if as_json:
            write(in_json(told | {"samples": samples}) + "\n")
        else:
            show = printable if out is None and sys.stdout.isatty() else str
            write("".join(f"{show(line)}\n" for line in samples))
