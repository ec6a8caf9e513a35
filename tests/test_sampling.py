"""Sampling in parts and on threads gives what a row by itself would: an oracle draws symbol by symbol in Python."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor

from textgan import model as models
from textgan.ahead import ahead
from textgan.cli.generate import pieces
from textgan.cli.progress import in_json
from textgan.config import Config
from textgan.contract import Output
from textgan.errors import TextganError
from textgan.game.relaxations import at_share
from textgan.model import BLOCK, Model, build_generator
from textgan.spaces import Text

SPACE = Text(tuple("etaoinsr"), 9)
LABELLED = Text(tuple("etaoinsr"), 9, labels=("bird", "fish"))
FACTS: dict[str, Any] = {"step": 1, "corpus": {"facts": {"labels": {"bird": 30, "fish": 10}}}}
NETS = ("paper", "upsampling", "recurrent")
MORE = (*NETS, "lstm", "transformer", "causal_transformer")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PART", 64 * SPACE.length * SPACE.size)


def model(net: str = "paper", space: Text = SPACE, **text: Any) -> Model:
    torch.manual_seed(0)
    sections = {"generator": {"net": net, "width": 4, "latent": 6}, "text": {"length": 9} | text}
    config = Config.model_validate(sections)
    made = build_generator(config, space).eval().requires_grad_(False)
    made.state_dict()["generator.leave.weight" if space.labels else "leave.weight"] *= 3
    return Model(made, space, config, FACTS)


def keyed(seed: int, purpose: str, step: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") // 2)


def symbol(logits: Tensor, number: float, temperature: float) -> int:
    """The first symbol whose cumulative share reaches 1 - number; the unknown one, the last, is none."""
    weights = (logits[:-1].double() / temperature).softmax(0).tolist()
    return next(i for i, end in enumerate(accumulate(weights)) if end >= (1 - number) * (1 - 1e-12))


def by_itself(made: Model, seed: int, row: int, temperature: float, label: int | None = None) -> str:
    """The line of one row, by the definition."""
    rng = keyed(seed, "generate", row // BLOCK)
    noise = torch.randn(BLOCK, 6, generator=rng)[row % BLOCK :][:1]
    given = {} if label is None else {"condition": torch.tensor([label])}
    if made.config.generator.net in ("recurrent", "lstm", "causal_transformer"):  # one number a symbol, as it is read
        numbers = torch.stack([torch.rand(BLOCK, generator=rng)[row % BLOCK] for _ in range(9)])
    else:
        numbers = torch.rand(BLOCK, 9, generator=rng)[row % BLOCK]
    left = iter(numbers.tolist())

    def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
        ids = [symbol(one, next(left), temperature) for one in logits.flatten(0, -2)]
        chosen = torch.tensor(ids).view(logits.shape[:-1])
        return torch.nn.functional.one_hot(chosen, SPACE.size).float(), chosen

    output: Output = made.net(noise, relax, **given)
    ids = output.ids[0].tolist()
    return "".join(SPACE.symbols[i - 1] for i in ids[: ids.index(0) if 0 in ids else 9])


@pytest.mark.parametrize("net", MORE)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_a_line_is_that_of_its_row_by_itself(net: str, temperature: float) -> None:
    made = model(net)
    lines = made.generate(2 * BLOCK, seed=7, temperature=temperature)
    rows = [*range(40), *range(BLOCK // 2 - 3, BLOCK // 2 + 3), *range(BLOCK - 3, BLOCK + 3), 2 * BLOCK - 1]
    assert [lines[row] for row in rows] == [by_itself(made, 7, row, temperature) for row in rows]


@pytest.mark.parametrize("net", MORE)
def test_a_labelled_line_is_that_of_its_row_and_label(net: str) -> None:
    made = model(net, LABELLED)
    lines, labels = made.generate(BLOCK + 20, seed=2), made.labels(BLOCK + 20, seed=2)
    assert set(labels) == {"bird", "fish"}
    rows = [*range(20), *range(BLOCK // 2, BLOCK // 2 + 10), *range(BLOCK, BLOCK + 20)]
    assert [lines[i] for i in rows] == [by_itself(made, 2, i, 1.0, LABELLED.labels.index(labels[i])) for i in rows]


@pytest.mark.parametrize("net", NETS)
def test_a_neighbour_at_no_distance_is_the_seeds_own_line(net: str) -> None:
    made = model(net)
    assert made.around(5, 3, radius=0.0) == [by_itself(made, 5, 0, 1.0)] * 3


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("rows", [1, 16, 64, 256])
def test_lines_do_not_depend_on_how_many_rows_go_through_the_net_at_once(
    net: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = model(net).generate(BLOCK + 70, seed=3)
    seen = watched(monkeypatch)
    monkeypatch.setattr(models, "PART", rows * SPACE.length * SPACE.size + 5)
    assert model(net).generate(BLOCK + 70, seed=3) == lines
    assert set(seen) == {rows}


def test_no_more_rows_are_made_than_a_part_of_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    monkeypatch.setattr(models, "PART", 63 * SPACE.length * SPACE.size)  # parts are powers of two
    for n, parts in ((0, 0), (1, 1), (32, 1), (33, 2), (BLOCK, 8), (BLOCK + 1, 9)):
        seen.clear()
        assert len(model().generate(n)) == n
        assert seen == [32] * parts
    monkeypatch.setattr(models, "PART", 1)
    model().generate(1)
    assert seen[-1] == 1


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows go through the net, each time."""
    seen: list[int] = []
    ids = Model._ids

    def watch(self: Model, noise: Tensor, *rest: Any) -> Tensor:
        seen.append(len(noise))
        return ids(self, noise, *rest)

    monkeypatch.setattr(Model, "_ids", watch)
    return seen


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 255, 256, 257])
@pytest.mark.parametrize("decode", ["argmax", "sample"])
def test_exactly_as_many_lines_as_asked_for(n: int, decode: str) -> None:
    made = model(decode=decode)
    assert made.generate(n, seed=1) == made.generate(2 * BLOCK, seed=1)[:n]
    assert all(made.stream(n, seed=1))


@pytest.mark.parametrize("threads", [1, 3])
def test_lines_do_not_depend_on_the_threads(threads: int) -> None:
    before, lines = torch.get_num_threads(), model().generate(2 * BLOCK, seed=1)
    torch.set_num_threads(threads)
    try:
        assert model().generate(2 * BLOCK, seed=1) == lines
        assert torch.get_num_threads() == in_a_thread(torch.get_num_threads) == threads
    finally:
        torch.set_num_threads(before)


def in_a_thread(function: Callable[[], int]) -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.usefixtures("two_threads")
def test_parts_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def watch(tasks: Iterator[Callable[[], list[str]]], count: int) -> Iterator[list[str]]:
        told.append(count)
        return ahead(tasks, count)

    monkeypatch.setattr(models, "ahead", watch)
    for n in (0, 1, 64, 65, BLOCK + 65):
        assert len(model().generate(n)) == n
    assert told == [0, 1, 1, 2, 6]


# --- tasks that run ahead


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_what_runs_ahead_comes_in_order_on_one_thread_of_torch_each_and_stays_near() -> None:
    begun: list[int] = []
    together = threading.Barrier(2, timeout=10)

    def task(i: int) -> list[str]:
        begun.append(i)
        if i < 2:
            together.wait()  # two run at once
        time.sleep(0.005 * (i % 2))
        return [f"{i} {torch.get_num_threads()}"]

    for i, lines in enumerate(ahead(((lambda i=i: task(i)) for i in range(50)), 50)):  # type: ignore[misc]
        assert lines == [f"{i} 1"]
        time.sleep(0.1 * (i < 2))
        assert max(begun) <= i + 4  # two that run, and two that wait
    assert sorted(begun) == list(range(50))


@pytest.mark.usefixtures("two_threads")
def test_tasks_that_nobody_waits_for_are_not_begun() -> None:
    begun: list[int] = []

    def task(i: int) -> list[str]:
        begun.append(i)
        if i == 1:
            raise ValueError("no")
        time.sleep(0.2 * (i > 1))
        return []

    running = ahead(((lambda i=i: task(i)) for i in range(50)), 50)  # type: ignore[misc]
    assert next(running) == []
    with pytest.raises(ValueError, match=r"^no$"):
        next(running)
    assert max(begun) <= 3
    assert not any(thread.name.startswith("textgan") for thread in threading.enumerate())
    assert torch.get_num_threads() == in_a_thread(torch.get_num_threads) == 2


@pytest.mark.parametrize(("count", "each"), [(0, 0), (1, 7), (2, 3), (3, 2), (7, 1), (20, 1)])
def test_few_tasks_share_the_threads(count: int, each: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(7)
    try:
        told = list(ahead((lambda: [str(torch.get_num_threads())] for _ in range(count)), count))
    finally:
        torch.set_num_threads(before)
    assert told == [[str(each)]] * count


@pytest.mark.usefixtures("two_threads")
def test_the_rest_of_the_process_keeps_its_threads() -> None:
    def tasks() -> Iterator[Callable[[], list[str]]]:
        return ((lambda: [str(torch.get_num_threads())]) for _ in range(9))

    one, other = ahead(tasks(), 9), ahead(tasks(), 9)
    assert [next(one), next(other), next(one)] == [["1"]] * 3
    assert torch.get_num_threads() == in_a_thread(torch.get_num_threads) == 2
    assert [*other, *one] == [["1"]] * 15
    assert torch.get_num_threads() == in_a_thread(torch.get_num_threads) == 2


def test_an_open_stream_ends_quietly_with_the_interpreter() -> None:
    source = (
        "from textgan.ahead import ahead\nopen_ = ahead(((lambda: i) for i in range(99)), 99)\nprint(next(open_) * 0)"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_json_of_what_fails_is_not_begun() -> None:
    def fails() -> Iterator[list[str]]:
        raise TextganError("no")
        yield []

    with pytest.raises(TextganError, match="no"):
        next(pieces({"schema": 1}, fails(), None))


# --- where a share lies


def test_a_share_is_counted_from_the_end_of_the_cumulative_sum() -> None:
    weights = torch.tensor([1.0, 0.0, 2.0, 1.0, 0.0])  # of any sum: their ends lie at 1/4, 1/4, 3/4, 1, 1
    shares = torch.tensor([0.0, 0.2, 0.26, 0.7, 0.75, 0.8, 1 - 2**-24])
    assert at_share(weights.expand(7, 5), shares).tolist() == [3, 3, 2, 2, 0, 0, 0]


def test_one_share_is_enough_for_many_rows() -> None:
    weights = torch.tensor([[[1.0, 1.0], [1.0, 3.0]], [[3.0, 1.0], [1.0, 0.0]]])
    assert at_share(weights, torch.tensor([[0.4, 0.6]])).tolist() == [[1, 1], [0, 0]]


# --- JSON as it comes


@pytest.mark.parametrize("labels", [None, [], ["bïrd", 'fi"sh']])
@pytest.mark.parametrize("blocks", [[], [["a"]], [['"', "\u2028é"], ["\\", ""], ["]}"]]])
def test_json_in_pieces_is_json(blocks: list[list[str]], labels: list[str] | None) -> None:
    told = {"schema": 1, "model": "run}", "n": 3}
    whole = told | {"samples": [line for block in blocks for line in block]}
    whole |= {} if labels is None else {"labels": labels}
    assert "".join(pieces(told, iter(blocks), labels)) == in_json(whole) + "\n"
