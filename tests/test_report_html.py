from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.metrics.metric import Metric
from textgan.report import figures, html
from textgan.report.figures import SweepPoint
from textgan.report.html import Extras, page
from textgan.report.markup import SHOWN, copied, marked, plain, unseen, visible
from textgan.report.measure import Report, report

TRAINING = ["the cat sat", "a cat ran", "the dog ran", "a dog sat on", "the cow", "cows sat", "dogs ran on"] * 3
REFERENCE = ["the dog sat", "a cat sat on", "the cat ran", "a cow ran"] * 3
SAMPLES = ["the cat ran", "the cog sat", "a dat", "the cow", "", "dogs ran on"]
MEASURED = report(SAMPLES, REFERENCE, TRAINING, decode="sample")
VOID = {"meta", "img"}
HOSTILE = (
    "<script>alert(1)</script></style></title></svg>\"'>&amp;<img src=x onerror=y>"
    "\u202egnp\x00\x1b[31m\x07\ud800\u2028\x85"
)


class Page(HTMLParser):
    """A page read by the standard library: tags in their order, attributes, and the text of each kind of tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self, within: str | None = None) -> str:
        return "".join(text for tag, text in self.texts if within in (None, tag))

    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.tags if tag == "section"]


def everything(text: Callable[[str], str] = str) -> tuple[Report, Extras]:
    """A report and extras with something in every place, each text run through a function."""
    metric = Metric(text("name"), text("key"), 0.5, 0.1, "lower", {"samples": 6})
    measured = replace(
        MEASURED, metrics=(*MEASURED.metrics, metric), decode=text("decode"), notes=(text("note"), *MEASURED.notes)
    )
    row = {"step": 10, "evaluation": {"samples": 7, "jsd": {str(n): {"value": 0.5, "floor": 0.1} for n in (2, 4)}}}
    return measured, Extras(
        title=text("title"),
        samples=[text(line) for line in SAMPLES],
        reference_lines=[text(line) for line in REFERENCE],
        training=[text(line) for line in TRAINING],
        history=[row, {"step": 15, "seconds": 2}, {**row, "step": 20}],
        sweep=[SweepPoint(0.5, 0.4, 0.2), SweepPoint(1.0, 0.3, 0.6), SweepPoint(None, 0.1, 0.9)],
        sweep_quality=text("quality"),
        sweep_diversity=text("diversity"),
        interpolations=[[text("from"), text("over"), text("to")]],
        configuration={
            text("preset"): text("quick"),
            text("text"): {text("unit"): text("char"), "deep": {"er": [1, 2]}},
        },
    )


def test_the_page_is_self_contained_and_runs_nothing() -> None:
    text = page(*everything())
    assert text.startswith("<!DOCTYPE html>")
    found = Page(text)
    names = {tag for tag, _ in found.tags}
    assert not names & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "use",
        "image",
        "foreignobject",
    }
    for _, attributes in found.tags:
        assert not any(name.startswith("on") or name in {"src", "style", "xlink:href"} for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    metas = [attributes for tag, attributes in found.tags if tag == "meta"]
    assert metas[0] == {"charset": "utf-8"}
    assert metas[1]["http-equiv"] == "Content-Security-Policy"
    policy = (metas[1]["content"] or "").split("; ")
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(policy)
    assert "script-src" not in text
    style = found.text("style")
    assert style.strip() == Path(html.__file__).with_name("page.css").read_text(encoding="utf-8").strip()
    assert not re.search(r"url\(|@import|expression|http", style)


def test_every_section_has_its_place_and_its_link() -> None:
    found = Page(page(*everything()))
    assert found.sections() == [
        "ngrams", "samples", "numbers", "shape", "temperature", "interpolations", "configuration", "measured"
    ]  # fmt: skip
    assert [a["href"] for tag, a in found.tags if tag == "a"] == [f"#{name}" for name in found.sections()]
    charts = [attributes["aria-label"] for tag, attributes in found.tags if tag == "svg"]
    assert charts == [
        "JSD of character n-grams over n",
        "JSD-4 over training",
        "JSD-2 over training",
        "Frequency of words by rank",
        "Frequency of runs of 4 characters by rank",
        "Lengths of lines",
        "Quality against diversity over temperature",
    ]


def test_a_section_without_content_is_left_out() -> None:
    bare = Report(3, 4, None, 2, (), None, None, ())
    assert Page(page(bare, Extras("t", ["a b", "c", "d"]))).sections() == ["samples", "shape", "measured"]
    found = Page(page(bare, Extras("t", [""])))
    assert found.sections() == ["samples", "shape", "measured"]
    assert "(empty line)" in found.text()
    nothing = [{"step": 3, "seconds": 1}]
    assert "training" not in str(Page(page(MEASURED, Extras("t", SAMPLES, history=nothing))).sections())


@pytest.mark.parametrize("place", ["before", "instead"])
def test_hostile_text_is_shown_and_never_obeyed(place: str) -> None:
    tame = Page(page(*everything()))
    measured, extras = everything(lambda text: HOSTILE + text if place == "before" else HOSTILE)
    text = page(measured, extras)
    text.encode("utf-8")  # a lone surrogate would not go
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in tame.tags} | {"b", "mark"}
    assert [a for tag, a in found.tags if tag == "meta"] == [a for tag, a in tame.tags if tag == "meta"]
    assert {name for _, a in found.tags for name in a} <= {name for _, a in tame.tags for name in a}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    shown = found.text()
    assert shown.count("<script>alert(1)</script>") >= 15
    for sign in ("U+202E", "U+0000", "U+001B", "U+D800", "U+2028", "U+0085"):
        assert sign in shown
    assert found.text("title").startswith("<script>alert(1)</script></style></title>")


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_comes_back_from_its_markup(text: str) -> None:
    for markup in (plain(text), visible(text), marked(text[:SHOWN], np.ones(len(text[:SHOWN]), bool))):
        markup.encode("utf-8")
        inner = Page(f"<p>{markup}</p>")
        assert {tag for tag, _ in inner.tags} <= {"p", "b", "mark", "span"}
        assert all(char.isprintable() or char.isspace() for char in inner.text())
    if text.isprintable():
        assert Page(f"<p>{plain(text)}</p>").text() == Page(f"<p>{visible(text)}</p>").text() == text


def slow_unseen(line: str, text: list[str], n: int) -> list[bool]:
    mask = [False] * len(line)
    for place in range(len(line) - n + 1):
        if not any(line[place : place + n] in other for other in text):
            mask[place : place + n] = [True] * n
    return mask


@pytest.mark.parametrize("n", [1, 2, 4])
def test_unseen_characters_are_those_of_unseen_ngrams(n: int) -> None:
    lines = [*SAMPLES, "ж", "the cowthe", "x the cat sat x", "abc"]
    assert [mask.tolist() for mask in unseen(lines, TRAINING, n)] == [slow_unseen(line, TRAINING, n) for line in lines]


@given(st.lists(st.text("abcж", max_size=9), min_size=1, max_size=4), st.lists(st.text("abcd", max_size=9), max_size=5))
def test_unseen_characters_of_any_lines(lines: list[str], text: list[str]) -> None:
    assert [mask.tolist() for mask in unseen(lines, text, 3)] == [slow_unseen(line, text, 3) for line in lines]


def test_marks_and_flags_of_samples() -> None:
    found = page(MEASURED, Extras("t", SAMPLES, training=TRAINING))
    listed = found.partition('<ol class="lines">')[2].partition("</ol>")[0].split("</li>")
    assert [("a line of the training text" in item) for item in listed[:6]] == [False, False, False, True, False, True]
    assert ">the<mark> cog </mark>sat</bdi>" in listed[1]
    assert "<mark>" not in listed[3]
    letters = sum(map(len, SAMPLES))
    part = 100 * sum(sum(slow_unseen(line, TRAINING, 4)) for line in SAMPLES) / letters
    assert f"{part:.1f} % of those shown" in found
    assert "2 of the 6 shown" in found
    assert copied([*SAMPLES, ""], [*TRAINING, ""]) == {"the cow", "dogs ran on"}
    without = page(MEASURED, Extras("t", SAMPLES))
    assert "<mark>" not in without
    assert "a line of the held-out text" in page(MEASURED, Extras("t", SAMPLES, reference_lines=REFERENCE))


def test_a_hundred_samples_are_listed_and_long_ones_cut() -> None:
    lines = [f"line {i}." for i in range(250)]
    text = page(MEASURED, Extras("t", [*lines[:5], "x" * (SHOWN + 1234), *lines[5:]]))
    assert "line 98." in text
    assert "line 99." not in text
    assert "The first 100 of 251." in Page(text).text()
    assert "80 more" in text
    assert 'start="21"' in text
    assert "x" * SHOWN in text
    assert "x" * (SHOWN + 1) not in text
    assert "1,234 more characters" in text


def test_the_head_tells_faults_and_standing() -> None:
    collapsed = ["the cat ran"] * 60
    found = Page(
        page(
            report(collapsed, REFERENCE * 9, [f"{line} {i}" for i in range(9) for line in TRAINING]),
            Extras("Tést", collapsed),
        )
    )
    assert found.text("h1") == "Tést"
    assert "The samples repeat one another: 1.7 % of them are different lines" in found.text("li")
    assert "The samples stand between" in found.text("p")
    assert "60 samples against 108 held-out lines" in found.text("p")
    tidy = replace(MEASURED, metrics=(), samples=500)
    assert "The numbers prove no fault." in Page(page(tidy, Extras("t", SAMPLES))).text("p")
    assert "6 samples, decoded by sample, against 12" in Page(page(MEASURED, Extras("t", SAMPLES))).text("p")


def test_the_numbers_stand_in_their_rows() -> None:
    counts = {"samples": 6, "reference": 9}
    metrics = (
        Metric("jsd", "3", 0.25, 0.125, "lower", counts, 0.2, 0.3),
        Metric("kl", "2", None, 0.5, "lower", counts, infinite=True),
        Metric("copies", "", 0.5, 0.03, "near the floor", counts),
    )
    endless = tuple(Metric("kl_reverse", n, None, None, "lower", counts, infinite=True) for n in "34")
    text = page(replace(MEASURED, metrics=(*metrics, *endless), ladder=None), Extras("t", SAMPLES))
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", text)]
    cells = [[cell for cell in row.split("|") if cell] for row in rows]
    assert cells[0][:5] == ["n = 3", "0.2500", "0.2000 to 0.3000", "0.1250", "+0.1250"]
    assert cells[1] == ["n = 2", "∞", "0.5000", "–", "Infinite: something is impossible for the other side."]
    assert cells[2][:2] == ["n = 3, 4", "∞"]
    assert cells[3][:3] == ["50.0 %", "3.0 %", "+47.0 %"]
    assert len(cells) == 4


def test_curves_over_training_take_the_ladder_of_their_n() -> None:
    measured = replace(MEASURED, ladder={order: {2: 0.5 / order, 4: 0.9 / order} for order in range(1, 7)})
    _, extras = everything()
    curves = figures.over_training(measured, extras.history)
    assert list(curves) == [2, 4]
    assert [re.findall(r"(\d)-gram</text>", curves[n]) for n in (2, 4)] == [["1", "2"], ["1", "2", "3", "4"]]
    assert "On 7 samples; the models on 6." in curves[4]
    bare: list[dict[str, Any]] = [{"step": 1, "jsd": {"4": {"value": None, "floor": None}}}]
    assert figures.over_training(replace(measured, ladder=None), bare) == {4: ""}


def test_ranks_are_frequencies_in_a_million() -> None:
    ranked = figures._ranked(np.array([1, 6, 3], dtype=np.int64))
    assert ranked == [(1, 600_000), (2, 300_000), (3, 100_000)]
    many = figures._ranked(np.arange(1, 10_001))
    assert len(many) <= figures.POINTS
    assert many[0][0] == 1
    assert many[-1][0] == 10_000
    assert all(value == pytest.approx((10_001 - rank) * 1e6 / 50_005_000) for rank, value in many)
    assert figures._ngram_counts(["abcde", "abcd", "x"]).tolist() in ([2, 1], [1, 2])


def test_lengths_are_shares_of_lines() -> None:
    text = figures.length_histogram(["a" * 4] * 3 + ["a" * 6], ["a" * 5] * 2)
    assert re.findall(r"<title>([^<]*)</title></rect>", text) == ["5–6: 100.0 %"]
    longest = figures.length_histogram(["a"], ["a"] * 998 + ["aa", "a" * 9999])
    assert "1–2: 99.8 %" in longest
    assert figures.length_histogram([""], None)
    assert "3–4: 100.0 %" in figures.length_histogram(["abc"], ["abc"])


def test_a_page_of_much_text_stays_small() -> None:
    lines = [f"{i} some words of a line {i * i}" for i in range(20_000)]
    assert len(page(MEASURED, Extras("t", lines, lines, lines))) < 100_000
