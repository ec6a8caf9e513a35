"""Grammars and the random LSTM against slow code written plainly, closed forms, and frequencies of what they draw."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from operator import truediv
from pathlib import Path

import numpy as np
import pytest

from textgan import oracles
from textgan.errors import UsageError
from textgan.oracles import grammar, lstm, notation
from textgan.oracles.grammar import Grammar
from textgan.oracles.lstm import RandomLstm, Size
from textgan.resources import folder

AMBIGUOUS = 'S -> A B [2] | "a" S [1]\nA -> "a" | "" | "a" A\nB -> "b" B | "ab" [0.5] | "" [2]\n'
NULLABLE = 'S -> A B "x" | A\nA -> "" | "y" C\nB -> "" [3] | "yx" S\nC -> A "z" | ""\n'
NESTED = 'S -> "(" S ")" S | "" [2]\n'
EDGED = 'S -> A S "a" | "b"\nA -> "c"\n'  # no left recursion, since A is never empty
GRAMMARS = {"edged": EDGED, "ambiguous": AMBIGUOUS, "nullable": NULLABLE, "nested": NESTED}


def grammar_of(text: str, place: Path) -> Grammar:
    path = place / "own.cfg"
    path.write_text(text, encoding="utf-8")
    return Grammar.read(path)


def slow_sum(path: Path, line: str, share: Callable[[float, float], float]) -> float:
    """Sum over all derivations of the product of their choices' shares, trying every split of the line, as defined.

    Args:
        path: of the grammar.
        line: to derive.
        share: the weight of an alternative, and the sum over those beside it, to its share.
    """
    rules = notation.read(path)

    @cache
    def symbol(name: str, part: str) -> float:
        total = sum(p.weight for p in rules[name])
        return sum(share(p.weight, total) * steps((*p.steps, (p.tail, "")), part) for p in rules[name])

    @cache
    def steps(todo: tuple[tuple[str, str], ...], part: str) -> float:
        (literal, name), *rest = todo
        if not part.startswith(literal):
            return 0.0
        part = part.removeprefix(literal)
        if not name:
            return float(part == "")
        found = 0.0
        for cut in range(len(part) + 1):
            before = symbol(name, part[:cut])
            found += before and before * steps(tuple(rest), part[cut:])
        return found

    return symbol(next(iter(rules)), line)


# --- probabilities of lines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "letters"), [("edged", "abc"), ("ambiguous", "ab"), ("nullable", "xyz"), ("nested", "()")]
)
def test_log_probs_are_those_of_all_splits(name: str, letters: str, tmp_path: Path) -> None:
    found = grammar_of(GRAMMARS[name], tmp_path)
    lines = ["".join(line) for size in range(6) for line in product(letters, repeat=size)]
    expected = [slow_sum(tmp_path / "own.cfg", line, truediv) for line in lines]
    np.testing.assert_allclose(np.exp(found.log_probs(lines)), expected, rtol=1e-12)
    assert [found.parses(line) for line in lines] == [p > 0 for p in expected]
    assert 0 < np.count_nonzero(expected) < len(lines)


def test_probabilities_made_by_hand(tmp_path: Path) -> None:
    found = grammar_of('S -> "a" S [1] | "b" [3]', tmp_path)
    assert found.log_prob("aab") == pytest.approx(2 * math.log(0.25) + math.log(0.75), abs=1e-12)
    per_choice = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert found.entropy == pytest.approx(per_choice / 0.75, abs=1e-12)  # 1 / .75 choices a line, on average
    assert [found.log_prob(line) for line in ("", "a", "ba", "c")] == [-math.inf] * 4
    twice = grammar_of('S -> "a" | "a" | "b" [2]', tmp_path)
    assert np.exp(twice.log_probs(["a", "b"])).tolist() == pytest.approx([0.5, 0.5])


def test_the_probabilities_of_a_finite_language_add_up_to_one(tmp_path: Path) -> None:
    found = grammar_of('S -> A A [0.7] | A "c" [0.3]\nA -> "a" [5] | "b" [2] | "" ', tmp_path)
    lines = ["".join(line) for size in range(4) for line in product("abc", repeat=size)]
    assert np.exp(found.log_probs(lines)).sum() == pytest.approx(1, abs=1e-12)


def test_tiny_probabilities_do_not_underflow(tmp_path: Path) -> None:
    found = grammar_of('S -> "a" S [1e-9] | "b" [1]', tmp_path)
    assert found.log_prob("a" * 500 + "b") == pytest.approx(500 * math.log(1e-9 / (1 + 1e-9)), rel=1e-9)


def test_deep_nesting_is_parsed_and_what_is_too_long_is_not_drawn(tmp_path: Path) -> None:
    found = grammar_of(NESTED, tmp_path)
    half = grammar.LONGEST // 2
    assert found.log_prob("(" * half + ")" * half) == pytest.approx(
        half * math.log(1 / 3) + (half + 1) * math.log(2 / 3)
    )
    assert not found.parses("(" * half + ")" * (half - 1))
    assert not found.parses("()" * (half + 1))


def test_what_is_known_is_forgotten_in_time_and_stays_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "MOST_KNOWN", 2)
    found = grammar_of('S -> "a" S | "b"', tmp_path)
    lines = ["b", "ab", "aab", "x", "b", "ab"]
    np.testing.assert_allclose(np.exp(found.log_probs(lines)), [0.5, 0.25, 0.125, 0, 0.5, 0.25])


# --- lines drawn from a grammar ---------------------------------------------------------------------------------------


def assert_drawn(counts: Sequence[int], probabilities: Sequence[float]) -> None:
    """Chi-square under its mean and five standard deviations."""
    expected = np.array(probabilities) * sum(counts)
    assert expected.min() > 5
    statistic = float(((np.array(counts) - expected) ** 2 / expected).sum())
    freedom = len(counts) - 1
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("name", GRAMMARS)
def test_lines_are_drawn_at_their_probabilities(name: str, tmp_path: Path) -> None:
    found = grammar_of(GRAMMARS[name], tmp_path)
    counts = Counter(found.draw(20_000, rng=np.random.default_rng(0)))
    common = [line for line, count in counts.items() if count > 50]
    probabilities = [math.exp(found.log_prob(line)) for line in common]
    rest = 20_000 - sum(counts[line] for line in common)
    assert_drawn([*(counts[line] for line in common), rest], [*probabilities, 1 - sum(probabilities)])


def test_longer_lines_are_left_out_and_the_others_keep_their_odds(tmp_path: Path) -> None:
    found = grammar_of('S -> "a" S [2] | "" [1]', tmp_path)
    counts = Counter(found.draw(10_000, longest=3, rng=np.random.default_rng(0)))
    odds = np.array([1, 2 / 3, 4 / 9, 8 / 27])
    assert_drawn([counts["a" * n] for n in range(4)], (odds / odds.sum()).tolist())


def test_a_seed_decides_the_lines(tmp_path: Path) -> None:
    found = grammar_of(NESTED, tmp_path)
    first, second, other = (found.draw(50, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == second != other


# --- how it is written ------------------------------------------------------------------------------------------------


def test_notation(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_bytes(
        b'\xef\xbb\xbf# a comment\r\n\r\n S -> "a#|" "\\"b\\\\" [.5]|T "c" T2 [2] # more\r\n'
        b'   | ""\nT->"x"\nT2 -> "\xc3\xa9"\nT -> "y" [1e3]'
    )
    rules = notation.read(path)
    assert [tuple(production) for production in rules["S"]] == [
        ((), 'a#|"b\\', 0.5, 3), ((("", "T"), ("c", "T2")), "", 2.0, 3), ((), "", 1.0, 4),
    ]  # fmt: skip
    assert [(p.tail, p.weight) for p in rules["T"]] == [("x", 1), ("y", 1000)]
    assert rules["T2"][0].tail == "é"


# --- the grammars that come with textgan ------------------------------------------------------------------------------


def built_in(name: str) -> Grammar:
    found = oracles.oracle_of(f"grammar:{name}")
    assert isinstance(found, Grammar)
    return found


@pytest.mark.parametrize("name", oracles.names("grammar"))
def test_own_lines_parse_and_damaged_ones_do_not(name: str) -> None:
    found = built_in(name)
    lines = found.draw(300, longest=64, rng=np.random.default_rng(0))
    assert found.name == name
    assert max(map(len, lines)) <= 64
    assert all(map(found.parses, lines))
    assert not any(found.parses(line + end) for line in lines for end in (" ", "x", ")"))


def test_the_mean_nll_of_english_is_its_entropy() -> None:
    found = built_in("english")
    nll = -found.log_probs(found.draw(3_000, rng=np.random.default_rng(0)))
    assert nll.mean() == pytest.approx(found.entropy, abs=4 * nll.std() / math.sqrt(len(nll)))
    assert 17 < found.entropy < 20


def test_brackets_are_those_that_close() -> None:
    found, rng = built_in("brackets"), np.random.default_rng(0)
    lines = ["".join(rng.choice(list("()[]{}"), size)) for size in (2, 4, 6) for _ in range(600)]
    lines += ["".join(rng.permutation(list(line))) for line in found.draw(200, longest=8, rng=rng)]
    right = 0
    for line in lines:
        rest = line
        for _ in range(len(line)):
            rest = re.sub(r"\(\)|\[\]|\{\}", "", rest)
        assert found.parses(line) == (rest == "")
        right += rest == ""
    assert right > 30


def test_arithmetic_is_what_reduces_to_one_x() -> None:
    found, rng = built_in("arithmetic"), np.random.default_rng(0)
    lines = [" ".join(rng.choice(list("xxx+-*/()"), size)) for size in (1, 3, 5) for _ in range(900)]
    right = 0
    for line in lines:
        rest = line
        for _ in range(len(line)):
            rest = re.sub(r"\( x \)|x [-+*/] x", "x", rest)
        assert found.parses(line) == (rest == "x")
        right += rest == "x"
    assert right > 100
    p = math.log(0.85 * 0.6 * 0.25) + math.log(0.85 * 0.6 * 0.5)
    assert found.log_prob("x + x") == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize("name", ["brackets", "arithmetic"])
def test_a_line_has_one_derivation(name: str) -> None:
    lines = built_in(name).draw(30, longest=16, rng=np.random.default_rng(0))
    path = folder("data") / "grammars" / f"{name}.cfg"
    assert [slow_sum(path, line, lambda weight, total: 1.0) for line in lines] == [1.0] * len(lines)


# --- names ------------------------------------------------------------------------------------------------------------


def test_oracles_by_the_names_of_their_corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for corpus in ("python_docs", "grammar", "oracle", "nltk:brown", "hf:a/b", ""):
        assert oracles.oracle_of(corpus) is None
    monkeypatch.chdir(tmp_path)
    Path("my.cfg").write_text('S -> "a"')
    own = oracles.oracle_of("grammar:my.cfg")
    assert own is not None
    assert own.name == "my"
    assert oracles.settled("grammar:my.cfg") == f"grammar:{tmp_path / 'my.cfg'}"
    assert oracles.settled("grammar:english") == "grammar:english"
    assert oracles.settled("my.cfg") == "my.cfg"
    small = oracles.oracle_of("oracle:lstm")
    assert small is not None
    assert small.name == "lstm"


@pytest.mark.parametrize(
    ("corpus", "says"),
    [
        ("grammar:englsh", "there is no grammar 'englsh', and no such file; did you mean 'english'"),
        ("grammar:", "there is no grammar ''"),
        ("grammar:nowhere/a.cfg", "no such file"),
        ("oracle:ltsm", "there is no oracle 'ltsm'; did you mean 'lstm'"),
        ("oracle:", "there is no oracle ''"),
    ],
)
def test_an_unknown_oracle_is_a_usage_error(corpus: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        oracles.oracle_of(corpus)


# --- the random LSTM --------------------------------------------------------------------------------------------------

SMALL = Size(vocabulary=3, length=4, hidden=5, embedding=2)


def slow_nll(size: Size, seed: int, row: Sequence[int]) -> float:
    """The equations of an LSTM, a number at a time."""
    normal = np.random.default_rng(seed).standard_normal
    embedding = normal((size.vocabulary, size.embedding))
    gates, bias = normal((size.embedding + size.hidden, 4 * size.hidden)), normal(4 * size.hidden)
    out, out_bias = normal((size.hidden, size.vocabulary)), normal(size.vocabulary)
    hidden, cell = [0.0] * size.hidden, [0.0] * size.hidden
    total, before = 0.0, 0
    for token in row:
        x = [*embedding[before], *hidden]
        read = [bias[j] + sum(x[i] * gates[i, j] for i in range(len(x))) for j in range(4 * size.hidden)]
        for j in range(size.hidden):
            forget, enter, leave, new = (read[k * size.hidden + j] for k in range(4))
            cell[j] = cell[j] / (1 + math.exp(-forget)) + math.tanh(new) / (1 + math.exp(-enter))
            hidden[j] = math.tanh(cell[j]) / (1 + math.exp(-leave))
        logits = [out_bias[v] + sum(hidden[j] * out[j, v] for j in range(size.hidden)) for v in range(size.vocabulary)]
        total += math.log(sum(map(math.exp, logits))) - logits[token]
        before = token
    return total


def every_row(size: Size) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(list(product(range(size.vocabulary), repeat=size.length)))


def test_nll_is_that_of_slow_equations_and_probabilities_add_up_to_one() -> None:
    rows = every_row(SMALL)
    nll = RandomLstm("small", SMALL, seed=3).nll(rows)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(nll, [slow_nll(SMALL, 3, row) for row in rows.tolist()], rtol=1e-10)


def test_rows_are_drawn_at_their_probabilities_over_blocks() -> None:
    oracle, rows = RandomLstm("small", SMALL, seed=3), every_row(SMALL)
    drawn = oracle.sample(20_000, rng=np.random.default_rng(0))
    counts = Counter(map(tuple, drawn.tolist()))
    probabilities = np.exp(-oracle.nll(rows))
    common = probabilities > 1e-3
    seen = np.array([counts[tuple(row)] for row in rows.tolist()])
    assert_drawn([*seen[common], seen[~common].sum()], [*probabilities[common], probabilities[~common].sum()])
    entropy = float((probabilities * oracle.nll(rows)).sum())
    nll = oracle.nll(drawn)
    assert nll.mean() == pytest.approx(entropy, abs=4 * nll.std() / math.sqrt(len(nll)))


def test_samples_of_another_seed_score_worse() -> None:
    size = Size(50, 8)
    ours, theirs = RandomLstm("ours", size, seed=1), RandomLstm("theirs", size, seed=2)
    own, other = (o.sample(300, rng=np.random.default_rng(0)) for o in (ours, theirs))
    assert ours.nll(other).mean() > ours.nll(own).mean() + 3
    assert theirs.nll(own).mean() > theirs.nll(other).mean() + 3
    again = RandomLstm("again", size, seed=1)
    assert again.identity == ours.identity != theirs.identity
    np.testing.assert_array_equal(again.sample(300, rng=np.random.default_rng(0)), own)


def test_lines_of_words_and_what_is_none() -> None:
    oracle = RandomLstm("small", SMALL, seed=3)
    lines = oracle.draw(2 * lstm.BLOCK + 1, longest=1, rng=np.random.default_rng(0))
    ids = oracle.sample(2 * lstm.BLOCK + 1, rng=np.random.default_rng(0))
    assert lines[-1] == " ".join(f"w{i}" for i in ids[-1])
    np.testing.assert_allclose(oracle.log_probs(lines), -oracle.nll(ids))
    wrong = ["", "w0 w1 w2", "w0 w1 w2 w0 w1", "w0 w1 w2 w3", "w0  w1 w2 w0", "w0 w1 w2 w00", "w0 w1 w2 -1"]
    assert oracle.log_probs(wrong).tolist() == [-math.inf] * len(wrong)
    mixed = oracle.log_probs(["", lines[0], "x"])
    assert mixed[1] == pytest.approx(-oracle.nll(ids[:1])[0])
    assert oracle.log_probs([]).shape == (0,)


def test_the_oracle_of_the_papers_size_is_built() -> None:
    found = oracles.oracle_of("oracle:seqgan")
    assert isinstance(found, RandomLstm)
    assert found.size == (5_000, 20, 32, 32)
    lines = found.draw(20, longest=1, rng=np.random.default_rng(0))
    assert 5 < -found.log_probs(lines).mean() / 20 < 7  # under ln 5,000 = 8.5 by as much as the paper's: 5.75
