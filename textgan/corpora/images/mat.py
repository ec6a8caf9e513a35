"""SVHN as its authors pack the cropped digits: train_32x32.mat and test_32x32.mat.

Source: Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers (format 2). Its label 10 is the digit 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from textgan.corpora.images.collection import Block, Collection, Shard, array_blocks
from textgan.corpora.images.picture import needs
from textgan.corpora.images.place import Asked, Place
from textgan.errors import TextganError

FILES = ("train_32x32.mat", "test_32x32.mat")
NUMBERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)} | {"double"}  # as Matlab calls them
LARGEST = 1 << 31  # of its pixels; the file of 531,131 extra digits has less [bytes]


def collection(asked: Asked) -> Collection | None:
    """Return the pictures of the two files; None if none is there.

    Raises:
        TextganError: one is missing, or there is no SciPy.
    """
    found = [asked.place.find(name) for name in FILES]
    if not any(found) or asked.place.archive:
        return None
    missing = [name for name, file in zip(FILES, found, strict=True) if file is None]
    if missing:
        raise TextganError(f"{asked.place.path} lacks {missing[0]}; get it, too")
    _io()
    train, test = (Shard(asked.place.stamp(name), partial(_blocks, asked.place, name)) for name in found if name)
    return Collection((train,), (test,), ())


def _io() -> Any:
    try:
        from scipy import io
    except ImportError:
        raise needs("SciPy") from None
    return io


def _blocks(place: Place, name: str) -> Iterator[Block]:
    called, path = place.label(name), str(place.path / name)
    try:
        told = {key: (shape, kind) for key, shape, kind in _io().whosmat(path)}
        (shape, kind), (labels, numbers) = told["X"], told["y"]
        if kind != "uint8" or numbers not in NUMBERS:  # cells may hold cells, deeper than SciPy can go
            raise ValueError(f"X is {kind} and y {numbers}")
        if math.prod(shape) > LARGEST or math.prod(labels) != shape[-1]:
            raise ValueError(f"X has {math.prod(shape):,} values and y {math.prod(labels):,}")
        found = _io().loadmat(path, variable_names=["X", "y"])
        pixels, labels = found["X"], found["y"].ravel()
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 4
            or len(labels) != pixels.shape[3]
            or labels.dtype.kind not in "iu"
        ):
            raise ValueError(f"X is {pixels.dtype} {pixels.shape} and y {labels.dtype} {labels.shape}")
    except TextganError:
        raise
    except Exception as error:  # damaged files make SciPy raise nearly anything
        raise TextganError(f"{called} is damaged, or no file of SVHN: {str(error)[:200]}; get it again") from None
    yield from array_blocks(called, pixels.transpose(3, 0, 1, 2), np.where(labels == 10, 0, labels))
