"""Points of the plane: space, nets, and models on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textgan.card import card
from textgan.config import Config
from textgan.errors import CorruptError, UsageError
from textgan.files import MANIFEST, write_folder
from textgan.game.relaxations import identity
from textgan.model import BLOCK, Model, build_generator, load
from textgan.nets import CRITICS_OF, GENERATORS_OF
from textgan.nets.plane import PlaneCritic, PlaneGenerator
from textgan.plane import Plane
from textgan.spaces import SPACES, Text, space_of
from textgan.training.loop import Source

SPACE = Plane()
FACTS: dict[str, Any] = {
    "step": 7,
    "corpus": {"name": "8gaussians", "fingerprint": "ab", "train": 90, "facts": {"title": "8 Gaussians"}},
    "evaluation": None,
}


def config(**generator: Any) -> Config:
    values = {"net": "mlp", "relaxation": "identity", "width": 8, "blocks": 3, "latent": 2}
    return Config.model_validate({"preset": "toy", "generator": values | generator})


def new_model(facts: dict[str, Any] = FACTS) -> Model:
    torch.manual_seed(0)
    return Model(build_generator(config(), SPACE).eval().requires_grad_(False), SPACE, config(), facts)


MODEL = new_model()

# --- space --------------------------------------------------------------------------------------------------------


def test_points_are_lines_and_back() -> None:
    points = np.array([[1.0, -2.5], [1 / 3, 1e-9], [123456.7, -0.0]], dtype=np.float32)
    lines = SPACE.decode(points)
    assert lines == ["1\t-2.5", "0.333333\t1e-09", "123457\t-0"]
    assert SPACE.encode(lines) == pytest.approx(points, rel=1e-5)
    assert SPACE.encode(lines).dtype == np.float32
    assert SPACE.encode([]).shape == (0, 2)
    assert SPACE.decode(points[:0]) == []


@pytest.mark.parametrize("line", ["", "1", "1\t2\t3", "a\tb", "1 2"])
def test_what_is_no_point_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        SPACE.encode([line])


def test_a_space_says_of_which_kind_it_is() -> None:
    assert SPACE.to_json() == {"kind": "toy", "axes": 2}
    assert space_of(SPACE.to_json()) == SPACE
    text = Text(tuple("abc"), 4)
    assert space_of(text.to_json()) == text
    assert {name: of.kind for name, of in SPACES.items()} == {name: name for name in SPACES}
    assert SPACES.keys() == GENERATORS_OF.keys() == CRITICS_OF.keys()


@pytest.mark.parametrize("value", [{"kind": "toy"}, {"kind": "toy", "axes": 3}, {"kind": "toy", "axes": 2, "x": 1}])
def test_another_plane_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no plane"):
        space_of(value)


def test_points_stay_what_they_are() -> None:
    points = torch.randn(4, 2)
    assert SPACE.to_sample(points) is points
    sample, rows = identity(points, temperature=0.5, rng=torch.Generator())
    assert sample is rows is points


def test_rows_of_points_are_drawn_as_float32_and_ids_as_int64() -> None:
    points = np.random.RandomState(0).standard_normal((50, 2)).astype(np.float32)
    drawn, ids = (
        Source(rows, SPACE.to_sample, row_type=kind).draw(20, torch.Generator().manual_seed(1), torch.device("cpu"))[0]
        for rows, kind in ((points, "float32"), ((points > 0).astype(np.uint16), "int64"))
    )
    assert (drawn.dtype, ids.dtype) == (torch.float32, torch.int64)
    assert torch.equal(drawn > 0, ids.bool())  # the same rows
    assert all(row in points.tolist() for row in drawn.tolist())


# --- nets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_nets_are_the_papers_perceptrons(blocks: int) -> None:
    torch.manual_seed(0)
    generator = PlaneGenerator(axes=2, latent=2, width=512, blocks=blocks, kernel=3)
    critic = PlaneCritic(axes=2, width=512, blocks=blocks, kernel=3)
    inner = (2 + 1) * 512 + (blocks - 1) * (512 + 1) * 512
    assert [sum(p.numel() for p in net.parameters()) for net in (generator, critic)] == [
        inner + (512 + 1) * 2, inner + 512 + 1,
    ]  # fmt: skip
    assert [layer.weight.std().item() for layer in critic.hidden] == pytest.approx(  # type: ignore[operator]
        [1.0, *[math.sqrt(2 / 512)] * (blocks - 1)], rel=0.03
    )
    assert critic.score.weight.std().item() == pytest.approx(math.sqrt(2 / 513), rel=0.1)
    assert all(not p.any() for net in (generator, critic) for name, p in net.named_parameters() if "bias" in name)


def test_the_nets_by_hand() -> None:
    generator = PlaneGenerator(axes=2, latent=3, width=4, blocks=2, kernel=3).double()
    critic = PlaneCritic(axes=2, width=4, blocks=2, kernel=3).double()
    noise = torch.randn(5, 3, dtype=torch.float64)
    output = generator(noise, lambda x: (x, x))
    x = noise
    for layer in generator.hidden:
        x = layer(x).clamp(min=0)
    assert torch.allclose(output.sample, generator.leave(x))
    assert output.sample is output.ids is output.logits
    features = output.sample
    for layer in critic.hidden:
        features = layer(features).clamp(min=0)
    assert torch.allclose(critic.features(output.sample), features)
    assert torch.allclose(critic(output.sample), critic.score(features)[:, 0])
    assert critic(output.sample).shape == (5,)


def test_a_critic_bears_the_gradient_of_its_slope() -> None:
    critic = PlaneCritic(axes=2, width=4, blocks=2, kernel=3).double()
    points = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(critic, (points,))
    assert torch.autograd.gradgradcheck(critic, (points,))


# --- models -------------------------------------------------------------------------------------------------------


def test_a_model_of_points_generates_a_line_a_point() -> None:
    lines = MODEL.generate(2 * BLOCK + 3, seed=1)
    assert len(lines) == 2 * BLOCK + 3
    assert MODEL.generate(70, seed=1) == lines[:70]
    assert MODEL.generate(70, seed=2) != lines[:70]
    noise = torch.randn(BLOCK, 2, generator=torch.Generator().manual_seed(1))
    assert len(set(lines)) == len(lines)
    assert SPACE.encode(lines).shape == (2 * BLOCK + 3, 2)
    assert MODEL.net(noise, lambda x: (x, x)).sample.shape == (BLOCK, 2)


def test_points_have_no_temperature_and_no_label() -> None:
    with pytest.raises(UsageError, match="points of the plane, at no temperature"):
        MODEL.generate(1, temperature=0.5)
    with pytest.raises(UsageError, match="without labels"):
        MODEL.generate(1, label="x")
    assert MODEL.labels(3) == []


def test_points_between_two_seeds() -> None:
    path = MODEL.interpolate(1, 2, steps=5)
    assert (path[0], path[-1]) == (MODEL.generate(1, seed=1)[0], MODEL.generate(1, seed=2)[0])
    assert MODEL.around(1, 1, radius=0) == path[:1]


def test_a_model_of_points_is_saved_and_loaded(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.space, again.config, again.facts) == (SPACE, MODEL.config, FACTS)
    assert again.generate(9) == MODEL.generate(9)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("alphabet.json", '{"kind": "toy"}'),
        ("alphabet.json", '{"kind": "toys", "axes": 2}'),
        ("alphabet.json", '{"kind": ["toy"], "axes": 2}'),
        ("alphabet.json", '{"kind": null, "axes": 2}'),
        ("alphabet.json", "[]"),
        ("alphabet.json", json.dumps(Text(tuple("abc"), 32).to_json())),  # whose nets are others
        ("config.json", json.dumps({"config": Config().model_dump(mode="json")})),
    ],
)
def test_a_forged_model_of_points_is_one_line(name: str, content: str, tmp_path: Path) -> None:
    MODEL.save(tmp_path / "m")
    files = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir() if path.name != MANIFEST}

    def fill(folder: Path) -> None:
        for file, value in (files | {name: content.encode()}).items():
            (folder / file).write_bytes(value)

    write_folder(tmp_path / "m", fill)
    with pytest.raises(CorruptError, match=r"is no model that textgan|json is missing or damaged") as caught:
        load(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_the_card_of_points() -> None:
    assert "tags: [gan, toy, wgan-gp]" in card(MODEL)
    assert "A generator of points of the plane,\ntrained for 7 generator steps with the preset `toy`.\n" in card(MODEL)
    assert "The points follow from the formula alone." in card(MODEL)
    of = {"value": 7, "floor": 8, "of": 8}
    near = {"value": 0.51234, "floor": 0.98, "of": 8}
    found = {"samples": 2000, "reference": 311, "modes": of, "balanced": of, "good": near, "distance": near}
    text = card(new_model(FACTS | {"evaluation": found}))
    assert "| | generated | real points at the same count |\n|---|---|---|\n| modes | 7 of 8 | 8 |\n" in text
    assert "| good | 0.512 | 0.980 |\n| distance | 0.5123 | 0.9800 |" in text
