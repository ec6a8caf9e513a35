"""A run over two hosts, one of which is cut off and comes back: two network namespaces joined by a cable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from processes import launched
from safetensors.torch import load_file

from textgan import runs
from textgan.config import Config
from textgan.settings import resolve

pytestmark = pytest.mark.slow
STEPS, EVERY = 24, 6
SETTINGS = [f"training.evaluate_every={EVERY}", "training.log_every=1"]
IMPATIENT = "training.patience=0.1"
HOSTS = {"textgan-a": ("va", "10.77.0.1"), "textgan-b": ("vb", "10.77.0.2")}


def ip(*arguments: str, check: bool = True) -> int:
    return subprocess.run(["ip", *arguments], check=check, capture_output=True).returncode


@pytest.fixture
def _network() -> Iterator[None]:
    """Two namespaces with an address each, joined by a pair of devices."""
    if shutil.which("ip") is None or os.geteuid() != 0 or ip("netns", "add", "textgan-a", check=False):
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("netns", "add", "textgan-b")
        ip("link", "add", "va", "netns", "textgan-a", "type", "veth", "peer", "name", "vb", "netns", "textgan-b")
        for host, (device, address) in HOSTS.items():
            ip("-n", host, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", host, "link", "set", "lo", "up")
            ip("-n", host, "link", "set", device, "up")
        yield
    finally:
        for host in HOSTS:
            ip("netns", "del", host, check=False)


def start(host: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start torchrun on a host, in a folder of its own: nothing but the network is shared."""
    device, address = HOSTS[host]
    folder.mkdir(exist_ok=True)
    first = str(host == "textgan-a").lower()
    agent = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "9",
        "--rdzv-backend", "c10d", "--rdzv-endpoint", "10.77.0.1:29511", "--rdzv-id", "test", "--rdzv-conf",
        f"is_host={first}", "--local-addr", address,
    ]  # fmt: skip
    settings = [part for setting in (*SETTINGS, IMPATIENT) for part in ("-s", setting)]
    command = [*agent, "-m", "textgan", "train", "-c", "smoke", "-r", "run", "--steps", str(STEPS), *settings]
    environ = os.environ | {
        "GLOO_SOCKET_IFNAME": device, "TEXTGAN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(runs.__file__).parents[1]),
    }  # fmt: skip
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", host, *command], cwd=folder, env=environ, stdout=log, stderr=log
        )


def wait_for(path: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.1)


def undisturbed(config: Config) -> None:
    runs.train(config, Path("undisturbed"))


@pytest.mark.usefixtures("_network")
def test_a_run_goes_on_when_a_host_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGAN_CACHE", str(tmp_path / "a/cache"))
    torch.set_num_threads(1)

    config = resolve("smoke", overrides=[*SETTINGS, f"training.steps={STEPS}"]).config
    a, b = start("textgan-a", tmp_path / "a"), start("textgan-b", tmp_path / "b")
    try:
        checkpoints = tmp_path / "a/runs/run/checkpoints"
        wait_for(checkpoints / f"step-{EVERY:06d}", 120)
        ip("-n", "textgan-b", "link", "set", "vb", "down")
        time.sleep(15)  # longer than a process is waited for
        ip("-n", "textgan-b", "link", "set", "vb", "up")
        while a.poll() is None:
            if b.poll() is not None:  # its torchrun gave up; whoever looks after the host starts it again
                b = start("textgan-b", tmp_path / "b")
            time.sleep(0.5)
    finally:
        b.terminate()
        a.terminate()
    assert a.wait(10) == 0, (tmp_path / "a/log").read_text()
    assert "cannot be reached" in (tmp_path / "a/log").read_text()
    assert launched(2, lambda: undisturbed(config)) == [0, 0]
    found, expected = (load_file(f"{run}/model/model.safetensors") for run in ("a/runs/run", "undisturbed"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
