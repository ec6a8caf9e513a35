"""A sweep's file: axes of settings, whose product is the grid of cells.

[sweep]
name = "relaxations"          # the default is the file's name
jobs = 2                      # cells at a time; the default is one a core
threads = 1                   # torch threads of a cell
preset = "wgan_gp"            # also a setting of [settings], an axis, or part of a bundle
columns = ["jsd.4", "words"]  # figures of the table, the first of which is drawn

[settings]                    # of all cells
corpus.name = "names.txt"
training.processor_minutes = 3

[axes]
training.seed = [0, 1, 2]     # the axis over which mean and spread are taken
critic.width = [16, 32]       # a key of the configuration, or preset, with its values
game.penalties.r1 = [1, 2]    # so is an entry of a field that holds a table

[axes.method]                 # several settings at once, under a name
softmax = { generator.relaxation = "softmax" }
hard = { generator.relaxation = "straight_through", game.weight = 0.1 }
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from textgan.errors import UsageError, near_miss
from textgan.settings import fields, read_toml

SEED = "training.seed"
TABLES = ("sweep", "settings", "axes")
PART, NAME = 48, 120  # characters of a part of a cell's name, and of the whole
MOST = 10_000  # cells


@dataclass(frozen=True)
class Axis:
    """One dimension of the grid."""

    key: str
    """A key of the configuration, or the name of bundles of settings."""
    values: Mapping[str, Mapping[str, Any]]
    """What each label sets, as tables of a configuration file."""


@dataclass(frozen=True)
class Cell:
    """One run of the grid."""

    name: str
    """Fit for a folder's; it depends on the cell's own labels alone, so that a grid may grow."""
    setting: tuple[str, ...]
    """Its label on every axis but the seeds'."""
    tables: tuple[Mapping[str, Any], ...]
    """What it sets; later ones win."""
    preset: str | None


@dataclass(frozen=True)
class Sweep:
    """What a file asks for."""

    name: str
    jobs: int | None
    threads: int
    columns: tuple[str, ...]
    """Figures of the table by dotted path; empty: the usual ones."""
    common: tuple[Mapping[str, Any], ...]
    axes: tuple[Axis, ...]

    @property
    def rows(self) -> tuple[Axis, ...]:
        """All axes but the seeds'."""
        return tuple(axis for axis in self.axes if axis.key != SEED)


def read(path: Path) -> Sweep:
    """Read a sweep's file.

    Raises:
        UsageError: it cannot be read, or holds what no sweep has; one line that names it.
    """
    tree = read_toml(path)
    _known(tree, TABLES, str(path))
    for table in TABLES:
        if not isinstance(tree.setdefault(table, {}), dict):
            raise UsageError(f"{path}: {table} is no table; write [{table}]")
    head = tree["sweep"]
    _check_head(head, path)
    axes = tuple(_axes(tree["axes"], path))
    if not axes:
        raise UsageError(f'{path} has no axis; write one under [axes], such as "{SEED}" = [0, 1, 2]')
    preset = {"preset": head["preset"]} if "preset" in head else {}
    common = (preset, tree["settings"])
    columns = tuple(head.get("columns", ()))
    return Sweep(head.get("name", path.stem), head.get("jobs"), head.get("threads", 1), columns, common, axes)


def cells(sweep: Sweep) -> list[Cell]:
    """Return the product of the axes, the last one running fastest.

    Raises:
        UsageError: there are too many, or two would bear one name.
    """
    if (count := math.prod(len(axis.values) for axis in sweep.axes)) > MOST:
        raise UsageError(
            f"the axes make {count:,} cells; {MOST:,} are the most, so shorten some or make several sweeps"
        )
    short = shorts([axis.key for axis in sweep.axes])
    found = [_cell(sweep, short, labels) for labels in itertools.product(*(axis.values for axis in sweep.axes))]
    if twice := _twice(cell.name for cell in found):
        raise UsageError(f"two cells would be called {min(twice)}; give one of the values another name")
    return found


def shorts(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each dotted key, or all of it where two would be alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)}


def path_safe(text: str, longest: int = PART) -> str:
    """Return a text as part of a file's name: itself, or what is plain of it with a digest of the whole."""
    plain = re.sub(r"[^A-Za-z0-9._=+-]+", "_", text).lstrip(".-")[:longest] or "_"
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _cell(sweep: Sweep, short: Mapping[str, str], labels: Sequence[str]) -> Cell:
    chosen = list(zip(sweep.axes, labels, strict=True))
    parts = sorted(chosen, key=lambda part: part[0].key == SEED)  # which comes last
    told = [f"{short[axis.key]}={label}" if _sets_key(axis.key) else label for axis, label in parts]
    name = ",".join(map(path_safe, told))
    if len(name) > NAME:
        name = path_safe(name, NAME)
    tables = [dict(table) for table in (*sweep.common, *(axis.values[label] for axis, label in chosen))]
    presets = [table.pop("preset") for table in tables if "preset" in table]
    if presets and not isinstance(presets[-1], str):
        raise UsageError(f'cell {name}: preset = {presets[-1]!r}: a preset has a name, such as "quick"')
    setting = tuple(label for axis, label in chosen if axis.key != SEED)
    return Cell(name, setting, tuple(tables), presets[-1] if presets else None)


def _axes(tree: Mapping[str, Any], path: Path, prefix: str = "") -> Iterator[Axis]:
    """Walk the tables that are sections of the configuration, or fields of it; another table holds bundles."""
    for name, value in tree.items():
        key = prefix + name
        section = any(known.startswith(f"{key}.") for known in fields()) or _holds_table(key)
        if isinstance(value, list) and value:
            yield Axis(key, _labelled(key, value, path))
        elif section and isinstance(value, dict):
            yield from _axes(value, path, f"{key}.")
        elif prefix and isinstance(value, dict):
            raise UsageError(
                f"{path}: {key!r} is no key with a list of values; settings under names, as a table, are an axis of "
                f"their own, which must not be called {prefix[:-1]!r}, as a section is"
            )
        elif isinstance(value, dict) and value and all(isinstance(bundle, dict) for bundle in value.values()):
            yield Axis(key, value)
        else:
            raise UsageError(f"{path}: the axis {key!r} is neither a list of values nor a table of named settings")


def _labelled(key: str, values: Sequence[Any], path: Path) -> dict[str, Mapping[str, Any]]:
    labels = [_label(value) for value in values]
    if twice := _twice(labels):
        raise UsageError(f"{path}: the axis {key!r} holds {min(twice)} twice")
    return {label: {key: value} for label, value in zip(labels, values, strict=True)}


def _twice(texts: Iterable[str]) -> set[str]:
    return {text for text, count in Counter(texts).items() if count > 1}


def _sets_key(axis: str) -> bool:
    """Tell an axis of values of one key from the others, which are told by their labels alone."""
    return axis in fields().keys() - {"preset"} or _holds_table(axis.rpartition(".")[0])


def _holds_table(key: str) -> bool:
    return key in fields() and get_origin(fields()[key].annotation) is dict


def _label(value: Any) -> str:
    """Write a value for the eye; what could command a terminal is spelled out."""
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value, default=str)


def _check_head(head: Mapping[str, Any], path: Path) -> None:
    _known(head, HEAD, f"{path}: sweep")
    for key, value in head.items():
        told, fits = HEAD[key]
        if not fits(value):
            raise UsageError(f"{path}: sweep.{key} = {value!r}: should be {told}")


def _known(tree: Mapping[str, Any], known: Sequence[str] | Mapping[str, Any], where: str) -> None:
    for name in tree:
        if name not in known:
            raise UsageError(f"{where}: there is no {name!r}{near_miss(name, known)}")


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _count(value: Any) -> bool:
    return type(value) is int and value > 0


HEAD: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("a text", _text),
    "jobs": ("a number of cells, at least 1", _count),
    "threads": ("a number of threads, at least 1", _count),
    "preset": ("a text", _text),
    "columns": ("a list of texts", lambda value: isinstance(value, list) and all(map(_text, value))),
}
"""Keys of [sweep]: what they should be, and what checks it."""
