"""What holds of any settings, of any text and of any pictures, not of chosen ones only."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo
from xxhash import xxh3_64_intdigest

from textgan.cli.config import _literal, toml_lines
from textgan.cli.generate import sink
from textgan.cli.main import main
from textgan.config import Config
from textgan.corpora.prepare import Settings, prepare
from textgan.corpora.text import alphabet
from textgan.errors import UsageError
from textgan.files import dump_json
from textgan.metrics.jsd import distances
from textgan.metrics.lines import read_lines
from textgan.metrics.ngrams import NGrams
from textgan.pixels import Pixels
from textgan.resources import presets
from textgan.settings import Resolved, fields, resolve
from textgan.spaces import space_of
from textgan.symbols import BACKTICK, UNITS, UNKNOWN, Symbols, atoms

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FEW = settings(max_examples=20)
SOME = settings(max_examples=30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that every example writes anew."""
    return tmp_path_factory.mktemp("place")


# --- settings -------------------------------------------------------------------------------------------------------


def _info(key: str) -> FieldInfo:
    section, _, name = key.rpartition(".")
    of: Any = Config.model_fields[section].annotation if section else Config
    found: FieldInfo = of.model_fields[name]
    return found


def _bounds(metadata: Any, step: float) -> tuple[Any, Any]:
    """The least and the largest value that limits allow, those that are excluded left out by a step."""
    told: dict[str, Any] = {}
    for limit in metadata:
        told |= asdict(limit) if isinstance(limit, Ge | Gt | Le | Lt) else {}
    low = told["gt"] + step if "gt" in told else told.get("ge")
    return low, told["lt"] - step if "lt" in told else told.get("le")


def _valid(annotation: Any, metadata: Any) -> st.SearchStrategy[Any]:
    """Values that a field takes."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _valid(inside[0], annotation.__metadata__[0].metadata)
    if origin is Literal:
        return st.sampled_from(inside)
    if origin is tuple:
        entries = [_valid(entry, ()) for entry in inside if entry is not Ellipsis]
        return st.lists(entries[0], max_size=4).map(tuple) if Ellipsis in inside else st.tuples(*entries)
    if origin is dict:
        return st.dictionaries(TEXT, _valid(inside[1], ()), max_size=3)
    low, high = _bounds(metadata, 1 if annotation is int else 1e-9)
    return {
        str: TEXT,
        bool: st.booleans(),
        int: st.integers(low, high),
        float: st.floats(low, high, allow_nan=False, allow_infinity=False),
    }[annotation]


VALID = {key: _valid(_info(key).annotation, _info(key).metadata) for key in fields()} | {
    "preset": st.sampled_from(sorted(presets()))
}
KEYS = sorted(VALID.keys() - {"preset"})
CHANGES = st.lists(st.sampled_from([*KEYS, "preset"]), max_size=6, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: VALID[key] for key in keys})
)
"""Values of some settings, by key."""


def made(changes: dict[str, Any]) -> Config:
    """The configuration that differs from the defaults by these."""
    tree: dict[str, Any] = {}
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return Config.model_validate(tree)


@FEW
@given(changes=CHANGES, told=st.booleans())
@example(changes={"corpus.data": '\x7f"\\\n', "game.penalties": {"a.b": 0.0, "": 1e-300}}, told=True)
def test_any_configuration_comes_back_from_toml_and_from_json(place: Path, changes: dict[str, Any], told: bool) -> None:
    config = made(changes)
    lines = toml_lines(Resolved(config, dict.fromkeys(fields(), "who")), origin=told, describe=told)
    (place / "all.toml").write_bytes("\n".join(lines).encode())
    assert resolve(str(place / "all.toml")).config == config
    (place / "run.json").write_bytes(dump_json({"schema": 1, "config": config.model_dump(mode="json")}).encode())
    assert resolve(str(place)).config == config


LAYERS = ("file", "variable", "-s", "flag")
LAYERED = st.dictionaries(
    st.sampled_from(KEYS).filter(lambda key: key != "game.penalties"),
    st.sets(st.sampled_from(LAYERS), min_size=2),
    min_size=2,
    max_size=5,
).flatmap(
    lambda wanted: st.fixed_dictionaries(
        {key: st.fixed_dictionaries(dict.fromkeys(layers, VALID[key])) for key, layers in wanted.items()}
    )
)
"""Values by key and by layer."""


@FEW
@given(preset=st.none() | st.sampled_from(sorted(presets())), given_=LAYERED)
def test_flag_beats_override_beats_variable_beats_file_beats_preset_beats_default(
    place: Path, preset: str | None, given_: dict[str, dict[str, Any]]
) -> None:
    file = place / "layer.toml"
    lines = [f"preset = {_literal(preset)}"] if preset else []
    in_file = [(key, _plain(layers["file"])) for key, layers in given_.items() if "file" in layers]
    file.write_bytes("\n".join([*lines, *(f"{key} = {_literal(value)}" for key, value in in_file)]).encode())
    found = resolve(
        str(file),
        environ={
            "TEXTGAN_" + key.upper().replace(".", "__"): _literal(_plain(layers["variable"]))
            for key, layers in given_.items() if "variable" in layers
        },
        overrides=[f"{key}={_literal(_plain(layers['-s']))}" for key, layers in given_.items() if "-s" in layers],
        flags={key: layers["flag"] for key, layers in given_.items() if "flag" in layers},
    )  # fmt: skip
    below = resolve(preset)
    for key in fields():
        layers = given_.get(key, {})
        section, _, name = key.rpartition(".")
        value = getattr(getattr(found.config, section) if section else found.config, name)
        if winner := next((layer for layer in reversed(LAYERS) if layer in layers), None):
            assert value == layers[winner]
            names = {"file": str(file), "variable": "TEXTGAN_" + key.upper().replace(".", "__")}
            assert found.origin[key] == names.get(winner, winner)
        else:
            assert value == getattr(getattr(below.config, section) if section else below.config, name)
            assert found.origin[key] == below.origin[key]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


SHOWN = ["training.seed", "training.log_every", "evaluation.samples", "corpus.max_lines", "generator.averaging"]


@settings(max_examples=10)
@given(
    changes=st.dictionaries(
        st.sampled_from(SHOWN), st.tuples(st.sampled_from(["-s", "variable"]), st.integers(2, 99)), max_size=4
    ),
    as_json=st.booleans(),
)
def test_config_show_tells_values_and_origins_as_they_are_resolved(
    changes: dict[str, tuple[str, int]], as_json: bool
) -> None:
    given_ = {key: (layer, 0.5 if key == "generator.averaging" else value) for key, (layer, value) in changes.items()}
    overrides = [f"{key}={value}" for key, (layer, value) in given_.items() if layer == "-s"]
    environ = {
        "TEXTGAN_" + key.upper().replace(".", "__"): str(value)
        for key, (layer, value) in given_.items() if layer == "variable"
    }  # fmt: skip
    found = resolve("smoke", overrides=overrides, environ=environ)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        out = captured(
            "config", "show", "-c", "smoke", "--origin", *(f"-s{one}" for one in overrides), *["--json"] * as_json
        )
    if as_json:
        told = json.loads(out)
        assert (Config.model_validate(told["config"]), told["origin"]) == (found.config, found.origin)
    else:
        assert out == "\n".join(toml_lines(found, origin=True)) + "\n"


def captured(*arguments: str) -> str:
    """What a command that goes well prints."""
    import io
    from contextlib import redirect_stdout

    out = io.StringIO()
    with redirect_stdout(out):
        assert main(arguments) == 0
    return out.getvalue()


ANYTHING = st.recursive(
    st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=4,
)  # fmt: skip


def refused(key: str, resolved: Callable[[], Resolved]) -> bool:
    """Whether that is a mistake, which is one line that names the key."""
    told = ""
    try:
        resolved()
    except UsageError as error:
        told = str(error)
    assert "\n" not in told
    assert not told or key in told or repr(key)[1:-1] in told
    return bool(told)


@SOME
@given(key=TEXT, section=st.sampled_from(["", "text.", "game.penalty.", "training.steps."]), value=ANYTHING)
@example(key="a\nb", section="", value=1)
def test_any_unknown_key_is_one_line_that_names_it(place: Path, key: str, section: str, value: Any) -> None:
    name = section + key
    if name in fields() or name.rpartition(".")[0] == "game.penalties":
        return
    assert refused(name, lambda: resolve(flags={name: value}))
    bare = name.strip()
    if "=" not in name and bare not in fields():
        assert refused(bare, lambda: resolve(overrides=[f"{name}=1"]))
    (place / "unknown.toml").write_bytes(f"{section}{_literal(key)} = 1".encode())
    told = section.rstrip(".") if section.count(".") > 1 else name  # in a file, a table at that key
    assert refused(told, lambda: resolve(str(place / "unknown.toml")))


@SOME
@given(key=st.sampled_from(KEYS), value=ANYTHING)
def test_any_value_is_taken_or_is_one_line_that_names_its_key(place: Path, key: str, value: Any) -> None:
    (place / "value.toml").write_bytes(f"{key} = {_toml(value)}".encode())
    in_file = refused(key, lambda: resolve(str(place / "value.toml")))
    if not isinstance(value, dict):  # whose entries may be keys
        assert refused(key, lambda: resolve(flags={key: value})) == in_file
    if isinstance(value, bool) and fields()[key].annotation is not bool:
        assert in_file


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(name)} = {_toml(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else _literal(value)


# --- symbols --------------------------------------------------------------------------------------------------------

ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\n\0")
LINE = st.text(st.sampled_from(" ab`AcN\r\u2028\x85é漢😀\ufffd▁[]%1ClBr") | ANY, max_size=24)
LINES = st.lists(LINE, min_size=1, max_size=6)


def _folded(line: str) -> list[str]:
    return [character.upper() if character.isascii() else character for character in line]


TOKENS: dict[str, Callable[[str], list[str]]] = {
    "char": list,
    "byte": lambda line: [chr(byte) for byte in line.encode()],
    "word": lambda line: line.split(" "),
    "dna": _folded,
    "protein": _folded,
    "smiles": atoms,
}


def text_of(symbols: Symbols, tokens: list[str]) -> str:
    """What is left of tokens: those within the length, unknown ones replaced, the paper's pads as text."""
    known = set(symbols.symbols) | ({BACKTICK} if symbols.pad == "backtick" else set())
    told = [token if token in known else UNKNOWN for token in tokens[: symbols.length]]
    if symbols.unit == "byte":
        raw = b"".join(UNKNOWN.encode() if token == UNKNOWN else token.encode("latin-1") for token in told)
        return raw.decode(errors="replace")
    text = UNITS[symbols.unit].joint.join(told)
    return text.ljust(symbols.length, BACKTICK) if symbols.pad == "backtick" else text


@st.composite
def spaces(draw: st.DrawFn, lines: st.SearchStrategy[list[str]] = LINES) -> tuple[Symbols, list[str]]:
    """Symbols of some lines, under any settings, and other lines."""
    unit, length = draw(st.sampled_from(sorted(TOKENS))), draw(st.integers(1, 12))
    pad = draw(st.sampled_from(["own", "backtick"])) if unit == "char" else "own"
    heads, tails, _ = alphabet.count(unit, draw(lines), length)
    most = draw(st.integers(2, 8) | st.just(2000))
    return alphabet.build(unit, heads + tails, [], length=length, pad=pad, max_symbols=most), draw(lines)


@SOME
@given(given_=spaces())
def test_any_line_comes_back_but_for_its_cut_and_its_unknown_symbols(given_: tuple[Symbols, list[str]]) -> None:
    symbols, lines = given_
    ids = symbols.encode(lines)
    assert ids.shape == (len(lines), symbols.length)
    assert ids.dtype == symbols.dtype
    assert symbols.decode(ids) == [text_of(symbols, TOKENS[symbols.unit](line)) for line in lines]


@SOME
@given(given_=spaces(st.lists(LINE | st.text(" ab", min_size=8, max_size=24), min_size=3, max_size=6)))
def test_any_window_starts_its_line_or_a_word_and_is_whole(given_: tuple[Symbols, list[str]]) -> None:
    symbols, lines = given_
    rows, numbers = symbols.rows(lines, "windows")
    wanted, joint, length = [], UNITS[symbols.unit].joint, symbols.length
    known = {*symbols.symbols, *([BACKTICK] if symbols.pad == "backtick" else [])}
    for number, line in enumerate(lines):
        tokens = TOKENS[symbols.unit](line)
        shown = [token if token in known else UNKNOWN for token in tokens]
        starts = [0] + [
            i for i in range(1, len(tokens) - length + 1)
            if (shown[i - 1] + joint).endswith(" ") and not shown[i].startswith(" ")
        ]  # fmt: skip
        wanted += [(number, text_of(symbols, tokens[i : i + length])) for i in starts]
    assert list(zip(numbers.tolist(), symbols.decode(rows), strict=True)) == wanted


LABELS = st.lists(TEXT, max_size=3, unique=True).map(tuple)


@SOME
@given(given_=spaces(), labels=LABELS, side=st.integers(1, 1024), channels=st.sampled_from([1, 3]))
def test_any_space_comes_back_from_json(
    given_: tuple[Symbols, list[str]], labels: tuple[str, ...], side: int, channels: int
) -> None:
    known = given_[0]
    symbols = Symbols(known.symbols, known.length, known.pad, known.knows_unknown, known.unit, labels)
    for space in (symbols, Pixels(side, channels, labels)):
        assert type(space).from_json(json.loads(dump_json(space.to_json()))) == space


@SOME
@given(
    of=st.sampled_from([Symbols(("a", "b"), 3), Pixels(8, 3, ("cat",))]), key=st.sampled_from(
        ["kind", "unit", "symbols", "length", "pad", "knows_unknown", "labels", "tokenizer", "side", "channels"]
    ), value=st.none() | ANYTHING,
)  # fmt: skip
def test_any_other_json_is_a_space_or_refused(of: Symbols | Pixels, key: str, value: Any) -> None:
    try:
        space = space_of(of.to_json() | {key: value})
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    again = space.to_json()
    assert space_of(json.loads(json.dumps(again))).to_json() == again


@FEW
@given(side=st.integers(1, 5), channels=st.sampled_from([1, 3]), data=st.data())
def test_any_pictures_come_back(side: int, channels: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 3))
    values = data.draw(st.binary(min_size=count * channels * side**2, max_size=count * channels * side**2))
    pictures = np.frombuffer(values, np.uint8).reshape(count, side, side, channels)
    rows = Pixels(side, channels).encode(list(pictures))
    assert rows.shape == (count, channels, side, side)
    assert [picture.tolist() for picture in Pixels(side, channels).decode(rows)] == pictures.tolist()


# --- files ----------------------------------------------------------------------------------------------------------

WILD = st.text(st.sampled_from(" ab\r\t\u2028\x85\x0b\x1c\ufeffé😀") | ANY, max_size=20)
FILLING = [f"line {number}" for number in range(60)]


@FEW
@given(wild=st.lists(WILD, max_size=8), mark=st.booleans(), ends=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
@example(wild=["\ufeffa", "b\r", "\r", "a\rb"], mark=True, ends="\n", last=False)
def test_any_text_is_split_by_line_and_kept_in_order(
    place: Path, wild: list[str], mark: bool, ends: str, last: bool
) -> None:
    data = codecs.BOM_UTF8 * mark + ends.join([*wild, *FILLING]).encode() + ends.encode() * last
    (place / "any.txt").write_bytes(data)
    lines = [line.removesuffix(b"\r").decode() for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    lines = [line for line in lines if line.strip()]
    corpus = prepare(str(place / "any.txt"), Settings(64, heldout=0.3, cut="line"), cache=place / "cache")
    held = [xxh3_64_intdigest(line.encode()) < np.uint64(0.3 * 2**64) for line in lines]
    train, heldout = (corpus.space.decode(rows.ids) for rows in (corpus.train, corpus.heldout))
    assert train == [line for line, out in zip(lines, held, strict=True) if not out]
    met = {*"".join(train)}
    shown = ["".join(sign if sign in met else UNKNOWN for sign in line) for line in lines]
    assert heldout == [line for line, out in zip(shown, held, strict=True) if out]


@FEW
@given(lines=st.lists(WILD, min_size=1, max_size=8))
@example(lines=["\ufeffa", "b\r", "", "\ufeff"])
def test_samples_are_read_as_they_were_written(place: Path, lines: list[str]) -> None:
    with sink(str(place / "samples.txt")) as write:
        write("".join(f"{line}\n" for line in lines))
    first, *others = [line.removesuffix("\r") for line in lines]
    if len(lines) > 1 or lines[0] not in ("", "\ufeff"):
        assert list(read_lines(place / "samples.txt")) == [first.removeprefix("\ufeff"), *others]


# --- n-grams --------------------------------------------------------------------------------------------------------

WORDY = st.lists(st.text("ab 😀", max_size=8), min_size=1, max_size=8)
ORDERS = (1, 2, 3, 5)


def jsd(lines: list[str], reference: list[str]) -> dict[int, float | None]:
    return distances(lines, NGrams(reference), ORDERS)


@SOME
@given(lines=WORDY, reference=WORDY, data=st.data())
def test_the_divergence_is_symmetric_between_0_and_1_and_0_of_the_same_lines(
    lines: list[str], reference: list[str], data: st.DataObject
) -> None:
    there, back = jsd(lines, reference), jsd(reference, lines)
    again = jsd(data.draw(st.permutations(lines)), lines)
    for n in ORDERS:
        value, other = there[n], back[n]
        assert (value is None) == (max(map(len, reference)) < n)
        if value is not None and other is not None:
            assert 0 <= value <= 1
            assert abs(value - other) < 1e-12
        assert (again[n] or 0) < 1e-12
