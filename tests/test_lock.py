"""A folder is one process's: whose it is, and when it is nobody's."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from textgan import lock
from textgan.errors import TextganError
from textgan.lock import alone_in

HOLDS = """
import sys, time
from pathlib import Path
from textgan.lock import alone_in

with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def held_by_another(folder: Path) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", HOLDS, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def no_locks(handle: int, operation: int) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def test_the_owner_is_named_and_a_dead_one_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    process = held_by_another(folder)
    try:
        owner = json.loads((folder / ".lock").read_text())
        assert (owner["pid"], owner["host"]) == (process.pid, platform.node())
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", owner["started"])
        whose = rf"\(process {process.pid} on {re.escape(platform.node())}, since {re.escape(owner['started'])}\); wait"
        for _ in range(2):  # who is refused changes nothing of it
            with pytest.raises(TextganError, match=whose), alone_in(folder):
                pass
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", no_locks)
            with pytest.raises(TextganError, match=f"{whose} for it, remove .*/.lock if it is gone, or name"):
                alone_in(folder).__enter__()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert (folder / ".lock").exists()
    with alone_in(folder):
        assert json.loads((folder / ".lock").read_text())["pid"] == os.getpid()
    assert [path.name for path in folder.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("changed", "free"),
    [
        ({}, False),
        ({"ticks": 1}, True),
        ({"pid": 2**22 + 1}, True),
        ({"pid": 10**30}, False),
        ({"host": "elsewhere"}, False),
        ({"pid": "x"}, False),
        (None, True),
    ],
    ids=["lives", "its id is another's", "dead", "no id", "another machine", "strange", "half written"],
)
def test_without_locks_of_the_file_system_the_owner_is_looked_for(
    changed: dict[str, Any] | None, free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with alone_in(tmp_path / "r"):
        owner = json.loads((tmp_path / "r" / ".lock").read_text())
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / ".lock").write_text("{" if changed is None else json.dumps(owner | changed))
    if free:
        with alone_in(tmp_path / "r"):
            assert json.loads((tmp_path / "r" / ".lock").read_text())["pid"] == os.getpid()
        return
    with pytest.raises(TextganError, match="another process is training in"):
        alone_in(tmp_path / "r").__enter__()
    assert (tmp_path / "r" / ".lock").exists()


def test_a_lock_that_was_removed_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with path.open("w") as late:
        with alone_in(tmp_path):
            pass
        assert lock._held(late.fileno(), path)
        with alone_in(tmp_path):
            assert lock._held(late.fileno(), path)
