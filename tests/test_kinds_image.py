"""Pictures through the one core: from the command line to a model, and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import textgan as package
from textgan import assemble
from textgan.checks import check
from textgan.cli.main import main
from textgan.errors import CorruptError, UsageError
from textgan.features import classifier
from textgan.kinds.image import IMAGE, KEPT, device_of
from textgan.model import build_generator
from textgan.opening import open_corpus
from textgan.resources import presets
from textgan.settings import read_toml, resolve
from textgan.spaces import Image
from textgan.sweep import grid

pytest.importorskip("sklearn")
image = pytest.importorskip("PIL.Image")

Command = Callable[..., tuple[int, str, str]]
QUICK = [
    "-s", "training.batch=8", "-s", "generator.width=4", "-s", "critic.width=4", "-s", "training.evaluate_every=2",
    "-s", "evaluation.samples=20", "-s", "training.log_every=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _little_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 5)


@pytest.fixture
def textgan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in an empty folder, and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(arguments), *capfd.readouterr()

    return run


def rows(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in row if key not in ("seconds", "processor_seconds")} for row in found]


def test_digits_from_training_to_pictures(textgan: Command, tmp_path: Path) -> None:
    code, _, err = textgan("train", "--corpus", "digits", "--steps", "4", "--run", "a", *QUICK)
    assert code == 0, err
    assert "digits: 1,423 training and 374 held-out pictures of 8x8 pixels in grey of 10 classes" in err
    run = tmp_path / "runs" / "a"
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["step-000002.png", "step-000004.png"]
    evaluation = [row for row in rows(run) if "evaluation" in row][-1]["evaluation"]
    state = json.loads((run / "checkpoints" / "step-000004" / "state.json").read_text())
    assert state["score"] == evaluation["frechet"]["value"] == IMAGE.score(evaluation)
    assert evaluation["samples"] == 20

    model = package.load(run)
    pictures = model.generate(20, seed=0)
    assert {(picture.shape, str(picture.dtype)) for picture in pictures} == {((8, 8, 1), "uint8")}
    assert all(np.array_equal(a, b) for a, b in zip(pictures[:7], model.generate(7, seed=0), strict=True))
    assert (run / "samples" / "step-000004.png").read_bytes() == IMAGE.kept(pictures)[1]
    assert "(y, x, channel) uint8" in (run / "model" / "README.md").read_text()
    assert f"| FD[{evaluation['extractor']}] |" in (run / "model" / "README.md").read_text()


def test_a_resumed_run_of_pictures_ends_as_the_whole_one(textgan: Command, tmp_path: Path) -> None:
    labelled = ("--label-column", "label", "-s", "generator.norm=conditional_batch", "-s", "game.condition=auxiliary")
    corpus = ("train", "--corpus", "digits", *QUICK, *labelled, "--steps", "4")
    assert textgan(*corpus, "--run", "whole")[0] == 0
    assert textgan(*corpus, "--run", "cut", "--minutes", "1e-9")[0] == 0
    assert (tmp_path / "runs" / "cut" / "checkpoints" / "step-000001").exists()
    assert textgan("train", "--resume", "--run", "cut", "-s", "training.minutes=0")[0] == 0
    whole, cut = (tmp_path / "runs" / name for name in ("whole", "cut"))
    for part in ("model/model.safetensors", "checkpoints/step-000004/tensors.safetensors", "samples/step-000004.png"):
        assert (whole / part).read_bytes() == (cut / part).read_bytes()
    steps = [[row for row in rows(run) if "evaluation" not in row] for run in (whole, cut)]
    assert steps[0] == steps[1]


def test_labels_make_a_conditional_model_of_the_same_rows(textgan: Command, tmp_path: Path) -> None:
    without = ("-s", "corpus.label_column=", "-s", "generator.norm=batch")
    assert textgan("train", "--corpus", "digits", "--steps", "2", "--run", "a", *QUICK, *without)[0] == 0
    code, _, err = textgan("train", "--corpus", "digits", "--steps", "2", "--run", "b", *QUICK)
    assert (code, "reading" in err) == (0, False)
    assert len(list((tmp_path / "cache" / "rows").iterdir())) == 1
    model = package.load(tmp_path / "runs" / "b")
    assert model.space.labels == tuple("0123456789")
    threes = model.generate(3, label="3")
    assert not np.array_equal(threes, model.generate(3, label="4"))
    assert package.load(tmp_path / "runs" / "a").space.labels == ()


def test_the_noise_of_real_pixels_is_drawn_anew_each_step() -> None:
    parts = assemble.build(resolve("digits", flags={"generator.width": 4, "critic.width": 4}).config)
    pixels = torch.from_numpy(parts.corpus.train.ids[:2].copy())
    one, other = (parts.source.to_sample(pixels, rng=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert 0 < (one - other).abs().max() <= 1 / 128
    assert parts.source.draw(3, torch.Generator(), parts.device)[0].dtype == torch.uint8


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"text.length": 9}, r"^text: is for text, and digits is pictures; leave it out$"),
        ({"corpus.lower": True}, r"^corpus\.lower: is for text, and digits is pictures"),
        ({"generator.temperature": 0.5}, r"^generator\.temperature: is for text"),
        ({"count_critic.weight": 1.0}, r"^count_critic\.weight: must be 0 on digits; .* and these are pictures"),
        ({"generator.relaxation": "softmax"}, r"there is no 'softmax' for pictures; known: tanh$"),
        ({"generator.net": "upsampling"}, r"^generator\.net: there is no 'upsampling' for pictures"),
        ({"image.side": 12}, r"^image\.side: "),
        ({"corpus.label_column": ""}, r"^generator\.norm: conditional_batch "),
        ({"critic.norm": "batch"}, r"^critic\.norm: batch mixes the samples"),
    ],
)
def test_what_pictures_have_not_is_refused_in_a_line(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(resolve("digits", flags=flags).config)


@pytest.mark.parametrize(
    ("preset", "flags"),
    [("quick", {"image.side": 16}), ("toy", {"image.channels": 1}), ("quick", {"evaluation.extractor": "inception"})],
)
def test_what_pictures_alone_have_is_refused_elsewhere(preset: str, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^(image|evaluation\.extractor): is for pictures, and "):
        check(resolve(preset, flags=flags).config)


def test_pictures_have_no_text_to_compare() -> None:
    with pytest.raises(UsageError, match="digits is pictures, which have no text to compare"):
        assemble.text_of(open_corpus(resolve("digits").config))


def test_a_model_whose_sizes_are_forged_is_refused(textgan: Command, tmp_path: Path) -> None:
    assert textgan("train", "--corpus", "digits", "--steps", "2", "--run", "a", *QUICK)[0] == 0
    folder = tmp_path / "runs" / "a" / "model"
    space = json.loads((folder / "alphabet.json").read_text())
    (folder / "alphabet.json").write_text(json.dumps(space | {"side": 16}))
    with pytest.raises(CorruptError):
        package.load(folder)


@pytest.mark.parametrize(
    ("asked", "there", "device"),
    [("auto", True, "cuda"), ("cuda:1", True, "cuda:1"), ("cpu", True, "cpu"), ("auto", False, "cpu"),
     ("cuda", False, "cpu"), ("mps", True, "cpu")],
)  # fmt: skip
def test_pictures_are_looked_at_on_the_gpu_that_training_asks_for(
    asked: str, there: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(resolve("digits", flags={"training.device": asked}).config) == device


def test_a_grid_is_kept_of_the_first_samples() -> None:
    pictures = [np.full((8, 8, 3), value, np.uint8) for value in range(KEPT + 20)]
    suffix, content = IMAGE.kept(pictures)
    assert suffix == ".png"
    assert content == IMAGE.kept(pictures[:KEPT])[1]


PICTURES = [name for name in presets() if resolve(name).config.generator.relaxation == "tanh"]


@pytest.mark.parametrize("name", PICTURES)
def test_presets_of_pictures_pass_the_checks(name: str) -> None:
    check(resolve(name).config)


PUBLISHED = {
    "cifar10_wgan_gp": (1_204_483, 1_053_825),
    "robustness/baseline_wgan_gp": (5_364_739, 4_316_545),
    "robustness/constant_filters_wgan_gp": (444_291, 4_316_545),
    "robustness/mlp_wgan_gp": (7_157_760, 4_316_545),
    "robustness/gated_wgan_gp": (10_724_675, 8_624_897),
    "robustness/tanh_wgan_gp": (5_364_739, 4_316_545),
    "robustness/resnet101_wgan_gp": (9_189_587, 7_618_801),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_of_the_paper_have_its_nets(name: str) -> None:
    config = resolve(name).config
    space = Image(config.image.side, config.image.channels)
    with torch.device("meta"):
        nets = build_generator(config, space), assemble.build_critic(config, space)
    assert tuple(sum(p.numel() for p in net.parameters()) for net in nets if net is not None) == PUBLISHED[name]


def test_the_sweep_of_robustness_has_the_presets_cells() -> None:
    sweep = grid.read(Path(__file__).parents[1] / "docs" / "sweeps" / "robustness.toml")
    cells = grid.cells(sweep)
    assert len(cells) == 28
    scaled = {
        "image.side", "generator.width", "critic.width", "generator.learning_rate", "critic.learning_rate",
    }  # fmt: skip
    free = scaled | {key for key in sweep_keys() if key.startswith(("training.", "evaluation."))}
    for cell in cells:
        architecture, method = cell.setting
        here = flat(resolve(cell.preset, cell=cell.tables).config)
        there = flat(resolve(f"robustness/{architecture}_{method}").config)
        assert {key for key in here if here[key] != there[key]} <= free | {"preset"}, cell.name


def sweep_keys() -> list[str]:
    settings = read_toml(Path(__file__).parents[1] / "docs" / "sweeps" / "robustness.toml")["settings"]
    return [f"{section}.{key}" for section, values in settings.items() for key in values]


def flat(config: Any) -> dict[str, Any]:
    sections = {name: value for name, value in config.model_dump().items() if isinstance(value, dict)}
    return {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
