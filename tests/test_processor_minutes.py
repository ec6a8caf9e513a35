"""A budget of processor time: it stops a run, is carried over a stop, and changes nothing of what is learned."""

from __future__ import annotations

import json
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from textgan import runs
from textgan.runs import Outcome, Silence
from textgan.settings import resolve
from textgan.training import checkpoint


class Stopping(Silence):
    """Stops a run at a step as a crash would."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, step: int, row: dict[str, Any]) -> None:
        if step == self.at:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _a_second_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor clock that moves by a second a look; what lies between two steps is one look's more."""
    clock = count(1000)  # what the process has used before is none of the run's
    monkeypatch.setattr(time, "process_time", lambda: float(next(clock)))


def train(
    text: Path,
    run: Path,
    seconds: float,
    *,
    resume: bool = False,
    at: int = 0,
    steps: int = 40,
    watch: Stopping | None = None,
) -> Outcome:
    flags = {
        "corpus.name": str(text), "training.steps": steps, "evaluation.samples": 20, "training.evaluate_every": 4,
        "training.log_every": 3, "training.processor_minutes": seconds / 60,
    }  # fmt: skip
    return runs.train(resolve("smoke", flags=flags).config, run, resume=resume, watch=watch or Stopping(at))


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_run_gets_the_rest_of_its_budget(tiny_text: Path, tmp_path: Path) -> None:
    whole = train(tiny_text, tmp_path / "whole", 10)
    assert (whole.stopped, whole.step, whole.metrics is not None) == ("minutes", 10, True)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_text, tmp_path / "cut", 10, at=6)
    resumed = train(tiny_text, tmp_path / "cut", 10, resume=True)
    assert (resumed.stopped, resumed.step, resumed.metrics) == ("minutes", 10, whole.metrics)
    states = [checkpoint.load(tmp_path / run / "checkpoints", 10) for run in ("whole", "cut")]
    assert [state["processor_seconds"] for _, state in states] == [10.0, 10.0]
    assert all(torch.equal(states[0][0][name], states[1][0][name]) for name in states[0][0])
    told = [(row["step"], row["processor_seconds"], "evaluation" in row) for row in rows(tmp_path / "cut")]
    assert told == [
        (3, 3.0, False), (4, 4.0, True), (6, 6.0, False), (8, 8.0, True), (9, 9.0, False), (10, 10.0, False),
        (10, 10.0, True),
    ]  # fmt: skip


def test_a_budget_changes_nothing_of_what_is_learned_and_may_be_raised(tiny_text: Path, tmp_path: Path) -> None:
    assert train(tiny_text, tmp_path / "free", 0, steps=8).stopped == "finished"
    assert train(tiny_text, tmp_path / "bound", 5, steps=8).step == 5
    assert train(tiny_text, tmp_path / "bound", 60, resume=True, steps=8).stopped == "finished"
    (free, _), (bound, _) = (checkpoint.load(tmp_path / run / "checkpoints", 8) for run in ("free", "bound"))
    assert all(torch.equal(free[name], bound[name]) for name in free)


def test_a_spent_budget_takes_no_step_more(tiny_text: Path, tmp_path: Path) -> None:
    run = tmp_path / "r"
    whole = train(tiny_text, run, 5)
    before, checkpoints = (run / "metrics.jsonl").read_text(), checkpoint.steps(run / "checkpoints")
    for seconds in (5, 3):
        again = train(tiny_text, run, seconds, resume=True)
        assert (again.stopped, again.step, again.metrics) == ("minutes", 5, whole.metrics)
    assert (run / "metrics.jsonl").read_text() == before
    assert checkpoint.steps(run / "checkpoints") == checkpoints
    assert train(tiny_text, run, 6, resume=True).step == 6


def test_what_was_interrupted_before_it_was_measured_is_measured_first(tiny_text: Path, tmp_path: Path) -> None:
    class Signalled(Stopping):
        def step(self, step: int, row: dict[str, Any]) -> None:
            if step == self.at:
                signal.raise_signal(signal.SIGTERM)

    run = tmp_path / "r"
    stopped = train(tiny_text, run, 10, watch=Signalled(6))
    assert (stopped.stopped, stopped.step, stopped.metrics) == ("SIGTERM", 6, None)
    steps = [row["step"] for row in rows(run)]
    measured = train(tiny_text, run, 4, resume=True)
    assert (measured.stopped, measured.step, measured.metrics is None) == ("minutes", 6, False)
    assert [row["step"] for row in rows(run)] == [*steps, 6]
    assert rows(run)[-1]["evaluation"] == measured.metrics == checkpoint.load(run / "checkpoints", 6)[1]["evaluation"]
    # a signal that comes with the last of the budget finds nothing left to stop
    assert train(tiny_text, tmp_path / "late", 6, watch=Signalled(6)).stopped == "minutes"
