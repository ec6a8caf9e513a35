"""The cards in data/, the layouts that they name, and what of them is on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from textgan.corpora import cards, layouts, shelf
from textgan.corpora.cards import Card, card
from textgan.corpora.text.sources import Damage
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError, UsageError
from textgan.resources import presets

CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}")


def test_the_corpora_are_those_promised() -> None:
    assert cards.names() == [
        "25gaussians", "8gaussians", "billion_word", "cifar10", "cifar100", "digits", "dna", "grammar", "images",
        "lsun", "mnist", "names", "nltk", "oracle", "python_docs", "smiles", "svhn", "swissroll",
    ]  # fmt: skip


@pytest.mark.parametrize("name", cards.names())
def test_a_card_is_complete_and_consistent(name: str) -> None:
    found = card(name)
    texts = (found.title, found.source, found.licence, found.split, found.how_to_get, found.citation)
    assert all(text and "\n" not in text for text in texts)
    assert found.kind in cards.KINDS
    assert found.layout in (*layouts.LAYOUTS, layouts.OWN_TEXT)
    assert found.preset in presets()
    assert all(isinstance(size, int) and size > 0 for size in found.sizes.values())
    assert all(CHECKSUM.fullmatch(checksum) for checksum in found.checksums.values())
    assert all(key.count(".") == 1 for key in found.settings)
    assert not found.how_to_get.endswith(".")
    assert found.how_to_get[0].islower()
    titles = [card(other).title for other in cards.names() if other != name]
    assert not any(title.startswith(found.title) for title in titles)  # by which the shelf tells them apart


def test_what_has_no_card_is_text() -> None:
    kinds = {name: cards.kind_of(name) for name in ("8gaussians", "cifar10", "names", "nltk:brown", "my.txt", "")}
    assert kinds == {"8gaussians": "toy", "cifar10": "image", "names": "text"} | dict.fromkeys(
        ("nltk:brown", "my.txt", ""), "text"
    )


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="did you mean 'python_docs'"):
        card("python_doc")


def source_of(found: Card, data: Path | str, cache: Path) -> str:
    if found.layout == layouts.OWN_TEXT:
        source = layouts.own_text(found, data=str(data), column="", label_column="", cache=cache)
    else:
        source = layouts.LAYOUTS[found.layout](found, data=str(data), cache=cache, max_lines=9, tell=print)
    assert source.name == found.name
    assert source.title.startswith(found.title)
    return b"".join(block for shard in source.training for block in map(loaded, shard.read(Damage("strict")))).decode()


def test_text_of_ones_own_by_its_card(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ann\nBob\n")
    (tmp_path / "b.fasta").write_text(">one\nACGT\nAC\n>two\nGG\n")
    assert source_of(card("names"), tmp_path / "a.txt", tmp_path) == "Ann\nBob\n"
    assert source_of(card("dna"), tmp_path / "b.fasta", tmp_path) == "ACGTAC\nGG\n"


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("names", "", TextganError, "names is text of your own: .*--data FILE"),
        ("smiles", "nowhere", TextganError, "smiles: no such file or folder: nowhere; .*--data FILE"),
        ("cifar10", "", UsageError, "cifar10 is pictures, not text"),
        ("nltk", "", UsageError, "name one, such as nltk:brown"),
        ("grammar", "", UsageError, "name one, such as grammar:english"),
        ("oracle", "", UsageError, "name one, such as oracle:lstm"),
        (
            "swissroll",
            "",
            UsageError,
            "is points by a formula, not text; train on it: textgan train --corpus swissroll",
        ),
    ],
)
def test_what_cannot_be_had_is_one_line(
    tmp_path: Path, name: str, data: str, error: type[TextganError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        source_of(card(name), data, tmp_path)
    assert "\n" not in str(caught.value)


# --- the shelf ----------------------------------------------------------------------------------------------------


def stand(name: str, cache: Path, data: str = "") -> str:
    return str(shelf.standing(card(name), data=data, cache=cache))


def prepared(cache: Path, title: str, fingerprint: str = "f" * 32, *, rows: bool = True) -> None:
    (cache / "keys").mkdir(exist_ok=True)
    entry = {"schema": 1, "fingerprint": fingerprint, "facts": {"title": title}}
    (cache / "keys" / f"{title[:3]}.json").write_text(json.dumps(entry))
    if rows:
        (cache / "rows" / fingerprint).mkdir(parents=True)


def test_where_corpora_stand(tmp_path: Path) -> None:
    assert stand("billion_word", tmp_path) == "to get"
    assert stand("names", tmp_path) == "to get"
    assert stand("cifar10", tmp_path) == "to get"
    assert stand("python_docs", tmp_path) == "here"
    prepared(tmp_path, card("names").credit)
    assert stand("names", tmp_path) == "ready in the cache"
    assert stand("dna", tmp_path) == "to get"


def test_rows_that_are_gone_and_damaged_keys_are_not_ready(tmp_path: Path) -> None:
    prepared(tmp_path, card("names").credit, rows=False)
    for i, text in enumerate(["", "{", "[]", '{"facts": 3}']):
        (tmp_path / "keys" / f"{i}.json").write_text(text)
    assert stand("names", tmp_path) == "to get"


def test_billion_word_is_found_in_a_folder_or_in_the_text_of_the_hub(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert stand("billion_word", tmp_path, str(data)) == "to get"
    for i in (0, 1):
        (data / f"news.en.heldout-0000{i}-of-00050").write_text("x\n")
    (data / "news.en-00000-of-00100").write_text("decoy\n")
    assert stand("billion_word", tmp_path, str(data)) == f"found at {data} (2 files)"
    about = tmp_path / "text" / "hub-0-0" / "about.json"
    about.parent.mkdir(parents=True)
    about.write_text('{"repo": "somebody/else"}')
    assert stand("billion_word", tmp_path) == "to get"
    about.write_text('{"repo": "dvruette/lm1b"}')
    assert stand("billion_word", tmp_path) == "found from the hub, in the cache"


def test_nltk_is_found_in_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "no"), str(tmp_path)])
    assert stand("nltk", tmp_path) == "to get"
    (tmp_path / "corpora" / "brown").mkdir(parents=True)
    (tmp_path / "corpora" / "names.zip").write_bytes(b"")
    assert stand("nltk", tmp_path) == "found in nltk's data: brown, names"
