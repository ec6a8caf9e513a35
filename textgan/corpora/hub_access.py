"""Asking the Hugging Face Hub: whether it can be, by what libraries, and how their many errors become one line.

Nothing here is called before `why_offline`: without a network the libraries retry for tens of seconds.
"""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from textgan.errors import TextganError

PATIENCE = 3.0  # for the first answer of the hub [s]
DEFAULT_ENDPOINT = "https://huggingface.co"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
TRUE = {"1", "ON", "YES", "TRUE"}

NOT_THERE = "the hub has no such data set, or it is private: check its name, or log in with HF_TOKEN"
NO_DATA = "it holds no data files that can be read"
MEANT = {
    "DatasetNotFoundError": NOT_THERE,
    "RepositoryNotFoundError": NOT_THERE,
    "GatedRepoError": "it is gated: accept its terms on its page on the hub, then log in with HF_TOKEN",
    "RevisionNotFoundError": "it has no such revision",
    "EmptyDatasetError": NO_DATA,
    "DataFilesNotFoundError": NO_DATA,
}
"""What an error of the libraries, or one behind it, means; others speak for themselves."""


def why_offline() -> str:
    """Return why the hub cannot be asked, or "" where it can; takes 3 seconds at most."""
    name = next((name for name in OFFLINE if os.environ.get(name, "").upper() in TRUE), None)
    if name:
        return f"{name} is set"
    endpoint = os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
    answers: list[bool] = []
    # in a thread, since looking up a name knows no time limit
    probe = threading.Thread(target=lambda: answers.append(_answers(endpoint)), daemon=True)
    probe.start()
    probe.join(PATIENCE)
    return "" if any(answers) else f"the hub ({endpoint}) cannot be reached"


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PATIENCE):
            return True
    except urllib.error.HTTPError as error:  # it is there, whatever it says
        error.close()
        return True
    except (OSError, ValueError):
        return False


def commit(repo: str, revision: str | None = None) -> str:
    """Return the commit, hex, that a revision of a data set stands for now."""
    hub = import_quietly("huggingface_hub")
    with told_in_one_line(repo):
        return str(hub.HfApi().dataset_info(repo, revision=revision).sha)


def import_quietly(name: str) -> Any:
    """Import one of the libraries and silence it: its warnings and bars would be mixed with what textgan says."""
    from importlib import import_module

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = import_module(name)
    except ImportError:
        raise TextganError(f"the hub needs the package {name}; pip install 'textgan[hub]'") from None
    utils = import_module(f"{name}.utils")
    utils.logging.set_verbosity(50)  # CRITICAL
    utils.disable_progress_bars()
    return library


@contextmanager
def told_in_one_line(repo: str) -> Iterator[None]:
    """Turn whatever the libraries raise into one line, and keep their warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (TextganError, MemoryError):
        raise
    except Exception as error:  # errors of HTTP that are no OSError, ValueErrors, Arrow's, their own: all of them
        raise TextganError(f"{repo} cannot be read: {_meaning(error)}") from error


def _meaning(error: BaseException) -> str:
    chain = [error]
    while behind := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(behind)
    kinds = [type(link).__name__ for link in chain]
    meant = next((MEANT[kind] for kind in kinds if kind in MEANT), None)
    # the library's own wrapper says nothing; what it wraps does
    speaker = chain[1] if kinds[0] == "DatasetGenerationError" and len(chain) > 1 else error
    return meant or f"{type(speaker).__name__}: {' '.join(str(speaker).split())[:200]}"
