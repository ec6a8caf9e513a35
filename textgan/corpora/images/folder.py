"""A folder of pictures: files of its own, or of subfolders, which are then the classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import PurePosixPath

from xxhash import xxh3_64_intdigest

from textgan.corpora.images.collection import NO_LABEL, Block, Collection, Shard
from textgan.corpora.images.picture import from_file, import_pillow
from textgan.corpora.images.place import Asked, Place

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
OTHERS = "files that are not named as pictures"
HELDOUT = ("test", "val", "valid", "validation")
MOST_CLASSES = 1_000
MANY = 64  # pictures of a block


def collection(asked: Asked) -> Collection | None:
    """Return the pictures of a folder at any depth; None if no file is named as one.

    Folders train and test (or val), if there are no other pictures, are the two sides. Subfolders are classes where
    every picture lies in one, and there are from 2 to 1,000 of them.

    Raises:
        TextganError: a file is gone, or there is no Pillow.
    """
    place = asked.place
    names = [name for name in place.names if name.lower().endswith(ENDINGS)]
    if not names or place.archive:
        return None
    import_pillow()
    sides = _sides(names)
    classes = _classes(sides)
    shards = [(_shard(place, side, classes),) if side else () for side in sides]
    others = {OTHERS: len(place.names) - len(names)} if len(names) < len(place.names) else {}
    return Collection(shards[0], shards[1], classes or None, place.left_out | others)


def _sides(names: list[str]) -> list[dict[str, str]]:
    """Return the pictures of each side, with the rest of their path."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    heldout = next((top for top in HELDOUT if {"train", top} == tops and all("/" in name for name in names)), None)
    if heldout is None:
        return [{name: name for name in names}, {}]
    return [
        {name: name.partition("/")[2] for name in names if name.startswith(f"{top}/")} for top in ("train", heldout)
    ]


def _classes(sides: list[dict[str, str]]) -> tuple[str, ...]:
    paths = [PurePosixPath(rest) for side in sides for rest in side.values()]
    found = sorted({path.parts[0] for path in paths if len(path.parts) > 1})
    labelled = all(len(path.parts) > 1 for path in paths) and 1 < len(found) <= MOST_CLASSES
    return tuple(found) if labelled else ()


def _shard(place: Place, side: dict[str, str], classes: tuple[str, ...]) -> Shard:
    """Return the pictures of a side, in an order in which its first ones are of all classes."""
    names = sorted(side, key=lambda name: (xxh3_64_intdigest(side[name].encode(errors="surrogateescape")), name))
    digest = sha256(json.dumps([place.stamp(name) for name in names]).encode()).hexdigest()
    labels = {name: number for number, name in enumerate(classes)}
    found = [labels.get(PurePosixPath(side[name]).parts[0], NO_LABEL) for name in names]
    return Shard((str(place.path), digest), partial(_blocks, place, names, found))


def _blocks(place: Place, names: list[str], labels: list[int]) -> Iterator[Block]:
    for start in range(0, len(names), MANY):
        part = names[start : start + MANY]
        paths = [place.path / name for name in part]
        yield Block(str(place.path), paths, part, labels[start : start + MANY], from_file)
