"""Every layout of the corpora of pictures: the same pixels give the same rows; what is wrong is one line."""

from __future__ import annotations

import gzip
import pickle
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import picture_files as made
import pytest
from picture_files import Side

from textgan.corpora import cards
from textgan.corpora.images import picture, sources
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.corpora.prepare import Corpus
from textgan.errors import TextganError, UsageError
from textgan.pixels import Pixels

pytest.importorskip("PIL")
TRAIN, TEST = made.side(30, 0), made.side(12, 1)
NAMES = cards.card("cifar10").classes
COLOURED = PictureSettings(side=32, channels=3)


def opened(name: str, data: Path, cache: Path, **settings: Any) -> Corpus[Pixels]:
    chosen = {"side": 32, "channels": 3} | settings
    return open_pictures(name, PictureSettings(**chosen), data=str(data), cache=cache, processes=1)


def is_made_of(found: Corpus[Pixels], train: Side, test: Side) -> None:
    for rows, wanted in ((found.train, train), (found.heldout, test)):
        assert rows.ids.dtype == np.uint8
        assert np.array_equal(rows.ids.transpose(0, 2, 3, 1), wanted.pixels)
        assert rows.labels is not None
        assert rows.labels.tolist() == wanted.labels
        assert rows.lines.tolist() == list(range(len(wanted.labels)))


def python3(protocol: int) -> Callable[[Any], bytes]:
    return partial(pickle.dumps, protocol=protocol)


CIFAR10: dict[str, Callable[[Path], Path]] = {
    "npz": lambda folder: made.npz(folder, TRAIN, TEST, NAMES),
    "npz without names": lambda folder: made.npz(folder, TRAIN, TEST),
    "binary": lambda folder: made.binary10(folder / "binary", TRAIN, TEST, NAMES),
    "binary, packed": lambda folder: made.packed(
        made.binary10(folder / "binary", TRAIN, TEST, NAMES), folder / "cifar-10-binary.tar.gz"
    ),
    "Python 2": lambda folder: made.python10(folder / "py", TRAIN, TEST, NAMES, made.python2),
    "Python 2, packed": lambda folder: made.packed(
        made.python10(folder / "py", TRAIN, TEST, NAMES, made.python2), folder / "cifar-10-python.tar.gz"
    ),
    **{
        f"Python 3, protocol {protocol}": partial(
            lambda folder, dump: made.python10(folder / "py", TRAIN, TEST, NAMES, dump), dump=python3(protocol)
        )
        for protocol in (2, 3, 4, 5)
    },
    "Parquet": lambda folder: made.parquet(folder / "hub", TRAIN, TEST, NAMES),
}


def test_cifar10_is_the_same_from_every_layout(tmp_path: Path) -> None:
    prints = set()
    for number, write in enumerate(CIFAR10.values()):
        (tmp_path / str(number)).mkdir()
        found = opened("cifar10", write(tmp_path / str(number)), tmp_path / "cache")
        is_made_of(found, TRAIN, TEST)
        assert found.facts["classes"] == NAMES
        assert found.facts["labels"] == dict.fromkeys(NAMES, 3)
        assert (found.facts["left_out"], found.facts["rows"]) == ({}, {"train": 30, "heldout": 12})
        assert found.facts["split"] == "that of the files"  # which are not the published ones
        prints.add(found.fingerprint)
    assert len(prints) == 1


def test_cifar100_has_classes_and_superclasses(tmp_path: Path) -> None:
    train, test = made.side(20, 0, classes=100), made.side(10, 1, classes=100)
    names, coarse = cards.card("cifar100").classes, ["fish", "people", "trees"]
    assert len(names) == 100
    layouts = [
        made.binary100(tmp_path / "binary", train, test, names, coarse),
        made.python100(tmp_path / "python", train, test, names, coarse),
    ]
    for layout in layouts:
        found = opened("cifar100", layout, tmp_path / "cache", label_column="label")
        is_made_of(found, train, test)
        assert found.space.labels == tuple(names)
        found = opened("cifar100", layout, tmp_path / "cache", label_column="coarse")
        assert found.space.labels == tuple(coarse)
        assert found.train.labels is not None
        assert found.train.labels.tolist() == train.coarse
    hub = made.parquet(tmp_path / "hub", train, test, names, label="label")
    assert opened("cifar100", hub, tmp_path / "cache").fingerprint == opened(
        "cifar100", layouts[0], tmp_path / "cache"
    ).fingerprint  # fmt: skip
    assert opened("cifar100", made.npz(tmp_path, train, test), tmp_path / "cache").facts["classes"] == names
    with pytest.raises(UsageError, match=r"pictures\.npz has no labels 'coarse'; say label$"):
        opened("cifar100", tmp_path / "pictures.npz", tmp_path / "cache", label_column="coarse")


def test_mnist_in_grey_from_idx_packed_or_not_and_from_parquet(tmp_path: Path) -> None:
    train, test = (made.side(count, count, size=28, channels=1) for count in (20, 10))
    names = [str(digit) for digit in range(10)]
    layouts = [
        made.idx(tmp_path / "idx", train, test),
        made.idx(tmp_path / "packed", train, test, pack=True),
        made.parquet(tmp_path / "hub", train, test, names, column="image"),
    ]
    found = [opened("mnist", layout, tmp_path / "cache", side=28, channels=1) for layout in layouts]
    for corpus in found:
        is_made_of(corpus, train, test)
    assert len({corpus.fingerprint for corpus in found}) == 1
    coloured = opened("mnist", layouts[0], tmp_path / "cache", side=28)
    assert np.array_equal(coloured.train.ids, found[0].train.ids.repeat(3, axis=1))


def test_svhn_from_mat_where_ten_is_the_digit_zero(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    hub = made.parquet(tmp_path / "hub", TRAIN, TEST, column="image")
    found = [opened("svhn", data, tmp_path / "cache") for data in (made.mat(tmp_path / "mat", TRAIN, TEST), hub)]
    for corpus in found:
        is_made_of(corpus, TRAIN, TEST)
    assert found[0].fingerprint == found[1].fingerprint


def test_lsun_from_databases_of_jpeg_and_webp(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    contents = [made.encoded(TRAIN.pixels[0], "JPEG"), made.encoded(TRAIN.pixels[1], "WEBP", lossless=True)]
    made.database(tmp_path / "bedroom_train_lmdb", contents)
    made.database(tmp_path / "bedroom_val_lmdb", [made.encoded(TEST.pixels[0], "WEBP", lossless=True)])
    found = opened("lsun", tmp_path, tmp_path / "cache")
    assert np.array_equal(found.train.ids[0].transpose(1, 2, 0), picture.decoded(contents[0]))
    assert np.array_equal(found.train.ids[1].transpose(1, 2, 0), TRAIN.pixels[1])
    assert np.array_equal(found.heldout.ids[0].transpose(1, 2, 0), TEST.pixels[0])
    assert (found.train.labels, found.facts["classes"], found.facts["labels"]) == (None, [], {})
    assert sorted(path.name for path in (tmp_path / "bedroom_val_lmdb").iterdir()) == ["data.mdb", "lock.mdb"]
    assert found.facts["left_out"] == {}


def test_categories_of_lsun_that_are_only_held_out_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    for name, one in (("bedroom_train", TRAIN), ("bedroom_val", TEST), ("tower_val", TEST)):
        made.database(tmp_path / f"{name}_lmdb", [made.encoded(one.pixels[0])])
    found = opened("lsun", tmp_path, tmp_path / "cache")
    assert (len(found.train), len(found.heldout)) == (1, 1)
    assert found.facts["left_out"] == {"held-out categories that are not trained on": 1}


def test_several_categories_of_lsun_are_classes_and_come_in_turn(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("lmdb")
    from textgan.corpora.images import lsun

    monkeypatch.setattr(lsun, "MOST", 2)
    for number, category in enumerate(("kitchen", "bedroom")):
        pictures = TRAIN.pixels[10 * number : 10 * number + 4]
        made.database(tmp_path / f"{category}_train_lmdb", [made.encoded(one) for one in pictures])
    found = opened("lsun", tmp_path, tmp_path / "cache", label_column="label", heldout=0.3)
    assert found.space.labels == ("bedroom", "kitchen")
    wanted = [*TRAIN.pixels[10:12], *TRAIN.pixels[:2], *TRAIN.pixels[12:14], *TRAIN.pixels[2:4]]
    held = {row.tobytes() for row in found.heldout.ids}
    left = [row for row in np.array(wanted).transpose(0, 3, 1, 2) if row.tobytes() not in held]
    assert np.array_equal(found.train.ids, left)
    assert 0 < len(held) == 8 - len(left)


def test_lsun_from_parquet_without_labels(tmp_path: Path) -> None:
    hub = made.parquet(tmp_path / "hub", TRAIN, TEST, column="image", label="other", split="validation")
    found = opened("lsun", hub, tmp_path / "cache")
    assert np.array_equal(found.heldout.ids.transpose(0, 2, 3, 1), TEST.pixels)
    assert found.train.labels is None
    with pytest.raises(UsageError, match=r"these pictures of lsun have no classes; leave --label-column out"):
        opened("lsun", hub, tmp_path / "cache", label_column="label")


# --- folders ------------------------------------------------------------------------------------------------------


def folder(path: Path, names: list[str], pictures: Any = TRAIN.pixels) -> Path:
    for name, one in zip(names, pictures, strict=False):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        form = {"png": "PNG", "bmp": "BMP", "webp": "WEBP"}[name.rpartition(".")[2].lower()]
        (path / name).write_bytes(made.encoded(one, form, **({"lossless": True} if form == "WEBP" else {})))
    return path


def test_a_folder_has_its_subfolders_for_classes(tmp_path: Path) -> None:
    names = [f"{kind}/deep/{number}.{form}" for kind, form in (("cat", "png"), ("dog", "BMP"), ("eel", "webp"))
             for number in range(10)]  # fmt: skip
    data = folder(tmp_path / "data", names)
    found = opened("images", data, tmp_path / "cache", label_column="label", heldout=0.3)
    assert found.space.labels == ("cat", "dog", "eel")
    pixels = {row.tobytes(): (number // 10) for number, row in enumerate(TRAIN.pixels.transpose(0, 3, 1, 2))}
    for rows in (found.train, found.heldout):
        assert rows.labels is not None
        assert [pixels[row.tobytes()] for row in rows.ids] == rows.labels.tolist()
    assert len(found.train) + len(found.heldout) == 30
    assert sum(found.facts["labels"].values()) == len(found.train)
    assert found.facts["split"] == "hash of the picture"
    shutil.move(data, tmp_path / "elsewhere")
    assert opened("images", tmp_path / "elsewhere", tmp_path / "cache", heldout=0.3).fingerprint == found.fingerprint
    # the first few are of all classes, and are those of the whole
    few = opened("images", tmp_path / "elsewhere", tmp_path / "cache", heldout=0.3, max_pictures=9)
    assert few.train.labels is not None
    assert len(few.train) == 9
    assert set(few.train.labels.tolist()) == {0, 1, 2}
    assert np.array_equal(few.train.ids, found.train.ids[:9])


def test_folders_train_and_test_are_sides(tmp_path: Path) -> None:
    names = [f"{side}/{kind}/{number}.png" for side in ("train", "val") for kind in "ab" for number in range(3)]
    found = opened("images", folder(tmp_path / "data", names), tmp_path / "cache", label_column="label")
    assert (len(found.train), len(found.heldout), found.space.labels) == (6, 6, ("a", "b"))
    alone = opened("images", folder(tmp_path / "flat", [f"{n}.png" for n in range(30)]), tmp_path / "cache")
    assert alone.train.labels is None


def test_links_hidden_files_and_others_are_passed_over(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", [f"{number}.png" for number in range(20)])
    outside = folder(tmp_path / "outside", ["secret.png"], TEST.pixels)
    (data / "link.png").symlink_to(outside / "secret.png")
    (data / "inside.png").symlink_to(data / "3.png")
    (data / "deep").symlink_to(outside)
    (data / "notes.txt").write_text("no picture")
    folder(data / ".hidden", ["a.png"])
    (data / ".b.png").write_bytes(b"?")
    (data / "round.png").symlink_to(data / "about.png")
    (data / "about.png").symlink_to(data / "round.png")
    found = opened("images", data, tmp_path / "cache")
    assert len(found.train) + len(found.heldout) == 21
    assert found.facts["left_out"] == {
        "links that lead elsewhere": 2,
        "special files": 2,
        "files that are not named as pictures": 1,
    }
    secret = TEST.pixels[0].transpose(2, 0, 1)
    assert not any(np.array_equal(row, secret) for rows in (found.train, found.heldout) for row in rows.ids)


# --- what is wrong ------------------------------------------------------------------------------------------------


def cut_short(path: Path, size: int = 1000) -> None:
    path.write_bytes(path.read_bytes()[:-size])


def test_damaged_layouts_are_one_line(tmp_path: Path) -> None:
    def says(name: str, data: Path, message: str, **settings: Any) -> None:
        with pytest.raises(TextganError, match=message) as caught:
            opened(name, data, tmp_path / "cache", **settings)
        assert "\n" not in str(caught.value)
        assert not list((tmp_path / "cache").glob("rows/*"))

    binary = made.binary10(tmp_path / "binary", TRAIN, TEST, NAMES)
    cut_short(binary / "cifar-10-batches-bin" / "data_batch_2.bin")
    says("cifar10", binary, r"data_batch_2\.bin is cut short, or no batch: a record has 3,073 bytes")
    (binary / "cifar-10-batches-bin" / "data_batch_2.bin").unlink()
    says("cifar10", binary, r"binary lacks data_batch_2\.bin; get it again")
    tar = made.packed(made.binary10(tmp_path / "b", TRAIN, TEST, NAMES), tmp_path / "b.tar.gz")
    cut_short(tar, 20_000)
    says("cifar10", tar, r"b\.tar\.gz cannot be read: ")
    archive = made.npz(tmp_path, TRAIN, TEST)
    content = bytearray(archive.read_bytes())
    content[5000] ^= 255
    archive.write_bytes(content)
    says("cifar10", archive, r"pictures\.npz is damaged, or no archive of pictures: ")
    hub = made.parquet(tmp_path / "hub", TRAIN, TEST)
    cut_short(hub / "plain_text" / "train-00000-of-00002.parquet", 8)
    says("cifar10", hub, r"train-00000-of-00002\.parquet is damaged, or no Parquet: ")
    mnist = made.idx(tmp_path / "idx", *(made.side(30, n, size=28, channels=1) for n in (0, 1)))
    cut_short(mnist / "train-images-idx3-ubyte")
    says("mnist", mnist, "train-images-idx3-ubyte is cut short; get it again")
    labels = gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 7) + bytes(7))
    (mnist / "train-labels-idx1-ubyte").write_bytes(labels)
    says("mnist", mnist, "train-labels-idx1-ubyte has 7 labels of 30 pictures")
    (mnist / "train-labels-idx1-ubyte").write_bytes(labels[:12])
    says("mnist", mnist, "train-labels-idx1-ubyte (is damaged|cannot be read): ")
    (mnist / "train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 7, 1 << 20, 1 << 20))
    (mnist / "train-labels-idx1-ubyte").write_bytes(labels)
    says("mnist", mnist, "has pictures of 1048576 x 1048576 pixels; get it again")
    (mnist / "train-labels-idx1-ubyte").write_bytes(b"hello")
    says("mnist", mnist, "train-labels-idx1-ubyte is no idx of bytes with 1 axes")
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    says("mnist", mnist, "idx lacks t10k-labels-idx1-ubyte")
    svhn = made.mat(tmp_path / "mat", TRAIN, TEST)
    (svhn / "train_32x32.mat").write_bytes(b"MATLAB 5.0" * 30)
    says("svhn", svhn, r"train_32x32\.mat is damaged, or no file of SVHN: ")
    (svhn / "test_32x32.mat").unlink()
    says("svhn", svhn, r"mat lacks test_32x32\.mat")
    database = tmp_path / "lsun" / "church_train_lmdb"
    database.mkdir(parents=True)
    (database / "data.mdb").write_bytes(b"x" * 9000)
    says("lsun", tmp_path / "lsun", "church_train_lmdb is damaged, or no LMDB: ")
    database.rename(tmp_path / "lsun" / "church_val_lmdb")
    says("lsun", tmp_path / "lsun", "none to train on; add CATEGORY_train_lmdb")


def test_arrays_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    def says(message: str, **arrays: Any) -> None:
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(TextganError, match=message):
            opened("cifar10", tmp_path / "a.npz", tmp_path / "cache")

    pixels, labels = TRAIN.pixels, np.array(TRAIN.labels)
    says("holds no x_train; an archive of pictures has x_train", pictures=pixels)
    says("x_train is of the type float32", x_train=pixels.astype(np.float32), y_train=labels)
    says(r"x_train is uint8 \(30, 32, 32, 4\)", x_train=pixels[..., [0, 1, 2, 2]], y_train=labels)
    says("y_train has 29 labels of 30 pictures", x_train=pixels, y_train=labels[1:])
    says("x_train is of the type object", x_train=np.array([{}] * 3), y_train=labels)
    says(
        "picture 8 cannot be used .pictures with a label that is none: 10, of 10 classes.; mend",
        x_train=pixels,
        y_train=labels + 2,
    )
    says("x_train is stored by columns", x_train=np.asfortranarray(pixels), y_train=labels)
    says("of y_train and y_test it holds y_train alone", x_train=pixels, y_train=labels, x_test=pixels)
    says("two classes of one name among a, a, b", x_train=pixels, y_train=labels, classes=np.array(list("aabcdefghi")))
    says(r"x_train has pictures of 0 x 32 pixels", x_train=pixels[:, :0], y_train=labels)
    flat = np.broadcast_to(np.uint8(0), (1, picture.MOST + 1, 1, 1))
    says(r"x_train has pictures of \d+ x 1 pixels", x_train=flat, y_train=labels[:1])
    liar = np.lib.format.magic(1, 0) + struct.pack("<H", 118)
    liar += b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 32, 32, 3), }".ljust(117) + b"\n"
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x_train.npy", liar + b"0" * 64)
    with pytest.raises(TextganError, match="x_train is not of the size that it says"):
        opened("cifar10", tmp_path / "a.npz", tmp_path / "cache")


def test_what_is_not_there_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text("x")
    for name in sources.LAYOUTS:
        with pytest.raises(TextganError, match=f"^{name}: nothing of it is at .*empty; looked for ") as caught:
            opened(name, tmp_path / "empty", tmp_path / "cache")
        assert all(layout.told in str(caught.value) for layout in sources.LAYOUTS[name])
    with pytest.raises(TextganError, match=r"^lsun: no such file or folder: /nowhere; download"):
        opened("lsun", Path("/nowhere"), tmp_path / "cache")
    with pytest.raises(TextganError, match=r"^images: it is not on this machine; put pictures into a folder"):
        open_pictures("images", COLOURED, cache=tmp_path)
    with pytest.raises(UsageError, match=r"has no labels 'kind'; say label$"):
        opened("cifar10", tmp_path, tmp_path, label_column="kind")
    with pytest.raises(UsageError, match="names is no corpus of pictures"):
        opened("names", tmp_path, tmp_path)
    hub = made.parquet(tmp_path / "hub", TRAIN, TEST, column="photo")
    with pytest.raises(UsageError, match=r"has no column 'image' of pictures; its columns: photo, label.*--column"):
        opened("cifar10", hub, tmp_path / "cache")
    assert len(opened("cifar10", hub, tmp_path / "cache", column="photo").train) == 30


def test_a_library_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    made.database(tmp_path / "lsun" / "bedroom_train_lmdb", [made.encoded(TRAIN.pixels[0])])
    cases = {
        "PIL": ("Pillow", "images", folder(tmp_path / "data", ["a.png"])),
        "sklearn": ("scikit-learn", "digits", Path()),
        "lmdb": ("lmdb", "lsun", tmp_path / "lsun"),
        "scipy": ("SciPy", "svhn", made.mat(tmp_path / "mat", TRAIN, TEST)),
    }
    for module, (library, name, data) in cases.items():
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(TextganError, match=rf"need {library}; pip install 'textgan\[images\]'$"):
                opened(name, data, tmp_path / "cache")
