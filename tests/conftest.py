"""What tests share: one thread, a cache of their own, seeded randomness, and a tiny text."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start

import hypothesis
import pytest
import torch

# the same examples in every run, however slow the machine
hypothesis.settings.register_profile("textgan", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("textgan")

WORDS = ["the", "a", "cat", "dog", "runs", "sleeps", "in", "under", "garden", "house", "red", "small", "eats", "now"]


@pytest.fixture(autouse=True, scope="session")
def _one_thread_and_own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    # the background job of a shell ignores SIGINT, and so would every process that a test starts and interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")  # no test asks the real hub
        yield


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    """Nets begin with the same weights, whichever tests ran before in this process."""
    torch.manual_seed(0)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 lines of two to four short words."""
    pick = random.Random(0)
    lines = [" ".join(pick.choice(WORDS) for _ in range(pick.randint(2, 4))) for _ in range(400)]
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
