"""Streams of bytes, and lines on the wire, against hand-made files and slow oracles."""

from __future__ import annotations

import codecs
import gzip
import random
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from textgan.corpora.text import streams, wire
from textgan.corpora.text.streams import file_stream
from textgan.errors import TextganError


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
PACKINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("plain", lambda data: data),
    ("gz", gzip.compress),
    ("gz of two parts and padding", lambda data: gzip.compress(data[:900]) + gzip.compress(data[900:]) + b"\0" * 99),
    ("zst", zst),
    ("zst of two frames and one to skip", lambda data: SKIPPABLE + zst(data[:900]) + zst(data[900:])),
]


# --- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 7, 1000, 1 << 22])
@pytest.mark.parametrize("pack", [pack for _, pack in PACKINGS], ids=[name for name, _ in PACKINGS])
def test_what_is_packed_shows_in_its_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes], chunk: int
) -> None:
    data = b"x" + noise(3000) + b"line\n" * 2000
    (tmp_path / "t.txt").write_bytes(pack(data))
    monkeypatch.setattr(streams, "CHUNK", chunk)
    stream = file_stream(tmp_path / "t.txt")
    chunks = list(stream.chunks())
    assert b"".join(chunks) == data
    assert all(len(part) >= chunk for part in chunks[:-1])
    assert stream.head(5000) == data[:5000]
    assert list(stream.chunks()) == chunks


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x1f\x8b", b"(\xb5/", b"abc"])
def test_short_streams_are_what_they_are(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t").write_bytes(data)
    assert b"".join(file_stream(tmp_path / "t").chunks()) == file_stream(tmp_path / "t").head() == data


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
def test_every_cut_of_a_packed_stream_is_found(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(noise(40) + b"text\n" * 100)
    for end in range(4, len(packed)):
        (tmp_path / "t").write_bytes(packed[:end])
        with pytest.raises(TextganError, match=r"/t is damaged or cut short \(.*\); get it again"):
            list(file_stream(tmp_path / "t").chunks())


def test_a_flipped_bit_of_gzip_is_found(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(noise(1000)))
    packed[500] ^= 1
    (tmp_path / "t").write_bytes(packed)
    with pytest.raises(TextganError, match="damaged"):
        list(file_stream(tmp_path / "t").chunks())


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
def test_bombs_are_refused_and_take_little_memory(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    part = pack(b"a" * (50 << 20))
    (tmp_path / "t").write_bytes(part * 3)
    tracemalloc.start()
    with pytest.raises(TextganError, match="over 1,000 times its size, as a bomb does; if you trust it, unpack it"):
        for _ in file_stream(tmp_path / "t").chunks():
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_the_bounds_of_bombs_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGEST", 50_000)
    monkeypatch.setattr(streams, "FREE", 1000)
    streams.refuse_bombs("t", taken=0, given=1000)
    streams.refuse_bombs("t", taken=50, given=50_000)
    with pytest.raises(TextganError, match="over 1,000 times"):
        streams.refuse_bombs("t", taken=1, given=1001)
    with pytest.raises(TextganError, match="more than 50,000 bytes"):
        streams.refuse_bombs("t", taken=50_000, given=50_001)


# --- lines --------------------------------------------------------------------------------------------------------


def lines_of(path: Path) -> list[bytes]:
    blocks = list(wire.text_blocks(file_stream(path)))
    assert all(block.endswith(b"\n") for block in blocks)
    return [line for block in blocks for line in wire.split_lines(block)]


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    odd = "a\x0bb\x0c c\x1cd\x85e\u2028f\rg"
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbf" + f"{odd}\r\n\n \t\n\ufeffx\r\r\nlast".encode())
    assert lines_of(tmp_path / "t") == [odd.encode(), b"", b" \t", "\ufeffx\r".encode(), b"last"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("alphabet", ["ab\ré漢😀 ", "\ra", "a"])
def test_lines_do_not_depend_on_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, alphabet: str
) -> None:
    rng = random.Random(0)
    lines = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(60))) for _ in range(400)]
    (tmp_path / "t").write_bytes("\r\n".join(lines).encode())
    monkeypatch.setattr(wire, "LONGEST", 16)
    whole = lines_of(tmp_path / "t")
    monkeypatch.setattr(streams, "CHUNK", chunk)
    assert lines_of(tmp_path / "t") == whole
    assert max(map(len, whole)) <= 16
    joined = b"".join(whole).replace(b"\r", b"")
    assert joined == "".join(lines).replace("\r", "").encode()


def test_a_book_on_one_line_breaks_at_spaces_or_between_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST", 8)
    assert wire.split_lines(b"one two three fourteens x\n") == [b"one two ", b"three ", b"fourteen", b"s x"]
    assert wire.split_lines("漢漢漢漢\n".encode()) == ["漢漢".encode()] * 2
    assert wire.split_lines(b"12345678\r\n123456789\r\n") == [b"12345678", b"12345678", b"9"]
    assert wire.split_lines(b"\x80" * 9 + b"\n") == [b"\x80" * 8, b"\x80"]


def test_labels_go_with_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST", 8)
    labels, texts = wire.split_labelled(b"long label\tone two three\r\nx\ty\tz\nnone\n")
    assert labels == [b"long label", b"long label", b"x", b"none"]
    assert texts == [b"one two ", b"three", b"y\tz", b""]


def test_a_line_of_10_mb_is_read_in_bounded_blocks(tmp_path: Path) -> None:
    line = b"word " * (2 << 20)
    (tmp_path / "t").write_bytes(b"first\n" + line + b"\nlast")
    blocks = list(wire.text_blocks(file_stream(tmp_path / "t")))
    assert max(map(len, blocks)) <= 2 * streams.CHUNK
    lines = lines_of(tmp_path / "t")
    assert (lines[0], b"".join(lines[1:-1]), lines[-1]) == (b"first", line, b"last")
    assert max(map(len, lines)) <= wire.LONGEST


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"a", b" ", b"bc def", "é€𝄞".encode(), b"\xff", b"x" * 40]), max_size=60),
    st.booleans(),
)
def test_stretches_of_a_plain_file_are_its_lines(parts: list[bytes], marked: bool) -> None:
    """Beside the same text packed, which is read as blocks."""
    raw = (codecs.BOM_UTF8 if marked else b"") + b"".join(parts)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        plain, packed = Path(folder, "t.txt"), Path(folder, "t.gz")
        plain.write_bytes(raw)
        packed.write_bytes(gzip.compress(raw))
        patch.setattr(streams, "CHUNK", 16)
        patch.setattr(wire, "SHORT", 4)
        patch.setattr(wire, "LONGEST", 12)
        blocks = [list(wire.text_stretches(file_stream(path))) for path in (plain, packed)]
        lines = [[line for block in side for line in wire.split_lines(wire.loaded(block))] for side in blocks]
    assert lines[0] == lines[1]
    assert all(isinstance(block, bytes) for block in blocks[1])
    short = all(len(line) < 16 for line in raw.split(b"\n"))
    assert not short or not any(isinstance(block, bytes) for block in blocks[0])


def test_a_stretch_whose_file_has_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"a\nb\n")
    [stretch] = wire.text_stretches(file_stream(path))
    assert wire.loaded(stretch) == b"a\nb\n"
    path.write_bytes(b"a\n")
    with pytest.raises(ValueError, match="cut short"):
        wire.loaded(stretch)
    path.write_bytes(b"a\n\0\n")
    with pytest.raises(TextganError, match="binary"):
        wire.loaded(stretch)
    path.unlink()
    with pytest.raises(TextganError, match="cannot read"):
        wire.loaded(stretch)
