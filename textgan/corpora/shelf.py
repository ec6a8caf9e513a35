"""What of the registered corpora is on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from textgan import bounded, oracles
from textgan.corpora.cards import Card
from textgan.corpora.images import sources as pictures
from textgan.corpora.text import billion_word, nltk_corpora

READY, FOUND, HERE, TO_GET = "ready", "found", "here", "to get"


Look = Callable[[Card, str, Path], str]
"""A card, --data and the cache folder to where the corpus is, in a few words; empty for nowhere."""


class Standing(NamedTuple):
    """Where a corpus stands."""

    state: str
    """ready: its rows are in the cache; found: its text is; here: it comes with Python or textgan; to get."""
    where: str = ""

    def __str__(self) -> str:
        """Return both in a few words."""
        return f"{self.state} {self.where}".rstrip()


def standing(card: Card, *, data: str, cache: Path) -> Standing:
    """Look for a corpus; no network is asked.

    Args:
        card: of the corpus.
        data: where a registered corpus may lie, as TEXTGAN_DATA has it; may be empty.
        cache: the cache folder.
    """
    if any(title.startswith(card.title) for title in _prepared(cache)):
        return Standing(READY, "in the cache")
    look = _LOOKS.get(card.layout)
    where = look(card, data, cache) if look else ""
    state = HERE if card.layout in _ALWAYS else FOUND if where else TO_GET
    return Standing(state, where)


def _prepared(cache: Path) -> Iterator[str]:
    """Yield the titles of the corpora whose rows are in the cache."""
    for file in (cache / "keys").glob("*.json"):
        try:
            entry = bounded.read_json(file)
            if (cache / "rows" / entry["fingerprint"]).is_dir():
                yield str(entry["facts"]["title"])
        except (OSError, ValueError, LookupError, TypeError):
            continue


def _billion_word(card: Card, data: str, cache: Path) -> str:
    if data and (count := len(billion_word.files(data))):
        return f"at {data} ({count} file{'s' * (count > 1)})"
    repos = [f'"{mirror.repo}"' for mirror in billion_word.MIRRORS]
    abouts = (about.read_text(encoding="utf-8") for about in (cache / "text").glob("hub-*/about.json"))
    return "from the hub, in the cache" if any(repo in about for about in abouts for repo in repos) else ""


def _nltk(card: Card, data: str, cache: Path) -> str:
    there = nltk_corpora.installed()
    return f"in nltk's data: {', '.join(there)}" if there else ""


def _built_in(prefix: str) -> Look:
    return lambda card, data, cache: f"as {', '.join(f'{prefix}:{name}' for name in oracles.names(prefix))}"


_LOOKS: dict[str, Look] = {
    "billion_word": _billion_word,
    "grammar": _built_in("grammar"),
    "images": pictures.whereabouts,
    "nltk": _nltk,
    "oracle": _built_in("oracle"),
}
_ALWAYS = {"formula", "grammar", "oracle", "python_docs"}  # layouts of what needs no getting
