"""Kinds of samples through one core: the table, and toys from the command line to a report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from textgan import assemble, kinds, measure
from textgan.assemble import build
from textgan.checks import check
from textgan.cli.main import main
from textgan.config import Config
from textgan.corpora.toys import TOYS
from textgan.errors import CorruptError, UsageError
from textgan.game.terms import TERMS
from textgan.kinds import toy
from textgan.nets import CRITICS_OF, GENERATORS_OF
from textgan.nets.plane import PlaneCritic
from textgan.opening import OPENERS, kind_of
from textgan.settings import resolve
from textgan.spaces import SPACES

Command = Callable[..., tuple[int, str, str]]
QUICK = [
    "-s", "training.batch=8", "-s", "generator.width=6", "-s", "critic.width=6", "-s", "training.evaluate_every=4",
    "-s", "evaluation.samples=50", "-s", "evaluation.report_samples=60", "-s", "training.log_every=1",
]  # fmt: skip


@pytest.fixture
def textgan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in an empty folder, and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(arguments), *capfd.readouterr()

    return run


def test_every_kind_stands_in_every_table() -> None:
    assert kinds.KINDS.keys() == OPENERS.keys() == SPACES.keys() == GENERATORS_OF.keys() == CRITICS_OF.keys()
    for kind in kinds.KINDS.values():
        assert set(kind.terms) <= TERMS.keys()


@pytest.mark.parametrize(
    ("corpus", "kind"),
    [
        ("8gaussians", "toy"),
        ("names", "text"),
        ("my.txt", "text"),
        ("cifar10", "image"),
    ],
)
def test_the_kind_of_a_corpus(corpus: str, kind: str) -> None:
    assert kind_of(Config.model_validate({"corpus": {"name": corpus}})) == kind


# --- what cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"corpus.name": "python_docs"}, r"^generator\.net: there is no 'mlp' for text; known: "),
        ({"generator.net": "upsampling"}, r"^generator\.net: there is no 'upsampling' for points; known: mlp$"),
        ({"critic.net": "paper"}, r"^critic\.net: there is no 'paper' for points"),
        (
            {"generator.relaxation": "softmax"},
            r"^generator\.relaxation: there is no 'softmax' for points; known: identity$",
        ),
        ({"count_critic.weight": 1.0}, r"^count_critic\.weight: must be 0 on swissroll; the term looks at symbols"),
        ({"text.length": 9}, r"^text: is for text, and swissroll is points; leave it out$"),
        ({"generator.temperature": 0.5}, r"^generator\.temperature: is for text"),
        ({"game.real_smoothing": [0.5, 0.5]}, r"^game\.real_smoothing: is for text"),
        ({"critic.minibatch": "stddev", "game.penalties": {}}, r"^critic\.minibatch: the critic of points is drawn"),
        ({"critic.norm": "layer"}, r"^critic\.norm: the net 'mlp' takes no norm; use none$"),
        ({"critic.dropout": 0.5}, r"^critic\.dropout: the net 'mlp' has no dropout; use 0$"),
        ({"likelihood.weight": 1.0}, r"^likelihood: is for text, and swissroll is points"),
    ],
)
def test_what_points_have_not_is_refused_in_a_line(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(resolve("toy", flags={"corpus.name": "swissroll"} | flags).config)


def test_text_takes_no_relaxation_of_points(tiny_text: Path) -> None:
    flags = {"corpus.name": str(tiny_text), "generator.relaxation": "identity"}
    with pytest.raises(UsageError, match=r"^generator\.relaxation: there is no 'identity' for text"):
        check(resolve("smoke", flags=flags).config)


@pytest.mark.parametrize("key", ["column", "label_column"])
def test_a_formula_is_read_from_nowhere(key: str) -> None:
    with pytest.raises(UsageError, match=rf"^corpus\.{key}: 8gaussians is drawn by a formula"):
        build(resolve("toy", flags={f"corpus.{key}": "x"}).config)


# --- what a critic shows ------------------------------------------------------------------------------------------


def linear_critic(blocks: int) -> PlaneCritic:
    """D(x) = x₀ for x₀ > 0, through layers that hand it on."""
    critic = PlaneCritic(axes=2, width=1, blocks=blocks, kernel=3)
    with torch.no_grad():
        for layer in [*critic.hidden, critic.score]:
            layer.weight.zero_()
            layer.weight[0, 0] = 1
    return critic


def game(**flags: Any) -> Any:
    return build(resolve("toy", flags=flags).config).game


def test_gradient_norms_by_layer_of_a_linear_critic() -> None:
    critic, real, fake = linear_critic(3), torch.rand(4, 2) + 1, torch.rand(4, 2) + 1
    # the mean over 4 of each side: 8 slopes of 1/4
    assert toy.layer_norms(critic, game(), real, fake) == pytest.approx([math.sqrt(8) / 4] * 3)
    with torch.no_grad():
        critic.hidden[2].weight.mul_(10)  # type: ignore[operator]
    expected = [10 * math.sqrt(8) / 4] * 2 + [math.sqrt(8) / 4]  # layers before it feel its weight
    assert toy.layer_norms(critic, game(), real, fake) == pytest.approx(expected)
    beyond = torch.full((4, 2), -1.0)  # where every ReLU is shut
    assert toy.layer_norms(critic, game(), real, beyond) == pytest.approx([10 * 2 / 4] * 2 + [2 / 4])
    assert toy.layer_norms(critic, game(), beyond, fake) == pytest.approx([10 * 2 / 4] * 2 + [2 / 4])
    normalised = game(**{"game.constraint": "gradient_normalisation", "game.penalties": {}})
    assert all(norm > 0 for norm in toy.layer_norms(critic, normalised, real, fake))
    assert not critic.hidden[0]._forward_hooks


def test_the_value_surface_rises_to_the_right_and_upwards() -> None:
    critic = linear_critic(1)
    values = toy.value_surface(critic, torch.device("cpu"))
    axis = np.linspace(-toy.EXTENT, toy.EXTENT, toy.GRID)
    assert values == pytest.approx(np.tile(axis.clip(0), (toy.GRID, 1)), abs=1e-6)
    with torch.no_grad():
        critic.hidden[0].weight.copy_(torch.tensor([[0.0, 1.0]]))  # type: ignore[operator]
    assert toy.value_surface(critic, torch.device("cpu")) == pytest.approx(values.T)


# --- from the command line ----------------------------------------------------------------------------------------


def rows(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in row if key not in ("seconds", "processor_seconds")} for row in found]


def test_points_from_training_to_a_report(textgan: Command, tmp_path: Path) -> None:
    code, _, err = textgan("train", "--corpus", "8gaussians", "--steps", "8", "--run", "a", *QUICK)
    assert code == 0, err
    assert "8gaussians: 50,000 training and 10,000 held-out points of 8 modes" in err
    assert "balanced 0 of 8 (real " in err
    run = tmp_path / "runs" / "a"
    pictures = sorted(path.name for path in (run / "pictures").iterdir())
    assert pictures == [f"step-00000{step}-{name}.svg" for step in (4, 8) for name in ("critic", "surface")]
    assert all(ElementTree.parse(run / "pictures" / name) for name in pictures)
    evaluation = [row for row in rows(run) if "evaluation" in row][-1]["evaluation"]
    assert evaluation.keys() == {
        "samples", "reference", "modes", "balanced", "good", "distance", "critic", "layers",
    }  # fmt: skip
    assert (evaluation["samples"], len(evaluation["layers"])) == (50, 3)
    state = json.loads(next((run / "checkpoints").glob("step-000008/state.json")).read_text())
    assert state["score"] == evaluation["distance"]["value"]

    code, out, err = textgan("generate", "-m", "runs/a", "-n", "50")
    assert (code, err) == (0, "")
    assert out == (run / "samples" / "step-000008.txt").read_text()

    code, out, err = textgan("report", "runs/a", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["schema"], told["samples"], told["modes"]["of"]) == (1, 60, 8)
    assert json.loads((run / "report.json").read_text()) == told
    code, out, err = textgan("report", "--count", "50")
    assert code == 0
    assert f"distance {evaluation['distance']['value']:.4f}" in " ".join(out.split())


def test_a_resumed_run_of_points_ends_as_the_whole_one(textgan: Command, tmp_path: Path) -> None:
    corpus = ("train", "--corpus", "25gaussians", *QUICK)
    assert textgan(*corpus, "--steps", "8", "--run", "whole")[0] == 0
    assert textgan(*corpus, "--steps", "8", "--run", "cut", "--minutes", "1e-9")[0] == 0
    assert (tmp_path / "runs" / "cut" / "checkpoints" / "step-000001").exists()
    assert textgan("train", "--resume", "--run", "cut", "-s", "training.minutes=0")[0] == 0
    whole, cut = (tmp_path / "runs" / name for name in ("whole", "cut"))
    for part in ("model/model.safetensors", "checkpoints/step-000008/tensors.safetensors"):
        assert (whole / part).read_bytes() == (cut / part).read_bytes()
    steps = [[row for row in rows(run) if "evaluation" not in row] for run in (whole, cut)]
    assert steps[0] == steps[1]
    for name in ("surface", "critic"):
        picture = f"pictures/step-000008-{name}.svg"
        assert (whole / picture).read_text() == (cut / picture).read_text()


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    parts = build(resolve("toy", flags={"generator.width": 4, "critic.width": 4}).config)
    assemble.model_of(parts, None).save(tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "m", "--n", "4"], "--n: m generates points, and this is not for them; leave it out"),
        (["report", "m", "--html", "x.html"], "--html: m generates points"),
        (["report", "m", "--fail-above", "jsd4=1"], "--fail-above: m generates points"),
        (["compare", "m"], "8gaussians is points, which have no text to compare"),
        (["generate", "-m", "m", "--temperature", "0.5"], "generates points of the plane, at no temperature"),
        (["report", "--samples", __file__, "--reference", "8gaussians"], "8gaussians is points, which have no text"),
    ],
)
def test_what_text_alone_can_is_refused_in_a_line(
    arguments: list[str], message: str, textgan: Command, trained: Path
) -> None:
    code, out, err = textgan(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("textgan: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_path_between_points(textgan: Command, trained: Path) -> None:
    code, out, err = textgan("interpolate", "-m", "m", "--steps", "3")
    assert (code, err, len(out.splitlines())) == (0, "", 3)
    assert all(len(line.split("\t")) == 2 for line in out.splitlines())


def test_a_dry_run_tells_of_points(textgan: Command) -> None:
    code, out, _ = textgan("train", "--corpus", "swissroll", "--dry-run")
    assert code == 0
    assert out.splitlines()[0] == "preset toy on swissroll: 50,000 training and 10,000 held-out points of 24 modes"
    assert json.loads(textgan("train", "-c", "toy", "--dry-run", "--json")[1])["corpus"]["axes"] == 2


def test_a_game_without_a_critic_has_no_pictures() -> None:
    parts = build(resolve("toy").config)
    parts.state.critic = None
    assert measure.seen(parts, ["0\t0"]) == ({}, {})


@pytest.mark.parametrize("name", TOYS)
def test_every_toy_builds(name: str) -> None:
    parts = build(resolve("toy", flags={"corpus.name": name}).config)
    found = parts.kind.evaluation(parts.corpus, parts.config, 40, print)(
        parts.space.decode(parts.corpus.train.ids[:40])
    )
    assert found["good"]["value"] > 0.9
    assert parts.kind.score(found) == found["distance"]["value"]


def test_fewer_samples_than_are_drawn_and_pairs_of_them(textgan: Command, tmp_path: Path) -> None:
    few = ("-s", "evaluation.samples=60", "-s", "game.objective=relativistic", "-s", "feature_matching.weight=1")
    code, _, err = textgan("train", "--corpus", "8gaussians", "--steps", "4", "--run", "few", *QUICK, *few)
    assert code == 0, err
    assert "feature_matching" in rows(tmp_path / "runs" / "few")[0]["generator"]


def test_the_report_of_points_tells_the_alarms_of_its_training(textgan: Command, tmp_path: Path) -> None:
    assert textgan("train", "--corpus", "8gaussians", "--steps", "4", "--run", "ill", *QUICK)[0] == 0
    log = tmp_path / "runs" / "ill" / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 4, "alarm": {"kind": "collapse", "text": "it has collapsed"}}\n')
    told = textgan("report", "runs/ill")[1]
    assert "at step 4 of training, it has collapsed" in told
    assert json.loads(textgan("report", "runs/ill", "--json")[1])["notes"] == [
        "at step 4 of training, it has collapsed"
    ]


def test_a_model_whose_corpus_is_of_another_kind_is_corrupt(textgan: Command, tmp_path: Path, tiny_text: Path) -> None:
    config = resolve("toy", flags={"corpus.name": "8gaussians"}).config
    model = assemble.model_of(build(config), None)
    text = resolve("smoke", flags={"corpus.name": str(tiny_text)}).config
    with pytest.raises(CorruptError, match=r"^the model generates points of the plane, and .* holds none"):
        assemble.corpus_of(replace(model, config=text))
