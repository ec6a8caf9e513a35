"""Refusals: names that are in no table, and settings that cannot work together, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from textgan import opening
from textgan.config import Config
from textgan.errors import UsageError, near_miss
from textgan.game.constraints import CONSTRAINTS
from textgan.game.objectives import OBJECTIVES, logistic_critic
from textgan.game.penalties import EQUALITIES, PENALTIES
from textgan.game.relaxations import DRAWN_AT_ONE
from textgan.game.terms import TERMS
from textgan.kinds import KINDS
from textgan.nets import CRITICS_OF, GENERATORS_OF
from textgan.nets.minibatch import MINIBATCH
from textgan.nets.norms import BY_LABEL
from textgan.nets.sequence import halvings
from textgan.opening import OPENERS, kind_of


def check(config: Config) -> None:
    """Check a configuration against the tables of parts, and its parts against each other.

    Raises:
        UsageError: a name is in no table, with the nearest match; or settings cannot work together, with the reason.
    """
    for refusals in CHECKS:
        for reason in refusals(config):
            raise UsageError(reason)


def _names(config: Config) -> Iterator[str]:
    kind = kind_of(config)
    named: list[tuple[str, str, Collection[str]]] = [
        ("generator.net", config.generator.net, GENERATORS_OF[kind]),
        ("critic.net", config.critic.net, CRITICS_OF[kind].keys() | {"none"}),
        ("generator.relaxation", config.generator.relaxation, KINDS[kind].relaxations),
        ("game.objective", config.game.objective, OBJECTIVES),
        ("game.constraint", config.game.constraint, CONSTRAINTS),
        *((f"game.penalties.{name}", name, PENALTIES | EQUALITIES) for name in config.game.penalties),
    ]
    parts = (part for k in KINDS for part in (*GENERATORS_OF[k], *CRITICS_OF[k], *KINDS[k].relaxations))
    elsewhere = dict.fromkeys(parts, f" for {OPENERS[kind].samples}")
    for key, name, table in named:
        if name not in table:
            yield f"{key}: there is no {name!r}{elsewhere.get(name, '')}{near_miss(name, table)}"


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


def _pictures(config: Config) -> Iterator[str]:
    side = config.image.side
    if kind_of(config) == "image" and side & (side - 1):
        yield f"image.side: nets double 4 pixels again and again, which never gives {side}; use a power of two, as 32"
    sides = (("generator", config.generator, GENERATORS_OF), ("critic", config.critic, CRITICS_OF))
    for key, player, nets in sides:
        if player.nonlinearity != "relu" and player.net not in BENT:
            yield f"{key}.nonlinearity: {player.net!r} has no choice of one; use relu{_or(nets, BENT, config)}"
        if player.net == "resnet101" and player.width % 4:
            yield f"{key}.width: resnet101 halves {player.width} twice; use a multiple of 4"


def _terms(config: Config) -> Iterator[str]:
    g, likelihood, kind = config.generator, config.likelihood, kind_of(config)
    terms = [name for name in TERMS if getattr(config, name).weight]
    for term in (term for term in terms if term not in KINDS[kind].terms):
        about = f"the term looks at symbols, and these are {OPENERS[kind].samples}"
        yield f"{term}.weight: must be 0 on {config.corpus.name}; {about}"
    for key, value in (("weight", likelihood.weight), ("pretrain", likelihood.pretrain)):
        if value and not hasattr(GENERATORS_OF[kind][g.net], "teacher"):
            knowing = ", ".join(name for name, net in GENERATORS_OF["text"].items() if hasattr(net, "teacher"))
            yield f"likelihood.{key}: the net {g.net!r} gives no likelihood; set generator.net to {knowing}"
    paid = [name for name in AT_ONE if name in terms or (name == "likelihood" and likelihood.pretrain)]
    paid += ["reinforce"] if g.relaxation == "reinforce" else []
    if paid and g.relaxation not in DRAWN_AT_ONE and (g.temperature != 1 or g.final_temperature not in (0, 1)):
        key = "temperature" if g.temperature != 1 else "final_temperature"
        yield f"generator.{key}: must be 1 with {paid[0]}, which knows the softmax at temperature 1"
    if (config.critic.net == "none" or config.game.weight == 0) and not terms:
        yield "no critic (critic.net, game.weight) and no term: nothing would teach the generator"
    if config.count_critic.weight and g.relaxation == "straight_through_argmax":
        yield "generator.relaxation: straight_through_argmax draws no symbols, which count_critic counts; use another"


def _without_critic(config: Config) -> Iterator[str]:
    if config.critic.net == "none":
        if config.generator.relaxation == "reinforce":
            yield "generator.relaxation: reinforce is paid by a critic, and critic.net is none; use softmax"
        if config.feature_matching.weight:
            yield "feature_matching.weight: it matches a critic's features, and critic.net is none; choose a critic"


def _reinforce(config: Config) -> Iterator[str]:
    if config.generator.relaxation == "reinforce" and config.feature_matching.weight:
        yield "feature_matching.weight: reinforce lets no gradient through the sample, by which it teaches; set it to 0"


def _objective(config: Config) -> Iterator[str]:
    g = config.game
    if g.real_label != 1 and not OBJECTIVES[g.objective].target:
        takers = ", ".join(name for name, objective in OBJECTIVES.items() if objective.target)
        yield f"game.real_label: {g.objective} has no labels to smooth; leave it at 1, or choose {takers}"


def _optimizers(config: Config) -> Iterator[str]:
    for key, player in (("generator", config.generator), ("critic", config.critic)):
        if player.optimizer == "rmsprop" and player.betas[0] != 0:
            yield f"{key}.betas: rmsprop keeps no mean of gradients; set {key}.betas=[0.0, {player.betas[1]}]"


def _constraints(config: Config) -> Iterator[str]:
    bent = _not_piecewise_linear(config)
    if config.game.constraint == "piecewise_gradient_normalisation" and bent:
        yield (
            f"game.constraint: piecewise_gradient_normalisation bounds the slope of critics that are linear between "
            f"kinks, and {bent[0]} is none; use gradient_normalisation, or {bent[1]}"
        )


def _not_piecewise_linear(config: Config) -> tuple[str, str] | None:
    """A critic that is not linear between kinks, in words, and the setting of one that is; None of those that are."""
    net, nonlinearity = config.critic.net, config.critic.nonlinearity
    if net not in PIECEWISE_LINEAR:
        known = [name for name in PIECEWISE_LINEAR if name in CRITICS_OF[kind_of(config)]]
        return repr(net), f"critic.net={known[0]}"
    return None if nonlinearity == "relu" else (f"{net!r} with {nonlinearity}", "critic.nonlinearity=relu")


def _spectral(config: Config) -> Iterator[str]:
    if config.game.constraint != "spectral_norm":
        return
    bent = _not_piecewise_linear(config)
    if bent:
        yield (
            f"game.constraint: spectral_norm bounds matrices, and what else a critic {bent[0]} does with them can "
            f"still be steep; use gradient_normalisation, a penalty, or {bent[1]}"
        )
    if config.critic.norm != "none":
        yield f"critic.norm: {config.critic.norm} divides by what it is given, which spectral_norm bounds not; use none"


def moving(config: Config) -> list[str]:
    """Return the keys of what goes with the share of the steps that is done, the learning rates left out."""
    first, last = config.game.real_smoothing
    moves = {
        "generator.final_temperature": config.generator.final_temperature not in (0, config.generator.temperature),
        "game.real_smoothing": first != last,
    }
    return [key for key in moves if moves[key]]


def _graphs(config: Config) -> Iterator[str]:
    """What changes from step to step would be frozen in a graph."""
    held = [f"game.penalties.{name}" for name in EQUALITIES if config.game.penalties.get(name)]
    if config.training.graphs:
        for key in moving(config) + held:
            yield f"training.graphs: {key} changes from step to step, which a graph would not see; use false"


def _norms(config: Config) -> Iterator[str]:
    g, c = config.generator, config.critic
    sides = (("generator.norm", g.norm, g.net, GENERATORS_OF), ("critic.norm", c.norm, c.net, CRITICS_OF))
    for key, norm, net, nets in sides:
        if norm != "none" and net not in LAYERED:
            yield f"{key}: the net {net!r} takes no norm; use none{_or(nets, LAYERED, config)}"
    if g.norm in BY_LABEL and g.net not in LABELLED:
        yield f"generator.norm: {g.norm} goes by labels, which no norm of {g.net!r} is given; use batch"
    if g.norm in BY_LABEL and not config.corpus.label_column:
        yield f"generator.norm: {g.norm} goes by labels, and there are none; set corpus.label_column, or use batch"
    slopes = _slopes(config)
    if c.norm == "batch" and slopes:
        yield f"critic.norm: batch mixes the samples, and {slopes[0]} judges each alone; use layer or none"
    if c.norm == "layer" and config.game.constraint == "piecewise_gradient_normalisation":
        yield "critic.norm: piecewise_gradient_normalisation needs a critic that is linear between kinks; use none"
    moved = [norm for norm in (g.norm, c.norm) if norm in MOVED]
    if config.training.graphs and moved:
        about = f"which would move the statistics of {moved[0]} norm"
        yield f"training.graphs: a graph is tried out first, {about}; use false"


def _minibatch(config: Config) -> Iterator[str]:
    c = config.critic
    if c.minibatch == "none":
        return
    if kind_of(config) == "toy":
        yield f"critic.minibatch: the critic of points is drawn place by place, {c.minibatch} scores batches; use none"
    if c.net == "none":
        yield f"critic.minibatch: there is no critic that {c.minibatch} could tell of its batch; use none"
    slopes = [name for name in _slopes(config) if name not in OF_A_BATCH]
    if slopes:
        yield f"critic.minibatch: {c.minibatch} mixes the samples, and {slopes[0]} judges each alone; use r1 or r2"
    if c.batch > config.training.batch:
        yield (
            f"critic.batch: {c.batch} is more than the {config.training.batch} samples of training.batch that the "
            f"generator is judged by, and with {c.minibatch} their number matters; use at most as many"
        )
    own = c.batch or config.training.batch
    if c.judged not in (0, own):
        yield f"critic.judged: a critic step has {own} samples, and with {c.minibatch} their number matters; use 0"


def _dropout(config: Config) -> Iterator[str]:
    c, wanted = config.critic, bool(config.game.penalties.get("consistency"))
    if (c.dropout or wanted) and c.net not in DROPPING:
        key = "critic.dropout" if c.dropout else "game.penalties.consistency"
        yield f"{key}: the net {c.net!r} has no dropout; use 0{_or(CRITICS_OF, DROPPING, config)}"
    if wanted and not c.dropout:
        yield "critic.dropout: must be above 0 with the penalty consistency, which compares two dropouts; try 0.5"
    if wanted and c.net == "downsampling" and not halvings(config.text.length):
        yield "game.penalties.consistency: so short a text.length leaves downsampling no block; use critic.net=paper"
    if c.dropout and not wanted and not config.corpus.labels_per_class:
        yield "critic.dropout: nothing but the penalty consistency drops values; use 0, or give that penalty a weight"


def _semi_supervised(config: Config) -> Iterator[str]:
    c, g = config.critic, config.game
    if not config.corpus.labels_per_class:
        return
    key = "corpus.labels_per_class"
    if config.corpus.label_column:
        yield f"{key}: few labels are for a generator without; leave corpus.label_column out, or use 0"
    if OBJECTIVES[g.objective].critic is not logistic_critic:
        yield (
            f"{key}: {g.objective} has no probabilities, of which a class is to have its share; use -c semi_supervised "
            "or game.objective=non_saturating"
        )
    if c.minibatch != "none":
        yield f"{key}: critic.minibatch={c.minibatch} would class a sample by those beside it; use none"
    if g.constraint in NORMALISATIONS:
        yield f"{key}: {g.constraint} changes the score, and not the classes that it is of; use another"


def _labels(config: Config) -> Iterator[str]:
    if not config.corpus.label_column:
        return
    if config.window_likelihood.weight:
        yield "window_likelihood.weight: must be 0 on a labelled corpus; that term would mix the labels"
    if config.game.condition == "auxiliary" and config.generator.relaxation == "reinforce":
        yield "game.condition: auxiliary teaches labels through the sample, as reinforce cannot; use projection"
    if config.generator.norm == "virtual_batch":
        yield "generator.norm: virtual_batch needs a corpus without labels; its reference batch has none"


def _or(nets: Mapping[str, Collection[str]], able: Collection[str], config: Config) -> str:
    """The nets of a side that can, where there are some for this kind of sample."""
    known = [name for name in nets[kind_of(config)] if name in able]
    return f", or the net {' or '.join(known)}" if known else ""


def _slopes(config: Config) -> list[str]:
    """What in the game looks at each sample by itself: the penalties, and constraints that take a slope."""
    game = config.game
    penalties = [name for name, weight in game.penalties.items() if weight]
    return penalties + ([game.constraint] if game.constraint in NORMALISATIONS else [])


def warnings(config: Config) -> Iterator[str]:
    """Yield what can be done but means something else than one might think."""
    minibatch, slopes = config.critic.minibatch, _slopes(config)
    if minibatch != "none" and slopes:
        yield f"with critic.minibatch={minibatch} the slopes of {slopes[0]} are those of a batch's summed scores"
    by_position = hasattr(CRITICS_OF[kind_of(config)].get(config.critic.net), "position_scores")
    hidden = [name for name in (minibatch, config.game.constraint) if name in {*MINIBATCH, *NORMALISATIONS}]
    if config.generator.relaxation == "reinforce" and by_position and hidden:
        yield f"with {hidden[0]} a sample has one score, and reinforce pays all its positions the same"


LABELLED = {"resnet", "resnet_growing"}
"""Generators that take a norm by labels."""
BENT = {"dcgan", "dcgan_constant"}
"""Nets that have a choice of nonlinearities."""
LAYERED = {"paper", "upsampling", "downsampling", "resnet101"} | LABELLED | BENT
"""Nets that take norms."""
MOVED = {"batch", *BY_LABEL}
"""Norms whose statistics each batch of training moves."""
DROPPING = {"paper", "downsampling", "resnet", "resnet_growing"}
"""Critics that take dropout."""

NORMALISATIONS = {"gradient_normalisation", "piecewise_gradient_normalisation"}
OF_A_BATCH = {"r1", "r2"}
"""Penalties that still say something where a score depends on the whole batch, all of it real or all generated."""

AT_ONE = ("count_critic", "window_likelihood", "likelihood")
"""Terms that take the softmax of the logits as they are."""
PIECEWISE_LINEAR = ("downsampling", "paper", "mlp", "resnet", "resnet_growing", "resnet101", "dcgan", "none")
"""Critics made of sums, means and (leaky) ReLUs alone."""
CHECKS = (
    _names,
    *opening.CHECKS,
    _sizes,
    _pictures,
    _terms,
    _without_critic,
    _reinforce,
    _objective,
    _optimizers,
    _constraints,
    _spectral,
    _norms,
    _minibatch,
    _dropout,
    _semi_supervised,
    _labels,
    _graphs,
)
"""What each yields is a reason to refuse; later ones may rely on earlier ones."""
