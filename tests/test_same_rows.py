"""Billion Word in every form it is found in, through the command: one fingerprint for the same lines."""

from __future__ import annotations

import gzip
import json
import os
import random
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import textgan
from hub_standin import Hub, serve

from textgan.corpora.text.billion_word import FOLDERS

TRAINING = [f"news.en-000{i:02}-of-00100" for i in (1, 2, 10, 99)]
HELDOUT = [f"news.en.heldout-000{i:02}-of-00050" for i in (0, 3, 49)]
DECOY = "news.en-00000-of-00100"
STRANGE = "\u2603"  # a character of the decoy alone
LINES = 50  # of a shard


def unpack(root: Path) -> dict[str, list[str]]:
    """Write the folder, with the decoy, and return the lines of each side."""
    rng, sides = random.Random(0), {}
    words = ["the", "a", "naïve", "word", "`", "--", "U.S.", "running", "漢字"]
    for folder, names in zip(FOLDERS, (TRAINING, HELDOUT), strict=True):
        (root / folder).mkdir(parents=True)
        shards = {name: [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(LINES)] for name in names}
        for name, lines in shards.items():
            (root / folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        sides[folder] = [line for name in names for line in shards[name]]
    (root / FOLDERS[1] / DECOY).write_text(f"{STRANGE} is in no other shard\n" * LINES, encoding="utf-8")
    return sides


def pack(root: Path, archive: Path) -> Path:
    """Pack a folder as the official archive is, its members in no order."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    random.Random(1).shuffle(files)
    with tarfile.open(archive, "w:gz") as tar:
        for path in files:
            name = "1-billion-word-language-modeling-benchmark-r13output" / path.relative_to(root)
            tar.add(path, name.as_posix())
    return archive


@contextmanager
def mirror(folder: Path, train: list[str], test: list[str]) -> Iterator[dict[str, str]]:
    """Serve the lines as the first mirror does, and yield the variables that lead there."""
    (folder / "data").mkdir(parents=True)
    middle = len(train) // 3  # shards of the hub are others
    for name, lines in (("train-0", train[:middle]), ("train-1", train[middle:]), ("test-0", test)):
        pq.write_table(pa.table({"text": lines}), folder / f"data/{name}.parquet", row_group_size=1000)
    with serve(Hub({"dvruette/lm1b": {"main": folder}})) as hub:
        home = str(folder.parent / "hf")
        yield {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "", "HF_HOME": home, "NO_PROXY": "*"}


def prepared(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Prepare with a cache of its own, so that nothing is found ready."""
    folder.mkdir()
    done = textgan(folder, "prepare", "billion_word", *arguments, "--json", environ=environ)
    assert done.code == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    space = json.loads((folder / "cache" / "rows" / told["fingerprint"] / "space.json").read_text(encoding="utf-8"))
    assert STRANGE not in space["symbols"]
    return told


@pytest.mark.slow
def test_every_form_gives_the_same_rows(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    root = tmp_path / "data" / "r13output"
    sides = unpack(root)
    archive = pack(root, tmp_path / "official.tar.gz")
    zipped = tmp_path / "zipped"
    zipped.mkdir()
    for path in root.glob("*/news*"):
        (zipped / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    told = {
        "folder": prepared(tmp_path / "1", "--data", str(root)),
        "shards": prepared(tmp_path / "2", "--data", str(zipped)),
        "variable": prepared(tmp_path / "3", environ={"TEXTGAN_DATA": str(archive)}),
    }
    with mirror(tmp_path / "mirror", *sides.values()) as environ:
        told["hub"] = prepared(tmp_path / "4", environ=environ)
    for form in told.values():
        assert form["fingerprint"] == told["folder"]["fingerprint"]
        assert (form["facts"]["split"], form["facts"]["title"]) == ("official", told["folder"]["facts"]["title"])
        assert form["facts"]["lines"] == {"train": LINES * len(TRAINING), "heldout": LINES * len(HELDOUT)}


@pytest.mark.slow
def test_the_real_shards_give_the_same_rows(tmp_path: Path) -> None:
    data = os.environ.get("TEXTGAN_TEST_DATA")
    if data is None:
        pytest.skip("TEXTGAN_TEST_DATA is not set")
    pytest.importorskip("datasets")
    real = Path(data) / "billion_word"
    root = tmp_path / "r13output"
    (root / FOLDERS[1]).mkdir(parents=True)
    shards = sorted(real.rglob("news.en.heldout-*"))
    for shard in shards:
        (root / FOLDERS[1] / shard.name).symlink_to(shard)
    (root / FOLDERS[1] / DECOY).write_text(f"{STRANGE}\n" * 1000, encoding="utf-8")
    (tmp_path / "copied").mkdir()
    for path in (root / FOLDERS[1]).iterdir():
        (tmp_path / "copied" / path.name).write_bytes(path.read_bytes())
    told = [
        prepared(tmp_path / "1", "--data", str(real)),
        prepared(tmp_path / "2", "--data", str(root)),
        prepared(tmp_path / "3", "--data", str(pack(tmp_path / "copied", tmp_path / "official.tar.gz"))),
    ]
    lines = [shard.read_text(encoding="utf-8").split("\n")[:-1] for shard in shards]
    with mirror(tmp_path / "mirror", [line for shard in lines[1:] for line in shard], lines[0]) as environ:
        told.append(prepared(tmp_path / "4", environ=environ))
    assert len({form["fingerprint"] for form in told}) == 1
    assert {tuple(form["facts"]["lines"].values()) for form in told} == {(sum(map(len, lines[1:])), len(lines[0]))}
