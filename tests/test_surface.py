"""Pictures of a critic: levels by hand, and files that a browser takes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from textgan.report.surface import LEVELS, SIDE, critic, quantised, surface

SVG = "{http://www.w3.org/2000/svg}"
NONE = np.zeros((0, 2))


def paths(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(f"{SVG}path"))


def test_levels_are_of_equal_height() -> None:
    levels, bounds = quantised(np.arange(0, 12.5, 0.5).reshape(5, 5))
    assert bounds == pytest.approx(np.arange(13))
    assert levels.ravel().tolist() == [*np.repeat(np.arange(12), 2).tolist(), 11]
    assert quantised(np.full((2, 2), 3.0))[0].tolist() == [[0, 0], [0, 0]]
    assert LEVELS == 12


def test_equal_neighbours_of_a_row_are_one_rectangle() -> None:
    values = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    low, high = paths(surface("t", values, 1.0, real=NONE, fake=NONE))[:2]
    assert low.get("d") == "M0 0h2v1h-2z"
    assert high.get("d") == "M2 0h1v1h-1zM0 1h3v1h-3z"
    assert (low.get("fill"), high.get("fill")) == ("#20305c", "#fae282")


def test_rows_rise_upwards_from_the_lower_edge() -> None:
    text = surface("t", np.eye(4), 1.0, real=NONE, fake=NONE)
    grid = next(
        paths for paths in ElementTree.fromstring(text).iter(f"{SVG}g") if "scale" in paths.get("transform", "")
    )
    assert grid.get("transform") == f"translate(0 {SIDE}) scale({SIDE / 4:g} {-SIDE / 4:g})"


def test_every_cell_is_covered_once() -> None:
    values = np.random.default_rng(0).standard_normal((9, 7))
    covered = np.full(values.shape, -1)
    shown = [p for p in paths(surface("t", values, 1.0, real=NONE, fake=NONE)) if p.get("fill") not in (None, "none")]
    for level, path in enumerate(shown):
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", path.get("d") or ""):
            assert (covered[int(y), int(x) : int(x) + int(width)] == -1).all()
            covered[int(y), int(x) : int(x) + int(width)] = level
    present = np.unique(quantised(values)[0])  # a level without a cell has no path
    assert np.array_equal(present[covered], quantised(values)[0])


def test_points_stand_where_they_are_and_those_beyond_are_left_out() -> None:
    real = np.array([[-2.0, -2.0], [2.0, 2.0], [2.1, 0.0]])
    *_, left, right = paths(surface("t", np.eye(3), 2.0, real=real, fake=np.array([[1.0, 0.0]])))
    assert left.get("d") == f"M0.0 {SIDE:.1f}h0M{SIDE:.1f} 0.0h0"  # y rises upwards
    assert right.get("d") == f"M{0.75 * SIDE:.1f} {SIDE / 2:.1f}h0"
    assert left.get("stroke") != right.get("stroke")


def test_a_picture_is_small_and_its_title_is_harmless() -> None:
    values = np.random.default_rng(0).standard_normal((96, 96))  # no neighbours are equal
    cloud = np.random.default_rng(1).uniform(-2, 2, (500, 2))
    text = surface("<b>&\u202e", values, 2.0, real=cloud, fake=cloud)
    assert len(text) < 200_000
    smooth = surface("t", np.add.outer(np.arange(96.0), np.arange(96.0)), 2.0, real=cloud, fake=cloud)
    assert len(smooth) < 50_000
    title = next(ElementTree.fromstring(text).iter(f"{SVG}text"))
    assert title.text == "<b>&U+202E"


def test_gradient_norms_stand_on_a_logarithmic_scale() -> None:
    root = ElementTree.fromstring(critic("t", [10.0, 0.1, 1.0], np.array([0.5])))
    dots = [(float(dot.get("cx", 0)), float(dot.get("cy", 0))) for dot in root.iter(f"{SVG}circle")]
    assert dots == [
        (pytest.approx(SIDE / 6, abs=0.1), 0),
        (SIDE / 2, SIDE),
        (pytest.approx(SIDE * 5 / 6, abs=0.1), 200),
    ]
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"1e-1", "1e0", "1e1"} <= set(words)
    assert ElementTree.fromstring(critic("t", [0.0, 0.0], np.zeros(3))) is not None  # a dead critic has a picture


def test_weights_are_counted_around_zero() -> None:
    root = ElementTree.fromstring(critic("t", [1.0], np.array([-1.0, 0.0, 0.0, 1.0])))
    bars = [float(bar.get("height", 0)) for bar in root.iter(f"{SVG}rect") if bar.get("height") != "100%"]
    assert len(bars) == 41
    assert {i: high for i, high in enumerate(bars) if high} == {0: SIDE / 2, 20: SIDE, 40: SIDE / 2}
    assert "4 weights, from -1 to 1; tallest column 50.0%" in [text.text for text in root.iter(f"{SVG}text")]
