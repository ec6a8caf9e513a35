"""Cleaning a block of lines, against hand-made ones."""

from __future__ import annotations

import pytest

from textgan.corpora.text.cleaning import Rules, clean


def test_lines_are_decoded_and_empty_ones_counted() -> None:
    cleaned = clean("a\r\n\n \t\nb\u2028c\x0bd\n\ufeffx\r\r\nlast\n".encode(), Rules())
    assert cleaned.lines == ["a", "b\u2028c\x0bd", "\ufeffx\r", "last"]
    assert (cleaned.read, cleaned.dropped, cleaned.undecodable) == (6, {"empty": 2}, 0)
    assert cleaned.labels is None


@pytest.mark.parametrize(
    ("errors", "kept", "dropped"),
    [("skip", ["good", "fine"], {"not UTF-8": 2}), ("replace", ["good", "caf\ufffd", "\ufffd", "fine"], {})],
)
def test_lines_that_are_not_utf8(errors: str, kept: list[str], dropped: dict[str, int]) -> None:
    cleaned = clean(b"good\ncaf\xe9\n\xff\nfine\n", Rules(errors))
    assert cleaned.lines == kept
    assert (cleaned.undecodable, cleaned.first_undecodable, cleaned.dropped) == (2, 2, dropped)


def test_what_is_asked_for_is_done_and_counted() -> None:
    block = "E\u0301A\nab\nabcdef\nABC\n".encode()
    assert clean(block, Rules()).lines == ["E\u0301A", "ab", "abcdef", "ABC"]
    assert clean(block, Rules(normalise="NFC")).lines[0] == "\u00c9A"
    assert clean(block, Rules(lower=True)).lines == ["e\u0301a", "ab", "abcdef", "abc"]
    both = clean(block, Rules(normalise="NFC", shortest=3, longest=5))  # lengths are those after normalising
    assert (both.lines, both.dropped) == (["ABC"], {"too short": 2, "too long": 1})


def test_labels_stay_beside_their_lines() -> None:
    cleaned = clean(b"x\tone\ny\t \nx\ta\tb\nz\tlong line\n", Rules(labelled=True, longest=5))
    assert cleaned.lines == ["one", "a\tb"]
    assert cleaned.labels == ["x", "x"]
    assert cleaned.dropped == {"empty": 1, "too long": 1}
    assert clean(b"a\n\nb\n", Rules(), label="x").labels == ["x", "x"]
