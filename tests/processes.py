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

Work = Callable[[Ranks], dict[str, Tensor]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def together(count: int, work: Work, folder: Path, *, patience: float = 60) -> list[dict[str, Tensor]]:
    """Do some work in so many processes that have met, and return what each returned."""
    port = str(free_port())
    children = [_fork(rank, count, port, work, patience, folder / f"{rank}.safetensors") for rank in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * count
    return [load_file(folder / f"{rank}.safetensors") for rank in range(count)]


def _fork(rank: int, count: int, port: str, work: Work, patience: float, path: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        with joined(patience) as ranks:
            save_file({name: value.contiguous() for name, value in work(ranks).items()}, path)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
