"""Pictures of data sets on the Hugging Face Hub: their Parquet files, in the cache.

CACHE/hub/REPO-COMMIT/    the files as the hub has them, and .whole when all of them are there
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textgan import files
from textgan.corpora import hub_access, matrix
from textgan.corpora.cards import Card
from textgan.errors import TextganError

REPOS = {
    "cifar10": ("uoft-cs/cifar10", "plain_text"),
    "cifar100": ("uoft-cs/cifar100", "cifar100"),
    "mnist": ("ylecun/mnist", "mnist"),
    "svhn": ("ufldl-stanford/svhn", "cropped_digits"),
}
"""Data set, and the folder of it, by the name of the card."""
SPLITS = ("train", "test")
WHOLE = ".whole"


def folder(card: Card, *, cache: Path, tell: Callable[[str], None]) -> Path:
    """Return a folder with the files of a data set at its newest commit, or, without the hub, the newest in the cache.

    A fetch that was stopped is gone on with.

    Raises:
        TextganError: the hub cannot be asked and the cache has them not, or it does not give them.
    """
    repo, within = REPOS[card.name]
    offline = hub_access.why_offline()
    if offline:
        there = kept(card, cache)
        if there is None:
            raise TextganError(f"{card.name} is not on this machine, and {offline}; {card.how_to_get}")
        tell(f"{repo}: {offline}; taking its pictures from the cache")
        return there
    commit = hub_access.commit(repo)
    place = cache / "hub" / f"{_stem(repo)}-{commit[:12]}"
    if not (place / WHOLE).is_file():
        tell(f"{repo}: fetching its pictures")
        wanted = [f"{within}/{split}-*.parquet" for split in SPLITS]
        hub = hub_access.import_quietly("huggingface_hub")
        with hub_access.told_in_one_line(repo):
            hub.snapshot_download(repo, repo_type="dataset", revision=commit, local_dir=place, allow_patterns=wanted)
        if not any((place / within).glob(f"{SPLITS[0]}-*.parquet")):
            raise TextganError(f"{repo} has no {wanted[0]} at commit {commit[:12]}; give the pictures to --data PATH")
        with matrix.writing(cache):
            files.write_text(place / WHOLE, commit)
    return place


def kept(card: Card, cache: Path) -> Path | None:
    """Return the newest folder of a corpus that is whole, if the cache has one."""
    if card.name not in REPOS:
        return None
    wholes = (cache / "hub").glob(f"{_stem(REPOS[card.name][0])}-*/{WHOLE}")
    newest = max(wholes, key=lambda whole: whole.stat().st_mtime_ns, default=None)
    return None if newest is None else newest.parent


def _stem(repo: str) -> str:
    return repo.replace("/", "--")
