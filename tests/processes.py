"""Several processes of one run, forked from the test's own, so that torch is imported once."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from textgan.ranks import Ranks
from textgan.training.distributed import joined


def together(
    count: int, work: Callable[[Ranks], dict[str, Tensor]], folder: Path, *, patience: float = 60
) -> list[dict[str, Tensor]]:
    """Do some work in so many processes that have met, and return what each returned."""

    def share() -> None:
        with joined(patience) as ranks:
            found = work(ranks)
            save_file({name: value.contiguous() for name, value in found.items()}, folder / f"{ranks.rank}.safetensors")

    assert launched(count, share) == [0] * count
    return [load_file(folder / f"{rank}.safetensors") for rank in range(count)]


def launched(count: int, work: Callable[[], None]) -> list[int]:
    """Do some work in so many processes, each told which it is as torchrun does; return their exit codes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    children = [_fork(rank, count, port, work) for rank in range(count)]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _fork(rank: int, count: int, port: str, work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        work()
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
