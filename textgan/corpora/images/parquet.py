"""Pictures in Parquet files as the Hugging Face Hub has them: a column of encoded pictures, and one of labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from textgan import bounded
from textgan.corpora.images.collection import LABEL, NO_LABEL, Block, Collection, Shard
from textgan.corpora.images.picture import decoded
from textgan.corpora.images.place import Asked
from textgan.errors import TextganError, UsageError, near_miss

ROWS = 64  # at a time
HELDOUT = ("test", "validation", "valid", "val")
"""Splits that can be measured on: the first that is there."""
PICTURES = ("image", "img")  # usual columns
LABELS = {LABEL: ("label", "fine_label", "labels"), "coarse": ("coarse_label",)}


def collection(folder: str, asked: Asked) -> Collection | None:
    """Return the pictures of Parquet files, those named train and test or validation apart; None if there are none.

    Args:
        folder: the one that is meant where there are several; may be empty, and need not be there.
        asked: what is looked for.

    Raises:
        UsageError: it is not clear which column is the picture, or there is no such label.
        TextganError: a file is damaged, or pyarrow is not installed.
    """
    every = asked.place.all("*.parquet")
    files = [name for name in every if folder and folder in PurePosixPath(name).parts] or every
    if not files or asked.place.archive:
        return None
    splits: dict[str, list[str]] = {}
    for name in files:
        splits.setdefault(_split(name), []).append(name)
    heldout = next((splits[split] for split in HELDOUT if split in splits and "train" in splits), [])
    training = splits.get("train", files)
    column, label, classes = _columns(asked, training[0])
    shard = partial(_shard, asked, column, label)
    return Collection(tuple(map(shard, training)), tuple(map(shard, heldout)), classes if label else None)


def _split(name: str) -> str:
    """Return the split that the name of a file, or of its folder, begins with."""
    path = PurePosixPath(name)
    for text in (path.name, path.parent.name):
        for split in ("train", *HELDOUT):
            if text == split or text.startswith((f"{split}-", f"{split}.", f"{split}_")):
                return split
    return ""


def _columns(asked: Asked, name: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the columns of the picture and of the label, "" for none, and the names of the classes."""
    import_pyarrow()
    called = asked.place.label(name)
    with _opened(asked, name) as file:
        schema = file.schema_arrow
    usual = [column for column in PICTURES if column in schema.names]
    column = asked.column or (usual[0] if len(usual) == 1 else "")
    if column not in schema.names:
        known = near_miss(column, schema.names) if column else f"; its columns: {', '.join(schema.names)}"
        raise UsageError(f"{called} has no column {column or 'image'!r} of pictures{known}; say which with --column")
    label = next((label for label in LABELS[asked.label] if label in schema.names), "")
    if asked.label != LABEL and not label:
        raise UsageError(f"corpus.label_column: {called} has no labels {asked.label!r}; say {LABEL}")
    return column, label, _names(schema.metadata or {}, label)


def _names(metadata: dict[bytes, bytes], label: str) -> tuple[str, ...]:
    """Return the names of the classes, which the hub keeps beside the columns."""
    try:
        names = bounded.parse_json(metadata[b"huggingface"].decode())["info"]["features"][label]["names"]
        return tuple(map(str, names))
    except (LookupError, TypeError, ValueError):
        return ()


def _shard(asked: Asked, column: str, label: str, name: str) -> Shard:
    return Shard((*asked.place.stamp(name), column, label), partial(_blocks, asked, column, label, name))


def _blocks(asked: Asked, column: str, label: str, name: str) -> Iterator[Block]:
    first = 0
    wanted = [column, *filter(None, [label])]
    with _opened(asked, name) as file:
        if not {*wanted} <= {*file.schema_arrow.names}:
            raise TextganError(f"{asked.place.label(name)} lacks {' or '.join(wanted)}, unlike others; get it again")
        for batch in file.iter_batches(ROWS, columns=wanted, use_threads=False):
            pictures = [_content(value) for value in batch.column(column).to_pylist()]
            labels = batch.column(label).to_pylist() if label else [NO_LABEL] * len(pictures)
            whole = [value if type(value) is int else NO_LABEL for value in labels]
            yield Block(asked.place.label(name), pictures, range(first, first + len(pictures)), whole, decoded)
            first += len(pictures)


def _content(value: Any) -> bytes:
    """Return the bytes of a picture; none of what is no picture."""
    value = value.get("bytes") if isinstance(value, dict) else value
    return value if isinstance(value, bytes) else b""


@contextmanager
def _opened(asked: Asked, name: str) -> Iterator[Any]:
    pa, pq = import_pyarrow()
    try:
        with pq.ParquetFile(asked.place.path / name, buffer_size=1 << 20) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        said = str(error).partition("\n")[0][:200]
        raise TextganError(f"{asked.place.label(name)} is damaged, or no Parquet: {said}; get it again") from None


def import_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its part for Parquet.

    Raises:
        TextganError: it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise TextganError("Parquet files need pyarrow; pip install 'textgan[hub]'") from None
    return pa, pq
