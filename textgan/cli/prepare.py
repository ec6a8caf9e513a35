"""`textgan prepare`: a corpus to rows on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from textgan.cli.config import CORPUS_FLAGS, config_options, corpus_options, resolved
from textgan.cli.progress import printable, watch

if TYPE_CHECKING:
    from textgan.corpora.prepare import Corpus
    from textgan.symbols import Symbols

MOST_SHOWN = 20  # labels
EPILOG = """\b
Examples:
  textgan prepare billion_word --data FOLDER          or the .tar.gz as it was downloaded
  textgan prepare names.txt -s text.length=16         a line a sample; also .gz, .zst, folders, globs, archives
  textgan prepare reviews.jsonl --column body         JSONL, TSV, CSV and parquet have columns
  textgan prepare 'faces/*.txt' --label-column @file  one file a class, for a conditional model
  zcat big.gz | textgan prepare -                     standard input

Settings are those of `textgan train` on the same corpus, which then finds its rows ready. A preparation that was
stopped goes on where it was."""


@click.command(epilog=EPILOG)
@click.argument("corpus")
@corpus_options
@config_options
@click.option("--processes", type=int, metavar="N", help="Processes that read large text. By default one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def prepare(corpus: str, preset_or_file: str | None, overrides: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Turn CORPUS into rows of ids on disk: found by train, and by the next prepare, without reading its text."""
    from textgan.corpora import prepare as corpora

    keys = {f"corpus.{name}": flags[name] for name in (*CORPUS_FLAGS, "processes")}
    config = resolved(preset_or_file, overrides, {"corpus.name": corpus} | keys).config
    told = watch()
    found = corpora.prepare(
        corpus, corpora.Settings.of(config.corpus, config.text), data=config.corpus.data,
        processes=config.corpus.processes, tell=told.note, show=told.preparing,
    )  # fmt: skip
    click.echo(json.dumps(_json(found), ensure_ascii=False) if as_json else _summary(found))


def _json(corpus: Corpus[Symbols]) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "train": len(corpus.train),
        "heldout": len(corpus.heldout),
        "symbols": corpus.space.size,
        "dropped": corpus.facts["dropped"],
        "facts": corpus.facts,
    }


def _summary(corpus: Corpus[Symbols]) -> str:
    facts = corpus.facts
    left_out = ", ".join(f"{count:,} {what}" for what, count in (facts["dropped"] | facts["left_out"]).items())
    labels = [f"{count:,} {name}" for name, count in facts["labels"].items()]
    lines = [
        f"{corpus.name}: {len(corpus.train):,} training and {len(corpus.heldout):,} held-out rows of "
        f"{corpus.space.length} ({facts['cut']}), {corpus.space.size:,} symbols; split: {facts['split']}",
        f"{facts['lines_read']:,} lines read" + (f"; left out: {left_out}" if left_out else ""),
    ]
    if labels:
        others = f" and {len(labels) - MOST_SHOWN:,} more" if len(labels) > MOST_SHOWN else ""
        lines.append(f"training rows by label: {', '.join(labels[:MOST_SHOWN])}{others}")
    return "\n".join(map(printable, lines))
