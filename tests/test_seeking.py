"""Members of archives read in any order, against `tarfile`; and archives that are damaged, cut short, or bombs."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from textgan.corpora.text import seeking, streams
from textgan.corpora.text.sources import Damage, Shard
from textgan.errors import TextganError


def ends_in_txt(name: str) -> bool:
    return name.endswith(".txt")


def lines_of(shard: Shard) -> bytes:
    return b"".join(shard.read(Damage("strict")))


def member(name: str, **facts: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


@pytest.fixture
def content() -> dict[str, bytes]:
    """Members of sizes around those that are read at a time, text that packs badly and well."""
    rng = random.Random(0)
    sizes = [1, 511, 512, 513, seeking.INPUT, seeking.OUTPUT - 1, seeking.OUTPUT + 1, 300_000, 40]
    noise = ["".join(rng.choices("abcdefghij\n ", k=size)) for size in sizes]
    return {f"x/{i}.txt": (text + "\n").encode() for i, text in enumerate([*noise, "same line\n" * 50_000])}


def pack(path: Path, content: dict[str, bytes], mode: str = "w:gz") -> Path:
    names = list(content)
    random.Random(1).shuffle(names)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for i, name in enumerate(names):
            tar.addfile(member(name, size=len(content[name])), io.BytesIO(content[name]))
            tar.addfile(member(f"other/{i}.bin", size=700), io.BytesIO(bytes(700)))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_read_in_any_order_are_those_of_tarfile(tmp_path: Path, content: dict[str, bytes], mode: str) -> None:
    path = pack(tmp_path / "a.tar", content, mode)
    shards = seeking.shards(path, ends_in_txt, cache=tmp_path)
    assert shards.keys() == content.keys()
    for order in (sorted(shards), sorted(shards, reverse=True), sorted(shards) * 2):
        assert all(lines_of(shards[name]) == content[name] for name in order)
    both = [shards[name].read(Damage("strict")) for name in ("x/7.txt", "x/9.txt")]  # at the same time
    assert [b"".join(blocks) for blocks in both] == [content["x/7.txt"], content["x/9.txt"]]
    assert shards["x/7.txt"].name == f"{path}!x/7.txt"
    assert shards["x/7.txt"].stamp == (str(path), path.stat().st_size, path.stat().st_mtime_ns, "x/7.txt")


def test_an_archive_is_passed_over_once_and_listed_once(
    tmp_path: Path, content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "a.tar.gz", content)
    read: list[int] = []
    real = seeking.Unpacked.read

    def counted(self: seeking.Unpacked, size: int) -> bytes:
        piece = real(self, size)
        read.append(len(piece))
        return piece

    monkeypatch.setattr(seeking.Unpacked, "read", counted)
    shards = seeking.shards(path, ends_in_txt, cache=tmp_path)
    whole = sum(read)
    assert whole == len(gzip.decompress(path.read_bytes()))
    for name in sorted(shards, reverse=True):
        lines_of(shards[name])
    assert sum(read) - whole == sum(map(len, content.values()))  # no byte but the members'
    read.clear()
    seeking._places.cache_clear()  # as in another process
    assert seeking.shards(path, ends_in_txt, cache=tmp_path).keys() == shards.keys()
    assert read == []
    path.touch()
    seeking.shards(path, ends_in_txt, cache=tmp_path)
    assert sum(read) == whole


def test_gzips_one_after_the_other_and_padding_are_one_archive(tmp_path: Path, content: dict[str, bytes]) -> None:
    raw = pack(tmp_path / "a.tar", content, "w").read_bytes()
    cut = len(raw) // 3
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(raw[:cut]) + gzip.compress(raw[cut:]) + bytes(1000))
    shards = seeking.shards(tmp_path / "b.tar.gz", ends_in_txt, cache=tmp_path)
    assert {name: lines_of(shard) for name, shard in shards.items()} == content


def test_links_and_names_that_leave_the_archive_are_no_members(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member("good.txt", size=2), io.BytesIO(b"a\n"))
        for name in ("../up.txt", "a/../../up.txt", "/etc/root.txt"):
            tar.addfile(member(name, size=2), io.BytesIO(b"b\n"))
        tar.addfile(member("symbolic.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd"))
        tar.addfile(member("hard.txt", type=tarfile.LNKTYPE, linkname="good.txt"))
        tar.addfile(member("pipe.txt", type=tarfile.FIFOTYPE))
        tar.addfile(member("folder.txt", type=tarfile.DIRTYPE))
    assert list(seeking.shards(path, ends_in_txt, cache=tmp_path)) == ["good.txt"]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_short_is_one_line_that_names_it(
    tmp_path: Path, content: dict[str, bytes], mode: str, share: float
) -> None:
    raw = pack(tmp_path / "a.tar", content, mode).read_bytes().rstrip(b"\0")
    (tmp_path / "cut.tar.gz").write_bytes(raw[: int(share * len(raw)) - 8])
    with pytest.raises(TextganError, match=r"cut\.tar\.gz") as caught:
        seeking.shards(tmp_path / "cut.tar.gz", ends_in_txt, cache=tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("places-*")) == []


def test_a_flipped_bit_is_seen_before_a_line_is_read(tmp_path: Path, content: dict[str, bytes]) -> None:
    raw = pack(tmp_path / "a.tar.gz", content).read_bytes()
    for at in range(len(raw) // 10, len(raw), len(raw) // 10):
        damaged = tmp_path / f"{at}.tar.gz"
        damaged.write_bytes(raw[:at] + bytes([raw[at] ^ 16]) + raw[at + 1 :])
        with pytest.raises(TextganError, match=damaged.name):
            seeking.shards(damaged, ends_in_txt, cache=tmp_path)


@pytest.mark.parametrize("raw", [b"", b"no archive at all\n" * 100, gzip.compress(b"nor this\n" * 100)])
def test_what_is_no_archive_is_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(raw)
    with pytest.raises(TextganError, match=r"a\.tar\.gz"):
        seeking.shards(tmp_path / "a.tar.gz", ends_in_txt, cache=tmp_path)


def test_a_bomb_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "a.tar.gz", {"x.txt": b"a" * 10_000_000})
    monkeypatch.setattr(streams, "FREE", 1 << 20)
    monkeypatch.setattr(streams, "STEEPEST", 100)
    with pytest.raises(TextganError, match="bomb"):
        seeking.shards(path, ends_in_txt, cache=tmp_path)


def test_a_binary_member_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", {"x.txt": b"a\n\0\n"})
    shard = seeking.shards(path, ends_in_txt, cache=tmp_path)["x.txt"]
    with pytest.raises(TextganError, match=r"x\.txt is a binary file"):
        lines_of(shard)
