import json
from pathlib import Path
from typing import Any

import pytest

from textgan import settings
from textgan.config import Config
from textgan.errors import CorruptError, UsageError
from textgan.resources import folder, presets
from textgan.settings import resolve


def test_without_anything_the_quick_preset_is_used() -> None:
    assert resolve() == resolve("quick")
    assert resolve().config.preset == "quick"


def test_each_layer_beats_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "wgan_gp"\n[training]\nbatch = 65\nlog_every = 65\nseed = 65\nsteps = 65\n')
    environ = {f"TEXTGAN_TRAINING__{name}": "66" for name in ("LOG_EVERY", "SEED", "STEPS")}
    overrides = ["training.seed=67", "training.steps=67"]
    found = resolve(str(file), overrides=overrides, flags={"training.steps": 68}, environ=environ)

    training = found.config.training
    assert (training.evaluate_every, found.config.critic.steps) == (250, 10)
    assert (training.batch, training.log_every, training.seed, training.steps) == (65, 66, 67, 68)
    origins = [found.origin[f"training.{name}"] for name in ("evaluate_every", "batch", "log_every", "seed", "steps")]
    assert origins == ["default", str(file), "TEXTGAN_TRAINING__LOG_EVERY", "-s", "flag"]
    assert found.origin["critic.steps"] == "preset wgan_gp"
    assert found.origin["preset"] == "preset wgan_gp"


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert resolve(flags={"training.steps": None}) == resolve()


def test_a_file_starts_from_quick_unless_it_names_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[text]\nlength = 16\n")
    assert resolve(str(file)).config == resolve("quick", overrides=["text.length=16"]).config


def test_a_file_may_start_with_a_byte_order_mark_and_hold_any_script(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[corpus]\nname = "日本語.txt"\n', encoding="utf-8-sig")
    assert resolve(str(file)).config.corpus.name == "日本語.txt"


def test_a_run_is_taken_whole(tmp_path: Path) -> None:
    config = resolve("counts", overrides=["text.length=9"]).config
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "config": config.model_dump(mode="json")}))
    assert resolve(str(tmp_path)).config == config


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}', '{"schema": 1, "config": 3}'])
def test_a_damaged_run_is_called_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CorruptError, match=r"run\.json"):
        resolve(str(tmp_path))


@pytest.mark.parametrize(
    ("preset", "overrides", "penalties"),
    [
        ("quick", [], {"gradient_penalty": 10.0}),
        ("relativistic", [], {"r1": 1.0, "r2": 1.0}),
        ("counts", [], {}),
        ("relativistic", ["game.penalties.r1=5"], {"r1": 5.0, "r2": 1.0}),
        ("quick", ["game.penalties.r1=5"], {"gradient_penalty": 10.0, "r1": 5.0}),
        ("quick", ["game.penalties={r1=5}"], {"r1": 5.0}),
        ("quick", ["game={penalties={r1=5}}"], {"r1": 5.0}),
        ("quick", ["game.penalties={}"], {}),
    ],
)
def test_penalties_are_replaced_whole_or_one_by_one(
    preset: str, overrides: list[str], penalties: dict[str, float]
) -> None:
    assert resolve(preset, overrides=overrides).config.game.penalties == penalties


def test_origin_of_a_table_names_all_who_set_it() -> None:
    environ = {"TEXTGAN_GAME__PENALTIES__R2": "2"}
    found = resolve("quick", overrides=["game.penalties.r1=5"], environ=environ)
    assert found.config.game.penalties == {"gradient_penalty": 10.0, "r1": 5.0, "r2": 2.0}
    assert found.origin["game.penalties"] == "preset quick, TEXTGAN_GAME__PENALTIES__R2, -s"


@pytest.mark.parametrize(
    ("override", "section", "name", "value"),
    [
        ("text.length = 16", "text", "length", 16),
        ("text.cut=line", "text", "cut", "line"),
        ("text.cut='line'", "text", "cut", "line"),
        ("training.steps=1e4", "training", "steps", 10_000),
        ("training.minutes=3", "training", "minutes", 3.0),
        ("count_critic.orders=[2, 5]", "count_critic", "orders", (2, 5)),
        ("text={length=16}", "text", "length", 16),
        ("corpus.name=2024", "corpus", "name", "2024"),
        ("corpus.name=2024-01-01", "corpus", "name", "2024-01-01"),
        ("corpus.name=a b.txt", "corpus", "name", "a b.txt"),
        ("corpus.name=a=b", "corpus", "name", "a=b"),
        ('corpus.name="é"', "corpus", "name", "é"),
        ("corpus.data=", "corpus", "data", ""),
        ("corpus.data='a'\ntext.length = 3", "corpus", "data", "'a'\ntext.length = 3"),
    ],
)
def test_an_override_is_toml_or_a_bare_string(override: str, section: str, name: str, value: Any) -> None:
    assert getattr(getattr(resolve(overrides=[override]).config, section), name) == value


def test_textgan_data_is_the_folder_of_the_corpus_and_other_variables_are_left_alone() -> None:
    found = resolve(environ={"TEXTGAN_DATA": "there", "TEXTGAN_CACHE": "x", "TEXTGAN_TEST_DATA": "y", "HOME": "z"})
    assert found.config.corpus.data == "there"
    assert found.origin["corpus.data"] == "TEXTGAN_DATA"
    assert found.config == resolve(flags={"corpus.data": "there"}).config


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"preset_or_file": "quik"}, "'quik'; did you mean 'quick'?"),
        (
            {"preset_or_file": "zzzz"},
            "known: baseline_lm, cifar10_dcgan, ",
        ),
        ({"overrides": ["text.lenght=3"]}, "unknown key 'text.lenght' (-s); did you mean 'length'?"),
        ({"overrides": ["training.batches=3"]}, "did you mean 'batch'?"),
        ({"overrides": ["text.xyz=3"]}, "; known: cut, decode, length, max_symbols, pad"),
        ({"overrides": ["lenght=3"]}, "did you mean 'text.length'?"),
        ({"overrides": ["zzzz=3"]}, "`textgan config show`"),
        ({"overrides": ["game.penalties.r1.x=3"]}, "unknown key"),
        ({"overrides": ["text.length=1"]}, "text.length = 1 (-s): should be greater than or equal to 2"),
        ({"overrides": ["text.length=long"]}, "text.length = 'long' (-s): should be a valid integer"),
        ({"overrides": ["text.cut=lines"]}, "did you mean 'line'?"),
        ({"overrides": ["generator.betas=[0.5]"]}, "generator.betas = [0.5] (-s): a value is missing"),
        ({"overrides": ["game.penalties.r1=x"]}, "each value should be a valid number"),
        ({"overrides": ["game.weight=nan"]}, "game.weight = nan (-s): should be a finite number"),
        ({"overrides": ["preset=counts"]}, "choose it with -c"),
        ({"overrides": ["text.length"]}, "section.key=value"),
        ({"overrides": ["text=3"]}, "unknown key 'text'"),
        ({"flags": {"training.seed": -1}}, "training.seed = -1 (flag): should be greater than or equal to 0"),
        ({"environ": {"TEXTGAN_TEXT_LENGTH": "3"}}, "did you mean 'TEXTGAN_TEXT__LENGTH'?"),
        ({"environ": {"TEXTGAN_TEXT__LENGTH": "x"}}, "text.length = 'x' (TEXTGAN_TEXT__LENGTH)"),
        ({"environ": {"TEXTGAN_PRESET": "counts"}}, "unknown variable TEXTGAN_PRESET"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(**arguments)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[text\n", "is no TOML file"),
        (b"\xff\xfe", "is no TOML file"),
        (b"[text]\nlenght = 3\n", "did you mean 'length'?"),
        (b"[training]\nsteps = 0\n", "training.steps = 0"),
        (b'preset = "quik"\n', "did you mean 'quick'?"),
        (b"preset = 3\n", "unknown preset 3"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_or_the_key(tmp_path: Path, text: bytes, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(text)
    with pytest.raises(UsageError) as caught:
        resolve(str(file))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_field_says_what_it_means() -> None:
    described = settings.fields()
    assert all(field.text for field in described.values())
    assert described["text.length"].text == "Length of a sample."
    assert described["text.length"].unit == "symbols"
    assert described["training.seed"].unit == ""
    numbers = {key for key, field in described.items() if field.annotation in (int, float)}
    assert {key for key in numbers if not described[key].unit} == {"training.seed"}


@pytest.mark.parametrize("name", presets())
def test_every_preset_resolves_under_its_own_name_and_says_what_to_expect(name: str) -> None:
    found = resolve(name)
    assert found.config.preset == name
    if name != "smoke":
        head = (folder("configs") / f"{name}.toml").read_text()
        assert all(f"# {word}: " in head for word in ("Paper", "Table", "Expect"))


def test_wgan_gp_is_the_language_model_of_the_paper() -> None:
    config = resolve("wgan_gp").config
    assert config.text.model_dump() == {
        "unit": "char", "length": 32, "cut": "line", "pad": "backtick", "max_symbols": 2048, "decode": "argmax",
    }  # fmt: skip
    for net in (config.generator, config.critic):
        assert (net.net, net.width, net.blocks, net.kernel) == ("paper", 512, 5, 5)
        assert (net.learning_rate, net.betas) == (1e-4, (0.5, 0.9))
    assert (config.generator.latent, config.generator.averaging) == (128, 0)
    assert (config.critic.steps, config.training.batch, config.training.steps) == (10, 64, 200_000)
    assert (config.game.objective, config.game.penalties) == ("wasserstein", {"gradient_penalty": 10})
    assert config.corpus.max_lines == 10_000_000
    assert config.count_critic.weight == config.window_likelihood.weight == 0


def test_ttur_changes_the_two_time_scales_only() -> None:
    paper, ttur = resolve("wgan_gp").config, resolve("wgan_gp_ttur").config
    critic = paper.critic.model_copy(update={"learning_rate": 3e-4, "steps": 1})
    assert ttur == paper.model_copy(update={"preset": "wgan_gp_ttur", "critic": critic})


def test_counts_is_quick_without_a_neural_critic() -> None:
    quick, counts = resolve("quick").config, resolve("counts").config
    assert counts.critic.net == "none"
    for section in Config.model_fields.keys() - {"preset", "critic", "game"}:
        assert getattr(counts, section) == getattr(quick, section)
