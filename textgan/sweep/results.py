"""What a cell leaves in its folder besides its run: its settings, what it said, and its result once it has ended."""

from __future__ import annotations

import json
import math
import signal
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textgan.errors import CorruptError, DivergedError, UsageError
from textgan.files import dump_json, read_rows, write_text

SETTINGS, RESULT, OUT, ERR = "settings.toml", "result.json", "train.json", "train.err"
STOPPED = {130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP}
"""Exit codes of a cell that was told to stop, and goes on next time."""
ROUNDED = 1e-3  # how much a log rounds its times down at most. [s]
HELD = "another process is training in "
"""How the error of a cell begins whose folder another process holds."""


@dataclass(frozen=True)
class Job:
    """A cell to run: its name, folder, and all its settings in TOML."""

    name: str
    folder: Path
    settings: str
    free: frozenset[str] = frozenset()
    """Keys of them that may be others than those it was begun with: they decide when it stops, not what it learns."""


@dataclass(frozen=True)
class Result:
    """How a cell ended."""

    code: int
    """Exit code of its process, 0 if it ended well."""
    error: str
    """What it said last if it did not."""
    step: int
    processor_seconds: float
    metrics: Mapping[str, Any] | None
    """Its last evaluation, as `textgan train --json` tells it."""

    @property
    def failure(self) -> str:
        """Return how it failed in a few words; empty if it did not."""
        return "diverged" if self.code == DivergedError.exit_code else self.error

    @property
    def held(self) -> bool:
        """Tell whether it did not even begin, since another process trains in its folder."""
        return bool(self.code) and self.error.startswith(HELD)


def result_of(folder: Path) -> Result | None:
    """Return the result of a cell that has ended, None for another.

    Raises:
        CorruptError: the file cannot be read.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        result = Result(**{key: value for key, value in told.items() if key != "schema"})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CorruptError(f"{path} cannot be read ({error}); remove it, and the cell goes on") from error
    return None if result.held else result


def settle(folder: Path, code: int) -> Result:
    """Return how a cell's process ended, and keep it, unless it was only told to stop, or could not begin."""
    error = "" if code == 0 else _last_words(folder / ERR) or f"ended with code {code}"
    last = list(_rows(folder, "processor_seconds"))[-1:] or [{}]  # an alarm tells no time
    outcome = _outcome(folder / OUT) if code == 0 else {}
    seconds = last[0].get("processor_seconds", 0.0)
    result = Result(code, error, last[0].get("step", 0), seconds, outcome.get("metrics"))
    if code not in STOPPED and not result.held:
        write_text(folder / RESULT, dump_json({"schema": 1} | asdict(result)))
    return result


def goes_on(job: Job, result: Result) -> bool:
    """Tell whether a cell that ended well has steps left, since the limit that ended it was raised."""
    before, now = (_limits(told) for told in (_settings_of(job.folder), tomllib.loads(job.settings)))

    def over(limits: tuple[float, float, float]) -> bool:
        return result.step >= limits[0] or result.processor_seconds + ROUNDED >= limits[1]

    return not over(now) and (over(before) or now[2] > before[2])


def check_unchanged(jobs: Sequence[Job]) -> None:
    """Refuse cells that were begun with other settings, those left out that are free to change.

    A key that one of the two does not know, for it came with another version, is no difference.

    Raises:
        UsageError: it names the first of them and what differs.
    """
    changed = {job.name: told for job in jobs if (told := _difference(job))}
    if changed:
        name, told = next(iter(changed.items()))
        others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UsageError(
            f"begun with other settings: cell {name}{others} ({told}); name another folder with --out, or remove "
            f"{next(job.folder for job in jobs if job.name == name)}"
        )


def curve(folder: Path, column: str) -> list[tuple[float, float]]:
    """Return a figure at each evaluation of a cell's run, over processor minutes."""
    told = [(row.get("processor_seconds", 0.0) / 60, figures(row["evaluation"])) for row in _rows(folder, "evaluation")]
    return [(minutes, numbers[column]) for minutes, numbers in told if column in numbers]


def figures(metrics: Mapping[str, Any], leaf: str = "value", path: str = "") -> dict[str, float]:
    """Return the numbers of an evaluation by dotted path; of a table that holds a `leaf`, that one alone.

    Where `leaf` is "floor" only the floors are returned.
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        key = f"{path}{name}"
        if isinstance(value, dict):
            found |= _number(key, value.get(leaf)) if "value" in value else figures(value, leaf, f"{key}.")
        elif leaf == "value":
            found |= _number(key, value)
    return found


def _number(key: str, value: Any) -> dict[str, float]:
    return {key: value} if isinstance(value, int | float) and not isinstance(value, bool) else {}


def _difference(job: Job) -> str:
    before, now = (dict(_flat(told)) for told in (_settings_of(job.folder), tomllib.loads(job.settings)))
    changed = sorted(key for key in (before.keys() & now.keys()) - job.free if before[key] != now[key])
    return "; ".join(f"{key} {before[key]} -> {now[key]}" for key in changed)


def _settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings a cell was begun with; none of one that was not."""
    path = folder / SETTINGS
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, OSError) as error:
        raise CorruptError(f"{path} cannot be read ({error}); remove {folder}") from error


def _limits(settings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the steps [steps], processor time [s] and time of a call [s] at which a cell ends; 0 minutes never do."""
    told = settings.get("training", {})
    processor, clock = (float(told.get(key, 0)) * 60 or math.inf for key in ("processor_minutes", "minutes"))
    return float(told.get("steps", math.inf)), processor, clock


def _flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Walk the sections; a table within one is a value."""
    for section, values in tree.items():
        if isinstance(values, dict):
            yield from ((f"{section}.{name}", value) for name, value in values.items())
        else:
            yield section, values


def _rows(folder: Path, key: str = "step") -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's log that hold a key."""
    path = folder / "metrics.jsonl"
    yield from (row for row in (read_rows(path) if path.exists() else ()) if key in row)


def _outcome(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptError(f"{path} is not what textgan train --json prints ({error})") from error
    return told


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1].removeprefix("textgan: error: ") if said else ""
