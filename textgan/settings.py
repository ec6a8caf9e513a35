"""From a preset, a file, the environment and the command line to one frozen Config, and where each value came from.

Later layers win: defaults < preset < what suits the corpus < config file < TEXTGAN_* < `-s key=value` < flags. A
variable is the key in capitals with two underscores for the dot: TEXTGAN_TEXT__LENGTH=16 sets text.length;
TEXTGAN_DATA sets corpus.data.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from textgan.config import Config
from textgan.errors import CorruptError, UsageError, near_miss
from textgan.files import read_record
from textgan.resources import folder, presets

PREFIX = "TEXTGAN_"
NOT_SETTINGS = frozenset({"TEXTGAN_CACHE", "TEXTGAN_TEST_DATA"})
SHORTHANDS = {"TEXTGAN_DATA": "corpus.data"}
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Field(NamedTuple):
    """What the schema says about one key."""

    annotation: Any
    text: str
    unit: str
    """Empty where the value has none."""


@dataclass(frozen=True)
class Resolved:
    """A configuration, and for each dotted key the layer that set it."""

    config: Config
    origin: dict[str, str]


class Setting(NamedTuple):
    """One key, its value, and the layer that sets it."""

    key: str
    value: Any
    origin: str


def resolve(
    preset_or_file: str | None = None,
    *,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] = NOTHING,
    environ: Mapping[str, str] = NOTHING,
    suits: Mapping[str, Any] = NOTHING,
    cell: Sequence[Mapping[str, Any]] = (),
) -> Resolved:
    """Return the configuration of these layers.

    Args:
        preset_or_file: name of a preset, path of a TOML file, which may name its own preset, or folder of a run, whose
            settings are taken whole; None is `quick`.
        overrides: `section.key=value`, each value in TOML or a bare string.
        flags: values by dotted key; a None is a flag that was not given.
        environ: variables, of which those that begin with TEXTGAN_ are read.
        suits: values by dotted key that suit the corpus; they go over the preset, and under a file's own.
        cell: what a sweep sets, tables as in a file; they go over the environment, and under the overrides.

    Raises:
        UsageError: an unknown preset, key or value; one line that names it and the nearest match.
        CorruptError: the run.json of a run cannot be read.
    """
    values: dict[str, Any] = dict(_leaves(Config().model_dump()))
    origin = dict.fromkeys(values, "default")
    for setting in (
        *_from_preset_or_file(preset_or_file or Config().preset, suits),
        *_from_environment(environ),
        *(Setting(key, value, "the sweep") for tree in cell for key, value in _leaves(tree)),
        *_from_overrides(overrides),
        *(Setting(key, value, "flag") for key, value in flags.items() if value is not None),
    ):
        _apply(setting, values, origin)
    return Resolved(_validated(values, origin), origin)


def resolve_for_corpus(
    preset_or_file: str | None,
    suits: Callable[[str], tuple[str, Mapping[str, Any]]],
    **layers: Any,
) -> Resolved:
    """Resolve with what suits the corpus, wherever it is named: its settings, and its preset where none is asked for.

    Args:
        preset_or_file: as `resolve` takes it.
        suits: the name of a corpus to its preset and settings.
        layers: the others, as `resolve` takes them.
    """
    preset, settings = suits(resolve(preset_or_file, **layers).config.corpus.name)
    return resolve(preset if preset_or_file is None else preset_or_file, suits=settings, **layers)


@cache
def fields() -> Mapping[str, Field]:
    """Return every dotted key of the configuration with its description and unit."""
    return MappingProxyType(dict(_fields_of(Config)))


def _fields_of(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Field]]:
    for name, info in section.model_fields.items():
        if _is_section(info.annotation):
            yield from _fields_of(info.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            text, _, unit = " ".join((info.description or "").split()).partition(" [")
            yield prefix + name, Field(info.annotation, text, unit.rstrip("]"))


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the tables that are sections; a field that holds a table, such as game.penalties, is one leaf."""
    for name, value in tree.items():
        key = prefix + name
        section = any(known.startswith(f"{key}.") for known in fields())
        if section and isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _from_preset_or_file(name: str, suits: Mapping[str, Any]) -> list[Setting]:
    suited = [Setting(key, value, "the corpus") for key, value in suits.items()]
    if name in presets():
        return [*_from_preset(name), *suited]
    record = Path(name) / "run.json"
    if not record.is_file() and not Path(name).is_file():
        raise UsageError(f"no preset, file or run is named {name!r}{near_miss(name, presets())}")
    tree = _read_run(record) if record.is_file() else read_toml(Path(name))
    base = tree.pop("preset", Config().preset)
    return [*_from_preset(base), *suited, *(Setting(key, value, name) for key, value in _leaves(tree))]


def _from_preset(name: Any) -> list[Setting]:
    """Read a preset, on top of the preset that it names, if it names one."""
    if name not in presets():
        raise UsageError(f"unknown preset {name!r}{near_miss(str(name), presets())}")
    tree = read_toml(folder("configs") / f"{name}.toml")
    base = _from_preset(tree.pop("preset")) if "preset" in tree else []
    return [*base, *(Setting(key, value, f"preset {name}") for key, value in _leaves({**tree, "preset": name}))]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _read_run(record: Path) -> dict[str, Any]:
    advice = "restore it, or name a preset or file with -c"
    config = read_record(record, advice).get("config")
    if not isinstance(config, dict):
        raise CorruptError(f"{record} holds no settings; {advice}")
    return config


def _from_environment(environ: Mapping[str, str]) -> Iterator[Setting]:
    known = {_variable(key): key for key in fields() if key != "preset"} | SHORTHANDS
    for name in sorted(environ.keys() - NOT_SETTINGS):
        if not name.startswith(PREFIX):
            continue
        key = known.get(name, name.removeprefix(PREFIX).lower().replace("__", "."))
        if name not in known and not _holds_table(key.rpartition(".")[0]):
            raise UsageError(f"unknown variable {name}{_nearest(name, known)}")
        yield Setting(key, _parsed(key, environ[name]), name)


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def _from_overrides(overrides: Sequence[str]) -> Iterator[Setting]:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise UsageError(f"-s {override}: write it as section.key=value")
        for leaf, value in _leaves({key.strip(): _parsed(key.strip(), text.strip())}):
            yield Setting(leaf, value, "-s")


def _parsed(key: str, text: str) -> Any:
    """Read a TOML value; what is none, and what is meant for a text field, is a bare string."""
    try:
        tree = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = tree.pop("value")
    wants_text = key in fields() and fields()[key].annotation is str
    return text if tree or (wants_text and not isinstance(value, str)) else value


def _holds_table(key: str) -> bool:
    return key in fields() and get_origin(fields()[key].annotation) is dict


def _apply(setting: Setting, values: dict[str, Any], origin: dict[str, str]) -> None:
    """Set a field, or one entry of a field that holds a table."""
    key, value, source = setting
    table, _, entry = key.rpartition(".")
    if key == "preset" and not source.startswith("preset"):
        raise UsageError(f"{source} cannot change the preset; choose it with -c")
    if key in values:
        values[key], origin[key] = value, source
    elif _holds_table(table):
        values[table] = {**values[table], entry: value}
        origin[table] += f", {source}"
    else:
        raise UsageError(f"unknown key {key!r} ({source}){_nearest_key(key)}")


def _nearest_key(key: str) -> str:
    """Hint within the section if there is such a section, else among all keys."""
    section, _, name = key.partition(".")
    within = [known.removeprefix(f"{section}.") for known in fields() if known.startswith(f"{section}.")]
    return near_miss(name, within) if name and within else _nearest(key, fields())


def _nearest(name: str, known: Iterable[str]) -> str:
    """Hint at the closest of names that are too many to list."""
    hint = near_miss(name, known)
    return hint if "did you mean" in hint else "; `textgan config show` lists the keys"


def _validated(values: Mapping[str, Any], origin: Mapping[str, str]) -> Config:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UsageError(_complaint(error, values, origin)) from None


def _complaint(error: ValidationError, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """Say in one line which key is wrong, what it holds, who set it, and what it takes."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    key = next(key for key in values if path == key or path.startswith(f"{key}."))
    where = f"{key} = {values[key]!r} ({origin[key]})"
    if first["type"] == "literal_error":
        return f"{where}: no such choice{near_miss(str(values[key]), get_args(fields()[key].annotation))}"
    if first["type"] == "missing":
        return f"{where}: a value is missing"
    return f"{where}: {first['msg'].replace('Input should', 'should' if path == key else 'each value should')}"
