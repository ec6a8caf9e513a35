"""Files, folders, globs, archives and pipes to shards, and how they are told apart."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest

from textgan.corpora.text import sources, streams
from textgan.corpora.text.damage import Damage
from textgan.corpora.text.sources import Shard, Source, is_current, resolve, shard_of
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError, UsageError


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    return tmp_path / "data"


def find(name: Path | str, cache: Path, column: str = "", label_column: str = "") -> Source:
    source = resolve(str(name), column=column, label_column=label_column, cache=cache)
    assert source is not None
    return source


def text(shard: Shard) -> str:
    return b"".join(map(loaded, shard.read(Damage("strict")))).decode()


def texts(source: Source) -> dict[str, str]:
    return {Path(shard.name).name: text(shard) for shard in source.training}


def archive(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


# --- files, folders, globs ------------------------------------------------------------------------------------------


def test_a_file_is_one_shard(folder: Path, cache: Path) -> None:
    (folder / "a.txt").write_text("x\ny")
    source = find(folder / "a.txt", cache)
    assert (source.name, source.title, source.heldout, source.labelled) == ("a", "a.txt", (), False)
    assert [shard.name for shard in source.training] == [str(folder / "a.txt")]
    assert text(source.training[0]) == text(source.training[0]) == "x\ny\n"
    assert source.training[0].stamp == shard_of(folder / "a.txt").stamp
    json.dumps(source.training[0].stamp)


def test_a_stamp_tells_another_content_and_another_reading(folder: Path) -> None:
    path = folder / "a.tsv"
    path.write_text("x\ty")
    first = shard_of(path)
    assert is_current(first)
    others = [
        shard_of(path, format="tsv", column="1"),
        shard_of(path, format="tsv", column="2"),
        shard_of(path, format="tsv", column="2", label_column="1"),
        shard_of(path, label="x"),
    ]
    os.utime(path, (1, 1))
    assert not is_current(first)
    assert len({first.stamp, shard_of(path).stamp, *(shard.stamp for shard in others)}) == 6


def test_a_folder_gives_files_named_as_text_or_else_all_visible_ones(folder: Path, cache: Path) -> None:
    for name in ["b.md", "a", ".hidden", ".git/x", "sub/c"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / "dangling").symlink_to("nothing")
    assert texts(find(folder, cache)) == {"a": "a\n", "b.md": "b.md\n", "c": "sub/c\n"}
    (folder / "sub" / "d.txt").write_text("d")
    (folder / "e.jsonl").write_text('{"text": "e"}')
    (folder / "f.smi.gz").write_bytes(gzip.compress(b"CC f\n"))
    assert texts(find(folder, cache)) == {"e.jsonl": "e\n", "f.smi.gz": "CC\n", "d.txt": "d\n"}
    assert find(folder, cache).name == "data"


def test_a_glob_gives_its_files_sorted(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["b.txt", "a.txt", "c.md", ".d.txt", "sub/e.txt"]:
        (folder / name).write_text(name)
    source = find(folder / "*.txt", cache)
    assert (list(texts(source)), source.name) == (["a.txt", "b.txt"], "files")
    assert list(texts(find(folder / "**" / "*.txt", cache))) == ["a.txt", "b.txt", "e.txt"]
    monkeypatch.chdir(folder)
    assert all(Path(shard.name).is_absolute() for shard in find("[ab].txt", cache).training)
    (folder / "odd[1].txt").write_text("x")
    assert list(texts(find("odd[1].txt", cache))) == ["odd[1].txt"]  # a file of that very name comes first


@pytest.mark.parametrize("name", ["no/such/file", "", "x" * 5000, "~no_such_user/x", "a\0b"])
def test_no_such_file_is_none(cache: Path, name: str) -> None:
    assert resolve(name, column="", label_column="", cache=cache) is None


def test_what_is_neither_file_nor_folder_is_refused(folder: Path, cache: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(TextganError, match="/pipe is neither a file nor a folder; give a UTF-8 text file"):
        find(folder / "pipe", cache)
    with pytest.raises(TextganError, match="/data holds no text file; give"):
        find(folder, cache)
    with pytest.raises(UsageError, match=r"no file matches '.*/\*\.gz'"):
        find(folder / "*.gz", cache)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_one_line(folder: Path, cache: Path) -> None:
    (folder / "a.txt").write_text("x")
    (folder / "a.txt").chmod(0)
    with pytest.raises(TextganError, match=r"cannot read .*/a\.txt: Permission denied"):
        find(folder / "a.txt", cache)


def test_a_file_that_goes_away_is_one_line(folder: Path) -> None:
    (folder / "a.txt").write_text("x")
    shard = shard_of(folder / "a.txt")
    (folder / "a.txt").unlink()
    with pytest.raises(TextganError, match=r"cannot read .*/a\.txt: No such file"):
        text(shard)
    with pytest.raises(TextganError, match=r"cannot read .*/a\.txt: No such file"):
        is_current(shard)


# --- labels -------------------------------------------------------------------------------------------------------


def test_one_file_a_class(folder: Path, cache: Path) -> None:
    for name in ["cats.txt", "dogs.v2.txt.gz", "sub/birds"]:
        (folder / name).write_bytes(gzip.compress(b"x\n") if name.endswith("gz") else b"x\n")
    labels = [shard.label for shard in find(folder / "**" / "*[!b]", cache, label_column="@file").training]
    assert labels == ["cats", "dogs.v2", "birds"]
    assert not find(folder, cache, label_column="@file").labelled
    packed = archive(folder / "t.tgz", {"x/cats.txt": b"a", "x/dogs.jsonl": b'{"text": "b"}'})
    assert [shard.label for shard in find(packed, cache, label_column="@file").training] == ["cats", "dogs"]


def test_a_column_of_labels(folder: Path, cache: Path) -> None:
    (folder / "a.txt").write_text("cat\tone\ndog\ttwo\n")
    source = find(folder / "a.txt", cache, label_column="1")
    assert (source.labelled, text(source.training[0])) == (True, "cat\tone\ndog\ttwo\n")
    (folder / "b.json").write_text('{"kind": 1, "body": "x"}\n')
    assert text(find(folder / "b.json", cache, "body", "kind").training[0]) == "1\tx\n"
    (folder / "c.fa").write_text(">x\nACGT\n")
    with pytest.raises(UsageError, match=r"c\.fa has no columns, as fasta; leave corpus.column and --label-column"):
        find(folder / "c.fa", cache, label_column="kind")


# --- archives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_are_shards_in_their_order(folder: Path, cache: Path, mode: str) -> None:
    members = {"./x/b.txt": b"b\n", "a.txt.gz": gzip.compress(b"a\n"), "README": b"r", ".x/c.txt": b"c", "d.csv": b"d"}
    path = archive(folder / "t.data", members, mode)
    source = find(path, cache)
    assert [shard.name for shard in source.training] == [f"{path}!{n}" for n in ("./x/b.txt", "a.txt.gz", "d.csv")]
    assert [text(shard) for shard in source.training] == ["b\n", "a\n", "d\n"]
    assert [text(shard) for shard in source.training[::-1]] == ["d\n", "a\n", "b\n"]
    assert all(is_current(shard) for shard in source.training)
    assert len({shard.stamp for shard in source.training}) == 3
    assert all(shard.stamp[0] == str(path) for shard in source.training)


def test_the_list_of_members_is_kept(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(folder / "t.tar.gz", {"a.txt": b"a\n", "b.txt": b"b\n"})
    first = find(path, cache)
    with monkeypatch.context() as patch:
        patch.setattr("textgan.corpora.text.archives._listed", None)
        assert [shard.stamp for shard in find(path, cache).training] == [shard.stamp for shard in first.training]
    (kept,) = (cache / "text").iterdir()
    for damaged in ("[", '[[["a.txt", 1]], {}]', '[[["a.txt", null, 1]], {}]'):
        kept.write_text(damaged)
        assert texts(find(path, cache)) == texts(first)
    archive(path, {"c.txt": b"c\n"})
    os.utime(path, (1, 1))
    assert texts(find(path, cache)) == {"t.tar.gz!c.txt": "c\n"}


# --- standard input -----------------------------------------------------------------------------------------------


class Input:
    def __init__(self, data: bytes, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self.buffer.isatty = lambda: terminal  # type: ignore[method-assign]


def test_standard_input_is_kept_by_its_digest(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK", 5)
    found = []
    for data in (b"one\ntwo\n", b"one\ntwo\n", gzip.compress(b"three\n")):
        monkeypatch.setattr(sys, "stdin", Input(data))
        found.append(find("-", cache))
    assert [text(source.training[0]) for source in found] == ["one\ntwo\n", "one\ntwo\n", "three\n"]
    assert found[0].training[0].stamp == found[1].training[0].stamp
    assert (found[0].name, len(list((cache / "text").iterdir()))) == ("stdin", 2)
    monkeypatch.setattr(sys, "stdin", Input(b'{"body": "x", "n": "y"}'))
    assert text(find("-", cache, column="body").training[0]) == "x\n"


def test_standard_input_that_cannot_be_had_is_one_line(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stdin in (None, Input(b"x", terminal=True), Input(b"")):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="no text on standard input; pipe some"):
            find("-", cache)
    assert not list((cache / "text").glob("*"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "stdin", Input(b"x"))
    with pytest.raises(TextganError, match="cannot write to the cache"):
        find("-", tmp_path / "file")


def test_half_of_standard_input_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = Input(b"")
    monkeypatch.setattr(stdin.buffer, "read", lambda size: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(KeyboardInterrupt):
        find("-", cache)
    assert list((cache / "text").iterdir()) == []


# --- the shared text ------------------------------------------------------------------------------------------------


def test_the_real_text(cache: Path) -> None:
    data = os.environ.get("TEXTGAN_TEST_DATA")
    if not data:
        pytest.skip("TEXTGAN_TEST_DATA is not set")
    damage = Damage("strict")
    for name, count in (("news", 3), ("names", 2), ("dna", 2), ("smiles", 1), ("speech_prompts", 1)):
        source = find(Path(data) / name, cache)
        assert len(source.training) == count
        for shard in source.training:
            raw = b"".join(map(loaded, shard.read(damage)))
            assert raw.decode().count("\n") > 50
            path = Path(shard.name)
            stored = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert raw.removesuffix(b"\n") == stored.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n")
    damage.refuse_if_strict()


def test_a_shard_is_read_lazily(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.txt").write_text("x\n" * 1000)
    monkeypatch.setattr(streams, "CHUNK", 10)
    blocks = shard_of(folder / "a.txt").read(Damage("strict"))
    assert len(loaded(next(blocks))) <= 20
    blocks.close()  # type: ignore[attr-defined]
