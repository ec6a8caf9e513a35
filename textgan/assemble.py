"""The composition root: a configuration to corpus, space, nets, game and metrics."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from textgan import kinds, memory
from textgan.checks import check, warnings
from textgan.config import Config
from textgan.contract import Constraint, Objective, Relaxation, Sample, Term
from textgan.corpora import cards, matrix
from textgan.corpora.matrix import Rows
from textgan.corpora.passes import Show
from textgan.corpora.prepare import Corpus
from textgan.corpora.text.sources import absolute
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.game.constraints import CONSTRAINTS, Bounds
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import EQUALITIES, PENALTIES
from textgan.game.policy import policy_gradient
from textgan.game.steps import Game
from textgan.game.terms import TERMS
from textgan.kinds.kind import Kind, Reference
from textgan.model import Model, build_generator
from textgan.nets import CONDITIONAL_CRITICS, CRITICS_OF
from textgan.nets.conditional import ClassifyingCritic
from textgan.nets.layers import chosen
from textgan.nets.minibatch import MinibatchCritic
from textgan.opening import describe, kind_of, open_corpus, summary, was_opened
from textgan.semi_supervised import labelled_rows
from textgan.spaces import Space, space_of
from textgan.training import sampler
from textgan.training.loop import Plan, Source
from textgan.training.precision import choose_precision
from textgan.training.state import Player, TrainingState


@dataclass(frozen=True)
class Parts:
    """Everything a run is made of."""

    config: Config
    corpus: Corpus[Any]
    space: Any
    """Of its kind: `Text`, `Plane` or `Image`."""
    device: torch.device
    state: TrainingState
    game: Game
    source: Source

    @property
    def kind(self) -> Kind:
        """What its kind of sample brings."""
        return kinds.KINDS[self.space.kind]

    @property
    def relaxation(self) -> Relaxation:
        """The relaxation of the configuration."""
        return self.kind.relaxations[self.config.generator.relaxation]


def settled(config: Config) -> Config:
    """Make the paths of a corpus absolute, so that a run is measured and resumed from any folder."""
    c, cache = config.corpus, matrix.cache_root(None)
    with matrix.writing(cache):
        paths = {"name": None if c.name in cards.names() else absolute(c.name, cache), "data": absolute(c.data, cache)}
    found = {key: path for key, path in paths.items() if path is not None}
    return config.model_copy(update={"corpus": c.model_copy(update=found)})


def choose_device(name: str) -> torch.device:
    """Return the device of a configuration's name; auto takes a GPU where there is one.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(gpu)
    try:
        device = torch.device(name)
        torch.zeros((), device=device).item()  # the meta device has no numbers
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"training.device: {name!r} cannot be used here; auto, cpu, cuda, cuda:1 or mps") from error
    return device


def build(
    config: Config, tell: Callable[[str], None] = lambda line: None, show: Show = lambda stage, lines, share: None
) -> Parts:
    """Build everything a run is made of."""
    check(config)
    for line in warnings(config):
        tell(line)
    device = choose_device(config.training.device)
    choose_precision(config.training.precision, device)  # or say so before the corpus is read
    if config.training.graphs and device.type != "cuda":
        raise UsageError(f"training.graphs: CUDA graphs exist on cuda only, and this device is {device}; use false")
    return build_on(config, open_corpus(config, tell, show), device)


def build_on(config: Config, corpus: Corpus[Any], device: torch.device) -> Parts:
    """Build everything a run is made of on a corpus that is open."""
    space, labelled = space_of(corpus.space.to_json()), bool(corpus.space.labels)
    check_memory(config, space, device)
    terms = build_terms(config, corpus, device)
    game = build_game(config, terms, labelled=labelled)
    carriers = terms | {name: equality for name, (_, equality) in game.equalities.items()}
    classes, kept = labelled_rows(config, corpus)
    players = build_players(config, space, device, len(classes))
    state = TrainingState(*players, config.generator.averaging, carriers)
    source = source_of(space, corpus.train, kept)
    return Parts(config, corpus, space, device, state, game, source)


def source_of(space: Space, rows: Rows, kept: Rows | None = None) -> Source:
    """Return what draws samples, with their labels where the game has some; of `kept` the critic learns the labels."""
    source = Source(rows.ids, space.to_sample, rows.labels if space.labels else None, space.row_type)
    return source if kept is None else replace(source, labelled=replace(source, ids=kept.ids, labels=kept.labels))


def check_memory(config: Config, space: Space, device: torch.device) -> None:
    """Refuse samples that would not fit in memory, before any is made."""
    if device.type == "cuda":
        free: int | None = torch.cuda.mem_get_info(device)[0]
    else:
        free = memory.available() if device.type == "cpu" else None
    kinds.KINDS[space.kind].check_memory(config, space, free)


def build_players(config: Config, space: Space, device: torch.device, classes: int = 0) -> tuple[Player, Player | None]:
    """Build generator and critic with weights drawn from the seed, each with its optimizer.

    `classes` is how many a semi-supervised critic tells apart, 0 of any other.
    """
    g, c, seed = config.generator, config.critic, config.training.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sampler.generator(seed, "generator weights", 0).initial_seed())
        generator = build_generator(config, space).to(device)
        torch.manual_seed(sampler.generator(seed, "critic weights", 0).initial_seed())
        critic = build_critic(config, space, classes)
    inertia = config.game.historical_averaging
    player = Player.of(generator, g.learning_rate, g.betas, optimizer=g.optimizer, inertia=inertia)
    if critic is None:
        return player, None
    return player, Player.of(critic.to(device), c.learning_rate, c.betas, optimizer=c.optimizer, inertia=inertia)


def build_critic(config: Config, space: Space, classes: int = 0) -> nn.Module | None:
    """Build the critic of a configuration, or None for a game without one."""
    c = config.critic
    if c.net == "none":
        return None
    critic: nn.Module = CRITICS_OF[space.kind][c.net](
        **space.sizes, width=c.width, blocks=c.blocks, kernel=c.kernel,
        **chosen(norm=c.norm, nonlinearity=c.nonlinearity, dropout=c.dropout),
    )  # fmt: skip
    if c.minibatch != "none":
        critic = MinibatchCritic(critic, c.minibatch)
    if space.labels:
        critic = CONDITIONAL_CRITICS[config.game.condition](critic, labels=len(space.labels))
    if classes:
        critic = ClassifyingCritic(critic, labels=classes)
    build_constraint(config).prepare(critic)
    return critic


def build_constraint(config: Config) -> Constraint:
    """Build the constraint on the critic with its numbers."""
    return CONSTRAINTS[config.game.constraint](Bounds(config.game.clip, config.game.lipschitz))


def build_terms(config: Config, corpus: Corpus[Any], device: torch.device) -> dict[str, Term]:
    """Build the generator terms whose weight is not 0."""
    terms = {}
    for name, factory in TERMS.items():
        section = getattr(config, name)
        if section.weight or getattr(section, "pretrain", 0):
            told = kinds.KINDS[corpus.space.kind].told(corpus)
            terms[name] = factory(**told, **section.model_dump(exclude={"weight", "pretrain"}), device=device)
    if config.generator.relaxation == "reinforce":
        g, length = config.game, corpus.space.length
        terms["policy"] = policy_gradient(length=length, discount=g.discount, decay=g.baseline, device=device)
    return terms


def build_game(config: Config, terms: dict[str, Term], *, labelled: bool = False) -> Game:
    """Collect objective, penalties, constraint and terms."""
    g = config.game
    objective: Objective = OBJECTIVES[g.objective]
    if g.real_label != 1:
        smoothed: Any = objective.critic  # which takes a target, or `check` has refused it
        objective = replace(objective, critic=partial(smoothed, target=g.real_label))
    weights = {name: weight for name, weight in g.penalties.items() if weight}
    by_term = {name: g.weight if name == "policy" else getattr(config, name).weight for name in terms}
    return Game(
        objective,
        g.weight,
        {name: (weight, PENALTIES[name]) for name, weight in weights.items() if name in PENALTIES},
        build_constraint(config),
        {name: (by_term[name], term) for name, term in terms.items() if by_term[name]},
        g.classification if config.corpus.labels_per_class or (labelled and g.condition == "auxiliary") else None,
        {name: (weight, EQUALITIES[name]) for name, weight in weights.items() if name in EQUALITIES},
        terms.get("likelihood") if config.likelihood.pretrain else None,
    )


def plan_of(config: Config, device: torch.device) -> Plan:
    """Return the loop's numbers."""
    t = config.training
    return Plan(
        steps=t.steps, batch=t.batch, latent=config.generator.latent, critic_steps=config.critic.steps,
        critic_every=config.critic.every,
        critic_batch=config.critic.batch or t.batch,
        temperature=config.generator.temperature, final_temperature=config.generator.final_temperature,
        real_smoothing=config.game.real_smoothing, pretrain=config.likelihood.pretrain, judged=config.critic.judged,
        schedule=t.schedule, seed=t.seed, log_every=t.log_every,
        evaluate_every=t.evaluate_every, seconds=t.minutes * 60 or float("inf"),
        processor_seconds=t.processor_minutes * 60 or float("inf"), device=device,
        precision=choose_precision(t.precision, device), graphs=t.graphs,
    )  # fmt: skip


def corpus_of(model: Model) -> Corpus[Any]:
    """Return the corpus a model was trained on.

    Raises:
        TextganError: it is gone, no longer what it was, or was never asked for on this machine.
        CorruptError: it is of another kind than the model's samples.
    """
    name, fingerprint = model.config.corpus.name, str(model.facts["corpus"]["fingerprint"])
    if kind_of(model.config) != model.space.kind:
        raise CorruptError(f"the model generates {model.space.samples}, and {name} holds none; restore its folder")
    if not was_opened(model.config, fingerprint):
        raise TextganError(
            f"the model says that it was trained on {name}, which was not prepared on this machine by that name; if "
            f"you trust that, run 'textgan prepare {shlex.quote(name)} -c FOLDER' with the model's folder, or measure "
            "its samples with --samples FILE --reference FILE"
        )
    corpus = open_corpus(model.config)
    if corpus.fingerprint != fingerprint:
        raise TextganError(
            f"{corpus.name} is no longer what this model was trained on; "
            "measure it with --samples FILE --reference FILE"
        )
    return corpus


def reference(model: Model) -> Reference:
    """Return the text of a model's corpus, cut as its run was cut; raises what `corpus_of` and `text_of` do."""
    return text_of(corpus_of(model))


def text_of(corpus: Corpus[Any]) -> Reference:
    """Return the text of a corpus.

    Raises:
        UsageError: it has none.
    """
    return kinds.KINDS[corpus.space.kind].reference(corpus)


def evaluation(
    model: Model, samples: Sequence[Sample], tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Measure samples of a model as training does; raises what `corpus_of` does."""
    measure = kinds.KINDS[model.space.kind].evaluation
    return measure(corpus_of(model), model.config, len(samples), tell)(samples)


def dry_run(config: Config, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Build everything, train nothing, and say what it is."""
    parts = build(settled(config), tell)

    def count(player: Player | None) -> int:
        return 0 if player is None else sum(p.numel() for p in player.parameters)

    return {
        "schema": 1,
        "generator_parameters": count(parts.state.generator),
        "critic_parameters": count(parts.state.critic),
        "corpus": describe(parts.corpus),
        "summary": summary(parts.corpus),
        "device": str(parts.device),
        "steps": config.training.steps,
    }


def model_of(parts: Parts, evaluation: dict[str, Any] | None) -> Model:
    """Return the averaged generator of a state as a model."""
    facts = {"step": parts.state.step, "corpus": describe(parts.corpus), "evaluation": evaluation}
    return Model(parts.state.average, parts.space, parts.config, facts)
