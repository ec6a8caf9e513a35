"""The results of all cells, brought together by setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean

from textgan.errors import near_miss
from textgan.files import dump_json, write_text
from textgan.report.sweeps import COUNTED, Row, Spread, Summary, markdown, plot, to_json
from textgan.sweep.grid import Cell, Sweep, shorts
from textgan.sweep.results import Result, curve, figures

USUAL = ("jsd.4", "words", "frechet", "class_score", "precision", "recall", "unique")
MOST = 6  # columns of what has none of the usual figures


def summarise(
    sweep: Sweep, cells: Sequence[Cell], results: Mapping[str, Result], folders: Mapping[str, Path]
) -> Summary:
    """Bring cells that have ended together.

    Args:
        sweep: names the axes and columns.
        cells: in the order of the table.
        results: by name of the cell.
        folders: of the cells' runs, by name.
    """
    ended = [result.metrics for result in results.values() if not result.code and result.metrics]
    columns = sweep.columns or usual(chain.from_iterable(figures(metrics) for metrics in ended))
    by_setting: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        by_setting.setdefault(cell.setting, []).append(cell)
    rows = tuple(_row(setting, group, results, folders, columns) for setting, group in by_setting.items())
    counts = {
        name: tuple(sorted({metrics[name] for metrics in ended if isinstance(metrics.get(name), int)}))
        for name in COUNTED
    }
    axes = tuple(shorts([axis.key for axis in sweep.rows]).values())
    counts = {name: found for name, found in counts.items() if found}
    extractors = tuple(sorted({metrics["extractor"] for metrics in ended if "extractor" in metrics}))
    return Summary(sweep.name, axes, columns, rows, counts, extractors)


def usual(known: Iterable[str]) -> tuple[str, ...]:
    """Return the usual columns among those there are, or the first few where there is none of them."""
    names = list(dict.fromkeys(known))
    found = tuple(name for name in USUAL if name in names)
    return found or tuple(name for name in names if name not in COUNTED)[:MOST]


def means(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each number over the tables that hold it."""
    return {name: fmean(values) for name, values in _columns(tables).items()}


def unknown(summary: Summary) -> dict[str, str]:
    """Return the columns that no cell has a figure for, each with a hint; none where no cell has any figure."""
    known = set(chain.from_iterable(row.figures for row in summary.rows))
    return {column: near_miss(column, known) for column in summary.columns if known and column not in known}


def write(summary: Summary, folder: Path) -> list[str]:
    """Write table.md, sweep.json and, where there is something to draw, plot.svg; return the names of those files.

    A plot that is there of what can no longer be drawn is removed.
    """
    drawn = {"table.md": markdown(summary), "plot.svg": plot(summary), "sweep.json": dump_json(to_json(summary))}
    for name, text in drawn.items():
        if text:
            write_text(folder / name, text)
        else:
            (folder / name).unlink(missing_ok=True)
    return [name for name, text in drawn.items() if text]


def _row(
    setting: tuple[str, ...],
    group: Sequence[Cell],
    results: Mapping[str, Result],
    folders: Mapping[str, Path],
    columns: Sequence[str],
) -> Row:
    all_of = {cell.name: results[cell.name] for cell in group}
    well = {name: result for name, result in all_of.items() if not result.code}
    tables = [result.metrics or {} for result in well.values()]
    return Row(
        setting,
        len(group),
        dict(Counter(result.failure for result in all_of.values() if result.code)),
        {name: Spread.of(values) for name, values in _columns(map(figures, tables)).items()},
        means(figures(metrics, "floor") for metrics in tables),
        Spread.of([float(result.step) for result in well.values()]) if well else None,
        Spread.of([result.processor_seconds / 60 for result in well.values()]) if well else None,
        [curve(folders[name], columns[0]) for name in well] if columns else [],
    )


def _columns(tables: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for table in tables:
        for name, value in table.items():
            found.setdefault(name, []).append(value)
    return found
