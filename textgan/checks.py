"""Refusals: names that are in no table, and settings that cannot work together, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from textgan.config import Config
from textgan.errors import UsageError, near_miss
from textgan.game.constraints import CONSTRAINTS
from textgan.game.objectives import OBJECTIVES
from textgan.game.penalties import PENALTIES
from textgan.game.relaxations import RELAXATIONS
from textgan.game.terms import TERMS
from textgan.nets import CRITICS, GENERATORS


def check(config: Config) -> None:
    """Check a configuration against the tables of parts, and its parts against each other.

    Raises:
        UsageError: a name is in no table, with the nearest match; or settings cannot work together, with the reason.
    """
    for refusals in CHECKS:
        for reason in refusals(config):
            raise UsageError(reason)


def _names(config: Config) -> Iterator[str]:
    named: list[tuple[str, str, Collection[str]]] = [
        ("generator.net", config.generator.net, GENERATORS),
        ("critic.net", config.critic.net, CRITICS.keys() | {"none"}),
        ("generator.relaxation", config.generator.relaxation, RELAXATIONS),
        ("game.objective", config.game.objective, OBJECTIVES),
        ("game.constraint", config.game.constraint, CONSTRAINTS),
        *((f"game.penalties.{name}", name, PENALTIES) for name in config.game.penalties),
    ]
    for key, name, table in named:
        if name not in table:
            yield f"{key}: there is no {name!r}{near_miss(name, table)}"


def _sizes(config: Config) -> Iterator[str]:
    for key, kernel in (("generator.kernel", config.generator.kernel), ("critic.kernel", config.critic.kernel)):
        if kernel % 2 == 0:
            yield f"{key}: {kernel} is even; a convolution that keeps the length needs an odd kernel"
    counts, windows = config.count_critic, config.window_likelihood
    if counts.weight and not counts.orders:
        yield "count_critic.orders: is empty; name the lengths of the n-grams, such as [3, 4]"
    for key, weight, orders in (
        ("count_critic.orders", counts.weight, counts.orders),
        ("window_likelihood.order", windows.weight, (windows.order,)),
    ):
        if weight and not all(1 <= n <= config.text.length for n in orders):
            yield f"{key}: {list(orders)} must lie within 1 to text.length ({config.text.length})"


def _terms(config: Config) -> Iterator[str]:
    if config.likelihood.weight and not hasattr(GENERATORS[config.generator.net], "teacher"):
        yield f"likelihood.weight: the net {config.generator.net!r} gives no likelihood; set generator.net=recurrent"
    terms = [name for name in TERMS if getattr(config, name).weight]
    if terms and config.generator.temperature != 1:
        yield f"generator.temperature: must be 1 with {terms[0]}, which knows the softmax at temperature 1"
    if (config.critic.net == "none" or config.game.weight == 0) and not terms:
        yield "no critic (critic.net, game.weight) and no term: nothing would teach the generator"


CHECKS = (_names, _sizes, _terms)
"""What each yields is a reason to refuse; later ones may rely on earlier ones."""
