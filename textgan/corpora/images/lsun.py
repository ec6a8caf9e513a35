"""LSUN as its authors pack it: an LMDB database a category and side, of encoded pictures.

Source: Yu et al. 2015, https://github.com/fyu/lsun: CATEGORY_train_lmdb and CATEGORY_val_lmdb.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from textgan.corpora.images.collection import NO_LABEL, TOGETHER, Block, Collection, Shard
from textgan.corpora.images.picture import decoded, needs
from textgan.corpora.images.place import Asked, Place
from textgan.errors import TextganError

ENDINGS = {"train": "_train_lmdb", "heldout": "_val_lmdb"}
CONTENT = "data.mdb"
UNKNOWN = "held-out categories that are not trained on"
MOST = 256  # pictures of a block


def collection(asked: Asked) -> Collection | None:
    """Return the pictures of LMDB folders, several categories of which are classes; None if none is there.

    Raises:
        TextganError: there is nothing to train on, or a database is damaged, or lmdb is not installed.
    """
    if asked.place.archive:
        return None
    sides = {side: _folders(asked.place, ending) for side, ending in ENDINGS.items()}
    if not any(sides.values()):
        return None
    if not sides["train"]:
        raise TextganError(f"{asked.place.path} has pictures to hold out and none to train on; add CATEGORY_train_lmdb")
    import_lmdb()
    classes = tuple(sorted(sides["train"]))
    training, heldout = (_shards(asked.place, sides[side], classes) for side in ENDINGS)
    unknown = len(sides["heldout"].keys() - set(classes))
    return Collection(training, heldout, classes if len(classes) > 1 else None, {UNKNOWN: unknown} if unknown else {})


def _folders(place: Place, ending: str) -> dict[str, str]:
    """Return the files of databases by category."""
    found = {}
    for name in place.all(CONTENT):
        folder = (place.path / PurePosixPath(name)).parent.name
        if folder.endswith(ending):
            found[folder.removesuffix(ending)] = name
    return found


def _shards(place: Place, folders: dict[str, str], classes: tuple[str, ...]) -> tuple[Shard, ...]:
    """Return one shard of all categories in turn, so that its first pictures are of all of them."""
    labels = {name: classes.index(category) for category, name in sorted(folders.items()) if category in classes}
    if not labels:
        return ()
    alone = len(classes) == 1
    each = [partial(_blocks, place.path / name, NO_LABEL if alone else label) for name, label in labels.items()]
    return (Shard(tuple(chain.from_iterable(map(place.stamp, labels))), lambda: _in_turn(each)),)


def _in_turn(each: list[Any]) -> Iterator[Block]:
    running = [blocks() for blocks in each]
    while running:
        for blocks in list(running):
            block = next(blocks, None)
            if block is None:
                running.remove(blocks)
            else:
                yield block


def _blocks(path: Path, label: int) -> Iterator[Block]:
    """Yield the pictures of a database in the order of its keys."""
    lmdb = import_lmdb()
    first, called = 0, str(path.parent)
    try:
        with (
            lmdb.open(called, readonly=True, lock=False, readahead=False, max_spare_txns=0) as database,
            database.begin() as transaction,
        ):
            whole = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
            if path.stat().st_size < whole:  # to read a page that is not there ends the process
                raise TextganError(f"{path} is cut short: {path.stat().st_size:,} of {whole:,} bytes; get it again")
            for values in _gathered(transaction.cursor()):
                yield Block(called, values, range(first, first + len(values)), [label] * len(values), decoded)
                first += len(values)
    except lmdb.Error as error:
        raise TextganError(f"{called} is damaged, or no LMDB: {error}; get it again") from None


def _gathered(cursor: Any) -> Iterator[list[bytes]]:
    """Yield values, as many together as a block may hold."""
    values: list[bytes] = []
    size = 0
    for value in cursor.iternext(keys=False):
        values.append(value)
        size += len(value)
        if size > TOGETHER or len(values) == MOST:
            yield values
            values, size = [], 0
    if values:
        yield values


def import_lmdb() -> Any:
    """Return lmdb.

    Raises:
        TextganError: it is not installed.
    """
    try:
        import lmdb
    except ImportError:
        raise needs("lmdb") from None
    return lmdb
