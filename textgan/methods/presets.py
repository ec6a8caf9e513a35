"""Presets as methods: what their files say of them, and which methods each plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from textgan.methods import METHODS
from textgan.methods.method import BLANK, Recipe
from textgan.resources import folder, presets

if TYPE_CHECKING:
    from textgan.config import Config

LABELS = ("paper", "table", "expect")


class Preset(NamedTuple):
    """What the head of a preset's file says."""

    name: str
    title: str
    paper: str
    table: str
    expect: str


def read() -> list[Preset]:
    """Read the heads of all presets, by name."""
    return [parse(name, (folder("configs") / f"{name}.toml").read_text(encoding="utf-8")) for name in presets()]


def parse(name: str, text: str) -> Preset:
    """Read the comment that opens a preset: a title, then paragraphs that begin with a label and a colon."""
    parts = {"title": ""} | dict.fromkeys(LABELS, "")
    current = "title"
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        words = line.lstrip("# ")
        label, colon, rest = words.partition(": ")
        if colon and label.lower() in LABELS:
            current, words = label.lower(), rest
        parts[current] = f"{parts[current]} {words}".strip()
    return Preset(name, *parts.values())


PLAYED: Mapping[str, Callable[[Config, str], bool]] = {
    "objective": lambda c, name: _judged(c) and c.game.objective == name,
    "penalty": lambda c, name: _judged(c) and c.game.penalties.get(name, 0) > 0,
    "constraint": lambda c, name: _judged(c) and c.game.constraint == name,
    "relaxation": lambda c, name: c.generator.relaxation == name,
    "term": lambda c, name: getattr(c, name).weight > 0,
    "technique": lambda c, name: PRACTISED[name](c),
    "generator": lambda c, name: c.generator.net == name,
    "critic": lambda c, name: c.critic.net == name,
    "norm": lambda c, name: c.generator.norm == name or (_judged(c) and c.critic.norm == name),
    "minibatch": lambda c, name: _judged(c) and c.critic.minibatch == name,
    "condition": lambda c, name: False,  # labels come with the corpus, not with a preset
    "optimizer": lambda c, name: c.generator.optimizer == name or (_judged(c) and c.critic.optimizer == name),
    "schedule": lambda c, name: c.training.schedule == name,
}
"""By kind: whether a configuration plays the method of a name."""

PRACTISED: Mapping[str, Callable[[Config], bool]] = {
    "label_smoothing": lambda c: c.game.real_label < 1,
    "real_smoothing": lambda c: any(c.game.real_smoothing),
    "temperature_annealing": lambda c: c.generator.final_temperature not in (0, c.generator.temperature),
    "historical_averaging": lambda c: c.game.historical_averaging > 0,
    "weight_averaging": lambda c: c.generator.averaging > 0,
    "two_time_scales": lambda c: _judged(c) and c.critic.learning_rate > c.generator.learning_rate,
    "semi_supervised": lambda c: c.corpus.labels_per_class > 0,
    "pretraining": lambda c: c.likelihood.pretrain > 0,
}
"""The same for what has no table of its own."""


def _judged(config: Config) -> bool:
    return config.critic.net != "none"


@cache
def _configs() -> Mapping[str, Config]:
    from textgan.settings import resolve

    return {name: resolve(name).config for name in presets()}


def users(kind: str, name: str) -> list[str]:
    """Return the presets that play a method; those of a folder as one, such as robustness/*."""
    found = [preset for preset, config in _configs().items() if PLAYED[kind](config, name)]
    return list(dict.fromkeys(f"{preset.partition('/')[0]}/*" if "/" in preset else preset for preset in found))


def parts(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind with the methods of it that a preset plays."""
    config = _configs()[name]
    for kind, methods in METHODS.items():
        played = [method.name for method in methods if PLAYED[kind](config, method.name)]
        if played:
            yield kind, played


def weights(config: Config) -> dict[str, float]:
    """Return the weights of the penalties and generator terms of a configuration, by name."""
    terms = {method.name: getattr(config, method.name).weight for method in METHODS["term"]}
    return {name: weight for name, weight in (config.game.penalties | terms).items() if weight}


def recipe(config: Config) -> Recipe:
    """Return how a configuration optimizes; without a critic, the generator's numbers stand for both."""
    g, c = config.generator, config.critic
    if not _judged(config):
        return Recipe(g.optimizer, g.learning_rate, g.learning_rate, g.betas)
    return Recipe(c.optimizer, g.learning_rate, c.learning_rate, c.betas, c.steps)


def told(preset: Preset) -> dict[str, Any]:
    """All that is known of a preset, for JSON."""
    config = _configs()[preset.name]
    return {
        **preset._asdict(),
        "select": [f"-c {preset.name}"],
        "parts": dict(parts(preset.name)),
        "weights": weights(config),
        "recipe": recipe(config)._asdict(),
    }


def facts(preset: Preset) -> list[tuple[str, str]]:
    """All that is known of a preset, for the eye: labels and texts, those that have something to say."""
    config = _configs()[preset.name]
    heavy = weights(config)
    facts = [
        ("what for", preset.title),
        *((label, getattr(preset, label)) for label in LABELS),
        ("chosen by", f"-c{BLANK}{preset.name}"),
        *((kind, ", ".join(_weighed(name, heavy) for name in names)) for kind, names in parts(preset.name)),
        ("recipe", str(recipe(config))),
    ]
    return [(label, text) for label, text in facts if text]


def _weighed(name: str, weights: Mapping[str, float]) -> str:
    return f"{name} (weight {weights[name]:g})" if name in weights else name
