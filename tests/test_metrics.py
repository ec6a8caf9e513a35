from __future__ import annotations

import codecs
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import textgan.metrics.lines as lines_room
from textgan.errors import TextganError
from textgan.metrics.floor import floor_rows
from textgan.metrics.jsd import distances
from textgan.metrics.lines import Lines, View, few, read_lines
from textgan.metrics.metric import Metric, Texts
from textgan.metrics.monitor import training_evaluation
from textgan.metrics.ngrams import NGrams
from textgan.metrics.table import METRICS
from textgan.metrics.words import known_share, unique_share, vocabulary, words


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def measure(
    name: str, samples: list[str], reference: list[str], training: list[str] | None = None, *, view: View
) -> list[Metric]:
    texts = Texts(samples, reference, training, floor_rows(len(samples), reference, training, rng=rng()))
    return METRICS[name](texts, view=view, rng=rng())


@pytest.mark.parametrize(
    ("line", "length", "expected"),
    [
        ("the cat  sat", None, ["the", "cat", "sat"]),
        ("the cat sat", 11, ["the", "cat"]),
        ("the cat ", 8, ["the", "cat"]),
        ("the cat", 8, ["the", "cat"]),
        ("cats", 4, []),
        ("", 4, []),
        ("Tea\ttime", None, ["Tea\ttime"]),
    ],
)
def test_the_last_word_of_a_row_that_was_cut_is_left_out(line: str, length: int | None, expected: list[str]) -> None:
    assert words(line, length) == expected


def test_shares_by_hand() -> None:
    known = vocabulary(["a b c", "cut here no"], 11)
    assert known == {"a", "b", "c", "cut", "here"}
    assert known_share(["a x", "b b", "cut here no"], known, 11) == pytest.approx(5 / 6)
    assert known_share(["", " "], known) is None
    assert unique_share(["a", "b", "a", "c"]) == 0.75
    assert unique_share([]) is None


def test_the_floor_with_training_is_training_rows_without_replacement() -> None:
    training, reference = [str(i) for i in range(100)], ["x", "y"]
    rows, against = floor_rows(40, reference, training, rng=rng())
    assert len(rows) == len(set(rows)) == 40
    assert set(rows) < set(training)
    assert against is reference
    assert rows == floor_rows(40, reference, training, rng=rng()).rows
    assert rows != floor_rows(40, reference, training, rng=np.random.default_rng(1)).rows
    assert sorted(floor_rows(500, reference, training, rng=rng()).rows) == sorted(training)


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (1000, 5)])
def test_the_floor_of_bare_files_is_two_halves_of_the_reference(count: int, expected: int) -> None:
    reference = [str(i) for i in range(11)]
    rows, against = floor_rows(count, reference, None, rng=rng())
    assert len(rows) == expected
    assert len(against) == 6
    assert not set(rows) & set(against)
    assert set(rows) | set(against) <= set(reference)


def test_metrics_put_real_text_beside_each_value() -> None:
    samples, reference, training = ["a b", "a q", "a b"], ["a b", "b c", "b d", "c d"], ["a b", "b c", "c a", "a a"]
    measured = {
        name: measure(name, samples, reference, training, view=View(orders=(2,))) for name in ("jsd", "words", "unique")
    }
    rows = floor_rows(3, reference, training, rng=rng()).rows
    counts = {"samples": 3, "reference": 4}
    ngrams = NGrams(reference)
    assert {name: [m.key for m in found] for name, found in measured.items()} == {
        "jsd": ["2"],
        "words": [""],
        "unique": [""],
    }
    jsd, known, unique = (found[0] for found in measured.values())
    assert (jsd.value, jsd.floor) == (distances(samples, ngrams, [2])[2], distances(rows, ngrams, [2])[2])
    assert (known.value, known.floor) == (5 / 6, 6 / 8)
    assert (unique.value, unique.floor, unique.low) == (2 / 3, 1.0, None)
    assert [m.better for m in (jsd, known, unique)] == ["lower", "higher", "higher"]
    for metric in (jsd, known):
        assert metric.counts == counts
        assert 0 <= metric.low < metric.value < metric.high <= 1  # type: ignore[operator]


def test_jsd_without_training_text_has_one_half_against_the_other_as_its_floor() -> None:
    reference = ["ab", "bc", "ca", "bb", "ac", "aa"]
    rows, against = floor_rows(9, reference, None, rng=rng())
    [metric] = measure("jsd", ["ab"] * 9, reference, view=View(orders=(2,)))
    assert metric.value == distances(["ab"], NGrams(reference), [2])[2]
    assert metric.floor == distances(rows, NGrams(against), [2])[2] == 1.0


def test_words_without_training_text_are_looked_up_in_the_reference() -> None:
    [metric] = measure("words", ["a", "z"], ["a"] * 4, view=View())
    assert (metric.value, metric.floor) == (0.5, 1.0)
    [metric] = measure("words", ["a", "z"], ["a", "b"], view=View())
    assert (metric.value, metric.floor) == (0.5, 0.0)


def test_pads_count_where_asked_for() -> None:
    cut, padded = View(length=4), View(length=4, count_pads=True)
    assert list(cut.padded(cut.cut(["abcdef", "a"]))) == ["abcd", "a"]
    assert padded.padded(padded.cut(["abcdef", "a"])) == ["abcd", "a\n\n\n"]
    samples, reference = ["a"], ["a", "aaaa"]
    [without] = measure("jsd", samples, reference, view=View((1,), 4))
    [with_pads] = measure("jsd", samples, reference, view=View((1,), 4, True))
    assert without.value == pytest.approx(0, abs=1e-12)
    assert with_pads.value == distances(["a\n\n\n"], NGrams(["a\n\n\n", "aaaa"]), [1])[1]
    assert with_pads.value not in (None, without.value)


def test_the_monitor_measures_as_the_metrics_do() -> None:
    draw = np.random.default_rng(3)
    samples, reference, training = (
        [" ".join(draw.choice(["ab", "ba", "aab", "bca"][:kinds], 4))[:9] for _ in range(50)] for kinds in (2, 3, 4)
    )
    evaluate = training_evaluation(reference, training, [50], length=9)
    found = evaluate(samples)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["samples"], found["reference"]) == (50, 50)
    measured = {
        name: measure(name, samples, reference, training, view=View(length=9)) for name in ("jsd", "words", "unique")
    }
    assert found["jsd"] == {m.key: {"value": m.value, "floor": m.floor, "excess": m.excess} for m in measured["jsd"]}
    for name in ("words", "unique"):
        assert found[name] == {"value": measured[name][0].value, "floor": measured[name][0].floor}
    few = floor_rows(7, reference, training, rng=rng()).rows
    assert evaluate(samples[:7])["jsd"]["3"]["floor"] == distances(few, NGrams(reference), [3])[3]


def test_few_of_many_lines_are_chosen_by_a_seed_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [str(i) for i in range(100)]
    assert few(numbers) is numbers
    monkeypatch.setattr(lines_room, "MOST", 5)
    chosen = few(numbers)
    assert len(chosen) == 5
    assert chosen == few(Lines(100, lambda places: numbers[places]))
    assert chosen == sorted(set(chosen), key=int)
    assert chosen != numbers[:5]


def test_lines_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_room, "BLOCK", 3)
    asked = []

    def make(places: slice) -> list[str]:
        asked.append(places)
        return list("abcdefgh")[places]

    assert "".join(Lines(8, make)) == "abcdefgh"
    assert asked == [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert View(length=1).cut(Lines(8, lambda places: ["xyz"] * 8))[5] == "x"


def test_words_are_known_from_every_line_where_ngrams_are_counted_in_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_room, "MOST", 2)
    training, reference = ["one", "two", "three", "four", "five"], ["one", "two", "three"]
    found = training_evaluation(reference, training)(["one", "two", "three", "four", "five", "six"])
    assert found["reference"] == 2
    assert found["words"] == {"value": 5 / 6, "floor": 1.0}


def test_the_monitor_learns_no_word_from_where_a_row_was_cut() -> None:
    found = training_evaluation(["ab x"], ["ab abc"], length=6)(["ab", "abc"])
    assert found["words"] == {"value": 0.5, "floor": 0.5}


def test_the_monitor_bears_samples_of_nothing() -> None:
    found = training_evaluation(["abc def"], ["abc"], length=32)(["", ""])
    assert found["jsd"]["2"]["value"] == 1.0
    assert found["words"]["value"] is None
    assert found["unique"]["value"] == 0.5


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("\ufeffone\r\n\n a\u2028b\x0b\x85\rc \nlast".encode())
    assert read_lines(path) == ["one", "", " a\u2028b\x0b\x85\rc ", "last"]
    path.write_bytes(b"\n")
    assert read_lines(path) == [""]


@given(
    st.lists(st.sampled_from(["\n", "\r", "\r\n", "a", "é", "\u2028", "long line "]), min_size=1, max_size=40),
    st.booleans(),
)
def test_lines_of_a_large_file_stay_in_it(parts: list[str], marked: bool) -> None:
    text = "".join(parts)
    expected = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder, "text")
        path.write_bytes((codecs.BOM_UTF8 if marked else b"") + text.encode())
        assert read_lines(path) == expected
        for name, value in (("LARGE", 0), ("STRIDE", 3), ("CHUNK", 7), ("BLOCK", 2)):
            patch.setattr(lines_room, name, value)
        lines = read_lines(path)
        assert isinstance(lines, Lines)
        assert list(lines) == expected
        assert [lines[i] for i in range(-len(lines), len(lines))] == expected * 2
        assert lines[1:5] == expected[1:5]
        assert lines[4:1] == []


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "{path} is empty; give a text file with one sequence a line"),
        (b"a\0b\n", "{path} is a binary file; give a text file with one sequence a line"),
        (b"ok\n\xff\nok\n\xc3\n", "2 lines are not UTF-8 in {path}, the first at {path}:2; convert the file to UTF-8"),
        (b"ok\nok\nbad \xe9", "1 line is not UTF-8 in {path}, the first at {path}:3; convert the file to UTF-8"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(data)
    with pytest.raises(TextganError) as caught:
        read_lines(path)
    assert str(caught.value) == complaint.format(path=path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(TextganError, match="there is no file"):
        read_lines(tmp_path / "missing.txt")
    with pytest.raises(TextganError, match="is a folder"):
        read_lines(tmp_path)


@pytest.mark.parametrize("sparse", [0, 10**9])
def test_rows_of_the_floor_are_picked_alone_or_by_blocks(monkeypatch: pytest.MonkeyPatch, sparse: int) -> None:
    reference = [str(i) for i in range(50)]
    expected = floor_rows(20, reference, None, rng=rng())
    monkeypatch.setattr("textgan.metrics.lines.BLOCK", 7)
    monkeypatch.setattr("textgan.metrics.lines.SPARSE", sparse)
    assert floor_rows(20, reference, None, rng=rng()) == expected


def test_the_floor_has_so_many_rows_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textgan.metrics.floor.MOST", 5)
    reference, training = [str(i) for i in range(40)], [str(i) for i in range(30)]
    assert [len(side) for side in floor_rows(20, reference, None, rng=rng())] == [5, 5]
    assert [len(side) for side in floor_rows(20, reference, training, rng=rng())] == [5, 40]
