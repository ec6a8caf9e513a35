"""What `datasets` and `huggingface_hub` are asked, and how their many errors become one line.

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
from typing import Any, NamedTuple

from textgan.errors import TextganError, UsageError, near_miss

PATIENCE = 3.0  # for the first answer of the hub [s]
DEFAULT_ENDPOINT = "https://huggingface.co"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
TRUE = {"1", "ON", "YES", "TRUE"}
BATCH = 1000  # rows

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


class Wanted(NamedTuple):
    """What of the hub is wanted."""

    repo: str
    config: str = ""
    column: str = ""
    """The field of the text; empty for "text", or else the only field of strings."""
    label_column: str = ""
    """The field of the label; empty for none."""
    revision: str | None = None


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


def commit(wanted: Wanted) -> str:
    """Return the commit, hex, that the revision stands for now."""
    import_quietly("datasets")
    hub = import_quietly("huggingface_hub")
    with told_in_one_line(wanted.repo):
        return str(hub.HfApi().dataset_info(wanted.repo, revision=wanted.revision).sha)


def load(wanted: Wanted, at: str) -> dict[str, Any]:
    """Return the data set at a commit: its splits by name, streaming.

    Raises:
        UsageError: no such configuration, or none named where there are several.
        TextganError: it cannot be read.
    """
    datasets, repo, config = import_quietly("datasets"), wanted.repo, wanted.config
    with told_in_one_line(repo):
        configs = datasets.get_dataset_config_names(repo, revision=at)
    if config and config not in configs:
        raise UsageError(f"{repo} has no configuration {config!r}{near_miss(config, configs)}")
    if not config and len(configs) > 1 and "default" not in configs:
        raise UsageError(f"{repo} has several configurations, {', '.join(configs)}; name one as hf:{repo}@NAME")
    with told_in_one_line(repo):
        return dict(datasets.load_dataset(repo, config or None, streaming=True, revision=at))


def text_column(wanted: Wanted, rows: Any) -> str:
    """Return the field that the text is in; look at the first row.

    Raises:
        UsageError: the named field or label is not there, or it is not clear which field is meant.
        TextganError: there is no row.
    """
    with told_in_one_line(wanted.repo):
        first = next(iter(rows), None)
    if not first:
        raise TextganError(f"{wanted.repo} has no rows")
    for name in filter(None, (wanted.column, wanted.label_column)):
        if name not in first:
            raise UsageError(f"{wanted.repo} has no column {name!r}{near_miss(name, first)}")
    if wanted.column and not isinstance(first[wanted.column] or "", str):
        raise UsageError(f"column {wanted.column!r} of {wanted.repo} holds no text{_of(first)}")
    strings = [name for name, value in first.items() if isinstance(value, str) and name != wanted.label_column]
    column = wanted.column or ("text" if "text" in strings else "") or (strings[0] if len(strings) == 1 else "")
    if not column:
        raise UsageError(f"{wanted.repo}: which column is the text? name it as hf:{wanted.repo}:COLUMN{_of(first)}")
    return column


def _of(columns: dict[str, Any]) -> str:
    return f"; it has {', '.join(columns)}"


class Batch(NamedTuple):
    """Some rows: their lines of text as "text\\n", or "label\\ttext\\n", and what could not be used."""

    lines: list[str]
    unusable: int
    """Rows whose text, or label, is missing, is no text, or holds what no line can."""


def batches(wanted: Wanted, column: str, rows: Any, number: int, of: int) -> Iterator[Batch]:
    """Yield the rows of one shard of a split, in their order.

    Args:
        wanted: whose repository messages name, and the field of the label.
        column: the field of the text.
        rows: a split, as `load` returns it.
        number: of the shard, from 0.
        of: shards in all.
    """
    columns = list(filter(None, (column, wanted.label_column)))
    classes = getattr((rows.features or {}).get(wanted.label_column), "names", None)
    with told_in_one_line(wanted.repo):
        shard = rows.shard(num_shards=of, index=number).select_columns(columns).with_format("arrow")
        tables = shard.iter(batch_size=BATCH)
    while True:
        with told_in_one_line(wanted.repo):
            table = next(tables, None)
            values = [] if table is None else [table.column(name).to_pylist() for name in columns]
        if table is None:
            return
        yield _batch(values[0], [_label(label, classes) for label in values[1]] if wanted.label_column else None)


def _label(label: Any, classes: list[str] | None) -> str | None:
    """Return a label as text, None for none; a class kept as a number by its name, where -1 is none."""
    if classes is not None and label is not None:
        label = classes[label] if label >= 0 else None
    return None if label is None else str(label)


def _batch(texts: list[Any], labels: list[str | None] | None) -> Batch:
    lines: list[str] = []
    unusable = 0
    starts = [""] * len(texts) if labels is None else [None if label is None else f"{label}\t" for label in labels]
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or "\0" in text or start is None or set(start[:-1]) & set("\t\n\r\0"):
            unusable += 1
        else:
            lines += [f"{start}{line}\n" for line in text.split("\n")]
    return Batch(lines, unusable)


def import_quietly(name: str) -> Any:
    """Import one of the libraries and silence it: its warnings and bars would be mixed with what textgan says."""
    from importlib import import_module

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = import_module(name)
    except ImportError:
        raise TextganError("text of the hub needs the package datasets; pip install datasets") from None
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
