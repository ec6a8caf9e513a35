"""Tiny corpora of pictures in every layout that the sources know, made of the same pixels."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


class Side(NamedTuple):
    """Pictures (picture, y, x, channel) and their labels."""

    pixels: Pixels
    labels: list[int]
    coarse: list[int]


def side(count: int, seed: int, *, size: int = 32, channels: int = 3, classes: int = 10) -> Side:
    """Random pictures of so many classes, every one of which occurs."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
    return Side(pixels, [number % classes for number in range(count)], [number % 3 for number in range(count)])


# --- what Python's serialisation writes, by hand ------------------------------------------------------------------


def python2(fields: dict[str, Any]) -> bytes:
    """Serialise a batch as Python 2 did, protocol 2: text is bytes, arrays are rebuilt from such text."""
    return b"\x80\x02}q\x00(" + b"".join(_short(key) + _value(value) for key, value in fields.items()) + b"u."


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, list):
        return b"](" + b"".join(_value(entry) for entry in value) + b"e"
    return _short(value) if isinstance(value, str) else b"J" + struct.pack("<i", value)


def _short(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()


def _array(array: Pixels) -> bytes:
    shape = b"".join(b"J" + struct.pack("<i", size) for size in array.shape)
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = b"T" + struct.pack("<i", array.nbytes) + array.tobytes()
    blank = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return blank + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + content + b"tb"


def planes(pixels: Pixels) -> Pixels:
    """Pictures as CIFAR has them, (picture, 3072): red, then green, then blue."""
    return pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)


# --- layouts ------------------------------------------------------------------------------------------------------


def npz(folder: Path, train: Side, test: Side, classes: Sequence[str] = ()) -> Path:
    arrays: dict[str, Any] = {
        "x_train": train.pixels, "y_train": np.array(train.labels),
        "x_test": test.pixels, "y_test": np.array(test.labels, np.uint8),
    }  # fmt: skip
    if classes:
        arrays["classes"] = np.array(classes)
    np.savez_compressed(folder / "pictures.npz", **arrays)
    return folder / "pictures.npz"


def batches(train: Side) -> list[Side]:
    """Five batches, one after the other."""
    return [
        Side(pixels, labels.tolist(), coarse.tolist())
        for pixels, labels, coarse in zip(
            np.array_split(train.pixels, 5), np.array_split(np.array(train.labels), 5),
            np.array_split(np.array(train.coarse), 5), strict=True,
        )
    ]  # fmt: skip


def binary10(folder: Path, train: Side, test: Side, classes: Sequence[str]) -> Path:
    there = folder / "cifar-10-batches-bin"
    there.mkdir(parents=True)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    for name, batch in zip(names, [*batches(train), test], strict=True):
        records = np.concatenate([np.array(batch.labels, np.uint8)[:, None], planes(batch.pixels)], axis=1)
        (there / name).write_bytes(records.tobytes())
    (there / "batches.meta.txt").write_text("\n".join(classes) + "\n\n")
    return folder


def python10(folder: Path, train: Side, test: Side, classes: Sequence[str], dump: Callable[[Any], bytes]) -> Path:
    there = folder / "cifar-10-batches-py"
    there.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name, batch in zip(names, [*batches(train), test], strict=True):
        fields = {"batch_label": name, "labels": batch.labels, "data": planes(batch.pixels), "filenames": [name]}
        (there / name).write_bytes(dump(fields))
    (there / "batches.meta").write_bytes(dump({"num_cases_per_batch": 10, "label_names": list(classes)}))
    (there / "readme.html").write_text("<p>")
    return folder


def binary100(folder: Path, train: Side, test: Side, classes: Sequence[str], coarse: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for name, batch in (("train.bin", train), ("test.bin", test)):
        labels = np.array([batch.coarse, batch.labels], np.uint8).T
        (folder / name).write_bytes(np.concatenate([labels, planes(batch.pixels)], axis=1).tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(classes) + "\n")
    (folder / "coarse_label_names.txt").write_text("\n".join(coarse) + "\n")
    return folder


def python100(folder: Path, train: Side, test: Side, classes: Sequence[str], coarse: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for name, batch in (("train", train), ("test", test)):
        fields = {"fine_labels": batch.labels, "coarse_labels": batch.coarse, "data": planes(batch.pixels)}
        (folder / name).write_bytes(python2(fields))
    (folder / "meta").write_bytes(python2({"fine_label_names": list(classes), "coarse_label_names": list(coarse)}))
    return folder


def packed(folder: Path, to: Path) -> Path:
    """Pack a folder as it is downloaded."""
    with tarfile.open(to, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return to


def encoded(picture: Pixels, form: str = "PNG", **options: Any) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture if picture.shape[-1] == 3 else picture[..., 0]).save(content, form, **options)
    return content.getvalue()


def parquet(
    folder: Path, train: Side, test: Side, classes: Sequence[str] = (), *, column: str = "img", label: str = "label",
    split: str = "test",
) -> Path:  # fmt: skip
    """Write the hub's layout, the training pictures in two files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = folder / "plain_text"
    there.mkdir(parents=True)
    half = len(train.labels) // 2
    parts = {
        "train-00000-of-00002": slice(None, half),
        "train-00001-of-00002": slice(half, None),
        f"{split}-00000-of-00001": slice(None),
    }
    for name, part in parts.items():
        batch = train if name.startswith("train") else test
        columns = {
            column: [{"bytes": encoded(picture), "path": None} for picture in batch.pixels[part]],
            label: batch.labels[part], f"coarse_{label}": batch.coarse[part],
        }  # fmt: skip
        table = pa.table(columns)
        features = {label: {"names": list(classes), "_type": "ClassLabel"}} if classes else {}
        described = json.dumps({"info": {"features": features}})
        pq.write_table(table.replace_schema_metadata({"huggingface": described}), there / f"{name}.parquet")
    return folder


def idx(folder: Path, train: Side, test: Side, *, pack: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, batch in (("train", train), ("t10k", test)):
        pictures = struct.pack(">4B3I", 0, 0, 8, 3, *batch.pixels.shape[:3]) + batch.pixels.tobytes()
        labels = struct.pack(">4BI", 0, 0, 8, 1, len(batch.labels)) + bytes(batch.labels)
        for name, content in ((f"{stem}-images-idx3-ubyte", pictures), (f"{stem}-labels-idx1-ubyte", labels)):
            (folder / (f"{name}.gz" if pack else name)).write_bytes(gzip.compress(content) if pack else content)
    return folder


def mat(folder: Path, train: Side, test: Side) -> Path:
    from scipy import io as scipy_io

    folder.mkdir(parents=True, exist_ok=True)
    for name, batch in (("train", train), ("test", test)):
        labels = np.array([[label or 10] for label in batch.labels], np.uint8)
        scipy_io.savemat(folder / f"{name}_32x32.mat", {"X": batch.pixels.transpose(1, 2, 3, 0), "y": labels})
    return folder


def database(path: Path, contents: Sequence[bytes]) -> Path:
    """Write an LMDB of one folder."""
    import lmdb

    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=1 << 22) as opened, opened.begin(write=True) as transaction:
        for number, content in enumerate(contents):
            transaction.put(f"{number:08}".encode(), content)
    return path
