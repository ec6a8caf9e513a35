"""Names and paths to rows on disk: against a slow oracle, from the cache, and with everything that can go wrong."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xxhash import xxh3_64_intdigest

from textgan import files
from textgan.config import Config
from textgan.corpora import cards, matrix, passes, workers, workshop
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.corpora.text import heads, sources, streams
from textgan.errors import TextganError, UsageError

HELDOUT = 0.2


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = random.Random(0)
    words = ["a", "to", "the", "naïve", "漢字", "cat`s", "running"]
    lines = [" ".join(rng.choices(words, k=rng.randrange(0, 7))) for _ in range(400)]
    path = tmp_path / "words.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def make(name: Path | str, cache: Path, *, processes: int = 1, **changes: Any) -> Corpus[Any]:
    beside = {key: changes.pop(key) for key in ("data", "tell", "show") if key in changes}
    settings = Settings(**({"length": 12, "heldout": HELDOUT} | changes))
    return prepare(str(name), settings, cache=cache, processes=processes, **beside)


def oracle(
    path: Path, *, length: int, cut: str, pad: str, max_symbols: int
) -> dict[str, tuple[list[list[int]], list[int]]]:
    """Cut and encode a file line by line with dictionaries; ids and line numbers of each side."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    hashes = [xxh3_64_intdigest(line.encode()) for line in lines]
    sides = {
        "train": [line for line, h in zip(lines, hashes, strict=True) if h >= HELDOUT * 2**64],
        "heldout": [line for line, h in zip(lines, hashes, strict=True) if h < HELDOUT * 2**64],
    }

    def windows(line: str) -> list[str]:
        starts = [i for i in range(len(line) - length + 1) if i == 0 or line[i - 1] == " "]
        return [line[i : i + length] for i in starts] or [line]

    rows = {
        side: [
            (row, n)
            for n, line in enumerate(side_lines)
            for row in (windows(line) if cut == "windows" else [line[:length]])
        ]
        for side, side_lines in sides.items()
    }
    kept = sides["train"] if cut == "windows" else [line[:length] for line in sides["train"]]
    counts = Counter("".join(kept).replace("`" if pad == "backtick" else "\n", ""))
    symbols = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:max_symbols]
    ids = {symbol: i for i, symbol in enumerate(symbols, 1)} | ({"`": 0} if pad == "backtick" else {})

    def encode(row: str) -> list[int]:
        return [ids.get(character, len(symbols) + 1) for character in row] + [0] * (length - len(row))

    return {side: ([encode(row) for row, _ in pairs], [n for _, n in pairs]) for side, pairs in rows.items()}


@pytest.mark.parametrize("cut", ["line", "windows"])
@pytest.mark.parametrize(("pad", "max_symbols"), [("own", 2048), ("backtick", 2048), ("own", 9)])
def test_rows_agree_with_the_slow_oracle(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cut: str, pad: str, max_symbols: int
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 1024)  # several blocks
    corpus = make(text, cache, cut=cut, pad=pad, max_symbols=max_symbols)
    expected = oracle(text, length=12, cut=cut, pad=pad, max_symbols=max_symbols)
    for side, rows in (("train", corpus.train), ("heldout", corpus.heldout)):
        assert rows.ids.tolist() == expected[side][0]
        assert rows.lines.tolist() == expected[side][1]
    assert corpus.space.knows_unknown == (max_symbols == 9)
    assert corpus.train.ids.dtype == np.uint8
    assert not corpus.train.ids.flags.writeable


def test_every_character_of_the_text_comes_back(text: Path, cache: Path) -> None:
    corpus = make(text, cache, length=64)
    lines = {line for line in text.read_text(encoding="utf-8").split("\n") if line}
    decoded = corpus.space.decode(np.concatenate([corpus.train.ids, corpus.heldout.ids]))
    assert set(decoded) == lines
    assert corpus.facts["cut"] == "line"


def test_facts_count_what_happened(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"\n".join([*(b"line %d" % i for i in range(50)), b"", b"  ", b"\xff"]))
    told: list[str] = []
    corpus = make(path, cache, errors="skip", max_symbols=6, tell=told.append)
    facts = corpus.facts
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["lines_read"], facts["dropped"]) == (53, {"empty": 2, "not UTF-8": 1})
    assert facts["damage"] == {"lines that are not UTF-8": 1}
    assert sum(facts["lines"].values()) == 50
    assert facts["rows"] == {"train": len(corpus.train), "heldout": len(corpus.heldout)} == facts["lines"]
    assert facts["split"] == "hash of the line"
    train = corpus.train.ids
    assert facts["unknown_symbols"] == int((train == corpus.space.unknown).sum()) > 0
    assert any(f"{path}:53" in line and "skip" in line for line in told)


def test_many_symbols_need_two_bytes(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("\n".join(chr(0x4E00 + i) * 3 for i in range(600)), encoding="utf-8")
    corpus = make(path, cache)
    assert corpus.train.ids.dtype == np.uint16
    assert set("".join(corpus.space.decode(corpus.train.ids))) == set(corpus.space.symbols)


# --- what is asked for --------------------------------------------------------------------------------------------


def decoded(corpus: Corpus[Any]) -> dict[str, list[str]]:
    return {"train": corpus.space.decode(corpus.train.ids), "heldout": corpus.space.decode(corpus.heldout.ids)}


@pytest.mark.parametrize("cut", ["line", "windows"])
def test_several_processes_give_the_same_rows(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 256)  # some 20 blocks
    monkeypatch.setattr(workers, "ALONE", 8)
    alone = make(text, cache / "1", processes=1, cut=cut)
    both = make(text, cache / "2", processes=2, cut=cut)
    assert both.fingerprint == alone.fingerprint
    assert (both.train.ids.tolist(), both.facts) == (alone.train.ids.tolist(), alone.facts)


@pytest.mark.parametrize("processes", [1, 2])
def test_repeated_lines_are_left_out_over_all_blocks(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(workers, "ALONE", 8)
    monkeypatch.setattr(streams, "CHUNK", 64)
    rng = random.Random(0)
    lines = [f"Line {rng.randrange(150)}" for _ in range(600)]
    path = tmp_path / "t.txt"
    path.write_text("\n".join([*lines, "", *map(str.upper, lines)]))
    corpus = make(path, cache, deduplicate=True, lower=True, processes=processes)
    expected = list(dict.fromkeys(line.lower() for line in lines))
    sides = decoded(corpus)
    assert sorted(sides["train"] + sides["heldout"]) == sorted(expected)
    assert sides["train"] == [line for line in expected if line in set(sides["train"])]  # the first of each, in order
    assert corpus.facts["dropped"] == {"empty": 1, "duplicates": 1200 - len(expected)}


def test_lines_are_changed_and_filtered_as_asked(tmp_path: Path, cache: Path) -> None:
    rng, path = random.Random(0), tmp_path / "t.txt"
    ends = ["".join(rng.choices("ABCDEFGH", k=i % 6)) for i in range(300)]
    path.write_text("\n".join(f"E\u0301{end}" for end in ends), encoding="utf-8")
    corpus = make(path, cache, normalise="NFC", lower=True, shortest=2, longest=4)
    kept = [f"\u00e9{end.lower()}" for end in ends if 1 <= len(end) <= 3]
    assert sorted(chain.from_iterable(decoded(corpus).values())) == sorted(kept)
    assert corpus.facts["dropped"] == {"too short": 50, "too long": 100}


@pytest.mark.parametrize("most", [40, 60, 137, 10**6])
def test_training_lines_end_at_max_lines_in_any_block(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 64)
    (tmp_path / "texts").mkdir()
    for name in "ab":
        (tmp_path / "texts" / f"{name}.txt").write_text("".join(f"{name} {i}\n" for i in range(100)))
    whole, cut = (decoded(make(tmp_path / "texts", cache, max_lines=n)) for n in (10**7, most))
    assert cut["train"] == whole["train"][:most]
    order = {line: place for place, line in enumerate(f"{name} {i}" for name in "ab" for i in range(100))}
    last = order[cut["train"][-1]] if most < len(whole["train"]) else 10**6
    assert cut["heldout"] == [line for line in whole["heldout"] if order[line] < last]


@pytest.mark.parametrize("deduplicate", [False, True])
def test_records_that_are_mended_have_rows(tmp_path: Path, cache: Path, deduplicate: bool) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": f"{i}\ud800" if i % 4 == 0 else str(i)}) + "\n" for i in range(200)))
    corpus = make(path, cache, errors="replace", deduplicate=deduplicate)
    found = sorted(chain.from_iterable(decoded(corpus).values()))
    assert found == sorted(f"{i}\ufffd" if i % 4 == 0 else str(i) for i in range(200))
    assert corpus.facts["rows"] == corpus.facts["lines"]


def test_labels_lie_beside_the_rows(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 256)
    path = tmp_path / "t.tsv"
    path.write_text("kind\ttext\n" + "".join(f"{'even' if i % 2 == 0 else 'odd'}\t{i} {i} {i}\n" for i in range(300)))
    corpus = make(path, cache, label_column="kind", length=5, cut="windows")
    assert corpus.space.labels == ("even", "odd")
    for rows in (corpus.train, corpus.heldout):
        assert rows.labels is not None
        names = [corpus.space.labels[label] for label in rows.labels]
        assert names == ["odd" if int(line.split()[0]) % 2 else "even" for line in corpus.space.decode(rows.ids)]
    assert corpus.train.labels is not None
    places = corpus.train.labels.tolist()
    assert corpus.facts["labels"] == {name: places.count(i) for i, name in enumerate(corpus.space.labels)}


def test_one_file_is_one_class(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "texts").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "texts" / f"{name}.txt").write_text("".join(f"{name} {i}\n" for i in range(60)))
    corpus = make(tmp_path / "texts", cache, label_column="@file")
    assert corpus.space.labels == ("cats", "dogs")
    assert corpus.train.labels is not None
    names = [corpus.space.labels[label] for label in corpus.train.labels]
    assert names == [line.split()[0] for line in corpus.space.decode(corpus.train.ids)]


def test_names_of_files_need_not_be_utf8(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "texts").mkdir()
    names = [os.fsdecode(b"caf\xe9.txt"), "tea.txt"]
    for name in names:
        try:
            (tmp_path / "texts" / name).write_text("".join(f"{i} {len(name)}\n" for i in range(60)))
        except OSError:
            pytest.skip("this file system takes no such name")
    assert make(tmp_path / "texts" / names[0], cache).facts["title"] == "caf\ufffd.txt"
    corpus = make(tmp_path / "texts", cache, label_column="@file")
    assert corpus.space.labels == ("caf\ufffd", "tea")


def test_a_column_of_too_many_labels_is_no_class(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("id\ttext\n" + "".join(f"{i}\tline\n" for i in range(1500)))
    with pytest.raises(TextganError, match="1,500 different labels, such as '0'; --label-column"):
        make(path, cache, label_column="id")


# --- going on -----------------------------------------------------------------------------------------------------


class KilledError(BaseException):
    """Stands for SIGKILL: nothing is cleaned up after it."""


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.4, 0.6, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("cut", ["line", "windows"])
def test_a_preparation_that_was_killed_goes_on(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, share: float, cut: str
) -> None:
    """After that share of three passes over some 20 blocks, each of which is noted."""
    monkeypatch.setattr(streams, "CHUNK", 256)
    monkeypatch.setattr(workshop, "EVERY", 0.0)
    monkeypatch.setattr(workshop, "SHARE", 1e9)
    monkeypatch.setattr(heads, "BLOCK", 12 * 128)
    change: dict[str, Any] = {"deduplicate": True, "cut": cut}
    shown, last = 0, 10**9

    def show(stage: str, lines: int, share: float | None) -> None:
        nonlocal shown
        shown += 1
        if shown > last:
            raise KilledError

    whole = make(text, cache / "whole", show=show, **change)
    steps, told = shown, list[str]()
    shown, last = 0, int(share * steps)
    with pytest.raises(KilledError):
        make(text, cache, show=show, **change)
    shown, last = 0, 10**9
    again = make(text, cache, show=show, tell=told.append, **change)
    assert any("from where it was left" in line for line in told) == (share > 0)
    assert shown <= steps - int(share * steps) + 1  # what was noted is not done again
    assert again.fingerprint == whole.fingerprint
    assert again.facts == whole.facts
    for side in ("train", "heldout"):
        assert getattr(again, side).ids.tolist() == getattr(whole, side).ids.tolist()
        assert getattr(again, side).lines.tolist() == getattr(whole, side).lines.tolist()
    assert list((cache / "work").iterdir()) == []


@pytest.mark.parametrize("moved", [False, True], ids=["sealed", "moved"])
def test_a_preparation_that_was_killed_after_its_last_row_goes_on(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 256)
    monkeypatch.setattr(workshop, "EVERY", 0.0)
    monkeypatch.setattr(workshop, "SHARE", 1e9)
    whole = make(text, cache / "whole")

    def killed(*arguments: Any, **options: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
        patch.setattr(*((matrix, "remember") if moved else (files, "move_folder")), killed)
        make(text, cache)
    again = make(text, cache)
    assert again.fingerprint == whole.fingerprint
    assert again.train.ids.tolist() == whole.train.ids.tolist()
    assert matrix.recall(cache, next((cache / "keys").iterdir()).stem) is not None


def test_damage_counts_once_where_a_preparation_was_killed_among_the_held_out_lines(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the training lines have reached their most."""
    monkeypatch.setattr(streams, "CHUNK", 64)
    monkeypatch.setattr(workshop, "EVERY", 0.0)
    monkeypatch.setattr(workshop, "SHARE", 1e9)
    sides = []
    for side in ("train", "heldout"):
        path = tmp_path / f"{side}.jsonl"
        path.write_text("no record\n" + "".join(json.dumps({"text": f"{side} {i}"}) + "\n" for i in range(40)))
        sides.append((sources.shard_of(path, format="jsonl"),))
    source = sources.Source("x", "x", training=sides[0], heldout=sides[1])
    monkeypatch.setattr("textgan.corpora.prepare.resolve_source", lambda *_, **__: source)
    shown, last = 0, 9

    def show(stage: str, lines: int, share: float | None) -> None:
        nonlocal shown
        shown += 1
        if shown > last:
            raise KilledError

    with pytest.raises(KilledError):
        make("x", cache, show=show, max_lines=20)
    journal = json.loads(next((cache / "work").glob("*/journal.json")).read_text())["survey"]
    assert (journal["limit"] is not None, journal["done"]["heldout"] > 0) == (True, True)
    with pytest.raises(TextganError, match="that are no JSON objects: 2, "):
        make("x", cache, max_lines=20)


# --- fingerprint and cache ------------------------------------------------------------------------------------------


def test_a_second_call_reads_no_text(text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(text, cache)
    monkeypatch.setattr("textgan.corpora.passes.blocks", None)
    second = make(text, cache)
    assert (second.fingerprint, second.facts, second.space) == (first.fingerprint, first.facts, first.space)
    assert np.array_equal(second.train.ids, first.train.ids)


def test_equal_text_in_other_files_has_the_same_fingerprint(text: Path, tmp_path: Path, cache: Path) -> None:
    lines = text.read_bytes().split(b"\n")
    for i, part in enumerate((lines[:150], lines[150:])):
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / f"{i}.txt").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*part, b""]))
    assert make(tmp_path / "other", cache).fingerprint == make(text, cache).fingerprint


@pytest.mark.parametrize(
    "change",
    [{"length": 13}, {"cut": "line"}, {"pad": "backtick"}, {"heldout": 0.3}, {"max_symbols": 5}, {"max_lines": 90}],
)
def test_other_settings_have_another_fingerprint(text: Path, cache: Path, change: dict[str, Any]) -> None:
    base = make(text, cache, cut="windows")
    assert make(text, cache, **({"cut": "windows"} | change)).fingerprint != base.fingerprint


def test_the_cut_is_in_the_fingerprint_even_with_one_alphabet(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{i:04} {i:04} {i:04}\n" for i in range(100)))
    line, windows = (make(path, cache, length=9, cut=cut) for cut in ("line", "windows"))
    assert line.space == windows.space
    assert line.fingerprint != windows.fingerprint


def test_changed_text_is_read_again(text: Path, cache: Path) -> None:
    first = make(text, cache)
    text.write_text(text.read_text(encoding="utf-8").replace("cat", "dog"), encoding="utf-8")
    second = make(text, cache)
    assert second.fingerprint != first.fingerprint
    assert "d" in second.space.symbols


def test_text_that_changes_while_it_is_read_is_refused(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = matrix.settle_rows

    def disturb(*arguments: Any) -> str:
        os.utime(text, (1, 1))
        return settle(*arguments)

    monkeypatch.setattr(matrix, "settle_rows", disturb)
    with pytest.raises(TextganError, match="changed while it was read"):
        make(text, cache)


def test_text_that_grows_between_two_passes_is_refused(
    text: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 256)
    find = passes.find_duplicates

    def disturb(reading: passes.Reading) -> passes.Firsts:
        firsts = find(reading)
        text.write_bytes(text.read_bytes() * 2)
        return firsts

    monkeypatch.setattr(passes, "find_duplicates", disturb)
    with pytest.raises(TextganError, match="changed while it was read"):
        make(text, cache, deduplicate=True)


def test_the_facts_are_those_of_the_corpus_that_was_named(tmp_path: Path, cache: Path) -> None:
    """Also where another name has read the very same files before."""
    for i in (1, 2):
        path = tmp_path / "shards" / f"news.en-0000{i}-of-00100"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{i} line {j}\n" for j in range(100)))
    folder = make(tmp_path / "shards", cache)
    named = make("billion_word", cache, data=str(tmp_path / "shards"))
    assert named.fingerprint == folder.fingerprint
    assert (folder.facts["title"], folder.facts["split"]) == ("shards", "hash of the line")
    assert named.facts["title"].startswith("Google Billion Word")
    assert named.facts["split"].startswith("unofficial")


@pytest.mark.parametrize("victim", ["train.ids.npy", "space.json", "manifest.json"])
def test_a_damaged_cache_is_built_again(text: Path, cache: Path, victim: str) -> None:
    first = make(text, cache)
    expected = first.train.ids.tolist()
    file = cache / "rows" / first.fingerprint / victim
    file.write_bytes(file.read_bytes()[:-1])
    assert make(text, cache).train.ids.tolist() == expected


@pytest.mark.parametrize(
    ("victim", "part"), [("space.json", b"symbols"), ("space.json", b"{"), ("train.ids.npy", b"NUMPY")]
)
def test_damage_that_leaves_the_size_is_one_line(text: Path, cache: Path, victim: str, part: bytes) -> None:
    file = cache / "rows" / make(text, cache).fingerprint / victim
    file.write_bytes(file.read_bytes().replace(part, b"x" * len(part), 1))
    with pytest.raises(TextganError, match="is damaged; remove it and run the command again"):
        make(text, cache)


def test_the_cache_is_the_argument_or_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "named"))
    assert matrix.cache_root(None) == tmp_path / "named"
    assert matrix.cache_root(tmp_path) == tmp_path


# --- what goes wrong ------------------------------------------------------------------------------------------------


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_leaves_nothing(text: Path, cache: Path) -> None:
    with largest_file(1000), pytest.raises(TextganError, match=r"cannot write to the cache.*TEXTGAN_CACHE") as caught:
        make(text, cache)
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert [path for path in cache.rglob("*") if path.is_file() or path.suffix == ".tmp"] == []
    assert len(make(text, cache).train) > 0


def test_an_unwritable_cache_is_one_line(text: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TextganError, match="cannot write to the cache"):
        make(text, tmp_path / "file")


def test_old_leftovers_of_dead_processes_are_swept_and_others_kept(text: Path, cache: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    old, young, live = (
        cache / "rows" / f".{name}.{pid}.tmp"
        for name, pid in (("old", dead.pid), ("young", dead.pid), ("live", os.getpid()))
    )
    for folder in (old, young, live):
        folder.mkdir(parents=True)
    for folder in (old, live):
        os.utime(folder, (1, 1))
    make(text, cache)
    assert (old.exists(), young.exists(), live.exists()) == (False, True, True)


def test_another_process_that_wrote_the_same_rows_first_is_fine(
    text: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, settle = tmp_path / "copy.txt", matrix.settle_rows
    copy.write_bytes(text.read_bytes())
    others: list[Corpus[Any]] = []

    def slow(*arguments: Any) -> str:
        monkeypatch.undo()
        others.append(make(copy, cache))  # meanwhile, all of it, from another file
        return settle(*arguments)

    monkeypatch.setattr(matrix, "settle_rows", slow)
    mine = make(text, cache)
    assert mine.fingerprint == others[0].fingerprint
    assert mine.train.ids.tolist() == others[0].train.ids.tolist()
    assert [path.name for path in (cache / "rows").iterdir()] == [mine.fingerprint]
    assert list((cache / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no text in"),
        (b"\n \n\t\n", "no text in"),
        (b"one short line\n", "at least 25 different lines"),
        (b"same\n" * 100, "at least 25 different lines"),
        (b"\x89PNG\0\0", "is a binary file"),
        (b"a\n\xff\nb\n\xfe\n", r"not UTF-8: 2, the first .*t\.txt:2; .*corpus\.errors=skip"),
    ],
)
def test_bad_text_is_one_line_that_says_what_to_do(tmp_path: Path, cache: Path, raw: bytes, says: str) -> None:
    (tmp_path / "t.txt").write_bytes(raw)
    with pytest.raises(TextganError, match=says) as caught:
        make(tmp_path / "t.txt", cache)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)


def test_a_folder_without_text_and_a_pipe_are_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TextganError, match="holds no text file"):
        make(tmp_path / "folder", cache)
    with pytest.raises(TextganError, match="neither a file nor a folder"):
        make(tmp_path / "pipe", cache)


@pytest.mark.parametrize("name", ["bilion_word", "", "x" * 5000, "~no_such_user/x", "a\0b", "no/such/file"])
def test_an_unknown_corpus_is_a_usage_error(cache: Path, name: str) -> None:
    with pytest.raises(UsageError, match="unknown corpus") as caught:
        make(name, cache)
    assert ("did you mean 'billion_word'" in str(caught.value)) == (name == "bilion_word")


# --- registered corpora ---------------------------------------------------------------------------------------------


def test_every_card_is_complete() -> None:
    assert {"billion_word", "python_docs"} <= set(cards.names())
    for name in cards.names():
        card = cards.card(name)
        assert all((card.title, card.source, card.licence, card.split, card.how_to_get, card.citation))
    with pytest.raises(UsageError, match="did you mean 'python_docs'"):
        cards.card("python_doc")


def test_presets_of_corpora() -> None:
    assert cards.suits("billion_word")[0] == "wgan_gp"
    assert cards.suits("python_docs") == cards.suits("some/file.txt") == (Config().preset, {})


def test_billion_word_never_trains_on_the_decoy_nor_on_held_out_text(tmp_path: Path, cache: Path) -> None:
    training, heldout = (
        tmp_path / name
        for name in ("training-monolingual.tokenized.shuffled", "heldout-monolingual.tokenized.shuffled")
    )
    for path, line in [
        (training / "news.en-00001-of-00100", "trained on"),
        (heldout / "news.en.heldout-00000-of-00050", "held out"),
        (heldout / "news.en-00000-of-00100", "decoy"),
    ]:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{line}\n" * 3)
    corpus = make("billion_word", cache, data=str(tmp_path), max_lines=2)
    assert corpus.space.decode(corpus.train.ids) == ["trained on"] * 2
    assert corpus.space.decode(corpus.heldout.ids) == ["\ufffde\ufffdd o\ufffdt"] * 3
    assert corpus.facts["split"] == "official"


@pytest.mark.slow
def test_python_docs_is_some_12_000_sentences_scanned_once(cache: Path) -> None:
    told: list[str] = []
    corpus = make("python_docs", cache, length=32, heldout=0.1, tell=told.append)
    again = make("python_docs", cache, length=400, heldout=0.1, tell=told.append)
    assert sum("once" in line for line in told) == 1
    lines = corpus.facts["lines"]
    assert 10_000 < lines["train"] + lines["heldout"] < 15_000
    assert lines["heldout"] / lines["train"] == pytest.approx(1 / 9, rel=0.15)
    assert corpus.facts["cut"] == "windows"
    assert corpus.space.size < 90
    assert set("".join(corpus.space.symbols)) <= {chr(i) for i in range(32, 127)}
    train, held = (set(again.space.decode(rows.ids)) for rows in (again.train, again.heldout))
    assert not train & held
    assert len(train | held) == len(again.train) + len(again.heldout)


def test_the_real_shards(cache: Path) -> None:
    data = os.environ.get("TEXTGAN_TEST_DATA")
    if not data:
        pytest.skip("TEXTGAN_TEST_DATA is not set")
    told: list[str] = []
    corpus = make(
        "billion_word", cache, data=f"{data}/billion_word", length=32, cut="line", pad="backtick", tell=told.append
    )
    assert corpus.facts["lines"] == {"train": 6_111 + 6_105 + 5_986, "heldout": 6_075}
    assert corpus.facts["split"] == "shard 00000 of the held-out shards"
    assert any("measuring on shard 00000" in line for line in told)
    assert 90 < len(corpus.space.symbols) < 130
