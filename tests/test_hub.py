"""Text of the hub: against a stand-in on the loopback, in a process of its own since the libraries read HF_ENDPOINT
when they are imported; and the cache of it, with the libraries replaced."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_standin import Hub, commit, serve

from textgan.corpora import hub_access
from textgan.corpora.cards import card
from textgan.corpora.text import billion_word, hub, hub_library
from textgan.corpora.text.hub_library import Batch, Wanted
from textgan.corpora.text.sources import Damage, Shard
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError, UsageError

ROOT = Path(__file__).parents[1]

ASKED_IN_ONE_PROCESS = """
import json, sys, time
from pathlib import Path
from textgan.corpora.cards import card
from textgan.corpora.text import billion_word, hub
from textgan.corpora.text.sources import Damage
from textgan.corpora.text.wire import loaded
from textgan.errors import TextganError

def lines(side):
    return [b"".join(map(loaded, shard.read(Damage("strict")))).decode() for shard in side]

def ask(name, told, column="", label_column="", max_lines=10**6):
    cache = Path(sys.argv[1])
    if name == "billion_word":
        return billion_word.source(card(name), data="", cache=cache, max_lines=max_lines, tell=told.append)
    columns = {"column": column, "label_column": label_column}
    return hub.source(name, **columns, cache=cache, max_lines=max_lines, tell=told.append)

for name, options in json.loads(sys.argv[2]):
    told, answer, began = [], {}, time.time()
    try:
        source = ask(name, told, **options)
        answer = {"train": lines(source.training), "heldout": lines(source.heldout), "split": source.split,
                  "labelled": source.labelled, "title": source.title}
    except TextganError as error:
        answer = {"error": str(error), "code": error.exit_code}
    print(json.dumps(answer | {"told": told, "seconds": time.time() - began}))
"""


def write(path: Path, **columns: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def with_classes(path: Path) -> None:
    """A file of text and of classes kept as numbers, as the hub's own files describe them."""
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "kind": {"names": ["name", "surname"], "_type": "ClassLabel"},
    }
    table = pa.table({"text": ["Ann", "Bell", "?", "two\nlines"], "kind": pa.array([0, 1, -1, 1], pa.int64())})
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(about), path)


def repositories(root: Path) -> Hub:
    for i in range(3):
        write(root / f"plain/data/train-{i:05}-of-00003.parquet", text=[f"line {i} {j}" for j in range(5)])
    write(root / "plain/data/test-00000-of-00001.parquet", text=["held 0", "held 1"])
    write(
        root / "odd/train.parquet", body=["a\nb\r\nc", None, "nul \0", "tab\there", "", "last\n"], n=[1, 2, 3, 4, 5, 6]
    )
    with_classes(root / "classes/data/train-00000-of-00001.parquet")
    write(root / "two/train.parquet", first=["a"], second=["b"])
    for language in ("de", "en"):
        write(root / f"languages/{language}/train.parquet", text=[f"{language} text"])
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/*.parquet\n" for name in ("de", "en"))
    (root / "languages/README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    write(root / "gated/train.parquet", text=["a"])
    write(root / "broken/train.parquet", text=[f"line {i}" for i in range(1000)])
    content = (root / "broken/train.parquet").read_bytes()
    (root / "broken/train.parquet").write_bytes(content[:50] + bytes(len(content) - 200) + content[-150:])
    (root / "empty").mkdir()
    (root / "empty/notes.bin").write_bytes(b"x")
    (root / "script").mkdir()
    (root / "script/script.py").write_text("raise SystemExit")
    for side, shards in BILLION_WORD.items():
        for i, lines in enumerate(shards):
            write(root / f"mirror/plain_text/{side}/{i:04}.parquet", text=lines)
    repos = {f"o/{path.name}": {"main": path} for path in root.iterdir()}
    repos["billion-word-benchmark/lm1b"] = {"refs/convert/parquet": root / "mirror"}
    return Hub(repos, gated={"o/gated"})


QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("hf:o/plain", {}),
    "again": ("hf:o/plain", {}),
    "first seven": ("hf:o/plain@default:text", {"max_lines": 7}),
    "odd": ("hf:o/odd", {"column": "body"}),
    "the only text": ("hf:o/odd", {}),
    "classes": ("hf:o/classes", {"label_column": "kind"}),
    "numbers as labels": ("hf:o/odd:body", {"label_column": "n"}),
    "two columns": ("hf:o/two", {}),
    "no such column": ("hf:o/two:frist", {}),
    "no such label": ("hf:o/plain", {"label_column": "kind"}),
    "a column of numbers": ("hf:o/odd:n", {}),
    "language": ("hf:o/languages@de", {}),
    "no language": ("hf:o/languages", {}),
    "other language": ("hf:o/languages@fr", {}),
    "gated": ("hf:o/gated", {}),
    "absent": ("hf:o/absent", {}),
    "broken": ("hf:o/broken", {}),
    "empty": ("hf:o/empty", {}),
    "script": ("hf:o/script", {}),
    "mirror": ("billion_word", {}),
}


BILLION_WORD = {
    "train": [[f"training line {i} {j} é" for j in range(40)] for i in range(4)],
    "test": [[f"held-out line {i} {j}" for j in range(9)] for i in range(3)],
}


class Answers(NamedTuple):
    """What a process said to each question, and how the hub and the cache were left."""

    answers: dict[str, Any]
    stderr: str
    hub: Hub
    cache: Path
    asked: list[str]


def ask(hub_: Hub, cache: Path, questions: dict[str, tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], str]:
    """Put questions to the real libraries, which talk to the stand-in."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environ |= {"HF_ENDPOINT": hub_.endpoint, "HF_HOME": str(cache / "hf"), "PYTHONPATH": str(ROOT), "NO_PROXY": "*"}
    command = [sys.executable, "-c", ASKED_IN_ONE_PROCESS, str(cache), json.dumps(list(questions.values()))]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(zip(questions, map(json.loads, done.stdout.splitlines()), strict=True)), done.stderr


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    pytest.importorskip("datasets")
    root = tmp_path_factory.mktemp("hub")
    cache = tmp_path_factory.mktemp("cache")
    with serve(repositories(root)) as hub_:
        answers, stderr = ask(hub_, cache, QUESTIONS)
    return Answers(answers, stderr, hub_, cache, hub_.asked)


PLAIN = ["".join(f"line {i} {j}\n" for j in range(5)) for i in range(3)]


def test_splits_are_streamed_into_a_file_a_shard(online: Answers) -> None:
    answer = online.answers["plain"]
    assert answer["train"] == PLAIN
    assert answer["heldout"] == ["held 0\nheld 1\n"]
    assert (answer["split"], answer["labelled"], answer["title"]) == ("official", False, "o/plain (Hugging Face Hub)")
    assert [line.partition("fetching ")[2] for line in answer["told"]] == [
        *(f"shard {i} of 3 of the split train" for i in (1, 2, 3)), "shard 1 of 1 of the split test"
    ]  # fmt: skip
    (folder,) = {path.parent for path in (online.cache / "text").rglob("train-00002.all-5.txt")}
    at = commit(online.hub.repos["o/plain"]["main"])
    assert folder.name.endswith(f"-{at[:12]}")
    assert json.loads((folder / "about.json").read_text())["commit"] == at


def test_nothing_is_fetched_twice(online: Answers) -> None:
    assert online.answers["again"] == online.answers["plain"] | {
        "told": [],
        "seconds": online.answers["again"]["seconds"],
    }


def test_no_more_is_fetched_than_wanted(online: Answers) -> None:
    assert online.answers["first seven"]["train"] == [PLAIN[0], "line 1 0\nline 1 1\n"]
    assert online.answers["first seven"]["heldout"] == ["held 0\nheld 1\n"]


def test_lines_of_a_text_are_lines_and_rows_without_text_are_told(online: Answers) -> None:
    answer = online.answers["odd"]
    assert answer["train"] == ["a\nb\r\nc\ntab\there\n\nlast\n\n"]
    assert (answer["heldout"], answer["split"]) == ([], "hash of the line")
    assert answer["told"][-1] == "o/odd: 2 rows of shard 1 hold no usable text; left out"
    assert online.answers["the only text"]["train"] == answer["train"]


def test_labels_stand_before_a_tab(online: Answers) -> None:
    answer = online.answers["classes"]
    assert answer["train"] == ["name\tAnn\nsurname\tBell\nsurname\ttwo\nsurname\tlines\n"]
    assert answer["labelled"]
    assert "1 rows of shard 1" in answer["told"][-1]
    assert online.answers["numbers as labels"]["train"][0].startswith("1\ta\n1\tb\r\n1\tc\n4\ttab\there\n5\t\n")


@pytest.mark.parametrize(
    ("question", "code", "says"),
    [
        ("two columns", 2, "which column is the text? name it as hf:o/two:COLUMN; it has first, second"),
        ("no such column", 2, "o/two has no column 'frist'; did you mean 'first'?"),
        ("no such label", 2, "o/plain has no column 'kind'; known: text"),
        ("no language", 2, "o/languages has several configurations, de, en; name one as hf:o/languages@NAME"),
        ("other language", 2, "o/languages has no configuration 'fr'; known: de, en"),
        ("gated", 1, "o/gated cannot be read: it is gated: accept its terms"),
        ("absent", 1, "o/absent cannot be read: the hub has no such data set, or it is private"),
        ("broken", 1, "o/broken cannot be read: "),
        ("empty", 1, "o/empty cannot be read: it holds no data files"),
        ("script", 1, "o/script cannot be read: RuntimeError: Dataset scripts are no longer supported"),
        ("a column of numbers", 2, "column 'n' of o/odd holds no text"),
    ],
)
def test_what_is_wrong_is_one_line(online: Answers, question: str, code: int, says: str) -> None:
    answer = online.answers[question]
    assert answer.get("code") == code, answer
    assert says in answer["error"]
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 300


def test_the_libraries_say_nothing(online: Answers) -> None:
    assert online.stderr == ""


def test_nothing_half_written_is_left(online: Answers) -> None:
    left = [path.name for path in (online.cache / "text").rglob("*") if path.name.endswith((".part", ".tmp"))]
    assert left == []


def test_one_language_of_several(online: Answers) -> None:
    assert online.answers["language"]["train"] == ["de text\n"]


def test_the_second_mirror_is_taken_aloud_where_the_first_is_not_there(online: Answers) -> None:
    answer = online.answers["mirror"]
    assert answer["split"] == "official"
    assert "dvruette/lm1b cannot be read: the hub has no such data set" in answer["told"][0]
    assert "from billion-word-benchmark/lm1b on the hub, commit" in answer["told"][-1]


def test_without_the_hub_the_cache_is_used(online: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told: list[str] = []
    source = hub.source("hf:o/plain", column="", label_column="", cache=online.cache, max_lines=9, tell=told.append)
    assert [b"".join(map(loaded, s.read(Damage("strict")))).decode() for s in source.training] == PLAIN[:2]
    assert told == ["o/plain: HF_HUB_OFFLINE is set; taking its text from the cache"]
    with pytest.raises(TextganError, match=r"o/plain: HF_HUB_OFFLINE is set, and none of its text is in the cache"):
        hub.source("hf:o/plain:body", column="", label_column="", cache=online.cache, max_lines=9, tell=told.append)
    with pytest.raises(TextganError, match="holds its text in part; go online"):
        hub.fetch("o/plain", config="default", column="text", cache=online.cache, max_lines=8, tell=told.append)


def official(root: Path) -> Path:
    """Write the shards in the official layout, with the decoy."""
    names = {"train": "news.en-{:05}-of-00100", "test": "news.en.heldout-{:05}-of-00050"}
    for (side, shards), folder in zip(BILLION_WORD.items(), billion_word.FOLDERS, strict=True):
        (root / folder).mkdir(parents=True)
        for i, lines in enumerate(shards, side == "train"):
            (root / folder / names[side].format(i)).write_text("".join(f"{line}\n" for line in lines))
    (root / billion_word.FOLDERS[1] / "news.en-00000-of-00100").write_text("decoy\n" * 50)
    return root


def test_folder_archive_and_hub_give_the_same_lines_in_the_same_order(online: Answers, tmp_path: Path) -> None:
    folder = official(tmp_path / "r13output")
    with tarfile.open(tmp_path / "r13.tar.gz", "w:gz") as tar:
        for path in sorted(folder.rglob("news*"), key=lambda path: path.name[::-1]):
            tar.add(path, path.relative_to(tmp_path).as_posix())
    answer = online.answers["mirror"]
    found = {"hub": ["".join(answer[side]) for side in ("train", "heldout")]}
    for data in ("r13output", "r13.tar.gz"):
        place = str(tmp_path / data)
        source = billion_word.source(card("billion_word"), data=place, cache=tmp_path, max_lines=10**6, tell=print)
        found[data] = [_joined(source.training), _joined(source.heldout)]
    expected = ["".join(f"{line}\n" for shard in shards for line in shard) for shards in BILLION_WORD.values()]
    assert found == dict.fromkeys(found, expected)
    assert answer["split"] == source.split == "official"


def _joined(side: tuple[Shard, ...]) -> str:
    return b"".join(block for shard in side for block in map(loaded, shard.read(Damage("strict")))).decode()


# --- the probe ----------------------------------------------------------------------------------------------------


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the hub be asked, at an endpoint."""
    for name in hub_access.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return lambda endpoint: monkeypatch.setenv("HF_ENDPOINT", endpoint)


@pytest.mark.parametrize("name", hub_access.OFFLINE)
@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_is_honoured_at_once(
    monkeypatch: pytest.MonkeyPatch, allowed: Callable[[str], None], name: str, value: str, offline: bool
) -> None:
    monkeypatch.setattr(hub_access, "_answers", lambda endpoint: True)
    monkeypatch.setenv(name, value)
    assert hub_access.why_offline() == (f"{name} is set" if offline else "")


def test_a_hub_that_answers_anything_is_there(allowed: Callable[[str], None]) -> None:
    with serve(Hub({})) as hub_:  # it answers 404
        allowed(hub_.endpoint)
        assert hub_access.why_offline() == ""


@pytest.mark.parametrize("kind", ["closed", "silent", "nonsense", "no scheme"])
def test_a_hub_that_is_not_there_is_told_within_the_patience(
    monkeypatch: pytest.MonkeyPatch, allowed: Callable[[str], None], kind: str
) -> None:
    monkeypatch.setattr(hub_access, "PATIENCE", 0.3)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if kind == "silent":
            listening.listen()
        port = listening.getsockname()[1]
        endpoint = {"nonsense": "http://[", "no scheme": "hub"}.get(kind, f"http://127.0.0.1:{port}")
        allowed(endpoint)
        began = time.monotonic()
        assert hub_access.why_offline() == f"the hub ({endpoint}) cannot be reached"
        assert time.monotonic() - began < 1.5


def test_a_name_that_is_looked_up_for_ever_is_told_within_the_patience(
    monkeypatch: pytest.MonkeyPatch, allowed: Callable[[str], None]
) -> None:
    monkeypatch.setattr(hub_access, "PATIENCE", 0.2)
    monkeypatch.setattr(hub_access, "_answers", lambda endpoint: time.sleep(5))
    allowed("http://127.0.0.1:9")
    began = time.monotonic()
    assert "cannot be reached" in hub_access.why_offline()
    assert time.monotonic() - began < 1


# --- the cache, with the libraries replaced -----------------------------------------------------------------------


class Split(NamedTuple):
    """A split of so many shards."""

    num_shards: int


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A hub whose commit, failures and log are in the test's hands: three shards of four lines."""
    state: dict[str, Any] = {"commit": "a" * 40, "fail": None, "read": []}

    def batches(wanted: Wanted, column: str, rows: Split, number: int, of: int) -> Iterator[Batch]:
        state["read"].append(number)
        yield Batch([f"{number} {i}\n" for i in range(3)] + ["\n"], 0)
        if state["fail"] == number:
            raise TextganError("o/r cannot be read: the line is dead")
        yield Batch([f"{number} last\n"], 0)

    monkeypatch.setattr(hub_access, "why_offline", lambda: "")
    monkeypatch.setattr(hub_access, "commit", lambda repo, revision: state["commit"])
    monkeypatch.setattr(hub_library, "load", lambda wanted, at: {"train": Split(3)})
    monkeypatch.setattr(hub_library, "text_column", lambda wanted, rows: "text")
    monkeypatch.setattr(hub_library, "batches", batches)
    return state


def fetch(cache: Path, max_lines: int = 100, **options: Any) -> list[str]:
    files = hub.fetch("o/r", config="", column="", cache=cache, max_lines=max_lines, tell=lambda line: None, **options)
    return [path.read_text() for path in files]


def test_a_fetch_that_breaks_keeps_what_was_whole(tmp_path: Path, library: dict[str, Any]) -> None:
    library["fail"] = 1
    with pytest.raises(TextganError, match="the line is dead"):
        fetch(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "about.json",
        "train-00000.all-4.txt",
    ]
    library["fail"] = None
    assert fetch(tmp_path) == [f"{i} 0\n{i} 1\n{i} 2\n\n{i} last\n" for i in range(3)]
    assert library["read"] == [0, 1, 1, 2]
    assert len(fetch(tmp_path)) == 3
    assert library["read"] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("most", "shards", "last"), [(1, 1, "0 0\n"), (4, 1, "0 0\n0 1\n0 2\n\n0 last\n"), (5, 2, "1 0\n"), (99, 3, None)]
)
def test_blank_lines_do_not_count(
    tmp_path: Path, library: dict[str, Any], most: int, shards: int, last: str | None
) -> None:
    texts = fetch(tmp_path, most)
    assert len(texts) == shards
    assert texts[-1] == (last or "2 0\n2 1\n2 2\n\n2 last\n")
    assert fetch(tmp_path, most) == texts
    assert library["read"] == list(range(shards))


def test_what_was_cut_is_fetched_again_where_more_is_wanted(tmp_path: Path, library: dict[str, Any]) -> None:
    fetch(tmp_path, 2)
    assert fetch(tmp_path, 3) == ["0 0\n0 1\n0 2\n"]
    assert len(fetch(tmp_path)) == 3
    assert fetch(tmp_path, 2)[0].count("\n") == 5  # the whole shard does, too


def test_a_new_commit_is_fetched_anew_and_the_newest_is_used_offline(
    tmp_path: Path, library: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tmp_path, 2)
    library["commit"] = "b" * 40
    fetch(tmp_path, 1)
    assert library["read"] == [0, 0]
    monkeypatch.setattr(hub_access, "why_offline", lambda: "no network")
    assert fetch(tmp_path, 1) == ["0 0\n"]
    with pytest.raises(hub.OfflineError, match="in part"):
        fetch(tmp_path, 2)


def test_a_full_disk_is_one_line(tmp_path: Path, library: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "_write", full)
    with pytest.raises(TextganError, match=r"cannot write to the cache .*No space left"):
        fetch(tmp_path)


def test_a_split_that_is_not_there_is_a_usage_error(tmp_path: Path, library: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no split 'tran'; did you mean 'train'"):
        fetch(tmp_path, split="tran")


def test_a_damaged_about_is_made_again(tmp_path: Path, library: dict[str, Any]) -> None:
    fetch(tmp_path)
    (about,) = tmp_path.rglob("about.json")
    about.write_text("{")
    assert len(fetch(tmp_path)) == 3
    assert json.loads(about.read_text())["splits"] == {"train": 3}


@pytest.mark.parametrize(
    ("splits", "training", "heldout"),
    [
        (["train", "test", "validation"], "train", "test"),
        (["validation", "train"], "train", "validation"),
        (["train"], "train", None),
        (["test"], "test", None),
        (["en", "test"], "en", "test"),
        (["a", "b"], "a", None),
    ],
)
def test_sides(
    tmp_path: Path,
    library: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    splits: list[str],
    training: str,
    heldout: str | None,
) -> None:
    monkeypatch.setattr(hub_library, "load", lambda wanted, at: dict.fromkeys(splits, Split(3)))
    sides = hub.open_text(Wanted("o/r"), "", cache=tmp_path, tell=print).sides(2)
    found = [[path.name for path in side] for side in sides]
    room = f"{training}-00000.first-2.txt" if heldout else f"{training}-00000.all-4.txt"  # for what the hash holds out
    assert found == [[room], [f"{heldout}-00000.first-2.txt"] if heldout else []]


@pytest.mark.parametrize("name", ["hf:", "hf:a/b/c", "hf:a b", "hf:o/r@", "hf:o/r:", "hf:../etc"])
def test_a_name_of_another_form_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        hub.source(name, column="", label_column="", cache=tmp_path, max_lines=1, tell=print)


def test_two_different_columns_are_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave one of them out"):
        hub.source("hf:o/r:a", column="b", label_column="", cache=tmp_path, max_lines=1, tell=print)


def test_two_that_fetch_one_shard_do_not_mix_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes while the first has written, and wants more lines."""
    lines = [f"line {i}\n" for i in range(9)]
    monkeypatch.setattr(hub_library, "batches", lambda *_: iter([Batch(lines, unusable=1)]))

    def text(tell: Callable[[str], None]) -> hub.Text:
        found = hub.Text(Wanted("o/x"), tmp_path, tmp_path / "hub", tell, commit="c")
        found.__dict__ |= {"_splits": {"train": None}, "about": hub.About(1, "o/x", "c", "text", {"train": 1})}
        return found

    def meanwhile(told: str) -> None:
        if "left out" in told:
            (whole,) = text(lambda line: None).fetch("train", 100)
            assert whole.name == "train-00000.all-9.txt"

    (part,) = text(meanwhile).fetch("train", 3)
    assert part.name == "train-00000.first-3.txt"
    assert part.read_text().splitlines(keepends=True) == lines[:3]
    assert (tmp_path / "hub" / "train-00000.all-9.txt").read_text().splitlines(keepends=True) == lines
