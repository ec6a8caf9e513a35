"""Google Billion Word in every form it is found in: shards in folders, plain or compressed, the archive, the hub.

What `data` names is taken, or refused; the hub is asked only where it names nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from glob import glob
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from textgan.corpora import hub_access
from textgan.corpora.cards import Card
from textgan.corpora.text import hub
from textgan.corpora.text.hub_library import Wanted
from textgan.corpora.text.sources import Damage, Shard, Source, existing, members, shard_of
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError

FOLDERS = ("training-monolingual.tokenized.shuffled", "heldout-monolingual.tokenized.shuffled")
# the held-out folder also holds a news.en-00000-of-00100, which belongs to neither side
TRAINING = re.compile(r"news\.en-(?!00000)\d{5}-of-00100")
HELDOUT = re.compile(r"news\.en\.heldout-\d{5}-of-00050")
COMPRESSED = re.compile(r"\.(gz|zst)$")
ARCHIVE = re.compile(r".+\.(tar|tar\.gz|tgz)")
MIRRORS = (
    Wanted("dvruette/lm1b", column="text"),
    Wanted("billion-word-benchmark/lm1b", column="text", revision="refs/convert/parquet"),
)
UNOFFICIAL = "unofficial: hash of the line"
Tell = Callable[[str], None]


def source(card: Card, *, data: str, cache: Path, max_lines: int, tell: Tell) -> Source:
    """Find the text under `data`, or, where that is empty, on the hub.

    Args:
        card: of the corpus.
        data: the unpacked folder, the one it lies in, one of its two subfolders, a pattern of shards, plain or
            compressed, or the official archive as it is.
        cache: keeps the archive's list of members, and the text of the hub.
        max_lines: most training lines; the hub is asked for no more.
        tell: receives what a user should know.

    Raises:
        TextganError: `data` holds no shards, or too few; or nothing can be had. The line says what to do.
    """
    return _of_files(card, data, cache, tell) if data else _of_hub(card, cache, max_lines, tell)


def name_of(path: str) -> str | None:
    """Return the official name of a shard of either side, None for any other file, the decoy above all."""
    name = COMPRESSED.sub("", PurePosixPath(path).name)
    return name if TRAINING.fullmatch(name) or HELDOUT.fullmatch(name) else None


def files(data: str) -> list[Path]:
    """Return the shards that `data` names, one file a shard, sorted by name; else the archives that it names."""
    places = _places(data)
    shards: dict[str, Path] = {}
    for path in sorted(places, key=lambda path: (COMPRESSED.search(path.name) is not None, path)):
        if (name := name_of(path.name)) is not None:
            shards.setdefault(name, path)  # one of two copies is enough: the plain one
    return [shards[name] for name in sorted(shards)] or [
        path for path in sorted(places) if ARCHIVE.fullmatch(path.name)
    ]


def _is_archive(path: Path) -> bool:
    return ARCHIVE.fullmatch(path.name) is not None


def _places(data: str) -> list[Path]:
    """Return the files that `data` can mean: itself, those of a pattern, or of a folder two levels down."""
    root = existing(data)
    if root is None:
        found = glob(str(Path(data).expanduser()))  # noqa: PTH207 - a Path's own takes no absolute pattern
        return [path.absolute() for path in map(Path, found) if path.is_file()]
    if not root.is_dir():
        return [root] if root.is_file() else []
    if root.name in FOLDERS:
        root = root.parent
    below = [path for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}news.en*")]
    return [path for path in (*below, *root.glob("1-billion-word*")) if path.is_file()]


def _of_files(card: Card, data: str, cache: Path, tell: Tell) -> Source:
    shards: dict[str, Shard] = {}
    left_out: Counter[str] = Counter()
    for path in files(data):
        if _is_archive(path):
            found, others = members(path, cache)
            left_out.update(others)
            shards |= {name: member.shard() for member in found if (name := name_of(member.name)) is not None}
        else:
            shards[str(name_of(path.name))] = shard_of(path)
    training = tuple(shards[name] for name in sorted(shards) if TRAINING.fullmatch(name))
    heldout = tuple(shards[name] for name in sorted(shards) if HELDOUT.fullmatch(name))
    if training and heldout:
        return Source(card.name, card.credit, training, heldout, hub.OFFICIAL, left_out=dict(left_out))
    if training:
        tell(f"{card.name}: no held-out shards in {data}; holding out lines by their hash, which is not official")
        return Source(card.name, card.credit, training, split=UNOFFICIAL, left_out=dict(left_out))
    if len(heldout) < 2:
        raise TextganError(
            f"{card.name}: {data} holds {len(heldout) or 'no'} shards of it, too few to train and to measure; "
            f"{card.how_to_get}"
        )
    number = heldout[0].name.partition("news.en.heldout-")[2][:5]
    split = f"shard {number} of the held-out shards"
    tell(f"{card.name}: no training shards in {data}; measuring on {split}, training on the other {len(heldout) - 1}")
    return Source(card.name, card.credit, heldout[1:], heldout[:1], split, left_out=dict(left_out))


def _of_hub(card: Card, cache: Path, max_lines: int, tell: Tell) -> Source:
    """Take the first mirror that can be opened; what goes wrong after that is an error."""
    offline = hub_access.why_offline()
    tried = [offline] if offline else []
    for mirror in MIRRORS:
        try:
            text = hub.open_text(mirror, offline, cache=cache, tell=tell)
            _ = text.about
        except hub.OfflineError:
            tried.append(f"{mirror.repo} is not in the cache")
            continue
        except TextganError as error:
            tried.append(str(error))
            tell(f"{card.name}: {error}")
            continue
        training, heldout = (tuple(map(shard_of, side)) for side in text.sides(max_lines))
        tell(f"{card.name}: from {mirror.repo} on the hub, commit {text.about.commit[:12]}")
        split = hub.OFFICIAL if heldout else UNOFFICIAL
        return Source(card.name, card.credit, training, heldout, split)
    raise TextganError(
        f"{card.name} does not come with textgan, and no mirror of it can be had ({'; '.join(tried)}). Name the "
        "folder, shards or archive that you have with --data PATH or TEXTGAN_DATA, or go online for the mirrors, "
        f"or {card.how_to_get}"
    )


# --- verify -------------------------------------------------------------------------------------------------------


class Check(NamedTuple):
    """Something that is published of the corpus, and what is here."""

    what: str
    published: str
    here: str

    @property
    def good(self) -> bool:
        """Whether they agree."""
        return self.published == self.here


def verify(card: Card, data: str) -> list[Check]:
    """Compare what `data` names with what is published: size and checksum of the archive, or shards and their lines.

    Raises:
        TextganError: it names no shard and no archive, or one cannot be read.
    """
    found = files(data) if data else []
    if not found:
        there = f"{data} holds no shard of it and no archive" if data else "nothing is named"
        raise TextganError(f"{card.name}: {there}; name what to verify with --data PATH or TEXTGAN_DATA")
    archives = [path for path in found if _is_archive(path)]
    return [check for path in archives for check in _of_archive(card, path)] or list(_of_shards(card, found))


def _of_archive(card: Card, path: Path) -> Iterator[Check]:
    yield Check(f"bytes of {path.name}", str(card.sizes["archive_bytes"]), str(path.stat().st_size))
    (checksum,) = card.checksums.values()
    kind = checksum.partition(":")[0]
    with path.open("rb") as file:
        yield Check(f"{kind} of {path.name}", checksum, f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}")


def _of_shards(card: Card, found: list[Path]) -> Iterator[Check]:
    """Of single shards no checksum is published: their number and their lines are."""
    for side, pattern in (("training", TRAINING), ("heldout", HELDOUT)):
        shards = [shard_of(path) for path in found if pattern.fullmatch(str(name_of(path.name)))]
        lines = sum(loaded(block).count(b"\n") for shard in shards for block in shard.read(Damage("skip")))
        unchecked = "of single shards no checksum is published"
        yield Check(f"{side} shards", str(card.sizes[f"{side}_shards"]), str(len(shards)))
        yield Check(f"{side} lines ({unchecked})", str(card.sizes[f"{side}_lines"]), str(lines))
