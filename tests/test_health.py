from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from textgan import runs
from textgan.cli.main import main
from textgan.runs import Silence
from textgan.settings import resolve
from textgan.training.health import CHECKS, Health, Ward, alarms
from textgan.training.runlog import read

Row = dict[str, Any]
BROKEN = {"generator.learning_rate": 1.0, "training.log_every": 1, "training.evaluate_every": 5}
"""What makes the smoke preset's samples all the same, and its generator's gradient nothing."""


def losses(step: int = 0, /, generator: float = 0.1, **critic: float) -> Row:
    """A row of losses; a critic's that are not given are those of a healthy one."""
    healthy = {"objective": -0.8, "gradient_penalty": 0.01, "score_real": 1.0, "score_fake": 0.2, "gradient_norm": 2.0}
    return {"step": step, "generator": {"loss": 0.3, "gradient_norm": generator}, "critic": healthy | critic}


def evaluation(unique: float | None, floor: float | None = 1.0, step: int = 0, **others: Any) -> Row:
    return {"step": step, "evaluation": {"samples": 2000, "unique": {"value": unique, "floor": floor}} | others}


def steep(slope: float) -> Row:
    return evaluation(1.0, critic={"slope": slope})


def raised(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Which row raised which kind of alarm."""
    health = Health()
    return [(i, alarm.kind) for i, row in enumerate(rows) for alarm in health(row)]


def words(rows: Iterable[Row]) -> list[str]:
    health = Health()
    return [alarm.text for row in rows for alarm in health(row)]


USUAL = [losses() for _ in range(10)]


def test_a_healthy_run_raises_no_alarm() -> None:
    random = Random(0)

    def around(value: float) -> float:
        return value * 10 ** random.uniform(-1.4, 1.4)

    rows = [
        losses(generator=around(0.1), gradient_norm=around(2.0), score_real=around(1.0), score_fake=around(0.5))
        for _ in range(300)
    ]
    rows[50::50] = [evaluation(0.93, critic={"slope": around(0.1)}) for _ in rows[50::50]]
    assert raised(rows) == []


def test_a_game_without_a_critic_is_judged_by_its_generator_and_its_samples() -> None:
    rows = [{"step": 0, "generator": {"gradient_norm": norm}} for norm in [0.1] * 10 + [200.0] * 3]
    assert raised([*rows, evaluation(0.1), evaluation(0.1)]) == [(12, "divergence"), (14, "collapse")]


# --- collapse -------------------------------------------------------------------------------------------------------


def test_collapse_is_told_in_words() -> None:
    assert words([evaluation(0.031, 0.992)] * 2) == [
        "the generator has collapsed: 3.1 % of 2,000 samples are distinct (real ones 99.2 %); lower learning rates or "
        "heavier penalties may help"
    ]


def points(balanced: int, good: float) -> dict[str, Any]:
    figures = {"balanced": {"value": balanced, "floor": 8}, "good": {"value": good, "floor": 1.0}}
    return {"step": 0, "evaluation": figures}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([evaluation(0.49), evaluation(0.49)], [1]),
        ([evaluation(0.51), evaluation(0.51)], []),
        ([evaluation(0.01), evaluation(1.0)], []),  # the first samples of a healthy run may be all alike
        ([evaluation(0.01), losses(), losses(), evaluation(0.01)], [3]),  # rows of losses say nothing of it
        ([evaluation(0.3, 0.4)] * 2, []),  # the corpus itself repeats its lines
        ([evaluation(0.1, 0.4)] * 2, [1]),
        ([evaluation(0.1, None)] * 2, []),
        ([evaluation(None, None)] * 2, []),
        ([points(3, 0.5)] * 2, [1]),
        ([points(4, 0.5)] * 2, []),
        ([points(0, 0.49)] * 2, []),  # it has only begun
        ([{"step": 0, "evaluation": {}}] * 2, []),
    ],
)
def test_collapse_and_its_near_misses(rows: Sequence[Row], expected: list[int]) -> None:
    assert raised(rows) == [(i, "collapse") for i in expected]


def test_an_alarm_comes_once_and_again_after_it_has_passed() -> None:
    ill, well = evaluation(0.1), evaluation(0.9)
    assert raised([ill] * 6) == [(1, "collapse")]
    assert raised([ill, ill, well, ill, ill]) == [(1, "collapse")]  # a single good one does not end it
    assert raised([ill, ill, well, well, ill, ill]) == [(1, "collapse"), (5, "collapse")]


# --- saturation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*USUAL, *[losses(generator=0.9e-5)] * 10], [19]),
        ([*USUAL, *[losses(generator=1.1e-5)] * 10], []),
        ([*USUAL, *[losses(generator=0.9e-5)] * 9, losses()], []),
        ([*USUAL[:9], *[losses(generator=0.9e-5)] * 10], []),  # at the first of them nothing usual is known
        ([*USUAL, *USUAL, *[losses(generator=0.9e-5)] * 11], [29]),
        ([losses(generator=0.0)] * 10, [9]),
        ([losses(generator=1e-11)] * 10, []),
        ([losses(objective=0.009)] * 10, [9]),
        ([losses(objective=0.011)] * 10, []),
        ([losses(objective=0.009, score_real=0.6)] * 10, []),  # not apart: a wasserstein critic at its start
        ([losses(objective=0.009, score_real=-1.0)] * 10, []),
    ],
)
def test_saturation_and_its_near_misses(rows: Sequence[Row], expected: list[int]) -> None:
    assert raised(rows) == [(i, "saturation") for i in expected]


def test_saturation_says_who_is_stuck() -> None:
    assert words([*USUAL, *[losses(generator=1e-6)] * 10]) == [
        "the generator is stuck: its gradient's norm is 1.0e-06, usually 1.0e-01; a lower generator.learning_rate, and "
        "a critic that keeps a slope, may help"
    ]
    (lost,) = words([losses(objective=1e-3)] * 10)
    assert lost.startswith("the generator has lost: the critic tells its samples from real ones with certainty")
    (both,) = words([*USUAL, *[losses(generator=1e-6, objective=1e-3)] * 10])
    assert "stuck: its gradient's norm is 1.0e-06, usually 1.0e-01: the critic tells" in both


def test_the_critic_is_remembered_where_rows_do_not_tell_of_it() -> None:
    silent = {"step": 0, "generator": {"gradient_norm": 0.1}}
    assert raised([losses(objective=1e-3), *[silent] * 9]) == [(9, "saturation")]


# --- a critic that learns nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("critic", "expected"),
    [
        ({"score_fake": 1.00009, "gradient_norm": 0.9e-4}, [4]),
        ({"score_fake": 0.99991, "gradient_norm": 0.9e-4}, [4]),
        ({"score_fake": 1.00011, "gradient_norm": 0.9e-4}, []),
        ({"score_fake": 1.0, "gradient_norm": 1.1e-4}, []),  # it still learns
    ],
)
def test_blindness_and_its_near_misses(critic: dict[str, float], expected: list[int]) -> None:
    rows = [losses(**critic)] * 7
    assert raised(rows) == [(i, "blindness") for i in expected]
    assert raised([*rows[:4], losses()]) == []


# --- divergence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (losses(generator=101.0), "the generator's gradient is 1.0e+02, usually 1.0e-01"),
        (losses(gradient_norm=2020.0), "the critic's gradient is 2.0e+03, usually 2.0e+00"),
        (losses(score_real=-810.0), "the gap between the critic's scores is 8.1e+02, usually 8.0e-01"),
    ],
)
def test_what_grows_beyond_a_thousand_times_its_usual_size_diverges(row: Row, name: str) -> None:
    assert words([*USUAL, row, row]) == []
    assert words([*USUAL, row, row, row]) == [
        f"training diverges: {name}; lower learning rates or a heavier penalty may help"
    ]
    assert words([*USUAL[:6], row, row, row]) == []


@pytest.mark.parametrize("row", [losses(generator=99.0), losses(gradient_norm=1980.0), losses(score_real=790.0)])
def test_what_grows_by_less_does_not(row: Row) -> None:
    assert raised([*USUAL, *[row] * 10]) == []


@pytest.mark.parametrize("row", [losses(generator=2e6), losses(gradient_norm=2e6), losses(score_fake=-2e4)])
def test_what_is_huge_from_the_first_row_on_diverges(row: Row) -> None:
    assert raised([row] * 3) == [(2, "divergence")]
    assert raised([losses(generator=5e5, gradient_norm=5e5, score_fake=-5e3)] * 20) == []


def test_steady_growth_diverges_before_it_is_huge() -> None:
    rows = [losses(generator=1e-6 * 2**i) for i in range(30)]
    ((at, kind),) = raised(rows)
    assert (kind, rows[at]["generator"]["gradient_norm"] < 1000) == ("divergence", True)


def test_a_critic_that_wakes_late_does_not_diverge() -> None:
    asleep = [losses(generator=1e-6, gradient_norm=1e-3, score_fake=1.0) for _ in range(20)]
    assert raised([*asleep, *[losses(generator=5.0, gradient_norm=50.0, score_fake=-40.0)] * 10]) == []


# --- slope ----------------------------------------------------------------------------------------------------------


def test_a_slope_far_above_one_is_told_under_a_penalty_that_asks_for_one() -> None:
    assert raised([losses(), steep(3.1), losses(), steep(3.1)]) == [(3, "steepness")]
    assert raised([losses(), steep(2.9), steep(2.9), steep(3.1)]) == []
    free = losses()
    del free["critic"]["gradient_penalty"]
    assert raised([free, steep(50.0), steep(50.0)]) == []
    free["critic"]["gradient_penalty_one_sided"] = 0.1
    assert raised([free, steep(50.0), steep(50.0)]) == [(2, "steepness")]


# --- the log --------------------------------------------------------------------------------------------------------


def test_rows_of_a_log_without_scores_are_judged_by_the_rest() -> None:
    rows = [losses(generator=0.1 if i < 10 else 1e-6) for i in range(20)]
    for row in rows:
        del row["critic"]["score_real"], row["critic"]["score_fake"]
    assert raised(rows) == [(19, "saturation")]
    grown = [losses(score_real=900.0)] * 3
    assert raised([*rows[:10], *USUAL, *grown]) == [(22, "divergence")]


def logged(rows: Iterable[Row], before: Iterable[Row] = ()) -> tuple[list[Row], list[str]]:
    """The rows and notes of a run that logs every 2 steps and is measured every 4, after those of an earlier part."""
    log, notes = list[Row](), list[str]()
    ward = Ward(log.append, notes.append, 2, 4)
    for row in before:
        ward.judge(row)
    for row in rows:
        ward(row)
    return log, notes


def test_alarms_go_to_the_log_and_to_the_watch() -> None:
    log, notes = logged([evaluation(0.1, step=4), evaluation(0.1, step=1200)])
    assert [row.keys() - {"step"} for row in log] == [{"evaluation"}, {"evaluation"}, {"alarm"}]
    assert (log[2]["step"], log[2]["alarm"]["kind"]) == (1200, "collapse")
    assert notes == [f"step 1,200: {log[2]['alarm']['text']}"]
    assert alarms([*log, *log]) == [{"step": 1200} | log[2]["alarm"]]


def test_a_log_that_is_read_again_is_judged_as_if_the_run_had_never_stopped() -> None:
    rows = [losses(2 * i, generator=0.1 if i < 12 else 0.0) for i in range(40)]
    whole, _ = logged(rows)
    assert len(whole) == 41
    for cut in range(40):
        before, _ = logged([*rows[:cut], losses(2 * cut - 1, generator=0.0)])  # stopped between two rows
        after, _ = logged(rows[cut:], before)
        assert [row for row in before + after if row["step"] % 2 == 0] == whole


def test_the_last_row_of_an_interrupted_run_is_judged_too() -> None:
    log, notes = logged([evaluation(0.1, step=4), evaluation(0.1, step=6), evaluation(0.1, step=8)])
    assert [row["step"] for row in log if "alarm" in row] == [6, 8]
    assert len(notes) == 2


# --- a run ----------------------------------------------------------------------------------------------------------


class Stopped(Silence):
    """Stops a run at a step, as a kill would."""

    def step(self, step: int, row: Row) -> None:
        if step == 13:
            raise KeyboardInterrupt


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    names, random = ["the", "a", "cat", "dog", "sat", "ran", "on", "mat", "blue", "home"], Random(1)
    (tmp_path / "text.txt").write_text("".join(" ".join(random.choices(names, k=4)) + "\n" for _ in range(300)))
    return tmp_path / "text.txt"


def test_a_collapse_is_told_by_the_commands(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--corpus", str(text), "-c", "smoke", "-s", "evaluation.samples=50", "--json", "--run"]
    broken = [word for key, value in BROKEN.items() for word in ("-s", f"{key}={value}")]
    assert main([*command, "good"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["alarms"] == []
    assert "collapsed" not in err

    assert main([*command, "bad", *broken]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)["alarms"]
    assert [(alarm["kind"], alarm["step"]) for alarm in told if alarm["kind"] == "collapse"] == [("collapse", 10)]
    assert "step 10: the generator has collapsed: " in err
    assert {alarm["kind"] for alarm in told} <= CHECKS.keys()

    assert main(["report", "runs/bad", "--metrics", "unique", "--count", "60", "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert f"at step 10 of training, {told[0]['text']}" in notes


def test_a_resumed_run_has_the_rows_of_the_whole_one(text: Path, tmp_path: Path) -> None:
    config = resolve("smoke", flags={"corpus.name": str(text), "evaluation.samples": 50} | BROKEN).config
    whole = runs.train(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        runs.train(config, tmp_path / "cut", watch=Stopped())
    resumed = runs.train(config, tmp_path / "cut", resume=True)
    assert whole.alarms
    assert resumed.alarms == whole.alarms == runs.train(config, tmp_path / "cut", resume=True).alarms
    clocks = {"seconds": 0, "processor_seconds": 0}
    one, two = ([row | clocks for row in read(tmp_path / run)] for run in ("whole", "cut"))
    assert one == two
    for row in (row["critic"] for row in one if "critic" in row):
        assert row["score_fake"] - row["score_real"] == pytest.approx(row["objective"], abs=1e-5)
