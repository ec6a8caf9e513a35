"""Text drawn from an oracle: `grammar:NAME`, `grammar:PATH`, `oracle:NAME`. Both sides are drawn once, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from textgan.corpora import matrix
from textgan.corpora.text.sources import Source, shard_of
from textgan.corpora.text.split import SIDES, Side
from textgan.errors import UsageError
from textgan.files import write_text
from textgan.oracles import KINDS, Oracle, oracle_of

PREFIXES = tuple(f"{kind}:" for kind in KINDS)
SCHEMA = 1
COUNTS: dict[Side, int] = {"train": 100_000, "heldout": 10_000}  # lines
SEEDS: dict[Side, int] = {"train": 1, "heldout": 2}
LONGEST = 256  # characters of a line, where the unit tells no limit


def source(name: str, *, cache: Path, longest: int | None, tell: Callable[[str], None]) -> Source:
    """Return training and held-out lines drawn from an oracle, each line alone, so that both sides may share some.

    Written to the cache once, and again where the oracle changes.

    Args:
        name: of the corpus, with its prefix.
        cache: the cache folder.
        longest: characters of a row, so that no line is cut: longer lines are left out, as if the oracle had none.
        tell: receives what a user should know, a line at a time.

    Raises:
        UsageError: there is no oracle of that name.
        TextganError: its grammar is not sound, has next to no line so short, or the cache cannot be written.
    """
    oracle = oracle_of(name)
    if oracle is None:
        raise UsageError(f"{name!r} names no grammar and no oracle; begin it with {' or '.join(PREFIXES)}")
    limit = longest or LONGEST
    files = {side: cache / "text" / f"drawn-{_key(oracle, side, limit)}-{side}.txt" for side in SIDES}
    for side, file in files.items():
        if not file.is_file():
            tell(f"{name}: drawing {COUNTS[side]:,} lines ({side}), once")
            lines = oracle.draw(COUNTS[side], longest=limit, rng=np.random.default_rng(SEEDS[side]))
            with matrix.writing(cache):
                write_text(file, "".join(f"{line}\n" for line in lines))
    training, heldout = (shard_of(files[side]) for side in SIDES)
    title = f"{oracle.name} ({name.partition(':')[0]})"
    return Source(name, title, (training,), (heldout,), split="drawn apart")


def _key(oracle: Oracle, side: Side, longest: int) -> str:
    value = [SCHEMA, oracle.identity, COUNTS[side], SEEDS[side], longest]
    return sha256(json.dumps(value).encode()).hexdigest()[:16]
