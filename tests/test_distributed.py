"""A step on several processes is the step on one: for every part that looks at more than one row."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
import torch
from processes import together
from sentences import LINES
from torch import Tensor
from torch._C._distributed_c10d import HashStore

from textgan import assemble, runs
from textgan.assemble import Parts, build, plan_of
from textgan.cli.main import main
from textgan.errors import ElsewhereError, TextganError, UsageError
from textgan.ranks import ALONE, Ranks, mean, sharing
from textgan.settings import resolve
from textgan.shares import check_shares
from textgan.training import distributed
from textgan.training.distributed import (
    REASONS,
    agreed,
    by_all,
    by_first,
    check_device,
    collected,
    compare,
    joined,
    spread,
)
from textgan.training.loop import play_step

TEXT = ["corpus.name=lines.txt", "corpus.processes=1", "text.length=12", "text.cut=line", "training.batch=8"]
SMALL = ["generator.width=6", "generator.latent=8", "critic.width=6", "critic.steps=2"]
NO_PENALTY, R1 = ["game.penalties={}"], "game.penalties={r1=1.0, r2=1.0}"
LABELS = ["corpus.name=labelled.tsv", "corpus.column=text", "corpus.label_column=label"]
DIGITS = ["corpus.name=digits", "corpus.label_column=", "image.side=8", "image.channels=1", "training.batch=8"]

CASES = {
    "counts and a critic": ["smoke", *TEXT, *SMALL, "count_critic.pads=unpaid", "count_critic.counted_first=2"],
    "fewer judged than made": ["smoke", *TEXT, *SMALL, "critic.judged=4"],
    "a larger critic batch": ["smoke", *TEXT, *SMALL, "critic.batch=16", "game.objective=relativistic"],
    "labels": ["smoke", *TEXT, *LABELS, "game.condition=projection"],
    "a classifier": ["smoke", *TEXT, *LABELS, "game.condition=auxiliary"],
    "batch norm": ["wgan_gp", *TEXT, *SMALL, "generator.norm=batch", "generator.blocks=1", "critic.blocks=1"],
    "virtual batch norm": ["smoke", *TEXT, *SMALL, "generator.norm=virtual_batch"],
    "minibatch discrimination": ["smoke", *TEXT, *SMALL, "critic.minibatch=discrimination", R1],
    "minibatch deviation": ["smoke", *TEXT, *SMALL, "critic.minibatch=stddev", R1],
    "feature matching": ["smoke", *TEXT, *SMALL, "feature_matching.weight=1", "critic.minibatch=stddev", R1],
    "an equality": ["smoke", *TEXT, *SMALL, "game.penalties={sobolev=0.1}", "game.real_smoothing=[0.2, 0.1]"],
    "dropout": ["smoke", *TEXT, *SMALL, "critic.dropout=0.3", "game.penalties={consistency=2.0}"],
    "power iterations": ["smoke", *TEXT, *SMALL, *NO_PENALTY, "game.constraint=spectral_norm"],
    "its own slope": ["smoke", *TEXT, *SMALL, *NO_PENALTY, "game.constraint=gradient_normalisation"],
    "an adversarial direction": ["smoke", *TEXT, *SMALL, "game.penalties={adversarial_lipschitz=1.0, r1=1.0}"],
    "windows": ["smoke", *TEXT, *SMALL, "window_likelihood.weight=1", "window_likelihood.real=5"],
    "rewards": ["smoke", *TEXT, *SMALL, "generator.net=recurrent", "generator.relaxation=reinforce"],
    "likelihood of lines that end": ["baseline_lm", *TEXT, "generator.width=6"],
    "gumbel and history": [
        "smoke", *TEXT, *SMALL, "generator.relaxation=gumbel_softmax", "game.historical_averaging=0.1",
    ],
    "pictures": ["digits", *DIGITS, "generator.width=4", "critic.width=4", "generator.norm=batch"],
    "pictures by label": [
        "digits", *DIGITS, "corpus.label_column=label", "generator.width=4", "critic.width=4",
    ],
    "few labels": ["semi_supervised", *DIGITS, "generator.width=4", "critic.width=4", "corpus.labels_per_class=2"],
}  # fmt: skip
STEPS = 2


@pytest.fixture(scope="module", autouse=True)
def _double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compute in float64, on texts of a folder of their own."""
    folder = tmp_path_factory.mktemp("distributed")
    short = "".join(f"{line[: 3 + i % 8]}{i}\n" for i, line in enumerate(LINES))
    (folder / "lines.txt").write_text(short, encoding="utf-8")
    (folder / "labelled.tsv").write_text(
        "text\tlabel\n" + "".join(f"{line}\t{'ab'[len(line) % 2]}\n" for line in LINES), encoding="utf-8"
    )
    torch.set_default_dtype(torch.float64)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("TEXTGAN_CACHE", str(folder / "cache"))
        yield
    torch.set_default_dtype(torch.float32)


def parts_of(case: str) -> Parts:
    preset, *overrides = CASES[case]
    if "digits" in preset or "digits" in "".join(overrides):
        pytest.importorskip("sklearn")
    return build(resolve(preset, overrides=overrides).config)


def played(parts: Parts, ranks: Ranks) -> dict[str, Tensor]:
    """Losses of each step, and the state after the last."""
    plan, found = replace(plan_of(parts.config, parts.device), ranks=ranks), dict[str, Tensor]()
    for _ in range(STEPS):
        losses = play_step(parts.state, plan, parts.source, parts.game, parts.relaxation)
        parts.state.step += 1
        for who, numbers in losses.items():
            found |= {f"{parts.state.step} {who} {name}": torch.tensor(value) for name, value in numbers.items()}
    return found | parts.state.tensors()


MANY = ["counts and a critic", "batch norm", "minibatch discrimination", "windows"]
FIRST = {
    ("counts and a critic", 2), ("a larger critic batch", 2), ("labels", 2), ("batch norm", 2), ("rewards", 2),
    ("minibatch discrimination", 4), ("power iterations", 2), ("few labels", 2),
}  # fmt: skip
"""What the fast tests look at."""


@pytest.mark.parametrize(
    ("case", "count"),
    [
        pytest.param(case, count, marks=[] if (case, count) in FIRST else pytest.mark.slow)
        for count, cases in ((2, CASES), (4, MANY))
        for case in cases
    ],
)
def test_steps_on_several_processes_are_those_on_one(case: str, count: int, tmp_path: Path) -> None:
    parts = parts_of(case)
    shares = together(count, partial(played, parts), tmp_path)
    alone = played(parts, ALONE)
    for share in shares:
        assert share.keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(share[name], value, rtol=1e-10, atol=1e-10, msg=name)
    for share in shares[1:]:
        assert all(torch.equal(share[name], shares[0][name]) for name in alone)  # bit for bit


def test_a_mean_has_the_same_bits_in_all_and_the_derivative_of_its_own_rows(tmp_path: Path) -> None:
    values = torch.randn(2, 100, dtype=torch.float32)

    def means(ranks: Ranks) -> dict[str, Tensor]:
        own = values[ranks.rank].clone().requires_grad_(True)
        with sharing(ranks):
            found = mean(own)
        (derivative,) = torch.autograd.grad(found.square().sum(), own)
        return {"mean": found.detach(), "derivative": derivative}

    for share in together(2, means, tmp_path):
        assert torch.equal(share["mean"], values.sum(0) / 2)
        assert torch.equal(share["derivative"], 2 * share["mean"])


def test_a_state_goes_from_the_first_process_to_all(tmp_path: Path) -> None:
    parts = parts_of("labels")
    first = parts.state.tensors() | {"flags": torch.tensor([True, False]), "none": torch.zeros(0, 3)}

    def share(ranks: Ranks) -> dict[str, Tensor]:
        own = first if ranks.first else {"other": torch.ones(5)}
        return spread(own, ranks)

    for found in together(3, share, tmp_path):
        assert found.keys() == first.keys()
        assert all(torch.equal(found[name], value) for name, value in first.items())


def test_one_that_is_slow_is_waited_for_once_all_are_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "CONNECTING", datetime.timedelta(seconds=0.5))

    def slow(ranks: Ranks) -> dict[str, Tensor]:
        time.sleep(ranks.rank)
        return {"reason": torch.tensor(REASONS.index(agreed("minutes", ranks)))}

    assert len(together(2, slow, tmp_path)) == 2


def test_words_of_processes_that_have_ended_are_not_taken_for_there() -> None:
    """A store that served an attempt before, as torchrun's does."""
    store, patience = HashStore(), datetime.timedelta(seconds=10)

    def attempt(late: float) -> list[bool]:
        def meet(rank: int) -> bool:
            time.sleep(late * rank)
            own = distributed._of_these(store, rank, 3, patience)
            assert late == 0 or time.monotonic() - began > 2 * late  # the last is there
            fresh = not any(own.check([f"address {other}"]) for other in range(3))
            barrier.wait(10)
            own.set(f"address {rank}", "")
            barrier.wait(10)
            return fresh and own.check([f"address {other}" for other in range(3)])

        began, barrier = time.monotonic(), Barrier(3)
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(meet, range(3)))

    assert attempt(0) == attempt(0.1) == [True] * 3


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "hangs"])
def test_a_process_that_is_lost_is_told_in_one_line(ends: bool, tmp_path: Path) -> None:
    def lost(ranks: Ranks) -> dict[str, Tensor]:
        if not ranks.first:
            os._exit(0) if ends else time.sleep(3)
        with pytest.raises(TextganError, match=r"^another process"), distributed._reachable():
            agreed(None, ranks)
        os._exit(0)

    with pytest.raises(FileNotFoundError):  # no one returned
        together(2, lost, tmp_path, patience=1)


def test_an_error_in_one_process_ends_the_others_with_its_code(tmp_path: Path) -> None:
    def fails(who: int) -> Callable[[], None]:
        def function() -> None:
            if int(os.environ["RANK"]) == who:
                raise UsageError("here")

        return function

    def codes(ranks: Ranks) -> dict[str, Tensor]:
        found = {}
        for name, who, shared in (("first", 0, by_first), ("first of all", 0, by_all), ("second of all", 1, by_all)):
            try:
                shared(ranks, fails(who))
            except TextganError as error:
                found[name] = torch.tensor([error.exit_code, isinstance(error, ElsewhereError)])
        return found

    first, second = together(2, codes, tmp_path)
    assert {name: value.tolist() for name, value in first.items()} == {
        "first": [2, 0], "first of all": [2, 0], "second of all": [2, 1]
    }  # fmt: skip
    assert {name: value.tolist() for name, value in second.items()} == {
        "first": [2, 1], "first of all": [2, 1], "second of all": [2, 0]
    }  # fmt: skip


def test_processes_agree_on_the_strongest_reason_to_stop(tmp_path: Path) -> None:
    pairs = [(None, None), (None, "SIGTERM"), ("SIGINT", None), ("minutes", "SIGINT"), ("finished", "SIGTERM")]

    def reasons(ranks: Ranks) -> dict[str, Tensor]:
        told = [agreed(pair[ranks.rank], ranks) for pair in pairs]
        return {"told": torch.tensor([REASONS.index(reason) for reason in told])}

    for share in together(2, reasons, tmp_path):
        told = [REASONS[i] for i in share["told"].tolist()]
        assert told == [None, "SIGTERM", "SIGINT", "SIGINT", "finished"]


def test_rows_of_all_are_collected_in_the_first(tmp_path: Path) -> None:
    def rows(ranks: Ranks) -> dict[str, Tensor]:
        own = torch.full((2 - ranks.rank, 3), ranks.rank) if ranks.rank < 2 else torch.empty(0)
        return {"rows": collected(own, ranks)}

    assert together(3, rows, tmp_path)[0]["rows"][:, 0].tolist() == [0, 0, 1]


def test_weights_that_differ_are_found_and_told(tmp_path: Path) -> None:
    def differ(ranks: Ranks) -> dict[str, Tensor]:
        weights = {"a": torch.zeros(3), "b": torch.ones(2, 2)}
        compare(weights, 7, ranks)
        weights["b"][1, 1] += 1e-12 * (ranks.rank == 2)
        with pytest.raises(TextganError, match="step 7: the weights of process 2 are no longer those of process 0"):
            compare(weights, 7, ranks)
        return {"told": torch.ones(1)}

    assert len(together(3, differ, tmp_path)) == 3


@pytest.mark.parametrize("n", [1, 256, 300, 700])
def test_shares_of_generated_rows_are_the_rows_of_one(n: int) -> None:
    model = assemble.model_of(parts_of("labels"), None)
    whole = model.rows(n, seed=3)
    assert model.space.decode(whole.numpy()) == model.generate(n, seed=3)
    shares = [model.rows(n, seed=3, share=Ranks(rank, 3)) for rank in range(3)]
    assert torch.equal(torch.cat([share for share in shares if len(share)]), whole)
    assert len(shares[0])


@pytest.mark.parametrize(
    ("count", "settings", "told"),
    [
        (3, [], "training.batch: 16 samples cannot be split evenly over 3 processes"),
        (4, ["critic.batch=6"], "critic.batch: 6 samples"),
        (4, ["critic.judged=2"], "critic.judged: 2 samples"),
        (2, ["training.graphs=true"], "training.graphs: no CUDA graphs"),
    ],
)
def test_what_processes_cannot_share_is_refused(count: int, settings: list[str], told: str) -> None:
    config = resolve("smoke", overrides=settings).config
    check_shares(config, ALONE)
    with pytest.raises(UsageError, match=told):
        check_shares(config, Ranks(0, count))


PLACE = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORLD_SIZE", "two", "WORLD_SIZE='two'"),
        ("WORLD_SIZE", "0", "WORLD_SIZE='0'"),
        ("RANK", None, "RANK='missing'"),
        ("RANK", "-1", "RANK='-1'"),
        ("RANK", "2", "RANK=2, WORLD_SIZE=2"),
        ("LOCAL_RANK", "x", "LOCAL_RANK='x'"),
        ("MASTER_ADDR", None, "MASTER_ADDR is missing"),
        ("MASTER_PORT", None, "MASTER_PORT='missing'"),
        ("MASTER_PORT", "65536", "MASTER_PORT='65536'"),
    ],
)
def test_what_torchrun_does_not_say_is_refused_in_one_line(
    name: str, value: str | None, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each, usual in PLACE.items():
        monkeypatch.setenv(each, usual)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert main(["train", "-c", "smoke", "-r", "./refused"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f" {told}: not what torchrun tells" in line
    assert not Path("refused").exists()


def test_one_process_needs_no_place_and_is_never_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (PLACE | {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    with joined(1) as ranks:
        assert ranks == ALONE
    assert main(["train", "--step", "x"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_of_several_processes_only_training_is_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (PLACE | {"RANK": "1"}).items():
        monkeypatch.setenv(name, value)
    for command in ("generate", "report", "sweep"):
        assert main([command]) == 2
        assert f"{command} is the work of one process" in capsys.readouterr().err
    assert main(["train", "-c", "smoke", "--corpus", "lines.txt", "--dry-run", "--json"]) == 0
    assert capsys.readouterr().out == ""  # the first says it


def test_a_run_that_may_be_started_anew_needs_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    with pytest.raises(UsageError, match="name it with -r"):
        runs.train(resolve("smoke", overrides=["corpus.name=lines.txt"]).config)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("device", "gpus", "told"),
    [
        ("cpu", 0, None),
        ("cuda", 2, None),
        ("cuda", 1, "2 processes have 1 GPUs here"),
        ("cuda:1", 2, "training.device: cuda:1 cannot be had by several processes"),
        ("mps", 0, "training.device: mps"),
    ],
)
def test_each_process_has_a_device_of_its_own(
    device: str, gpus: int, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    check_device(torch.device(device), ALONE)
    if told is None:
        check_device(torch.device(device), Ranks(0, 2))
    else:
        with pytest.raises(UsageError, match=told):
            check_device(torch.device(device), Ranks(0, 2))
