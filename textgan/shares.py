"""What several processes must have alike before they share a run: batches that divide, one corpus, one state."""

from __future__ import annotations

from textgan.assemble import Parts
from textgan.config import Config
from textgan.errors import TextganError, UsageError
from textgan.ranks import Ranks
from textgan.training.distributed import by_all, by_first, spread
from textgan.training.state import TrainingState


def first_config(config: Config, ranks: Ranks) -> Config:
    """Return the configuration of the first process, which may have it from a folder that others do not see."""
    return Config.model_validate(by_first(ranks, lambda: config.model_dump(mode="json"))) if ranks.count > 1 else config


def check_shares(config: Config, ranks: Ranks) -> None:
    """Refuse batches that so many processes cannot share evenly, and what cannot be done by several.

    Raises:
        UsageError: in one line.
    """
    t, c = config.training, config.critic
    critic = c.batch or t.batch
    sizes = {"training.batch": t.batch, "critic.batch": critic, "critic.judged": min(c.judged or critic, t.batch)}
    for key, size in sizes.items():
        if size % ranks.count:
            raise UsageError(
                f"{key}: {size} samples cannot be split evenly over {ranks.count} processes; "
                f"use a multiple of {ranks.count}, or a number of processes that divides it"
            )
    if t.graphs and ranks.count > 1:
        raise UsageError("training.graphs: no CUDA graphs under several processes; use false")


def check_corpus_alike(parts: Parts, ranks: Ranks) -> None:
    """Refuse to train on one text here and another there.

    Raises:
        TextganError: the corpus is not that of the first process.
    """
    corpus = parts.corpus
    firsts = by_first(ranks, lambda: corpus.fingerprint)

    def check() -> None:
        if corpus.fingerprint != firsts:
            raise TextganError(f"{corpus.name} is not the same here as at process 0; give all machines the same files")

    by_all(ranks, check)


def share_state(state: TrainingState, ranks: Ranks) -> None:
    """Bring all processes to the state of the first."""
    if ranks.count == 1:
        return
    step = by_first(ranks, lambda: state.step)
    facts = by_first(ranks, state.facts)
    state.load(step, spread(state.tensors(), ranks), facts)
