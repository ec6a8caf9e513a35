"""Files of pictures that are made to trouble, or that something else troubled: one line each."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import picture_files as made
import pytest

from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.corpora.prepare import Corpus
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels

pytest.importorskip("PIL")
TRAIN, TEST = made.side(30, 0), made.side(12, 1)
NAMES = [f"class {number}" for number in range(10)]


def opened(name: str, data: Path, cache: Path, column: str = "") -> Corpus[Pixels]:
    settings = PictureSettings(32, 3, column=column)
    return open_pictures(name, settings, data=str(data), cache=cache, processes=1)


def cut_short(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:-size])


@pytest.mark.parametrize("header", ["(" * 9000, "-" * 9000 + "1", "{'shape': (1, 2L, '''", " " * 20_000])
def test_headers_that_trouble_pythons_parser_are_one_line(tmp_path: Path, header: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", np.lib.format.magic(1, 0) + struct.pack("<H", len(header)) + header.encode())
    with pytest.raises(TextganError, match=r"a header that cannot be read \(\w+\); get it again$"):
        opened("cifar10", tmp_path / "a.npz", tmp_path / "cache")


def test_archives_packed_by_lzma_may_be_damaged_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", bytes(1000))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[60] ^= 255
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(TextganError, match=r"a\.npz is damaged, or no archive of pictures: "):
        opened("cifar10", tmp_path / "a.npz", tmp_path / "cache")


def test_a_database_that_is_cut_short_is_refused_before_it_ends_the_process(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    file = made.database(tmp_path / "bedroom_train_lmdb", [made.encoded(one) for one in TRAIN.pixels[:8]]) / "data.mdb"
    whole = file.stat().st_size
    cut_short(file, 4096)
    with pytest.raises(TextganError, match=rf"data\.mdb is cut short: {whole - 4096:,} of {whole:,} bytes; get it"):
        opened("lsun", tmp_path, tmp_path / "cache")


def test_files_that_differ_from_the_first_are_one_line(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    hub = made.parquet(tmp_path / "hub", TRAIN, TEST)
    pq.write_table(pa.table({"other": [1]}), hub / "plain_text" / "train-00001-of-00002.parquet")
    with pytest.raises(
        TextganError, match=r"train-00001-of-00002\.parquet lacks img or label, unlike others; get it again$"
    ):
        opened("cifar10", hub, tmp_path / "cache")


@pytest.mark.parametrize("names", [5, "abcdefghij"])
def test_names_of_classes_that_are_no_list_are_refused(tmp_path: Path, names: Any) -> None:
    data = made.python10(tmp_path, TRAIN, TEST, NAMES, made.python2)
    (data / "batches.meta").write_bytes(made.python2({"label_names": names}))
    with pytest.raises(TextganError, match=r"batches\.meta has no list of names of classes; get it again"):
        opened("cifar10", data, tmp_path / "cache")


@pytest.mark.parametrize("headers", [{"GNU.sparse.map": "x,y"}, {"GNU.sparse.size": "zz"}], ids=str)
def test_archives_with_numbers_that_are_none_are_one_line(tmp_path: Path, headers: dict[str, str]) -> None:
    entry = tarfile.TarInfo("data_batch_1.bin")
    entry.pax_headers = headers
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    with pytest.raises(TextganError, match=r"a\.tar cannot be read: "):
        opened("cifar10", tmp_path / "a.tar", tmp_path / "cache")


def test_a_column_is_refused_where_there_are_none(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for name, data in (("cifar10", made.npz(tmp_path, TRAIN, TEST)), ("digits", Path())):
        with pytest.raises(UsageError, match=r"^corpus\.column: .* have no columns; leave --column out$"):
            opened(name, data, tmp_path / "cache", column="img")
