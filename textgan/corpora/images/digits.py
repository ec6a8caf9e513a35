"""The handwritten digits that come with scikit-learn: 1,797 pictures of 8x8 pixels, in grey.

Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (its test set), UCI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from textgan.corpora.images.collection import Block, Collection, Shard, array_blocks
from textgan.corpora.images.picture import needs

NAME = "scikit-learn's digits"
BRIGHTEST = 16


def collection() -> Collection:
    """Return the digits, of which none are held out yet.

    Raises:
        TextganError: scikit-learn is not installed.
    """
    import_datasets()
    from sklearn import __version__

    return Collection((Shard((NAME, __version__), _blocks),), classes=tuple("0123456789"))


def import_datasets() -> Any:
    """Return scikit-learn's data sets.

    Raises:
        TextganError: it is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise needs("scikit-learn") from None
    return datasets


def _blocks() -> Iterator[Block]:
    found = import_datasets().load_digits()
    pixels = np.rint(found.images * 255 / BRIGHTEST).astype(np.uint8)
    return array_blocks(NAME, pixels, found.target)
