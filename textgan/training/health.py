"""The health of a run: what the rows of its log say of collapse, saturation and divergence, in words.

It judges rows as they stand in metrics.jsonl and nothing else: a resumed run, whose log is read again, is judged as if
it had never stopped, and training knows nothing of it.
"""

from __future__ import annotations

import bisect
import copy
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

Row = dict[str, Any]

FEW = 0.5  # of what real samples have: far under what a count of some hundreds has by chance
KNOWN = 10  # rows before a number has a usual size: the first ones of a healthy run fall or grow by 30 times
RUNAWAY = 1e3  # times the usual size: healthy runs were seen to go through 30
LEAST = 0.1  # taken for usual where that is less: a critic that wakes late grows by decades, and is well at 100
FAR = 1e4  # between scores: a critic of slope 1 gives two pictures of 32 x 32 at most 111, two lines of text less
HUGE = 1e6  # a gradient's norm; healthy runs were seen at up to 53, and larger nets have larger ones
FAINT = 1e-4  # times the usual size: what a sigmoid leaves of a gradient at a score of -9
NOTHING = 1e-12  # a gradient's norm, whatever is usual: Adam's own epsilon is 1e-8
CERTAIN = 0.01  # the loss of a critic that gives real samples 99 %; the least loss is 0 under all but wasserstein
APART = 0.5  # between scores, so that a loss near 0 is one of certainty; least squares asks for 1
BLIND = 1e-4  # between scores, and of the critic's gradient: a thousandth of what the weakest healthy critic had
STEEP = 3.0  # mean slope under a penalty that asks for 1; healthy runs were seen at up to 1.2


class Alarm(NamedTuple):
    """What is wrong, from the row on that completed the proof."""

    kind: str
    """A key of CHECKS."""
    text: str
    """What is wrong and what may help, in one line."""


@dataclass(frozen=True)
class Seen:
    """What a check looks at."""

    row: Row
    critic: Mapping[str, float]
    """The critic's numbers in the last row that tells of it."""
    usual: Callable[[str], float | None]
    """The median of a number over all rows before, None where there are too few."""

    @property
    def evaluation(self) -> Row:
        """What was measured; empty in a row of losses."""
        return self.row.get("evaluation") or {}


def collapse(seen: Seen) -> str | None:
    """The generator makes the same samples again and again, or few of the modes that the corpus has."""
    for name, words in SHARES.items():
        share = seen.evaluation.get(name) or {}
        value, floor = share.get("value"), share.get("floor")
        if value is not None and floor and value < FEW * floor and _good(seen.evaluation):
            told = words(value, floor, seen.evaluation.get("samples"))
            return f"the generator has collapsed: {told}; lower learning rates or heavier penalties may help"
    return "" if SHARES.keys() & seen.evaluation.keys() else None


def _good(evaluation: Row) -> bool:
    """Whether most samples are good ones, where that is known: a generator that has only begun has no modes yet."""
    good = evaluation.get("good")
    return good is None or good["value"] >= FEW * good["floor"]


SHARES: Mapping[str, Callable[[float, float, int | None], str]] = {
    "unique": lambda value, floor, count: (
        f"{100 * value:.2g} % of {f'{count:,} ' if count else ''}samples are distinct (real ones {100 * floor:.3g} %)"
    ),
    "balanced": lambda value, floor, count: f"its samples are good, but of {value:g} modes (real ones of {floor:g})",
}
"""Metrics that collapse makes small, {"value", "floor"} each, and how they are said."""


def saturation(seen: Seen) -> str | None:
    """Nothing is left to learn from: the generator has no gradient, or the critic makes no mistakes."""
    norm = numbers(seen.row).get(GENERATOR)
    if norm is None:
        return None
    usual, won = seen.usual(GENERATOR), _won(seen.critic)
    faint = norm < NOTHING or (usual is not None and norm < FAINT * usual)
    if not faint and not won:
        return ""
    told = f"the generator is stuck: its gradient's norm is {norm:.1e}" if faint else "the generator has lost"
    if faint and usual:
        told += f", usually {usual:.1e}"
    if won:
        return (
            f"{told}: the critic tells its samples from real ones with certainty, its loss is "
            f"{seen.critic['objective']:.1e}; a penalty, a lighter critic or the wasserstein objective may help"
        )
    return f"{told}; a lower generator.learning_rate, and a critic that keeps a slope, may help"


def _won(critic: Mapping[str, float]) -> bool:
    return bool(critic) and abs(critic["objective"]) < CERTAIN and _gap(critic) > APART


def blindness(seen: Seen) -> str | None:
    """The critic gives real and generated samples the same score, and finds no way to do better."""
    if "critic" not in seen.row:
        return None
    if not (abs(_gap(seen.critic)) < BLIND and seen.critic["gradient_norm"] < BLIND):
        return ""
    return (
        f"the critic learns nothing: it scores real and generated samples {_gap(seen.critic):.1e} apart, and its "
        f"gradient's norm is {seen.critic['gradient_norm']:.1e}; a gentler constraint, a penalty in its place, or a "
        "lower critic.learning_rate may help"
    )


def divergence(seen: Seen) -> str | None:
    """A gradient or the gap of the scores grows beyond all that was usual."""
    found = numbers(seen.row)
    for name, value in found.items():
        usual = seen.usual(name)
        if usual is not None and value > RUNAWAY * max(usual, LEAST):
            return f"training diverges: {name} is {value:.1e}, usually {usual:.1e}; {CALM}"
        if value > LIMITS[name]:
            return f"training diverges: {name} is {value:.1e}; {CALM}"
    return "" if found else None


CALM = "lower learning rates or a heavier penalty may help"


TO_ONE = {"gradient_penalty", "gradient_penalty_one_sided"}
"""Penalties that ask for a slope of 1, or of at most 1, between real and generated samples."""


def steepness(seen: Seen) -> str | None:
    """The critic's slope is far above the 1 that its penalty asks for."""
    slope = (seen.evaluation.get("critic") or {}).get("slope")
    if slope is None or not TO_ONE & seen.critic.keys():
        return None
    if slope < STEEP:
        return ""
    name = min(TO_ONE & seen.critic.keys())
    return (
        f"the critic is too steep: its mean slope is {slope:.1f}, where the gradient penalty asks for 1; a lower "
        f"critic.learning_rate or a heavier game.penalties.{name} may help"
    )


CHECKS: Mapping[str, tuple[int, Callable[[Seen], str | None]]] = {
    "collapse": (2, collapse),
    "saturation": (10, saturation),
    "blindness": (5, blindness),
    "divergence": (3, divergence),
    "steepness": (2, steepness),
}
"""How many rows in a row prove it, and what looks at one: words if ill, "" if well, None where the row tells nothing.

The first samples of a healthy run may be all alike: one evaluation proves no collapse. A critic whose slope is held may
be certain at first, for 7 rows where it was seen, and be caught up with.
"""

GENERATOR, CRITIC, GAP = "the generator's gradient", "the critic's gradient", "the gap between the critic's scores"
LIMITS = {GENERATOR: HUGE, CRITIC: HUGE, GAP: FAR}


def numbers(row: Row) -> dict[str, float]:
    """Return the sizes of a row whose usual ones are remembered."""
    found = {}
    if "generator" in row:
        found[GENERATOR] = row["generator"]["gradient_norm"]
    if "critic" in row:
        found |= {CRITIC: row["critic"]["gradient_norm"], GAP: abs(_gap(row["critic"]))}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _gap(critic: Mapping[str, float]) -> float:
    """Real less fake; NaN, which is neither large nor small, in the log of a version that did not tell."""
    return critic.get("score_real", math.nan) - critic.get("score_fake", math.nan)


class Health:
    """Judges the rows of one run, in their order."""

    def __init__(self) -> None:
        self.critic: Mapping[str, float] = {}
        self.past: defaultdict[str, list[float]] = defaultdict(list)
        self.ringing: set[str] = set()
        self.against: Counter[str] = Counter()

    def __call__(self, row: Row) -> list[Alarm]:
        """Return the alarms that a row raises: each once, until as many healthy rows as prove it have passed."""
        self.critic = row.get("critic", self.critic)
        seen, raised = Seen(row, self.critic, self._usual), []
        for kind, (patience, check) in CHECKS.items():
            said = check(seen)
            if said is not None and self._turned(kind, bool(said), patience) and said:
                raised.append(Alarm(kind, said))
        for name, value in numbers(row).items():
            bisect.insort(self.past[name], value)
        return raised

    def _turned(self, kind: str, ill: bool, patience: int) -> bool:
        """Count a verdict; return whether so many in a row have changed what is held true."""
        self.against[kind] = 0 if ill == (kind in self.ringing) else self.against[kind] + 1
        if self.against[kind] < patience:
            return False
        self.against[kind] = 0
        self.ringing ^= {kind}
        return True

    def _usual(self, name: str) -> float | None:
        past = self.past[name]
        return median(past) if len(past) >= KNOWN else None


@dataclass
class Ward:
    """Writes a run's rows to its log, and after each the alarms that it raises, which are also told."""

    log: Callable[[Row], None]
    tell: Callable[[str], None]
    log_every: int
    evaluate_every: int
    health: Health = field(default_factory=Health)

    def __call__(self, row: Row) -> None:
        """Take a row."""
        self.log(row)
        for kind, text in self.judge(row):
            self.log({"step": row["step"], "alarm": {"kind": kind, "text": text}})
            self.tell(f"step {row['step']:,}: {text}")

    def begin(self, rows: Iterable[Row]) -> None:
        """Judge a log from its first row, as if all before had not been; nothing is told of it again.

        A row that does not hold what training writes, as anyone may have written one, is passed over.
        """
        self.health = Health()
        for row in rows:
            with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                Health()({"generator": {"gradient_norm": 1.0}} | row)  # before anything of it is remembered
                self.judge(row)

    def judge(self, row: Row) -> list[Alarm]:
        """Judge a row; one out of turn, the last of an interrupted run, leaves no trace in what comes after it."""
        every = self.evaluate_every if "evaluation" in row else self.log_every
        return (self.health if row["step"] % every == 0 else copy.deepcopy(self.health))(row)


def alarms(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the first alarm of each kind in a log: {"step", "kind", "text"}."""
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        alarm = row.get("alarm")
        if isinstance(alarm, dict):
            told = {name: str(alarm.get(name)) for name in Alarm._fields}
            first.setdefault(told["kind"], {"step": row["step"]} | told)
    return list(first.values())
