"""The folder in which a corpus is prepared."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textgan.corpora import workshop as module
from textgan.corpora.workshop import workshop
from textgan.errors import KilledError, TextganError

HOLD = """
import sys, time
from pathlib import Path
from textgan.corpora.workshop import workshop
with workshop(Path(sys.argv[1]), "key", print) as work:
    work.note("stage", {"a": 1})
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(root: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, root, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_what_is_done_goes(tmp_path: Path) -> None:
    with workshop(tmp_path, "key", print) as work:
        assert not work.begun
        work.note("stage", [1, 2])
        assert (work.begun, work.state("stage"), work.state("other")) == (True, [1, 2], None)
    assert list((tmp_path / "work").iterdir()) == []


def test_what_was_killed_stays_and_is_taken_up(tmp_path: Path) -> None:
    process = hold(tmp_path, 60)
    process.kill()
    process.communicate()
    with workshop(tmp_path, "key", print) as work:
        assert work.state("stage") == {"a": 1}


@pytest.mark.parametrize(
    ("error", "stays"), [(TextganError, False), (OSError, False), (KilledError, True), (KeyboardInterrupt, True)]
)
def test_what_cannot_be_done_goes_and_what_is_interrupted_stays(
    tmp_path: Path, error: type[BaseException], stays: bool
) -> None:
    with pytest.raises(error), workshop(tmp_path, "key", print) as work:  # noqa: PT012 - the error leaves the block
        work.note("stage", 1)
        raise error("x")
    assert (tmp_path / "work" / "key" / "journal.json").exists() == stays


def test_another_process_is_waited_for(tmp_path: Path) -> None:
    process = hold(tmp_path, 0.7)
    told: list[str] = []
    began = time.monotonic()
    with workshop(tmp_path, "key", told.append) as work:
        assert time.monotonic() - began > 0.3
        assert not work.begun  # the other has done it all
    process.communicate()
    assert told == ["another process is preparing this corpus; waiting for it"]


def test_of_those_who_wait_one_works_at_a_time(tmp_path: Path) -> None:
    """The folder goes with its lock in it: the second to have that lock must not be in the folder with a third."""
    first = hold(tmp_path, 0.7)
    second = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path, "2"], stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    assert second.stdout.readline().startswith("another process")
    assert second.stdout.readline() == "held\n"
    told: list[str] = []
    with workshop(tmp_path, "key", told.append) as work:
        assert not work.begun
        assert second.stdout.read() == ""  # it has ended
    first.communicate()
    second.communicate()
    assert told == ["another process is preparing this corpus; waiting for it"]


def test_a_damaged_journal_is_none(tmp_path: Path) -> None:
    (tmp_path / "work" / "key").mkdir(parents=True)
    (tmp_path / "work" / "key" / "journal.json").write_text("[1")
    with workshop(tmp_path, "key", print) as work:
        assert not work.begun


def test_a_journal_of_another_version_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work" / "key"
    folder.mkdir(parents=True)
    module.Workshop(folder).note("survey", {"done": 3})
    assert module.Workshop(folder).state("survey") == {"done": 3}
    monkeypatch.setattr(module, "SCHEMA", module.SCHEMA + 1)
    assert not module.Workshop(folder).begun


def test_old_folders_are_swept(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / "work" / name).mkdir(parents=True)
    past = time.time() - module.FORGOTTEN - 60
    os.utime(tmp_path / "work" / "old", (past, past))
    with workshop(tmp_path, "key", print):
        pass
    assert [folder.name for folder in (tmp_path / "work").iterdir()] == ["new"]
