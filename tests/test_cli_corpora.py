"""`textgan corpora`, as a user calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from textgan.cli.main import main
from textgan.corpora import cards

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command with an empty cache, and return its exit code, stdout and stderr."""
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TEXTGAN_DATA", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(["corpora", *arguments]), *capfd.readouterr()

    return run


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    for i in (0, 1):
        (tmp_path / f"news.en.heldout-0000{i}-of-00050").write_text("a line\n" * 3)
    return tmp_path


def test_every_corpus_is_a_line(corpora: Command) -> None:
    code, out, err = corpora()
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == cards.names()
    assert re.search(r"^billion_word +text +to get +Google Billion Word", out, re.M)
    assert re.search(r"^cifar10 +image +to get +CIFAR-10", out, re.M)


def test_what_is_here_follows_the_flag_or_the_variable(
    corpora: Command, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"found at {shards} (2 files)" in corpora("--data", str(shards))[1]
    monkeypatch.setenv("TEXTGAN_DATA", str(shards))
    assert f"found at {shards} (2 files)" in corpora()[1]
    told = json.loads(corpora("--json")[1])
    assert told["schema"] == 1
    first = next(corpus for corpus in told["corpora"] if corpus["name"] == "billion_word")
    assert first.items() >= {"name": "billion_word", "kind": "text", "state": "found"}.items()
    assert str(shards) in first["where"]


def test_a_card_in_full(corpora: Command) -> None:
    code, out, err = corpora("billion_word")
    assert (code, err) == (0, "")
    for part in (
        "statmt.org",
        "1,792,209,805",
        "sha256:01ba6038",
        "30,301,028",
        "Chelba",
        "no licence stated",
        "--data",
    ):
        assert part in out
    told = json.loads(corpora("billion_word", "--json")[1])
    assert (told["schema"], told["name"], told["sizes"]["heldout_lines"]) == (1, "billion_word", 306_688)
    assert "-s text.length=16" in corpora("names")[1]


def test_verify_prints_every_comparison_and_fails_in_the_end(corpora: Command, shards: Path) -> None:
    code, out, err = corpora("billion_word", "--verify", "--data", str(shards))
    assert code == 1
    assert "heldout shards: 2 (WRONG, published is 50)" in out
    assert "of single shards no checksum is published" in out
    assert err.count("\n") == 1
    assert "is not what is published" in err
    code, out, err = corpora("billion_word", "--verify", "--data", str(shards), "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["corpus"]) == (1, 1, "billion_word")
    assert {check["good"] for check in told["checks"]} == {False}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["billion_wrod"], 2, "unknown corpus 'billion_wrod'; did you mean 'billion_word'?"),
        (["--verify"], 2, "--verify needs the name of a corpus"),
        (["names", "--verify"], 2, "names cannot be verified; billion_word can be"),
        (["billion_word", "--verify"], 1, "nothing is named; name what to verify with --data PATH"),
        (["billion_word", "--verify", "--data", "nowhere"], 1, "nowhere holds no shard of it"),
    ],
)
def test_a_mistake_is_one_line(corpora: Command, arguments: list[str], code: int, says: str) -> None:
    found, out, err = corpora(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert says in err


def test_neither_torch_nor_the_libraries_of_the_hub_are_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom textgan.cli.main import main\nmain(['corpora'])\n"
        "assert not {'torch', 'datasets', 'huggingface_hub'} & sys.modules.keys()"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "TEXTGAN_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, stdout=subprocess.DEVNULL)
