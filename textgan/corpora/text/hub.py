"""Text of data sets on the Hugging Face Hub, streamed by `datasets` into text files in the cache, a shard at a time.

CACHE/text/hub-KEY-COMMIT/    about.json, and of each shard SPLIT-NNNNN.all-LINES.txt, or .first-LINES.txt where no
more were wanted. A file is whole or absent: a killed fetch loses one shard at most, and nothing is fetched twice.
Without the hub, what is there is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from textgan import bounded, files
from textgan.corpora import hub_access, matrix
from textgan.corpora.text import hub_library
from textgan.corpora.text.hub_library import Batch, Wanted
from textgan.corpora.text.sources import Source, shard_of
from textgan.errors import TextganError, UsageError, near_miss

NAME = re.compile(r"hf:(?P<repo>\w[\w.-]*(?:/\w[\w.-]*)?)(?:@(?P<config>[^@:]+))?(?::(?P<column>.+))?")
HELDOUT = ("test", "validation", "valid", "dev")
"""Splits that can be measured on: the first that is there."""
OFFICIAL, BY_HASH = "official", "hash of the line"
SCHEMA = 1
Tell = Callable[[str], None]


class OfflineError(TextganError):
    """The hub cannot be asked, and what the cache holds does not do."""


def source(name: str, *, column: str, label_column: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    """Return the text of `hf:REPO[@CONFIG][:COLUMN]`, fetching what is not in the cache.

    Args:
        name: what the user wrote.
        column: the field of the text, where the name has none.
        label_column: the field of the label, or empty.
        cache: the cache folder.
        max_lines: most training lines.
        tell: receives what a user should know.

    Raises:
        UsageError: the name, the configuration or a column is wrong.
        TextganError: the hub cannot be reached, or the data cannot be read.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} is not of the form hf:REPO[@CONFIG][:COLUMN], such as hf:owner/name:text")
    named = match["column"] or column
    if column and named != column:
        raise UsageError(f"{name} names the column {named!r}, but --column is {column!r}; leave one of them out")
    wanted = Wanted(match["repo"], match["config"] or "", named, label_column)
    training, heldout = open_text(wanted, hub_access.why_offline(), cache=cache, tell=tell).sides(max_lines)
    return Source(
        name,
        f"{wanted.repo} (Hugging Face Hub)",
        tuple(map(shard_of, training)),
        tuple(map(shard_of, heldout)),
        split=OFFICIAL if heldout else BY_HASH,
        labelled=bool(label_column),
    )


def fetch(
    repo: str,
    *,
    config: str,
    column: str,
    label_column: str = "",
    revision: str | None = None,
    split: str = "train",
    cache: Path,
    max_lines: int,
    tell: Tell,
) -> tuple[Path, ...]:
    """Return files of "text" or "label\\ttext" lines: at least the first `max_lines` of a split, fetched where needed.

    Raises:
        UsageError: no such configuration, split or column.
        TextganError: the hub cannot be reached, or the data cannot be read.
    """
    wanted = Wanted(repo, config, column, label_column, revision)
    return open_text(wanted, hub_access.why_offline(), cache=cache, tell=tell).fetch(split, max_lines)


def open_text(wanted: Wanted, offline: str, *, cache: Path, tell: Tell) -> Text:
    """Return the text of a data set at its newest commit, or, without the hub, at the newest one in the cache.

    Args:
        wanted: what of the hub.
        offline: why the hub cannot be asked, "" where it can.
        cache: the cache folder.
        tell: receives what a user should know.

    Raises:
        OfflineError: the hub cannot be asked, and the cache holds none of the text.
        TextganError: the data set is not there, or is closed.
    """
    stem = f"hub-{sha256(json.dumps([SCHEMA, *wanted]).encode()).hexdigest()[:16]}"
    if not offline:
        commit = hub_access.commit(wanted.repo, wanted.revision)
        return Text(wanted, cache, cache / "text" / f"{stem}-{commit[:12]}", tell, commit=commit)
    kept = max((cache / "text").glob(f"{stem}-*/about.json"), key=lambda about: about.stat().st_mtime_ns, default=None)
    if kept is None:
        raise OfflineError(f"{wanted.repo}: {offline}, and none of its text is in the cache; go online once")
    tell(f"{wanted.repo}: {offline}; taking its text from the cache")
    return Text(wanted, cache, kept.parent, tell, offline=offline)


class About(NamedTuple):
    """What about.json says."""

    schema: int
    repo: str
    commit: str
    column: str
    """The field that the text is in."""
    splits: dict[str, int]
    """Shards of each split."""


class Text:
    """The text of a data set at one commit, in a folder of the cache; the hub is asked for what is not there."""

    def __init__(
        self, wanted: Wanted, cache: Path, folder: Path, tell: Tell, *, commit: str = "", offline: str = ""
    ) -> None:
        """Take the folder, and either the commit or why the hub cannot be asked."""
        self.wanted, self.cache, self.folder, self.tell = wanted, cache, folder, tell
        self.commit, self.offline = commit, offline

    @cached_property
    def about(self) -> About:
        """Facts, from the folder, or from the hub and then kept there."""
        file = self.folder / "about.json"
        with suppress(OSError, ValueError, TypeError):
            return About(**bounded.read_json(file))
        rows = self._splits
        column = hub_library.text_column(self.wanted, next(iter(rows.values())))
        shards = {split: max(1, rows[split].num_shards) for split in rows}
        about = About(SCHEMA, self.wanted.repo, self.commit, column, shards)
        with matrix.writing(self.cache):
            files.write_text(file, files.dump_json(about._asdict()))
        return about

    @cached_property
    def _splits(self) -> dict[str, Any]:
        if self.offline:
            raise OfflineError(f"{self.wanted.repo}: {self.offline}, and the cache holds its text in part; go online")
        return hub_library.load(self.wanted, self.commit)

    def sides(self, most: int) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Return the files of training and of held-out lines; without a split to hold out, none of these.

        Args:
            most: training lines; twice as many are there where the hash of a line holds it out.
        """
        splits = self.about.splits
        heldout = next((split for split in HELDOUT if split in splits), None)
        training = next((split for split in ("train", *splits) if split in splits and split != heldout), None)
        if training is None or heldout is None:
            return self.fetch(training or str(heldout), 2 * most), ()
        return self.fetch(training, most), self.fetch(heldout, most)

    def fetch(self, split: str, most: int) -> tuple[Path, ...]:
        """Return files that hold the first `most` lines of a split, or all, and maybe more.

        Raises:
            UsageError: no such split.
            OfflineError: a shard is not in the cache, and the hub cannot be asked.
        """
        shards = self.about.splits.get(split)
        if shards is None:
            raise UsageError(f"{self.wanted.repo} has no split {split!r}{near_miss(split, self.about.splits)}")
        files.sweep(self.folder, quiet=matrix.QUIET)
        found: list[Path] = []
        while most > 0 and len(found) < shards:
            found.append(self._file(split, len(found), most))
            most -= int(found[-1].stem.rpartition("-")[2])
        return tuple(found)

    def _file(self, split: str, number: int, most: int) -> Path:
        """Return the file of a shard, or of its first `most` lines."""
        stem, shards = f"{split}-{number:05}", self.about.splits[split]
        kept = [*self.folder.glob(f"{stem}.all-*.txt"), *self.folder.glob(f"{stem}.first-{most}.txt")]
        if kept:
            return kept[0]
        rows = self._splits[split]
        self.tell(f"{self.wanted.repo}: fetching shard {number + 1} of {shards} of the split {split}")
        batches = hub_library.batches(self.wanted, self.about.column, rows, number, shards)

        def fill(fresh: Path) -> str:
            lines, whole, unusable = _write(batches, fresh, most)
            if unusable:
                self.tell(f"{self.wanted.repo}: {unusable} rows of shard {number + 1} hold no usable text; left out")
            return f"{stem}.{'all' if whole else 'first'}-{lines}.txt"

        with matrix.writing(self.cache):
            return files.write_named(self.folder, f"{stem}.part", fill)


def _write(batches: Iterable[Batch], path: Path, most: int) -> tuple[int, bool, int]:
    """Write lines up to the `most`-th of more than white space; return their count, if that is all, and rows unused."""
    lines = unusable = 0
    with path.open("wb") as file:
        for batch in batches:
            unusable += batch.unusable
            for line in batch.lines:
                if lines == most:
                    return lines, False, unusable
                lines += not line.isspace()
                file.write(line.encode())
    return lines, True, unusable
