"""What `datasets` is asked of text on the Hugging Face Hub, once it is known that the hub can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from textgan.corpora.hub_access import import_quietly, told_in_one_line
from textgan.errors import TextganError, UsageError, near_miss

BATCH = 1000  # rows


class Wanted(NamedTuple):
    """What of the hub is wanted."""

    repo: str
    config: str = ""
    column: str = ""
    """The field of the text; empty for "text", or else the only field of strings."""
    label_column: str = ""
    """The field of the label; empty for none."""
    revision: str | None = None


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
