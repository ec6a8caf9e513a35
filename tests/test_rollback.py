"""A run that diverges: how far it goes back, what it draws then, and that kills on the way change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from textgan import runs
from textgan.errors import DivergedError
from textgan.model import load
from textgan.runs import Outcome, Silence
from textgan.settings import resolve
from textgan.training import checkpoint, loop, sampler
from textgan.training.health import Ward
from textgan.training.rollback import count_of

play_step = loop.play_step


class Notes(Silence):
    """Remembers notes, and ends a run at a step once it went back so often in this process."""

    def __init__(self, dies_at: int = 0, after: int = 0) -> None:
        self.told: list[str] = []
        self.dies_at, self.after = dies_at, after

    @property
    def back(self) -> list[str]:
        return [note for note in self.told if " back to step " in note]

    def note(self, text: str) -> None:
        self.told.append(text)

    def step(self, step: int, row: dict[str, Any]) -> None:
        if step == self.dies_at and len(self.back) >= self.after:
            raise KeyboardInterrupt


def train(text: Path, run: Path, flags: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
    small = {
        "corpus.name": str(text), "training.steps": 6, "training.evaluate_every": 2, "training.log_every": 1,
        "evaluation.samples": 20,
    }  # fmt: skip
    return runs.train(resolve("smoke", flags=small | dict(flags or {})).config, run, **options)


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """At which finished step a run does not get on, while it has so many rollbacks or fewer behind it."""
    at: dict[int, int] = {}

    def play(state: Any, *rest: Any) -> Any:
        losses = play_step(state, *rest)  # both nets have moved by then, as the critic has in truth
        if state.rollbacks <= at.get(state.step, -1):
            raise DivergedError(f"step {state.step + 1}: the critic's loss is nan; nothing was updated with it")
        return losses

    monkeypatch.setattr(loop, "play_step", play)
    return at


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def differing(one: Path, other: Path, step: int = 6) -> list[str]:
    tensors = [checkpoint.load(run / "checkpoints", step)[0] for run in (one, other)]
    assert tensors[0].keys() == tensors[1].keys()
    return [name for name in tensors[0] if not tensors[0][name].equal(tensors[1][name])]


def test_draws_are_others_after_a_rollback_alone() -> None:
    def drawn(rollbacks: int) -> float:
        return torch.rand((), generator=sampler.generator(3, "critic", 5, rollbacks)).item()

    assert drawn(0) == torch.rand((), generator=sampler.generator(3, "critic", 5)).item()
    assert len({drawn(count) for count in range(4)}) == 4


def test_a_run_that_diverges_goes_back_and_ends_well_however_often_it_is_killed(
    diverging: dict[int, int], tiny_text: Path, tmp_path: Path
) -> None:
    train(tiny_text, tmp_path / "plain")
    diverging |= {3: 1, 5: 2}  # twice at step 4, and once at step 6
    notes = Notes()
    assert train(tiny_text, tmp_path / "whole", watch=notes).step == 6
    assert notes.back == [
        "step 4: the critic's loss is nan; back to step 2 and other draws (1 of 3 times)",
        "step 4: the critic's loss is nan; back to step 2 and other draws (2 of 3 times)",
        "step 6: the critic's loss is nan; back to step 4 and other draws (3 of 3 times)",
    ]
    assert differing(tmp_path / "whole", tmp_path / "plain")
    told = rows(tmp_path / "whole")
    assert [row["step"] for row in told] == [1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 6, 6]
    assert [row for row in told if "rollback" in row] == [
        {"step": 2, "rollback": 1, "reason": "step 4: the critic's loss is nan"},
        {"step": 2, "rollback": 2, "reason": "step 4: the critic's loss is nan"},
        {"step": 4, "rollback": 3, "reason": "step 6: the critic's loss is nan"},
    ]
    assert checkpoint.state_of(tmp_path / "whole" / "checkpoints", 6)["rollbacks"] == 3

    run = tmp_path / "killed"
    for at, after in ((3, 1), (3, 1), (5, 1)):
        with pytest.raises(KeyboardInterrupt):
            train(tiny_text, run, resume=True, watch=Notes(at, after))
    assert train(tiny_text, run, resume=True).step == 6
    assert differing(run, tmp_path / "whole") == []
    assert [(row["step"], row.get("rollback")) for row in rows(run)] == [
        (row["step"], row.get("rollback")) for row in told
    ]
    assert load(run).generate(5) == load(tmp_path / "whole").generate(5)


def test_a_kill_before_the_log_tells_of_a_rollback_changes_nothing(
    diverging: dict[int, int], tiny_text: Path, tmp_path: Path
) -> None:
    diverging[3] = 0
    train(tiny_text, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tiny_text, tmp_path / "r", watch=Notes(3, 1))
    log = tmp_path / "r" / "metrics.jsonl"
    log.write_text(log.read_text()[:-40].rpartition('{"step": 2, "rollback"')[0] + '{"step": 2, "ro')
    assert count_of(json.loads(line) for line in log.read_text().split("\n")[:-1]) == 0
    train(tiny_text, tmp_path / "r", resume=True)
    assert differing(tmp_path / "r", tmp_path / "whole") == []


def test_a_run_that_diverges_for_good_ends_after_so_many_rollbacks(
    diverging: dict[int, int], tiny_text: Path, tmp_path: Path
) -> None:
    diverging[3] = 9
    run, notes = tmp_path / "r", Notes()
    with pytest.raises(DivergedError, match=r"^step 4: the critic's loss is nan"):
        train(tiny_text, run, {"training.rollbacks": 2}, watch=notes)
    assert len(notes.back) == 2
    assert checkpoint.steps(run / "checkpoints") == [2]
    with pytest.raises(DivergedError):  # it has used them up
        train(tiny_text, run, {"training.rollbacks": 2}, resume=True)
    diverging[3] = 2
    assert train(tiny_text, run, {"training.rollbacks": 3}, resume=True).stopped == "finished"


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(
    diverging: dict[int, int], tiny_text: Path, tmp_path: Path
) -> None:
    diverging[1] = 0
    notes = Notes()
    with pytest.raises(DivergedError, match=r"^step 2: "):
        train(tiny_text, tmp_path / "r", watch=notes)
    assert notes.back == []


def test_what_is_not_finite_is_never_saved(tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite gradients may make weights that are not, and finite weights numbers that are not."""

    def play(state: Any, *rest: Any) -> Any:
        losses = play_step(state, *rest)
        if (state.step, state.rollbacks) == (3, 0):
            state.critic.parameters[0].data.fill_(float("inf"))
        if (state.step, state.rollbacks) == (3, 1):
            state.critic.parameters[0].data.fill_(1e38)
        return losses

    monkeypatch.setattr(loop, "play_step", play)
    notes = Notes()
    train(tiny_text, tmp_path / "r", watch=notes)
    said = "; back to step 2 and other draws"
    assert notes.back == [
        f"step 4: the critic's weights are not finite{said} (1 of 3 times)",
        f"step 4: critic.train was measured to be nan{said} (2 of 3 times)",
    ]
    assert [row["step"] for row in rows(tmp_path / "r")] == [1, 2, 2, 2, 2, 3, 4, 4, 5, 6, 6]


def test_a_damaged_checkpoint_is_not_gone_back_to(diverging: dict[int, int], tiny_text: Path, tmp_path: Path) -> None:
    diverging[5] = 0
    run = tmp_path / "r"
    tensors = run / "checkpoints" / "step-000004" / "tensors.safetensors"

    class Damaging(Notes):
        def step(self, step: int, row: dict[str, Any]) -> None:
            if step == 5 and not self.back:
                tensors.write_bytes(tensors.read_bytes()[:-1])

    notes = Damaging()
    assert train(tiny_text, run, watch=notes).step == 6
    assert [note.partition("; ")[2] for note in notes.back] == ["back to step 2 and other draws (1 of 3 times)"]
    assert checkpoint.whole(run / "checkpoints") == (6, [])


def test_alarms_are_those_of_the_rows_that_are_left() -> None:
    told: list[str] = []
    ward, huge = Ward(lambda row: None, told.append, 1, 1), {"generator": {"gradient_norm": 1e9}}
    for step in (1, 2):
        ward(huge | {"step": step})
    ward.begin([huge | {"step": 1}])
    ward(huge | {"step": 2})
    assert told == []
    ward(huge | {"step": 3})
    assert len(told) == 1
