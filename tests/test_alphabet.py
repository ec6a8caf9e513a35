"""Counting, building alphabets, learning pieces and cutting, against counters and hand-made lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.corpora.text import alphabet, cutting, pieces
from textgan.errors import TextganError, UsageError
from textgan.symbols import END, UNITS, Symbols, atoms

LINE = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]) | st.sampled_from("  ab"), max_size=30)
SAMPLE = ["the cat sat on the mat .", "a cat and a dog sat .", "dogs and cats like mats"] * 20

TOKENS: dict[str, Callable[[str], list[str]]] = {
    "char": list,
    "byte": lambda line: [chr(byte) for byte in line.encode()],
    "word": lambda line: line.split(" "),
    "smiles": atoms,
}
"""The symbols of a line, slowly."""


def build(lines: list[str], *, unit: str = "char", pad: str = "own", max_symbols: int = 10) -> Symbols:
    heads, tails, _ = alphabet.count(unit, lines, 4)
    return alphabet.build(unit, heads + tails, lines, length=4, pad=pad, max_symbols=max_symbols)


# --- counting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", TOKENS)
@given(lines=st.lists(LINE, max_size=6), length=st.integers(1, 8))
def test_counts_agree_with_a_counter(unit: str, lines: list[str], length: int) -> None:
    lines = [*lines, "plain ASCII", "of both kinds"]
    tokens = [TOKENS[unit](line) for line in lines]
    heads, tails, fitting = alphabet.count(unit, lines, length)
    assert heads == Counter(token for line in tokens for token in line[:length])
    assert tails == Counter(token for line in tokens for token in line[length:])
    assert fitting == sum(len(line) <= length for line in tokens)


@pytest.mark.parametrize("unit", ["dna", "protein"])
def test_declared_alphabets_are_counted_in_upper_case(unit: str) -> None:
    heads, tails, fitting = alphabet.count(unit, ["acGT", "éaa", "ßA"], 2)
    assert (heads, tails, fitting) == ({"A": 3, "C": 1, "é": 1, "ß": 1}, {"G": 1, "T": 1, "A": 1}, 1)


def test_pieces_are_not_counted() -> None:
    assert alphabet.count("piece", ["1234" * 8, "1234" * 8 + "5"], 8) == ({}, {}, 1)


def test_no_lines_hold_nothing() -> None:
    for unit in UNITS:
        assert alphabet.count(unit, [], 4) == ({}, {}, 0)


@given(codes=st.binary(max_size=50))
def test_bytes_are_counted_two_at_a_time(codes: bytes) -> None:
    times = alphabet.histogram(np.frombuffer(codes, np.uint8))
    assert times.tolist() == [codes.count(byte) for byte in range(256)]


def test_merging_adds_and_gives_up_the_rarest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alphabet, "MOST", 4)
    counts: Counter[str] = Counter()
    alphabet.merge(counts, Counter(a=5, b=1, c=3, d=1))
    assert counts == {"a": 5, "b": 1, "c": 3, "d": 1}
    alphabet.merge(counts, Counter(e=2, a=1))
    assert counts == {"a": 6, "c": 3, END: 4}
    space = alphabet.build("word", counts, [], length=3, pad="own", max_symbols=10)
    assert (space.symbols, space.knows_unknown, alphabet.outside(counts, space)) == (("a", "c"), True, 4)


# --- building -------------------------------------------------------------------------------------------------------


def test_symbols_fall_in_frequency_and_ties_go_by_code_point() -> None:
    lines = ["ccc", "b`a", "b`a", "é"]
    space = build(lines)
    assert space.symbols == ("c", "`", "a", "b", "é")
    assert (space.length, space.pad, space.unit, space.knows_unknown) == (4, "own", "char", False)
    assert alphabet.outside(Counter("".join(lines)), space) == 0


def test_the_cap_keeps_the_commonest_and_knows_the_rest() -> None:
    lines = ["ccc", "b`a", "b`a", "é"]
    space = build(lines, pad="backtick", max_symbols=2)
    assert space.symbols == ("c", "a")
    assert space.knows_unknown
    assert alphabet.outside(Counter("".join(lines)), space) == 3
    assert space.decode(space.encode(["ca`b"])) == ["ca`\ufffd"]


def test_words_are_ranked_as_wholes() -> None:
    assert build(["b a b  c", "a b"], unit="word").symbols == ("b", "a", "", "c")


@pytest.mark.parametrize(("lines", "knows"), [(["ACga"], False), (["ACRa"], True)])
def test_declared_alphabets_ignore_the_counts_but_know_the_unknown(lines: list[str], knows: bool) -> None:
    space = build(lines, unit="dna", max_symbols=2)
    assert (space.symbols, space.knows_unknown) == (tuple("ACGTN"), knows)
    assert alphabet.outside(alphabet.count("dna", lines, 2)[1], space) == int(knows)


@pytest.mark.parametrize("unit", sorted(UNITS.keys() - {"char"}))
def test_only_characters_are_padded_with_backticks(unit: str) -> None:
    with pytest.raises(UsageError, match=f"^text.pad: backtick is a character, and text.unit is {unit}"):
        build(["abc"], unit=unit, pad="backtick")


# --- pieces ---------------------------------------------------------------------------------------------------------


def test_pieces_are_the_same_every_time_and_fall_in_frequency(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = (build(SAMPLE, unit="piece", max_symbols=310) for _ in range(2))
    assert first == second
    assert not first.knows_unknown
    assert len(first.symbols) <= 310
    times = np.bincount(Symbols(first.symbols, 99, unit="piece", tokenizer=first.tokenizer).encode(SAMPLE).ravel())
    falling = times[1:].tolist()
    assert falling == sorted(falling, reverse=True)
    assert capfd.readouterr() == ("", "")


def test_the_cap_of_pieces_is_reached_but_not_passed() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 5)) for _ in range(300)]
    lines = [" ".join(rng.choice(words, 9)) for _ in range(300)]
    assert len(build(lines, unit="piece", max_symbols=350).symbols) == 350


def test_characters_too_rare_for_a_piece_are_spelt_in_bytes() -> None:
    lines = ["".join(map(chr, range(start, start + 50))) for start in range(0x4E00, 0x4E00 + 1000, 50)]
    space = build([*SAMPLE, *lines], unit="piece", max_symbols=320)
    wide = Symbols(space.symbols, 200, unit="piece", tokenizer=space.tokenizer)
    assert wide.decode(wide.encode(lines)) == lines


def test_a_space_has_a_piece_even_where_the_sample_has_none() -> None:
    assert "▁" in build(["abcabc"] * 9, unit="piece", max_symbols=300).symbols


def test_pieces_need_room_and_text() -> None:
    with pytest.raises(UsageError, match=r"text.max_symbols: 299 is too few .* at least 300"):
        alphabet.check("piece", pad="own", max_symbols=299)
    with pytest.raises(TextganError, match="too poor"):
        pieces.train([], 300)


# --- cutting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fitting", "chosen"), [(4, "windows"), (5, "line"), (10, "line")])
def test_auto_is_line_where_half_of_the_lines_fit(fitting: int, chosen: str) -> None:
    assert cutting.choose("auto", fitting=fitting, lines=10) == chosen
    assert cutting.choose("windows", fitting=fitting, lines=10) == "windows"


def test_rows_come_in_bounded_blocks_with_their_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "BLOCK", 24)
    space = Symbols(tuple(" abcdefg"), 3)
    blocks = list(cutting.row_blocks(["a b c d", "e", "f g", ""], space, cut="windows", first=5))
    assert [space.decode(rows) for rows, _ in blocks] == [["a b", "b c", "c d"], ["e", "f g", ""]]
    assert [numbers.tolist() for _, numbers in blocks] == [[5, 5, 5], [6, 7, 8]]


@given(lines=st.lists(LINE, max_size=8), block=st.integers(1, 90), cut=st.sampled_from(["line", "windows"]))
def test_blocks_change_no_row(lines: list[str], block: int, cut: str) -> None:
    space = build([*lines, "x"], max_symbols=9)
    whole, numbers = space.rows(lines, cut)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "BLOCK", block)
        blocks = list(cutting.row_blocks(lines, space, cut=cut, first=3))
    assert [row for rows, _ in blocks for row in rows.tolist()] == whole.tolist()
    assert [number for _, part in blocks for number in part.tolist()] == (numbers + 3).tolist()


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "piece"])
def test_what_is_beyond_is_counted_only_where_it_is_asked_for(unit: str) -> None:
    lines = ["A C G é " * 20, "acgt", "a" * 60, ""]
    heads, tails, fitting = alphabet.count(unit, lines, 5)
    assert tails
    assert alphabet.count(unit, lines, 5, beyond=False) == (heads, {}, fitting)
