"""Reading, splitting, counting and cutting text, against hand-made lines and slow oracles."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from textgan.corpora.text import alphabet, cutting, python_docs, sources
from textgan.corpora.text.sources import Source, Tally
from textgan.corpora.text.split import position, split_blocks
from textgan.errors import TextganError


def read(path: Path, errors: str = "skip") -> tuple[list[str], Tally]:
    tally = Tally()
    return [line for block in sources.read_blocks(path, errors=errors, tally=tally) for line in block], tally


# --- sources ------------------------------------------------------------------------------------------------------


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    odd = "a\x0bb\x0c c\x1cd\x85e\u2028f\rg"
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbf" + f"{odd}\r\n\n \t\n\ufeffx\r\r\nlast".encode())
    lines, tally = read(tmp_path / "t")
    assert lines == [odd, "\ufeffx\r", "last"]
    assert tally.read == 5


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_blocks_do_not_depend_on_the_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    rng = random.Random(0)
    lines = ["".join(rng.choice("ab\ré漢😀 ") for _ in range(rng.randrange(40))) for _ in range(300)]
    (tmp_path / "t").write_bytes("\r\n".join(lines).encode())
    monkeypatch.setattr(sources, "LONGEST", 16)
    whole = read(tmp_path / "t")
    monkeypatch.setattr(sources, "CHUNK", chunk)
    assert read(tmp_path / "t") == whole
    assert "".join("".join(whole[0]).split()) == "".join("".join(lines).split())
    assert max(len(line.encode()) for line in whole[0]) <= 16


def test_a_book_on_one_line_breaks_at_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONGEST", 8)
    (tmp_path / "t").write_text("one two three fourteens x")
    assert read(tmp_path / "t")[0] == ["one two ", "three ", "fourteen", "s x"]


@pytest.mark.parametrize(
    ("errors", "kept"), [("skip", ["good", "fine"]), ("replace", ["good", "caf\ufffd", "\ufffd", "fine"])]
)
def test_lines_that_are_not_utf8_are_counted(tmp_path: Path, errors: str, kept: list[str]) -> None:
    (tmp_path / "t").write_bytes(b"good\n\ncaf\xe9\n\xff\nfine\n")
    lines, tally = read(tmp_path / "t", errors)
    assert lines == kept
    assert (tally.undecodable, tally.first_undecodable) == (2, tmp_path / "t")


@pytest.mark.parametrize(
    ("raw", "number"),
    [(b"a\nb\n\xff\n", 3), (b"\xff", 1), (b"a\n\xc3\nb", 2), (b"a\nb\xc3", 2), ("é\n漢\n".encode(), 0)],
)
@pytest.mark.parametrize("chunk", [1, 2, 1 << 20])
def test_the_first_bad_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, number: int, chunk: int
) -> None:
    monkeypatch.setattr(sources, "CHUNK", chunk)
    (tmp_path / "t").write_bytes(raw)
    assert sources.first_undecodable_line(tmp_path / "t") == number


@pytest.mark.parametrize("raw", [b"text\n\0\0more", "hello".encode("utf-16")])
def test_a_binary_file_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "t").write_bytes(raw)
    with pytest.raises(TextganError, match="is a binary file"):
        read(tmp_path / "t")


def test_a_folder_gives_its_txt_files_or_else_all_visible_ones(tmp_path: Path) -> None:
    for name in ["b.md", "a", ".hidden", ".git/x", "sub/c"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [file.name for file in sources.text_files(tmp_path)] == ["a", "b.md", "c"]
    (tmp_path / "sub" / "d.txt").write_text("d")
    assert [file.name for file in sources.text_files(tmp_path)] == ["d.txt"]


# --- split --------------------------------------------------------------------------------------------------------


def parts(
    source: Source, tally: Tally | None = None, *, heldout: float = 0.3, most: int = 10**6
) -> dict[str, list[str]]:
    sides: dict[str, list[str]] = {"train": [], "heldout": []}
    for side, block in split_blocks(source, heldout=heldout, errors="skip", max_lines=most, tally=tally or Tally()):
        sides[side] += block
    return sides


def test_the_hash_decides_so_duplicates_share_a_side(tmp_path: Path) -> None:
    lines = [f"line {i % 700}" for i in range(2000)]
    (tmp_path / "t").write_text("\n".join(lines))
    sides = parts(Source("t", "t", (tmp_path / "t",)))
    assert sides["heldout"] == [line for line in lines if position(line) < 0.3]
    assert sides["train"] == [line for line in lines if position(line) >= 0.3]
    assert len(set(sides["heldout"])) / 700 == pytest.approx(0.3, abs=0.06)


def test_positions_are_known_and_uniform() -> None:
    assert position("a line of text") == 0x9A21CF35DF1AC676 / 2**64  # b2sum -l 64
    places = np.array([position(str(i)) for i in range(4000)])
    histogram = np.histogram(places, bins=10, range=(0, 1))[0]
    assert ((histogram - 400) ** 2 / 400).sum() < 27.9  # chi square, 9 degrees, p = .001


def test_duplicates_are_dropped_once_and_counted(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("b\na\nb\nc\na\nb\n")
    tally = Tally()
    sides = parts(Source("t", "t", (tmp_path / "t",), deduplicate=True), tally, heldout=1e-9)
    assert sides == {"train": ["b", "a", "c"], "heldout": []}
    assert tally.duplicates == 3


def test_max_lines_counts_training_lines_over_all_files(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("".join(f"{name}{i}\n" for i in range(50)))
    source = Source("t", "t", (tmp_path / "a", tmp_path / "b"))
    whole, cut = parts(source), parts(source, most=60)
    assert len(cut["train"]) == 60
    assert cut["train"] == whole["train"][:60]
    last = whole["train"][59]
    assert cut["heldout"] == [line for line in whole["heldout"] if (line[0], int(line[1:])) < (last[0], int(last[1:]))]
    official = Source("t", "t", (tmp_path / "a",), (tmp_path / "b",))
    assert [len(side) for side in parts(official, most=7).values()] == [7, 50]


# --- alphabet -----------------------------------------------------------------------------------------------------


def test_counts_agree_with_a_counter() -> None:
    lines = ["abba", "", "é漢😀a", "  "]
    counts = alphabet.count(lines)
    assert {chr(i): counts[i] for i in np.flatnonzero(counts)} == Counter("".join(lines))


def test_symbols_fall_in_frequency_and_ties_go_by_code_point() -> None:
    counts = alphabet.count(["ccc", "b`a", "b`a", "é"])
    space = alphabet.text_space(counts, length=4, pad="own", max_symbols=10)
    assert space.symbols == ("c", "`", "a", "b", "é")
    assert (space.knows_unknown, alphabet.outside(counts, space)) == (False, 0)


def test_the_cap_keeps_the_commonest_and_knows_the_rest() -> None:
    counts = alphabet.count(["ccc", "b`a", "b`a", "é"])
    space = alphabet.text_space(counts, length=4, pad="backtick", max_symbols=2)
    assert space.symbols == ("c", "a")
    assert (space.knows_unknown, alphabet.outside(counts, space)) == (True, 3)
    assert space.decode(space.encode(["ca`b"])) == ["ca`\ufffd"]


# --- cutting ------------------------------------------------------------------------------------------------------


def test_windows_start_words_and_are_full() -> None:
    assert cutting.cut_windows("the cat sat on it", 9) == ["the cat s", "cat sat o", "sat on it"]
    assert cutting.cut_windows("a  bc d", 3) == ["a  ", "bc "]
    assert cutting.cut_windows("short", 9) == ["short"]
    assert cutting.cut_windows("exactly 9", 9) == ["exactly 9"]
    assert cutting.cut_windows("0123456789 x", 4) == ["0123"]
    assert cutting.cut_line("the cat sat", 7) == ["the cat"]


def test_windows_agree_with_brute_force() -> None:
    rng = random.Random(1)
    for _ in range(200):
        line = "".join(rng.choice("ab ") for _ in range(rng.randrange(1, 60)))
        length = rng.randrange(2, 12)
        starts = range(len(line) - length + 1)
        expected = [line[i : i + length] for i in starts if i == 0 or (line[i - 1] == " " and line[i] != " ")]
        assert cutting.cut_windows(line, length) == (expected or [line])


@pytest.mark.parametrize(("fitting", "chosen"), [(4, "windows"), (5, "line"), (10, "line")])
def test_auto_is_line_where_half_of_the_lines_fit(fitting: int, chosen: str) -> None:
    assert cutting.choose("auto", fitting=fitting, lines=10) == chosen
    assert cutting.choose("windows", fitting=fitting, lines=10) == "windows"


def test_rows_come_in_bounded_blocks_with_their_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "BLOCK", 8)
    blocks = list(cutting.row_blocks(["a b c d", "e", "f g"], cut="windows", length=3, first=5))
    assert blocks == [(["a b", "b c", "c d"], [5, 5, 5]), (["e", "f g"], [6, 7])]


# --- python docs --------------------------------------------------------------------------------------------------


def test_paragraphs_lose_markup_bullets_and_indented_code() -> None:
    text = (
        "A ``word`` of *note* with **two\n  stars** in :class:`it`.\n\n* An item\n  goes on.\n* Next:\n\n      x = 1\n"
    )
    assert list(python_docs.paragraphs(text)) == [
        "A word of note with two stars in it.",
        "An item goes on.",
        "Next:",
        "x = 1",
    ]


@pytest.mark.parametrize(
    "sentence", ["The value is returned to the caller.", 'It raises "ValueError" (or a subclass) otherwise.']
)
def test_prose_is_kept(sentence: str) -> None:
    assert python_docs.is_prose(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Too short here.",
        "the value starts with a small letter.",
        "The value ends with no full stop",
        "See os.path for the rest of the functions.",
        "Call print() to print the value of it.",
        "The name is snake_case in all of these.",
        "Set x = 1 and then y = 2 for it.",
        "An open (parenthesis is left in here.",
        "A caf\xe9 is no part of plain English text.",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16.",
    ],
)
def test_code_and_fragments_are_dropped(sentence: str) -> None:
    assert not python_docs.is_prose(sentence)


def test_docstrings_are_read_without_importing(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        '"""Module."""\nraise SystemExit\nclass C:\n    """Class \\d."""\n'
        '    async def f(self):\n        """Method."""\n'
    )
    (tmp_path / "bad.py").write_text("def (:")
    assert sorted(filter(None, python_docs.docstrings(tmp_path / "m.py"))) == ["Class \\d.", "Method.", "Module."]
    assert list(python_docs.docstrings(tmp_path / "bad.py")) == []
