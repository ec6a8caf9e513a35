"""The heads of lines, which the first pass leaves for the second: against the way that reads the text twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textgan.corpora import prepare as module
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.corpora.text import alphabet, heads, sources, streams
from textgan.corpora.text.heads import EncodeHeads, HeadFiles, heads_of, pieces
from textgan.errors import TextganError
from textgan.symbols import Symbols

ODD = ["\r", "\t", "\x1c", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffd", "`", " ", "a", "A", "c", "é", "ſ", "漢", "😀"]
ANY = st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])
LINE = st.text(ANY, max_size=9) | st.lists(st.sampled_from(ODD), max_size=9).map("".join)
UNITS = ["char", "dna", "protein"]


@given(st.lists(LINE), st.integers(1, 6), st.sampled_from(UNITS), st.sampled_from([1, 5, 2048]), st.booleans())
def test_heads_have_the_counts_and_rows_of_their_lines(
    lines: list[str], length: int, unit: str, most: int, backtick: bool
) -> None:
    counts = alphabet.count(unit, lines, length, beyond=False)[0]
    left = heads_of(lines, length)
    assert left.decode() == "".join(f"{line[:length]}\n" for line in lines)
    assert alphabet.count_heads(unit, left) == counts
    pad = "backtick" if backtick and unit == "char" else "own"
    space = alphabet.build(unit, counts, [], length=length, pad=pad, max_symbols=most)
    ids, numbers = space.rows(lines, "line")
    for encoded in EncodeHeads(space)({"train": left} if lines else {}).values():
        assert (encoded.lines, encoded.labels) == (len(lines), None)
        assert encoded.numbers.tolist() == numbers.tolist() == list(range(len(lines)))
        assert encoded.ids.dtype == ids.dtype
        assert encoded.ids.tolist() == ids.tolist()


def test_many_symbols_take_two_bytes() -> None:
    line = "".join(map(chr, range(0x4E00, 0x4F00)))
    space = Symbols(tuple(line), 300)
    rows = EncodeHeads(space)({"heldout": f"{line}\n".encode()})["heldout"].ids
    assert rows.dtype == np.uint16
    assert space.decode(rows) == [line]


def test_short_heads_of_long_rows_are_few_at_a_time(tmp_path: Path) -> None:
    with HeadFiles(tmp_path, {"train": 0, "heldout": 0}) as files:
        files.append({"train": b"a\n" * 10_000})
    found = [piece["train"].count(b"\n") for piece in pieces(tmp_path, "train", 4096)]
    assert max(found) * 4096 <= 1 << 23
    assert sum(found) == 10_000


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_files_of_heads_grow_and_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(heads, "BLOCK", 5 * size)
    with HeadFiles(tmp_path, {"train": 0, "heldout": 0}) as files:
        files.append({"train": b"a\n\nb\n", "heldout": b"c\n"})
        sizes = files.sync()
        files.append({"train": b"lost\n", "heldout": b"lost\n"})
    assert sizes == {"train": 5, "heldout": 2}
    with HeadFiles(tmp_path, sizes) as files:
        files.append({"train": b"d\n"})
    found = list(pieces(tmp_path, "train", 5))
    assert b"".join(piece["train"] for piece in found) == b"a\n\nb\nd\n"
    assert all(piece["train"].endswith(b"\n") for piece in found)
    assert len(found) == {1: 3, 3: 2, 10: 1, 1000: 1}[size]
    assert list(pieces(tmp_path, "heldout", 5)) == [{"heldout": b"c\n"}]


# --- prepared with and without them -------------------------------------------------------------------------------


def prepared(source: sources.Source, cache: Path, values: dict[str, Any], *, left: bool) -> Corpus[Any] | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "resolve_source", lambda *_, **__: source)
        patch.setattr(streams, "CHUNK", 60)
        patch.setattr(heads, "BLOCK", 60)
        if not left:
            patch.setattr(module, "_leaves_heads", lambda *_: False)
        try:
            return prepare("x", Settings(cut="line", **values), cache=cache, processes=1)
        except TextganError as error:
            return str(error)


RAW = LINE.map(str.encode) | st.sampled_from([b"\xff", b"a\xc3", b"\xed\xa0\x80", b"same", b"same", b"a\r", b"\r"])
VALUES = st.fixed_dictionaries(
    {
        "length": st.integers(1, 5),
        "heldout": st.sampled_from([0.3, 0.6]),
        "errors": st.sampled_from(["strict", "replace", "skip"]),
        "unit": st.sampled_from(UNITS),
        "max_lines": st.sampled_from([1, 3, 10, 10**6]),
        "deduplicate": st.booleans(),
        "normalise": st.sampled_from(["none", "NFKC"]),
        "lower": st.booleans(),
        "shortest": st.sampled_from([0, 2]),
        "longest": st.sampled_from([0, 7]),
        "max_symbols": st.sampled_from([2, 2048]),
    }
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RAW, min_size=20, max_size=40), VALUES, st.booleans())
def test_heads_give_the_rows_of_the_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], values: dict[str, Any], split: bool
) -> None:
    folder = tmp_path_factory.mktemp("heads")
    shards = []
    for i, part in enumerate((lines[::2], lines[1::2])):
        (folder / f"{i}.txt").write_bytes(b"\n".join(part))
        shards.append(sources.shard_of(folder / f"{i}.txt"))
    source = sources.Source("x", "x", training=(shards[0],), heldout=(shards[1],))
    if not split:
        source = sources.Source("x", "x", training=tuple(shards))
    with_heads, without = (prepared(source, folder / str(left), values, left=left) for left in (True, False))
    if isinstance(with_heads, str) or isinstance(without, str):
        assert with_heads == without
        return
    assert with_heads.fingerprint == without.fingerprint
    assert with_heads.facts == without.facts


CASES = [
    ({}, True),
    ({"unit": "dna"}, True),
    ({"unit": "byte"}, False),
    ({"unit": "word"}, False),
    ({"cut": "auto"}, False),
    ({"label_column": "kind"}, False),
]


@pytest.mark.parametrize(("changes", "left"), CASES)
def test_only_characters_of_the_line_cut_leave_heads(tmp_path: Path, changes: dict[str, Any], left: bool) -> None:
    path, cache, sizes = tmp_path / "t.tsv", tmp_path / "cache", []
    path.write_text("kind\ttext\n" + "".join(f"{'ab'[i % 2]}\tline {i}\n" for i in range(100)))

    def show(stage: str, lines: int, share: float | None) -> None:
        sizes.append(sum(file.stat().st_size for file in cache.glob("work/*/*.heads")))

    values: dict[str, Any] = {"length": 5, "cut": "line", "column": "text"} | changes
    corpus = prepare(str(path), Settings(**values), cache=cache, processes=1, show=show)
    assert (max(sizes) > 0) == left
    assert corpus.space.labels == (("a", "b") if "label_column" in changes else ())
    assert not list(cache.rglob("*.heads"))
