"""What strangers may hand over, each attack as it would come, and the one line that it ends in."""

from __future__ import annotations

import gzip
import json
import os
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.text import Text as Words
from test_architecture import FILES
from test_model import FACTS, MODEL, new_model

from textgan import assemble, bounded, files, lock, runs
from textgan.card import card, plain
from textgan.cli import main, page
from textgan.cli.options import show
from textgan.cli.progress import in_json
from textgan.config import Config
from textgan.corpora import matrix
from textgan.corpora.images import mat, place
from textgan.corpora.images.prepare import PictureSettings, open_pictures
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.model import Model, load
from textgan.opening import open_corpus, was_opened
from textgan.report import sweeps
from textgan.report.document import document, head
from textgan.report.figures import over_training
from textgan.report.gallery import curves
from textgan.report.measure import Report
from textgan.settings import read_toml, resolve
from textgan.training import health, runlog

DEEP = "[" * 100_000
HOSTILE = "\x1b]0;x\x07\x9b31m\u202e\n<script>`x`|[a](javascript:b) http://x ]]></style>"

# --- reading --------------------------------------------------------------------------------------------------------


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=list(NO_FILES))
def test_what_is_no_regular_file_is_not_read(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(ValueError, match="it is no regular file"):
        bounded.read_bytes(tmp_path / "x")


def test_a_size_is_looked_at_before_memory_is_taken(tmp_path: Path) -> None:
    sparse(tmp_path / "x", 1 << 40)
    with pytest.raises(ValueError, match="it has 1,099,511,627,776 bytes, and 16,777,216 are the most"):
        bounded.read_bytes(tmp_path / "x")
    sparse(tmp_path / "y", 5)
    assert bounded.read_bytes(tmp_path / "y", 5) == bytes(5)
    with pytest.raises(ValueError, match="it has 5 bytes, and 4 are the most"):
        bounded.read_bytes(tmp_path / "y", 4)


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    stat = Path("/proc/self/stat")  # which says that it is empty
    if not stat.exists():
        pytest.skip("needs /proc")
    with pytest.raises(ValueError, match="it changes while it is read"):
        bounded.read_bytes(stat)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DEEP, "nested more than 32 deep"),
        ("[" * 34 + "]" * 34, "nested more than 32 deep"),
        ('{"a": NaN}', "NaN, which is no number"),
        ("[-Infinity]", "-Infinity, which is no number"),
        ("[1e999]", "a number that is not finite"),
        (f'{{"a": [{1 << 128}]}}', "a whole number of more than 128 bits"),
        ("9" * 9999, "Exceeds the limit"),
        ('{"a": 1, "a": 2}', "a name stands twice"),
    ],
)
def test_json_is_strict_and_shallow(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bounded.parse_json(text)


def test_json_that_is_fine_is_what_python_reads() -> None:
    value = {"a": [{"b": [None, True, 1.5, (1 << 128) - 1, "\u2028"]}] * 2, "c": {}}
    assert bounded.parse_json(json.dumps(value)) == value
    assert bounded.parse_json("[" * 32 + "]" * 32) == json.loads("[" * 32 + "]" * 32)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {DEEP}",
        ".".join("a" * 40_000) + " = 1",
        "[" + ' . "b" . '.join("a" * 20_000) + "]\n",
        "'x'." * 40 + "a = 1",
    ],
    ids=["lists", "dots", "tables", "quotes"],
)
def test_settings_that_are_nested_deep_are_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(UsageError, match=r"a\.toml is no TOML file: it is nested more than 32 deep$"):
        read_toml(tmp_path / "a.toml")


def test_other_settings_of_strangers_are_one_line(tmp_path: Path) -> None:
    sparse(tmp_path / "a.toml", 1 << 33)
    with pytest.raises(UsageError, match="it has 8,589,934,592 bytes, and 1,048,576 are the most"):
        read_toml(tmp_path / "a.toml")
    with pytest.raises(UsageError, match=r"text\.length = '\[\[\["):
        resolve(environ={"TEXTGAN_TEXT__LENGTH": DEEP})
    (tmp_path / "a.toml").write_text('preset = "../../etc/passwd"')
    with pytest.raises(UsageError, match="unknown preset"):
        resolve(str(tmp_path / "a.toml"))
    with pytest.raises(UsageError, match=r"evaluation\.report_samples = 1000000000000"):
        resolve(overrides=["evaluation.report_samples=1000000000000"])
    (tmp_path / "a.toml").write_text("betas = [0.5, 0.25, 0.125]\n[a.b.c.d]\ne = '''x.y.z'''")
    assert read_toml(tmp_path / "a.toml") == {"betas": [0.5, 0.25, 0.125], "a": {"b": {"c": {"d": {"e": "x.y.z"}}}}}


def test_an_error_is_never_longer_than_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["config", "show", "-s", f"text.length={'x' * 100_000}\x1b"]) == 2
    told = capsys.readouterr().err
    assert len(told) < 2100
    assert told.startswith("textgan: error: text.length = 'xxx")
    assert "\x1b" not in told


# --- model folders --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest") / "m"
    MODEL.save(folder)
    return folder


def sealed(honest: Path, folder: Path, name: str, content: bytes | Callable[[Path], object]) -> Path:
    """Copy a model folder with something else in the place of a file, and a manifest that says that it is fine."""
    folder.mkdir()
    for file in honest.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / name).unlink()
    (folder / files.MANIFEST).unlink()
    if callable(content):
        files.seal(folder)
        content(folder / name)
    else:
        (folder / name).write_bytes(content)
        files.seal(folder)
    return folder


def told(honest: Path, **changes: Any) -> bytes:
    """What a forged config.json holds."""
    value = json.loads((honest / "config.json").read_text())
    for path, new in changes.items():
        table = value
        *above, last = path.split("__")
        for name in above:
            table = table[name]
        table[last] = new
    return json.dumps(value).encode()


def tensors(honest: Path, kind: str, byte: bytes) -> bytes:
    """All tensors of another type, every byte of them the same."""
    raw = (honest / "model.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    size, end = {"F64": 8, "F32": 4, "F16": 2, "I32": 4}[kind], 0
    for entry in header.values():
        count = (entry["data_offsets"][1] - entry["data_offsets"][0]) // 4
        entry |= {"dtype": kind, "data_offsets": [end, end := end + count * size]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + byte * end


FORGED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "deep settings": ("config.json", lambda m: DEEP.encode(), "nested more than 32 deep"),
    "deep within": (
        "config.json", lambda m: told(m)[:-1] + b', "x": ' + b"[" * 99 + b"]" * 99 + b"}", "nested more than 32 deep",
    ),
    "settings of a terabyte": (
        "config.json", lambda m: lambda path: sparse(path, 1 << 40), "it has 1,099,511,627,776 bytes",
    ),
    "a pipe for settings": ("alphabet.json", lambda m: os.mkfifo, "it is no regular file"),
    "no UTF-8": ("alphabet.json", lambda m: b"\xff", "invalid start byte"),
    "a step beyond all floats": ("config.json", lambda m: told(m, step=10**400), "more than 128 bits"),
    "a step that is text": ("config.json", lambda m: told(m, step="\x1b[31m"), "is no model that textgan"),
    "no corpus": ("config.json", lambda m: told(m, corpus=None), "is no model that textgan"),
    "no fingerprint": ("config.json", lambda m: told(m).replace(b"fingerprint", b"x"), "fingerprint"),
    "figures that are none": (
        "config.json", lambda m: told(m, evaluation={"samples": 1, "reference": 1}), "is no model that textgan",
    ),
    "a width beyond all memory": (
        "config.json", lambda m: told(m, config__generator__width=10**12), "is no model that textgan",
    ),
    "weights of a terabyte": (
        "model.safetensors", lambda m: lambda path: sparse(path, 1 << 40), "it has 1,099,511,627,776 bytes",
    ),
    "a device for weights": (
        "model.safetensors", lambda m: lambda path: path.symlink_to("/dev/zero"), "it is no regular file",
    ),
    "a header of a gigabyte": (
        "model.safetensors", lambda m: struct.pack("<Q", 1 << 30), "the header of its tensors has 1,073,741,824 bytes",
    ),
    "doubles": ("model.safetensors", lambda m: tensors(m, "F64", b"\0"), r"is of torch\.float64, not of torch\.float"),
    "halves": ("model.safetensors", lambda m: tensors(m, "F16", b"\0"), r"is of torch\.float16, not of torch\.float"),
    "NaN": ("model.safetensors", lambda m: tensors(m, "F32", b"\xff"), "is not finite"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "says"), FORGED.values(), ids=list(FORGED))
def test_a_forged_model_is_one_line(
    name: str, content: Callable[[Path], Any], says: str, honest: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorruptError, match=says) as caught:
        load(sealed(honest, tmp_path / "m", name, content(honest)))
    assert "\n" not in str(caught.value)


def place_of(path: Path, content: Callable[[Path], object]) -> None:
    path.unlink()
    content(path)


MANIFESTS: dict[str, Callable[[Path], object]] = {
    "deep": lambda path: path.write_text(DEEP),
    "a list": lambda path: path.write_text("[1]"),
    "of lists": lambda path: path.write_text('{"schema": 1, "files": [1]}'),
    "of texts": lambda path: path.write_text('{"schema": 1, "files": {"config.json": "x"}}'),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=list(MANIFESTS))
def test_a_forged_manifest_is_one_line(content: Callable[[Path], object], honest: Path, tmp_path: Path) -> None:
    folder = sealed(honest, tmp_path / "m", "README.md", b"")
    place_of(folder / files.MANIFEST, content)
    for read in (load, files.verify_folder):
        with pytest.raises(CorruptError, match=r"manifest\.json is missing or damaged"):
            read(folder)
    assert not files.is_whole(folder)


def test_a_model_is_what_was_checked_though_its_folder_changes(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sealed(honest, tmp_path / "m", "README.md", b"")
    seen: list[str] = []

    def once(path: Path, *arguments: Any, **named: Any) -> bytes:
        content = bounded.read_bytes(path, *arguments, **named)
        seen.append(path.name)
        path.write_bytes(b"something else by now")
        return content

    monkeypatch.setattr(files.read_checked, "__defaults__", (once,))
    monkeypatch.setattr("textgan.model.bounded", type("patched", (), vars(bounded) | {"read_bytes": once}))
    assert load(folder).generate(3) == MODEL.generate(3)
    assert seen == ["config.json", "alphabet.json", "model.safetensors"]


def test_links_to_files_are_followed_as_a_hub_cache_needs(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for file in honest.iterdir():
        (tmp_path / "m" / file.name).symlink_to(file)
    assert load(tmp_path / "m").generate(3) == MODEL.generate(3)


@pytest.mark.parametrize("told", ["DefaultCPUAllocator: can't allocate memory: you tried to", "CUDA out of memory."])
def test_a_model_that_asks_for_too_much_memory_is_one_line(
    told: str, honest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: object, **named: object) -> None:
        raise RuntimeError(told)

    monkeypatch.setattr(Model, "stream", fails)
    assert main.main(["generate", "-m", str(honest), "-n", "1"]) == 1
    assert capsys.readouterr().err == "textgan: error: not enough memory; ask for less, or give the process more\n"


# --- what a model names ---------------------------------------------------------------------------------------------


def naming(name: str, fingerprint: str, text: Path) -> Model:
    """A model whose settings name a corpus, and say that these are its rows."""
    settings = resolve("smoke", flags={"corpus.name": name}).config
    facts = FACTS | {"corpus": FACTS["corpus"] | {"fingerprint": fingerprint}}
    return new_model(facts=facts).__class__(MODEL.net, MODEL.space, settings, facts)


def test_what_a_strangers_model_names_is_not_opened(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path))
    mine = open_corpus(resolve("smoke", flags={"corpus.name": str(tiny_text)}).config)
    monkeypatch.setattr(assemble, "open_corpus", lambda config: pytest.fail("it was opened"))
    names = "hf:evil/data", "/secret.txt", "grammar:/secret.txt", "-", "billion_word", HOSTILE
    for name, fingerprint in product(names, (mine.fingerprint, "0" * 32, "../../etc", "")):
        with pytest.raises(TextganError, match="was not prepared on this machine by that name"):
            assemble.corpus_of(naming(name, fingerprint, tiny_text))


def test_what_was_asked_for_by_that_name_is_opened(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path))
    monkeypatch.chdir(tiny_text.parent)
    settings = resolve("smoke", flags={"corpus.name": tiny_text.name}).config
    mine = open_corpus(settings)
    asked = naming(str(tiny_text), mine.fingerprint, tiny_text)
    assert assemble.corpus_of(asked).fingerprint == mine.fingerprint
    other = asked.config.corpus.model_copy(update={"data": "/elsewhere"})
    assert was_opened(asked.config, mine.fingerprint)
    assert not was_opened(asked.config.model_copy(update={"corpus": other}), mine.fingerprint)
    (tmp_path / "sources" / f"{mine.fingerprint}.json").unlink()  # rows that are older than the notes
    assert matrix.is_source(tmp_path, mine.fingerprint, (str(tiny_text), ""))
    assert not matrix.is_source(tmp_path, "f" * 32, (str(tiny_text), ""))


# --- logs and locks -------------------------------------------------------------------------------------------------


def test_a_log_of_anything_is_read_for_its_rows(tmp_path: Path) -> None:
    lines = [
        '{"step": 1, "alarm": {"kind": "a", "text": "b"}}', f'{{"step": 2, "x": {DEEP}', '{"step": "3"}', "[4]", "5",
        '{"step": 1e999}', f'{{"step": {"9" * 400}}}', '{"step": NaN}', '{"step": 6, "alarm": []}',
        '{"step": 7, "alarm": {}}', '{"alarm": {"kind": "c"}}',
    ]  # fmt: skip
    (tmp_path / runlog.ROWS).write_text("\n".join(lines))
    rows = runlog.read(tmp_path)
    assert [row["step"] for row in rows] == [1, 6, 7]
    assert health.alarms(rows)[0] == {"step": 1, "kind": "a", "text": "b"}
    assert all(set(alarm) == {"step", "kind", "text"} for alarm in health.alarms(rows))
    (tmp_path / runlog.ROWS).unlink()
    sparse(tmp_path / runlog.ROWS, 1 << 40)
    with pytest.raises(CorruptError, match=r"metrics\.jsonl cannot be read: it has 1,099,511,627,776 bytes"):
        runlog.read(tmp_path)


@pytest.mark.parametrize(
    "row",
    ['{"evaluation":{"x":1}}', '{"step":1,"evaluation":[1]}', '{"step":1,"jsd":{"x":1}}', '{"step":1,"critic":5}'],
)
def test_rows_of_which_nothing_can_be_drawn_are_left_out_of_a_page(
    row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text(f"{row}\n")

    def draw(rows: list[dict[str, Any]]) -> None:
        over_training(Report(3, 4, None, 2, (), None, None, ()), rows)
        list(curves(rows))

    assert page.history(tmp_path / "log", draw) == []
    assert "cannot be read; the page shows no training curves" in capsys.readouterr().err


@pytest.mark.parametrize(
    "row",
    [
        {"generator": {"gradient_norm": None}}, {"generator": 5}, {"critic": [1]}, {"critic": {"gradient_norm": 1.0}},
        {"evaluation": 5}, {"evaluation": {"unique": {"value": "x", "floor": 1}}}, {"evaluation": {"critic": [1]}},
    ],
    ids=str,
)  # fmt: skip
def test_rows_that_no_training_writes_do_not_keep_a_run_from_going_on(row: dict[str, Any]) -> None:
    critic = {"objective": -0.8, "score_real": 1.0, "score_fake": 0.2, "gradient_norm": 2.0}
    losses = [{"step": step, "generator": {"gradient_norm": 0.1}, "critic": critic} for step in range(1, 20)]
    odd, plainly = (health.Ward(lambda row: None, pytest.fail, 1, 1) for _ in range(2))
    odd.begin([*losses[:9], {"step": 9} | row, *losses[9:]])
    plainly.begin(losses)
    assert (odd.health.critic, odd.health.past) == (critic, plainly.health.past)
    odd({"step": 20, "generator": {"gradient_norm": 0.1}})


def test_settings_may_be_those_of_a_model_folder(honest: Path) -> None:
    assert resolve(str(honest)).config.generator == MODEL.config.generator


def test_a_lock_empties_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(victim)
    with pytest.raises(TextganError, match="cannot write to "), lock.alone_in(tmp_path / "run"):
        pytest.fail("it was held")
    assert victim.read_text() == "precious"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="something else is in the place of a lock"):
        bounded.open_lock(tmp_path / "pipe")


def test_what_is_written_is_open_to_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        MODEL.save(tmp_path / "m")
        bounded.open_lock(tmp_path / "lock").close()
        files.append(tmp_path / "log", b"x")
    finally:
        os.umask(before)
    made_now = [tmp_path / "m", *(tmp_path / "m").iterdir(), tmp_path / "lock", tmp_path / "log"]
    assert not any(path.stat().st_mode & 0o077 for path in made_now)


# --- names ----------------------------------------------------------------------------------------------------------


def test_no_name_commands_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([Words(HOSTILE), f"[link=http://x]{HOSTILE}[/link]"])
    shown = capsys.readouterr().out
    assert not set("\x1b\x07\x9b\u202e") & set(shown)
    assert r"\x1b]0;x\x9b31m\u202e" in shown  # the bell is left out
    assert "[link=http://x]" in shown
    text = in_json({"name": HOSTILE, "é": "漢\ud800"}, indent=1)
    assert not set("\x1b\x07\x9b\u202e\ud800") & set(text)
    assert "é" in text
    assert "漢" in text
    assert json.loads(text) == {"name": HOSTILE, "é": "漢\ud800"}


def test_names_are_nothing_but_text_in_a_card() -> None:
    facts = FACTS | {
        "corpus": FACTS["corpus"] | {"name": HOSTILE, "facts": {"title": HOSTILE, "labels": {}}},
        "evaluation": {"samples": 1, "reference": 1, "jsd": {HOSTILE: {"value": 0.5, "floor": 0.25}}},
    }
    settings = Config.model_validate({"preset": HOSTILE})
    text = card(Model(MODEL.net, MODEL.space, settings, facts))
    plainly = card(MODEL)
    assert [line for line in text.split("\n") if line.startswith(("---", "#", "tags"))] == [
        line.replace("tiny", plain(HOSTILE)) for line in plainly.split("\n") if line.startswith(("---", "#", "tags"))
    ]
    assert not re.search(r"(?<!\\)[<>\[\]|`](?=script|a\]|\(javascript|x)", text)
    assert "://" not in text
    assert "\x1b" not in text


def test_names_are_nothing_but_text_in_the_table_of_a_sweep() -> None:
    failed = "![x](http://x) www.x.org |"
    row = sweeps.Row(("a|b",), 1, {failed: 1}, {}, {}, None, None)
    text = sweeps.markdown(sweeps.Summary("s", ("x",), (), (row,), {}))
    assert "a\\|b" in text
    assert r"1 failed: !\[x\](http:\//x) www\.x.org \|" in text


@pytest.mark.parametrize("name", ["a\0b.txt", "a\ud800b.txt", "a\x1bb.txt"])
def test_any_name_makes_a_folder_of_a_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs.make_run_folder(Config.model_validate({"corpus": {"name": name}})).name.startswith("a_b-quick-")


def test_names_are_nothing_but_text_in_a_page() -> None:
    text = document(HOSTILE, head(HOSTILE, HOSTILE, "", "", bad=False), [])
    assert "<script" not in text
    assert "]]>" not in text
    assert text.count("</style>") == 1
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


# --- archives of pictures -------------------------------------------------------------------------------------------


def packed(*blocks: bytes) -> bytes:
    return gzip.compress(b"".join(blocks) + bytes(1024))


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, pax: dict[str, str] | None = None) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.pax_headers = kind, size, pax or {}
    return info.tobuf(tarfile.PAX_FORMAT if pax else tarfile.USTAR_FORMAT)


TARS = {
    "a name of gigabytes": (packed(entry("x", tarfile.GNUTYPE_LONGNAME, 3 << 30)), "a header is too long"),
    "headers of gigabytes": (packed(entry("x", tarfile.XHDTYPE, 3 << 30)), "a header is too long"),
    "holes without end": (packed(entry("x", tarfile.GNUTYPE_SPARSE)), "a header is too long"),
    "a map of holes without end": (
        packed(entry("x", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"})),
        "a header is too long",
    ),
    "entries without end": (packed(*(entry(f"f{i}") for i in range(30))), "it has more than 20 files"),
}


@pytest.mark.parametrize(("raw", "says"), TARS.values(), ids=list(TARS))
def test_an_archive_that_would_fill_the_memory_is_one_line(
    raw: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "MOST", 20)
    (tmp_path / "a.tar.gz").write_bytes(raw)
    with pytest.raises(TextganError, match=rf"a\.tar\.gz cannot be read: .*{says}.*; get it again$"):
        place.place_of(tmp_path / "a.tar.gz")


def test_an_array_whose_header_would_fill_the_memory_is_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 20) + b" " * (1 << 20))
    with pytest.raises(TextganError, match="a header that is too long; get it again"):
        open_pictures("cifar10", PictureSettings(32, 3), data=str(tmp_path / "a.npz"), cache=tmp_path, processes=1)


def test_cells_within_cells_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    io_of = pytest.importorskip("scipy.io")
    kinds = [("X", (32, 32, 3, 2), "cell"), ("y", (2, 1), "uint8")]
    for name in mat.FILES:
        io_of.savemat(tmp_path / name, {"X": np.zeros((4, 4, 3, 2), "u1"), "y": np.ones((2, 1), "u1")})
    whosmat = mat._io().whosmat
    assert [kind for _, _, kind in whosmat(tmp_path / mat.FILES[0])] == ["uint8", "uint8"]
    monkeypatch.setattr(mat, "_io", lambda: type("io", (), {"whosmat": staticmethod(lambda path: kinds)}))
    with pytest.raises(TextganError, match="is damaged, or no file of SVHN: X is cell and y uint8"):
        next(mat._blocks(place.place_of(tmp_path), mat.FILES[0]))
    kinds[:] = [("X", (32, 32, 3, 2), "uint8"), ("y", (1 << 40, 1), "double")]
    with pytest.raises(TextganError, match="X has 6,144 values and y 1,099,511,627,776"):
        next(mat._blocks(place.place_of(tmp_path), mat.FILES[0]))


# --- no code --------------------------------------------------------------------------------------------------------

NEVER = re.compile(
    r"(?<![\w.])(eval|exec|compile|__import__)\("
    r"|^\s*(import|from) (pickle|cPickle|dill|marshal|shelve|yaml|code|joblib)\b"
    r"|shell=True|allow_pickle=True|trust_remote_code=True|os\.(system|popen)\(|\.extractall\("
    r"|np\.load\((?!.*allow_pickle=False)|\b(json|tomllib)\.load\(",
    re.MULTILINE,
)  # fmt: skip
PARSERS = {
    "textgan.bounded": "the one place",
    "textgan.corpora.text.tables": "records of a corpus, a bounded line each",
    "textgan.corpora.cards": "cards that come with textgan",
    "textgan.sweep.results": "settings that this process made",
    "textgan.bench.startup": "what its own process prints",
    "textgan.bench.plain_startup": "what its own process prints",
    "textgan.training.distributed": "what the processes of one run tell each other, who trust each other",
}


def test_nothing_that_is_read_is_run_and_all_is_parsed_in_one_place() -> None:
    sources = {module: path.read_text(encoding="utf-8") for module, path in FILES.items()}
    assert not {module: found[0] for module, text in sources.items() if (found := NEVER.search(text))}
    assert {m for m, text in sources.items() if re.search(r"\b(json|tomllib)\.loads\(", text)} == PARSERS.keys()
