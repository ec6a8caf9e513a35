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
    stem = repo.replace("/", "--")
    offline = hub_access.why_offline()
    if offline:
        kept = max((cache / "hub").glob(f"{stem}-*/{WHOLE}"), key=lambda whole: whole.stat().st_mtime_ns, default=None)
        if kept is None:
            raise TextganError(f"{card.name} is not on this machine, and {offline}; {card.how_to_get}")
        tell(f"{repo}: {offline}; taking its pictures from the cache")
        return kept.parent
    commit = hub_access.commit(repo)
    place = cache / "hub" / f"{stem}-{commit[:12]}"
    if not (place / WHOLE).is_file():
        tell(f"{repo}: fetching its pictures")
        wanted = [f"{within}/{split}-*.parquet" for split in SPLITS]
        hub = hub_access.import_quietly("huggingface_hub")
        with hub_access.told_in_one_line(repo):
            hub.snapshot_download(repo, repo_type="dataset", revision=commit, local_dir=place, allow_patterns=wanted)
        with matrix.writing(cache):
            files.write_text(place / WHOLE, commit)
    return place
