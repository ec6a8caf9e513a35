"""Hostile and broken text through the command: exit code, the one line, the counts, and a cache with nothing in halves.

What is read of each kind of damage is in test_hostile_text.py.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import textgan, within
from test_hostile_text import END, entry

from textgan import files
from textgan.config import Config
from textgan.corpora.text import alphabet

LINES = [f"line {number}" for number in range(100)]
GOOD = "".join(f"{line}\n" for line in LINES).encode()
FEW_BYTES_FREE = "from textgan.corpora.text import streams; streams.FREE = 1 << 20"
BINARY = (
    r"is a binary file \(it holds NUL bytes\); save it as plain UTF-8 text, "
    "or name pictures with --corpus images --data FOLDER"
)
DAMAGED = r"is damaged or cut short \(.+\); get it again, or leave it out"


def packed(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{name}.txt")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": LINES}), out)
    return out.getvalue()


# --- what is read all the same --------------------------------------------------------------------------------------


class Read(NamedTuple):
    """Text that is odd but can be read."""

    raw: bytes
    rows: int = len(LINES)
    arguments: str = ""
    """Besides the file."""
    says: str = ""
    """A pattern of what is told besides that the text is read."""
    dropped: dict[str, int] = {}  # noqa: RUF012
    left_out: dict[str, int] = {}  # noqa: RUF012
    as_plain: bool = False
    """Its rows are those of `GOOD`."""
    name: str = "bad.txt"


READ = {
    "byte order mark": Read(b"\xef\xbb\xbf" + GOOD, as_plain=True),
    "CRLF": Read(GOOD.replace(b"\n", b"\r\n"), as_plain=True),
    "lone CR and U+2028": Read(GOOD + "a\rb\u2028c\n".encode(), len(LINES) + 1),
    "invalid, replaced": Read(
        GOOD + b"caf\xe9\n", len(LINES) + 1, "-s corpus.errors=replace",
        r"lines that are not UTF-8: 1, the first .*bad\.txt:101 \(replace\)",
    ),
    "invalid, skipped": Read(
        GOOD + b"caf\xe9\n", len(LINES), "-s corpus.errors=skip",
        r"lines that are not UTF-8: 1, the first .*bad\.txt:101 \(skip\)", {"not UTF-8": 1}, as_plain=True,
    ),
    "line of 10 MB": Read(GOOD + b"x" * (10 << 20), len(LINES) + 640, "-s text.cut=line"),
    "archive that would climb out": Read(
        entry("../out.txt") + entry("/tmp/textgan-out.txt") + entry("link.txt", tarfile.SYMTYPE, b"", "/etc/passwd")
        + entry("a.txt", data=GOOD) + END,
        left_out={"members of archives with unsafe names": 2, "links in archives": 1}, as_plain=True, name="bad.tar",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the plain text."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "good.txt").write_bytes(GOOD)
    done = within(folder, "prepare", "good.txt", "--json")
    assert done.code == 0, done.err
    return str(json.loads(done.out)["fingerprint"])


@pytest.mark.parametrize("case", READ.values(), ids=list(READ))
def test_odd_text_is_read_and_counted(tmp_path: Path, plain: str, case: Read) -> None:
    (tmp_path / case.name).write_bytes(case.raw)
    done = within(tmp_path, "prepare", case.name, "--json", *case.arguments.split())
    assert done.code == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    first, *notes = done.err.splitlines()
    assert first.endswith(": reading the text")
    assert re.fullmatch(f".*{case.says}" if case.says else "", "\n".join(notes))
    assert told["train"] + told["heldout"] == case.rows
    assert (told["dropped"], told["facts"]["left_out"]) == (case.dropped, case.left_out)
    assert (told["fingerprint"] == plain) == case.as_plain
    assert sorted(path.name for path in tmp_path.iterdir()) == [case.name, "cache"]
    assert not half_written(tmp_path / "cache")


# --- what is refused ------------------------------------------------------------------------------------------------


class Refused(NamedTuple):
    """What no rows can be made of."""

    raw: bytes
    says: str
    name: str = "bad.txt"
    setup: str = ""


REFUSED = {
    "NUL": Refused(GOOD + b"\0\n", rf"{{bad}} {BINARY}"),
    "invalid, strict": Refused(
        GOOD + b"\xff\n" * 2,
        r"lines that are not UTF-8: 2, the first {bad}:101; mend them, or say -s corpus\.errors=replace or "
        r"-s corpus\.errors=skip",
    ),
    "broken record": Refused(
        b'{"text": "a"}\n{"te', r"lines that are no JSON objects: 1, the first {bad}:2; mend .*", "bad.jsonl"
    ),
    "empty": Refused(b"", r"bad: no text in {bad}; it needs lines that are not empty"),
    "blank": Refused(b"\n \r\n\n", r"bad: no text in {bad}; it needs lines that are not empty"),
    "truncated gzip": Refused(gzip.compress(GOOD)[:-9], rf"{{bad}} {DAMAGED}", "bad.txt.gz"),
    "truncated archive": Refused(packed(a=GOOD, b=GOOD)[:-40], rf"{{bad}}\S* {DAMAGED}", "bad.tar.gz"),
    "truncated Parquet": Refused(parquet()[:-60], rf"{{bad}} {DAMAGED}", "bad.parquet"),
    "bomb": Refused(
        gzip.compress(b"a" * (2 << 20)), "{bad} unpacks to over 1,000 times its size, as a bomb does; if you trust "
        "it, unpack it yourself", "bad.txt.gz", FEW_BYTES_FREE,
    ),
    "large": Refused(
        gzip.compress(GOOD * 99), "{bad} unpacks to more than 65,536 bytes; unpack it yourself, and give the files",
        "bad.txt.gz", "from textgan.corpora.text import streams; streams.LARGEST = 1 << 16",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_broken_text_is_one_line_and_leaves_nothing(tmp_path: Path, case: Refused) -> None:
    bad = tmp_path / case.name
    bad.write_bytes(case.raw)
    asked = ("prepare", case.name, "--json")
    done = textgan(tmp_path, *asked, setup=case.setup) if case.setup else within(tmp_path, *asked)
    assert (done.code, done.out) == (1, "")
    *notes, line = done.err.splitlines()
    assert re.fullmatch(f"textgan: error: {case.says.replace('{bad}', re.escape(str(bad)))}", line), line
    assert all(note.endswith(": reading the text") for note in notes)
    assert not half_written(tmp_path / "cache")
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"members-\w+\.json", path.name) for path in kept)


def half_written(cache: Path) -> list[Path]:
    """Return what a command that has ended should have cleared away."""
    return [*cache.rglob("*.tmp"), *cache.glob("work/*")]


# --- a tokenizer that is none ---------------------------------------------------------------------------------------


def without_tokenizer(space: dict[str, Any]) -> dict[str, Any]:
    """Put other base64 of the same length in its place."""
    return space | {"tokenizer": "A" * len(space["tokenizer"])}


def rows(folder: Path) -> str:
    """Rows in the cache whose space was damaged, their sizes as before."""
    (folder / "text.txt").write_bytes(GOOD)
    arguments = "prepare text.txt -s text.unit=piece -s text.max_symbols=300"
    done = within(folder, *arguments.split())
    assert done.code == 0, done.err
    (space,) = folder.glob("cache/rows/*/space.json")
    damaged = files.dump_json(without_tokenizer(json.loads(space.read_text(encoding="utf-8"))))
    assert len(damaged.encode()) == space.stat().st_size
    space.write_text(damaged, encoding="utf-8")
    return arguments


def model(folder: Path) -> str:
    """A model that somebody made, its manifest and all."""
    space = alphabet.build("piece", Counter(), LINES, length=32, pad="own", max_symbols=300).to_json()

    def fill(fresh: Path) -> None:
        (fresh / "config.json").write_text(files.dump_json({"schema": 1, "config": Config().model_dump(mode="json")}))
        (fresh / "alphabet.json").write_text(files.dump_json(without_tokenizer(space)))
        (fresh / "model.safetensors").write_bytes(b"")

    files.write_folder(folder / "strange", fill)
    return "generate -m strange"


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (rows, 1, r"\S+/cache/rows/\w+ is damaged; remove it and run the command again"),
        (model, 5, r"strange is no model that textgan \S+ can load \(the tokenizer is no sentencepiece model\)"),
    ],
    ids=["rows", "model"],
)
def test_a_tokenizer_that_is_none_is_one_line(
    tmp_path: Path, given: Callable[[Path], str], code: int, says: str
) -> None:
    arguments = given(tmp_path)
    done = within(tmp_path, *arguments.split())
    assert (done.code, done.out) == (code, "")
    assert re.fullmatch(f"textgan: error: {says}\n", done.err)
    assert not half_written(tmp_path / "cache")
