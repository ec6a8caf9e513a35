"""What the numbers of a report say, in plain words: each beside real text, and the faults that they prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textgan.figures import share
from textgan.metrics.metric import Metric
from textgan.report.families import GROUPS, SATURATED, Family, coarse, family, fine, noise
from textgan.report.measure import Report

DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "near the floor": "best near real text",
}
FEWEST = 30  # samples below which nothing is concluded


@dataclass(frozen=True)
class Reading:
    """A number, written out."""

    metric: Metric
    group: str
    """Which of GROUPS it stands in."""
    title: str
    """Of its family."""
    meaning: str
    """What its family measures, one sentence."""
    direction: str
    """Which way is better."""
    value: str
    low: str
    high: str
    floor: str
    excess: str
    """"–" where it does not exist."""
    says: str
    """What this value means beside real text, one sentence."""


def readings(report: Report) -> tuple[Reading, ...]:
    """Write out every number of a report: groups in their order, families in theirs within one."""
    written = [_reading(metric, report, family(metric.name)) for metric in report.metrics]
    return tuple(reading for group in GROUPS for reading in written if reading.group == group)


def _reading(metric: Metric, report: Report, words: Family) -> Reading:
    numbers = (metric.low, metric.high, metric.floor)
    low, high, floor = ("–" if number is None else words.show(number) for number in numbers)
    return Reading(
        metric=metric,
        group=words.group,
        title=words.title,
        meaning=words.meaning,
        direction=DIRECTIONS.get(metric.better, metric.better),
        value=_value(metric, words),
        low=low,
        high=high,
        floor=floor,
        excess=_excess(metric, words),
        says=_says(metric, report, words),
    )


def _value(metric: Metric, words: Family) -> str:
    if metric.infinite:
        return "∞"
    return "–" if metric.value is None else words.show(metric.value)


def _excess(metric: Metric, words: Family) -> str:
    if metric.excess is None:
        return "–"
    shown = words.show(abs(metric.excess))
    sign = "" if not any(digit in shown for digit in "123456789") else "−" if metric.excess < 0 else "+"
    return sign + shown


def _says(metric: Metric, report: Report, words: Family) -> str:
    if metric.infinite:
        return "Infinite: something is impossible for the other side."
    if metric.value is None:
        return "No value: there is too little text."
    if metric.floor is None:
        return "There is no number of real text to put beside it."
    return words.says(metric, report)


# --- faults ---------------------------------------------------------------------------------------------------------


def faults(report: Report) -> tuple[str, ...]:
    """Name what is wrong with the samples where the numbers prove it, each fault in one sentence; else nothing.

    A value must lie apart from real text's by twice what chance explains, and by much of the way that is left to the
    worst one. Of the checks of one subject the first that finds something speaks.
    """
    return tuple(said for subject in SUBJECTS if (said := next(filter(None, (of(report) for of in subject)), "")))


def _few(report: Report) -> str:
    if report.samples < FEWEST:
        return f"there are only {report.samples:,} samples: too few for a conclusion"
    judged = _longest(report, "jsd", 4)
    if judged is None or judged.floor is None or judged.floor < SATURATED:
        return ""
    return (
        f"there are too few lines for a conclusion: at this count real text itself has a JSD-{judged.key} "
        f"of {judged.floor:.2f}"
    )


def _copied(report: Report) -> str:
    metric = _one(report, "copies")
    if metric is None or _way_up(metric) < 0.05:
        return ""
    return (
        f"the samples repeat the training text: {_percent(metric.value)} are training lines, of held-out text "
        f"{_percent(metric.floor)} are"
    )


def _pieced(report: Report) -> str:
    """Long pieces, or small distances, where lines are changed a little and so are no copies."""
    longest, nearest = _one(report, "longest_copied", "mean"), _one(report, "nearest", "mean")
    if longest is not None and _ratio(longest) > 1.5 and (nearest is None or _ratio(nearest) < 0.8):
        return (
            f"the samples piece together training text: they copy {longest.value:.0f} characters in a row on average, "
            f"held-out text shares {longest.floor:.0f} by chance"
        )
    if longest is None and nearest is not None and _ratio(nearest) < 0.5:
        return (
            f"the samples are training lines a little changed: {_percent(nearest.value)} of a line is edited on "
            f"average, of held-out text {_percent(nearest.floor)}"
        )
    return ""


def _easy(report: Report) -> str:
    metric = _one(report, "lm_nll", "forward")
    if metric is None or _ratio(metric) > 0.8:
        return ""
    return (
        f"the samples are too safe: a language model finds them far easier than real text ({fine(metric.value or 0)} "
        f"against {fine(metric.floor or 0)})"
    )


def _same_lines(report: Report) -> str:
    metric = _at_equal_counts(_one(report, "unique"), report)
    if metric is None or _ratio(metric) > 0.8:
        return ""
    return (
        f"the samples repeat one another: {_percent(metric.value)} of them are different lines, of real text "
        f"{_percent(metric.floor)} are"
    )


def _same_phrases(report: Report) -> str:
    for name, n, what in (("distinct", "2", "pairs of words"), ("distinct_char", "4", "runs of 4 characters")):
        metric = _at_equal_counts(_one(report, name, n), report)
        if metric is not None and _ratio(metric) < 0.6:
            return (
                f"the samples say the same again and again: {_percent(metric.value)} of their {what} are different "
                f"ones, of real text {_percent(metric.floor)} are"
            )
    return ""


def _alike(report: Report) -> str:
    metric = _longest(report, "self_bleu", 4)
    if metric is None or _way_up(metric) < 0.3:
        return ""
    return (
        f"the samples are too much alike: their Self-BLEU-{metric.key} is {metric.value:.2f}, of real text "
        f"{metric.floor:.2f}"
    )


def _poor(report: Report) -> str:
    for key, what in (("word", "words"), ("char", "characters")):
        metric = _one(report, "entropy", key)
        if metric is not None and _ratio(metric) < 0.9:
            return (
                f"the samples are repetitive: their {what} have {coarse(metric.value or 0)} bits of entropy, those of "
                f"real text {coarse(metric.floor or 0)}"
            )
    return ""


def _alphabet(report: Report) -> str:
    metric = _one(report, "jsd", "1")
    if metric is None or _way_up(metric) < 0.7:
        return ""
    return (
        f"the samples are written in other characters than the reference: JSD-1 is {metric.value:.2f}, of real text "
        f"{metric.floor:.2f}"
    )


def _order(report: Report) -> str:
    """The right characters, in no order: the way from real text to nothing shared is short at n = 1, long above."""
    first, words = _one(report, "jsd", "1"), _known_words(report)
    if first is None or _way_up(first) > 0.1 or (words is not None and _ratio(words) > 0.5):
        return ""
    for n, far in (("3", 0.4), ("4", 0.65)):
        metric = _one(report, "jsd", n)
        if metric is not None and _way_up(metric) > far:
            return (
                f"the samples have the right characters in the wrong order: JSD-1 is {first.value:.2f}, but JSD-{n} "
                f"{metric.value:.2f}, of real text {metric.floor:.2f}"
            )
    return ""


def _invented(report: Report) -> str:
    metric = _known_words(report)
    if metric is None or _ratio(metric) > 0.7:
        return ""
    text = "reference" if report.training is None else "training text"
    return (
        f"many words are made up: the {text} has {_percent(metric.value)} of the samples' words, of real text's "
        f"{_percent(metric.floor)}"
    )


def _lengths(report: Report) -> str:
    mean, spread = _one(report, "length", "mean"), _one(report, "length", "jsd")
    if mean is not None and not 0.8 < _ratio(mean) < 1.25:
        too = "short" if _ratio(mean) < 1 else "long"
        return f"the lines are too {too}: {mean.value:.1f} characters on average, real ones have {mean.floor:.1f}"
    if spread is not None and _way_up(spread) > 0.5:
        return (
            f"the lengths of lines are off: their histogram has a JSD of {spread.value:.2f} to real text's, which "
            f"itself has {spread.floor:.2f}"
        )
    return ""


Check = Callable[[Report], str]
SUBJECTS: tuple[tuple[Check, ...], ...] = (
    (_few,),
    (_copied, _pieced, _easy),
    (_same_lines, _same_phrases, _alike, _poor),
    (_alphabet, _order, _invented),
    (_lengths,),
)
"""Each looks at a report and returns a sentence, or "" where it finds nothing."""


def _one(report: Report, name: str, key: str = "") -> Metric | None:
    """The number of that name and key, if it and its floor exist."""
    found = (metric for metric in report.of(name) if metric.key == key)
    return next((metric for metric in found if metric.excess is not None), None)


def _longest(report: Report, name: str, most: int) -> Metric | None:
    """The number for the longest n-gram of at most so many."""
    found = [one for n in range(1, most + 1) if (one := _one(report, name, str(n))) is not None]
    return found[-1] if found else None


def _known_words(report: Report) -> Metric | None:
    """Known words, where real text has mostly such; else, as in DNA, they are no words."""
    metric = _one(report, "words")
    return None if metric is None or (metric.floor or 0) < 0.5 else metric


def _at_equal_counts(metric: Metric | None, report: Report) -> Metric | None:
    """Let the floor of a share of different things be what it is at least at as many lines as there are samples."""
    if metric is None or metric.floor is None or report.floor_samples >= report.samples:
        return metric
    floor = metric.floor * report.floor_samples / report.samples
    return Metric(metric.name, metric.key, metric.value, floor, metric.better, metric.counts, metric.low, metric.high)


def _way_up(metric: Metric) -> float:
    """How much of the way from real text's share to 1 the value went; 0 where chance explains it."""
    if metric.excess is None or metric.floor is None or metric.excess <= 2 * noise(metric):
        return 0.0
    return metric.excess / max(1 - metric.floor, 1e-9)


def _ratio(metric: Metric) -> float:
    """Value over real text's; 1 where chance explains the difference."""
    if metric.value is None or not metric.floor or abs(metric.value - metric.floor) <= 2 * noise(metric):
        return 1.0
    return metric.value / metric.floor


def _percent(value: float | None) -> str:
    """A share without decimals, unless it is small."""
    return "–" if value is None else share(value) if 0 < value < 0.1 else f"{100 * value:.0f} %"
