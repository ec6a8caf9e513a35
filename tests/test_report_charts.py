from __future__ import annotations

import math
import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.report import charts
from textgan.report.charts import BOTTOM, HEIGHT, LEFT, LETTER, LINE, TOP, WIDTH, Axis, Series, apart, histogram, lines

BASE = HEIGHT - BOTTOM


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str, kind: str | None = None) -> list[str]:
    return [e.text or "" for e in parsed(svg).iter("text") if kind is None or e.get("class") == kind]


def corners(svg: str, kind: str) -> list[tuple[float, float]]:
    """Corners of the first line of a kind."""
    path = next(e for e in parsed(svg).iter("path") if e.get("class") == kind)
    places = [float(place) for place in re.findall(r"-?[\d.]+", path.get("d") or "")]
    return list(zip(places[::2], places[1::2], strict=True))


def test_points_stand_where_linear_axes_put_them() -> None:
    x, y = Axis("x", low=0, high=10), Axis("y", low=0, high=1)
    svg = lines("t", [Series("samples", [(0, 0), (5, 0.5), (10, 1)])], x, y)
    right = WIDTH - 10
    assert corners(svg, "samples") == [(LEFT, BASE), ((LEFT + right) / 2, (BASE + TOP) / 2), (right, TOP)]
    assert texts(svg, "tick") == ["0", "0.2", "0.4", "0.6", "0.8", "1", "0", "2", "4", "6", "8", "10"]
    assert texts(svg, "name") == ["y", "x"]


def test_points_stand_where_logarithmic_axes_put_them() -> None:
    x, y = Axis("x", log=True), Axis("y", log=True)
    svg = lines("t", [Series("samples", [(1, 1000), (10, 100), (100, 10)])], x, y)
    (first, high), (middle, half), (last, low) = corners(svg, "samples")
    assert (first, high, last, low) == (LEFT, TOP, WIDTH - 10, BASE)
    assert [middle, half] == pytest.approx([(first + last) / 2, (high + low) / 2])
    assert texts(svg, "tick") == ["10", "100", "1k", "1", "10", "100"]


def test_an_axis_without_ends_has_round_ones() -> None:
    svg = lines("t", [Series("samples", [(0.13, 3), (0.98, 17)])], Axis("x"), Axis("y"))
    assert texts(svg, "tick") == ["0", "5", "10", "15", "20", "0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_orders_have_whole_ticks() -> None:
    svg = lines("t", [Series("samples", [(1, 0), (2, 1)])], Axis("n", whole=True), Axis("y", low=0, high=1))
    assert texts(svg, "tick")[-2:] == ["1", "2"]


@pytest.mark.parametrize(
    ("points", "log", "kept"),
    [
        ([(1, math.nan), (2, 1), (3, math.inf), (4, 2)], False, 2),
        ([(0, 1), (1, 0), (2, 5), (-1, 3), (3, 6)], True, 2),
        ([(math.nan, 1)], False, 0),
        ([], False, 0),
    ],
)
def test_what_cannot_be_drawn_is_left_out(points: list[tuple[float, float]], log: bool, kept: int) -> None:
    svg = lines("t", [Series("samples", points)], Axis("x", log=log), Axis("y", log=log))
    assert (len(corners(svg, "samples")) if svg else 0) == kept


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("value", [1.0, 5e-7, 3e12])
def test_a_single_point_has_room_around_it(value: float, log: bool) -> None:
    ((x, y),) = corners(
        lines("t", [Series("samples", [(value, value)])], Axis("x", log=log), Axis("y", log=log)), "samples"
    )
    assert LEFT < x < WIDTH - 10
    assert TOP < y < BASE


def test_values_beyond_an_axis_stand_at_its_end() -> None:
    svg = lines("t", [Series("samples", [(0, -1), (1, 2)])], Axis("x"), Axis("y", low=0, high=1))
    assert [y for _, y in corners(svg, "samples")] == [BASE, TOP]


@given(st.lists(st.floats(TOP, BASE), max_size=30).map(sorted))
def test_labels_are_moved_apart_within_the_plot_in_their_order(wanted: list[float]) -> None:
    places = apart(wanted, TOP, BASE)
    assert len(places) == min(len(wanted), int((BASE - TOP) / LINE) + 1)
    assert all(b - a >= LINE - 1e-9 for a, b in pairwise(places))
    assert all(TOP - 1e-9 <= place <= BASE + 1e-9 for place in places)
    if all(b - a >= LINE for a, b in pairwise(wanted)):
        assert places == wanted


def test_labels_at_the_ends_stand_beside_their_lines() -> None:
    series = [Series("rung", [(0, v), (1, v)], f"{v}-gram") for v in (0.9, 0.1)]
    svg = lines("t", series, Axis("x"), Axis("y", low=0, high=1))
    found = {e.text: float(e.get("y") or 0) for e in parsed(svg).iter("text") if e.get("class") == "rung"}
    ends = {f"{v}-gram": BASE + (TOP - BASE) * v + 4 for v in (0.9, 0.1)}
    assert found == pytest.approx(ends, abs=0.06)
    right = corners(svg, "rung")[-1][0]
    assert right + 6 + LETTER * len("0.9-gram") <= WIDTH


def test_names_of_points_overlap_neither_each_other_nor_points() -> None:
    points = [(i / 10, math.sin(i) / 5 + 0.5) for i in range(11)]
    names = [f"{i / 10:g}" for i in range(11)]
    svg = lines("t", [Series("samples", points, names=names, dots=True)], Axis("x"), Axis("y"))
    boxes = []
    for e in parsed(svg).iter("text"):
        if e.get("class") == "samples":
            left, base = float(e.get("x") or 0), float(e.get("y") or 0)
            boxes.append((left, base - 10, left + LETTER * len(e.text or ""), base - 10 + LINE))
    assert len(boxes) >= 9
    dots = [(float(e.get("cx") or 0), float(e.get("cy") or 0)) for e in parsed(svg).iter("circle")]
    assert len(dots) == 11
    for a, b in combinations(boxes, 2):
        assert not charts._overlap(a, b)
    for box in boxes:
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in dots)


def test_a_name_without_a_free_place_is_left_out() -> None:
    names = [f"name {i}" for i in range(40)]
    points = [(i / 1000, i / 1000) for i in range(40)]
    svg = lines("t", [Series("samples", points, names=names)], Axis("x", low=0, high=1), Axis("y", low=0, high=1))
    assert 1 <= len(texts(svg, "samples")) <= 8


def test_a_histogram_has_columns_as_high_as_shares() -> None:
    svg = histogram("t", [0, 10, 20, 30], [0.5, 0.0, 0.25], [0.25, 0.75, 0.0], Axis("x", low=0, high=30))
    columns = [(float(e.get("x") or 0), float(e.get("height") or 0)) for e in parsed(svg).iter("rect")]
    assert [x for x, _ in columns] == pytest.approx([LEFT, LEFT + (WIDTH - 10 - LEFT) * 2 / 3], abs=0.06)
    assert columns[0][1] == pytest.approx((BASE - TOP) * 0.5 / 0.8, abs=0.06)  # the axis ends at 80 %
    assert columns[1][1] == pytest.approx(columns[0][1] / 2, abs=0.1)
    heights = [BASE - y for _, y in corners(svg, "samples")]
    shares = [height * 0.8 / (BASE - TOP) for height in heights]
    assert shares == pytest.approx([0, 0.25, 0.25, 0.75, 0.75, 0, 0, 0], abs=0.001)


def test_a_histogram_of_one_side_or_of_none() -> None:
    axis = Axis("x")
    assert "<rect" not in histogram("t", [0, 1], [], [1.0], axis)
    assert 'd="M' in histogram("t", [0, 1], [1.0], [], axis)
    assert 'class="samples"' not in histogram("t", [0, 1], [1.0], [], axis)
    assert histogram("t", [0, 1], [], [], axis) == histogram("t", [0, 1], [0.0], [0.0], axis) == ""


def test_a_chart_is_named_and_its_text_escaped() -> None:
    nasty = "<script>\"&'"
    svg = lines(nasty, [Series("samples", [(0, 0), (1, 1)], nasty, names=[nasty])], Axis(nasty), Axis(nasty))
    root = parsed(svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", nasty)
    assert root[0].tag == "title"
    assert root[0].text == nasty
    assert nasty in texts(svg)
    assert "<script" not in svg
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.05, "0.05"), (1e-5, "1e-5"), (999, "999"), (2500, "2.5k"), (2e4, "20k"), (3e6, "3M"), (4e9, "4G")],
)
def test_ticks_are_written_short(value: float, told: str) -> None:
    assert charts._told(value) == told


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e6), st.booleans())
def test_ticks_are_few_round_and_within(low: float, factor: float, log: bool) -> None:
    high = low * factor
    ticks = list(charts._ticks(low, high, Axis("x", log=log)))
    assert len(ticks) <= 8
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert ticks == sorted(set(ticks))
