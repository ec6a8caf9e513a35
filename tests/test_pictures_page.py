"""The figures of pictures in words, the limits set on them, and the page that shows them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from test_report_html import HOSTILE, Page

from textgan.errors import UsageError
from textgan.figures import classification, figures, table
from textgan.report.gallery import Gallery, _means, page
from textgan.report.gates import PictureGate, picture_gate
from textgan.report.likeness import counts, faults, likenesses

RNG = np.random.default_rng(0)
SHOWN = list(RNG.integers(256, size=(8, 8, 8, 3), dtype=np.uint8))


def beside(value: float, floor: float, **more: float) -> dict[str, float]:
    return {"value": value, "floor": floor} | more


FOUND: dict[str, Any] = {
    "samples": 1000, "reference": 374, "floor_samples": 1000, "extractor": "classifier-56b2",
    "frechet": beside(12.3456, 1.5, low=11.0, high=13.75, excess=10.8), "kernel": beside(0.25, 0.0005),
    "class_score": beside(7.5, 9.25, deviation=0.1, splits=10),
    "precision": beside(0.8, 0.9, low=0.75, high=0.85), "recall": beside(0.7, 0.9), "density": beside(1.1, 1.0),
    "coverage": beside(0.75, 0.95), "unique": beside(1.0, 1.0),
    "copies": {"features": beside(0.012, 0.01), "pixels": beside(0.02, 0.01)},
}  # fmt: skip


def changed(**figures: tuple[float, float]) -> dict[str, Any]:
    found = {key: beside(*sides) for key, sides in figures.items()}
    return FOUND | found | ({"copies": {"features": found["copies"]}} if "copies" in found else {})


# --- in words


def test_progress_and_the_card_name_the_extractor() -> None:
    assert figures(FOUND) == (
        "FD[classifier-56b2] 12.35 (real 1.500), CS[classifier-56b2] 7.500 (real 9.250), "
        "precision 0.800 (real 0.900), recall 0.700 (real 0.900)"
    )
    lines = table(FOUND)
    assert len(lines) == 2 + 10
    assert lines[3] == "| KD[classifier-56b2] | 0.2500 | 0.0005000 |"
    assert lines[-1] == "| copies by pixels | 0.020 | 0.010 |"


def test_only_inception_gives_the_published_names() -> None:
    names = [row.name for row in likenesses(FOUND | {"extractor": "inception-v3-compat"})]
    assert names[:4] == ["FID", "KID", "IS", "precision"]
    without = {key: FOUND[key] for key in FOUND if key != "class_score"}
    assert [row.name for row in likenesses(without)][:3] == ["FD[classifier-56b2]", "KD[classifier-56b2]", "precision"]


def test_a_figure_has_its_interval_and_difference() -> None:
    rows = {row.name: row for row in likenesses(FOUND)}
    assert rows["FD[classifier-56b2]"][1:5] == ("12.35", "11.00 to 13.75", "1.500", "+10.85")
    assert rows["precision"][1:5] == ("0.800", "0.750 to 0.850", "0.900", "-0.100")
    assert rows["recall"][1:5] == ("0.700", "", "0.900", "-0.200")
    assert all(row.says.endswith(".") for row in rows.values())


def test_counts_and_classification_are_said() -> None:
    whole = (
        "1,000 generated pictures against 374 held-out ones, on the features of classifier-56b2; {}real pictures: "
        "1,000 training pictures in the samples' place."
    )
    assert counts(FOUND) == whole.format("")
    partly = {
        "precision": {"samples": 500, "reference": 374},
        "copies": {"features": {"samples": 1000, "reference": 9}},
    }
    said = "precision to coverage by 500 against 374; copies by 1,000 against 9; "
    assert counts(FOUND | partly) == whole.format(said)
    assert classification(FOUND) == ""
    taught = FOUND | {"classification": {"value": 0.0834, "supervised": 0.1523, "labels": 100, "rows": 374}}
    assert classification(taught) == (
        "test error 8.34 % with 100 labels a class, on 374 held-out samples; a net taught by these labels alone has "
        "15.23 %"
    )
    taught["classification"] |= {"low": 0.05, "high": 0.125}
    assert "8.34 % (95 %: 5.00 % to 12.50 %) with" in classification(taught)
    assert table(taught)[:-2] == table(FOUND)
    assert table(taught)[-2:] == ["", f"T{classification(taught)[1:]}."]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (FOUND, []),
        (changed(unique=(0.5, 1.0)), ["repeat one another: 50.0 % "]),
        (changed(unique=(0.9, 1.0)), []),
        (changed(copies=(0.031, 0.01)), ["copy: 3.1 % "]),
        (changed(copies=(0.03, 0.01)), []),
        (changed(copies=(0.5, 0.0)), []),
        (changed(precision=(0.4, 0.9)), ["few samples look real: 40.0 % "]),
        (changed(precision=(0.45, 0.9)), []),
        (changed(recall=(0.3, 0.9)), ["vary little: 30.0 % of real pictures lie among them"]),
        (
            changed(coverage=(0.1, 0.9), unique=(0.01, 1)),
            ["repeat one another", "missing: samples come near to 10.0 %"],
        ),
        (changed(recall=(0.3, 0.9)) | {"samples": 29}, []),
        (changed(recall=(0.3, 0.9)) | {"samples": 30}, ["vary little"]),
    ],
)
def test_faults_are_what_the_figures_prove(found: dict[str, Any], words: list[str]) -> None:
    said = faults(found)
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))
    assert all(re.search(r"\(real pictures: [\d.]+ %\)$", text) for text in said)


# --- limits


@pytest.mark.parametrize(
    ("text", "fails", "failure"),
    [
        ("frechet=12", "above", "frechet is 12.35, above 12"),
        ("frechet=12.35", "above", ""),
        ("recall=.7", "below", ""),
        ("recall=0.71", "below", "recall is 0.7, below 0.71"),
        ("recall=0.71", "above", ""),
        ("copies.pixels=0.01", "above", "copies.pixels is 0.02, above 0.01"),
    ],
)
def test_a_limit_fails_beyond_it(text: str, fails: Any, failure: str) -> None:
    assert picture_gate(text, fails).failure(FOUND) == failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frechet", "no gate on pictures; write NAME=LIMIT"),
        ("freshet=3", "did you mean 'frechet'"),
        ("jsd4=3", "known: class_score, copies.features"),
        ("frechet=x", "'x' is no number"),
        ("frechet=nan", "must be finite"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        picture_gate(text, "above")
    with pytest.raises(UsageError, match="class_score was not measured; measured: frechet, recall"):
        PictureGate("class_score", 1, "below").failure({"frechet": FOUND["recall"], "recall": FOUND["recall"]})


# --- the page


def everything(text: Any = str) -> Gallery:
    """A gallery with something in every place."""
    rows = [{"step": step, "evaluation": FOUND} for step in (10, 20)]
    losses = [{"step": step, "generator": {"loss": -step / 2}, "critic": {"loss": step}} for step in range(1, 1001)]
    settings = {"preset": text("digits"), "image": {"side": 8}}
    return Gallery(
        text("title"), FOUND | {"notes": [text("a note")], "extractor": text("net")}, SHOWN, SHOWN[:4],
        [(text("cat"), SHOWN[:2]), ("dog", SHOWN[2:4])], [SHOWN, SHOWN[:5]],
        [(SHOWN[i], SHOWN[0], float(i)) for i in range(8)] * 3, [*losses, *rows], settings,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _pillow() -> None:
    pytest.importorskip("PIL")


def test_the_page_shows_everything_and_asks_for_nothing() -> None:
    text = page(everything())
    found = Page(text)
    assert found.sections() == [
        "pictures", "classes", "paths", "nearest", "numbers", "training", "configuration", "measured"
    ]  # fmt: skip
    images = [a for tag, a in found.tags if tag == "img"]
    assert len(images) == 2 + 2 + 2 + 18
    assert all((a["src"] or "").startswith("data:image/png;base64,") for a in images)
    assert [a["alt"] for a in images][:4] == ["8 pictures", "4 pictures", "cat: 2 pictures", "dog: 2 pictures"]
    assert not re.search(r"https?:|<script|url\(|@import", text)
    charts = [a["aria-label"] for tag, a in found.tags if tag == "svg"]
    assert charts == [
        "FD[classifier-56b2] over training",
        "KD[classifier-56b2] over training",
        "CS[classifier-56b2] over training",
        "Precision over training",
        "Recall over training",
        "Coverage over training",
        "Loss of the critic over training",
        "Loss of the generator over training",
    ]
    assert "Of 24 samples those nearest" in found.text("p")
    captions = found.text("figcaption")
    assert "8 generated pictures." in captions
    assert "4 held-out pictures." in captions
    assert "Recall as training went on, of 1,000 samples." in captions
    assert "The numbers prove no fault." in found.text("p")
    assert found.text("small").count("real pictures") == 6


def test_pictures_have_the_size_at_which_they_are_seen() -> None:
    images = [a for tag, a in Page(page(everything())).tags if tag == "img"]
    # 8 pictures of 8 pixels in 3 columns: stored twice as large with 4 gaps, shown 4 times as large as that
    assert (images[0]["width"], images[0]["height"]) == (str(4 * (3 * 16 + 4)), str(4 * (3 * 16 + 4)))
    assert (images[2]["width"], images[2]["height"]) == (str(4 * (2 * 16 + 3)), str(4 * (16 + 2)))


def test_a_section_without_content_is_left_out() -> None:
    bare = Page(page(Gallery("t", FOUND, SHOWN)))
    assert bare.sections() == ["pictures", "numbers", "measured"]
    assert page(Gallery("t", changed(unique=(0.1, 1.0)), SHOWN)).count('class="verdict bad"') == 1


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    tame, text = Page(page(everything())), page(everything(lambda text: HOSTILE + text))
    text.encode("utf-8")
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in tame.tags} | {"b"}
    assert {name for _, a in found.tags for name in a} <= {name for _, a in tame.tags for name in a}
    assert found.text().count("<script>alert(1)</script>") >= 6


def test_losses_are_means_of_neighbouring_steps() -> None:
    text = page(everything()).partition("Loss of the critic over training")[2]
    path = re.search(r'<path class="samples" d="M([^"]*)"', text)
    assert path is not None
    assert path[1].count("L") + 1 == 143  # of 1,000 steps, 7 at a time
    assert _means([(step, step * step) for step in range(1, 301)])[:2] == [(2, 2.5), (4, 12.5)]
    assert _means([(5, 1.0)]) == [(5, 1.0)]
