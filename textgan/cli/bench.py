"""`textgan bench`: how fast this machine trains, samples, measures and loads, beside the same done plainly."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from textgan.bench import BENCHMARKS
from textgan.cli.config import config_options, resolved
from textgan.cli.options import JSON, show
from textgan.cli.progress import duration, in_json, printable
from textgan.errors import UsageError, near_miss

if TYPE_CHECKING:
    from rich.console import RenderableType

    from textgan.bench.case import Cases, Setup

EPILOG = """\b
Benchmarks:
{kinds}

\b
Examples:
  textgan bench                                    training, in about two minutes
  textgan bench step --widths 64,128 --repeats 5   the paper's nets, smaller
  textgan bench -c quick -s generator.width=96     the time that your own settings take
  textgan bench ngrams --json

Both sides of a row do the same work, which is checked first, and are timed by turns in one process. docs/BENCH.md says
what each row measures."""


def _widths(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Read `64,128`."""
    if value is None:
        return None
    widths = tuple(int(part) if part.strip().isdecimal() else 0 for part in value.split(","))
    if not all(1 <= width <= 16_384 for width in widths):
        raise click.BadParameter(f"{value!r} is no list of widths within 1-16384, such as 64,128", context, parameter)
    return widths


@click.command(
    epilog=EPILOG.format(kinds="\n".join(f"  {name:<10}{entry.summary}" for name, entry in BENCHMARKS.items()))
)
@click.argument("kind", required=False, metavar=f"[{'|'.join(BENCHMARKS)}]")
@config_options
@click.option("--widths", callback=_widths, metavar="LIST", help="Widths of the nets (512,128,64; pictures 128,64,32).")
@click.option("--repeats", type=click.IntRange(min=1), metavar="N", help="Time each pair so often (as time allows).")
@click.option("--count", type=click.IntRange(min=2), metavar="N", help="Sequences or lines of sample, ngrams and load.")
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads of torch (its own choice).")
@click.option("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps.")
@JSON
def bench(
    kind: str | None,
    preset_or_file: str | None,
    overrides: tuple[str, ...],
    widths: tuple[int, ...] | None,
    repeats: int | None,
    count: int | None,
    threads: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Time training (step) or another part of textgan beside the same mathematics written plainly.

    With -c or -s, time a step of those settings on their corpus, and estimate their training.
    """
    own = preset_or_file is not None or bool(overrides)
    given = {name: value for name, value in {"widths": widths, "count": count}.items() if value is not None}
    _check(kind, own, given)
    _use(threads)
    if own:
        setup, cases = _of_settings(preset_or_file, overrides, device)
    else:
        setup, cases = _of_kind(kind or "step", given, device)
    told = _measure(setup, cases, repeats)
    if as_json:
        click.echo(in_json(told, allow_nan=False))
    else:
        show(_render(told["hardware"], told["rows"]))


def _check(kind: str | None, own: bool, given: Mapping[str, Any]) -> None:
    """Refuse a kind that there is not, and options that it would not look at."""
    if kind is not None and kind not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {kind!r}{near_miss(kind, BENCHMARKS)}")
    if own and kind not in (None, "step"):
        raise UsageError(f"-c and -s time a step of training; leave {kind} out, or them")
    for name in given:
        takers = [taker for taker, entry in BENCHMARKS.items() if name in entry.options]
        if own or (kind or "step") not in takers:
            raise UsageError(f"--{name} goes with {', '.join(takers)}" + " without -c and -s" * own)
    least = BENCHMARKS[kind or "step"].least
    if given.get("count", least) < least:
        raise UsageError(f"--count is {given['count']}, and {kind} takes {least} or more")


def _use(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _of_kind(kind: str, given: Mapping[str, Any], device: str | None) -> tuple[Setup, Cases]:
    from textgan.assemble import choose_device
    from textgan.bench.case import Setup

    setup = Setup(choose_device(device or "auto"), tell=_tell, **given)
    return setup, import_module(BENCHMARKS[kind].module).cases(setup)


def _of_settings(preset_or_file: str | None, overrides: tuple[str, ...], device: str | None) -> tuple[Setup, Cases]:
    from textgan import assemble
    from textgan.bench import preset
    from textgan.bench.case import Setup

    parts = assemble.build(resolved(preset_or_file, overrides, {"training.device": device}).config, _tell)
    setup = Setup(parts.device, tell=_tell)
    return setup, preset.cases(setup, parts)


def _measure(setup: Setup, cases: Cases, repeats: int | None) -> dict[str, Any]:
    """Time all cases, and say so; each beside the limit of the machine."""
    from textgan.bench import hardware, timing
    from textgan.runs import flushed_denormals

    machine, rows = hardware.describe(setup), []
    with _orderly_end(), closing(cases), flushed_denormals():  # as in training
        for case in cases:
            _tell(f"timing {_named(case.name, case.about)}")
            row = timing.measure(case, timing.Effort.of(repeats), setup.wait)
            rows.append(row | timing.shares(row, machine["gemm_gflops"]))
    return {"schema": 1, "hardware": machine, "rows": rows}


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Turn SIGTERM into an end of the process with exit code 143 that leaves nothing behind."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(line: str) -> None:
    click.echo(printable(line), err=True)


SAID = ("net", "width", "n", "count", "command")
"""What tells rows of one name apart."""


def _named(name: str, about: Mapping[str, Any]) -> str:
    said = [str(about[key]) if key in ("net", "command") else f"{key} {about[key]:,}" for key in SAID if key in about]
    return ", ".join([name, *said])


def _render(machine: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table("", box=None, header_style="bold")
    for column in ("ms", "plain ms", "ratio", "limit", "pairs"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(Text(_named(row["name"], row)), *_numbers(row))
    yield table
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    yield Text(
        "\nms: median. ratio: how many times as long the plain way takes, 25 % to 75 %\n"
        "of the pairs. limit: what of the speed of matrix products here, which is\n"
        f"{machine['gemm_gflops']:,.0f} GFLOP/s, is reached in operations of the plain way.\n"
        f"{machine['cpu']}, {threads}, {machine['device']}, torch {machine['torch']}"
    )
    for row in rows:
        if "estimate_s" in row:
            yield Text(
                f"{row['preset']}: {row['steps']:,} steps take about {duration(row['estimate_s'])}, evaluation aside"
            )


def _numbers(row: Mapping[str, Any]) -> list[str]:
    """Cells of a row."""
    times = [_ms(row["ms"])]
    if row["plain_ms"] is None:
        times += ["", ""]
    else:
        ratio, low, high = (
            f"{row[key]:,.{0 if row[key] >= 100 else 2}f}" for key in ("ratio", "ratio_low", "ratio_high")
        )
        times += [_ms(row["plain_ms"]), f"{ratio} ({low}-{high})"]
    return [*times, f"{row['share']:.0%}" if "share" in row else "", str(row["pairs"])]


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
