"""What a command must not import, since a user waits for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import textgan

TELL = (
    "import atexit, json, sys\n"
    "atexit.register(lambda: print('\\n' + json.dumps(sorted(sys.modules)), file=sys.__stderr__))"
)


def imported(folder: Path, *arguments: str) -> set[str]:
    done = textgan(folder, *arguments, setup=TELL)
    assert done.code == 0, done.err
    return set(json.loads(done.err.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["generate", "--help"], ["report", "--help"], ["methods"]]
)
def test_help_needs_next_to_nothing(arguments: list[str], tmp_path: Path) -> None:
    heavy = {"numpy", "torch", "rich", "pydantic", "safetensors", "platformdirs", "pyarrow", "asyncio", "http"}
    assert not imported(tmp_path, *arguments) & heavy


def test_methods_are_told_without_their_parts(tmp_path: Path) -> None:
    assert "torch" not in imported(tmp_path, "methods", "--json")


def test_a_report_of_files_needs_numpy_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one line\nand two\n" * 20, encoding="utf-8")
    command = ["report", "--samples", "a.txt", "--reference", "a.txt"]
    heavy = {"torch", "pydantic", "safetensors", "platformdirs", "pyarrow", "sentencepiece", "rapidfuzz", "scipy"}
    own = {"textgan.config", "textgan.model", "textgan.corpora.text.sources", "textgan.corpora.text.pieces"}
    table = imported(tmp_path, *command)
    assert not table & (heavy | own)
    assert "rich" in table
    assert not imported(tmp_path, *command, "--json") & (heavy | own | {"rich"})
