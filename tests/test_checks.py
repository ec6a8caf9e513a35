"""What is refused, and that what is not refused trains."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from textgan.assemble import build, build_on, plan_of
from textgan.checks import AT_ONE, BENT, DROPPING, LABELLED, LAYERED, PIECEWISE_LINEAR, check
from textgan.config import Config
from textgan.corpora.prepare import Corpus
from textgan.errors import UsageError
from textgan.game.constraints import CONSTRAINTS
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import EQUALITIES, PENALTIES
from textgan.game.relaxations import DRAWN_AT_ONE, RELAXATIONS
from textgan.game.terms import TERMS
from textgan.nets import CRITICS, CRITICS_OF, GENERATORS_OF
from textgan.opening import check_corpus, open_corpus
from textgan.settings import resolve
from textgan.training.loop import play_step


def smoke(text: Path, flags: dict[str, Any]) -> Config:
    return resolve("smoke", flags={"corpus.name": str(text)} | flags).config


NO_COUNTS = {"count_critic.weight": 0.0}
RECURRENT = {"generator.net": "recurrent"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"corpus.name": "digits", "corpus.errors": "replace"}, r"^corpus\.errors: .*; use strict or skip$"),
        ({"corpus.name": "digits", "text.length": 16}, r"^text: is for text, and digits is pictures; leave it out$"),
        ({"corpus.name": "digits", "corpus.lower": True}, r"^corpus\.lower: is for text, and digits is pictures"),
        ({"corpus.name": "a.txt", "image.side": 64}, r"^image: is for pictures, and a\.txt is text"),
    ],
)
def test_what_a_corpus_has_no_use_for_is_refused_before_it_is_prepared(flags: dict[str, Any], message: str) -> None:
    config = resolve("pictures" if flags["corpus.name"] == "digits" else None, flags=flags).config
    for refuse in (check_corpus, check):
        with pytest.raises(UsageError, match=message):
            refuse(config)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"generator.net": "papre"}, r"^generator\.net: there is no 'papre'; did you mean 'paper'\?"),
        ({"critic.net": "non"}, r"^critic\.net: .*did you mean 'none'"),
        ({"generator.relaxation": "gumbol"}, r"^generator\.relaxation: there is no 'gumbol'"),
        ({"game.objective": "waserstein"}, r"did you mean 'wasserstein'"),
        ({"game.constraint": "clipping"}, r"^game\.constraint: .*weight_clipping"),
        ({"game.constraint": "spectral"}, r"^game\.constraint: there is no 'spectral'; did you mean 'spectral_norm'"),
        ({"game.penalties": {"r3": 1.0}}, r"^game\.penalties\.r3: "),
        ({"game.penalties": {"sobolov": 1.0}}, r"^game\.penalties\.sobolov: .*'sobolev'"),
        ({"generator.kernel": 4}, r"^generator\.kernel: 4 is even"),
        ({"critic.kernel": 2}, r"^critic\.kernel: 2 is even"),
        ({"count_critic.orders": ()}, r"count_critic\.orders: is empty"),
        ({"count_critic.orders": (3, 17)}, r"^count_critic\.orders: \[3, 17\] .*1 to text\.length \(16\)"),
        ({"generator.temperature": 0.5}, r"^generator\.temperature: must be 1 with count_critic"),
        ({"generator.final_temperature": 0.5}, r"^generator\.final_temperature: must be 1 with count_critic"),
        (
            NO_COUNTS | {"generator.relaxation": "reinforce", "generator.temperature": 0.5},
            r"^generator\.temperature: must be 1 with reinforce",
        ),
        (
            NO_COUNTS | {"generator.relaxation": "reinforce", "generator.final_temperature": 2.0},
            r"^generator\.final_temperature: must be 1 with reinforce",
        ),
        (
            NO_COUNTS | {"window_likelihood.weight": 1.0, "generator.temperature": 2.0},
            r"^generator\.temperature: must be 1 with window_likelihood",
        ),
        ({"likelihood.weight": 1.0}, r"^likelihood\.weight: the net 'upsampling' gives no likelihood"),
        ({"likelihood.pretrain": 3}, r"^likelihood\.pretrain: the net 'upsampling' gives no likelihood"),
        (
            {"generator.relaxation": "straight_through_argmax"},
            r"^generator\.relaxation: straight_through_argmax draws no symbols, which count_critic counts",
        ),
        (NO_COUNTS | {"critic.net": "none"}, "nothing would teach the generator"),
        (NO_COUNTS | {"game.weight": 0.0}, "nothing would teach the generator"),
        (NO_COUNTS | RECURRENT | {"critic.net": "none", "likelihood.pretrain": 9}, "nothing would teach the generator"),
        ({"critic.net": "none", "generator.relaxation": "reinforce"}, r"^generator\.relaxation: .* paid by a critic"),
        ({"critic.net": "none", "feature_matching.weight": 1.0}, r"^feature_matching\.weight: .*critic\.net is none"),
        (
            {"generator.relaxation": "reinforce", "feature_matching.weight": 1.0},
            r"^feature_matching\.weight: reinforce lets no gradient through the sample",
        ),
        *(
            ({"game.objective": name, "game.real_label": 0.9}, rf"^game\.real_label: {name} has no labels .*minimax")
            for name in ("wasserstein", "relativistic", "hinge")
        ),
        ({"game.constraint": "spectral_norm", "critic.net": "recurrent"}, r"^game\.constraint: spectral_norm bounds"),
        ({"game.constraint": "spectral_norm", "critic.net": "transformer"}, r"^game\.constraint: spectral_norm bounds"),
        (
            {"game.constraint": "spectral_norm", "critic.norm": "layer"},
            r"^critic\.norm: layer divides by what",
        ),
        (
            NO_COUNTS | RECURRENT | {"likelihood.pretrain": 2, "generator.temperature": 0.5},
            r"^generator\.temperature: must be 1 with likelihood",
        ),
        (
            {"critic.net": "recurrent", "game.penalties": {"consistency": 2.0}},
            r"^game\.penalties\.consistency: the net 'recurrent' has no dropout; use 0, or the net paper or do",
        ),
        (
            NO_COUNTS | {"game.penalties": {"consistency": 2.0}, "critic.dropout": 0.5, "text.length": 7},
            r"^game\.penalties\.consistency: so short a text\.length",
        ),
        ({"game.penalties": {"consistency": 1.0}}, r"^critic\.dropout: must be above 0 with the penalty consistency"),
        ({"critic.dropout": 0.5}, r"^critic\.dropout: nothing but the penalty consistency drops values"),
        ({"generator.optimizer": "rmsprop"}, r"^generator\.betas: rmsprop .*set generator\.betas=\[0\.0, 0\.99\]"),
        ({"critic.optimizer": "rmsprop"}, r"^critic\.betas: rmsprop .*set critic\.betas=\[0\.0, 0\.99\]"),
        (
            {"training.graphs": True} | NO_COUNTS | {"generator.final_temperature": 0.5},
            r"^training\.graphs: generator\.final_temperature changes from step to step",
        ),
        (
            {"training.graphs": True, "game.real_smoothing": (0.1, 0.0)},
            r"^training\.graphs: game\.real_smoothing changes",
        ),
        (
            {"training.graphs": True, "game.penalties": {"sobolev": 1.0}},
            r"^training\.graphs: game\.penalties\.sobolev changes",
        ),
    ],
)
def test_a_refusal_is_one_line_with_the_key(flags: dict[str, Any], message: str, tiny_text: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check(smoke(tiny_text, flags))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        {"generator.relaxation": "gumbel_softmax", "generator.temperature": 0.5},  # counts see its draws at 1
        {"generator.final_temperature": 1.0},
        {"generator.relaxation": "straight_through_argmax"} | NO_COUNTS,
        {"generator.optimizer": "rmsprop", "generator.betas": (0.0, 0.9)},
        {"training.graphs": True, "game.real_smoothing": (0.1, 0.1), "game.penalties": {"sobolev": 0.0}},
        {"training.graphs": True, "generator.final_temperature": 1.0},
        NO_COUNTS | {"game.weight": 0.0, "feature_matching.weight": 1.0},
        NO_COUNTS | RECURRENT | {"likelihood.pretrain": 3},
        {"critic.net": "none", "game.constraint": "piecewise_gradient_normalisation"},
    ],
)
def test_what_can_work_is_let_through(flags: dict[str, Any], tiny_text: Path) -> None:
    check(smoke(tiny_text, flags))


def test_only_the_orders_of_terms_in_play_must_fit(tiny_text: Path) -> None:
    flags: dict[str, Any] = {"window_likelihood.order": 17}
    check(smoke(tiny_text, flags))
    with pytest.raises(UsageError, match=r"^window_likelihood\.order: \[17\] must lie within 1 to text\.length \(16\)"):
        check(smoke(tiny_text, flags | {"window_likelihood.weight": 1.0}))
    check(smoke(tiny_text, NO_COUNTS | {"count_critic.orders": (17,)}))


def test_a_game_without_a_critic_may_have_other_terms(tiny_text: Path) -> None:
    check(smoke(tiny_text, NO_COUNTS | {"critic.net": "none", "window_likelihood.weight": 1.0}))


def test_piecewise_normalisation_wants_a_critic_that_is_linear_between_kinks(
    tiny_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CRITICS, "smooth", CRITICS["paper"])
    flags = {"game.constraint": "piecewise_gradient_normalisation"}
    with pytest.raises(UsageError, match=r"^game\.constraint: piecewise_gradient_normalisation .*'smooth' is none"):
        check(smoke(tiny_text, flags | {"critic.net": "smooth"}))
    for name in {*PIECEWISE_LINEAR} & (CRITICS.keys() | {"none"}):
        check(smoke(tiny_text, flags | {"critic.net": name}))
    check(resolve("toy", flags=flags | {"game.penalties": {}}).config)


def test_the_tables_here_name_parts_that_there_are() -> None:
    assert set(AT_ONE) <= TERMS.keys()
    assert RELAXATIONS.keys() >= DRAWN_AT_ONE
    critics = {name for nets in CRITICS_OF.values() for name in nets}
    generators = {name for nets in GENERATORS_OF.values() for name in nets}
    assert set(PIECEWISE_LINEAR) <= critics | {"none"}
    assert critics >= DROPPING
    assert critics | generators >= LAYERED
    assert generators >= LABELLED | BENT
    assert not EQUALITIES.keys() & PENALTIES.keys()


def test_labels_that_reinforce_cannot_teach_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("text\tlabel\n" + "".join(f"some words {i}\t{'ab'[i % 2]}\n" for i in range(100)))
    flags = {"corpus.label_column": "label", "generator.relaxation": "reinforce"}
    build(smoke(path, flags | {"game.condition": "projection"}))
    with pytest.raises(UsageError, match=r"^game\.condition: auxiliary"):
        build(smoke(path, flags | {"game.condition": "auxiliary"}))


SMALL: dict[str, Any] = {
    "generator.width": 4, "critic.width": 4, "generator.blocks": 1, "critic.blocks": 1, "training.batch": 6,
    "game.weight": 1.0,
} | NO_COUNTS  # fmt: skip
ALONE: list[dict[str, Any]] = [
    *({"generator.relaxation": name} for name in RELAXATIONS),
    *({"game.constraint": name} for name in CONSTRAINTS),
    *({"game.objective": name} for name in OBJECTIVES),
    *({"game.penalties": {name: 1.0}} for name in (*PENALTIES, *EQUALITIES) if name != "consistency"),
    {"game.penalties": {"consistency": 1.0}, "critic.dropout": 0.5},
    {"feature_matching.weight": 1.0},
    {"feature_matching.weight": 1.0, "game.weight": 0.0, "critic.net": "paper"},
    {"game.historical_averaging": 0.1},
    {"game.real_smoothing": (0.1, 0.0)},
    {"game.objective": "minimax", "game.real_label": 0.9},
    {"generator.final_temperature": 0.2},
    {"generator.optimizer": "rmsprop", "generator.betas": (0.0, 0.9)},
    {"critic.optimizer": "rmsprop", "critic.betas": (0.0, 0.9)},
    {"count_critic.weight": 1.0, "generator.relaxation": "reinforce"},
    RECURRENT | {"likelihood.pretrain": 2, "generator.relaxation": "reinforce"},
]
GRID = list(itertools.product(RELAXATIONS, CONSTRAINTS, OBJECTIVES))
TOGETHER = [
    {"generator.relaxation": relaxation, "game.constraint": constraint, "game.objective": objective,
     "game.penalties": {"sobolev": 0.1} if k % 3 else {}, "game.historical_averaging": 0.01 * (k % 2)}
    for k, (relaxation, constraint, objective) in enumerate(random.Random(0).sample(GRID, 20))
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tiny_text: Path) -> Corpus[Any]:
    return open_corpus(smoke(tiny_text, SMALL))


@pytest.mark.parametrize("flags", ALONE + TOGETHER, ids=str)
def test_what_is_not_refused_trains(flags: dict[str, Any], corpus: Corpus[Any], tiny_text: Path) -> None:
    config = smoke(tiny_text, SMALL | flags)
    check(config)
    parts = build_on(config, corpus, torch.device("cpu"))
    plan = plan_of(config, parts.device)
    before = [parameter.detach().clone() for parameter in parts.state.generator.parameters]
    for _ in range(3):
        relaxation = RELAXATIONS[config.generator.relaxation]
        losses = play_step(parts.state, plan, parts.source, parts.game, relaxation)
        parts.state.step += 1
        assert all(math.isfinite(value) for side in losses.values() for value in side.values())
    after = parts.state.generator.parameters
    assert all(weight.isfinite().all() for weight in after)
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
