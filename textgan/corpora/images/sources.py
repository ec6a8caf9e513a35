"""The registered corpora of pictures: in what layouts each may lie, and where on the hub; what is there decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from textgan.corpora.cards import Card
from textgan.corpora.images import arrays, cifar, digits, folder, hub, idx, lsun, mat, parquet
from textgan.corpora.images.collection import LABEL, Collection
from textgan.corpora.images.place import Asked, place_of
from textgan.errors import TextganError, UsageError

Tell = Callable[[str], None]


class Layout(NamedTuple):
    """One way that a corpus may lie on disk."""

    look: Callable[[Asked], Collection | None]
    """Returns its pictures; None where nothing of it is there."""
    told: str
    """What it looks for."""
    columns: bool = False
    """Whether its records have columns."""


def _parquet(subfolder: str = "") -> Layout:
    told = "Parquet files (train-*.parquet, test-*.parquet)"
    return Layout(partial(parquet.collection, subfolder), told, columns=True)


ARRAYS = Layout(arrays.collection, "one .npz with x_train, y_train, x_test, y_test")
LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "cifar10": (
        Layout(partial(cifar.binary, cifar.CIFAR10), "data_batch_1.bin to data_batch_5.bin and test_batch.bin"),
        Layout(partial(cifar.python, cifar.CIFAR10), "data_batch_1 to data_batch_5 and test_batch"),
        _parquet("plain_text"),
        ARRAYS,
    ),
    "cifar100": (
        Layout(partial(cifar.binary, cifar.CIFAR100), "train.bin and test.bin"),
        Layout(partial(cifar.python, cifar.CIFAR100), "train and test"),
        _parquet("cifar100"),
        ARRAYS,
    ),
    "images": (Layout(folder.collection, f"files named {', '.join(folder.ENDINGS)}"),),
    "lsun": (Layout(lsun.collection, "folders CATEGORY_train_lmdb and CATEGORY_val_lmdb"), _parquet()),
    "mnist": (
        Layout(idx.collection, "train-images-idx3-ubyte and its like, .gz or not"),
        _parquet("mnist"),
        ARRAYS,
    ),
    "svhn": (Layout(mat.collection, "train_32x32.mat and test_32x32.mat"), _parquet("cropped_digits"), ARRAYS),
}
"""By the name of the card; the first that finds something is taken."""
BUILT_IN = {"digits": digits.collection}
"""Corpora that come with a library."""
LABELS = {"cifar100": (LABEL, "coarse")}
"""Which labels there are, where there are several."""


def check_label(card: Card, label: str) -> None:
    """Refuse a label that a corpus does not have; an empty one is the usual one.

    Raises:
        UsageError: it has others.
    """
    labels = LABELS.get(card.name, (LABEL,))
    if label and label not in labels:
        raise UsageError(f"corpus.label_column: {card.name} has no labels {label!r}; say {' or '.join(labels)}")


def locate(card: Card, *, data: str, cache: Path, tell: Tell) -> Path | None:
    """Return the file, folder or archive of a corpus, fetched from the hub where none is named; None if built in.

    Raises:
        TextganError: there is none, or the hub does not give it.
    """
    if card.name in BUILT_IN:
        return None
    if not data and card.name in hub.REPOS:
        return hub.folder(card, cache=cache, tell=tell)
    path = Path(data).expanduser().absolute()
    if not data or not path.exists():
        where = f"no such file or folder: {data}" if data else "it is not on this machine"
        raise TextganError(f"{card.name}: {where}; {card.how_to_get}")
    return path


def collection(card: Card, path: Path | None, *, column: str = "", label: str = "") -> Collection:
    """Return the pictures of a registered corpus.

    Args:
        card: of the corpus.
        path: what `locate` returned.
        column: where the picture is in a record; empty for the usual place.
        label: which label, as `check_label` took it.

    Raises:
        UsageError: there is no such column or label.
        TextganError: what is there is no such corpus, or damaged; the line says what was looked for.
    """
    if path is None:
        _check_column(column, card.name)
        return BUILT_IN[card.name]()
    asked = Asked(place_of(path), column, label or LABEL)
    for layout in LAYOUTS[card.name]:
        found = layout.look(asked)
        if found is None:
            continue
        _check_column("" if layout.columns else column, str(path))
        classes = _named(card, asked) if found.classes == () else found.classes
        if classes and len(set(classes)) < len(classes):
            raise TextganError(f"{path} has two classes of one name among {', '.join(classes)[:200]}; name them apart")
        return replace(found, classes=classes)
    looked = "; or ".join(layout.told for layout in LAYOUTS[card.name])
    raise TextganError(f"{card.name}: nothing of it is at {path}; looked for {looked}; {card.how_to_get}")


def _check_column(column: str, where: str) -> None:
    if column:
        raise UsageError(f"corpus.column: the pictures of {where} have no columns; leave --column out")


def whereabouts(card: Card, data: str, cache: Path) -> str:
    """Say where the pictures of a corpus are, in a few words, asking no network; empty for nowhere."""
    try:
        if not data and card.name in hub.REPOS:
            return "from the hub, in the cache" if hub.kept(card, cache) else ""
        path = locate(card, data=data, cache=cache, tell=lambda line: None)
        collection(card, path)
    except TextganError:
        return ""
    return "with scikit-learn" if path is None else f"at {data}"


def _named(card: Card, asked: Asked) -> tuple[str, ...] | None:
    """Return the names of labels that no file names."""
    return tuple(card.classes) or None if asked.label == LABEL else None
