from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from textgan import files
from textgan.errors import CorruptError, FormatError, TextganError
from textgan.files import (
    MANIFEST,
    dump_json,
    is_whole,
    make_folder,
    move_folder,
    read_record,
    seal,
    sha256,
    sweep,
    verify_folder,
    write_folder,
    write_text,
    writing,
)

ENVIRON = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
KILLED = """
import os, signal, sys
from contextlib import nullcontext
from pathlib import Path
from textgan.files import replacing, write_folder

def die(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1], "x")
"""


def fill(text: str) -> object:
    def write(folder: Path) -> None:
        (folder / "a.txt").write_text(text)
        (folder / "b.txt").write_text("b")

    return write


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_json_is_strict_and_readable() -> None:
    assert json.loads(dump_json({"é": [1, None]})) == {"é": [1, None]}
    assert "é" in dump_json("é")
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            dump_json({"x": value})


def test_text_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "two\ud800")
    assert path.read_text() == "one"
    write_text(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"
    assert list(tmp_path.iterdir()) == [path]


def test_sha256_is_the_digest_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_is_made_and_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "x"
    for text in ("one", "two"):
        write_folder(folder, fill(text))  # type: ignore[arg-type]
        verify_folder(folder)
        assert (folder / "a.txt").read_text() == text
        assert [path.name for path in folder.parent.iterdir()] == ["x"]
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["files"]["b.txt"] == {"bytes": 1, "sha256": sha256(folder / "b.txt")}


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace = tmp_path / "x", Path.replace
    write_folder(folder, fill("one"))  # type: ignore[arg-type]

    def fails(path: Path, target: Path) -> Path:
        if target == folder and not path.name.startswith("old "):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="No space left"):
        write_folder(folder, fill("two"))  # type: ignore[arg-type]
    verify_folder(folder)
    assert (folder / "a.txt").read_text() == "one"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ('{"schema": 4}', FormatError, "is of format 4, and this textgan reads 3; upgrade textgan"),
        ('{"schema": 1}', FormatError, "is of format 1, which is no longer read; use the textgan that wrote it"),
        ("{}", CorruptError, r"is missing or damaged \(it does not say its format\); restore it"),
        ('{"schema": true}', CorruptError, "is missing or damaged"),
        ('{"schema": "3"}', CorruptError, "is missing or damaged"),
        ("[3]", CorruptError, r"is missing or damaged \(it is no JSON object\)"),
        ('{"schema": 3', CorruptError, "is missing or damaged"),
        ("[" * 100_000, CorruptError, "is missing or damaged"),
        ("\udcff", CorruptError, "is missing or damaged"),
        (None, CorruptError, r"is missing or damaged \(No such file or directory\)"),
    ],
)
def test_formats_are_checked_both_ways(
    content: str | None, error: type[TextganError], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(error, match=f"^{path} {said}") as caught:
        read_record(path, oldest=2, newest=3)
    assert "\n" not in str(caught.value)
    for schema in (2, 3):
        path.write_text(json.dumps({"schema": schema, "x": 1}))
        assert read_record(path, oldest=2, newest=3) == {"schema": schema, "x": 1}
    path.write_text('{"x": 1}')
    assert read_record(path, unsaid=1) == {"x": 1}


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    write_folder(folder, fill("one"))  # type: ignore[arg-type]

    def fail(target: Path) -> None:
        (target / "a.txt").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_folder(folder, fail)
    verify_folder(folder)
    assert (folder / "a.txt").read_text() == "one"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "a.txt").write_text("oNe"), "a.txt is damaged"),
        (lambda folder: (folder / "a.txt").write_text("longer"), "a.txt is damaged"),
        (lambda folder: (folder / "a.txt").unlink(), "a.txt is missing"),
        (lambda folder: (folder / MANIFEST).unlink(), "manifest.json is missing or damaged"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "manifest.json is missing or damaged"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "manifest.json is missing or damaged"),
        (
            lambda folder: (folder / MANIFEST).write_text('{"schema": 1, "files": {"a.txt": 3}}'),
            "manifest.json is missing",
        ),
    ],
)
def test_damage_is_named_in_one_line(damage: object, message: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "x", fill("one"))  # type: ignore[arg-type]
    damage(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(CorruptError, match=message) as caught:
        verify_folder(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


def test_a_manifest_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    write_folder(tmp_path / "x", fill("one"))  # type: ignore[arg-type]
    entry = {"bytes": 1, "sha256": sha256(tmp_path / "secret")}
    (tmp_path / "x" / MANIFEST).write_text(dump_json({"schema": 1, "files": {"../secret": entry}}))
    with pytest.raises(CorruptError, match="missing"):
        verify_folder(tmp_path / "x")


def test_sweeping_removes_what_dead_processes_left_and_nothing_else(tmp_path: Path) -> None:
    dead = dead_process()
    (tmp_path / f".model.{dead}.tmp").mkdir()
    (tmp_path / f".model.{dead}.tmp" / "part").write_text("x")
    (tmp_path / f".run.json.x.{dead}.tmp").mkdir()
    kept = [f".model.{os.getpid()}.tmp", "model", f"model.{dead}.tmp", ".notes.tmp", ".model.old.tmp"]
    for name in kept:
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    sweep(tmp_path, own=True)  # of an earlier process that had the same id
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept[1:])


def test_a_clock_that_went_back_spares_no_orphan(tmp_path: Path) -> None:
    path = tmp_path / f".x.{dead_process()}.tmp"
    path.mkdir()
    os.utime(path, (time.time() + 1000,) * 2)
    sweep(tmp_path, quiet=2000)
    assert path.exists()
    sweep(tmp_path, quiet=500)
    assert not path.exists()


def test_sweeping_spares_what_changed_lately(tmp_path: Path) -> None:
    dead = dead_process()
    for name, age in (("old", 100), ("young", 0)):
        path = tmp_path / f".{name}.{dead}.tmp"
        path.mkdir()
        os.utime(path, (time.time() - age,) * 2)
    sweep(tmp_path, quiet=50)
    assert [path.name for path in tmp_path.iterdir()] == [f".young.{dead}.tmp"]


@pytest.mark.parametrize(
    "write", ["with replacing(path) as fresh: die(fresh)", "write_folder(path, lambda fresh: die(fresh / 'a'))"]
)
def test_what_a_killed_process_leaves_is_swept(write: str, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED + write, str(tmp_path)], check=False, env=ENVIRON)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".tmp"]
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sweeping_a_folder_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    sweep(tmp_path / "absent")


def test_a_folder_is_whole_by_its_sizes_and_verified_by_its_digests(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    assert not is_whole(folder)
    write_folder(folder, fill("one"))  # type: ignore[arg-type]
    (folder / "a.txt").write_text("two")
    assert is_whole(folder)
    with pytest.raises(CorruptError, match=r"a\.txt"):
        verify_folder(folder)
    (folder / "a.txt").write_text("three")
    assert not is_whole(folder)


def sealed(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(text)
    seal(folder)
    return folder


def test_a_sealed_folder_is_moved_to_its_place(tmp_path: Path) -> None:
    place = tmp_path / "to" / "x"
    move_folder(sealed(tmp_path / "1" / "x", "one"), place)
    verify_folder(place, "a.txt")
    move_folder(sealed(tmp_path / "2" / "x", "two"), place, once=True)
    assert (place / "a.txt").read_text() == "one"  # the name settles the content
    move_folder(sealed(tmp_path / "3" / "x", "three"), place)
    assert (place / "a.txt").read_text() == "three"
    (place / "a.txt").write_text("")
    move_folder(sealed(tmp_path / "4" / "x", "four"), place, once=True)
    assert (place / "a.txt").read_text() == "four"  # what is not whole does not stay


def test_losing_the_race_at_the_last_moment_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, is_dir = tmp_path / "to" / "x", Path.is_dir

    def not_yet(path: Path) -> bool:
        if path != place or is_dir(path):
            return is_dir(path)
        monkeypatch.undo()
        write_folder(place, fill("fast"))  # type: ignore[arg-type]
        return False

    monkeypatch.setattr(Path, "is_dir", not_yet)
    move_folder(sealed(tmp_path / "1" / "x", "slow"), place, once=True)
    assert (place / "a.txt").read_text() == "fast"
    shutil.rmtree(place)
    monkeypatch.setattr(Path, "is_dir", not_yet)
    with pytest.raises(OSError, match=os.strerror(errno.ENOTEMPTY)):
        move_folder(sealed(tmp_path / "2" / "x", "slow"), place)


def test_a_full_disk_is_one_line_and_a_closed_pipe_is_no_disk() -> None:
    line = r"^cannot write to runs/x: No space left on device; free some$"
    with pytest.raises(TextganError, match=line), writing("runs/x", "free some"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(BrokenPipeError), writing("runs/x", "free some"):
        raise BrokenPipeError


def test_a_manifest_cannot_leave_out_what_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def fill(target: Path) -> None:
        (target / "weights").write_bytes(b"12")

    write_folder(folder, fill)
    verify_folder(folder, "weights")
    (folder / MANIFEST).write_text('{"schema": 1, "files": {}}', encoding="utf-8")
    verify_folder(folder)
    with pytest.raises(CorruptError, match="missing or damaged"):
        verify_folder(folder, "weights")


def test_json_holds_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write_text(tmp_path / "t.json", dump_json({name: "caf\u00e9"}))
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8")) == {name: "caf\u00e9"}


def test_a_new_folder_is_brought_to_the_disk_with_those_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a")
    assert synced == [tmp_path, tmp_path / "a"]


@pytest.mark.parametrize(
    ("code", "file", "refused"), [(errno.EINVAL, "a", True), (errno.EIO, "", True), (errno.EINVAL, "", False)]
)
def test_a_file_system_may_know_no_syncing_of_folders(
    code: int, file: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode) != bool(file):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=os.strerror(code)) if refused else nullcontext():
        write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").exists() != bool(file)


def test_a_disk_that_fails_is_not_taken_for_a_damaged_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("a")
    seal(tmp_path / "x")

    def fails(path: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "sha256", fails)
    with pytest.raises(CorruptError, match=rf"{tmp_path}/x cannot be read: Input/output error; restore it"):
        verify_folder(tmp_path / "x")
