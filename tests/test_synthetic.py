"""Corpora drawn from oracles: drawn once, kept, never cut; and grammars that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from textgan.cli.main import main
from textgan.corpora import cards, shelf
from textgan.corpora.prepare import Corpus, Settings, prepare
from textgan.corpora.text import synthetic
from textgan.corpora.text.sources import absolute
from textgan.errors import TextganError, UsageError
from textgan.oracles import Oracle, grammar, notation, oracle_of, soundness

OWN = 'S -> "a" S [9] | "b" [1]\n'


@pytest.fixture(autouse=True)
def few_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(synthetic, "COUNTS", {"train": 400, "heldout": 50})
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def prepared(name: str, cache: Path, told: list[str] | None = None, **settings: object) -> Corpus[Any]:
    chosen = Settings(**{"length": 64, **settings})  # type: ignore[arg-type]
    return prepare(name, chosen, cache=cache, processes=1, tell=(told if told is not None else []).append)


def lines(corpus: Corpus[Any]) -> tuple[list[str], list[str]]:
    return corpus.space.decode(corpus.train.ids), corpus.space.decode(corpus.heldout.ids)


def oracle(name: str) -> Oracle:
    found = oracle_of(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["grammar:english", "grammar:arithmetic", "grammar:brackets"])
def test_a_grammar_is_a_corpus_of_lines_it_derives(name: str, tmp_path: Path) -> None:
    told: list[str] = []
    corpus = prepared(name, tmp_path, told)
    train, heldout = lines(corpus)
    assert (len(train), len(heldout)) == (400, 50)
    assert train[:50] != heldout
    assert (oracle(name).log_probs(train) > -100).all()
    assert corpus.facts["split"] == "drawn apart"
    assert corpus.facts["cut"] == "line"
    assert corpus.facts["dropped"] == {}
    assert [line for line in told if "drawing" in line] == [
        f"{name}: drawing 400 lines (train), once", f"{name}: drawing 50 lines (heldout), once",
    ]  # fmt: skip
    prepared(name, tmp_path, told, length=65, max_lines=10)
    assert len([line for line in told if "drawing" in line]) == 4  # other rows may hold longer lines
    assert prepared(name, tmp_path, told).fingerprint == corpus.fingerprint
    assert len([line for line in told if "drawing" in line]) == 4


def test_the_oracle_is_a_corpus_of_words(tmp_path: Path) -> None:
    corpus = prepared("oracle:lstm", tmp_path, unit="word", length=20)
    train, heldout = lines(corpus)
    assert (len(train), len(heldout)) == (400, 50)
    assert (oracle("oracle:lstm").log_probs(train) > -400).all()


def test_no_line_is_longer_than_a_row(tmp_path: Path) -> None:
    Path("own.cfg").write_text(OWN)
    train, heldout = lines(prepared("grammar:own.cfg", tmp_path, length=8))
    assert max(map(len, train + heldout)) == 8
    assert all(line.endswith("b") for line in train + heldout)
    kept = next((tmp_path / "text").glob("*train.txt")).read_text()
    assert kept.splitlines() == train
    words = prepared("grammar:own.cfg", tmp_path, unit="word", length=1)
    assert max(map(len, lines(words)[0])) > 8


def test_a_changed_grammar_is_drawn_anew(tmp_path: Path) -> None:
    Path("own.cfg").write_text(OWN)
    first = prepared("grammar:own.cfg", tmp_path)
    Path("own.cfg").write_text(OWN.replace("[9]", "[8]"))
    assert prepared("grammar:own.cfg", tmp_path).fingerprint != first.fingerprint
    assert len(list((tmp_path / "text").iterdir())) == 4


def test_a_run_finds_its_grammar_from_any_folder(tmp_path: Path) -> None:
    assert absolute("grammar:own.cfg", tmp_path) == f"grammar:{tmp_path / 'own.cfg'}"
    assert absolute("grammar:english", tmp_path) == "grammar:english"
    assert absolute("oracle:lstm", tmp_path) is None


def test_what_suits_and_where_it_stands(tmp_path: Path) -> None:
    assert cards.suits("grammar:english") == cards.suits("grammar") == ("quick", cards.card("grammar").settings)
    assert cards.suits("oracle:lstm") == ("words", cards.card("oracle").settings)
    assert cards.suits("nltk:brown") == cards.suits("dna:x") == cards.suits("c:x") == ("quick", {})
    standing = shelf.standing(cards.card("grammar"), data="", cache=tmp_path)
    assert str(standing) == "here as grammar:arithmetic, grammar:brackets, grammar:english"
    assert str(shelf.standing(cards.card("oracle"), data="", cache=tmp_path)).startswith("here as oracle:lstm")
    assert cards.card("grammar").sizes == {"training_lines": 100_000, "heldout_lines": 10_000}


def test_columns_and_other_prefixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither columns nor labels"):
        prepared("grammar:english", tmp_path, column="text")
    with pytest.raises(UsageError, match="names no grammar and no oracle"):
        synthetic.source("nltk:brown", cache=tmp_path, longest=9, tell=print)


def test_nothing_is_left_where_the_lines_cannot_be_drawn(tmp_path: Path) -> None:
    Path("own.cfg").write_text('S -> "' + "a" * 65 + '"')
    with pytest.raises(TextganError, match="next to no lines of at most 64 characters"):
        prepared("grammar:own.cfg", tmp_path)
    assert not (tmp_path / "text").exists()


HOSTILE = {
    "empty": (b"", "holds no rules"),
    "comments alone": (b"# nothing\n\n", "holds no rules"),
    "binary": (bytes(range(256)) * 9, "is not UTF-8 text"),
    "NUL": (b'S -> "a"\n\0\0', "2: '\\x00\\x00' is no symbol"),
    "huge": (b'S -> "a"\n' * 40_000, f"larger than {notation.LARGEST:,} bytes"),
    "many alternatives": (b'S -> "a" | "b"\n' * 3_000, "more than 5,000 alternatives"),
    "many symbols": (
        b"".join(b'A%d -> "a" A%d\n' % (i, i + 1) for i in range(600)) + b'A600 -> "b"', "more than 500 symbols",
    ),
    "a long chain back to itself": (
        b"".join(b"A%d -> A%d\n" % (i, (i + 1) % 400) for i in range(400)), "left recursion, A",
    ),
    "no rule": (b"one two three\n", "1: a rule begins with SYMBOL ->"),
    "goes on with nothing": (b'| "a"\n', "1: a rule begins with SYMBOL ->"),
    "open quote": (b'S -> "a\n', "1: '\"a' is no symbol"),
    "two arrows": (b'S -> "a" T -> "b"\n', "1: -> stands once"),
    "missing alternative": (b'S -> "a" |\n', '1: an alternative is missing; write "" for'),
    "weight alone": (b'S -> "a" | [2]\n', "1: an alternative is missing"),
    "weight too early": (b'S -> [2] "a"\n', "1: a weight ends an alternative"),
    "control character": (b'S -> "a\tb"\n', "1: 'a\\tb' holds a character that does not print"),
    "zero weight": (b'\nS -> "a" [0] | "b" [0]\n', "2: [0] is no weight"),
    "negative weight": (b'S -> "a" [-1] | "b"\n', "1: [-1] is no weight"),
    "infinite weight": (b'S -> "a" [inf]\n', "1: [inf] is no weight"),
    "no number": (b'S -> "a" [often]\n', "1: [often] is no weight"),
    "undefined": (b'S -> "a" Sentense | "b"\nSentence -> "c"\n', "1: 'Sentense' has no rule; did you mean 'Sentence'?"),
    "unreached": (b'S -> "a"\nT -> "b"\n', "2: 'T' is never reached from 'S'"),
    "left recursion": (b'S -> S "a" | "b"\n', "1: left recursion, S -> S"),
    "left recursion behind nothing": (b'S -> A S "a" | "b"\nA -> "" | "c"\n', "1: left recursion, S -> S"),
    "left recursion in a ring": (b'S -> T "a" | "b"\nT -> U "c"\nU -> S\n', "left recursion, "),
    "never ends": (b'S -> "a" S\n', "1: its lines may never end"),
    "may never end": (b'S -> "a" S S [2] | "b" [1]\n', "1: its lines may never end"),
    "ends only just": (b'S -> "a" S S | "b"\n', "1: its lines may never end"),
    "doubles": (
        b"".join(b"A%d -> A%d A%d\n" % (i, i + 1, i + 1) for i in range(40)) + b'A40 -> "a"\n',
        "1: its lines may never end",
    ),
    "too long": (b'S -> "' + b"a" * 1_000 + b'"\n', "next to no lines"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_grammar_is_one_line(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, says = HOSTILE[case]
    Path("bad.cfg").write_bytes(data)
    code = main(["prepare", "grammar:bad.cfg"])
    out, err = capfd.readouterr()
    told = [line for line in err.splitlines() if "drawing" not in line]
    assert (code, out, len(told)) == (1, "", 1)
    assert says in told[0]
    assert len(told[0]) < 300


def test_a_folder_is_no_grammar(capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.cfg").mkdir()
    assert main(["prepare", "grammar:bad.cfg"]) == 1
    assert "bad.cfg cannot be read: Is a directory" in capfd.readouterr().err


def test_a_long_chain_of_symbols_is_fine() -> None:
    chain = [f"A{i} -> A{i + 1}" for i in range(soundness.MOST_SYMBOLS - 1)]
    Path("own.cfg").write_text("\n".join([*chain, f'A{len(chain)} -> "a" | "b"']))
    found = grammar.Grammar.read(Path("own.cfg"))
    assert found.log_probs(["a", "b", "c"]).round(3).tolist() == [-0.693, -0.693, float("-inf")]
