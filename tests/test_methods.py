"""What is told of methods: all of them, and nothing that the parts, the presets and the checks do not bear out."""

from __future__ import annotations

import inspect
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import start
from torch import Tensor
from torch.nn import functional as F

from textgan import opening
from textgan.checks import CHECKS, check
from textgan.cli.main import main
from textgan.config import Config
from textgan.game import counts
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.history import historical_averaging
from textgan.game.likelihood import teacher_nll, window_nll
from textgan.game.matching import mean_distance
from textgan.game.objectives import OBJECTIVES, logistic_critic
from textgan.game.penalties import EQUALITIES, PENALTIES
from textgan.game.policy import surrogate
from textgan.game.relaxations import BOUNDED, EXACT, RELAXATIONS, smoothed
from textgan.game.terms import TERMS
from textgan.methods import HEADINGS, METHODS
from textgan.methods.method import ON_PICTURES, ON_TOYS, Method, Paper, Recipe, Source
from textgan.methods.presets import PLAYED, PRACTISED, Preset, parse, read, recipe, users, weights
from textgan.nets import CONDITIONAL_CRITICS, CRITICS, CRITICS_OF, GENERATORS, GENERATORS_OF
from textgan.nets.minibatch import MINIBATCH
from textgan.nets.norms import NORMS
from textgan.resources import presets
from textgan.settings import resolve
from textgan.training.loop import SCHEDULES
from textgan.training.state import OPTIMIZERS

EVERY = [(kind, method) for kind, methods in METHODS.items() for method in methods]
NAMES = [f"{kind}-{method.name}" for kind, method in EVERY]
Parts = Mapping[str, Iterable[Any]]


def of_constraint(make: Callable[[Bounds], Any]) -> list[Any]:
    constraint = make(Bounds())
    return [getattr(f, "func", f) for f in (constraint.wrap, constraint.prepare, constraint.after_step)]


def of_net(net: Any) -> list[Any]:
    """A net's class, those it is built on, and its module."""
    classes = [one for one in net.__mro__ if one.__module__.startswith("textgan")]
    return [*classes, sys.modules[net.__module__]]


TAUGHT = {
    "count_critic": counts,
    "feature_matching": mean_distance,
    "likelihood": teacher_nll,
    "window_likelihood": window_nll,
}
"""Where the mathematics of a term stands."""

PARTS: Mapping[str, Parts] = {
    "objective": {name: (o.critic, o.generator) for name, o in OBJECTIVES.items()},
    "penalty": {name: (f,) for name, f in PENALTIES.items()} | {n: (e.function,) for n, e in EQUALITIES.items()},
    "constraint": {name: of_constraint(make) for name, make in CONSTRAINTS.items() if name != "none"},
    "relaxation": {
        name: (f, surrogate) if name == "reinforce" else (f,) for name, f in (RELAXATIONS | EXACT | BOUNDED).items()
    },
    "term": {name: (TAUGHT[name],) for name in TERMS},
    "technique": dict.fromkeys(PRACTISED, ())
    | {
        "label_smoothing": (logistic_critic,),
        "real_smoothing": (smoothed,),
        "historical_averaging": (historical_averaging,),
    },
    "generator": {name: of_net(net) for nets in GENERATORS_OF.values() for name, net in nets.items()},
    "critic": {name: of_net(net) for nets in CRITICS_OF.values() for name, net in nets.items()},
    "norm": {name: (norm,) for name, norm in NORMS.items() if name != "none"},
    "minibatch": {name: (layer,) for name, layer in MINIBATCH.items() if name != "none"},
    "condition": {name: of_net(net) for name, net in CONDITIONAL_CRITICS.items()},
    "optimizer": dict.fromkeys(OPTIMIZERS, ()),
    "schedule": dict.fromkeys(SCHEDULES, ()),
}
"""By kind and name: the objects that the literal tables hold, whose documentation names their source."""


def words_of(part: Any) -> str:
    """Its documentation, and that of what it refers to by "as `name`"."""
    text = inspect.getdoc(part) or ""
    referred = re.findall(r"\b[Aa]s `(\w+)`", text)
    return text + "".join(getattr(inspect.getmodule(part), name).__doc__ for name in referred)


# --- all of them, and what the parts themselves say


def test_kinds_have_their_headings_and_their_tests_of_play() -> None:
    assert [*METHODS, "preset"] == list(HEADINGS)
    assert list(METHODS) == list(PLAYED)


@pytest.mark.parametrize("kind", METHODS)
def test_the_parts_of_a_table_are_told_of_and_no_others(kind: str) -> None:
    told = [method.name for method in METHODS[kind]]
    assert sorted(told) == sorted(PARTS[kind])
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(("kind", "method"), EVERY, ids=NAMES)
def test_the_part_itself_names_the_same_first_source(kind: str, method: Method) -> None:
    parts = PARTS[kind][method.name]
    words = " ".join(" ".join(words_of(part) for part in parts).split())
    if parts and method.sources:
        paper = method.sources[0].paper
        assert re.search(rf"{paper.first}\b.{{0,60}}? {paper.year}", words), words
    elif parts and "Source:" in words:
        assert "Source: this project" in words


@pytest.mark.parametrize(("kind", "method"), EVERY, ids=NAMES)
def test_what_is_told_is_whole_and_short(kind: str, method: Method) -> None:
    assert method.formula
    assert method.select
    assert not method.purpose.endswith(".")
    assert not method.notes or method.notes.endswith(".")
    for paper, _ in method.sources:
        assert re.fullmatch(r"(\d{4}\.\d{4,5})?", paper.arxiv)
        put_there = 2000 + int(paper.arxiv[:2] or paper.year - 2000)
        assert -1 <= paper.year - put_there <= 1  # R3GAN was printed before


# --- settings, refusals, weights and recipes


def base(*settings: str, preset: str = "relativistic") -> Config:
    return resolve(preset, overrides=settings).config


@pytest.mark.parametrize(("kind", "method"), EVERY, ids=NAMES)
def test_the_settings_choose_it(kind: str, method: Method) -> None:
    config = base(*method.select)
    check(config)
    assert PLAYED[kind](config, method.name) or (kind == "condition" and config.game.condition == method.name)
    if method.weight is not None:
        assert weights(config)[method.name] == method.weight


REFUSED = [(method, refusal) for _, method in EVERY for refusal in method.refused]
BESIDE = {
    "critic.net=none": ["window_likelihood.weight=1"],
    "game.condition=auxiliary": ["corpus.label_column=@file"],
    "generator.relaxation=reinforce": ["corpus.label_column=@file"],
    ON_TOYS.setting: ["game.penalties={}"],
    ON_PICTURES.setting: ["game.penalties={}"],
}
"""What must go with a setting, lest it be refused for another reason."""


def with_it(method: Method, setting: str) -> Config:
    """The method with a setting, on a preset whose other parts go with it."""
    preset = {ON_TOYS.setting: "toy", ON_PICTURES.setting: "pictures"}.get(setting, "relativistic")
    return base(*BESIDE.get(setting, []), *method.select, setting, preset=preset)


def checked(config: Config) -> tuple[Callable[..., Any] | None, list[str]]:
    """The first check that refuses a configuration, and its reasons."""
    found = ((refusals, list(refusals(config))) for refusals in CHECKS)
    return next(((refusals, reasons) for refusals, reasons in found if reasons), (None, []))


@pytest.mark.parametrize(("method", "refusal"), REFUSED, ids=[f"{m.name}-{r.setting}" for m, r in REFUSED])
def test_what_is_told_to_be_refused_is_refused_for_it(method: Method, refusal: Any) -> None:
    own = [word for setting in (*method.select, method.name) for word in setting.partition("=")[0::2] if word]
    check(base(*BESIDE.get(refusal.setting, []), *method.select))
    told = "\n".join(checked(with_it(method, refusal.setting))[1])
    assert any(word in told for word in own)
    key, _, value = refusal.setting.partition("=")
    words = [key.removesuffix(".weight").removeprefix("game.penalties."), value]
    labels = key == "corpus.label_column" and "label" in told
    assert any(word in told for word in words) or key == "corpus.name" or labels


def test_whatever_can_refuse_is_met_by_a_refusal_that_is_told() -> None:
    met = {checked(with_it(method, refusal.setting))[0] for method, refusal in REFUSED}
    of_corpora = set(opening.CHECKS) - met  # which no method has to do with
    assert met | of_corpora == set(CHECKS)
    assert len(of_corpora) == 1


@pytest.mark.parametrize(
    "setting",
    [
        ON_TOYS.setting,
        ON_PICTURES.setting,
        "training.graphs=true",
        *(f"generator.net={name}" for name in GENERATORS),
        *(f"critic.net={name}" for name in (*CRITICS, "none")),
    ],
)
def test_whatever_is_refused_with_a_corpus_a_graph_or_a_net_is_told(setting: str) -> None:
    key = setting.partition("=")[0]
    beside = [method for _, method in EVERY if not method.select[0].startswith(key)]
    if "net" in key:
        beside = [method for method in beside if not any("corpus.name" in chosen for chosen in method.select)]
    told = {method.name for method in beside if setting in [refusal.setting for refusal in method.refused]}
    assert {method.name for method in beside if checked(with_it(method, setting))[0]} == told


def test_presets_that_name_a_paper_have_its_weights() -> None:
    told = {preset.name: preset.paper for preset in read()}
    elsewhere = {"toy": 0.1}  # of the gradient penalty, on the paper's own toys
    compared = set()
    for method in METHODS["penalty"]:
        for name in users("penalty", method.name):
            if method.weight is not None and method.sources[0].paper.arxiv in told.get(name, ""):
                assert weights(resolve(name).config)[method.name] == elsewhere.get(name, method.weight)
                compared.add((name, method.name))
    assert compared >= {("wgan_gp", "gradient_penalty"), ("quick", "gradient_penalty")}


@pytest.mark.parametrize(
    ("preset", "kind", "name"),
    [
        ("wgan", "constraint", "weight_clipping"),
        ("wgan", "objective", "wasserstein"),
        ("wgan_gp", "penalty", "gradient_penalty"),
        ("wgan_gp", "generator", "paper"),
        ("wgan_gp", "critic", "paper"),
        ("wgan_gp_ttur", "technique", "two_time_scales"),
        ("sngan", "constraint", "spectral_norm"),
        ("sngan", "objective", "hinge"),
        ("r3gan", "objective", "relativistic"),
        ("dcgan", "objective", "non_saturating"),
        ("lsgan", "objective", "least_squares"),
        ("grangan", "constraint", "gradient_normalisation"),  # whose rates that preset says it has
    ],
)
def test_the_classics_have_the_optimizer_that_is_told(preset: str, kind: str, name: str) -> None:
    (method,) = [method for method in METHODS[kind] if method.name == name]
    assert method.recipe is not None
    plays = recipe(resolve(preset).config)
    wanted = [a if b is None else b for a, b in zip(plays, method.recipe, strict=True)]
    assert list(plays) == wanted


# --- formulas, read and computed


class Mean:
    """What "mean" and a blank become: a factor of all that follows up to the next sum."""

    def __init__(self, factor: float = 1) -> None:
        self.factor = factor

    def __neg__(self) -> Mean:
        return Mean(-self.factor)

    def __rmul__(self, factor: float) -> Mean:
        return Mean(factor * self.factor)

    def __matmul__(self, values: Tensor) -> Tensor:
        return self.factor * values.mean()


def computed(formula: str, **signs: Any) -> Any:
    """The value of a formula, up to the first comma or semicolon outside brackets."""
    formula = re.split(r"[,;] ", formula)[0]
    formula = re.sub(r"\b(mean|E) ", "E @ ", formula)
    for written, python in (("½ ", "0.5 * "), ("²", "**2"), ("·", "*"), ("|D|", "abs(D)")):
        formula = formula.replace(written, python)
    formula = re.sub(r"\|∇D(\(.\N{COMBINING CIRCUMFLEX ACCENT}?\))?\|(_[∞12])?", r"slope\2", formula)
    return eval(formula.replace("_∞", "_max"), {"E": Mean(), "relu": torch.relu, **signs})  # our own text


@pytest.mark.parametrize("method", METHODS["objective"], ids=lambda method: method.name)
def test_the_objective_is_its_formula(method: Method, rng: torch.Generator) -> None:
    scores = {"x": torch.randn(5, generator=rng), "g": torch.randn(5, generator=rng)}
    signs = {"D": lambda samples: samples, "softplus": F.softplus, **scores}
    critic, generator = re.fullmatch(r"critic: (.*); generator: (.*)", method.formula).groups()  # type: ignore[union-attr]
    objective = OBJECTIVES[method.name]
    sides = {"real": scores["x"], "fake": scores["g"]}
    torch.testing.assert_close(objective.critic(**sides), computed(critic, **signs))
    torch.testing.assert_close(objective.generator(**sides), computed(generator, **signs))


SLOPED = [method for method in METHODS["penalty"] if method.name in PENALTIES and "∇" in method.formula]


@pytest.mark.parametrize("method", SLOPED, ids=lambda method: method.name)
@pytest.mark.parametrize("size", [0.1, 2.0])
def test_a_linear_critic_pays_the_formula(method: Method, size: float, rng: torch.Generator) -> None:
    weight = size * torch.randn(3, 4, generator=rng)
    real, fake = torch.randn(2, 6, 3, 4, generator=rng)

    def critic(samples: Tensor) -> Tensor:
        return (samples * weight).sum((1, 2))

    slopes = {"slope": weight.norm(), "slope_1": weight.abs().sum(), "slope_max": weight.abs().max()}
    paid = PENALTIES[method.name](critic, real, fake, rng=rng)  # type: ignore[arg-type]
    torch.testing.assert_close(paid, computed(method.formula, **slopes))


@pytest.mark.parametrize("name", ["gradient_normalisation", "piecewise_gradient_normalisation"])
def test_a_linear_critic_is_normalised_by_the_formula(name: str, rng: torch.Generator) -> None:
    (method,) = [method for method in METHODS["constraint"] if method.name == name]
    weight, samples = torch.randn(2, 3, 4, generator=rng)
    scores = (samples * weight).sum(1)
    wrapped = CONSTRAINTS[name](Bounds(lipschitz=2.0)).wrap(lambda at: (at * weight).sum(1))  # type: ignore[arg-type]
    wanted = computed(method.formula, D=scores, slope=weight.norm(dim=1), K=2.0, ε=0.1)
    torch.testing.assert_close(wrapped(samples), wanted)


@pytest.mark.parametrize("method", METHODS["schedule"], ids=lambda method: method.name)
def test_the_schedule_is_its_formula(method: Method) -> None:
    for done in (0.0, 0.3, 1.0):
        assert SCHEDULES[method.name](done) == pytest.approx(
            computed(method.formula, rate=1.0, done=done, cos=math.cos, π=math.pi)
        )


# --- presets


def test_presets_are_read_from_the_heads_of_their_files() -> None:
    head = '# A title,\n# goes on.\n#\n# Paper: A 2017, "B: c"\n# and more.\n# Expect: 1: 2.\n'
    text = head + "preset = 'x'\n# Table: no\n"
    assert parse("n", text) == Preset("n", "A title, goes on.", 'A 2017, "B: c" and more.', "", "1: 2.")
    assert parse("n", "[a]\nb = 1\n") == Preset("n", "", "", "", "")
    assert [preset.name for preset in read()] == presets()
    assert all(preset.title and (preset.paper or preset.name == "smoke") for preset in read())


def test_users_are_the_presets_that_play_it() -> None:
    played = {
        ("constraint", "weight_clipping"): ("wgan", "wgan_gp"),
        ("objective", "hinge"): ("sngan", "wgan"),
        ("penalty", "r1"): ("r3gan", "wgan_gp"),
        ("penalty", "gradient_penalty"): ("quick", "wgan"),
        ("optimizer", "rmsprop"): ("wgan", "wgan_gp"),
        ("term", "likelihood"): ("baseline_lm", "quick"),
        ("technique", "two_time_scales"): ("wgan_gp_ttur", "wgan_gp"),
    }
    for (kind, name), (one, other) in played.items():
        assert one in users(kind, name)
        assert other not in users(kind, name)
    assert "counts" not in users("objective", "wasserstein")  # whose setting it is, with no critic to play it
    assert not PRACTISED["two_time_scales"](base("critic.learning_rate=1e-4"))  # slower is no such thing
    assert len(users("technique", "weight_averaging")) < len(presets())


def test_the_recipe_and_weights_of_a_configuration() -> None:
    assert recipe(resolve("wgan_gp_ttur").config) == Recipe("adam", 1e-4, 3e-4, (0.5, 0.9), 1)
    assert recipe(resolve("baseline_lm").config) == Recipe("adam", 3e-3, 3e-3, (0.9, 0.99), None)
    assert weights(resolve("quick").config) == {"gradient_penalty": 10, "count_critic": 1}


# --- words


def test_sources_and_recipes_in_words() -> None:
    paper = Paper("One, Two & Three", 2017, "A title", "1701.00001")
    assert str(Source(paper, "eq. 3")) == 'One, Two & Three 2017, "A title" (arXiv 1701.00001), eq. 3'
    assert str(Source(Paper("One & Two", 1992, "A title"))) == 'One & Two 1992, "A title"'
    assert [Paper(authors, 1, "").first for authors in ("A, B & C", "A & B", "A et al.", "A B")] == ["A"] * 3 + ["A B"]
    assert str(Recipe("adam", 1e-4, 3e-4, (0.5, 0.9), 1)) == (
        "adam, learning rate 0.0001 (generator) and 0.0003 (critic), betas 0.5 and 0.9, "
        "critic steps a generator step: 1"
    )
    assert str(Recipe("rmsprop", 5e-5, 5e-5)) == "rmsprop, learning rate 5e-05"


# --- the command


@pytest.fixture
def methods(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command, and return its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return main(["methods", *arguments]), *capfd.readouterr()

    return run


def test_the_list_has_a_line_a_method_under_its_kind(methods: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = methods()
    assert (code, err) == (0, "")
    assert 80 < max(map(len, out.splitlines())) <= 100
    blocks = [re.findall(r"^ ? ?\S.*$", block, re.M) for block in out.split("\n\n")]
    for (kind, heading), block in zip(HEADINGS.items(), blocks, strict=False):
        names = presets() if kind == "preset" else [method.name for method in METHODS[kind]]
        assert [block[0], *(line.split()[0] for line in block[1:])] == [heading, *names]
    assert re.search(r"^  hinge +scores that matter only within a margin \(Lim 2017\)$", out, re.M)


@pytest.mark.parametrize("kind", HEADINGS)
def test_a_kind_is_listed_alone(methods: Callable[..., tuple[int, str, str]], kind: str) -> None:
    assert not any(kind == method.name for _, method in EVERY)
    assert kind not in presets()
    whole, (code, alone, _) = methods()[1], methods(kind)
    assert code == 0
    block, last = alone.split("\n\n")
    assert block.startswith(f"{HEADINGS[kind]}\n")
    assert " ".join(block.split()) in " ".join(whole.split())
    assert whole.endswith(last)
    told = json.loads(methods(kind, "--json")[1])
    assert {method["kind"] for method in told["methods"]} | {"preset" for _ in told["presets"]} == {kind}


@pytest.fixture
def terminal(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make stdout a terminal of so many columns."""

    def resize(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return resize


NAMED = sorted({method.name for _, method in EVERY} | set(presets()))


@pytest.mark.parametrize(("columns", "least", "most"), [(80, 70, 80), (70, 60, 70), (200, 90, 100)])
def test_lines_fit_the_terminal(
    methods: Callable[..., tuple[int, str, str]], terminal: Callable[[int], None], columns: int, least: int, most: int
) -> None:
    whole = " ".join(methods()[1].split())
    terminal(columns)
    out = methods()[1]
    assert least < max(map(len, out.splitlines())) <= most
    assert " ".join(out.split()) == whole
    (column,) = {len(match) for match in re.findall(r"^  r1 +", out, re.M)}
    assert {len(match) for match in re.findall(r"^ {3,}", out, re.M)} <= {column}
    assert all(len(line) <= most for name in NAMED for line in methods(name)[1].splitlines())


def formulas(out: str) -> Iterator[list[str]]:
    """The lines of each formula that is shown."""
    for first, later in re.findall(r"^  formula +(.*)\n((?: {4,}.*\n)*)", out, re.M):
        yield [first, *(line.strip() for line in later.splitlines())]


def test_formulas_are_broken_outside_brackets_at_commas_and_operators(
    methods: Callable[..., tuple[int, str, str]], terminal: Callable[[int], None]
) -> None:
    terminal(80)
    seen = [lines for name in NAMED for lines in formulas(methods(name)[1])]
    assert {" ".join(lines) for lines in seen} == {method.formula for _, method in EVERY}
    for lines in (lines for lines in seen if "rewards of the windows" not in lines[-1]):  # which is all words
        for before, after in pairwise(lines):
            assert before[-1] in ",;:" or after[:2] in ("+ ", "- ", "→ "), lines
        for line in lines:
            assert (line.count("("), line.count("[")) == (line.count(")"), line.count("]")), lines
            assert "|" not in line or line.count("|") % 2 == 0 or "x_t |" in line, lines
    assert sum(len(lines) > 1 for lines in seen) > 10


def test_settings_are_whole_and_can_be_pasted(
    methods: Callable[..., tuple[int, str, str]], terminal: Callable[[int], None]
) -> None:
    terminal(40)
    out = methods("auxiliary")[1]
    assert "-s 'game.classification=[1.0, 0.1]'\n" in out
    assert "critic.betas=[0.5, 0.99]:\n" in methods("rmsprop")[1]


def test_signs_that_stdout_cannot_write_are_spelt_out(tmp_path: Path) -> None:
    process = start(tmp_path, "methods", "gradient_penalty", environ={"PYTHONIOENCODING": "latin-1"})
    with process:
        assert process.stdout
        assert process.stderr
        out = process.stdout.buffer.read().decode("latin-1")  # type: ignore[attr-defined]
        assert (process.stderr.read(), process.wait()) == ("", 0)
    assert re.search(r"formula +E \(\|\\u2207D\(x\\u0302\)\| - 1\)²\n", out)


def test_only_streams_that_are_not_utf8_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for encoding in ("cp1252", "UTF8")]
    for stream, errors in zip(streams, ("backslashreplace", "strict"), strict=True):
        monkeypatch.setattr(sys, "stdout", io.StringIO())  # which cannot be reconfigured
        monkeypatch.setattr(sys, "stderr", stream)
        assert main(["methods", "hinge"]) == 0
        assert stream.errors == errors


def test_one_in_full(methods: Callable[..., tuple[int, str, str]]) -> None:
    out = methods("rmsprop")[1]
    assert re.search(r"refused with +critic\.betas=\[0\.5, 0\.99\]: it keeps no mean", out)
    assert re.search(r"^  presets .*\bwgan\b", out, re.M)
    words = " ".join(methods("spectral_norm")[1].split())
    assert "source Miyato et al. 2018" in words
    assert "(arXiv 1802.05957), eq. 8 and algorithm 1 chosen by -s game.constraint=spectral_norm" in words
    assert "adam, learning rate 0.0002, betas 0 and 0.9, critic steps a generator step: 5" in words
    assert "usual weight 10" in " ".join(methods("gradient_penalty")[1].split())
    assert "\\n" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_preset_in_full(methods: Callable[..., tuple[int, str, str]]) -> None:
    words = " ".join(methods("r3gan")[1].split())
    assert "r3gan (preset) what for The relativistic game" in words
    assert "paper Huang et al. 2024" in words
    assert "objective relativistic penalty r1 (weight 1), r2 (weight 1)" in words


def test_a_name_of_two_kinds_shows_both(methods: Callable[..., tuple[int, str, str]]) -> None:
    out = methods("relativistic")[1]
    assert "relativistic (objective)\n" in out
    assert "relativistic (preset)\n" in out
    told = json.loads(methods("paper", "--json")[1])
    assert [method["kind"] for method in told["methods"]] == ["generator", "critic"]


def test_json_has_all_of_it(methods: Callable[..., tuple[int, str, str]]) -> None:
    told = json.loads(methods("--json")[1])
    assert told["schema"] == 1
    assert [(method["kind"], method["name"]) for method in told["methods"]] == [(kind, m.name) for kind, m in EVERY]
    assert [preset["name"] for preset in told["presets"]] == presets()
    (one,) = json.loads(methods("weight_clipping", "--json")[1])["methods"]
    assert one["sources"] == [
        {
            "authors": "Arjovsky, Chintala & Bottou",
            "year": 2017,
            "title": "Wasserstein GAN",
            "arxiv": "1701.07875",
            "where": "algorithm 1, c = 0.01",
        }
    ]
    assert one["select"] == ["game.constraint=weight_clipping", "game.clip=0.01"]
    assert one["recipe"] == {
        "optimizer": "rmsprop", "generator_rate": 5e-5, "critic_rate": 5e-5, "betas": None, "critic_steps": 5,
    }  # fmt: skip
    assert (one["weight"], one["refused"], one["presets"]) == (None, [], users("constraint", "weight_clipping"))
    (wgan,) = json.loads(methods("wgan", "--json")[1])["presets"]
    assert (wgan["select"], wgan["parts"]["constraint"], wgan["weights"]) == (["-c wgan"], ["weight_clipping"], {})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hinje", "no method 'hinje'; did you mean 'hinge'?"),
        ("penalties", "no method 'penalties'; did you mean 'penalty'?"),
        ("q", "no method 'q'; `textgan methods` lists them"),
    ],
)
def test_an_unknown_name_is_one_line(methods: Callable[..., tuple[int, str, str]], name: str, told: str) -> None:
    code, out, err = methods(name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
