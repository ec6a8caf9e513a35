from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from textgan import model as models
from textgan.config import Config
from textgan.errors import CorruptError, TextganError, UsageError
from textgan.files import MANIFEST, dump_json, verify_folder, write_folder
from textgan.model import BLOCK, Model, build_generator, card, label_ends, load, newest_run
from textgan.nets import GENERATORS
from textgan.spaces import Text

SPACE = Text(tuple("etaoinsr"), 9)
FACTS: dict[str, Any] = {
    "step": 1234,
    "corpus": {"name": "tiny", "fingerprint": "ab", "train": 90, "facts": {"title": "tiny.txt"}},
    "evaluation": None,
}


def config(**text: Any) -> Config:
    return Config.model_validate({"generator": {"width": 4, "latent": 6}, "text": {"length": 9} | text})


def new_model(space: Text = SPACE, facts: dict[str, Any] = FACTS, **text: Any) -> Model:
    torch.manual_seed(0)
    net = build_generator(config(**text), space).eval().requires_grad_(False)
    return Model(net, space, config(**text), facts)


MODEL = new_model()


@pytest.mark.parametrize("n", [0, 1, 63, 65, BLOCK, BLOCK + 1])
def test_exactly_as_many_lines_as_asked_and_the_first_do_not_depend_on_how_many(n: int) -> None:
    lines = MODEL.generate(n, seed=3)
    assert len(lines) == n
    assert lines == MODEL.generate(2 * BLOCK, seed=3)[:n]
    assert [line for block in MODEL.stream(n, seed=3) for line in block] == lines


def test_the_first_63_of_65_are_63() -> None:
    assert MODEL.generate(65, seed=1)[:63] == MODEL.generate(63, seed=1)


def test_lines_depend_on_the_seed_only() -> None:
    one = MODEL.generate(40, seed=1)
    torch.rand(5)
    assert MODEL.generate(40, seed=1) == one
    assert MODEL.generate(40, seed=2) != one
    many = MODEL.generate(2 * BLOCK, seed=1)
    assert many[BLOCK:] != many[:BLOCK]


def test_lines_hold_alphabet_and_fit() -> None:
    lines = MODEL.generate(300)
    assert {symbol for line in lines for symbol in line} <= set(SPACE.symbols)
    assert max(map(len, lines)) <= 9


def test_argmax_is_what_drawing_cold_comes_to() -> None:
    likeliest = new_model(decode="argmax").generate(100, seed=4)
    assert likeliest == new_model(decode="argmax").generate(100, seed=4)
    assert MODEL.generate(100, seed=4, temperature=1e-6) == likeliest
    assert MODEL.generate(100, seed=4) != likeliest
    assert new_model(decode="argmax").generate(100, seed=4, temperature=1.0) == MODEL.generate(100, seed=4)


def test_temperature_one_is_the_softmax_and_heat_makes_lines_alike() -> None:
    assert MODEL.generate(50, temperature=1.0) == MODEL.generate(50)
    hot = "".join(MODEL.generate(3000, temperature=1e6))
    shares = [hot.count(symbol) / len(hot) for symbol in SPACE.symbols]
    assert shares == pytest.approx([1 / 8] * 8, abs=0.02)


def trained_at(step: Any, steps: int = 5, **generator: Any) -> Model:
    settings = config().model_dump()
    settings["generator"] |= generator
    settings["training"]["steps"] = steps
    return Model(MODEL.net, SPACE, Config.model_validate(settings), FACTS | {"step": step})


@pytest.mark.parametrize(
    ("step", "temperature"), [(0, 2.0), (1, 2.0), (2, 1.0), (3, 0.5), (4, 0.25), (5, 0.125), (7, 0.125)]
)
def test_lines_are_drawn_at_the_temperature_of_the_last_step_taken(step: int, temperature: float) -> None:
    saved = trained_at(step, temperature=2.0, final_temperature=0.125)
    assert saved.generate(50) == MODEL.generate(50, temperature=temperature)
    assert trained_at(step, temperature=0.5).generate(50) == MODEL.generate(50, temperature=0.5)
    for name in ("gumbel_softmax", "gumbel_straight_through"):
        gumbel = trained_at(step, temperature=2.0, final_temperature=0.125, relaxation=name)
        assert gumbel.generate(50) == MODEL.generate(50, temperature=1.0)  # their draws are those of the softmax at 1


def test_a_model_of_one_step_was_drawn_at_the_first_temperature() -> None:
    assert trained_at(1, 1, temperature=2.0, final_temperature=0.1).generate(9) == MODEL.generate(9, temperature=2.0)


@pytest.mark.parametrize(("step", "temperature"), [(10**400, 0.5), (-(10**400), 0.1), (float("nan"), 0.1)])
def test_a_step_that_none_has_is_taken_for_the_nearest(step: Any, temperature: float) -> None:
    saved = trained_at(step, temperature=0.1, final_temperature=0.5)
    assert saved.generate(9) == MODEL.generate(9, temperature=temperature)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(TextganError, match="temperature must be a positive number"):
        MODEL.generate(1, temperature=temperature)


def test_the_coldest_temperature_is_argmax() -> None:
    assert MODEL.generate(50, temperature=1e-40) == new_model(decode="argmax").generate(50)
    assert MODEL.generate(50, temperature=1e-300) == new_model(decode="argmax").generate(50)


def test_the_hottest_temperature_still_gives_lines() -> None:
    assert MODEL.generate(50, temperature=1e300) == MODEL.generate(50, temperature=1e30)


def test_a_negative_number_of_lines_is_refused() -> None:
    with pytest.raises(TextganError, match="-1 samples"):
        MODEL.generate(-1)


@pytest.mark.parametrize("decode", ["argmax", "sample"])
def test_unknown_is_generated_only_where_training_held_some(decode: str) -> None:
    for knows in (False, True):
        eager = new_model(Text(SPACE.symbols, 9, knows_unknown=knows), decode=decode)
        with torch.no_grad():
            eager.net.leave.bias[SPACE.unknown] = 1e4  # type: ignore[union-attr, operator]
        text = "".join(eager.generate(20))
        assert ("\N{REPLACEMENT CHARACTER}" in text) == knows


def test_a_loaded_model_generates_what_the_saved_one_did(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "run" / "model")
    verify_folder(tmp_path / "run" / "model")
    for path in (tmp_path / "run" / "model", tmp_path / "run", str(tmp_path / "run")):
        again = load(path)
        assert again.generate(65, seed=9) == MODEL.generate(65, seed=9)
    assert (again.space, again.config, again.facts) == (SPACE, MODEL.config, FACTS)
    assert again.folder == tmp_path / "run" / "model"
    assert not any(p.requires_grad for p in again.net.parameters())


def test_a_model_folder_is_what_the_hub_takes(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "m")
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "config.json", "model.safetensors", "alphabet.json", "README.md", "manifest.json",
    }  # fmt: skip
    value = json.loads((tmp_path / "m" / "config.json").read_text())
    assert (value["schema"], value["step"], value["config"]["text"]["length"]) == (1, 1234, 9)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=r"model\.safetensors is damaged"):
        load(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{}"),
        ("config.json", "[1]"),
        ("config.json", '{"schema": 1}'),
        ("config.json", '{"schema": 1, "config": {"generator": {"net": "no such net"}}}'),
        ("config.json", '{"schema": 1, "config": {"no such section": 1}}'),
        ("alphabet.json", "{}"),
        ("alphabet.json", '{"symbols": "abc", "length": 9, "pad": "own", "knows_unknown": false}'),
        ("model.safetensors", "no tensors"),
    ],
)
def test_a_folder_that_fits_its_manifest_but_holds_no_model_is_one_line(
    name: str, content: str, tmp_path: Path
) -> None:
    MODEL.save(tmp_path / "m")
    files = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir() if path.name != MANIFEST}

    def fill(folder: Path) -> None:
        for file, value in (files | {name: content.encode()}).items():
            (folder / file).write_bytes(value)

    write_folder(tmp_path / "m", fill)
    with pytest.raises(CorruptError, match=r"is no model that textgan|config\.json is missing or damaged") as caught:
        load(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(TextganError, match="does not exist; give a run or model folder"):
        load(tmp_path / "absent")
    with pytest.raises(TextganError, match="holds no trained model"):
        load(tmp_path)


def test_the_newest_run_is_the_one_whose_model_was_saved_last(tmp_path: Path) -> None:
    with pytest.raises(TextganError, match=r"no trained run under .*train one with 'textgan train'"):
        newest_run(tmp_path / "runs")
    for at, name in enumerate(["b", "a", "c"]):
        weights = tmp_path / "runs" / name / "model" / models.WEIGHTS
        weights.parent.mkdir(parents=True)
        weights.touch()
        os.utime(weights, ns=(at, 10**18 - at * 10**9))
    (tmp_path / "runs" / "no model").mkdir()
    assert newest_run(tmp_path / "runs") == tmp_path / "runs" / "b"


def test_the_card_says_how_it_was_made_and_what_was_measured() -> None:
    assert "Not at this step" in card(MODEL)
    assert "by its label" not in card(MODEL)
    assert "\n\nA sample may be asked for by its label: bird, fish, never.\n\n## Measured" in card(CONDITIONAL)
    many = replace(CONDITIONAL, space=replace(CLASSES, labels=tuple(map(str, range(100, 130)))))
    assert "118, 119, ...\n" in card(many)
    jsd = {"4": {"value": 0.38123, "floor": 0.05, "excess": 0.33}, "6": {"value": None, "floor": None, "excess": None}}
    text = card(new_model(facts=FACTS | {"evaluation": {"samples": 2000, "reference": 311, "jsd": jsd}}))
    assert "| 4 | 0.3812 | 0.0500 |" in text
    assert "| 6 |" not in text
    empty = {"4": {"value": None, "floor": 0.05, "excess": None}}  # a generator of empty lines
    unmeasured = FACTS | {"evaluation": {"samples": 2000, "reference": 311, "jsd": empty}}
    assert "| 4 |" not in card(new_model(facts=unmeasured))
    assert "2,000 generated samples against 311 held-out rows" in text
    assert "1,234 generator steps with the preset `quick`, decoded by sample" in text


def test_a_config_that_asks_for_too_much_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    for width in (16_384, 10**9):
        value = json.loads(path.read_text(encoding="utf-8"))
        value["config"]["generator"]["width"] = width
        forged = tmp_path / f"forged{width}"

        def fill(target: Path, text: str = dump_json(value)) -> None:
            for other in (tmp_path / "model").iterdir():
                (target / other.name).write_bytes(other.read_bytes())
            (target / "config.json").write_text(text, encoding="utf-8")
            (target / MANIFEST).unlink()

        write_folder(forged, fill)
        with pytest.raises(CorruptError, match="is no model that textgan"):
            load(forged)


def test_a_model_is_sampled_at_the_temperature_it_was_trained_at() -> None:
    trained = MODEL.config.generator.model_copy(update={"temperature": 0.2})
    cold = replace(MODEL, config=MODEL.config.model_copy(update={"generator": trained}))
    assert cold.generate(50) == MODEL.generate(50, temperature=0.2) != MODEL.generate(50)


CLASSES = replace(SPACE, labels=("bird", "fish", "never"))
LABELLED: dict[str, Any] = FACTS | {"corpus": FACTS["corpus"] | {"facts": {"title": "t", "labels": {
    "never": 0, "fish": 10, "bird": 30,
}}}}  # fmt: skip
CONDITIONAL = new_model(CLASSES, LABELLED)
TRAINED = [name for name, rows in LABELLED["corpus"]["facts"]["labels"].items() if rows]


def test_a_space_without_labels_has_the_generator_it_always_had() -> None:
    torch.manual_seed(0)
    g = config().generator
    plain = GENERATORS[g.net](
        length=9, symbols=SPACE.size, latent=g.latent, width=g.width, blocks=g.blocks, kernel=g.kernel
    ).state_dict()
    ours = MODEL.net.state_dict()
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_labels_are_drawn_as_training_had_them() -> None:
    drawn = CONDITIONAL.labels(4000, seed=1)
    assert drawn.count("fish") / 4000 == pytest.approx(0.25, abs=0.02)
    assert (drawn.count("never"), len(drawn)) == (0, 4000)
    assert label_ends(CLASSES, LABELLED) == [30, 40, 40]
    assert drawn != CONDITIONAL.labels(4000, seed=2)
    assert drawn[:BLOCK] != drawn[BLOCK : 2 * BLOCK]


@pytest.mark.parametrize("n", [0, 1, 63, BLOCK + 1])
def test_a_row_and_its_label_depend_on_the_seed_and_its_place_only(n: int) -> None:
    assert CONDITIONAL.generate(n, seed=3) == CONDITIONAL.generate(2 * BLOCK, seed=3)[:n]
    assert CONDITIONAL.labels(n, seed=3) == CONDITIONAL.labels(2 * BLOCK, seed=3)[:n]
    for label in TRAINED:
        assert CONDITIONAL.labels(n, seed=3, label=label) == [label] * n
        assert CONDITIONAL.generate(n, seed=3, label=label) == CONDITIONAL.generate(2 * BLOCK, seed=3, label=label)[:n]


def test_a_line_of_the_mixture_is_the_line_of_its_label() -> None:
    mixed, labels = CONDITIONAL.generate(300, seed=2), CONDITIONAL.labels(300, seed=2)
    alone = {label: CONDITIONAL.generate(300, seed=2, label=label) for label in TRAINED}
    assert mixed == [alone[label][i] for i, label in enumerate(labels)]
    assert alone["bird"] != alone["fish"]


def test_a_label_that_the_model_does_not_know_is_one_line() -> None:
    for n in (0, 5):
        for ask in (CONDITIONAL.generate, CONDITIONAL.labels):
            with pytest.raises(UsageError, match=r"^this model knows no label 'brid'; did you mean 'bird'\?$"):
                ask(n, label="brid")
        with pytest.raises(UsageError, match=r"^this model was trained without labels; leave 'bird' out$"):
            MODEL.generate(n, label="bird")
    assert MODEL.labels(5) == []


def test_a_loaded_conditional_model_generates_what_the_saved_one_did(tmp_path: Path) -> None:
    CONDITIONAL.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.space.labels == CLASSES.labels
    assert again.generate(65, seed=9) == CONDITIONAL.generate(65, seed=9)
    assert again.generate(65, seed=9, label="fish") == CONDITIONAL.generate(65, seed=9, label="fish")


@pytest.mark.parametrize(
    "labels",
    [None, {}, {"bird": 1, "fish": 2}, {"bird": 0, "fish": 0, "never": 0}, {"bird": 9, "fish": -1, "never": 1},
     {"bird": "x", "fish": 1, "never": 1}, {"bird": 1 << 62, "fish": 1, "never": 1}],
)  # fmt: skip
def test_a_conditional_model_whose_labels_are_not_counted_is_refused(labels: Any, tmp_path: Path) -> None:
    corpus = FACTS["corpus"] | {"facts": {"title": "t", "labels": labels}}
    new_model(CLASSES, FACTS | {"corpus": corpus}).save(tmp_path / "m")
    with pytest.raises(CorruptError, match="is no model that textgan") as caught:
        load(tmp_path / "m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("made", [MODEL, CONDITIONAL], ids=["plain", "conditional"])
def test_rows_go_through_the_net_in_parts_that_fit_in_memory(made: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = made.config.text.model_copy(update={"decode": "argmax"})
    likeliest = replace(made, config=made.config.model_copy(update={"text": decode}))
    whole = likeliest.generate(2 * BLOCK, seed=3)
    monkeypatch.setattr(models, "PART", 100 * made.space.length * made.space.size)
    assert likeliest.generate(2 * BLOCK, seed=3) == whole
    drawn = made.generate(2 * BLOCK, seed=3)
    assert len(set(drawn)) > BLOCK / 2
    assert drawn[:300] == made.generate(300, seed=3)


def test_a_label_that_training_never_saw_is_unknown() -> None:
    assert "never" in CLASSES.labels
    assert "never" not in TRAINED
    for ask in (CONDITIONAL.generate, CONDITIONAL.labels):
        with pytest.raises(UsageError, match=r"^this model knows no label 'never'; known: bird, fish$"):
            ask(3, label="never")
