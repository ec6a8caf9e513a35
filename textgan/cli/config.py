"""`textgan config show`, and the two options by which every command takes its settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from textgan.cli.progress import in_json, printable

if TYPE_CHECKING:
    from textgan.settings import Resolved

Function = TypeVar("Function", bound=Callable[..., Any])

EPILOG = """\b
Later wins: default < preset < file < TEXTGAN_* < -s < flag. The variable of text.length is TEXTGAN_TEXT__LENGTH;
TEXTGAN_DATA is corpus.data.

\b
Examples:
  textgan config show --describe                        every setting, what it means and its unit
  textgan config show -c wgan_gp > mine.toml            a file to change, then: textgan train -c mine.toml
  textgan config show -s game.penalties.r1=2 --origin   which layer set what"""


def config_options(function: Function) -> Function:
    """Give a command -c and -s, as the arguments `preset_or_file` and `overrides`."""
    function = click.option(
        "-s",
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one setting, such as text.length=16; may be repeated.",
    )(function)
    return click.option(
        "-c",
        "--config",
        "preset_or_file",
        metavar="PRESET|FILE|RUN",
        help="Start from a preset (quick, counts, words, pieces, relativistic, baseline_lm, toy, smoke, "
        "wgan_gp, wgan_gp_ttur, wgan, dcgan, lsgan, sngan, grangan, r3gan, improved_gan; of pictures pictures, digits, "
        "semi_supervised, cifar10_wgan_gp, cifar10_wgan_gp_conditional, cifar10_dcgan, lsun_wgan_gp, robustness/*), a "
        "TOML file, or the settings of a run. By default what suits the corpus.",
    )(function)


CORPUS_FLAGS = {
    "data": ("PATH", "Where a registered corpus lies on this machine."),
    "column": ("NAME", "The text's field in JSONL, TSV, CSV or parquet, by name (of TSV and CSV also by number)."),
    "label_column": ("NAME", "The label's field, for a conditional model; @file for one file a class."),
}
"""Flags that are settings of the section corpus: how a value is called, and the help."""


def corpus_options(function: Function) -> Function:
    """Give a command the flags on where its text is."""
    for name, (metavar, text) in reversed(CORPUS_FLAGS.items()):
        function = click.option(f"--{name.replace('_', '-')}", name, metavar=metavar, help=text)(function)
    return function


def resolved(preset_or_file: str | None, overrides: tuple[str, ...], flags: Mapping[str, Any]) -> Resolved:
    """Resolve the settings of a command, with what suits the corpus."""
    import os

    from textgan.corpora import cards
    from textgan.settings import resolve_for_corpus

    return resolve_for_corpus(preset_or_file, cards.suits, overrides=overrides, flags=flags, environ=os.environ)


@click.group()
def config() -> None:
    """Show the settings, what they mean, and which layer set them."""


@config.command(epilog=EPILOG)
@config_options
@click.option("--origin", is_flag=True, help="Say beside each value which layer set it.")
@click.option("--describe", is_flag=True, help="Say above each value what it means, and its unit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(preset_or_file: str | None, overrides: tuple[str, ...], origin: bool, describe: bool, as_json: bool) -> None:
    """Print the settings that `textgan train` would use, as TOML that -c takes back."""
    from textgan.checks import check

    found = resolved(preset_or_file, overrides, {})
    check(found.config)  # names of parts are in tables that only the parts' own modules hold
    if as_json:
        click.echo(in_json(_json(found, origin, describe), indent=2))
    else:
        click.echo("\n".join(toml_lines(found, origin, describe)))


def _json(found: Resolved, origin: bool, describe: bool) -> dict[str, Any]:
    from textgan.settings import fields

    told: dict[str, Any] = {"schema": 1, "config": found.config.model_dump(mode="json")}
    if origin:
        told["origin"] = found.origin
    if describe:
        told["fields"] = {key: {"text": field.text, "unit": field.unit} for key, field in fields().items()}
    return told


def toml_lines(found: Resolved, origin: bool = False, describe: bool = False) -> Iterator[str]:
    """Yield the settings as lines of TOML, each with its origin and description if wanted."""
    from textgan.settings import fields

    section = ""
    tree = found.config.model_dump(mode="json")
    for key, field in fields().items():
        table, _, name = key.rpartition(".")
        if table != section:
            section = table
            yield f"\n[{section}]"
        if describe:
            yield f"# {field.text}" + f" [{field.unit}]" * bool(field.unit)
        value = tree[table][name] if table else tree[name]
        yield f"{name} = {_literal(value)}" + f"  # {printable(found.origin[key])}" * origin


def _literal(value: Any) -> str:
    """Write a value of a configuration in TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_literal(name)} = {_literal(entry)}" for name, entry in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    # a JSON string or number is one of TOML; what could command a terminal is escaped
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)
