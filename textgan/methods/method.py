"""What is told of a method: its formula, where it is from, the settings that choose it, and what goes with it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, NamedTuple

BLANK = "\N{NO-BREAK SPACE}"
"""Where no line may end."""


class Paper(NamedTuple):
    """A publication."""

    authors: str
    """As they are cited: the first author's surname first."""
    year: int
    title: str
    arxiv: str = ""
    """Its number there, or nothing where it has none."""

    def __str__(self) -> str:
        number = f" (arXiv {self.arxiv})" if self.arxiv else ""
        return f'{self.authors} {self.year}, "{self.title}"{number}'

    @property
    def first(self) -> str:
        """The first author's surname."""
        return self.authors.split(",")[0].split(" & ")[0].removesuffix(" et al.")


class Source(NamedTuple):
    """A place in a publication."""

    paper: Paper
    where: str = ""
    """Equation, section or algorithm; nothing for all of it."""

    def __str__(self) -> str:
        return f"{self.paper}, {self.where}" if self.where else str(self.paper)


class Recipe(NamedTuple):
    """The optimizer that goes with a method where it comes from; what is None was not found there."""

    optimizer: str
    generator_rate: float
    critic_rate: float
    betas: tuple[float, float] | None = None
    critic_steps: int | None = None
    """A generator step."""

    def __str__(self) -> str:
        rates = f"{self.generator_rate:g}"
        if self.critic_rate != self.generator_rate:
            rates += f" (generator) and {self.critic_rate:g} (critic)"
        betas = "" if self.betas is None else f", betas {self.betas[0]:g} and {self.betas[1]:g}"
        steps = "" if self.critic_steps is None else f", critic steps a generator step: {self.critic_steps}"
        return f"{self.optimizer}, learning rate {rates}{betas}{steps}"


class Refusal(NamedTuple):
    """A setting that a method cannot be combined with, and why."""

    setting: str
    reason: str


def refusing(reason: str, *settings: str) -> tuple[Refusal, ...]:
    """Return the refusals of several settings for one reason."""
    return tuple(Refusal(setting, reason) for setting in settings)


ON_TOYS = Refusal("corpus.name=8gaussians", "toys, also 25gaussians and swissroll, are points, with parts of their own")
ON_PICTURES = Refusal("corpus.name=digits", "pictures, of this corpus or any other, have parts of their own")
ON_OTHERS = (ON_TOYS, ON_PICTURES)
"""Of what is for text alone."""
ON_TEXT = Refusal("corpus.name=python_docs", "text, of this corpus or any other, has parts of its own")
FROZEN = Refusal("training.graphs=true", "a graph would not see it change")


@dataclass(frozen=True)
class Method:
    """One method, as the tables of this room hold it."""

    name: str
    purpose: str
    """What it is for, in a line."""
    formula: str
    """In the signs of `SIGNS`."""
    sources: tuple[Source, ...] = ()
    """Nothing for what is this project's own."""
    select: tuple[str, ...] = ()
    """The settings that choose it, the telling one first, each as `-s` takes it."""
    weight: float | None = None
    """Its usual weight there; None where there is none, or none is known."""
    recipe: Recipe | None = None
    notes: str = ""
    """Departures and doubts."""
    refused: tuple[Refusal, ...] = ()

    @property
    def short(self) -> str:
        """The source in two words."""
        return f"{self.sources[0].paper.first} {self.sources[0].paper.year}" if self.sources else "textgan"

    def told(self) -> dict[str, Any]:
        """All of it for JSON."""
        told = asdict(self)
        told["sources"] = [{**source.paper._asdict(), "where": source.where} for source in self.sources]
        told["recipe"] = None if self.recipe is None else self.recipe._asdict()
        told["refused"] = [refusal._asdict() for refusal in self.refused]
        return told

    def facts(self) -> list[tuple[str, str]]:
        """All of it for the eye: labels and texts, those that have something to say, in which BLANKs keep together."""
        facts = [
            ("what for", self.purpose),
            ("formula", self.formula),
            *(("source", str(source)) for source in self.sources or ("this project",)),
            ("chosen by", " ".join(f"-s {shlex.quote(setting)}".replace(" ", BLANK) for setting in self.select)),
            ("usual weight", "" if self.weight is None else f"{self.weight:g}"),
            ("optimizer there", "" if self.recipe is None else str(self.recipe)),
            ("notes", self.notes),
            *(
                ("refused with", f"{', '.join(refusal.setting.replace(' ', BLANK) for refusal in alike)}: {reason}")
                for reason, alike in groupby(self.refused, lambda refusal: refusal.reason)
            ),
        ]
        return [(label, text) for label, text in facts if text]
