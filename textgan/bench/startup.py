"""What a command takes before it begins to work: processes of their own, beside a script that imports all it knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import textgan
from textgan import assemble
from textgan.bench import parts, text
from textgan.bench.case import Case, Cases, Setup
from textgan.bench.ngrams import same_numbers
from textgan.errors import TextganError

LINES = 200
TINY = {"generator.width": 4, "critic.width": 4, "count_critic.weight": 0.0}


def cases(setup: Setup) -> Cases:
    """Yield the rows: `--help`, one line of a tiny model, a report on two small files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assemble.model_of(parts.quick(setup, **TINY), None).save(folder / "model")
        for side, seed in (("samples", 5), ("reference", 6)):
            (folder / side).write_text("\n".join(text.lines(LINES, seed=seed)) + "\n", encoding="utf-8")
        yield _case(folder, "--help", ["--help"], ["help"])
        yield _case(folder, "generate -n 1", ["generate", "-n", "1", "-m", "model"], ["generate", "model"])
        files = ["--samples", "samples", "--reference", "reference", "--metrics", "jsd", "--json"]
        yield _case(folder, "report --samples", ["report", *files], ["report", "samples", "reference"])


def _case(folder: Path, name: str, ours: list[str], plain: list[str]) -> Case:
    def both() -> tuple[str, str]:
        return run(folder, "textgan", *ours), run(folder, "textgan.bench.plain_startup", *plain)

    return Case(
        "startup",
        lambda: run(folder, "textgan", *ours),
        lambda: run(folder, "textgan.bench.plain_startup", *plain),
        lambda: CHECKS[name](*both()),
        {"command": f"textgan {name}"},
    )


def run(folder: Path, module: str, *arguments: str) -> str:
    """Run a module as a process in a folder, and return what it printed.

    Raises:
        TextganError: it failed; the line is the last that it wrote on stderr.
    """
    there = os.environ | {"PYTHONPATH": str(Path(textgan.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, env=there, capture_output=True, check=False
    )
    if done.returncode:
        raise TextganError(f"{module}: {(done.stderr.decode(errors='replace').splitlines() or ['failed'])[-1]}")
    return done.stdout.decode()


def _both_help(ours: str, plain: str) -> None:
    if not (ours.startswith("Usage: ") and "usage: " in plain):
        raise TextganError("startup: --help does not help, so that times would say nothing")


def _both_print_a_line(ours: str, plain: str) -> None:
    """Each draws its own noise."""
    if (ours.count("\n"), plain.count("\n")) != (1, 1):
        raise TextganError("startup: generate -n 1 is not one line, so that times would say nothing")


def _both_measure_the_same(ours: str, plain: str) -> None:
    jsd = json.loads(ours)["metrics"]["jsd"]
    same_numbers("startup", [jsd[n]["value"] for n in sorted(jsd)], json.loads(plain))


CHECKS = {"--help": _both_help, "generate -n 1": _both_print_a_line, "report --samples": _both_measure_the_same}
