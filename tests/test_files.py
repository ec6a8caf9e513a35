from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from textgan.errors import CorruptError
from textgan.files import MANIFEST, dump_json, sha256, sweep, verify_folder, write_folder, write_text


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
        (lambda folder: (folder / MANIFEST).write_text('{"files": {"a.txt": 3}}'), "manifest.json is missing"),
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
    (tmp_path / "x" / MANIFEST).write_text(dump_json({"files": {"../secret": entry}}))
    with pytest.raises(CorruptError, match="missing"):
        verify_folder(tmp_path / "x")


def test_sweeping_removes_what_dead_processes_left_and_nothing_else(tmp_path: Path) -> None:
    dead = dead_process()
    (tmp_path / f".model.{dead}.tmp").mkdir()
    (tmp_path / f".model.{dead}.tmp" / "part").write_text("x")
    (tmp_path / f".run.json.{dead}.tmp").write_text("x")
    kept = [f".model.{os.getpid()}.tmp", "model", f"model.{dead}.tmp", ".notes.tmp", ".model.old.tmp"]
    for name in kept:
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_sweeping_a_folder_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    sweep(tmp_path / "absent")
