import time

import pytest

from textgan.cli.progress import Lines, Pace, Terminal, duration, printable
from textgan.figures import figures

METRICS = {
    "samples": 10,
    "jsd": {"4": {"value": 0.4, "floor": 0.0625, "excess": 0.3375}},
    "words": {"value": 0.5, "floor": None},
    "unique": {"value": 1.0, "floor": 1.0},
}
TOLD = "JSD-4 0.400 (real 0.062), words 0.500 (real -), unique 1.000 (real 1.000)"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    now = {"seconds": 100.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["seconds"])
    return now


def test_pace_leaves_the_first_step_out(clock: dict[str, float]) -> None:
    pace = Pace(total=110, first=10)
    assert str(pace) == "warming up"
    clock["seconds"] += 50
    pace.update(11)
    assert str(pace) == "warming up"
    clock["seconds"] += 5
    pace.update(21)
    assert pace.speed == 2.0
    assert str(pace) == "2.0 steps/s, 0:44 left"  # 89 steps


def test_a_slow_pace_is_told_in_seconds_a_step(clock: dict[str, float]) -> None:
    pace = Pace(total=200_000, first=0)
    pace.update(1)
    clock["seconds"] += 40
    pace.update(3)
    assert str(pace) == "20.0 s/step, 46.3 days left"


def test_the_time_left_ends_with_the_minutes(clock: dict[str, float]) -> None:
    lines = Lines(minutes=1.0)
    lines.started(total=1000, first=0)
    for step, left in ((1, "warming up"), (11, "0:50 left"), (41, "0:20 left"), (71, "0:00 left"), (999, "0:00 left")):
        lines.pace.update(step)
        assert str(lines.pace).endswith(left)
        clock["seconds"] += {1: 10, 11: 30, 41: 25, 71: 0}.get(step, 0)
    lines.started(total=4, first=0)
    lines.pace.update(1)
    clock["seconds"] += 10
    lines.pace.update(2)
    assert str(lines.pace) == "10.0 s/step, 0:20 left"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0:00"), (59.6, "1:00"), (725, "12:05"), (11_220, "3:07:00"), (172_799, "47:59:59"), (449_280, "5.2 days")],
)
def test_duration(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_figures_stand_beside_real_text() -> None:
    assert figures(METRICS) == TOLD
    assert figures(METRICS | {"jsd": {}}) == TOLD.split(", ", 1)[1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("the cat", "the cat"),
        ("日本語 é\u00a0`\ufffd", "日本語 é\u00a0`\ufffd"),
        ("\x1b[2J\r\t\0", r"\x1b[2J\r\t\x00"),
        ("a\u202eb\u2028", r"a\u202eb\u2028"),
    ],
)
def test_printable_spells_out_what_commands_a_terminal(line: str, told: str) -> None:
    assert printable(line) == told


def test_lines_speak_at_evaluations_and_every_half_minute(
    clock: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.started(total=100, first=0)
    for step in range(1, 5):
        clock["seconds"] += 20
        lines.step(step, {})
    lines.evaluated(5, METRICS, ["a\x1b", "b", "c", "d"])
    lines.note("done \x1b[2J")
    lines.closed()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "step 2/100, 20.0 s/step, 32:40 left",
        "step 4/100, 20.0 s/step, 32:00 left",
        f"step 5/100, 20.0 s/step, 32:00 left: {TOLD}",
        r"  | a\x1b",
        "  | b",
        "  | c",
        r"done \x1b[2J",
    ]


def test_the_terminal_shows_samples_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    terminal.note("reading [the] text :smile: \x1b[2J")
    terminal.started(total=20, first=0)
    terminal.step(10, {})
    terminal.evaluated(10, METRICS, ["[bold]x[/bold] :smile:\x1b[2J"])
    terminal.closed()
    terminal.closed()
    out, err = capsys.readouterr()
    assert out == ""
    for told in (r"reading [the] text :smile: \x1b[2J", "step 10/20", TOLD, r"  | [bold]x[/bold] :smile:\x1b[2J"):
        assert told in err
