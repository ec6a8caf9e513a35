"""`textgan report` as a user calls it: pages, gates, toolkits to measure like, planted faults, broken files."""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sentences import LINES, OTHERS, REFERENCE, TRAINING

from textgan.cli.main import main
from textgan.corpora.text import pieces
from textgan.metrics.lines import read_lines

Call = Callable[..., tuple[int, str, str]]


def write(path: Path, lines: Iterable[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Report on lines against the reference, with training text."""
    sides = ["--reference", write(tmp_path / "reference.txt", REFERENCE), "--train", write(tmp_path / "t", TRAINING)]

    def call(samples: Iterable[str], *arguments: str) -> tuple[int, str, str]:
        code = main(["report", "--samples", write(tmp_path / "samples.txt", samples), *sides, *arguments])
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (TRAINING[:400], "the samples repeat the training text: 100 % are training lines, of held-out text 0 % are"),
        (OTHERS[:3] * 134, "the samples repeat one another: 0.7 % of them are different lines, of real text 100 % are"),
        (
            ["".join(random.Random(i).sample(line, len(line))) for i, line in enumerate(OTHERS[:400])],
            "the samples have the right characters in the wrong order",
        ),
    ],
    ids=["memoriser", "collapsed", "shuffled"],
)
def test_planted_faults_are_named_in_words(measure: Call, samples: list[str], fault: str) -> None:
    code, out, _ = measure(samples)
    assert code == 0
    assert fault in " ".join(out.split())
    assert "Fault" not in measure(OTHERS[:400])[1]


def test_gates_end_in_3_after_the_report(measure: Call) -> None:
    code, out, err = measure(OTHERS[:300], "--fail-above", "jsd4=0.0001", "--fail-below", "words=0.2", "--json")
    assert code == 3
    value = json.loads(out)["metrics"]["jsd"]["4"]["value"]
    assert err == f"textgan: error: jsd-4 is {value:.4g}, above 0.0001\n"
    assert measure(OTHERS[:300], "--fail-above", "jsd4=0.9", "--fail-below", "words=0.2")[0] == 0
    assert measure(OTHERS[:300], "--metrics", "unique", "--fail-above", "bleu4=0")[0] == 3  # measured for the gate
    assert measure(OTHERS[:300], "--fail-above", "jsd4")[0] == 2
    code, out, err = measure(OTHERS[:300], "--n", "1-3", "--fail-above", "jsd4=1")
    assert (code, out, err) == (2, "", "textgan: error: jsd-4 is not among --n 1, 2, 3\n")


def test_a_page_stands_alone(measure: Call, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, _, err = measure(["<script>alert(1)</script> " + line for line in OTHERS[:50]], "--html", str(page))
    assert (code, err) == (0, f"the page is in {page}\n")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "default-src 'none'" in text
    assert "samples.txt" in text
    assert str(tmp_path) not in text


def test_the_page_of_a_run_has_what_only_a_run_can_tell(
    tmp_path: Path, tiny_text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("textgan.cli.page.SWEPT", 40)
    run, page = tmp_path / "run", tmp_path / "page.html"
    settings = ["-s", "evaluation.samples=20", "-s", "evaluation.report_samples=30"]
    assert main(["train", "-c", "smoke", "--corpus", str(tiny_text), "--run", str(run), "--steps", "2", *settings]) == 0
    assert main(["report", str(run), "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    for section in ("ngrams", "samples", "numbers", "temperature", "interpolations", "configuration"):
        assert f'<section id="{section}">' in text
    (run / "metrics.jsonl").write_text("{broken", encoding="utf-8")
    capsys.readouterr()
    assert main(["report", str(run), "--html", str(page)]) == 0
    assert "shows no training curves" in capsys.readouterr().err


def test_a_toolkit_is_measured_like_aloud(measure: Call) -> None:
    def printed(*arguments: str) -> Any:
        code, out, _ = measure(OTHERS[:450], *arguments, "--json")
        assert code == 0
        return json.loads(out)

    plain, few = printed("--metrics", "bleu"), printed("--metrics", "bleu", "--compat", "textgan-pytorch")
    assert few["metrics"]["bleu"]["4"]["counts"] == {"samples": 200}
    assert few["notes"][0].startswith("as textgan-pytorch measures: BLEU and Self-BLEU are the mean over the first 200")
    assert "counts" not in plain["metrics"]["bleu"]["4"]
    assert few["metrics"]["bleu"] != plain["metrics"]["bleu"]
    paper = printed("--metrics", "jsd", "--n", "4", "--compat", "wgan-gp")
    assert paper["notes"][0].startswith("as wgan-gp measures: JSD of the first 32 characters")
    assert paper["metrics"]["jsd"]["4"]["counts"] == {"reference": len(TRAINING)}
    assert paper["reference"] == len(REFERENCE)
    memorised = json.loads(measure(TRAINING, "--metrics", "jsd,cosine", "--compat", "wgan-gp", "--json")[1])["metrics"]
    assert memorised["cosine"]["3"]["value"] > memorised["cosine"]["3"]["floor"]  # of held-out lines, not of training
    assert memorised["cosine"]["3"]["floor"] <= 1
    assert memorised["cosine"]["3"]["counts"] == {"reference": len(TRAINING)}
    assert "Fault: the samples repeat the training text" in measure(TRAINING[:450], "--compat", "wgan-gp")[1]
    code, _, err = measure(OTHERS[:10], "--compat", "texygen", "--references", "5")
    assert (code, err.count("\n")) == (2, 1)
    assert "contradict" in err
    padded = [line[:32].ljust(32, "\n") for line in TRAINING]
    assert paper["metrics"]["jsd"]["4"]["value"] == pytest.approx(
        jsd([line[:32].ljust(32, "\n") for line in OTHERS[:450]], padded, 4), abs=1e-9
    )
    code, out, err = measure(OTHERS[:10], "--compat", "texgin")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "did you mean 'texygen'" in err


def jsd(samples: Iterable[Any], reference: Iterable[Any], n: int) -> float:
    """By the definition, over dictionaries."""
    p, q = (
        Counter(line[i : i + n] for line in side for i in range(len(line) - n + 1)) for side in (samples, reference)
    )
    a, b = ({gram: times / side.total() for gram, times in side.items()} for side in (p, q))
    middle = {gram: (a.get(gram, 0) + b.get(gram, 0)) / 2 for gram in a.keys() | b.keys()}
    return sum(0.5 * x * math.log2(x / middle[gram]) for side in (a, b) for gram, x in side.items())


@pytest.mark.slow
@pytest.mark.skipif("TEXTGAN_TEST_DATA" not in os.environ, reason="TEXTGAN_TEST_DATA names no folder of real text")
@pytest.mark.parametrize("pads", [False, True])
def test_real_captions_are_right_to_a_millionth(pads: bool, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(os.environ["TEXTGAN_TEST_DATA"]) / "captions"
    paths = [folder / "seqgan_samples_640.txt", folder / "coco_train_2000.txt"]
    flags = ["--max-chars", "32", "--n", "1,4,6", *(["--count-pads"] if pads else [])]
    asked = ["--metrics", "jsd,jsd_word,in_test,distinct,entropy"]
    assert main(["report", "--samples", str(paths[0]), "--reference", str(paths[1]), *flags, *asked, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    cut = [[line[:32] for line in read_lines(path)] for path in paths]
    seen = [[line.ljust(32, "\n") for line in side] for side in cut] if pads else cut
    words = [[tuple(line.lower().split(" ")) for line in side] for side in cut]
    for n in (1, 4, 6):
        assert metrics["jsd"][str(n)]["value"] == pytest.approx(jsd(seen[0], seen[1], n), abs=1e-9)
        assert metrics["jsd_word"][str(n)]["value"] == pytest.approx(jsd(words[0], words[1], n), abs=1e-9)
    for n in range(1, 5):
        mine, real = ({tuple(w[i : i + n]) for w in split(side) for i in range(len(w) - n + 1)} for side in cut)
        assert metrics["in_test"][str(n)]["value"] == pytest.approx(len(mine & real) / len(mine), abs=1e-12)
        every = [tuple(w[i : i + n]) for line in cut[0] if (w := line.split()) for i in range(len(w) - n + 1)]
        assert metrics["distinct"][str(n)]["value"] == pytest.approx(len(set(every)) / len(every), abs=1e-12)
    letters = Counter("".join(cut[0]))
    bits = -sum(c / letters.total() * math.log2(c / letters.total()) for c in letters.values())
    assert metrics["entropy"]["char"]["value"] == pytest.approx(bits, abs=1e-9)


def split(lines: Iterable[str]) -> Iterable[list[str]]:
    return ([word for word in line.split(" ") if word] for line in lines)


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("empty", b"", 1, "samples is empty; give a text file with one sequence a line"),
        ("a byte order mark", b"\xef\xbb\xbf", 1, "samples is empty; give a text file with one sequence a line"),
        ("binary", b"a\0b\n", 1, "samples is a binary file"),
        ("latin-1", "caf\u00e9\n".encode("latin-1"), 1, "1 line is not UTF-8 in"),
        ("one line", b"only this\n", 0, "there are only 1 samples: too few for a conclusion"),
        ("empty lines", b"\n" * 40, 0, ""),
        (
            "another alphabet",
            "\u0434\u043e\u043c \u0438 \u0441\u0430\u0434\n".encode() * 40,
            0,
            "written in other characters",
        ),
    ],
)
def test_broken_samples_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, code: int, message: str
) -> None:
    (tmp_path / "samples").write_bytes(content)
    reference = write(tmp_path / "reference.txt", REFERENCE)
    assert (
        main(["report", "--samples", str(tmp_path / "samples"), "--reference", reference, "--metrics", "all"]) == code
    )
    out, err = capsys.readouterr()
    if code:
        assert (out, err.count("\n")) == ("", 1)
        assert message in err
    else:
        assert err == ""
        assert message in " ".join(out.split())


def test_a_reference_of_one_line_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples, reference = write(tmp_path / "a", OTHERS[:9]), write(tmp_path / "b", ["one"])
    assert main(["report", "--samples", samples, "--reference", reference]) == 1
    assert capsys.readouterr().err == "textgan: error: the reference needs at least two lines\n"


def test_sentencepieces_are_counted_where_a_model_is_given(measure: Call, tmp_path: Path) -> None:
    model, _ = pieces.train(LINES, 300)
    (tmp_path / "pieces.model").write_bytes(model)
    asked = ["--metrics", "jsd_piece", "--n", "2", "--json"]
    code, out, _ = measure(OTHERS[:99], *asked, "--pieces", str(tmp_path / "pieces.model"))
    assert code == 0
    split = pieces.splitter(model)
    mine, real = ([tuple(split(line)) for line in side] for side in (OTHERS[:99], REFERENCE))
    expected = jsd(mine, real, 2)
    assert json.loads(out)["metrics"]["jsd_piece"]["2"]["value"] == pytest.approx(expected, abs=1e-9)
    assert "nothing of jsd_piece" in measure(OTHERS[:99], *asked)[1]
    (tmp_path / "pieces.model").write_bytes(b"no model")
    code, out, err = measure(OTHERS[:99], *asked, "--pieces", str(tmp_path / "pieces.model"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no sentencepiece model" in err


def test_bleu_against_the_first_lines_only(measure: Call) -> None:
    found = [json.loads(measure(OTHERS[:99], "--metrics", "bleu", "--json", *more)[1])["metrics"]["bleu"]["4"]
             for more in ([], ["--references", "50"])]  # fmt: skip
    assert found[1]["counts"] == {"reference": 50}
    assert found[1]["value"] < found[0]["value"]
