"""Symbols of every unit, against slow oracles that cut and join one line at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan import symbols as module
from textgan.corpora.text import alphabet
from textgan.symbols import BACKTICK, UNITS, UNKNOWN, Symbols

LINE = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"]) | st.sampled_from("  ▁ab"), max_size=30
)
HARD = [
    "",
    " ",
    "a  b",
    " a ",
    "\u2028x\x85",
    "e\u0301",
    "漢字 😀",
    "▁▁ ▁",
    "\0",
    "\r",
    "[nH]Cl%12[",
    "ﬁ\ufffd",
    "\t`",
    "<unk><0x41></s> ⁇",
]
SAMPLE = ["the cat sat on the mat .", "a cat and a dog sat .", "dogs and cats like mats"] * 20


@cache
def pieces(length: int = 200) -> Symbols:
    """Pieces learnt from a few words; bytes spell the rest."""
    return alphabet.build("piece", Counter(), SAMPLE, length=length, pad="own", max_symbols=300)


def built(unit: str, lines: list[str], length: int, max_symbols: int = 2000) -> Symbols:
    """Return the symbols of lines."""
    if unit == "piece":
        return pieces(length)
    heads, tails, _ = alphabet.count(unit, lines, length)
    return alphabet.build(unit, heads + tails, [], length=length, pad="own", max_symbols=max_symbols)


TOKENS: dict[str, Callable[[str], list[str]]] = {
    "char": list,
    "byte": lambda line: [chr(byte) for byte in line.encode()],
    "word": lambda line: line.split(" "),
    "dna": lambda line: list(line.upper()),
    "protein": lambda line: list(line.upper()),
    "smiles": re.compile(r"\[[^][]*\]|%\d\d|Cl|Br|[\s\S]", re.ASCII).findall,
}
"""The symbols of a line, slowly."""

COUNTED = ["char", "byte", "word", "smiles"]


def slow_join(symbols: Symbols, row: list[int]) -> str:
    """Oracle: the text of a row of ids."""
    if symbols.pad == "own":
        row = row[: row.index(0)] if 0 in row else row
    texts = [BACKTICK, *symbols.symbols, UNKNOWN]
    if symbols.unit == "byte":
        texts[-1] = UNKNOWN.encode().decode("latin-1")
        return "".join(texts[i] for i in row).encode("latin-1").decode(errors="replace")
    return UNITS[symbols.unit].joint.join(texts[i] for i in row)


# --- ids -------------------------------------------------------------------------------------------------------------

SPACE = Symbols(tuple("etaß漢😀"), 5)


def test_ids_are_pad_then_symbols_in_order_then_unknown() -> None:
    assert (SPACE.size, SPACE.unknown) == (8, 7)
    assert SPACE.encode(["eta", "ß漢😀?x", ""]).tolist() == [[1, 2, 3, 0, 0], [4, 5, 6, 7, 7], [0, 0, 0, 0, 0]]


def test_long_lines_are_cut_and_short_ones_padded_on_the_right() -> None:
    assert SPACE.decode(SPACE.encode(["tateetate", "et", ""])) == ["tatee", "et", ""]


def test_a_line_ends_at_its_first_own_pad_and_unknowns_print_as_the_replacement_character() -> None:
    assert SPACE.decode(np.array([[1, 0, 2, 2, 2], [1, 7, 2, 0, 0], [0, 1, 1, 1, 1]])) == ["e", "e\ufffdt", ""]


@pytest.mark.parametrize(("symbols", "dtype"), [(254, np.uint8), (255, np.uint16)])
def test_ids_take_one_byte_up_to_256_of_them(symbols: int, dtype: type) -> None:
    space = Symbols(tuple(map(chr, range(0x4E00, 0x4E00 + symbols))), 3)
    ids = space.encode([chr(0x4E00 + symbols - 1), "?"])
    assert ids.dtype == dtype
    assert ids[:, 0].tolist() == [symbols, symbols + 1]


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [*COUNTED, "piece"])
@given(lines=st.lists(LINE, max_size=5))
def test_any_line_of_known_symbols_comes_back(unit: str, lines: list[str]) -> None:
    lines = [*lines, *HARD]
    symbols = built(unit, lines, 200)
    assert not symbols.knows_unknown
    ids = symbols.encode(lines)
    assert ids.shape == (len(lines), 200)
    assert not (ids == symbols.unknown).any()
    assert symbols.decode(ids) == lines


@pytest.mark.parametrize("unit", ["dna", "protein"])
def test_declared_alphabets_come_back_in_upper_case(unit: str) -> None:
    symbols = Symbols(tuple(UNITS[unit].declared), 30, unit=unit)
    line = "".join(symbols.symbols)
    assert symbols.decode(symbols.encode([line, line.lower(), "", "A*a-Ä\u0131\u017f"])) == [line, line, "", "A�A����"]


def test_declared_alphabets_are_the_bases_and_amino_acids_with_one_for_any() -> None:
    assert UNITS["dna"].declared == "ACGTN"
    assert sorted(UNITS["protein"].declared) == sorted("ARNDCQEGHILKMFPSTWYV" + "X")


@pytest.mark.parametrize("unit", [*COUNTED, "dna"])
@given(lines=st.lists(LINE, min_size=1, max_size=4), length=st.integers(1, 9), most=st.integers(2, 6))
def test_encoding_agrees_with_a_dictionary(unit: str, lines: list[str], length: int, most: int) -> None:
    symbols = built(unit, lines, length, most)
    known = {symbol: i for i, symbol in enumerate(symbols.symbols, 1)}
    if unit == "dna":
        lines = [re.sub("[^ACGTNacgtn ]", "?", line) for line in lines]  # one symbol in either case
    for line, row in zip(lines, symbols.encode(lines).tolist(), strict=True):
        ids = [known.get(token, symbols.unknown) for token in TOKENS[unit](line)][:length]
        assert row == ids + [0] * (length - len(ids))


@pytest.mark.parametrize("unit", [*COUNTED, "dna"])
@given(seed=st.integers(0, 1000))
def test_decoding_any_ids_agrees_with_joining_one_by_one(unit: str, seed: int) -> None:
    symbols = built(unit, ["a b  Cl [nH] cc%12", "漢😀 é", "ACGT"], 7)
    ids = np.random.default_rng(seed).integers(symbols.size, size=(6, 7))
    assert symbols.decode(ids) == [slow_join(symbols, row) for row in ids.tolist()]
    assert symbols.decode(ids.astype(symbols.dtype)) == symbols.decode(ids)


def test_backtick_pads_are_text_and_own_pads_end_a_line() -> None:
    ids = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [1, 3, 2, 1]])
    assert Symbols(("a", "é"), 4, pad="backtick").decode(ids) == ["a`é`", "````", "a�éa"]
    assert Symbols(("a", "é"), 4).decode(ids) == ["a", "", "a�éa"]
    assert Symbols(("a", "é"), 4, pad="backtick").encode(["`é"]).tolist() == [[0, 2, 0, 0]]


def test_bytes_are_cut_and_joined_as_bytes() -> None:
    symbols = built("byte", ["naïve"], 3)
    assert symbols.symbols == tuple("aenv\xaf\xc3")
    ids = symbols.encode(["naïve", "é"])
    assert symbols.decode(ids) == ["na�", "��"]  # half an ï; a known and an unknown byte
    halves = np.array([[ids[0, 2], 5, 0], [5, ids[0, 2], 0]])
    assert symbols.decode(halves) == ["ï", "��"]


def test_words_keep_every_space() -> None:
    symbols = built("word", ["a  b", ""], 5)
    assert set(symbols.symbols) == {"a", "b", ""}
    assert symbols.decode(symbols.encode([" a", "a ", "  ", "a b a b a b", "c a"])) == [
        " a", "a ", "  ", "a b a b a", "� a",
    ]  # fmt: skip
    empty, a = symbols.symbols.index("") + 1, symbols.symbols.index("a") + 1
    assert symbols.decode(np.array([[0, a, a, a, a], [empty, 0, 0, 0, 0], [a, empty, 0, 0, 0]])) == ["", "", "a "]


def test_atoms_bonds_and_rings_are_one_symbol_each() -> None:
    assert module.atoms("CC(=O)[nH]1Clc%12Br[13C@@H]B") == [
        *"CC(=O)", "[nH]", "1", "Cl", "c", "%12", "Br", "[13C@@H]", "B",
    ]  # fmt: skip
    assert module.atoms("[[nH]%1l]\n") == ["[", "[nH]", "%", "1", "l", "]", "\n"]


def test_blocks_of_rows_decode_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = built("word", ["a bc def"], 3)
    ids = np.random.default_rng(0).integers(symbols.size, size=(50, 3))
    whole = symbols.decode(ids)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert symbols.decode(ids) == whole


@pytest.mark.parametrize("unit", UNITS)
def test_no_lines(unit: str) -> None:
    symbols = built(unit, ["ab"], 4)
    for cut in ("line", "windows"):
        ids, numbers = symbols.rows([], cut)
        assert (ids.shape, numbers.shape) == ((0, 4), (0,))
    assert symbols.decode(np.zeros((0, 4), dtype=np.int64)) == []


# --- windows --------------------------------------------------------------------------------------------------------


def slow_windows(tokens: list[str], length: int, space: Callable[[str, str], bool]) -> list[list[str]]:
    """Oracle: full windows at the start and wherever a word starts between two tokens."""
    last = len(tokens) - length
    found = [tokens[i : i + length] for i in range(last + 1) if i == 0 or space(tokens[i - 1], tokens[i])]
    return found or [tokens]


RULES: dict[str, Callable[[str, str], bool]] = {
    "char": lambda before, at: before == " " and at != " ",
    "byte": lambda before, at: before == " " and at != " ",
    "word": lambda before, at: True,
    "smiles": lambda before, at: False,
}


@pytest.mark.parametrize("unit", COUNTED)
@given(lines=st.lists(st.text("ab é", max_size=25), min_size=1, max_size=5), length=st.integers(1, 6))
def test_windows_start_the_line_or_a_word(unit: str, lines: list[str], length: int) -> None:
    if unit == "smiles":
        lines = [line.replace(" ", "c") for line in lines]
    symbols = built(unit, lines, length)
    expected = [
        (window, number)
        for number, line in enumerate(lines)
        for window in slow_windows(TOKENS[unit](line), length, RULES[unit])
    ]
    ids, numbers = symbols.rows(lines, "windows")
    known = {symbol: i for i, symbol in enumerate(symbols.symbols, 1)}
    assert numbers.tolist() == [number for _, number in expected]
    assert ids.tolist() == [[known[t] for t in window] + [0] * (length - len(window)) for window, _ in expected]


def test_windows_by_hand() -> None:
    symbols = built("char", ["the cat sat on it"], 9)
    ids, numbers = symbols.rows(["the cat sat on it", "", "it", "at  on the", "the catonit"], "windows")
    assert symbols.decode(ids) == ["the cat s", "cat sat o", "sat on it", "", "it", "at  on th", "the caton"]
    assert numbers.tolist() == [0, 0, 0, 1, 2, 3, 4]


def test_a_block_character_is_no_space_but_in_pieces() -> None:
    symbols = built("char", ["a▁b"], 2)
    assert symbols.decode(symbols.rows(["a▁bab"], "windows")[0]) == ["a▁"]


def test_windows_of_pieces_start_words_with_no_space_before_them() -> None:
    symbols, line = pieces(4), "the cat sat on the mat and a dog sat ."
    ids, numbers = symbols.rows([line, "a"], "windows")
    rows = symbols.decode(ids)
    assert numbers.tolist() == [0] * (len(rows) - 1) + [1]
    words = [m.start() for m in re.finditer(r"\S+", line)]
    assert all(line.find(row) in words for row in rows[:-1])
    assert len(rows) > 5
    assert (ids[:-1] > 0).all()


# --- pieces ---------------------------------------------------------------------------------------------------------


def test_pieces_are_words_with_the_space_behind() -> None:
    symbols = pieces(20)
    assert "▁" in symbols.symbols
    assert any(piece.endswith("▁") and len(piece) > 2 for piece in symbols.symbols)
    assert symbols.encode(["the cat sat on the mat ."])[0].tolist().index(0) < 15


def test_a_broken_half_of_a_character_in_pieces_is_replaced() -> None:
    symbols = pieces(4)
    byte = symbols.symbols.index("<0xE6>") + 1
    the = int(symbols.encode(["the "])[0, 0])
    assert symbols.decode(np.array([[byte, the, 0, the]]))[0].startswith("�")


# --- JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_json_round_trip(unit: str) -> None:
    symbols = built(unit, HARD, 9)
    symbols = Symbols(**vars_of(symbols) | {"labels": ("first", "zweite")})
    again = Symbols.from_json(json.loads(json.dumps(symbols.to_json())))
    assert again == symbols
    assert again.encode(HARD).tolist() == symbols.encode(HARD).tolist()


def vars_of(symbols: Symbols) -> dict[str, Any]:
    return {entry.name: getattr(symbols, entry.name) for entry in fields(symbols)}


def test_characters_are_written_as_text_and_older_files_are_read() -> None:
    symbols = Symbols(tuple('a`"\\ é😀'), 7, pad="backtick", knows_unknown=True)
    assert symbols.to_json()["symbols"] == 'a`"\\ é😀'
    old = {"kind": "text", "symbols": 'a`"\\ é😀', "length": 7, "pad": "backtick", "knows_unknown": True}
    assert Symbols.from_json(old) == symbols


GOOD: dict[str, Any] = {"symbols": "ab", "length": 4, "pad": "own", "knows_unknown": False}


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": "aba"},
        {"symbols": "a\nb"},
        {"symbols": ["a", "bc"]},
        {"symbols": [""]},
        {"symbols": [1, 2]},
        {"symbols": ["\ud800"]},
        {"symbols": None},
        {"symbols": "".join(map(chr, range(0x10000, 0x20000)))},
        {"symbols": ["a" * (1 << 24), "bb"], "unit": "word"},
        {"symbols": ["a b"], "unit": "word"},
        {"symbols": [""], "unit": "smiles"},
        {"symbols": "aĀ", "unit": "byte"},
        {"symbols": "ACG", "unit": "dna"},
        {"length": 0},
        {"length": 1 << 40},
        {"length": 2.5},
        {"length": True},
        {"length": "4"},
        {"pad": "none"},
        {"pad": "backtick", "unit": "word"},
        {"knows_unknown": 1},
        {"unit": "chars"},
        {"unit": ["char"]},
        {"labels": ["a", "a"]},
        {"labels": [1]},
        {"labels": 3},
        {"tokenizer": "QUJD"},
        {"tokenizer": "no base 64!"},
        {"tokenizer": 7},
        {"unit": "piece"},
        {"unit": "piece", "tokenizer": "QUJD"},
    ],
    ids=lambda change: ", ".join(f"{key}={str(value)[:12]!a}" for key, value in change.items()),
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    assert Symbols.from_json(GOOD).size == 4
    with pytest.raises(ValueError, match=r"."):
        Symbols.from_json(GOOD | change)


@pytest.mark.parametrize("missing", GOOD)
def test_what_is_missing_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        Symbols.from_json({key: value for key, value in GOOD.items() if key != missing})


def test_a_broken_tokenizer_is_refused_in_one_line() -> None:
    value = pieces().to_json()
    with pytest.raises(ValueError, match=r"^the tokenizer is no sentencepiece model$"):
        Symbols.from_json(value | {"tokenizer": value["tokenizer"][: len(value["tokenizer"]) // 8 * 4]})
    with pytest.raises(ValueError, match="symbols of unit piece"):
        Symbols.from_json(value | {"symbols": [*value["symbols"], "no such piece"]})
