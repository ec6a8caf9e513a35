"""A step on several processes is the step on one: for every part that looks at more than one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.processes import together
from tests.sentences import LINES
from textgan.assemble import Parts, build, plan_of
from textgan.ranks import ALONE, Ranks
from textgan.settings import resolve
from textgan.training.distributed import spread
from textgan.training.loop import play_step

TEXT = ["corpus.name=lines.txt", "corpus.processes=1", "text.length=12", "text.cut=line", "training.batch=8"]
SMALL = ["generator.width=6", "generator.latent=8", "critic.width=6", "critic.steps=2"]
NO_PENALTY, R1 = ["game.penalties={}"], "game.penalties={r1=1.0, r2=1.0}"
LABELS = ["corpus.name=labelled.tsv", "corpus.column=text", "corpus.label_column=label"]
DIGITS = ["corpus.name=digits", "corpus.label_column=", "image.side=8", "image.channels=1", "training.batch=8"]

CASES = {
    "counts and a critic": ["smoke", *TEXT, "count_critic.pads=unpaid", "count_critic.counted_first=2"],
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


@pytest.mark.parametrize(("case", "count"), [(case, 2) for case in CASES] + [(case, 4) for case in MANY])
def test_steps_on_several_processes_are_those_on_one(case: str, count: int, tmp_path: Path) -> None:
    parts = parts_of(case)
    shares = together(count, partial(played, parts), tmp_path)
    alone = played(parts, ALONE)
    for share in shares:
        assert share.keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(share[name], value, rtol=1e-10, atol=1e-10, msg=lambda text, n=name: n + text)
    for share in shares[1:]:
        assert all(torch.equal(share[name], shares[0][name]) for name in alone)  # bit for bit


def test_a_state_goes_from_the_first_process_to_all(tmp_path: Path) -> None:
    parts = parts_of("labels")
    first = parts.state.tensors() | {"flags": torch.tensor([True, False]), "none": torch.zeros(0, 3)}

    def share(ranks: Ranks) -> dict[str, Tensor]:
        own = first if ranks.first else {"other": torch.ones(5)}
        return spread(own, ranks)

    for found in together(3, share, tmp_path):
        assert found.keys() == first.keys()
        assert all(torch.equal(found[name], value) for name, value in first.items())
