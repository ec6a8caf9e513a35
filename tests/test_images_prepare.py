"""Pictures to rows: once, in any number of processes, after a kill, with a limit; and what cannot be used."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import picture_files as made
import pytest

from textgan.cli.main import main
from textgan.corpora import matrix, shelf, workers, workshop
from textgan.corpora.cards import card
from textgan.corpora.images import collection, folder
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.corpora.prepare import Corpus
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels

pytest.importorskip("PIL")
PIXELS = made.side(200, 7, size=8).pixels
SMALL = PictureSettings(side=8, channels=3, heldout=0.2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, one in enumerate(PIXELS):
        path = tmp_path / "data" / f"{'odd' if number % 2 else 'even'}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.encoded(one))
    return tmp_path / "data"


def opened(data: Path, settings: PictureSettings = SMALL, **arguments: Any) -> Corpus[Pixels]:
    given: dict[str, Any] = {"cache": data.parent / "cache", "processes": 1} | arguments
    return open_pictures("images", settings, data=str(data), **given)


def rows(found: Corpus[Pixels]) -> set[bytes]:
    return {row.tobytes() for side in (found.train, found.heldout) for row in side.ids}


def test_pictures_are_read_once_and_mapped(data: Path) -> None:
    told: list[str] = []
    found = opened(data, tell=told.append)
    assert told == ["images: reading the pictures"]
    assert isinstance(found.train.ids, np.memmap)
    assert rows(found) == {one.transpose(2, 0, 1).tobytes() for one in PIXELS}
    share = len(found.heldout) / 200
    assert 0.1 < share < 0.3
    for path in data.rglob("*.png"):  # other bytes, of which size and time tell nothing
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = opened(data, tell=told.append)
    conditional = opened(data, replace(SMALL, label_column="label"), tell=told.append)
    assert len(told) == 1
    assert again.fingerprint == conditional.fingerprint == found.fingerprint
    assert (again.space.labels, conditional.space.labels) == ((), ("even", "odd"))
    assert again.facts == conditional.facts == found.facts
    assert list((data.parent / "cache" / "work").glob("*")) == []


def test_what_decides_the_rows_decides_the_fingerprint(data: Path) -> None:
    changed = ({"side": 16}, {"channels": 1}, {"heldout": 0.5}, {"max_pictures": 50})
    prints = [opened(data, replace(SMALL, **change)).fingerprint for change in ({}, *changed)]
    assert len(set(prints)) == len(prints)


def test_equal_pictures_are_on_one_side(data: Path) -> None:
    for path in list(data.rglob("*.png")):
        path.with_name(f"again_{path.stem}.bmp").write_bytes(made.encoded(PIXELS[int(path.stem)], "BMP"))
    found = opened(data)
    train, heldout = ({row.tobytes() for row in side.ids} for side in (found.train, found.heldout))
    assert not train & heldout
    assert len(found.train) + len(found.heldout) == 400


def test_several_processes_give_the_same_rows(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE", 2)
    monkeypatch.setattr(folder, "MANY", 20)
    shown: list[tuple[str, int]] = []
    one = opened(data)
    two = opened(
        data, processes=2, cache=data.parent / "other", show=lambda stage, done, share: shown.append((stage, done))
    )
    assert one.fingerprint == two.fingerprint
    assert shown[-1] == ("reading pictures", 200)
    assert [done for _, done in shown] == sorted(done for _, done in shown)


@pytest.mark.parametrize("after", [1, 5, 9])
def test_a_killed_one_goes_on_where_it_was(data: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    monkeypatch.setattr(folder, "MANY", 20)
    whole = opened(data, cache=data.parent / "whole")
    monkeypatch.setattr(workshop.Workshop, "due", lambda work: True)
    left = 0

    def show(stage: str, done: int, share: float | None) -> None:
        nonlocal left
        left += 1
        if left > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(data, show=show)
    told: list[str] = []
    read: list[int] = []
    again = opened(data, tell=told.append, show=lambda stage, done, share: read.append(done))
    assert told == ["images: reading the pictures, from where it was left"]
    assert len(read) == 10 - after
    assert again.fingerprint == whole.fingerprint
    assert again.facts == whole.facts


def test_a_limit_is_of_training_pictures(data: Path) -> None:
    whole, few = opened(data), opened(data, replace(SMALL, max_pictures=33))
    assert len(few.train) == 33
    assert np.array_equal(few.train.ids, whole.train.ids[:33])
    assert np.array_equal(few.heldout.ids, whole.heldout.ids[: len(few.heldout)])
    assert 0 < len(few.heldout) < len(whole.heldout)


def test_what_cannot_be_used_stops_or_is_left_out(data: Path) -> None:
    (data / "odd" / "cut.png").write_bytes(made.encoded(PIXELS[0])[:60])
    (data / "even" / "none.jpg").write_bytes(b"text")
    (data / "odd" / "empty.gif").write_bytes(b"")
    with pytest.raises(TextganError, match=r"data: picture \w+/\w+\.\w+ cannot be used \(.*corpus\.errors=skip$"):
        opened(data)
    assert not list((data.parent / "cache").glob("rows/*"))
    told: list[str] = []
    found = opened(data, replace(SMALL, errors="skip"), tell=told.append)
    assert found.facts["left_out"] == {"damaged pictures and files that are none": 2, "empty pictures": 1}
    assert re.fullmatch("images: left out [12] .* pictures.*, [12] .* pictures.*", told[-1])
    assert len(rows(found)) == 200


def test_pictures_that_change_meanwhile_are_refused(data: Path) -> None:
    def show(stage: str, done: int, share: float | None) -> None:
        (data / "odd" / "1.png").write_bytes(made.encoded(PIXELS[0]))
        os.utime(data / "odd" / "1.png", (0, done))

    with pytest.raises(TextganError, match="images: the pictures changed while they were read; run the command again"):
        opened(data, show=show)


def test_too_few_pictures_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(made.encoded(PIXELS[0]))
    with pytest.raises(TextganError, match=r"^images: pictures to train on: 1, to hold out: 0; give more"):
        opened(tmp_path / "data", replace(SMALL, heldout=1e-9))


def test_a_full_disk_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(matrix.RowsWriter, "append", full)
    with pytest.raises(TextganError, match=r"cannot write to the cache .*: No space left on device; free some space"):
        opened(data)


def test_memory_is_bounded_by_blocks() -> None:
    pictures = np.zeros((9000, 32, 32, 3), np.uint8)
    blocks = list(collection.array_blocks("a", pictures))
    assert sum(len(block.pictures) for block in blocks) == 9000
    assert max(block.pictures.nbytes for block in blocks) <= collection.TOGETHER  # type: ignore[attr-defined]
    assert [block.where(0) for block in blocks][:2] == ["a: picture 0", "a: picture 1365"]


# --- digits, and CIFAR-10 itself ----------------------------------------------------------------------------------


def test_digits_come_with_scikit_learn(tmp_path: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    found = open_pictures("digits", PictureSettings(8, 1, heldout=0.2, label_column="label"), cache=tmp_path)
    assert len(found.train) + len(found.heldout) == 1797
    assert found.space.labels == tuple("0123456789")
    wanted = datasets.load_digits()
    by_row = {(image * 255 / 16).round().astype(np.uint8).tobytes(): int(digit)
              for image, digit in zip(wanted.images, wanted.target, strict=True)}  # fmt: skip
    for side in (found.train, found.heldout):
        assert side.labels is not None
        assert [by_row[row.tobytes()] for row in side.ids] == side.labels.tolist()
    assert found.train.ids.max() == 255
    assert sum(found.facts["labels"].values()) == len(found.train)


@pytest.mark.skipif("TEXTGAN_TEST_DATA" not in os.environ, reason="needs TEXTGAN_TEST_DATA")
def test_cifar10_itself(tmp_path: Path) -> None:
    path = Path(os.environ["TEXTGAN_TEST_DATA"]) / "cifar10" / "cifar10_tiny_200_50.npz"
    found = open_pictures("cifar10", PictureSettings(32, 3), data=str(path), cache=tmp_path)
    with np.load(path) as wanted:
        assert np.array_equal(found.space.decode(found.train.ids), wanted["x_train"])
        assert found.heldout.labels is not None
        assert np.array_equal(found.heldout.labels, wanted["y_test"])
    assert found.facts["classes"][0] == "airplane"


# --- commands -----------------------------------------------------------------------------------------------------


def test_prepare_and_the_shelf_know_pictures(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(data.parent / "cache"))
    arguments = ["images", "--data", str(data), "-s", "image.side=8", "-s", "corpus.heldout=0.2", "--processes", "1"]
    assert main(["prepare", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == "images: reading the pictures\n"
    summary, labels = out.splitlines()
    found = opened(data)
    assert summary.startswith(f"images: {len(found.train)} training and {len(found.heldout)} held-out pictures of 8x8")
    assert labels.startswith("training rows by label: ")
    assert main(["prepare", *arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["schema"], facts["fingerprint"], facts["side"], facts["channels"]) == (1, found.fingerprint, 8, 3)
    assert facts["facts"] == found.facts
    cache = data.parent / "cache"
    assert str(shelf.standing(card("images"), data="", cache=cache)) == "ready in the cache"
    assert str(shelf.standing(card("cifar10"), data="", cache=cache)) == "to get"


def test_corpora_of_pictures_are_found_where_data_names_them(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    archive = made.npz(tmp_path, made.side(5, 0), made.side(5, 1))
    assert str(shelf.standing(card("cifar10"), data=str(archive), cache=tmp_path)) == f"found at {archive}"
    assert str(shelf.standing(card("lsun"), data=str(archive), cache=tmp_path)) == "to get"
    assert str(shelf.standing(card("digits"), data="", cache=tmp_path)) == "found with scikit-learn"


def test_a_corpus_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="swissroll is no corpus of pictures"):
        open_pictures("swissroll", SMALL, cache=tmp_path)
