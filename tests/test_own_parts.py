"""A user's own objective, from Python alone; the ten lines stand in the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from commands import ROOT, textgan

from textgan.resuming import run_config


def example() -> str:
    """The Python of the README that adds an objective."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    (code,) = [str(block) for block in blocks if "OBJECTIVES[" in block]
    return code


def test_an_objective_of_ones_own_trains_and_is_reported_like_any_other(tmp_path: Path, tiny_text: Path) -> None:
    code = example()
    assert len(code.strip().splitlines()) <= 10
    code = code.replace('"names.txt"', repr(str(tiny_text))).replace('"quick"', '"smoke"')
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert run_config(run).game.objective == "exponential"
    assert "exponential" not in (ROOT / "textgan" / "game" / "objectives.py").read_text(encoding="utf-8")
    generated = textgan(tmp_path, "generate", "-m", str(run), "-n", "3")
    assert (generated.code, len(generated.out.splitlines())) == (0, 3)
