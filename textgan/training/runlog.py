"""The log of a run: `run.json`, a JSON row a line in `metrics.jsonl`, samples and pictures files an evaluation."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgan import bounded
from textgan.files import append, dump_json, make_folder, read_lines, read_rows, write_bytes, write_text

ROWS = "metrics.jsonl"


class RunLog:
    """Writes the files of a run folder; rows are written one by one, so that a kill loses at most the last."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open the log of a run that stands at `step`: later rows of an interrupted process are cut off."""
        self.folder = folder
        self.path = folder / ROWS
        make_folder(folder / "samples")
        self.cut(step)

    def cut(self, step: int) -> None:
        """Cut off the rows of later steps, and what a kill cut short."""
        kept = [line for line in _lines(self.folder) if _step(line) <= step]
        write_text(self.path, "".join(line + "\n" for line in kept))

    def describe(self, facts: dict[str, Any]) -> None:
        """Write `run.json`."""
        write_text(self.folder / "run.json", dump_json(facts))

    def back(self, row: dict[str, Any]) -> None:
        """Cut the log back to the step of a row that says why, and bring it to the disk."""
        self.cut(row["step"])
        self.row(row)
        self.sync()

    def row(self, row: dict[str, Any]) -> None:
        """Append a row."""
        append(self.path, (json.dumps(row, allow_nan=False) + "\n").encode())

    def evaluated(self, step: int, samples: tuple[str, bytes], pictures: Mapping[str, str]) -> None:
        """Write the samples of an evaluation, a file's suffix and content, and its pictures, SVG by name."""
        suffix, content = samples
        write_bytes(self.folder / "samples" / f"step-{step:06d}{suffix}", content)
        for name, picture in pictures.items():
            write_text(self.folder / "pictures" / f"step-{step:06d}-{name}.svg", picture)

    def sync(self) -> None:
        """Flush the rows to the disk, before a checkpoint relies on them."""
        with self.path.open("a", encoding="utf-8") as file:
            os.fsync(file.fileno())


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's log, but for one that a kill cut short; none where there is no log."""
    path = folder / ROWS
    rows = read_rows(path) if path.is_file() else []
    return [row for row in rows if isinstance(row.get("step"), int)]


def _lines(folder: Path) -> list[str]:
    path = folder / ROWS
    return read_lines(path) if path.is_file() else []


def _step(line: str) -> float:
    try:
        return float(bounded.parse_json(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a row that a kill cut short
