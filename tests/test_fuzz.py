"""Some of the cases of fuzz.py, the same in every run; and that it finds what there is to find."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def fuzz(what: str, cases: int, seed: int = 0, setup: str = "") -> subprocess.CompletedProcess[str]:
    """Play cases in a process of its own, which may fork."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TEXTGAN_")}
    environ |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}
    environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    code = f"import sys, fuzz\n{setup}\nsys.exit(fuzz.main())"
    return subprocess.run(
        [sys.executable, "-c", code, "--what", what, "--cases", str(cases), "--seed", str(seed)],
        env=environ, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip


def test_damage_is_one_line_each() -> None:
    done = fuzz("corpora", 16)
    assert done.returncode == 0, done.stdout
    assert "corpora: 16 cases ended" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("what", ["models", "checkpoints", "corpora", "config", "pictures"])
def test_much_damage_is_one_line_each(what: str) -> None:
    done = fuzz(what, 25, seed=100)
    assert done.returncode == 0, done.stdout


FAULTS = {
    "crash": ("import ctypes; ctypes.string_at(0)", "the interpreter was ended by -11"),
    "loop": ("while True: pass", "endless at"),
    "exception": ("{}['x']", "KeyError: 'x' at"),
    "memory": ("raise MemoryError('not enough memory')", "MemoryError"),
    "two lines": ("print('textgan: error: a\\ntextgan: error: b', file=sys.stderr); return 1", "more than one line"),
    "no line": ("return 5", "no line of error"),
    "other code": ("return 70", "exit code 70"),
    "file elsewhere": ("open('../elsewhere', 'w').close(); return 0", "reached outside: ['open "),
    "command": ("import os; os.system('true'); return 0", "os.system (b'true',)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    code, told = FAULTS[fault]
    done = fuzz(
        "config", 2, setup=f"fuzz.LOADED, fuzz.PATIENCE = (), 1\ndef broken(command):\n    {code}\nfuzz._main = broken"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert told in done.stdout
