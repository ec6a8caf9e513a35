"""Members of archives, read in any order, against `tarfile`; and archives that are damaged, cut short, or bombs."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from textgan.corpora.text import archives, streams
from textgan.corpora.text.archives import Unpacked, members, stream_of
from textgan.corpora.text.streams import Stream, Unpacking, stamp_of
from textgan.errors import TextganError

Pack = Callable[[bytes], bytes]
PACKINGS: dict[str, Pack] = {
    "plain": lambda raw: raw,
    "gz": gzip.compress,
    "gz of two parts and padding": lambda raw: (
        gzip.compress(raw[: len(raw) // 3]) + gzip.compress(raw[len(raw) // 3 :]) + bytes(1000)
    ),
    "zst": lambda raw: zstandard.ZstdCompressor().compress(raw),
}
packings = pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Each test as in a process of its own."""
    archives._opened.cache_clear()
    yield
    archives._opened.cache_clear()


def noise(size: int, seed: int = 0) -> bytes:
    return "".join(random.Random(seed).choices("abcdefghij\n ", k=size)).encode()


def tar_of(content: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def readers(path: Path, cache: Path) -> dict[str, Callable[[], bytes]]:
    """What reads each member, by name."""
    stamp = stamp_of(path)
    return {member.name: partial(read, stream_of(stamp, member)) for member in members(path, cache)[0]}


def read(stream: Stream) -> bytes:
    return b"".join(stream.open())


def read_in(order: str, names: list[str]) -> list[str]:
    """The names, each once or more, as they are to be read."""
    shuffled = names * 2
    random.Random(0).shuffle(shuffled)
    return {"order": names, "reversed": names[::-1], "shuffled": shuffled}[order]


@pytest.fixture
def content() -> dict[str, bytes]:
    """Members of sizes around those that are read and kept at a time, which pack badly and well."""
    sizes = [0, 1, 511, 512, 513, streams.SLICE, archives.PIECE - 1, archives.PIECE + 1, 300_000, 40]
    return {f"x/{i}.txt": noise(size, i) for i, size in enumerate(sizes)} | {"well.txt": b"same line\n" * 50_000}


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each slice unpacked to, since the test began."""
    sizes: list[int] = []
    feed = Unpacking.feed

    def counted(self: Unpacking, data: bytes) -> bytes:
        piece = feed(self, data)
        sizes.append(len(piece))
        return piece

    monkeypatch.setattr(Unpacking, "feed", counted)
    return sizes


# --- any order ----------------------------------------------------------------------------------------------------


@packings
@pytest.mark.parametrize("order", ["order", "reversed", "shuffled"])
@pytest.mark.parametrize(("spacing", "window"), [(archives.SPACING, archives.WINDOW), (1000, 0), (5000, 20_000)])
def test_members_are_those_of_tarfile_in_any_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: dict[str, bytes],
    pack: Pack,
    order: str,
    spacing: int,
    window: int,
) -> None:
    monkeypatch.setattr(archives, "SPACING", spacing)
    monkeypatch.setattr(archives, "WINDOW", window)
    monkeypatch.setattr(archives, "MOST", 9)
    raw = tar_of(content)
    (tmp_path / "t.tar").write_bytes(pack(raw))
    reading = readers(tmp_path / "t.tar", tmp_path)
    assert list(reading) == list(content)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for name in read_in(order, list(reading)):
            entry = tar.extractfile(name)
            assert entry is not None
            assert reading[name]() == entry.read()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_of_every_form_of_tar(tmp_path: Path, form: int) -> None:
    long = "folder" * 15 + "/" + "x" * 90 if form == tarfile.USTAR_FORMAT else "long" * 60
    content = {"a": noise(5000), "d/empty": b"", "é.txt": noise(512), long: noise(1), "./b": noise(70_000)}
    (tmp_path / "t.tar").write_bytes(tar_of(content, form))
    assert {name: read_one() for name, read_one in readers(tmp_path / "t.tar", tmp_path).items()} == content


@packings
def test_several_are_read_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], pack: Pack
) -> None:
    monkeypatch.setattr(archives, "WINDOW", 1000)
    (tmp_path / "t.tar").write_bytes(pack(tar_of(content)))
    stamp, (found, _) = stamp_of(tmp_path / "t.tar"), members(tmp_path / "t.tar", tmp_path)
    late, early = (stream_of(stamp, found[i]).open() for i in (8, 7))
    first = [next(late), next(early), next(late), next(early)]
    assert first[0] + first[2] + b"".join(late) == content["x/8.txt"]
    assert first[1] + first[3] + b"".join(early) == content["x/7.txt"]


def test_three_archives_at_the_same_time(tmp_path: Path) -> None:
    reading = []
    for i in range(3):
        (tmp_path / f"{i}.tar.gz").write_bytes(gzip.compress(tar_of({"a": noise(9000, i), "b": noise(9000, i + 9)})))
        reading.append(readers(tmp_path / f"{i}.tar.gz", tmp_path))
    for name, first in (("b", 9), ("a", 0), ("b", 9)):
        assert [each[name]() for each in reading] == [noise(9000, first + i) for i in range(3)]


# --- what it costs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip.compress, PACKINGS["zst"]], ids=["gz", "zst"])
def test_members_in_order_take_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked: list[int], pack: Pack
) -> None:
    monkeypatch.setattr(archives, "WINDOW", 2000)
    content = {str(i): noise(3000, i) for i in range(40)}
    raw = tar_of(content)
    (tmp_path / "t.tar").write_bytes(pack(raw))
    reading = readers(tmp_path / "t.tar", tmp_path)
    assert sum(unpacked) == len(raw)
    archives._opened.cache_clear()  # as in another process, which knows the list
    unpacked.clear()
    reading = readers(tmp_path / "t.tar", tmp_path)
    assert unpacked == []
    assert [reading[name]() for name in reading] == list(content.values())
    assert sum(unpacked) <= len(raw)
    stream = stream_of(stamp_of(tmp_path / "t.tar"), members(tmp_path / "t.tar", tmp_path)[0][0])
    next(stream.open())  # left halfway
    assert sum(unpacked) <= 2 * len(raw)


def test_small_members_backwards_take_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked: list[int]
) -> None:
    monkeypatch.setattr(archives, "SPACING", 20_000)
    monkeypatch.setattr(archives, "WINDOW", 50_000)
    content = {f"{i}.txt": noise(500, i) for i in range(500)}
    raw = tar_of(content)
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(raw))
    reading = readers(tmp_path / "t.tar.gz", tmp_path)
    unpacked.clear()
    assert {name: reading[name]() for name in reversed(reading)} == content
    assert sum(unpacked) < 1.5 * len(raw)


def test_a_large_member_is_read_from_the_nearest_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked: list[int]
) -> None:
    monkeypatch.setattr(archives, "WINDOW", 1000)
    monkeypatch.setattr(archives, "SPACING", 10_000)
    content = {str(i): noise(200_000, i) for i in range(5)}
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(tar_of(content)))
    reading = readers(tmp_path / "t.tar.gz", tmp_path)
    for name in "41320":  # back and ahead, also over what was never read
        unpacked.clear()
        assert reading[name]() == content[name]
        assert sum(unpacked) <= 200_000 + 10_000 + 3 * (3 << 10)  # a slice more where it begins, is kept, and ends


def test_places_are_bounded_and_evenly_spaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SPACING", 4000)
    monkeypatch.setattr(archives, "MOST", 8)
    (tmp_path / "t.gz").write_bytes(gzip.compress(noise(600_000)))
    file, most = Unpacked(tmp_path / "t.gz"), 0
    for offset in (*range(0, 600_000, 1000), *range(0, 600_000, 70_000)):
        assert len(file.read(offset, 1)) == 1
        most = max(most, len(file._places))
    assert most == 8
    offsets = [place.given for place in file._places]
    gaps = [after - before for before, after in pairwise(offsets)]
    assert offsets[0] == 0
    assert all(128_000 <= gap < 128_000 + 5 * (4 << 10) for gap in gaps)
    assert len(gaps) == 4


def test_an_archive_is_read_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "t.tar").write_bytes(tar_of({"a": bytes(64 << 20), "b": bytes(64 << 20)}))
    tracemalloc.start()
    reading = readers(tmp_path / "t.tar", tmp_path)
    stream = stream_of(stamp_of(tmp_path / "t.tar"), members(tmp_path / "t.tar", tmp_path)[0][1])
    assert len(reading) == 2
    assert sum(map(len, stream.chunks())) == 64 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


# --- what is no good ----------------------------------------------------------------------------------------------


def test_links_and_names_that_leave_the_archive_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("good.txt", "../up.txt", "a/../../up.txt", "/etc/root.txt", ".hidden/a.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            tar.addfile(entry, io.BytesIO(b"a\n"))
        kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
        for kind in kinds:
            entry = tarfile.TarInfo(f"{kind!r}.txt")
            entry.type, entry.linkname = kind, "good.txt"
            tar.addfile(entry)
    found, left_out = members(path, tmp_path)
    assert found == [("good.txt", 512, 2)]
    assert left_out == {
        "links in archives": 2,
        "members of archives with unsafe names": 3,
        "special members of archives": 1,
    }
    assert members(path, tmp_path) == (found, left_out)  # as the cache has it


@packings
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.9999])
def test_an_archive_cut_short_is_one_line_that_names_it(
    tmp_path: Path, content: dict[str, bytes], pack: Pack, share: float
) -> None:
    raw = pack(tar_of(content)).rstrip(b"\0")
    (tmp_path / "cut.tar.gz").write_bytes(raw[: int(share * len(raw)) - 8])
    for _ in range(2):  # also when it is asked again
        with pytest.raises(TextganError, match=r"cut\.tar\.gz is damaged or cut short") as caught:
            members(tmp_path / "cut.tar.gz", tmp_path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "text").exists()


def test_a_flipped_bit_is_seen_before_a_line_is_read(tmp_path: Path, content: dict[str, bytes]) -> None:
    raw = gzip.compress(tar_of(content) + bytes(5 << 20))
    for at in [*range(len(raw) // 10, len(raw), len(raw) // 10), len(raw) - 6]:  # the last, in the checksum
        damaged = tmp_path / f"{at}.tar.gz"
        damaged.write_bytes(raw[:at] + bytes([raw[at] ^ 16]) + raw[at + 1 :])
        with pytest.raises(TextganError, match=damaged.name):
            members(damaged, tmp_path)


@pytest.mark.parametrize(
    "raw", [b"", b"no archive at all\n" * 100, gzip.compress(b"nor this\n" * 100)], ids=["empty", "text", "gzip"]
)
def test_what_is_no_archive_is_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(raw)
    with pytest.raises(TextganError, match=r"a\.tar\.gz"):
        members(tmp_path / "a.tar.gz", tmp_path)


def test_a_bomb_is_refused_wherever_reading_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of({"a": noise(9000), "x": bytes(10_000_000)})))
    reading = readers(tmp_path / "a.tar.gz", tmp_path)
    monkeypatch.setattr(streams, "FREE", 1 << 20)
    monkeypatch.setattr(streams, "STEEPEST", 100)
    reading["a"]()
    with pytest.raises(TextganError, match="bomb"):
        reading["x"]()
    with pytest.raises(TextganError, match="bomb"):
        members(tmp_path / "a.tar.gz", tmp_path / "other")


@packings
def test_an_archive_cut_short_since_it_was_listed_is_one_line(
    tmp_path: Path, content: dict[str, bytes], pack: Pack
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(pack(tar_of(content)))
    reading = readers(path, tmp_path)
    path.write_bytes(path.read_bytes()[:60_000])
    archives._opened.cache_clear()
    for _ in range(2):
        with pytest.raises(TextganError, match=r"a\.tar is damaged or cut short"):
            reading["x/8.txt"]()


@packings
def test_reading_goes_on_after_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], pack: Pack
) -> None:
    (tmp_path / "a.tar").write_bytes(pack(tar_of(content)))
    members(tmp_path / "a.tar", tmp_path)
    archives._opened.cache_clear()
    reading, stored = readers(tmp_path / "a.tar", tmp_path), streams.stored

    def interrupted(path: Path, start: int = 0, size: int = 0) -> Iterator[bytes]:
        chunks = stored(path, start, size)
        yield next(chunks)
        if start or size > 4:  # not for the magic
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "stored", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reading["x/8.txt"]()
    assert reading["x/8.txt"]() == content["x/8.txt"]


@packings
def test_a_member_comes_in_the_same_chunks_whatever_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Pack
) -> None:
    """For a preparation that goes on counts chunks."""
    monkeypatch.setattr(streams, "CHUNK", 3 * archives.PIECE)
    (tmp_path / "t").write_bytes(pack(tar_of({"a": noise(100_000), "b": noise(1_000_000, 1)})))
    stamp = stamp_of(tmp_path / "t")
    first, second = (stream_of(stamp, member) for member in members(tmp_path / "t", tmp_path / "cache")[0])
    archives._opened.cache_clear()
    alone = [len(chunk) for chunk in second.chunks()]
    archives._opened.cache_clear()
    read(first)
    assert [len(chunk) for chunk in second.chunks()] == alone
    assert len(alone) > 2
