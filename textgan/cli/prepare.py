"""`textgan prepare`: a corpus to rows on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from textgan.cli.config import CORPUS_FLAGS, config_options, corpus_options, resolved
from textgan.cli.progress import in_json, printable, watch

if TYPE_CHECKING:
    from textgan.corpora.prepare import Corpus

MOST_SHOWN = 20  # labels
EPILOG = """\b
Examples:
  textgan prepare billion_word --data FOLDER          or the .tar.gz as it was downloaded
  textgan prepare names.txt -s text.length=16         a line a sample; also .gz, .zst, folders, globs, archives
  textgan prepare reviews.jsonl --column body         JSONL, TSV, CSV and parquet have columns
  textgan prepare 'faces/*.txt' --label-column @file  one file a class, for a conditional model
  zcat big.gz | textgan prepare -                     standard input
  textgan prepare cifar10 --data cifar-10-binary.tar.gz
  textgan prepare images --data FOLDER -s image.side=64

Settings are those of `textgan train` on the same corpus, which then finds its rows ready. A preparation that was
stopped goes on where it was."""


@click.command(epilog=EPILOG)
@click.argument("corpus")
@corpus_options
@config_options
@click.option("--processes", type=int, metavar="N", help="Processes that read a large corpus. By default one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def prepare(corpus: str, preset_or_file: str | None, overrides: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Turn CORPUS into rows on disk: found by train, and by the next prepare, without reading it again."""
    from textgan.opening import check_corpus, open_corpus

    keys = {f"corpus.{name}": flags[name] for name in (*CORPUS_FLAGS, "processes")}
    config = resolved(preset_or_file, overrides, {"corpus.name": corpus} | keys).config
    check_corpus(config)
    told = watch()
    found = open_corpus(config, told.note, told.preparing)
    click.echo(in_json(_json(found)) if as_json else _summary(found))


def _json(corpus: Corpus[Any]) -> dict[str, Any]:
    from textgan.opening import describe

    return {"schema": 1, **describe(corpus), "dropped": corpus.facts.get("dropped", {})}


def _summary(corpus: Corpus[Any]) -> str:
    from textgan.opening import summary

    facts = corpus.facts
    left_out = facts.get("dropped", {}) | facts.get("left_out", {})
    labels = [f"{count:,} {name}" for name, count in facts.get("labels", {}).items()]
    lines = [f"{corpus.name}: {summary(corpus)}"]
    counted = [f"{facts['lines_read']:,} lines read"] if "lines_read" in facts else []
    if left_out:
        counted.append("left out: " + ", ".join(f"{count:,} {what}" for what, count in left_out.items()))
    if counted:
        lines.append("; ".join(counted))
    if labels:
        others = f" and {len(labels) - MOST_SHOWN:,} more" if len(labels) > MOST_SHOWN else ""
        lines.append(f"training rows by label: {', '.join(labels[:MOST_SHOWN])}{others}")
    return "\n".join(map(printable, lines))
