import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random

import click
import pytest

from textgan import model
from textgan.cli.main import COMMANDS, main
from textgan.resources import presets
from textgan.settings import resolve

OPTIONS = {
    "train": "--allow-changes --column --config --corpus --data --device --dry-run --json --label-column "
    "--labels-per-class --minutes --resume --run --seed --set --steps",
    "prepare": "--column --config --data --json --label-column --processes --set",
    "corpora": "--data --json --verify",
    "interpolate": "--around --from --json --label --model --out --radius --steps --temperature --to -n",
    "generate": "--by-label --json --label --model --out --seed --temperature -n",
    "report": "--compat --count --count-pads --data --encoder --fail-above --fail-below --html --json --max-chars "
    "--max-lines --metrics --n --pieces --reference --references --samples --seed --train",
    "methods": "--json",
    "compare": "--count --json --metrics --models --n --seed",
    "sweep": "--column --corpus --data --dry-run --jobs --json --label-column --out --retry --set",
    "bench": "--config --count --device --json --repeats --set --threads --widths",
    "show": "--config --describe --json --origin --set",
}
"""Options are a promise: one that goes, or changes its name, breaks somebody's script."""

SMOKE = ["-c", "smoke", "-s", "evaluation.samples=50"]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little text and a run on it."""
    folder = tmp_path_factory.mktemp("home")
    words, random = ["the", "a", "cat", "dog", "sat", "ran", "on", "mat", "blue", "home"], Random(1)
    text = "".join(" ".join(random.choices(words, k=4)) + "\n" for _ in range(300))
    (folder / "text.txt").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TEXTGAN_CACHE", str(folder / "cache"))
        assert main(["train", "--corpus", "text.txt", *SMOKE, "--run", "first"]) == 0
    return folder


@pytest.fixture
def textgan(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in that folder, and return its exit code, stdout and stderr."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("TEXTGAN_CACHE", str(home / "cache"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(arguments), *capfd.readouterr()

    return run


def start(*arguments: str, folder: Path, **options: int) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own."""
    environ = os.environ | {"TEXTGAN_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "textgan", *arguments], cwd=folder, env=environ,
        stdout=options.get("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
    )  # fmt: skip


# --- help and versions


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, time\n"
        "from textgan.cli.main import main\n"
        "main(['--help'])\n"
        "print(time.process_time(), *{'torch', 'numpy', 'pydantic', 'rich'} & sys.modules.keys())"
    )
    told = [subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1].split() for _ in range(5)]
    assert min(float(seconds) for seconds, *_ in told) < 0.15
    assert [loaded for _, *loaded in told] == [[]] * 5


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_the_table_says_and_imports_no_torch(name: str) -> None:
    code = f"import sys\nfrom textgan.cli.main import main\nmain(['{name}', '-h'])\nassert 'torch' not in sys.modules"
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told.startswith(f"Usage: textgan {name} ")


def test_the_options_are_those_promised() -> None:
    commands = {name: getattr(import_module(COMMANDS[name].module), name) for name in OPTIONS if name != "show"}
    commands["show"] = import_module(COMMANDS["config"].module).show
    for name, command in commands.items():
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert " ".join(sorted(option.opts[-1] for option in options)) == OPTIONS[name]
        assert all(option.help for option in options)


def test_the_help_of_c_names_every_preset(textgan: Command) -> None:
    told = " ".join(textgan("train", "--help")[1].split())
    listed = told[told.index("a preset (") :].partition("(")[2].partition(")")[0]
    assert sorted(re.split("(?:,|; of pictures) ", listed)) == list(
        dict.fromkeys(name if "/" not in name else f"{name.partition('/')[0]}/*" for name in presets())
    )


def test_version(textgan: Command) -> None:
    code, out, _ = textgan("--version")
    assert (code, out.split()[0]) == (0, "textgan")


def test_without_a_command_the_help_goes_to_stderr(textgan: Command) -> None:
    code, out, err = textgan()
    assert (code, out) == (2, "")
    assert "Commands:" in err


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["trian"], 2, "no such command 'trian'; did you mean 'train'?"),
        (["train", "--stepz", "3"], 2, "--steps"),
        (["train", "--steps", "many"], 2, "'many' is not a valid integer"),
        (["train", "--steps", "0"], 2, "training.steps = 0 (flag)"),
        (["train", "-c", "quik"], 2, "did you mean 'quick'?"),
        (["train", "-s", "text.lenght=3"], 2, "did you mean 'length'?"),
        (["train", "-c", "smoke", "-s", "critic.net=pape", "--corpus", "text.txt"], 2, "did you mean 'paper'?"),
        (["train", "--corpus", ""], 2, "unknown corpus ''"),
        (["generate", "-m", "a\x1b[2J"], 1, r"a\x1b[2J does not exist"),
        (["train", "--corpus", "python_doc"], 2, "did you mean 'python_docs'?"),
        (["train", "--corpus", "text.txt", *SMOKE, "--run", "first"], 2, "already holds a run"),
        (["train", "--resume", "--seed", "1"], 2, "training.seed 0 -> 1"),
        (["generate", "-n", "-1"], 2, "-n"),
        (["generate", "--temperature", "0"], 2, "--temperature"),
        (["generate", "-m", "nowhere"], 1, "nowhere does not exist"),
        (["generate", "-m", "text.txt"], 1, "no trained model"),
        (["generate", "--out", "nowhere/lines.txt"], 1, "nowhere/lines.txt"),
        (["config", "show", "-c", "text.txt"], 2, "text.txt is no TOML file"),
        (["config", "shw"], 2, "show"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(textgan: Command, arguments: list[str], code: int, told: str) -> None:
    found, out, err = textgan(*arguments)
    assert (found, out) == (code, "")
    *before, last = err.splitlines()
    assert last.startswith("textgan: error: ")
    assert told in last
    assert not any("Traceback" in line for line in before)


def test_generate_before_any_run_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, textgan: Command) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = textgan("generate")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "textgan train" in err
    assert textgan("train", "--resume")[0] == 2


def test_a_flipped_bit_in_the_model_is_exit_5(textgan: Command, home: Path) -> None:
    weights = home / "runs/first/model/model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    code, out, err = textgan("generate", "-m", "runs/first")
    weights.write_bytes(whole)
    assert (code, out, err.count("\n")) == (5, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("config", "show", folder=tmp_path, stdout=full.fileno())
        err = process.communicate()[1].decode()
    assert (process.returncode, err.count("\n")) == (1, 1)
    assert "the disk is full" in err


def test_a_reader_that_leaves_ends_the_command_quietly(home: Path) -> None:
    with start("generate", "-n", "1000000", "-m", "runs/first", folder=home) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode != 0


def test_ctrl_c_is_exit_130_without_a_traceback(home: Path) -> None:
    with start("generate", "-n", "1000000000", "-m", "runs/first", folder=home) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert (process.returncode, err.strip()) == (130, b"")


# --- config show


def test_what_config_show_prints_can_be_given_back(textgan: Command, home: Path) -> None:
    override = 'corpus.name=a "b" \\ é \N{DELETE}'
    shown = textgan("config", "show", "-c", "relativistic", "-s", override, "--describe", "--origin")[1]
    (home / "mine.toml").write_text(shown, encoding="utf-8")
    assert resolve("mine.toml").config == resolve("relativistic", overrides=[override]).config
    assert "# Length of a sample. [symbols]\nlength = 32  # default" in shown
    assert 'penalties = { "r1" = 1.0, "r2" = 1.0 }  # preset relativistic' in shown
    assert (
        textgan("config", "show", "-c", "mine.toml")[1]
        == textgan("config", "show", "-c", "relativistic", "-s", override)[1]
    )


def test_config_show_as_json(textgan: Command) -> None:
    told = json.loads(textgan("config", "show", "--json", "-s", "text.length=9")[1])
    assert told == {"schema": 1, "config": resolve(overrides=["text.length=9"]).config.model_dump(mode="json")}
    told = json.loads(textgan("config", "show", "--json", "--origin", "--describe", "-s", "text.length=9")[1])
    assert told["origin"]["text.length"] == "-s"
    assert told["fields"]["text.length"] == {"text": "Length of a sample.", "unit": "symbols"}


def test_the_corpus_chooses_the_preset_wherever_it_is_named(textgan: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["-s", "corpus.name=billion_word"]
    assert tomllib.loads(textgan("config", "show")[1])["preset"] == "quick"
    assert tomllib.loads(textgan("config", "show", *named)[1])["preset"] == "wgan_gp"
    assert tomllib.loads(textgan("config", "show", *named, "-c", "quick")[1])["preset"] == "quick"
    monkeypatch.setenv("TEXTGAN_CORPUS__NAME", "billion_word")
    assert tomllib.loads(textgan("config", "show")[1])["preset"] == "wgan_gp"


# --- generate


@pytest.mark.parametrize("count", [0, 1, 63, 65, 300])
def test_generate_prints_exactly_so_many_lines_and_the_first_are_always_the_same(textgan: Command, count: int) -> None:
    code, out, err = textgan("generate", "-n", str(count))
    assert (code, out.count("\n"), err) == (0, count, "")
    assert textgan("generate", "-n", "400")[1].startswith(out)


def test_a_seed_and_a_temperature_change_the_lines(textgan: Command) -> None:
    plain = textgan("generate", "-n", "50")[1]
    assert textgan("generate", "-n", "50", "--seed", "0")[1] == plain
    assert textgan("generate", "-n", "50", "--seed", "1")[1] != plain
    assert textgan("generate", "-n", "50", "--temperature", "0.5")[1] != plain


def test_generate_by_label(textgan: Command, tmp_path: Path) -> None:
    plain = model.load("runs/first")
    space, facts = replace(plain.space, labels=("cat", "dog")), deepcopy(plain.facts)
    facts["corpus"]["facts"]["labels"] = {"cat": 3, "dog": 1}
    net = model.build_generator(plain.config, space)
    trained = replace(plain, net=net, space=space, facts=facts)
    trained.save(tmp_path / "m")
    at = ("generate", "-m", str(tmp_path / "m"), "-n", "9")
    assert textgan(*at, "--label", "dog")[1].splitlines() == trained.generate(9, label="dog")
    told = json.loads(textgan(*at, "--json")[1])
    assert (told["samples"], told["labels"]) == (trained.generate(9), trained.labels(9))
    assert set(told["labels"]) == {"cat", "dog"}
    assert json.loads(textgan(*at, "--json", "--label", "dog")[1])["labels"] == ["dog"] * 9
    code, out, err = textgan(*at, "--label", "dogs")
    assert (code, out, err) == (2, "", "textgan: error: this model knows no label 'dogs'; did you mean 'dog'?\n")
    code, out, err = textgan("generate", "-m", "runs/first", "--label", "dog", "--out", str(tmp_path / "lines"))
    assert (code, out, err) == (2, "", "textgan: error: this model was trained without labels; leave 'dog' out\n")
    assert not (tmp_path / "lines").exists()


def test_generate_to_a_file_and_as_json(textgan: Command, home: Path) -> None:
    plain = textgan("generate", "-n", "5", "--seed", "3", "-m", "runs/first")[1]
    assert textgan("generate", "-n", "5", "--seed", "3", "-m", "runs/first/model", "--out", "lines.txt") == (0, "", "")
    assert (home / "lines.txt").read_text() == plain
    told = json.loads(textgan("generate", "-n", "5", "--seed", "3", "--json")[1])
    assert told == {"schema": 1, "model": "runs/first", "n": 5, "seed": 3, "samples": plain.split("\n")[:-1]}


# --- train


def test_a_dry_run_counts_and_leaves_nothing(textgan: Command, home: Path) -> None:
    before = sorted(home.rglob("runs/*"))
    told = json.loads(textgan("train", "--corpus", "text.txt", *SMOKE, "--dry-run", "--json")[1])
    assert told["schema"] == 1
    assert told["generator_parameters"] > 0
    assert told["critic_parameters"] > 0
    assert {"fingerprint", "train", "heldout", "symbols"} <= told["corpus"].keys()
    assert told["corpus"]["train"] + told["corpus"]["heldout"] == 300
    assert "generator" in textgan("train", "--corpus", "text.txt", *SMOKE, "--dry-run")[1]
    assert sorted(home.rglob("runs/*")) == before


def test_train_resumes_with_the_settings_of_the_run(textgan: Command) -> None:
    code, out, err = textgan("train", "--run", "first", "--resume", "--json")
    assert (code, json.loads(out)["stopped"]) == (0, "already finished")
    code, out, err = textgan("train", "--run", "first", "--resume", "--steps", "25", "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["run"], told["step"], told["stopped"]) == (0, 1, "runs/first", 25, "finished")
    assert told["metrics"]["jsd"].keys() == set("123456")
    assert "JSD-4" in err


def test_resume_without_a_name_takes_the_run_that_was_started_last(
    textgan: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, age in (("a", 30), ("b", 10), ("c", 20)):
        config = resolve("smoke", flags={"corpus.name": str(home / "text.txt"), "training.steps": age}).config
        record = tmp_path / "runs" / name / "run.json"
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"schema": 1, "config": config.model_dump(mode="json")}))
        os.utime(record, (1000 - age, 1000 - age))
    assert json.loads(textgan("train", "--resume", "--dry-run", "--json")[1])["steps"] == 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_a_resumed_run_goes_on(
    textgan: Command, home: Path, number: signal.Signals, code: int
) -> None:
    run, long = number.name, ["--steps", "1000000", "--json"]
    with start("train", "--corpus", "text.txt", *SMOKE, *long, "--run", run, folder=home) as process:
        log = home / "runs" / run / "metrics.jsonl"
        deadline = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err.decode()
    told = json.loads(out)
    assert told["stopped"] == number.name

    resumed, text, _ = textgan("train", "--resume", "--run", run, *long, "--minutes", "0.001")
    assert (resumed, json.loads(text)["stopped"]) == (0, "minutes")
    assert json.loads(text)["step"] > told["step"]
