from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from textgan.errors import TextganError, UsageError
from textgan.metrics import encoders as room
from textgan.metrics.encoders import ENCODERS, encoder, label, lsa
from textgan.metrics.pretrained import _means, pretrained
from textgan.metrics.substrings import hashed

WORDS = ["".join(random.Random(k).choices("abcdefgh", k=3 + k % 4)) for k in range(50)]


def text(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=5)) for _ in range(count)]


REAL = text(300, 1)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# --- built in -------------------------------------------------------------------------------------------------------


def column(gram: str) -> int:
    code = 0
    for symbol in gram:
        code = (code * 0x9E3779B97F4A7C15 + ord(symbol)) % 2**64
    return int(hashed(np.array([code], np.uint64), room.BITS)[0])


def grams(line: str) -> Counter[int]:
    marked = f"\n{line}\n"
    return Counter(column(marked[i : i + n]) for n in range(1, 6) for i in range(len(marked) - n + 1))


def dense(lines: list[str], learnt: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What lsa makes of lines before it projects them, written plainly."""
    having = Counter(place for line in learnt for place in set(grams(line)))
    rows = np.zeros((len(lines), 1 << room.BITS))
    for row, line in zip(rows, lines, strict=True):
        for place, count in grams(line).items():
            row[place] = math.sqrt(count) * (1 + math.log((1 + len(learnt)) / (1 + having[place])))
        row /= math.sqrt(sum(row**2))
    return rows


def test_directions_are_those_of_a_full_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BLOCK", 7)  # several blocks
    monkeypatch.setattr(room, "DIMENSIONS", 6)
    monkeypatch.setattr(room, "POWERS", 6)
    lines, others = [*REAL[:58], "", "é\U0001f600\ud800"], ["abab", "", "new?", *text(3, 5)]
    rows = dense(lines, lines)
    directions = np.linalg.svd(rows, full_matrices=False)[2][:6]
    encode = lsa(lines, rng())
    for some in (lines, others):
        found, expected = encode(some), dense(some, lines) @ directions.T
        # directions may be turned among themselves, and angles and lengths stay
        assert found @ found.T == pytest.approx(expected @ expected.T, abs=2e-3)


def test_the_rows_that_are_learnt_are_nearly_kept_whole() -> None:
    found = lsa(REAL[:20], rng())(REAL[:20])
    assert found.shape == (20, 20)
    assert found @ found.T == pytest.approx(dense(REAL[:20], REAL[:20]) @ dense(REAL[:20], REAL[:20]).T, abs=1e-4)


def test_what_lsa_sees() -> None:
    encode = lsa(REAL, rng())
    assert encode(REAL[:9]).shape == (9, 128)
    line = REAL[0]
    same, turned, noise, other = encode([line, " ".join(line.split()[::-1]), "".join(sorted(line)), "QRST UVW XYZ"])
    near, far = np.linalg.norm(same - turned), np.linalg.norm(same - noise)
    assert near < 0.8 * far
    assert np.linalg.norm(other) < 0.4 * np.linalg.norm(same)  # runs that real text lacks lie near 0


def test_only_the_first_characters_of_a_line_are_read() -> None:
    encode = lsa(["ab" * 200, *REAL], rng())
    first, second = encode(["ab" * 128, "ab" * 128 + "cd"])
    assert first == pytest.approx(second, abs=1e-6)


def test_lsa_of_one_line_of_no_line_and_by_its_seed() -> None:
    assert lsa(["ab"], rng())(["ab", ""]).shape == (2, 1)
    assert lsa(["ab"], rng())(["ab"])[0] ** 2 == pytest.approx([1], abs=1e-5)
    one, other = lsa(REAL, rng()), lsa(REAL, rng())
    assert one([]).shape == (0, 128)
    assert np.array_equal(one(REAL), other(REAL))


def test_the_lines_that_are_learnt_from_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LEARNT", 10)
    assert lsa(REAL, rng())(REAL).shape == (300, 10)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labelled"),
    [
        ("lsa", "lsa"),
        ("./lsa", "lsa-model"),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("/models/my net (1)/", "my-net-1"),
        ("/", "model"),
        ("gpt2", "gpt2"),
    ],
)
def test_labels(name: str, labelled: str) -> None:
    assert label(name) == labelled


def test_the_table_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        ENCODERS, "lengths", lambda real, _: lambda lines: np.array([[len(s)] for s in lines]) / len(real)
    )
    assert encoder("lengths", ["a", "b"], rng())(["abc", ""]).tolist() == [[1.5], [0.0]]


@pytest.mark.parametrize("name", ["", "no such", "./nowhere", "/nowhere", "a/b/c", "~/nowhere"])
def test_names_that_no_model_has(name: str) -> None:
    with pytest.raises(UsageError, match=r"^there is no encoder '.*'; write lsa, a folder, or a model on the hub"):
        encoder(name, REAL, rng())


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(TextganError, match=r"is no encoder: model.safetensors, tokenizer.json is missing there$"):
        pretrained(str(tmp_path))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TextganError, match=r"needs the package transformers; pip install transformers, or use lsa$"):
        pretrained(str(tmp_path))


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT over single letters and a few pieces."""
    transformers = pytest.importorskip("transformers")
    import torch

    folder = tmp_path_factory.mktemp("models") / "tiny bert"
    folder.mkdir()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", *(f"##{c}" for c in "abcdefgh")]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=20).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(pieces), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=24,
        )  # fmt: skip
        transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_a_model_gives_the_mean_of_its_last_states(bert: Path) -> None:
    import torch
    import transformers

    lines = ["abc def", "", "h", "q", *REAL[:150], "a" * 200]
    found = pretrained(str(bert))(lines)
    tokenizer, model = transformers.AutoTokenizer.from_pretrained(bert), transformers.AutoModel.from_pretrained(bert)
    for line, vector in zip(lines, found, strict=True):  # each alone: no pads
        with torch.no_grad():
            told = tokenizer(line, return_tensors="pt", truncation=True, max_length=20)
            alone = model(**told).last_hidden_state[0].mean(0)
        assert vector == pytest.approx(alone.numpy(), abs=1e-5)
    assert found.dtype == np.float64
    assert np.ptp(found[:, 0]) > 0.01


def test_damaged_models_are_one_line(bert: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((bert / "model.safetensors").read_bytes()[:99])
    with pytest.raises(TextganError, match=r"^[^\n]*cannot be used as an encoder: [^\n]+$"):
        pretrained(str(tmp_path))
    config = json.loads((bert / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((bert / "model.safetensors").read_bytes())
    (tmp_path / "net.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    own = {"model_type": "own", "auto_map": {"AutoConfig": "net.Config", "AutoModel": "net.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(TextganError, match=r"^[^\n]*cannot be used as an encoder: [^\n]+$"):
        pretrained(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_offline_a_model_of_the_hub_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TextganError, match=r"^there is no encoder own/none: .* and HF_HUB_OFFLINE is set$"):
        pretrained("own/none")


def test_a_hub_that_does_not_answer_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers, hub = pytest.importorskip("transformers"), pytest.importorskip("huggingface_hub")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked: list[Any] = []

    def none(*about: Any, **how: Any) -> None:
        asked.append(how.get("local_files_only", about[-1]))
        raise (OSError if "local_files_only" in how else RuntimeError)("not\nhere")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", none)
    monkeypatch.setattr(hub.HfApi, "model_info", none)
    with pytest.raises(TextganError, match=r"^there is no encoder own/none: .* or does not answer$"):
        pretrained("own/none")
    assert asked == [True, "own/none"]  # the cache, the hub


@pytest.mark.slow
def test_a_report_with_a_model_says_nothing_on_stderr(bert: Path, tmp_path: Path) -> None:
    samples, reference = tmp_path / "samples.txt", tmp_path / "reference.txt"
    samples.write_text("\n".join(text(40, 3)))
    reference.write_text("\n".join(text(90, 4)))
    command = [
        "report",
        "--samples",
        str(samples),
        "--reference",
        str(reference),
        "--metrics",
        "frechet,mauve",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "default", "-m", "textgan", *command, "--encoder", str(bert)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    metrics = json.loads(done.stdout)["metrics"]
    assert list(metrics) == ["frechet_tiny-bert", "mauve_tiny-bert"]
    assert all(number["value"] >= 0 and number["floor"] >= 0 for number in metrics.values())


def test_a_line_without_tokens_is_at_zero() -> None:
    import torch

    def tokenizer(lines: list[str], **_: Any) -> dict[str, torch.Tensor]:
        return {"attention_mask": torch.tensor([[len(line) > place for place in range(4)] for line in lines]).long()}

    def model(attention_mask: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=torch.arange(4.0)[None, :, None].expand(len(attention_mask), 4, 2))

    model.config = SimpleNamespace(hidden_size=2)  # type: ignore[attr-defined]
    assert _means(tokenizer, model, ["abc", "", "ab"], 4).tolist() == [[1, 1], [0, 0], [0.5, 0.5]]
