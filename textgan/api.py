"""What Python users call; `textgan.train`, beside `textgan.load` and `textgan.report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgan import runs
from textgan.config import Config
from textgan.corpora import cards
from textgan.errors import UsageError
from textgan.settings import resolve_for_corpus
from textgan.training.loop import Watch


def train(
    config: Config | str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    allow_changes: bool = False,
    watch: Watch | None = None,
) -> runs.Outcome:
    """Train a run; its `folder` is what `textgan.load` takes.

    Args:
        config: a configuration, the name of a preset, or the path of a TOML file; None is what suits the corpus.
        settings: values by dotted key over a preset or file, such as {"corpus.name": "names.txt", "text.length": 16}.
        run: the run's folder; None names a new one under runs/.
        resume: go on from the last checkpoint.
        allow_changes: with other settings than its own; each difference is told, and noted in run.json.
        watch: is told how it goes; None shows nothing.

    Raises:
        TextganError: its subclasses say what is wrong in one line.
    """
    if not isinstance(config, Config):
        named = None if config is None else str(config)
        config = resolve_for_corpus(named, cards.suits, flags=settings or {}).config
    elif settings:
        raise UsageError("settings go over a preset or a file; a Config already holds them all")
    folder = None if run is None else Path(run)
    return runs.train(config, folder, resume=resume, watch=watch, allow_changes=allow_changes)
