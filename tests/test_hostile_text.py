"""Hostile and broken text: what is read of it, what is counted, and the one line that refuses it."""

from __future__ import annotations

import gzip
import io
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from textgan.corpora.text.damage import Damage
from textgan.corpora.text.sources import Source, resolve
from textgan.corpora.text.wire import LONGEST, loaded, split_lines
from textgan.errors import TextganError


class Case(NamedTuple):
    """What lies there, and what must come of it."""

    name: str
    raw: bytes
    lines: list[str] | None = None
    """The lines that are read, or None where the file is refused."""
    says: str = ""
    """A pattern of the line that refuses it, or of what `Damage` tells."""
    column: str = ""
    left_out: dict[str, int] = {}  # noqa: RUF012


def entry(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"x\n", link: str = "", **pax: str) -> bytes:
    """One entry of a tar, header and data."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.pax_headers = kind, link, len(data), dict(pax)
    padding = b"\0" * (-len(data) % 512)
    return info.tobuf(tarfile.PAX_FORMAT) + data + padding


def with_field(header: bytes, at: int, value: bytes) -> bytes:
    """A tar header with another field, and the checksum that goes with it."""
    changed = header[:at] + value + header[at + len(value) :]
    blank = changed[:148] + b" " * 8 + changed[156:]
    return blank[:148] + b"%06o\0 " % sum(blank[:512]) + blank[156:]


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def parquet(**columns: list[object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


BOMB_TEXT = b"a" * (101 << 20)
END = b"\0" * 1024  # of an archive
GOOD = entry("a.txt", data=b"good\n")
SIZE = 124  # where a header's size is
LINES = "".join(f"line {i}\n" for i in range(200)).encode()
TABLE = parquet(text=[str(random.Random(i).random()) for i in range(2000)])
BINARY = (
    r"is a binary file \(it holds NUL bytes\); save it as plain UTF-8 text, "
    "or name pictures with --corpus images --data FOLDER"
)
DAMAGED = r"is damaged or cut short \(.+\); get it again, or leave it out"
BOMB = "unpacks to over 1,000 times its size, as a bomb does; if you trust it, unpack it yourself"

CASES = [
    # plain text
    Case("empty.txt", b"", []),
    Case("mark alone.txt", b"\xef\xbb\xbf", []),
    Case("line ends alone.txt", b"\n\r\n\n", ["", "", ""]),
    Case("byte order mark.txt", b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a", "\ufeffb"]),
    Case("CRLF.txt", b"a\r\nb\r\n", ["a", "b"]),
    Case("lone CR.txt", b"a\rb\nc\r\r\nd\r", ["a\rb", "c\r", "d"]),
    Case("U+2028.txt", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n".encode(), ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"]),
    Case("NUL.txt", b"a\n" * 9 + b"\0", None, BINARY),
    Case("NUL late.txt", b"a\n" * (3 << 20) + b"\0", None, BINARY),
    Case("UTF-16.txt", "text\n".encode("utf-16"), None, BINARY),
    Case("a picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None, BINARY),
    Case("zip.txt", b"PK\x03\x04\x14\0\0\0", None, BINARY),
    Case("10 MB line.txt", b"x" * (10 << 20), ["x" * LONGEST] * 640),
    # packed
    Case("empty.txt.gz", b"", []),
    Case("of nothing.txt.gz", gzip.compress(b""), []),
    Case("gzip by another name.txt", gzip.compress(b"a\n"), ["a"]),
    Case("Zstandard by another name.txt", zst(b"a\n"), ["a"]),
    Case("text by another name.gz", b"a\n", ["a"]),
    Case("truncated.txt.gz", gzip.compress(LINES)[:-200], None, DAMAGED),
    Case("without its checksum.txt.gz", gzip.compress(LINES)[:-8], None, DAMAGED),
    Case("flipped.txt.gz", flipped(gzip.compress(LINES), -5), None, DAMAGED),
    Case("trailing garbage.txt.gz", gzip.compress(LINES) + b"garbage", None, DAMAGED),
    Case("magic alone.txt.gz", b"\x1f\x8b\x08", None, DAMAGED),
    Case("truncated.txt.zst", zst(LINES)[:-20], None, DAMAGED),
    Case("without its end.txt.zst", zst(LINES)[:-1], None, DAMAGED),
    Case("magic alone.txt.zst", b"\x28\xb5\x2f\xfd", None, DAMAGED),
    Case("bomb.txt.gz", gzip.compress(BOMB_TEXT), None, BOMB),
    Case("bomb.txt.zst", zst(BOMB_TEXT), None, BOMB),
    Case("NUL bomb.txt.zst", zst(b"\0" * (1 << 30)), None, BOMB + "|" + BINARY),
    # archives
    Case(
        "links.tar",
        GOOD
        + entry("b.txt", tarfile.SYMTYPE, b"", "/etc/passwd")
        + entry("c.txt", tarfile.LNKTYPE, b"", "a.txt")
        + END,
        ["good"],
        left_out={"links in archives": 2},
    ),
    Case(
        "climbing.tar",
        entry("../b.txt") + entry("d/../../c.txt") + GOOD + END,
        ["good"],
        left_out={"members of archives with unsafe names": 2},
    ),
    Case(
        "absolute.tar",
        entry("/etc/b.txt") + GOOD + END,
        ["good"],
        left_out={"members of archives with unsafe names": 1},
    ),
    Case(
        "climbing by its long name.tar",
        entry("b.txt", path="../b.txt") + GOOD + END,
        ["good"],
        left_out={"members of archives with unsafe names": 1},
    ),
    Case(
        "devices.tar",
        entry("b.txt", tarfile.CHRTYPE, b"") + entry("c.txt", tarfile.FIFOTYPE, b"") + GOOD + END,
        ["good"],
        left_out={"special members of archives": 2},
    ),
    Case(
        "with holes.tar",
        GOOD + entry("b.txt", tarfile.GNUTYPE_SPARSE) + END,
        ["good"],
        left_out={"special members of archives": 1},
    ),
    Case("twice.tar", GOOD + entry("a.txt", data=b"again\n") + END, ["good", "again"]),
    Case(
        "links alone.tar",
        entry("b.txt", tarfile.SYMTYPE, b"", "/etc/passwd") + END,
        None,
        "holds no regular files; give an archive",
    ),
    Case("binary member.tar", GOOD + entry("b\n.txt", data=b"\0") + END, None, "tar!b\ufffd.txt " + BINARY),
    Case("truncated member.tar.gz", gzip.compress(GOOD[:514]), None, DAMAGED),
    Case("without an end.tar", GOOD, None, DAMAGED),
    Case("truncated header.tar", GOOD + GOOD[:300], None, DAMAGED),
    Case("flipped header.tar", GOOD + flipped(GOOD, 20) + END, None, DAMAGED),
    Case(
        "truncated.tar.gz",
        gzip.compress(GOOD + entry("b.txt", data=random.Random(0).randbytes(3000)) + END)[:-1000],
        None,
        DAMAGED,
    ),
    Case("larger than it is.tar", GOOD + with_field(GOOD, SIZE, b"77777777777\0") + END, None, DAMAGED),
    Case("pointing back.tar", GOOD + with_field(GOOD, SIZE, b"\xff" * 10 + b"\xfc\0") + END, None, DAMAGED),
    Case(
        "pointing at itself.tar",
        GOOD + with_field(GOOD, SIZE, (-512).to_bytes(12, "big", signed=True)),
        None,
        DAMAGED,
    ),
    Case(
        "header of gigabytes.tar",
        GOOD + with_field(entry("x", tarfile.XHDTYPE), SIZE, b"77777777777\0") + b"9" * (6 << 20),
        None,
        DAMAGED,
    ),
    Case("nonsense in a header.tar", entry("a", tarfile.XHDTYPE, b"99 size=abc\n") + GOOD + END, None, DAMAGED),
    Case("size of no number.tar", entry("x.txt", size="abc") + GOOD + END, None, DAMAGED),
    Case(
        "bomb.tar.gz",
        gzip.compress(with_field(entry("b.txt", data=b""), SIZE, b"%011o\0" % (101 << 20)) + BOMB_TEXT + END),
        None,
        BOMB,
    ),
    Case(
        "truncated within.tar",
        entry("a.txt.gz", data=gzip.compress(LINES)[:-9]) + END,
        None,
        r"tar!a\.txt\.gz " + DAMAGED,
    ),
    Case(
        "parquet within.tar",
        entry("a.parquet", data=TABLE) + END,
        None,
        r"tar!a\.parquet is Parquet inside an archive, .*; unpack it",
    ),
    # Parquet
    Case("text.parquet", b"a\n", None, DAMAGED),
    Case("empty.parquet", b"", None, DAMAGED),
    Case("magic alone.parquet", b"PAR1", None, DAMAGED),
    Case("truncated.parquet", TABLE[:-100], None, DAMAGED),
    Case("broken page.parquet", TABLE[:4] + b"\xff" * 400 + TABLE[404:], None, DAMAGED),
    Case("broken footer.parquet", TABLE[:-12] + b"\xff\xff\xff\x7fPAR1", None, DAMAGED),
    Case("packed.parquet.gz", gzip.compress(TABLE), None, DAMAGED),
    Case("bomb.parquet", parquet(text=["a" * (1 << 20)] * 101), None, BOMB),
    Case(
        "no such column.parquet",
        parquet(a=["x"], b=["y"]),
        None,
        r"has no column 'c' \(its columns: a, b\)",
        column="c",
    ),
    Case(
        "no strings.parquet",
        parquet(n=[1]),
        None,
        r"has no column 'text', nor only one that could be it \(its columns: n\)",
    ),
    # records
    Case("empty.jsonl", b"", []),
    Case("byte order mark.jsonl", b'\xef\xbb\xbf{"text": "a"}\r\n', ["a"]),
    Case(
        "broken line.jsonl",
        b'{"text": "a"}\n{"text": "b"\n{"text": "c"}',
        ["a", "c"],
        r"no JSON objects: 1, the first .*/broken line\.jsonl:2",
    ),
    Case("pretty-printed.json", b'[\n {"text": "a"}\n]\n', ["a"], "no JSON objects: 2, the first .*json:1"),
    Case("nested.jsonl", b'{"text":' + b"[" * 200_000, [], "no JSON objects: 1, the first"),
    Case(
        "missing column.jsonl",
        b'{"a": "x", "b": "y"}',
        None,
        r"has no column 'text', .*\(its columns: a, b\); say which",
    ),
    Case("NUL.jsonl", b'{"text": "a\0"}', None, BINARY),
    Case("escaped NUL.jsonl", b'{"text": "a\\u0000"}', [], "records with NUL characters: 1, the first .*:1"),
    Case("half a character.jsonl", b'{"text": "\\ud800"}', [], "not UTF-8: 1, the first .*:1"),
    Case("missing column.csv", b"a,b\n1,2\n", None, r"has no column 'text', .*\(its columns: a, b\); say which"),
    Case("open quote.csv", b'text\nx\n"y\nz\n', ["x"], "rows with broken quotes: 1, the first .*csv:3"),
    Case(
        "ragged.tsv",
        b"a\ttext\n1\tx\n2\n3\ty\tz\n",
        ["x", "y"],
        "records without text in their column: 1, the first .*tsv:3",
    ),
    Case("not UTF-8.tsv", b"a\ttext\n1\tcaf\xe9\n2\ty\n", ["y"], "not UTF-8: 1, the first .*tsv:2"),
    Case("protein.fa", b"MKV\n>x\nMKV\n", ["MKV"], r"sequences before the first header \(>\): 1, the first .*fa:1"),
]


def read(name: Path | str, cache: Path, damage: Damage, column: str = "") -> tuple[Source, list[str]]:
    source = resolve(str(name), column=column, label_column="", cache=cache)
    assert source is not None
    blocks = (block for shard in source.training for block in map(loaded, shard.read(damage)))
    return source, [line.decode() for block in blocks for line in split_lines(block)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_of_it(tmp_path: Path, case: Case) -> None:
    (tmp_path / case.name).write_bytes(case.raw)
    damage = Damage("skip")
    if case.lines is not None:
        source, lines = read(tmp_path / case.name, tmp_path / "cache", damage, case.column)
        assert lines == case.lines
        assert source.left_out == case.left_out
        assert bool(damage.counts) == bool(case.says)
        message = damage.describe()
    else:
        with pytest.raises(TextganError) as caught:
            read(tmp_path / case.name, tmp_path / "cache", damage, case.column)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}/{case.name}")
        assert caught.value.exit_code == 1
    assert message.isprintable()
    assert re.search(case.says, message)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("pack", [gzip.compress, zst, lambda data: data], ids=["gz", "zst", "tar"])
def test_no_cut_and_no_flip_of_an_archive_is_more_than_one_line(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    raw = pack(GOOD + entry("long" * 40, data=b"text\n" * 300) + entry("b.txt", mtime="1.5") + END)
    rng = random.Random(0)
    for trial in range(150):
        at = rng.randrange(1, len(raw))
        (tmp_path / "t.tar").write_bytes(raw[:at] if trial % 2 else flipped(raw, at))
        try:
            read(tmp_path / "t.tar", tmp_path / str(trial), Damage("skip"))
        except TextganError as error:
            assert str(error).isprintable()  # noqa: PT017
        except UnicodeDecodeError:
            pass  # a flip within the text, for whoever decodes


def test_strict_is_refused_at_the_end_with_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": 1}\n{\n{"text": "x"}\n}\n')
    damage = Damage("strict")
    assert read(tmp_path / "a.jsonl", tmp_path, damage)[1] == ["x"]
    with pytest.raises(TextganError) as caught:
        damage.refuse_if_strict()
    assert str(caught.value) == (
        f"records without text in their column: 1, the first {tmp_path}/a.jsonl:1; "
        f"lines that are no JSON objects: 2, the first {tmp_path}/a.jsonl:2; "
        "mend them, or say -s corpus.errors=replace or -s corpus.errors=skip"
    )
    for errors in ("skip", "replace"):
        Damage(errors, damage.counts, damage.first).refuse_if_strict()
    Damage("strict").refuse_if_strict()
