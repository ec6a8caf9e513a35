"""`textgan generate`, `interpolate` and `report` of models of pictures."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textgan import assemble
from textgan.cli import album
from textgan.cli.main import main
from textgan.cli.progress import Lines, Terminal
from textgan.config import Config
from textgan.corpora.matrix import Rows
from textgan.corpora.prepare import Corpus
from textgan.features.extractor import Extractor
from textgan.kinds import image
from textgan.model import Model, build_generator
from textgan.pixels import Pixels
from textgan.report.pictures import grid
from textgan.report.pictures import png as written
from textgan.report.preview import preview
from textgan.spaces import Image

pillow = pytest.importorskip("PIL.Image")
SIDE = 8
PLAIN, CLASSES = Image(SIDE, 3), Image(SIDE, 1, ("cat", "d/g", "owl"))
FACTS = {"title": "t", "split": "hash", "classes": ["cat", "d/g", "owl"], "labels": {"cat": 6, "d/g": 0, "owl": 2}}
Command = Callable[..., tuple[int, str, str]]


def new_model(space: Image = PLAIN) -> Model:
    torch.manual_seed(0)
    generator = {"net": "mlp", "width": 16, "blocks": 1, "latent": 6, "relaxation": "tanh"}
    config = Config.model_validate({"generator": generator, "evaluation": {"report_samples": 60}})
    made = build_generator(config, space).eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4)  # pictures that differ
    corpus = {"name": "tiny", "fingerprint": "ab", "train": 8, "facts": FACTS}
    return Model(made, space, config, {"step": 1, "corpus": corpus, "evaluation": None})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newest run, whose model is plain, and a conditional model."""
    folder = tmp_path_factory.mktemp("home")
    new_model().save(folder / "runs" / "one" / "model")
    (folder / "runs" / "one" / "run.json").write_text("{}")
    new_model(CLASSES).save(folder / "classes")
    return folder


@pytest.fixture
def textgan(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in that folder, and return its exit code, stdout and stderr."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(arguments), *capfd.readouterr()

    return run


def read(path: Path) -> Any:
    with pillow.open(path) as picture:
        return np.asarray(picture).reshape(*picture.size[::-1], -1)


# --- generate


def test_a_grid_holds_the_pictures_of_the_model(textgan: Command, tmp_path: Path) -> None:
    target = tmp_path / "grid.PNG"
    code, out, err = textgan("generate", "-n", "5", "--seed", "3", "--out", str(target))
    assert (code, out, err) == (0, "", f"5 pictures are in {target}\n")
    assert (read(target) == grid(new_model().generate(5, seed=3))).all()
    assert textgan("generate", "-n", "2", "--out", str(target))[0] == 0  # as a text file is replaced
    assert (read(target) == grid(new_model().generate(2))).all()
    assert [path.name for path in tmp_path.iterdir()] == ["grid.PNG"]


def test_an_archive_holds_arrays_and_classes(textgan: Command, tmp_path: Path) -> None:
    target = tmp_path / "p.npz"
    assert textgan("generate", "-n", "300", "--out", str(target))[0] == 0
    with np.load(target, allow_pickle=False) as found:
        assert list(found) == ["images"]
        assert (found["images"].dtype, found["images"].shape) == (np.uint8, (300, SIDE, SIDE, 3))
        assert (found["images"] == new_model().generate(300)).all()
    assert textgan("generate", "-m", "classes", "-n", "300", "--seed", "2", "--out", str(target))[0] == 0
    made = new_model(CLASSES)
    with np.load(target, allow_pickle=False) as found:
        assert list(found) == ["images", "labels", "classes"]
        assert found["classes"].tolist() == ["cat", "d/g", "owl"]
        assert found["classes"][found["labels"]].tolist() == made.labels(300, seed=2)
        assert (found["images"] == made.generate(300, seed=2)).all()
    assert textgan("generate", "-n", "0", "--out", str(target))[0] == 0
    with np.load(target, allow_pickle=False) as found:
        assert found["images"].shape == (0, SIDE, SIDE, 3)


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_folder_is_new_or_empty(slash: str, textgan: Command, tmp_path: Path) -> None:
    target = tmp_path / "there"
    if not slash:
        target.mkdir()
    assert textgan("generate", "-n", "3", "--out", f"{target}{slash}")[0] == 0
    assert sorted(path.name for path in target.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o777 & ~umask()
    for i, picture in enumerate(new_model().generate(3)):
        assert (read(target / f"00000{i}.png") == picture).all()
    code, out, err = textgan("generate", "-n", "1", "--seed", "9", "--out", str(target))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert f"{target} is not empty, and nothing in it is to be overwritten" in err
    assert (read(target / "000000.png") == new_model().generate(1)[0]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def umask() -> int:
    os.umask(now := os.umask(0))
    return now


def test_a_class_is_asked_for_by_its_name(textgan: Command, tmp_path: Path) -> None:
    made, target = new_model(CLASSES), tmp_path / "grid.png"
    assert textgan("generate", "-m", "classes", "-n", "4", "--label", "owl", "--out", str(target))[0] == 0
    assert (read(target) == grid(made.generate(4, label="owl"))).all()
    told = textgan("generate", "-m", "classes", "-n", "3", "--by-label", "--out", str(target), "--json")
    both = made.generate(3, label="cat") + made.generate(3, label="owl")  # no row of training was the other class
    assert (read(target) == grid(both, columns=3)).all()
    assert json.loads(told[1]) == {
        "schema": 1, "model": "classes", "n": 6, "seed": 0, "labels": ["cat"] * 3 + ["owl"] * 3, "files": [str(target)],
    }  # fmt: skip
    err = textgan("generate", "-m", "classes", "-n", "3", "--by-label", "--out", str(target))[2]
    assert err == f"6 pictures are in {target}\n3 of each, in this order: cat, owl\n"
    assert textgan("generate", "-n", "1", "--out", str(target))[2] == f"1 picture is in {target}\n"


def test_json_tells_the_files(textgan: Command, tmp_path: Path) -> None:
    code, out, err = textgan("generate", "-n", "2", "--json", "--out", f"{tmp_path}/p/")
    assert (code, err) == (0, "")
    files = [f"{tmp_path}/p/00000{i}.png" for i in range(2)]
    assert json.loads(out) == {"schema": 1, "model": "runs/one", "n": 2, "seed": 0, "files": files}


def test_without_a_file_what_fits_is_shown(textgan: Command) -> None:
    code, out, err = textgan("generate", "-n", "3")
    assert (code, out) == (0, preview(new_model().generate(3), 60, colours=False) + "\n")
    assert err.startswith("3 of 3 pictures; --out writes all of them: grid.png")
    code, out, err = textgan("generate")
    assert (code, out) == (0, preview(new_model().generate(18), 60, colours=False) + "\n")  # 3 rows of 5 lines
    assert err.startswith("18 of 100 pictures; ")
    code, out, err = textgan("generate", "-m", "classes", "-n", "2", "--by-label")
    rows = [f"{name}\n{preview(new_model(CLASSES).generate(2, label=name), 60, False)}\n" for name in ("cat", "owl")]
    assert (code, out) == (0, "".join(rows))
    assert textgan("generate", "-n", "0")[:2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--json", 2, "--json tells which files the pictures are in; name them with --out: grid.png"),
        (
            "--out x.jpg",
            2,
            "--out x.jpg: pictures go to grid.png (one picture of all), pictures.npz (arrays) or FOLDER/",
        ),
        ("--out new", 2, "--out new: pictures go to"),
        ("-n 0 --out x.png", 2, "a grid has pictures; ask for 1 or more with -n"),
        ("-n 4097 --out x.png", 2, "a grid of 4,097 pictures is too large to look at; up to 4,096 go into one"),
        ("--out nowhere/x.png", 1, "cannot write to nowhere/x.png: No such file or directory"),
        ("--out nowhere/x.npz", 1, "cannot write to nowhere/x.npz: No such file or directory"),
        ("--out nowhere/x/", 1, "cannot write to nowhere/x: No such file or directory"),
        ("--out taken/", 2, "taken is a file; name a new or empty folder"),
        ("--by-label", 2, "this model was trained without labels; leave --by-label out"),
        ("--label cat --out x.npz", 2, "this model was trained without labels; leave 'cat' out"),
        ("--label cat --by-label", 2, "--label names one class and --by-label takes all"),
        ("-m classes --label dog --out x/", 2, "this model knows no label 'dog'; known: cat, owl"),
        ("--temperature 1 --out x.npz", 2, "generates pictures of 8x8 pixels in colour, at no temperature"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_leaves_nothing(
    arguments: str, code: int, message: str, textgan: Command, home: Path
) -> None:
    (home / "taken").touch()
    before = sorted(home.iterdir())
    found, out, err = textgan("generate", *arguments.split())
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert sorted(home.iterdir()) == before


def test_a_folder_that_cannot_be_written_is_told(textgan: Command, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o500)
    for name in ("x.png", "x.npz", "x/"):
        code, out, err = textgan("generate", "-n", "2", "--out", f"{tmp_path}/{name}")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "Permission denied; free some space there, or name another place with --out" in err


def test_a_full_disk_leaves_the_file_as_it_was(textgan: Command, tmp_path: Path) -> None:
    target = tmp_path / "p.npz"
    assert textgan("generate", "-n", "2", "--out", str(target))[0] == 0
    before, limits = target.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        code, _, err = textgan("generate", "-n", "3000", "--out", str(target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, err.count("\n")) == (1, 1)
    assert "File too large; free some space there" in err
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_a_folder_that_fills_meanwhile_keeps_its_files(
    textgan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "there"

    def png(picture: Any) -> bytes:
        target.mkdir(exist_ok=True)
        (target / "mine").touch()
        return written(picture)

    monkeypatch.setattr(album, "png", png)
    code, _, err = textgan("generate", "-n", "2", "--out", f"{target}/")
    assert (code, err.count("\n")) == (1, 1)
    assert [path.name for path in target.iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_large_pictures_fill_a_grid_sooner(tmp_path: Path) -> None:
    def stream(count: int, label: str | None) -> Iterator[list[Any]]:
        raise AssertionError("nothing is drawn")

    large = album.Album(Pixels(1024, 3), stream, 65)
    with pytest.raises(Exception, match="a grid of 65 pictures is too large to look at; up to 64"):
        album.write(str(tmp_path / "x.png"), large)


# --- interpolate


def test_a_path_is_a_strip(textgan: Command, tmp_path: Path) -> None:
    target, made = tmp_path / "strip.png", new_model()
    code, out, err = textgan("interpolate", "--from", "2", "--to", "5", "--steps", "6", "--out", str(target))
    assert (code, out, err) == (0, "", f"6 pictures are in {target}\n")
    assert (read(target) == grid(made.interpolate(2, 5, steps=6), columns=6)).all()
    code, out, _ = textgan("interpolate", "--around", "4", "-n", "3", "--json", "--out", str(tmp_path / "a.npz"))
    where = {"around": 4, "radius": 0.3, "n": 3, "files": [str(tmp_path / "a.npz")]}
    assert (code, json.loads(out)) == (0, {"schema": 1, "model": "runs/one"} | where)
    with np.load(tmp_path / "a.npz") as found:
        assert (found["images"] == made.around(4, 3)).all()
    code, out, err = textgan("interpolate", "--steps", "2")
    assert (code, out) == (0, preview(made.interpolate(0, 1, steps=2), 60, colours=False) + "\n")
    assert err.startswith("2 of 2 pictures; ")
    code, out, _ = textgan("interpolate", "-m", "classes", "--json", "--out", str(tmp_path / "b.npz"))
    assert json.loads(out)["label"] in ("cat", "owl")


# --- report


def pixels(rows: Any) -> tuple[Any, Any]:
    """Features that are means of rows and columns, and a classifier of brightness."""
    values = np.asarray(rows, dtype=np.float64).mean(1)
    bright = values.mean((1, 2)) / 255
    return np.concatenate([values.mean(1), values.mean(2)], 1), np.stack([bright, 1 - bright], 1)


class Fake(Extractor):
    def __init__(self, name: str = "pixels-1") -> None:
        super().__init__(name, lambda rows: (rows, None), torch.device("cpu"), 64)

    def extract(self, rows: Any) -> tuple[Any, Any]:
        return pixels(rows)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, textgan: Command) -> Command:
    """The command, where the corpus of every run is some noise, and features are of pixels."""

    def corpus_of(model: Model) -> Corpus[Pixels]:
        space = model.space
        rows = np.random.default_rng(5).integers(256, size=(90, space.channels, SIDE, SIDE), dtype=np.uint8)
        train, heldout = (Rows(part, np.arange(len(part), dtype=np.uint32)) for part in (rows[:50], rows[50:]))
        return Corpus("tiny", "ab", Pixels(SIDE, space.channels), train, heldout, FACTS)

    monkeypatch.setattr(assemble, "corpus_of", corpus_of)
    monkeypatch.setattr(image, "extractor", lambda name, **given: Fake())
    return textgan


def test_a_report_tells_figures_and_counts(measured: Command, home: Path) -> None:
    code, out, err = measured("report")
    assert (code, err) == (0, "drawing 60 samples from runs/one\n")
    told = " ".join(out.split())
    counted = "60 generated pictures against 40 held-out ones, on the features of pixels-1; real pictures: 50 training"
    assert told.startswith(counted)
    assert " FD, KD: distances" in told
    for name in ("FD[pixels-1]", "KD[pixels-1]", "CS[pixels-1]", "precision", "coverage", "copies by pixels"):
        assert f" {name} " in told
    found = json.loads((home / "runs" / "one" / "report.json").read_text())
    assert (found["schema"], found["model"], found["samples"], found["notes"]) == (1, "runs/one", 60, [])
    low, value, high = (found["frechet"][side] for side in ("low", "value", "high"))
    assert low < value < high
    assert f"{value:#.4g} {low:#.4g} to {high:#.4g}" in told
    code, out, _ = measured("report", "runs/one", "--json")
    assert json.loads(out) == found
    assert json.loads(measured("report", "--count", "20", "--json")[1])["samples"] == 20


def test_what_the_critic_classifies_is_told(measured: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = {"classification": {"value": 0.25, "supervised": 0.5, "labels": 30, "rows": 40}}
    made = new_model()
    made.facts["evaluation"] = taught
    monkeypatch.setattr("textgan.model.load", lambda run: made)
    assert json.loads(measured("report", "--json")[1])["classification"] == taught["classification"]
    assert "Test error 25.00 % with 30 labels" in " ".join(measured("report")[1].split())


def test_limits_end_in_exit_code_3_after_all_is_written(measured: Command, home: Path, tmp_path: Path) -> None:
    (home / "runs" / "one" / "report.json").unlink(missing_ok=True)
    page = tmp_path / "p.html"
    code, _, err = measured("report", "--fail-above", "frechet=1e-9", "--fail-below", "unique=2", "--html", str(page))
    assert code == 3
    assert "frechet is " in err
    assert "unique is 1, below 2" in err
    assert (home / "runs" / "one" / "report.json").is_file()
    assert page.is_file()
    assert measured("report", "--fail-above", "frechet=1e9")[0] == 0


def test_the_page_has_the_classes_the_model_was_taught(measured: Command, home: Path, tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    code, _, err = measured("report", "classes", "--html", str(page))
    assert (code, err.splitlines()[-1]) == (0, f"the page is in {page}")
    text = page.read_text()
    assert "<figcaption>owl</figcaption>" in text
    assert "d/g" not in text.partition('id="classes"')[2].partition("</section>")[0]
    apart = [float(told) for told in re.findall(r'<figure class="pair">.*?<figcaption>([^<]*)<', text)]
    assert len(apart) == 18
    assert apart == sorted(apart)
    assert not (home / "classes" / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--count 1", "'--count': 1 is not in the range x>=2"),
        ("--metrics jsd", "--metrics: runs/one generates pictures, and this is not for them; leave it out"),
        ("--n 4", "--n: runs/one generates pictures"),
        ("--max-chars 3", "--max-chars: runs/one generates pictures"),
        ("--fail-above jsd4=1", "'jsd4=1' is no gate on pictures; write NAME=LIMIT"),
    ],
)
def test_what_only_text_has_is_refused(arguments: str, message: str, measured: Command) -> None:
    code, out, err = measured("report", "runs/one", *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_the_features_of_the_inception_net_have_names_of_their_own(
    measured: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "extractor", lambda name, **given: Fake("inception-v3-compat"))
    told = " ".join(measured("report")[1].split())
    assert " FID, KID: distances" in told
    assert "FD" not in told


def test_runs_on_the_same_pictures_are_compared(measured: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    made = new_model()
    with torch.no_grad():
        for parameter in made.net.parameters():
            parameter.zero_()
    made.save(home / "grey")
    code, out, err = measured("compare", "runs/one", "grey", "--count", "40", "--seed", "1")
    assert (code, err) == (0, "drawing 40 samples from runs/one\ndrawing 40 samples from grey\n")
    assert " ".join(out.split()).startswith("40 generated pictures against 40 held-out ones, on the features of pix")
    rows = {cells[0]: cells[1:] for line in out.splitlines() if (cells := line.split())}
    assert rows["one"] == ["grey", "real", "pictures", "best"]
    unique, distance = rows["unique"], rows["FD[pixels-1]"]
    assert (unique[0].rstrip("*"), unique[1], unique[-2:]) == ("1.000", "0.025", ["as", "real"])
    assert sum(cell.endswith("*") for cell in distance) == 1
    assert (float(distance[0].rstrip("*~")) < float(distance[1].rstrip("*~"))) == distance[0].endswith("*")
    told = json.loads(measured("compare", "runs/one", "grey", "--count", "40", "--seed", "1", "--json")[1])
    assert [side["name"] for side in told["sides"]] == ["one", "grey"]
    assert told["sides"][1]["report"]["unique"]["value"] == 1 / 40
    assert told["sides"][0]["report"]["samples"] == 40
    assert told["metrics"]["unique"] == {"best": "one", "level": None}
    assert told["metrics"].keys() >= {"frechet", "copies.pixels"}


def test_runs_on_other_pictures_are_not(measured: Command, home: Path) -> None:
    other = new_model()
    other.facts["corpus"] = other.facts["corpus"] | {"fingerprint": "cd"}
    other.save(home / "other")
    code, out, err = measured("compare", "runs/one", "other")
    assert (code, out) == (1, "")
    assert "other was not trained on the pictures that runs/one was, or not at their size" in err
    code, _, err = measured("compare", "runs/one", "--models", "3")
    assert (code, err) == (
        2,
        "textgan: error: --models: runs/one generates pictures, and this is not for them; leave it out\n",
    )


# --- while training


def test_progress_shows_pictures_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    found = {name: {"value": 0.5, "floor": 0.9} for name in ("frechet", "class_score", "precision", "recall")}
    samples = new_model().generate(50)
    plain = Lines()
    plain.started(total=20, first=0)
    plain.evaluated(10, found | {"extractor": "x"}, samples)
    assert capsys.readouterr().err.count("\n") == 1
    terminal = Terminal()
    terminal.started(total=20, first=0)
    terminal.evaluated(10, found | {"extractor": "x"}, samples)
    terminal.closed()
    shown = capsys.readouterr().err
    assert "FD[x] 0.5000 (real 0.9000)" in shown
    assert preview(samples[:6], 60, colours=False).splitlines()[0].rstrip() in shown
