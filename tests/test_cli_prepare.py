"""`textgan prepare` as a user calls it: what it prints, every kind of source, and being killed on the way."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Done, ended, processes_of, start, textgan, until, within

WORDS = ["the", "a", "of", "naïve", "word", "漢字", "running", "it's", "U.S.", "--", "house", "garden"]


def sentences(count: int, seed: int = 0) -> list[str]:
    pick = random.Random(seed)
    return [" ".join(pick.choices(WORDS, k=4)) for _ in range(count)]


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def told(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


# --- what it prints -----------------------------------------------------------------------------------------------


def test_what_it_prints_and_that_text_is_read_once(tmp_path: Path) -> None:
    lines = [*sentences(300), "", "  "]
    text = write(tmp_path / "text.txt", lines)
    first = within(tmp_path, "prepare", "text.txt", "--json")
    facts = told(first)
    keys = {"schema", "name", "fingerprint", "train", "heldout", "symbols", "dropped", "facts"}
    assert facts.keys() == keys
    assert (facts["schema"], facts["name"], facts["dropped"]) == (1, "text", {"empty": 2})
    assert facts["train"] + facts["heldout"] == 300
    assert (tmp_path / "cache" / "rows" / facts["fingerprint"]).is_dir()
    assert first.err == "text: reading the text\n"

    make_unreadable(text)
    assert within(tmp_path, "prepare", "text.txt", "--json") == Done(0, first.out, "")
    plain = within(tmp_path, "prepare", "text.txt")
    assert (plain.code, plain.err) == (0, "")
    assert plain.out == (
        f"text: {facts['train']} training and {facts['heldout']} held-out rows of 32 (line), "
        f"{facts['symbols']} symbols, held out by hash of the line\n302 lines read; left out: 2 empty\n"
    )
    dry = within(tmp_path, "train", "--corpus", "text.txt", "--dry-run", "--json")
    assert (told(dry)["corpus"]["fingerprint"], dry.err) == (facts["fingerprint"], "")


def make_unreadable(text: Path) -> None:
    """Put other bytes in a file's place, of which its size and time tell nothing."""
    stat = text.stat()
    text.write_bytes(b"x" * 600 + b"\0" * (stat.st_size - 600))
    os.utime(text, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_plain_output_tells_labels_and_what_an_archive_left_out(tmp_path: Path) -> None:
    import tarfile

    for name, count in (("cats", 60), ("dogs", 40)):
        write(tmp_path / "texts" / f"{name}.txt", sentences(count))
    with tarfile.open(tmp_path / "texts.tgz", "w:gz") as tar:
        tar.add(tmp_path / "texts", "texts")
        link = tarfile.TarInfo("texts/passwd.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    done = within(tmp_path, "prepare", "texts.tgz", "--label-column", "@file")
    assert done.code == 0, done.err
    summary, read, labels = done.out.splitlines()
    assert summary.startswith("texts: ")
    assert read == "100 lines read; left out: 1 links in archives"
    assert labels.startswith("training rows by label: ")
    assert labels.endswith(" dogs")


# --- sources ------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """What is there, what is said, and what comes of it."""

    given: Callable[[Path], object]
    arguments: str
    rows: int
    """Of both sides."""
    name: str
    labels: tuple[str, ...] = ()
    symbols: int = 0
    """0 where it does not matter."""


LINES = sentences(120)
KINDS = ["odd", "even"]
LABELLED = [(KINDS[number % 2], line) for number, line in enumerate(LINES)]
SEQUENCES = ["".join(random.Random(i).choices("ACGT", k=50)) for i in range(80)]
MOLECULES = [f"{'C' * (i % 9)}[nH]Cl{'O' * (i // 9)} name{i}" for i in range(90)]


def jsonl(folder: Path) -> None:
    write(folder / "a.jsonl", [json.dumps({"n": 1, "title": "x", "body": line}) for line in LINES])


def parquet(folder: Path) -> None:
    kinds, lines = zip(*LABELLED, strict=True)
    pq.write_table(pa.table({"kind": kinds, "line": lines}), folder / "a.parquet", row_group_size=50)


def several(folder: Path) -> None:
    for number, part in enumerate((LINES[:50], LINES[50:])):
        write(folder / "texts" / f"{KINDS[number]}.txt", part)
    write(folder / "texts" / "notes.md", ["no text"] * 100)


def fasta(folder: Path) -> None:
    write(folder / "a.fa", [part for i, line in enumerate(SEQUENCES) for part in (f">{i}", line[:30], line[30:])])


SOURCES = {
    "standard input": Case(lambda folder: write(folder / "stdin", LINES), "-", 120, "stdin"),
    "glob": Case(several, "texts/e*.txt", 70, "files"),
    "folder": Case(several, "texts", 120, "texts"),
    "JSONL": Case(jsonl, "a.jsonl --column body", 120, "a"),
    "TSV": Case(
        lambda folder: write(folder / "a.tsv", ["kind\ttext", *map("\t".join, LABELLED)]),
        "a.tsv --label-column kind", 120, "a", ("even", "odd"),
    ),
    "one file a class": Case(several, "texts --label-column @file", 120, "texts", ("even", "odd")),
    "one file a class, by a card": Case(
        several, "names --data texts --label-column @file", 120, "names", ("even", "odd")
    ),
    "Parquet": Case(parquet, "a.parquet --column line --label-column kind", 120, "a", ("even", "odd")),
    "FASTA": Case(fasta, "dna --data a.fa -s text.length=50 -s text.cut=line", 80, "dna", (), 7),
    "SMILES": Case(lambda folder: write(folder / "a.smi", MOLECULES), "smiles --data a.smi", 90, "smiles", (), 6),
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES.values(), ids=list(SOURCES))
def test_every_kind_of_source(tmp_path: Path, case: Case) -> None:
    case.given(tmp_path)
    stdin = (tmp_path / "stdin").open("rb") if case.name == "stdin" else None
    asked = ("prepare", *case.arguments.split(), "--json")
    facts = told(within(tmp_path, *asked) if stdin is None else textgan(tmp_path, *asked, stdin=stdin))
    if stdin:
        stdin.close()
    assert facts["train"] + facts["heldout"] == case.rows
    assert facts["name"] == case.name
    assert sum(facts["facts"]["labels"].values()) == (facts["train"] if case.labels else 0)
    assert tuple(facts["facts"]["labels"]) == case.labels
    assert not case.symbols or facts["symbols"] == case.symbols


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "python_docs --label-column kind",
            "python_docs has neither columns nor labels; leave --column and --label-column out",
        ),
        (
            "text.txt -s text.unit=piece -s text.max_symbols=60",
            "text.max_symbols: 60 is too few for text.unit=piece; give at least 300",
        ),
        ("text.txt -c wgan_gp -s text.unit=word", "text.pad: backtick is a character, and text.unit is word; say .*"),
    ],
)
def test_what_suits_no_text_is_refused_before_it_is_read(tmp_path: Path, arguments: str, says: str) -> None:
    write(tmp_path / "text.txt", LINES)
    done = within(tmp_path, "prepare", *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(f"textgan: error: {says}\n", done.err)


# --- killed and interrupted ---------------------------------------------------------------------------------------

PREPARE = ("prepare", "text.txt", "--json", "-s", "text.cut=windows", "--processes", "2")
OFTEN = "from textgan.corpora import workshop; workshop.EVERY, workshop.SHARE = 0.2, 1e9"
BLOCKS = 32
# blocks of 32 KiB, each of which takes a while; every fourth is noted
SLOWLY = """
import itertools, time
from textgan.corpora import workers
from textgan.corpora.text import streams
from textgan.corpora.workshop import Workshop
streams.CHUNK, workers.ALONE, blocks = 1 << 15, 8, itertools.count()
Workshop.due = lambda work: time.sleep(0.01) or next(blocks) % 4 == 3
"""


def long_text(folder: Path, size: int) -> None:
    """Write so many bytes of different lines."""
    parts, written = sentences(5000), 0
    with (folder / "text.txt").open("wb") as file:
        while written < size:
            written += file.write("".join(f"{written} {part}\n" for part in parts).encode()[: size - written])


def has_workers(process: Popen[str]) -> bool:
    """Tell whether the command has all its processes: two, and one of Python's own that clears up."""
    return len(processes_of(process.pid)) >= 3


def noted(folder: Path, stage: str) -> int:
    """Return how many blocks of a stage the journal speaks of."""
    for journal in folder.glob("cache/work/*/journal.json"):
        state = json.loads(journal.read_text()).get(stage, {})
        return int((state.get("done") or state.get("blocks") or {"train": 0})["train"])
    return 0


def prepared_elsewhere(folder: Path, setup: str) -> str:
    """Return what is printed where nothing is in the way."""
    done = textgan(folder, *PREPARE, setup=setup, environ={"TEXTGAN_CACHE": str(folder / "other")})
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is printed of the text of 1 MiB."""
    folder = tmp_path_factory.mktemp("whole")
    long_text(folder, BLOCKS << 15)
    return prepared_elsewhere(folder, SLOWLY)


def kill(process: Popen[str]) -> None:
    """Kill a command, and see that its workers go."""
    process.kill()
    assert until(lambda: not processes_of(process.pid), 2)
    ended(process)


def nothing_is_left(cache: Path) -> bool:
    return not [*cache.glob("work/*"), *cache.rglob("*.tmp")]


def test_a_killed_one_leaves_no_process_and_is_gone_on_with(tmp_path: Path, whole: str) -> None:
    long_text(tmp_path, BLOCKS << 15)
    pick = random.Random(0)
    for stage in ("survey", "encode"):
        process, after = start(tmp_path, *PREPARE, setup=SLOWLY), pick.randint(10, 24)
        assert until(lambda: noted(tmp_path, stage) >= after, 60)  # noqa: B023 - called at once
        assert has_workers(process)
        kill(process)
    last = textgan(tmp_path, *PREPARE, setup=SLOWLY)
    assert last == Done(0, whole, "text: reading the text, from where it was left\n")
    assert nothing_is_left(tmp_path / "cache")


@pytest.mark.slow
def test_large_text_killed_at_random_moments_gives_the_same_rows(tmp_path: Path) -> None:
    long_text(tmp_path, 60 << 20)
    began = time.monotonic()
    whole = prepared_elsewhere(tmp_path, OFTEN)
    seconds, pick = time.monotonic() - began, random.Random(0)
    for _ in range(3):
        process = start(tmp_path, *PREPARE, setup=OFTEN)
        time.sleep(pick.uniform(0.1, 0.7) * seconds)
        kill(process)
    assert textgan(tmp_path, *PREPARE, setup=OFTEN).out == whole
    assert nothing_is_left(tmp_path / "cache")


@pytest.mark.parametrize("after", [0, 12], ids=["while workers start", "while workers work"])
def test_an_interrupted_one_ends_quietly_and_is_gone_on_with(tmp_path: Path, whole: str, after: int) -> None:
    long_text(tmp_path, BLOCKS << 15)
    process = start(tmp_path, *PREPARE, setup=SLOWLY)
    assert until(lambda: has_workers(process) and noted(tmp_path, "survey") >= after, 60)
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C is for the workers as well
    assert ended(process) == Done(130, "", "text: reading the text\n\n")  # the end of the line with ^C
    assert until(lambda: not processes_of(process.pid), 2)
    assert noted(tmp_path, "survey") >= after
    assert not list((tmp_path / "cache").rglob("*.tmp"))
    if after:
        again = textgan(tmp_path, *PREPARE, setup=SLOWLY)
        assert again == Done(0, whole, "text: reading the text, from where it was left\n")
