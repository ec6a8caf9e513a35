"""Which sentences of Python's documentation are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from textgan.corpora.text import python_docs


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
