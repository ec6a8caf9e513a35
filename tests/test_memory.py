"""What a step takes, and what is free, from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from textgan import assemble, memory
from textgan.errors import TextganError
from textgan.nets import IMAGE_CRITICS, IMAGE_GENERATORS
from textgan.settings import resolve
from textgan.spaces import Image

GB = 10**9


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_step_holds_eight_simplices() -> None:
    assert memory.needed(batch=256, length=32, symbols=1000) == 8 * 256 * 32 * 1000 * 4


def test_what_does_not_fit_is_refused_with_the_keys_to_lower() -> None:
    with pytest.raises(TextganError) as error:
        memory.check(batch=512, length=64, symbols=32_002, available=2 * GB)
    assert str(error.value) == (
        "not enough memory: a batch of 512 x text.length 64 x 32,002 symbols take about 33.6 GB, and 2.0 GB are "
        "free; lower training.batch (or critic.batch, if it is larger), text.length or text.max_symbols"
    )


def test_what_fits_or_cannot_be_known_passes() -> None:
    exactly = memory.needed(batch=512, length=64, symbols=32_002)
    memory.check(batch=512, length=64, symbols=32_002, available=exactly)
    memory.check(batch=512, length=64, symbols=32_002, available=None)
    with pytest.raises(TextganError):
        memory.check(batch=512, length=64, symbols=32_002, available=exactly - 1)


def test_nets_of_large_pictures_are_refused_with_the_keys_to_lower() -> None:
    small, large = ("mlp", 512, 64), ("resnet", 64, 32)
    memory.check_pictures(side=256, generator=small, critic=large, available=9 * 32 * 256**2 * 64 * 4)
    memory.check_pictures(side=256, generator=small, critic=large, available=None)
    with pytest.raises(TextganError) as error:
        memory.check_pictures(side=256, generator=small, critic=large, available=4 * GB)
    assert str(error.value) == (
        "not enough memory: resnet of critic.width 64 on a batch of 32 pictures of 256 x 256 takes about 4.8 GB, and "
        "4.0 GB are free; lower training.batch, critic.batch, critic.width or image.side"
    )
    with pytest.raises(TextganError, match=r"^not enough memory: resnet of generator\.width 64 on a batch of 32 "):
        memory.check_pictures(side=256, generator=large, critic=("none", 1, 1), available=GB)


def test_every_net_of_pictures_was_measured() -> None:
    assert memory.HELD_BY_GENERATOR.keys() == IMAGE_GENERATORS.keys()
    assert memory.HELD_BY_CRITIC.keys() == IMAGE_CRITICS.keys() | {"none"}


def test_pictures_are_refused_by_each_nets_own_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve("digits", flags={"training.batch": 2, "critic.batch": 64, "critic.width": 48}).config
    monkeypatch.setattr(memory, "available", lambda: 6_000_000)
    with pytest.raises(TextganError, match=r"resnet of critic\.width 48 on a batch of 64 pictures of 8 x 8"):
        assemble.check_memory(config, Image(8, 1), torch.device("cpu"))


MACHINE = {"proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    9000000 kB\n"}


def test_the_machines_memory(tmp_path: Path) -> None:
    assert memory.available(write(tmp_path, MACHINE)) == 9_000_000 * 1024


@pytest.mark.parametrize(
    ("groups", "left"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max",
          "sys/fs/cgroup/a/b/memory.current": "5", "sys/fs/cgroup/a/memory.max": "4000",
          "sys/fs/cgroup/a/memory.current": "3000",
          "sys/fs/cgroup/a/memory.stat": "anon 1\nfile 900\ninactive_file 700\n"}, 1700),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4000", "sys/fs/cgroup/memory.current": "5000"}, 0),
        ({"proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/x\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "800",
          "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "300", "sys/fs/cgroup/cpu,cpuacct/x/memory.max": "1",
          "sys/fs/cgroup/memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 20\n"}, 520),
        ({"proc/self/cgroup": "0::/gone\n"}, 9_000_000 * 1024),
    ],
    ids=["version 2, the group around has the limit", "over its limit", "version 1", "no files"],
)  # fmt: skip
def test_a_control_groups_limit_counts_where_it_is_lower(tmp_path: Path, groups: dict[str, str], left: int) -> None:
    assert memory.available(write(tmp_path, MACHINE | groups)) == left


def test_this_machine_says_something() -> None:
    free = memory.available()
    assert free is None or free > 0


def test_an_unknown_system_asks_sysconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", {"SC_AVPHYS_PAGES": 7, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert memory.available(tmp_path) == 7 * 4096

    def refuse(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", refuse)
    assert memory.available(tmp_path) is None
