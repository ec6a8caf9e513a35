"""Pictures of the hub, from a stand-in on the loopback: fetched once, gone on with, and used without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import picture_files as made
import pytest
from hub_standin import Hub, serve

from textgan.corpora import hub_access, shelf
from textgan.corpora.cards import card
from textgan.corpora.images import hub
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.errors import TextganError

pytest.importorskip("datasets")
pytest.importorskip("PIL")
SETTINGS = PictureSettings(side=32, channels=3)
TRAIN, TEST = made.side(20, 0), made.side(10, 1)


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    folder = made.parquet(tmp_path / "repo", TRAIN, TEST, card("cifar10").classes)
    (folder / "plain_text" / "notes.md").write_text("not wanted")
    (folder / "README.md").write_text("not wanted either")
    for name in hub_access.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serve(Hub({hub.REPOS["cifar10"][0]: {"main": folder}})) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        monkeypatch.setattr(constants, "ENDPOINT", served.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield served


def test_cifar10_is_fetched_once(tmp_path: Path, online: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    cache = tmp_path / "cache"
    found = open_pictures("cifar10", SETTINGS, cache=cache, processes=1, tell=told.append)
    assert told == ["uoft-cs/cifar10: fetching its pictures", "cifar10: reading the pictures"]
    assert np.array_equal(found.train.ids.transpose(0, 2, 3, 1), TRAIN.pixels)
    assert np.array_equal(found.heldout.ids.transpose(0, 2, 3, 1), TEST.pixels)
    fetched = sorted(path.name for path in (cache / "hub").rglob("*.*") if ".cache" not in path.parts)
    assert [name for name in fetched if not name.startswith((".", "uoft"))] == [
        "test-00000-of-00001.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet",
    ]  # fmt: skip
    local = open_pictures("cifar10", SETTINGS, data=str(tmp_path / "repo"), cache=cache, processes=1)
    assert local.fingerprint == found.fingerprint
    before = len([line for line in online.asked if ".parquet" in line])
    assert open_pictures("cifar10", SETTINGS, cache=cache, tell=told.append).fingerprint == found.fingerprint
    assert len([line for line in online.asked if ".parquet" in line]) == before
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = open_pictures("cifar10", SETTINGS, cache=cache, tell=told.append)
    assert again.fingerprint == found.fingerprint
    assert told[2:] == ["uoft-cs/cifar10: HF_HUB_OFFLINE is set; taking its pictures from the cache"]
    assert str(shelf.standing(card("cifar10"), data="", cache=cache)) == "ready in the cache"


def test_without_the_hub_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TextganError, match=r"^cifar10 is not on this machine, and HF_HUB_OFFLINE is set; go online"):
        open_pictures("cifar10", SETTINGS, cache=tmp_path)


def test_a_fetch_that_broke_is_no_whole_one(tmp_path: Path, online: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    online.gated.add("uoft-cs/cifar10")
    with pytest.raises(TextganError, match="uoft-cs/cifar10 cannot be read: it is gated"):
        open_pictures("cifar10", SETTINGS, cache=tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        assert hub.kept(card("cifar10"), tmp_path / "cache") is None
        with pytest.raises(TextganError, match="is not on this machine"):
            open_pictures("cifar10", SETTINGS, cache=tmp_path / "cache")
    online.gated.clear()
    assert len(open_pictures("cifar10", SETTINGS, cache=tmp_path / "cache", processes=1).train) == 20
    assert hub.kept(card("cifar10"), tmp_path / "cache") is not None


def test_a_repository_without_its_pictures_is_no_whole_one(
    tmp_path: Path, online: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hub.REPOS, "cifar10", ("uoft-cs/cifar10", "elsewhere"))
    with pytest.raises(TextganError, match=r"^uoft-cs/cifar10 has no elsewhere/train-\*\.parquet at commit "):
        open_pictures("cifar10", SETTINGS, cache=tmp_path / "cache")
    assert hub.kept(card("cifar10"), tmp_path / "cache") is None
