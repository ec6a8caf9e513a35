"""`textgan interpolate`, and what of a model it calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import textgan as in_a_process

from textgan import latent
from textgan import model as models
from textgan.cli.main import main
from textgan.config import Config
from textgan.errors import TextganError, UsageError
from textgan.model import BLOCK, Model, build_generator
from textgan.spaces import Text

SPACE = Text(tuple("etaoinsr"), 9)
CLASSES = replace(SPACE, labels=("bird", "fish"))
NETS = ["upsampling", "recurrent"]
Command = Callable[..., tuple[int, str, str]]


def new_model(net: str = "upsampling", space: Text = SPACE, **text: Any) -> Model:
    torch.manual_seed(0)
    generator = {"net": net, "width": 8, "blocks": 1, "latent": 6}
    config = Config.model_validate({"generator": generator, "text": {"length": 9} | text})
    made = build_generator(config, space).eval().requires_grad_(False)
    facts = {"title": "t", "labels": {"bird": 30, "fish": 10}}
    corpus = {"name": "tiny", "fingerprint": "ab", "train": 40, "facts": facts}
    return Model(made, space, config, {"step": 1, "corpus": corpus, "evaluation": None})


# --- lines between two seeds


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("temperature", [None, 0.7])
def test_a_path_starts_with_its_seeds_own_line(net: str, temperature: float | None) -> None:
    made = new_model(net)
    for seed in range(20):
        line = made.interpolate(seed, seed + 1, temperature=temperature)[0]
        assert [line] == made.generate(1, seed=seed, temperature=temperature)


@pytest.mark.parametrize("net", NETS)
def test_without_draws_a_path_ends_with_the_other_seeds_own_line(net: str) -> None:
    made = new_model(net, decode="argmax")
    for seed in range(20):
        lines = made.interpolate(seed, seed + 1, steps=5)
        assert (len(lines), [lines[-1]]) == (5, made.generate(1, seed=seed + 1))


@pytest.mark.parametrize("net", NETS)
def test_every_line_of_a_path_has_the_first_ones_draws(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_model(net)
    assert len(set(made.interpolate(4, 4, steps=30))) == 1
    assert len(set(made.interpolate(4, 5, steps=30))) > 3
    back = made.interpolate(5, 4, steps=30)
    assert back[-1] != made.interpolate(4, 5, steps=30)[0]  # the other seed's draws
    with torch.no_grad():
        for parameter in made.net.parameters():
            parameter.zero_()
    assert len(set(made.interpolate(4, 5, steps=30))) == 1  # no noise is heard: the draws alone
    assert len(set(made.generate(30, seed=4))) > 20


def test_a_line_belongs_to_its_point_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_model()
    few = made.interpolate(1, 2, steps=11)
    many = made.interpolate(1, 2, steps=2 * BLOCK * 10 + 1)
    assert many[:: 2 * BLOCK] == few
    seen: list[int] = []
    part = Model._ids

    def watched(self: Model, noise: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(len(noise))
        return part(self, noise, *rest)

    monkeypatch.setattr(Model, "_ids", watched)
    monkeypatch.setattr(models, "PART", 100 * made.space.length * made.space.size)
    assert made.interpolate(1, 2, steps=251)[::25] == few
    assert made.interpolate(1, 2, steps=11)[0] == made.generate(1, seed=1)[0]
    assert set(seen) == {64}  # as many at once as generate has


def test_the_middle_of_a_path_is_the_arcs() -> None:
    made = new_model(decode="argmax")
    points = latent.path(made._noise(1), made._noise(2), 3)
    assert made._lines(points, 7, None, None) == made.interpolate(1, 2, steps=3)
    norms = points.norm(dim=1)
    assert norms[1].item() == pytest.approx((norms[0] + norms[2]).item() / 2)


# --- around a seed


def test_neighbours_at_radius_0_are_the_seeds_own_line_and_at_1_strangers() -> None:
    made = new_model()
    assert made.around(3, 5, radius=0.0) == made.generate(1, seed=3) * 5
    own, *_ = made.generate(1, seed=3)

    def alike(radius: float) -> float:
        lines: list[str] = made.around(3, 200, radius=radius)
        return sum(a == b for line in lines for a, b in zip(line, str(own), strict=False)) / 200

    assert alike(0.05) > alike(0.3) > alike(1.0)


@pytest.mark.parametrize("n", [0, 1, 63, BLOCK + 1])
def test_a_neighbour_depends_on_the_seed_and_its_place_only(n: int) -> None:
    made = new_model()
    lines = made.around(3, n)
    assert lines == made.around(3, 2 * BLOCK)[:n]
    torch.rand(3)
    assert lines == made.around(3, n)
    if n > 1:
        assert lines != made.around(4, n)
        assert len(set(lines)) > 1


# --- labels and errors


def test_all_lines_have_the_label_asked_for_or_the_first_seeds() -> None:
    made = new_model(space=CLASSES)
    for seed in range(8):
        own = made.labels(1, seed=seed)[0]
        other = {"bird": "fish", "fish": "bird"}[own]
        along = {label: made.interpolate(seed, 9, label=label) for label in (None, own, other)}
        assert along[None] == along[own] != along[other]
        near = {label: made.around(seed, 8, label=label) for label in (None, own, other)}
        assert near[None] == near[own] != near[other]
        assert made.interpolate(seed, 9, label=other)[0] == made.generate(1, seed=seed, label=other)[0]
    assert {made.labels(1, seed=seed)[0] for seed in range(8)} == {"bird", "fish"}


def test_what_cannot_be_is_one_line() -> None:
    made = new_model()
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: made.interpolate(0, 1, steps=1), "a path of 1 steps has no two ends; ask for 2 or more"),
        (lambda: made.around(0, -1), "cannot generate -1 samples; ask for 0 or more"),
        (lambda: made.around(0, 1, radius=1.5), "the radius must lie within 0 to 1, not at 1.5"),
        (lambda: made.around(0, 1, radius=float("nan")), "the radius must lie within 0 to 1, not at nan"),
        (lambda: made.around(0, 1, temperature=0.0), "the temperature must be a positive number, not 0.0"),
    ]
    for ask, line in wrong:
        with pytest.raises(TextganError) as caught:
            ask()
        assert str(caught.value) == line
    with pytest.raises(UsageError, match="trained without labels; leave 'bird' out"):
        made.interpolate(0, 1, label="bird")
    with pytest.raises(UsageError, match="knows no label 'brid'; did you mean 'bird'"):
        new_model(space=CLASSES).around(0, 1, label="brid")


# --- the command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newest run, whose model is plain, and a conditional model."""
    folder = tmp_path_factory.mktemp("home")
    new_model().save(folder / "runs" / "one" / "model")
    new_model(space=CLASSES).save(folder / "classes")
    return folder


@pytest.fixture
def textgan(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command in that folder, and return its exit code, stdout and stderr."""
    monkeypatch.chdir(home)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(["interpolate", *arguments]), *capfd.readouterr()

    return run


def test_the_command_in_a_process_of_its_own(home: Path) -> None:
    done = in_a_process(home, "interpolate", "--from", "3", "--to", "5")
    assert (done.code, done.err) == (0, "")
    assert done.out.split("\n") == [*new_model().interpolate(3, 5), ""]


def test_the_command_prints_what_the_model_gives(textgan: Command) -> None:
    made, classes = new_model(), new_model(space=CLASSES)
    calls: list[tuple[str, list[str]]] = [
        ("", made.interpolate(0, 1, steps=8)),
        ("--to 0", made.interpolate(0, 0)),
        ("--from 2 --steps 3 --temperature .5", made.interpolate(2, 1, steps=3, temperature=0.5)),
        ("-m runs/one --around 0", made.around(0, 8, radius=0.3)),
        ("--around 4 --radius 0 -n 3", made.generate(1, seed=4) * 3),
        ("--around 4 -n 0", []),
        ("-m classes --label fish --from 7 --to 8", classes.interpolate(7, 8, label="fish")),
    ]
    for options, lines in calls:
        assert textgan(*options.split()) == (0, "".join(f"{line}\n" for line in lines), ""), options


def test_json_says_what_was_asked(textgan: Command) -> None:
    made = new_model()
    told = json.loads(textgan("--steps", "3", "--json")[1])
    lines = made.interpolate(0, 1, steps=3)
    assert told == {"schema": 1, "model": "runs/one", "from": 0, "to": 1, "steps": 3, "samples": lines}
    told = json.loads(textgan("--around", "2", "-n", "3", "--radius", ".5", "--json")[1])
    lines = made.around(2, 3, radius=0.5)
    assert told == {"schema": 1, "model": "runs/one", "around": 2, "radius": 0.5, "n": 3, "samples": lines}
    for seed in ("3", "5", "6"):
        told = json.loads(textgan("-m", "classes", "--from", seed, "--json")[1])
        assert [told["label"]] == new_model(space=CLASSES).labels(1, seed=int(seed))
    assert json.loads(textgan("-m", "classes", "--around", "3", "--label", "fish", "--json")[1])["label"] == "fish"


def test_lines_go_to_a_file(textgan: Command, home: Path) -> None:
    assert textgan("--out", "lines.txt") == (0, "", "")
    assert (home / "lines.txt").read_bytes().decode() == textgan()[1]


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        ("--around 1 --to 2", 2, "--to goes without --around"),
        ("--around 1 --from 0", 2, "--from goes without --around"),
        ("--around 1 --steps 4", 2, "--steps goes without --around"),
        ("-n 4", 2, "-n goes with --around"),
        ("--radius 0", 2, "--radius goes with --around"),
        ("--radius 2 --around 1", 2, "--radius"),
        ("--steps 1", 2, "--steps"),
        ("--from -1", 2, "--from"),
        ("--temperature 0", 2, "--temperature"),
        ("--temperature inf", 1, "the temperature must be a positive number, not inf"),
        ("--label bird", 2, "this model was trained without labels; leave 'bird' out"),
        ("-m absent", 1, "absent does not exist"),
    ],
)
def test_a_wrong_call_is_one_line(options: str, code: int, line: str, textgan: Command) -> None:
    ended, out, err = textgan(*options.split())
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("textgan: error: ")
    assert line in err


def test_help_teaches_with_examples(textgan: Command) -> None:
    code, out, _ = textgan("--help")
    assert code == 0
    assert "  textgan interpolate --around 7 -n 10 " in out
    assert all(f"{default})" in out for default in ("(0", "(1", "(8", "(0.3"))
    assert max(map(len, out.splitlines())) <= 120


def test_neighbours_of_two_seeds_lie_in_different_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = new_model(), list[torch.Tensor]()

    def note(self: Model, points: torch.Tensor, *rest: Any) -> list[str]:
        seen.append(points)
        return []

    monkeypatch.setattr(Model, "_lines", note)
    for seed in (1, 2):
        made.around(seed, 3, radius=1.0)
    assert not torch.isclose(seen[0], seen[1]).any()
    assert len({tuple(row) for row in seen[0].tolist()}) == 3
