"""Records of files that hold fields: JSON lines, tab- and comma-separated values, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from textgan.corpora.text.damage import Damage
from textgan.corpora.text.records import LARGEST, NO_LABEL, NO_TEXT, Columns, Record, numbered_lines
from textgan.corpora.text.streams import Stream, broken, printable, refuse_bombs
from textgan.errors import TextganError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

NO_JSON = "lines that are no JSON objects"
BROKEN_ROW = "rows with broken quotes"
DEFAULT = "text"  # the column that is the text where none is named
PARQUET = b"PAR1"  # how such a file starts and ends
ROWS = 1024  # of a Parquet file at a time


def _record(number: int, text: Any, label: Any, stream: Stream, columns: Columns, damage: Damage) -> Record | None:
    """Return the record, if its fields are what they should be."""
    if not isinstance(text, str):
        damage.add(NO_TEXT, stream.name, number)
    elif not columns.label:
        return Record(number, text)
    elif label is None or isinstance(label, list | dict | bytes):
        damage.add(NO_LABEL, stream.name, number)
    else:
        return Record(number, text, label if isinstance(label, str) else json.dumps(label, default=str))
    return None


def _unclear(stream: Stream, fields: Iterable[str], missing: str = "") -> TextganError:
    """Return the error of a column that is not there, or that is not the only one."""
    what = f"has no column {missing!r}" if missing else "has no column 'text', nor only one that could be it"
    known = printable(", ".join(fields))[:500] or "none"
    return TextganError(f"{stream.name} {what} (its columns: {known}); say which with --column or --label-column")


# --- JSON lines ---------------------------------------------------------------------------------------------------


def jsonl(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    """Yield the records of JSON objects, one a line.

    Raises:
        TextganError: no column is named, and the first object does not tell which is the text.
    """
    key = columns.text
    for number, line in numbered_lines(stream, damage):
        if not line or line.isspace():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            damage.add(NO_JSON, stream.name, number)
            continue
        key = key or _only_text(stream, columns, fields)
        if record := _record(number, fields.get(key), fields.get(columns.label), stream, columns, damage):
            yield record


def _only_text(stream: Stream, columns: Columns, fields: dict[str, Any]) -> str:
    texts = [name for name, value in fields.items() if isinstance(value, str) and name != columns.label]
    if DEFAULT in fields and columns.label != DEFAULT:
        return DEFAULT
    if len(texts) == 1:
        return texts[0]
    raise _unclear(stream, fields)


# --- tables -------------------------------------------------------------------------------------------------------


def tsv(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    """Yield the records of tab-separated values: no quotes, one row a line."""
    rows = ((number, line.split("\t")) for number, line in numbered_lines(stream, damage) if line)
    return _table(rows, stream, columns, damage)


def comma_separated(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    """Yield the records of comma-separated values: quoted fields may hold commas, quotes and line ends (RFC 4180)."""
    return _table(_csv_rows(stream, damage), stream, columns, damage)


def _csv_rows(stream: Stream, damage: Damage) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LARGEST)
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in numbered_lines(stream, damage):  # noqa: B007
            yield f"{line}\n"

    rows = csv.reader(lines(), strict=True)
    while True:
        first = number + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            damage.add(BROKEN_ROW, stream.name, first)
            continue
        if row:
            yield first, row


def _table(rows: Iterator[tuple[int, list[str]]], stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    """Yield the records of rows; the first is a header if it holds the column names.

    Raises:
        TextganError: it does not hold them, or none is named and it does not tell which column is the text.
    """
    first = next(rows, None)
    if first is None:
        return
    text, label, header = _places(first[1], stream, columns)
    for number, row in rows if header else chain([first], rows):
        if record := _record(number, _field(row, text), _field(row, label), stream, columns, damage):
            yield record


def _field(row: list[str], place: int) -> str | None:
    return row[place] if place < len(row) else None


def _places(first: list[str], stream: Stream, columns: Columns) -> tuple[int, int, bool]:
    """Return the places of text and label from 0, and whether the first row is a header."""
    label = _place(columns.label, first, stream) if columns.label else len(first)
    others = [place for place in range(len(first)) if place != label]
    header = any(name and not _is_number(name) for name in (columns.text, columns.label))
    if columns.text:
        return _place(columns.text, first, stream), label, header
    named = [place for place in others if first[place] == DEFAULT]
    if len(named or others) != 1:
        raise _unclear(stream, first)
    return (named or others)[0], label, header or bool(named)


def _place(column: str, first: list[str], stream: Stream) -> int:
    if _is_number(column) and int(column) <= len(first):
        return int(column) - 1
    if column not in first:
        raise _unclear(stream, first, column)
    return first.index(column)


def _is_number(column: str) -> bool:
    return column.isdecimal() and column.isascii() and len(column) < 10 and int(column) > 0


# --- Parquet ------------------------------------------------------------------------------------------------------


def parquet(stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    """Yield the records of a Parquet file, `ROWS` at a time.

    Raises:
        TextganError: it is damaged, no Parquet, a bomb or packed once more; or it has no such column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise TextganError(f"{stream.name} needs the package pyarrow to be read; pip install pyarrow") from None
    if stream.path is None:
        raise TextganError(f"{stream.name} is Parquet inside an archive, which cannot be streamed; unpack it")
    if not next(stream.open(), b"").startswith(PARQUET):
        raise broken(stream.name, "it does not start as a Parquet file does")
    try:
        # with a buffer, columns are read page by page
        with pq.ParquetFile(stream.path, buffer_size=1 << 20) as file:
            yield from _parquet_records(file, stream, columns, damage)
    except (pa.ArrowException, OSError) as error:
        raise broken(stream.name, str(error).partition("\n")[0]) from None


def _parquet_records(file: pq.ParquetFile, stream: Stream, columns: Columns, damage: Damage) -> Iterator[Record]:
    import pyarrow as pa

    names = _parquet_columns(file, stream, columns)
    taken = stream.path.stat().st_size if stream.path else 0
    given = number = 0
    for batch in file.iter_batches(ROWS, columns=names, use_threads=False):
        texts, *labels = ([_plain(value) for value in _values(batch.column(name), pa)] for name in names)
        for text, label in zip(texts, *labels or [[None] * len(texts)], strict=True):
            number += 1
            given += len(text or "")
            if record := _record(number, text, label, stream, columns, damage):
                yield record
        refuse_bombs(stream.name, taken=taken, given=given)


def _values(column: Any, pa: Any) -> Any:
    """Return the values of an Arrow column; of text, the bytes, which need not be UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return (column.cast(pa.large_binary()) if _is_text(column.type, pa) else column).to_pylist()


def _plain(value: Any) -> Any:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _is_text(kind: Any, pa: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _parquet_columns(file: pq.ParquetFile, stream: Stream, columns: Columns) -> list[str]:
    """Return the names of the text column and, if asked for, of the label's."""
    import pyarrow as pa

    schema = file.schema_arrow
    texts = [field.name for field in schema if _is_text(field.type, pa) and field.name != columns.label]
    text = columns.text or (DEFAULT if DEFAULT in texts else texts[0] if len(texts) == 1 else "")
    for wanted in filter(None, (columns.text, columns.label)):
        if wanted not in schema.names:
            raise _unclear(stream, schema.names, wanted)
    if text not in texts:
        raise _unclear(stream, schema.names, f"{text} of text" if text else "")
    return [text, *filter(None, [columns.label])]
