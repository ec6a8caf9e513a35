"""Each format to lines, against hand-made files."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textgan.corpora.text import records, streams, wire
from textgan.corpora.text.damage import NOT_UTF8, Damage
from textgan.corpora.text.formats import FORMATS, format_of, stem
from textgan.corpora.text.records import Columns
from textgan.corpora.text.streams import file_stream
from textgan.errors import TextganError


def read(path: Path, form: str, column: str = "", label: str = "", errors: str = "skip") -> tuple[list[str], Damage]:
    damage = Damage(errors)
    blocks = map(wire.loaded, FORMATS[form](file_stream(path), Columns(column, label), damage))
    return b"".join(blocks).decode().split("\n")[:-1], damage


def lines(tmp_path: Path, raw: bytes | str, form: str, column: str = "", label: str = "") -> list[str]:
    """The lines of what is whole."""
    (tmp_path / "t").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    found, damage = read(tmp_path / "t", form, column, label)
    assert not damage.counts, damage.describe()
    return found


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


# --- text, smiles, fasta ------------------------------------------------------------------------------------------


def test_text_is_its_lines(tmp_path: Path) -> None:
    assert lines(tmp_path, "\ufeffa\tb\n\nc", "text") == ["a\tb", "", "c"]


def test_smiles_is_the_first_field_of_each_line(tmp_path: Path) -> None:
    raw = "smiles id\nCC(=O)O acid 1\n\nC[nH]\tx\r\n  CCl  y\r\nsmiles\n"
    assert lines(tmp_path, raw, "smiles") == ["", "CC(=O)O", "", "C[nH]", "CCl", "smiles"]


def test_fasta_joins_what_is_wrapped(tmp_path: Path) -> None:
    raw = "; by hand\n>one description\nACGT\nac gt\r\n\n>empty\n>two\n; remark\nNN*\n>three\nA"
    assert lines(tmp_path, raw, "fasta") == ["ACGTacgt", "NN*", "A"]


@pytest.mark.parametrize("width", [1, 7, 10, 1000])
def test_a_long_sequence_breaks_alike_however_it_is_wrapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    rng = random.Random(0)
    sequences = ["".join(rng.choices("ACGT", k=size)) for size in (3, 10, 20, 21, 99)]
    wrapped = (">x\n" + "\n".join(s[i : i + width] for i in range(0, len(s), width)) for s in sequences)
    (tmp_path / "t").write_text("\n".join(wrapped))
    for module in (wire, FORMATS["fasta"].__globals__):
        monkeypatch.setitem(module if isinstance(module, dict) else vars(module), "LONGEST", 10)
    monkeypatch.setattr(streams, "CHUNK", 16)
    assert read(tmp_path / "t", "fasta")[0] == [s[i : i + 10] for s in sequences for i in range(0, len(s), 10)]


# --- JSON lines ---------------------------------------------------------------------------------------------------


def test_json_lines_are_the_text_field_or_the_only_string(tmp_path: Path) -> None:
    raw = '{"id": "7", "text": "a\\u00e9\\ud83d\\ude00"}\n\n {"text": "b"}\r\n'
    assert lines(tmp_path, raw, "jsonl") == ["aé😀", "b"]
    assert lines(tmp_path, '{"id": 7, "body": "a"}\n{"body": "b", "more": "c"}', "jsonl") == ["a", "b"]
    assert lines(tmp_path, '{"id": 7, "body": "a", "of": "x"}', "jsonl", "of") == ["x"]


def test_labels_of_json_lines_may_be_numbers(tmp_path: Path) -> None:
    raw = "".join(json.dumps({"y": y, "x": "a"}) + "\n" for y in ("l", 3, 0.5, True))
    assert lines(tmp_path, raw, "jsonl", "x", "y") == ["l\ta", "3\ta", "0.5\ta", "true\ta"]
    assert lines(tmp_path, '{"text": "cat", "body": "a"}', "jsonl", label="text") == ["cat\ta"]


def test_each_line_of_a_record_is_a_line_with_its_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST", 8)
    raw = json.dumps({"text": "a\nb\r\n\rc d\u2028e\tf gh", "label": "L"})
    assert lines(tmp_path, raw, "jsonl", label="label") == ["L\ta", "L\tb", "L\t", "L\tc ", "L\td\u2028e\tf ", "L\tgh"]


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "column", "label", "expected"),
    [
        ("one\ntwo\n", "", "", ["one", "two"]),
        ("text\none\n", "", "", ["one"]),
        ("id\ttext\n1\tone\n2\ttwo", "", "", ["one", "two"]),
        ("id\tbody\n1\tone\n", "body", "", ["one"]),
        ("1\tone\n2\ttwo\n", "2", "", ["one", "two"]),
        ("x\tone\ny\ttwo\n", "", "1", ["x\tone", "y\ttwo"]),
        ("x\tone\tp\ny\ttwo\tq\n", "3", "1", ["x\tp", "y\tq"]),
        ("kind\tbody\nx\tone\n", "", "kind", ["x\tone"]),
        ("kind\tbody\tid\nx\tone\t1\n", "body", "kind", ["x\tone"]),
        ("kind\ttext\tid\nx\tone\t1\n", "", "3", ["1\tone"]),
        ("kind\tbody\nx\tone\n", "body", "1", ["x\tone"]),
        ('"a"\t"b\nc\t"d""\r\n\n', "2", "", ['"b', '"d""']),
        ("", "", "", []),
    ],
)
def test_columns_of_tab_separated_values(
    tmp_path: Path, raw: str, column: str, label: str, expected: list[str]
) -> None:
    assert lines(tmp_path, raw, "tsv", column, label) == expected


def test_quoted_fields_of_comma_separated_values(tmp_path: Path) -> None:
    raw = 'label,text\r\na,"x, ""y"""\r\n\r\nb,"two\r\nlines"\r\nc,plain\r\n'
    assert lines(tmp_path, raw, "csv", label="label") == ['a\tx, "y"', "b\ttwo", "b\tlines", "c\tplain"]


def test_csv_gives_back_what_was_written(tmp_path: Path) -> None:
    rng = random.Random(0)
    texts = ["".join(rng.choices('ab ,"é\n', k=rng.randrange(12))) for _ in range(500)]
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([[i, text] for i, text in enumerate(texts)])
    assert lines(tmp_path, out.getvalue(), "csv", "2") == "\n".join(texts).split("\n")


# --- Parquet ------------------------------------------------------------------------------------------------------


def test_parquet_is_the_text_column_or_the_only_string(tmp_path: Path) -> None:
    texts = [f"line {i}" for i in range(3000)]
    for columns in (
        {"text": texts, "title": texts[::-1]},
        {"id": list(range(3000)), "body": texts},
        {"body": pa.array(texts).dictionary_encode()},
        {"body": pa.array(texts, pa.large_string())},
        {"body": pa.array(texts, pa.binary())},
    ):
        file = parquet(tmp_path / "t", columns, row_group_size=700)
        assert read(file, "parquet") == (texts, Damage("skip"))
    assert read(parquet(tmp_path / "t", {"text": texts[:1], "b": ["x"]}), "parquet", "b")[0] == ["x"]


def test_labels_of_parquet(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t", {"text": ["a\nb", None, "c", "d"], "y": [1, 2, None, 4], "z": list("pqrs")})
    found, damage = read(file, "parquet", "text", "y")
    assert found == ["1\ta", "1\tb", "4\td"]
    assert damage.first == {
        "records without text in their column": f"{file}:2",
        "records without a label": f"{file}:3",
    }
    assert read(file, "parquet", "text", "z")[0] == ["p\ta", "p\tb", "r\tc", "s\td"]


# --- what is damaged ----------------------------------------------------------------------------------------------

NO_TEXT, NO_LABEL = "records without text in their column", "records without a label"
BAD_LABEL, NUL = "labels with a tab or a line end", "records with NUL characters"


@pytest.mark.parametrize(
    ("form", "raw", "label", "kept", "kind", "place"),
    [
        ("jsonl", b'{"text": "a"}\n\n{"text": \n{"text": "b"}', "", ["a", "b"], "lines that are no JSON objects", 3),
        ("jsonl", b'{"text": "a"}\n["text"]', "", ["a"], "lines that are no JSON objects", 2),
        ("jsonl", b'{"text": "a"}\n' + b"[" * 99_999, "", ["a"], "lines that are no JSON objects", 2),
        ("jsonl", b'{"text": "a"}\n' + b"9" * 9999, "", ["a"], "lines that are no JSON objects", 2),
        ("jsonl", b'{"text": null}\n{"text": "b", "c": "d"}', "", ["b"], NO_TEXT, 1),
        ("jsonl", b'{"text": "a"}\n{"txt": "b"}', "", ["a"], NO_TEXT, 2),
        ("jsonl", b'{"text": "a"}\n{"text": 3}', "", ["a"], NO_TEXT, 2),
        ("jsonl", b'{"text": "a"}\n{"text": "\\u0000"}', "", ["a"], NUL, 2),
        ("jsonl", b'{"text": "a"}\n{"text": "caf\xe9"}', "", ["a"], NOT_UTF8, 2),
        ("jsonl", b'{"text": "a"}\n{"text": "\\udc00"}', "", ["a"], NOT_UTF8, 2),
        ("jsonl", b'{"text": "a", "y": "l"}\n{"text": "b"}', "y", ["l\ta"], NO_LABEL, 2),
        ("jsonl", b'{"text": "a", "y": "l"}\n{"text": "b", "y": {}}', "y", ["l\ta"], NO_LABEL, 2),
        ("jsonl", b'{"text": "a", "y": "l"}\n{"text": "b", "y": ""}', "y", ["l\ta"], NO_LABEL, 2),
        ("jsonl", b'{"text": "a", "y": "l"}\n{"text": "b", "y": "m\\t"}', "y", ["l\ta"], BAD_LABEL, 2),
        ("jsonl", b'{"text": "a", "y": "l"}\n{"text": "b", "y": "m\\n"}', "y", ["l\ta"], BAD_LABEL, 2),
        ("tsv", b"text\ty\na\tl\nb\n", "y", ["l\ta"], NO_LABEL, 3),
        ("tsv", b"y\ttext\nl\ta\nl\n", "y", ["l\ta"], NO_TEXT, 3),
        ("tsv", b"text\ty\na\tl\nb\xff\tm\n", "y", ["l\ta"], NOT_UTF8, 3),
        ("csv", b'text,y\n"a",l\n"b"x,m\n"c",n\n', "y", ["l\ta", "n\tc"], "rows with broken quotes", 3),
        ("csv", b'text,y\na,l\n\n"b,m\nc,n\n', "y", ["l\ta"], "rows with broken quotes", 4),
        ("csv", b'text,y\n"a\nb",l\n"\xe9\n",m\n', "y", ["l\ta", "l\tb"], NOT_UTF8, 4),
        ("fasta", b"ACGT\n>x\nAC\n", "", ["AC"], "sequences before the first header (>)", 1),
        ("fasta", b">x\nAC\n>y\nA\xffC\n", "", ["AC"], NOT_UTF8, 3),
    ],
)
def test_damage_is_left_out_counted_and_named(
    tmp_path: Path, form: str, raw: bytes, label: str, kept: list[str], kind: str, place: int
) -> None:
    (tmp_path / "t").write_bytes(raw)
    found, damage = read(tmp_path / "t", form, "", label)
    assert found == kept
    assert (damage.counts, damage.first) == ({kind: 1}, {kind: f"{tmp_path}/t:{place}"})


def test_replaced_is_what_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b'{"text": "caf\xe9"}\n{"text": "\\udc00x"}\n{"text": null}\n')
    found, damage = read(tmp_path / "t", "jsonl", errors="replace")
    assert found == ["caf\ufffd", "\ufffdx"]
    assert damage.counts == {NOT_UTF8: 2, NO_TEXT: 1}


def test_a_record_of_any_length_is_whole_and_one_too_long_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t").write_text('{"text": "' + "ab " * (3 << 20) + '"}\n{"text": "next"}\n')
    found, damage = read(tmp_path / "t", "jsonl")
    assert ("".join(found[:-1]), found[-1]) == ("ab " * (3 << 20), "next")
    assert not damage.counts
    monkeypatch.setattr(records, "LARGEST", 1 << 20)
    found, damage = read(tmp_path / "t", "jsonl")
    assert found == ["next"]
    assert damage.first == {"records longer than 1,048,576 bytes": f"{tmp_path}/t:1"}


@pytest.mark.parametrize(
    ("form", "raw", "column", "label", "says"),
    [
        ("jsonl", '{"a": "x", "b": "y"}', "", "", r"has no column 'text', nor only one .*: a, b\); say which"),
        ("jsonl", '{"n": 1}', "", "", r"has no column 'text'.*: n\)"),
        ("tsv", "a\tb\n", "", "", r"has no column 'text'.*: a, b\)"),
        ("tsv", "a\tb\n", "c", "", r"has no column 'c' \(its columns: a, b\); say which with --column"),
        ("tsv", "a\tb\n", "3", "", "has no column '3'"),
        ("tsv", "a\tb\n", "0", "", "has no column '0'"),
        ("tsv", "a\tb\n", "9" * 9999, "", "has no column '9"),
        ("csv", "a,b\n", "a", "y", r"has no column 'y' \(its columns: a, b\)"),
        ("csv", "a,b,c\n", "", "a", "has no column 'text', nor only one"),
    ],
)
def test_a_missing_column_is_one_line_that_names_those_there_are(
    tmp_path: Path, form: str, raw: str, column: str, label: str, says: str
) -> None:
    (tmp_path / "t").write_text(raw)
    with pytest.raises(TextganError, match=says) as caught:
        read(tmp_path / "t", form, column, label)
    assert str(caught.value).startswith(f"{tmp_path}/t ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "column", "label", "says"),
    [
        ({"a": ["x"], "b": ["y"]}, "", "", r"has no column 'text', nor only one .*: a, b\)"),
        ({"a": ["x"], "n": [1]}, "n", "", r"has no column 'n of text' \(its columns: a, n\)"),
        ({"a": ["x"]}, "c", "", "has no column 'c'"),
        ({"a": ["x"]}, "", "y", "has no column 'y'"),
    ],
)
def test_a_missing_column_of_parquet(
    tmp_path: Path, columns: dict[str, Any], column: str, label: str, says: str
) -> None:
    with pytest.raises(TextganError, match=says):
        read(parquet(tmp_path / "t", columns), "parquet", column, label)


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "head", "columns", "form"),
    [
        ("a.txt", b"", Columns(), "text"),
        ("news.en-00001-of-00100", b"", Columns(), "text"),
        ("a/b.JSONL.gz", b"", Columns(), "jsonl"),
        ("a.ndjson.zst", b"", Columns(), "jsonl"),
        ("a.csv", b"", Columns("x"), "csv"),
        ("a.faa", b"", Columns(), "fasta"),
        ("a.smi.gz", b"", Columns(), "smiles"),
        ("a.txt", b"PAR1", Columns(), "parquet"),
        ("a.txt", b"x", Columns(label="2"), "tsv"),
        ("stdin.txt", b'\xef\xbb\xbf {"a"', Columns("a"), "jsonl"),
        ("a.txt", b'{"a"', Columns(), "text"),
    ],
)
def test_formats_of_files(name: str, head: bytes, columns: Columns, form: str) -> None:
    assert format_of(name, head, columns) == form


@pytest.mark.parametrize(
    ("name", "short"),
    [("a/b.txt.gz", "b"), ("b.v2.csv", "b.v2"), ("b.v2", "b.v2"), ("b.tar.gz", "b"), ("b.tgz", "b"), ("b.gz", "b")],
)
def test_stems(name: str, short: str) -> None:
    assert stem(name)[0] == short
