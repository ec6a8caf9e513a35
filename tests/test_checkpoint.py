from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from textgan.contract import Constraint
from textgan.errors import CorruptError, FormatError
from textgan.files import seal
from textgan.game.counts import count_critic
from textgan.game.likelihood import window_likelihood
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import RELAXATIONS
from textgan.game.steps import Game
from textgan.nets import CRITICS, GENERATORS
from textgan.training import checkpoint
from textgan.training.loop import Plan, Source, play_step
from textgan.training.state import Player, TrainingState, within

ROWS = np.random.default_rng(0).integers(0, 5, (60, 8)).astype(np.uint8)
SOURCE = Source(ROWS, lambda ids, rng=None: torch.nn.functional.one_hot(ids, 5).float())
PLAN = Plan(
    steps=20, batch=8, latent=4, critic_steps=2, critic_every=2, critic_batch=6, temperature=1.0, schedule="linear",
    seed=3, log_every=1, evaluate_every=1,
)  # fmt: skip


def new_game(adversarial: bool = True) -> Game:
    rows = [torch.from_numpy(ROWS)]
    terms = {
        # forgetting so fast that the counts are scaled back within the run
        "count_critic": (1.0, count_critic(rows, symbols=5, orders=(2, 3), clip=0.7, forgetting=0.4, kept=3)),
        "window_likelihood": (0.5, window_likelihood(rows, symbols=5, order=3, real=20, fake=30)),
    }
    penalties = {"gradient_penalty": (10.0, PENALTIES["gradient_penalty"])} if adversarial else {}
    return Game(OBJECTIVES["wasserstein"], 0.5, penalties, Constraint(), terms)


def new_state(game: Game, seed: int = 0, adversarial: bool = True) -> TrainingState:
    torch.manual_seed(seed)
    shape = {"length": 8, "symbols": 5, "width": 6, "blocks": 1, "kernel": 3}
    generator = Player.of(GENERATORS["upsampling"](latent=4, **shape), 1e-2, (0.5, 0.9))
    critic = Player.of(CRITICS["downsampling"](**shape), 1e-2, (0.0, 0.9)) if adversarial else None
    return TrainingState(generator, critic, 0.9, {name: term for name, (_, term) in game.terms.items()})


def play(state: TrainingState, game: Game, steps: int) -> None:
    for _ in range(steps):
        play_step(state, PLAN, SOURCE, game, RELAXATIONS["softmax"])
        state.step += 1


def saved(folder: Path, step: int, score: float | None, value: float = 0.0) -> None:
    checkpoint.save(folder, step, {"x": torch.tensor([value])}, {"score": score})


@pytest.mark.parametrize("adversarial", [True, False])
def test_a_resumed_run_is_the_uninterrupted_run_bit_for_bit(adversarial: bool, tmp_path: Path) -> None:
    game = new_game(adversarial)
    straight = new_state(game, adversarial=adversarial)
    play(straight, game, 20)

    game = new_game(adversarial)
    first = new_state(game, adversarial=adversarial)
    play(first, game, 11)
    checkpoint.save(tmp_path, 11, first.tensors(), {"score": None})

    game = new_game(adversarial)
    second = new_state(game, seed=1, adversarial=adversarial)
    tensors, state = checkpoint.load(tmp_path, 11)
    second.load(state["step"], tensors)
    assert_same(first.tensors(), second.tensors())
    play(second, game, 9)
    assert second.step == 20
    assert_same(straight.tensors(), second.tensors())


def assert_same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_a_checkpoint_holds_all_that_training_changes() -> None:
    game = new_game()
    state = new_state(game)
    play(state, game, 1)
    tensors = state.tensors()
    nets = {"generator.net": state.generator.net, "critic.net": getattr(state.critic, "net", None)}
    for name, net in (nets | {"average": state.average}).items():
        assert net is not None
        assert within(name, tensors).keys() == net.state_dict().keys()
    for side, net in (("generator", state.generator.net), ("critic", nets["critic.net"])):
        assert net is not None
        moments = within(f"{side}.optimizer", tensors)
        assert len(moments) == 3 * len(list(net.parameters()))
        assert moments["0.exp_avg"].abs().max() > 0
    assert within("terms.count_critic", tensors).keys() == {
        f"{n}.{name}" for n in (2, 3) for name in ("increment", "total", "slots", "counts")
    }


def test_what_the_counts_know_of_both_sides_survives_exactly(tmp_path: Path) -> None:
    game = new_game()
    state = new_state(game)
    play(state, game, 7)
    checkpoint.save(tmp_path, 7, state.tensors(), {"score": None})
    again = new_state(new_game())
    again.load(7, checkpoint.load(tmp_path, 7)[0])
    for name, value in state.states["count_critic"].items():
        assert torch.equal(again.states["count_critic"][name], value)
    play(state, game, 1)
    play(again, new_game(), 1)  # P is counted anew from the corpus
    assert_same(state.tensors(), again.tensors())


def test_tensors_are_safetensors_and_the_rest_strict_json(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 123, {"a.b": torch.arange(3).t()}, {"score": 0.25, "more": [1]})
    folder = tmp_path / "step-000123"
    assert {path.name for path in folder.iterdir()} == {"tensors.safetensors", "state.json", "manifest.json"}
    assert load_file(folder / "tensors.safetensors")["a.b"].tolist() == [0, 1, 2]
    assert json.loads((folder / "state.json").read_text()) == {
        "schema": 2, "step": 123, "score": 0.25, "more": [1],
    }  # fmt: skip
    with pytest.raises(ValueError, match="JSON"):
        checkpoint.save(tmp_path, 124, {}, {"score": float("nan")})
    assert checkpoint.steps(tmp_path) == [123]


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    kept = []
    for step, score in [(10, 0.5), (20, 0.3), (30, 0.4), (40, None), (50, 0.3), (60, 0.9), (1_000_000, 0.31)]:
        saved(tmp_path, step, score, float(step))
        kept.append(checkpoint.steps(tmp_path))
    assert kept == [
        [10], [10, 20], [20, 30], [20, 30, 40], [40, 50], [50, 60], [50, 60, 1_000_000],
    ]  # of equals, the later  # fmt: skip
    assert checkpoint.best(checkpoint.scores_of(tmp_path)) == 50
    assert checkpoint.load(tmp_path, 50)[0]["x"].item() == 50
    saved(tmp_path, 55, 0.9)  # the run went back
    assert checkpoint.steps(tmp_path) == [50, 55]


def test_a_damaged_neighbour_is_neither_best_nor_kept(tmp_path: Path) -> None:
    for step, score in [(10, 0.5), (20, 0.1), (30, 0.4)]:
        saved(tmp_path, step, score)
    (tmp_path / "step-000020" / "tensors.safetensors").unlink()
    (tmp_path / "step-000030" / "state.json").write_text("{")
    assert checkpoint.best(checkpoint.scores_of(tmp_path)) is None
    saved(tmp_path, 40, 0.6)
    saved(tmp_path, 50, 0.7)
    assert checkpoint.steps(tmp_path) == [40, 50]
    assert checkpoint.best(checkpoint.scores_of(tmp_path)) == 40


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _says(path: Path, **facts: Any) -> None:
    """Have a state say something else, under a manifest that fits."""
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(state | facts))
    seal(path)


def _empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "bit": (lambda path: _flip(path / "tensors.safetensors"), r"tensors\.safetensors is damaged \(not what"),
    "short": (lambda path: os.truncate(path / "tensors.safetensors", 9), r"tensors\.safetensors is damaged \(not what"),
    "gone": (lambda path: (path / "state.json").unlink(), r"state\.json is missing"),
    "bare": (lambda path: (path / "manifest.json").unlink(), r"manifest\.json is missing or damaged"),
    "empty": (_empty, r"manifest\.json is missing or damaged"),
    "renamed": (lambda path: _says(path, step=20), r"state\.json is of step 20"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_newest_whole_checkpoint_is_found_and_the_damaged_ones_named(kind: str, tmp_path: Path) -> None:
    damage, said = DAMAGE[kind]
    saved(tmp_path, 110, 0.5)
    saved(tmp_path, 120, 0.4)
    for junk in ("step-abc", "step-0000130", "step-²²²²²²"):
        (tmp_path / junk).mkdir()
    (tmp_path / "step-000140").write_text("no folder")
    damage(tmp_path / "step-000120")
    step, wrong = checkpoint.whole(tmp_path)
    assert step == 110
    assert len(wrong) == 1
    assert re.search(f"step-000120/{said}", wrong[0])
    with pytest.raises(CorruptError, match=said):
        checkpoint.load(tmp_path, 120)
    shutil.rmtree(tmp_path / "step-000110")
    assert checkpoint.whole(tmp_path)[0] is None


def test_a_checkpoint_of_another_version_is_not_gone_behind(tmp_path: Path) -> None:
    saved(tmp_path, 110, 0.5)
    saved(tmp_path, 120, 0.4)
    _says(tmp_path / "step-000120", schema=3)
    with pytest.raises(FormatError, match=r"state\.json is of format 3, and this textgan reads 2; upgrade textgan"):
        checkpoint.whole(tmp_path)
    _says(tmp_path / "step-000120", schema=0)
    with pytest.raises(FormatError, match="is of format 0, which is no longer read"):
        checkpoint.whole(tmp_path)
    state = json.loads((tmp_path / "step-000120" / "state.json").read_text())
    state.pop("schema")  # as the first format is
    (tmp_path / "step-000120" / "state.json").write_text(json.dumps(state))
    seal(tmp_path / "step-000120")
    assert checkpoint.whole(tmp_path) == (120, [])


def test_the_state_alone_is_read_without_the_tensors(tmp_path: Path) -> None:
    folder = tmp_path / "a; b"
    saved(folder, 7, 0.5)
    path = folder / "step-000007" / "tensors.safetensors"
    _flip(path)
    assert checkpoint.state_of(folder, 7)["score"] == 0.5
    assert checkpoint.whole(folder) == (None, [f"{path} is damaged (not what its manifest says)"])


def test_what_is_loaded_does_not_hang_on_the_file(tmp_path: Path) -> None:
    saved(tmp_path, 1, None, 2.0)
    tensors, _ = checkpoint.load(tmp_path, 1)
    path = tmp_path / "step-000001" / checkpoint.TENSORS
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert tensors["x"].item() == 2.0


def test_no_checkpoint_is_no_best(tmp_path: Path) -> None:
    assert checkpoint.steps(tmp_path / "absent") == []
    assert checkpoint.best(checkpoint.scores_of(tmp_path)) is None
    saved(tmp_path, 1, None)
    assert checkpoint.best(checkpoint.scores_of(tmp_path)) is None


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
def test_one_flipped_bit_is_found(name: str, tmp_path: Path) -> None:
    saved(tmp_path, 7, 0.5, 3.0)
    path = tmp_path / "step-000007" / name
    content = bytearray(path.read_bytes())
    content[-2 if name != "manifest.json" else content.index(b"bytes")] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=name):
        checkpoint.load(tmp_path, 7)


def test_what_is_no_checkpoint_is_not_taken_for_one(tmp_path: Path) -> None:
    saved(tmp_path, 7, 0.5)
    for name in (".step-000008.123.tmp", "step-best", "step-"):
        (tmp_path / name).mkdir()
    assert checkpoint.steps(tmp_path) == [7]


def test_names_within_a_part() -> None:
    x = torch.zeros(())
    assert within("a.b", {"a.b.c": x, "a.bc": x, "a": x, "x.a.b.c": x}).keys() == {"c"}
