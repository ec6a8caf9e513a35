from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textgan import assemble, measure
from textgan.assemble import build, build_critic, choose_device, dry_run, reference, settled
from textgan.checks import check
from textgan.config import Config
from textgan.errors import TextganError, UsageError
from textgan.game.objectives import OBJECTIVES, logistic_critic
from textgan.kinds import text as texts
from textgan.model import build_generator, load
from textgan.opening import kind_of, open_corpus, summary
from textgan.resources import presets
from textgan.settings import resolve
from textgan.spaces import Image, Text


def smoke(text: Path, **flags: Any) -> Config:
    keys = {name.replace("__", "."): value for name, value in flags.items()}
    return resolve("smoke", flags={"corpus.name": str(text)} | keys).config


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))


def of_kind(kind: str) -> list[str]:
    return [name for name in presets() if kind_of(resolve(name).config) == kind]


@pytest.mark.parametrize("name", of_kind("image"))
def test_every_preset_of_pictures_has_nets(name: str) -> None:
    config = resolve(name).config
    check(config)
    labels = ("cat", "dog") if config.corpus.label_column else ()
    with torch.device("meta"):
        space = Image(config.image.side, config.image.channels, labels)
        nets = build_generator(config, space), build_critic(config, space)
    assert all(sum(p.numel() for p in net.parameters()) > 1000 for net in nets if net is not None)


@pytest.mark.parametrize("name", [name for name in of_kind("text") if not name.startswith("wgan_gp")])
def test_every_preset_of_text_builds(name: str, tiny_text: Path) -> None:
    config = resolve(name, flags={"corpus.name": str(tiny_text), "count_critic.orders": (2, 3)}).config
    told = dry_run(config)
    assert (told["schema"], told["steps"]) == (1, config.training.steps)
    assert told["generator_parameters"] > 1000
    assert (told["critic_parameters"] > 1000) == (config.critic.net != "none")
    assert told["corpus"]["train"] > 300 > told["corpus"]["heldout"] > 10


@pytest.mark.parametrize("name", ["wgan_gp", "wgan_gp_ttur"])
def test_the_papers_presets_have_the_papers_nets(name: str) -> None:
    config = resolve(name).config
    check(config)
    with torch.device("meta"):
        nets = (
            build_generator(config, Text(tuple(map(chr, range(32, 130))), 32)),
            build_critic(config, Text(tuple(map(chr, range(32, 130))), 32)),
        )
    assert [sum(p.numel() for p in net.parameters()) for net in nets if net is not None] == [15_277_156, 13_180_417]
    c = config
    assert (c.text.length, c.text.cut, c.text.pad, c.text.decode, c.text.max_symbols) == (
        32, "line", "backtick", "argmax", 2048,
    )  # fmt: skip
    assert (c.training.batch, c.training.steps, c.corpus.max_lines) == (64, 200_000, 10_000_000)
    assert (c.generator.averaging, c.generator.betas, c.critic.betas) == (0, (0.5, 0.9), (0.5, 0.9))
    assert (c.game.objective, c.game.penalties, c.game.weight) == ("wasserstein", {"gradient_penalty": 10}, 1)
    assert (c.count_critic.weight, c.window_likelihood.weight) == (0, 0)
    rates = (c.critic.learning_rate, c.generator.learning_rate, c.critic.steps)
    assert rates == ((1e-4, 1e-4, 10) if name == "wgan_gp" else (3e-4, 1e-4, 1))


def test_parts_follow_the_configuration(tiny_text: Path) -> None:
    parts = build(smoke(tiny_text, game__penalties={"r1": 2.0, "r2": 0.0}, count_critic__weight=0.25))
    assert {name: weight for name, (weight, _) in parts.game.penalties.items()} == {"r1": 2.0}
    assert {name: weight for name, (weight, _) in parts.game.terms.items()} == {"count_critic": 0.25}
    assert parts.game.weight == 0.05
    assert parts.state.step == 0
    assert parts.state.critic is not None
    groups = [player.optimizer.param_groups[0] for player in (parts.state.generator, parts.state.critic)]
    assert [(group["lr"], group["betas"]) for group in groups] == [(1e-3, (0.5, 0.99))] * 2
    plan = assemble.plan_of(parts.config, parts.device)
    assert (plan.steps, plan.batch, plan.seconds, plan.latent) == (20, 16, float("inf"), 16)


def test_every_configured_minute_is_sixty_seconds(tiny_text: Path) -> None:
    plan = assemble.plan_of(smoke(tiny_text, training__minutes=1.5), torch.device("cpu"))
    assert plan.seconds == 90


def test_weights_come_from_the_seed_and_the_generators_do_not_depend_on_the_critic(tiny_text: Path) -> None:
    def first(**flags: Any) -> torch.Tensor:
        torch.rand(3)
        return build(smoke(tiny_text, **flags)).state.generator.parameters[0].detach()

    assert torch.equal(first(), first())
    assert torch.equal(first(), first(critic__width=13))
    assert not torch.equal(first(), first(training__seed=1))


def test_building_leaves_torchs_global_generator_alone(tiny_text: Path) -> None:
    config, before = smoke(tiny_text), torch.get_rng_state()
    build(config)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["cuda:99", "nonsense", "mps:7", "meta"])
def test_a_device_that_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match=r"training\.device"):
        choose_device(name)


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


def test_paths_are_made_absolute_and_names_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python_docs").write_text("a registered name comes first")
    (tmp_path / "my.txt").write_text("x")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def names(name: str, data: str = "") -> tuple[str, str]:
        config = settled(resolve("smoke", flags={"corpus.name": name, "corpus.data": data}).config)
        return config.corpus.name, config.corpus.data

    assert names("my.txt") == (str(tmp_path / "my.txt"), "")
    assert names("python_docs", "there") == ("python_docs", str(tmp_path / "there"))
    assert names("~/my.txt", "~/there") == (str(tmp_path / "my.txt"), str(tmp_path / "there"))
    assert names("absent.txt") == ("absent.txt", "")
    assert names("~nobody-at-all/x", "~nobody-at-all/x") == ("~nobody-at-all/x", "~nobody-at-all/x")


def test_a_corpus_without_a_name_is_not_the_current_folder(
    tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.txt").write_text(tiny_text.read_text())
    monkeypatch.chdir(tmp_path)
    config = resolve("smoke", flags={"corpus.name": ""}).config
    assert settled(config).corpus.name == ""
    with pytest.raises(UsageError, match="unknown corpus ''"):
        dry_run(config)


def test_text_that_changed_is_not_measured_against(tmp_path: Path, tiny_text: Path, own_cache: None) -> None:
    text = tmp_path / "x.txt"
    text.write_text(tiny_text.read_text())
    parts = build(smoke(text))
    assemble.model_of(parts, None).save(tmp_path / "model")
    model = load(tmp_path / "model")
    held, trained, sources = reference(model)
    assert len(sources) == len(held)
    lines = set(tiny_text.read_text().splitlines())
    assert len(held) == len(parts.corpus.heldout.ids)
    assert len(trained) == len(parts.corpus.train.ids)
    assert all(any(line.startswith(row) or f" {row}" in line for line in lines) for row in held[:5])
    text.write_text(tiny_text.read_text() + "one more line here\n")
    with pytest.raises(TextganError, match="no longer what this model was trained on"):
        reference(model)


def test_rows_are_decoded_when_they_are_asked_for() -> None:
    space = Text(tuple("abc"), 2)
    ids = space.encode(["ab", "c", "", "ca"])
    lines = texts.lines_of(space, ids)
    assert list(lines) == lines[:] == ["ab", "c", "", "ca"]
    ids[1] = ids[0]
    assert (len(lines), lines[1], lines[-1], lines[2:]) == (4, "ab", "ca", ["", "ca"])
    with pytest.raises(IndexError):
        lines[4]


def test_the_critics_check_is_its_mean_on_each_side(tiny_text: Path) -> None:
    parts = build(smoke(tiny_text))
    checked = measure.critic_check(parts)["critic"]
    assert checked == measure.critic_check(parts)["critic"]  # at the same rows each time
    assert checked.keys() == {"train", "heldout", "fake", "slope", "rows"}
    assert checked["slope"] > 0
    assert parts.state.critic is not None
    with torch.no_grad():
        parts.state.critic.parameters[-1].add_(5)  # the bias of the score
    moved = measure.critic_check(parts)["critic"]
    assert [moved[side] - checked[side] for side in ("train", "heldout", "fake")] == pytest.approx([5] * 3, abs=1e-4)
    assert moved["slope"] == pytest.approx(checked["slope"])
    assert measure.critic_check(build(smoke(tiny_text, critic__net="none"))) == {}


def test_the_critics_check_sees_samples_as_the_step_would(tiny_text: Path) -> None:
    """A cold softmax is nearly one-hot, and smoothed real samples are not."""
    parts = build(smoke(
        tiny_text, count_critic__weight=0.0, generator__final_temperature=1e-4, game__real_smoothing=(0.0, 0.9)
    ))  # fmt: skip

    class Sharpness(torch.nn.Linear):
        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return samples.square().sum((1, 2)) / 16

    assert parts.state.critic is not None
    parts.state.critic.net = Sharpness(1, 1)
    found = []
    for step in (0, 10, 20):
        parts.state.step = step
        found.append(measure.critic_check(parts)["critic"])
    assert [values["train"] for values in found] == sorted((values["train"] for values in found), reverse=True)
    assert found[0]["train"] == pytest.approx(1)
    assert found[2]["train"] == pytest.approx(0.1**2 + 0.9**2 / (parts.space.size - 1), rel=1e-4)
    assert found[0]["fake"] < 0.3
    assert found[2]["fake"] > 0.99


def test_the_objective_and_the_constraint_take_their_numbers(tiny_text: Path) -> None:
    real, fake = torch.tensor([0.3, -1.0]), torch.tensor([0.5, 2.0])
    flags = {"game__objective": "non_saturating", "game__constraint": "weight_clipping", "game__clip": 0.25}
    game = assemble.build_game(smoke(tiny_text, **flags, game__real_label=0.9), {})
    assert torch.equal(game.objective.critic(real=real, fake=fake), logistic_critic(real=real, fake=fake, target=0.9))
    assert game.objective.generator is OBJECTIVES["non_saturating"].generator
    assert assemble.build_game(smoke(tiny_text, **flags), {}).objective is OBJECTIVES["non_saturating"]
    net = torch.nn.Linear(4, 4)
    torch.nn.init.constant_(net.weight, 9.0)
    game.constraint.after_step(net)
    assert net.weight.max().item() == 0.25
    wrapped = assemble.build_constraint(
        smoke(tiny_text, game__constraint="piecewise_gradient_normalisation", game__lipschitz=3.0)
    ).wrap(lambda samples: samples.sum(1))  # type: ignore[arg-type]
    assert wrapped(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(3 * 2 * 2**0.5 / 2.1)


def test_equalities_are_told_from_penalties_and_carry_their_state(tiny_text: Path) -> None:
    parts = build(smoke(tiny_text, game__penalties={"r1": 2.0, "sobolev": 0.5}))
    assert {name: weight for name, (weight, _) in parts.game.penalties.items()} == {"r1": 2.0}
    assert {name: weight for name, (weight, _) in parts.game.equalities.items()} == {"sobolev": 0.5}
    assert parts.state.states.keys() == {"count_critic", "sobolev"}
    assert build(smoke(tiny_text, game__penalties={"sobolev": 0.0})).game.equalities == {}


def test_reinforce_brings_its_term_with_the_adversarial_weight(tiny_text: Path) -> None:
    parts = build(smoke(tiny_text, generator__relaxation="reinforce", game__weight=0.3, game__baseline=0.5))
    assert {name: weight for name, (weight, _) in parts.game.terms.items()} == {"count_critic": 1.0, "policy": 0.3}
    assert parts.state.states["policy"]["baseline"].shape == (16,)


def test_both_players_have_their_optimizer_and_their_history(tiny_text: Path) -> None:
    flags = {"critic__optimizer": "rmsprop", "critic__betas": (0.0, 0.7), "game__historical_averaging": 0.2}
    state = build(smoke(tiny_text, **flags)).state
    assert state.critic is not None
    assert isinstance(state.generator.optimizer, torch.optim.Adam)
    assert isinstance(state.critic.optimizer, torch.optim.RMSprop)
    assert state.critic.optimizer.param_groups[0]["alpha"] == 0.7
    assert [player.inertia for player in (state.generator, state.critic)] == [0.2, 0.2]


def test_plain_settings_reach_the_plan(tiny_text: Path) -> None:
    flags = {"generator__final_temperature": 0.5, "game__real_smoothing": (0.3, 0.1), "likelihood__pretrain": 7}
    plan = assemble.plan_of(smoke(tiny_text, **flags), torch.device("cpu"))
    assert (plan.temperature, plan.final_temperature, plan.real_smoothing, plan.pretrain) == (1, 0.5, (0.3, 0.1), 7)


def test_the_critics_check_is_of_the_critic_as_the_game_constrains_it(tiny_text: Path) -> None:
    parts = build(smoke(tiny_text, game__constraint="gradient_normalisation", game__penalties={}))
    assert parts.state.critic is not None
    checked = measure.critic_check(parts)["critic"]
    with torch.no_grad():
        for weights in parts.state.critic.parameters[-2:]:
            weights.mul_(1000)  # c D scores and slopes as D under this constraint
    large = measure.critic_check(parts)["critic"]
    assert large == pytest.approx(checked, rel=1e-3)
    assert all(abs(checked[side]) < 1 for side in ("train", "heldout", "fake"))


def test_rows_go_to_the_terms_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "BLOCK", 3)
    ids = np.arange(14, dtype=np.uint16).reshape(7, 2)
    blocks = list(texts.blocks(ids))
    assert [len(block) for block in blocks] == [3, 3, 1]
    assert torch.cat(blocks).tolist() == ids.tolist()


def test_a_summary_is_one_line(tiny_text: Path) -> None:
    corpus = open_corpus(smoke(tiny_text))
    line = summary(corpus)
    assert "\n" not in line
    assert f"{len(corpus.train.ids):,} training" in line


def test_rows_that_are_mostly_padding_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{'ab' * (1 + i % 10)}{i}\n" for i in range(200)))
    assert texts.padding(open_corpus(smoke(path, text__length=20, text__cut="line"))) is None
    told = texts.padding(open_corpus(smoke(path, text__length=64, text__cut="line")))
    assert told is not None
    assert re.fullmatch(r"7\d% of the positions are padding; text.length=2[123] holds 9 of 10 lines, .*", told)


def test_a_critic_that_looks_at_its_batch_is_shown_whole_batches_of_its_size(tiny_text: Path) -> None:
    flags = {"critic__minibatch": "discrimination", "game__penalties": {"r1": 1.0}, "training__batch": 60}
    parts = build(smoke(tiny_text, **flags))
    assert parts.state.critic is not None
    seen: list[int] = []
    parts.state.critic.net.register_forward_hook(lambda net, inputs, output: seen.append(len(inputs[0])))
    checked = measure.critic_check(parts)["critic"]
    assert "slope" not in checked  # of a sample it has none
    assert set(seen) == {60}
    assert len(seen) == 3 * (256 // 60)
