"""Billion Word in every form it is found in: the same lines, never the decoy, never silently another text."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from textgan.corpora import hub_access
from textgan.corpora.cards import card
from textgan.corpora.text import billion_word, hub
from textgan.corpora.text.billion_word import FOLDERS, verify
from textgan.corpora.text.hub_library import Wanted
from textgan.corpora.text.sources import Damage, Shard, Source
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError

CARD = card("billion_word")
TRAINS = [f"news.en-000{i:02}-of-00100" for i in (1, 2, 10, 99)]
HELD = [f"news.en.heldout-000{i:02}-of-00050" for i in (0, 3, 49)]
DECOY = "news.en-00000-of-00100"
SIDES = [(FOLDERS[0], TRAINS), (FOLDERS[1], [*HELD, DECOY])]


def text_of(name: str) -> bytes:
    return f"{name} one é\n{name} two\n".encode()


EXPECTED = [b"".join(map(text_of, names)) for names in (TRAINS, HELD)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The unpacked folder, with the decoy and other files that are no shards."""
    root = tmp_path / "data" / "r13output"
    for folder, names in SIDES:
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).write_bytes(text_of(name))
        for name in ("news.en-00001-of-00100.bak", "xnews.en-00001-of-00100", "news.en-00001-of-00050", "README"):
            (root / folder / name).write_text("no shard\n")
    return root


def find(data: Path | str, cache: Path) -> tuple[Source, list[str]]:
    told: list[str] = []
    return billion_word.source(CARD, data=str(data), cache=cache, max_lines=10**6, tell=told.append), told


def lines(side: tuple[Shard, ...]) -> bytes:
    return b"".join(block for shard in side for block in map(loaded, shard.read(Damage("strict"))))


def pack(root: Path, archive: Path, mode: str = "w:gz") -> Path:
    """The official archive: one folder of two, in no order."""
    files = sorted((path for path in root.rglob("*") if path.is_file()), key=lambda path: path.name[::-1])
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        for path in files:
            tar.add(path, path.relative_to(root.parent).as_posix())
    return archive


def compress(root: Path, suffix: str) -> None:
    for path in root.glob("*/news*00"):
        zipped = gzip.compress(path.read_bytes())
        if suffix == ".zst":
            zstandard = pytest.importorskip("zstandard")
            zipped = zstandard.compress(path.read_bytes())
        path.with_name(path.name + suffix).write_bytes(zipped)
        path.unlink()


@pytest.mark.parametrize("inside", [".", "..", *FOLDERS, "*/*", "**/news.en*", "*/news.en*-of-00*"])
def test_folders_and_patterns(root: Path, tmp_path: Path, inside: str) -> None:
    source, told = find(root / inside, tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED
    assert (source.split, told, source.name, source.title) == ("official", [], "billion_word", CARD.credit)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("inside", [".", "..", FOLDERS[1], "*/*"])
def test_compressed_shards(root: Path, tmp_path: Path, suffix: str, inside: str) -> None:
    compress(root, suffix)
    source, _ = find(root / inside, tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED


def test_of_two_copies_the_plain_one_is_taken_once(root: Path, tmp_path: Path) -> None:
    for path in list(root.glob("*/news*00")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"a copy\n"))
    (root.parent / "again").mkdir()
    (root.parent / "again" / TRAINS[0]).write_bytes(text_of(TRAINS[0]))
    source, _ = find(root.parent, tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED


@pytest.mark.parametrize(("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w")])
def test_the_archive_as_it_is(root: Path, tmp_path: Path, name: str, mode: str) -> None:
    source, told = find(pack(root, tmp_path / name, mode), tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED
    assert (source.split, told) == ("official", [])
    assert source.training[0].name.endswith(f"{name}!r13output/{FOLDERS[0]}/{TRAINS[0]}")


def test_links_in_the_archive_are_left_out_and_counted(root: Path, tmp_path: Path) -> None:
    (root / FOLDERS[0] / "news.en-00050-of-00100").symlink_to("/etc/passwd")
    source, _ = find(pack(root, tmp_path / "a.tar.gz"), tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED
    assert source.left_out == {"links in archives": 1}


def test_the_archive_in_a_named_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    pack(root, tmp_path / "download" / "1-billion-word-language-modeling-benchmark-r13output.tar.gz")
    source, _ = find(tmp_path / "download", tmp_path)
    assert [lines(source.training), lines(source.heldout)] == EXPECTED


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_decoy_alone_is_nothing(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"{DECOY}{suffix}").write_bytes(b"decoy\n")
    with pytest.raises(TextganError, match="holds no shards of it"):
        find(tmp_path / f"{DECOY}{suffix}", tmp_path)


def test_training_shards_alone_are_split_by_hash_and_it_says_so(root: Path, tmp_path: Path) -> None:
    source, told = find(root / FOLDERS[0] / "news*", tmp_path)
    assert (lines(source.training), source.heldout) == (EXPECTED[0], ())
    assert source.split == "unofficial: hash of the line"
    assert "no held-out shards" in told[0]


def test_held_out_shards_alone_measure_on_the_first_and_it_says_so(root: Path, tmp_path: Path) -> None:
    source, told = find(root / FOLDERS[1] / "news*", tmp_path)
    assert lines(source.heldout) == text_of(HELD[0])
    assert lines(source.training) == text_of(HELD[1]) + text_of(HELD[2])
    assert source.split == "shard 00000 of the held-out shards"
    assert "measuring on shard 00000" in told[0]


@pytest.mark.parametrize("case", ["missing", "one shard", "empty", "no match", "other archive"])
def test_data_that_does_not_do_is_refused_and_the_hub_is_not_asked(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(hub, "open_text", None)
    (tmp_path / "none").mkdir()
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("readme.txt"), io.BytesIO())
    data = {
        "missing": tmp_path / "no",
        "one shard": root / FOLDERS[1] / HELD[0],
        "empty": tmp_path / "none",
        "no match": tmp_path / "*.txt",
        "other archive": tmp_path / "other.tar.gz",
    }[case]
    with pytest.raises(
        TextganError, match=r"billion_word: .* too few to train and to measure; .*--data PATH"
    ) as caught:
        find(data, tmp_path)
    assert str(data) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_one_line(root: Path, tmp_path: Path) -> None:
    archive = pack(root, tmp_path / "a.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(TextganError, match=r"a\.tar\.gz"):
        find(archive, tmp_path)


# --- the hub ------------------------------------------------------------------------------------------------------


def test_without_anything_the_line_names_what_was_tried_and_three_ways(tmp_path: Path) -> None:
    with pytest.raises(TextganError) as caught:  # HF_HUB_OFFLINE is set for all tests
        find("", tmp_path)
    told = str(caught.value)
    mirrors = [mirror.repo for mirror in billion_word.MIRRORS]
    ways = ["--data PATH or TEXTGAN_DATA", "go online", "download 1-billion-word"]
    for part in (*mirrors, "HF_HUB_OFFLINE is set", *ways):
        assert part in told
    assert (caught.value.exit_code, "\n" in told) == (1, False)


def test_an_unreachable_hub_is_probed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[str] = []
    for name in hub_access.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub_access, "_answers", probed.append)
    with pytest.raises(TextganError, match="cannot be reached"):
        find("", tmp_path)
    assert len(probed) == 1


def test_a_fetch_that_breaks_does_not_go_on_with_the_other_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Wanted] = []

    class Breaking:
        about = None

        def sides(self, most: int) -> None:
            raise TextganError("the line is dead")

    def open_text(wanted: Wanted, offline: str, **options: object) -> Breaking:
        opened.append(wanted)
        return Breaking()

    monkeypatch.setattr(hub, "open_text", open_text)
    monkeypatch.setattr(hub_access, "why_offline", lambda: "")
    with pytest.raises(TextganError, match="the line is dead"):
        find("", tmp_path)
    assert [wanted.repo for wanted in opened] == ["dvruette/lm1b"]


# --- verify -------------------------------------------------------------------------------------------------------


def test_verify_compares_size_and_checksum_of_the_archive(root: Path, tmp_path: Path) -> None:
    archive = pack(root, tmp_path / "a.tar.gz")
    content = archive.read_bytes()
    right = replace(
        CARD,
        sizes={"archive_bytes": len(content)},
        checksums={"official.tar.gz": f"sha256:{hashlib.sha256(content).hexdigest()}"},
    )
    assert [check.good for check in verify(right, str(archive))] == [True, True]
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [check.good for check in verify(right, str(archive))] == [True, False]
    archive.write_bytes(content[:-1])
    assert [check.good for check in verify(right, str(archive))] == [False, False]
    assert verify(CARD, str(archive))[0].published == "1792209805"
    assert verify(CARD, str(archive))[1].published.startswith("sha256:01ba6038")


def test_verify_counts_shards_and_lines_of_a_folder_without_the_decoy(root: Path) -> None:
    found = {check.what.split(" (")[0]: check.here for check in verify(CARD, str(root))}
    assert found == {"training shards": "4", "training lines": "8", "heldout shards": "3", "heldout lines": "6"}
    sizes = {"training_shards": 4, "training_lines": 8, "heldout_shards": 3, "heldout_lines": 6}
    assert all(check.good for check in verify(replace(CARD, sizes=sizes), str(root)))
    (root / FOLDERS[0] / TRAINS[1]).write_text("cut\n")
    checks = verify(replace(CARD, sizes=sizes), str(root))
    assert [check.what.split(" (")[0] for check in checks if not check.good] == ["training lines"]


@pytest.mark.parametrize("data", ["", "nowhere"])
def test_there_must_be_something_to_verify(data: str) -> None:
    with pytest.raises(TextganError, match="name what to verify with --data PATH"):
        verify(CARD, data)
