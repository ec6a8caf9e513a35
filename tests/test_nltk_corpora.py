"""Corpora of nltk, from a data folder that the tests write."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from textgan.corpora.text import nltk_corpora
from textgan.corpora.text.sources import Damage
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError, UsageError

nltk = pytest.importorskip("nltk")

BROWN = "\n\n\tThe/at cat/nn sat/vbd  ./.\n\n\tIt/pps ran/vbd ./.\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only data folder of nltk; the readers are as if fresh."""
    corpora = tmp_path / "nltk_data" / "corpora"
    corpora.mkdir(parents=True)
    monkeypatch.setattr(nltk.data, "path", [str(corpora.parent)])
    for name in ("brown", "names", "gutenberg", "treebank"):
        reader = getattr(nltk.corpus, name)
        if "_unload" in vars(reader):
            reader._unload()
    return corpora


def add_brown(data: Path) -> None:
    (data / "brown").mkdir()
    (data / "brown" / "ca01").write_text(BROWN)
    (data / "brown" / "cats.txt").write_text("ca01 news\n")


def lines(name: str, cache: Path, told: list[str] | None = None) -> list[str]:
    source = nltk_corpora.source(name, cache=cache, tell=(told if told is not None else []).append)
    assert source.name == name
    return (
        b"".join(block for shard in source.training for block in map(loaded, shard.read(Damage("strict"))))
        .decode()
        .splitlines()
    )


def test_sentences_are_lines_of_tokens_and_written_once(data: Path, tmp_path: Path) -> None:
    add_brown(data)
    told: list[str] = []
    for _ in range(2):
        assert lines("nltk:brown", tmp_path, told) == ["The cat sat .", "It ran ."]
    assert told == ["nltk:brown: reading the corpus, once"]
    (data / "brown" / "ca01").write_text(BROWN + "\n\tNew/jj ./.\n")
    assert lines("nltk:brown", tmp_path)[-1] == "New ."


def test_a_zip_and_a_list_of_words(data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(data / "names.zip", "w") as file:
        file.writestr("names/male.txt", "Bob\nCarl\n")
        file.writestr("names/female.txt", "Ann\n")
    assert lines("nltk:names", tmp_path) == ["Ann", "Bob", "Carl"]


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("nltk:brwn", UsageError, "nltk has no corpus 'brwn'; did you mean 'brown'"),
        ("nltk:", UsageError, "nltk has no corpus ''"),
        ("nltk:re", UsageError, "nltk has no corpus 're'"),
        ("nltk:brown", TextganError, "nltk's data 'brown' is not on this machine; .*python -m nltk.downloader brown'"),
    ],
)
def test_what_is_not_there_is_one_line(
    data: Path, tmp_path: Path, name: str, error: type[TextganError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        lines(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "text").exists()


def test_the_tokenizer_that_is_missing_is_named_and_nothing_is_left(data: Path, tmp_path: Path) -> None:
    (data / "gutenberg").mkdir()
    (data / "gutenberg" / "a.txt").write_text("One. Two.\n")
    with pytest.raises(TextganError, match=r"nltk:gutenberg: nltk's data 'punkt_tab' is not on this machine"):
        lines("nltk:gutenberg", tmp_path)
    assert list((tmp_path / "text").iterdir()) == []


def test_damaged_data_is_one_line(data: Path, tmp_path: Path) -> None:
    (data / "names.zip").write_bytes(b"no zip")
    with pytest.raises(TextganError, match="nltk:names: ") as caught:
        lines("nltk:names", tmp_path)
    assert "\n" not in str(caught.value)


def test_without_nltk_the_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(nltk_corpora, "import_module", missing)
    with pytest.raises(TextganError, match="pip install nltk"):
        lines("nltk:brown", tmp_path)
