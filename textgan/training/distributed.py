"""Several processes in one run, as torchrun starts them: they meet, agree, and hear from the first."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from textgan.errors import ElsewhereError, TextganError, UsageError
from textgan.ranks import ALONE, Ranks

REASONS = (None, "minutes", "SIGINT", "SIGTERM", "finished")
"""Why a run stops; of several processes' reasons the last in this order is all of theirs."""
CONNECTING = datetime.timedelta(seconds=30)  # of processes that are all there
POLL = 0.02  # of the first, for the others. [s]
LOST = "another process of this run ended or cannot be reached; add --resume to go on from the last checkpoint"
Result = TypeVar("Result")


@contextmanager
def joined(patience: float) -> Iterator[Ranks]:
    """Meet the other processes of a run, as RANK, WORLD_SIZE and MASTER_ADDR say; without them a process is alone.

    Where there are GPUs each takes that of its LOCAL_RANK. What is said in words and counted goes by gloo over the CPU.

    Args:
        patience: how long to wait for the others, at every exchange. [s]

    Raises:
        UsageError: the environment does not say which process this is.
        TextganError: the others cannot be reached, or are lost.
    """
    if _of_environment("WORLD_SIZE", "1", least=1) == 1:
        yield ALONE
        return
    _check_environment()
    with _reachable():
        _meet(_backend(), datetime.timedelta(seconds=patience))
        try:
            yield Ranks(distributed.get_rank(), distributed.get_world_size())
        finally:
            distributed.destroy_process_group()


def _meet(backend: str, patience: datetime.timedelta) -> None:
    """Wait for all processes, and connect them.

    Among busy processes gloo's connections sometimes never come up: it then fails soon, for torchrun to start anew.

    Raises:
        RuntimeError: they do not connect.
    """
    whole, rank, count = next(rendezvous("env://", timeout=patience))
    store = _of_these(whole, rank, count, patience)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=CONNECTING)
    distributed.all_reduce(torch.zeros(()))
    assert distributed.group.WORLD is not None
    distributed.group.WORLD.set_timeout(patience)


def _of_these(store: Store, rank: int, count: int, patience: datetime.timedelta) -> Store:
    """Wait for all processes, and return what of a store is theirs alone.

    torchrun keeps one store however often it starts processes anew: what lies there may be of some that have ended. So
    each leaves a word that no other ever has, the first answers each with its own, and that is what is taken for there.

    Raises:
        RuntimeError, TextganError: they are not all there in time.
    """
    word, end = uuid.uuid4().hex, time.monotonic() + patience.total_seconds()
    store.set(f"word {rank}", word)
    if rank:
        store.wait([word], patience)
        word = store.get(word).decode()
        store.set(f"{word} {rank}", "")
    there = [f"{word} {other}" for other in range(1, count)]
    while rank == 0 and not store.check(there):
        for other in range(1, count):
            if store.check([f"word {other}"]):
                store.set(store.get(f"word {other}").decode(), word)
        if time.monotonic() > end:
            raise TextganError(LOST)
        time.sleep(POLL)
    store.wait(there, patience)
    return PrefixStore(word, store)


def _check_environment() -> None:
    rank, count = _of_environment("RANK"), _of_environment("WORLD_SIZE")
    if rank >= count:
        raise _unclear(f"RANK={rank}, WORLD_SIZE={count}")
    if "MASTER_ADDR" not in os.environ:
        raise _unclear("MASTER_ADDR is missing")
    _of_environment("MASTER_PORT")
    local_rank()


def _of_environment(name: str, default: str = "missing", *, least: int = 0) -> int:
    """Return a number that torchrun sets."""
    told = os.environ.get(name, default)
    if not (re.fullmatch("[0-9]{1,5}", told) and least <= int(told) < 1 << 16):
        raise _unclear(f"{name}={told!r}")
    return int(told)


def _unclear(told: str) -> UsageError:
    return UsageError(f"{told}: not what torchrun tells the processes of a run; use torchrun, or unset WORLD_SIZE")


def _backend() -> str:
    if not torch.cuda.is_available():
        return "gloo"
    if local_rank() < torch.cuda.device_count():
        torch.cuda.set_device(local_rank())
    return "cpu:gloo,cuda:nccl"


def check_device(device: torch.device, ranks: Ranks) -> None:
    """Refuse a device that this process cannot have for itself, or by which processes cannot meet.

    Raises:
        UsageError: in every process of a machine that has fewer GPUs than processes, and of all where it is no GPU.
    """
    if ranks.count == 1 or device.type == "cpu":
        return
    if device.type != "cuda" or device.index is not None:
        raise UsageError(f"training.device: {device} cannot be had by several processes; use cuda, a GPU each, or cpu")
    gpus, here = torch.cuda.device_count(), _of_environment("LOCAL_WORLD_SIZE", str(local_rank() + 1))
    if here > gpus:
        raise UsageError(f"{here} processes have {gpus} GPUs here; start {gpus} a machine (--nproc-per-node)")


def local_rank() -> int:
    """Return which process of its machine this is."""
    return _of_environment("LOCAL_RANK", "0")


def restarts() -> int:
    """Return how often torchrun may start this process anew."""
    return _of_environment("TORCHELASTIC_MAX_RESTARTS", "0")


def restarted() -> bool:
    """Return whether torchrun started this process anew after another was lost."""
    return _of_environment("TORCHELASTIC_RESTART_COUNT", "0") > 0


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn a failure of the exchange, however it is told, into one line.

    Raises:
        TextganError: in its place.
    """
    try:
        yield
    except distributed.DistError as error:
        raise TextganError(LOST) from error
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        raise TextganError(LOST) from error


def agreed(reason: str | None, ranks: Ranks) -> str | None:
    """Return the one reason to stop of all processes, None where no one has any."""
    if ranks.count == 1:
        return reason
    code = torch.tensor(REASONS.index(reason))
    distributed.all_reduce(code, distributed.ReduceOp.MAX)
    return REASONS[int(code)]


def by_first(ranks: Ranks, function: Callable[[], Result]) -> Result:
    """Let the first process call a function, and return what it returned, which JSON can hold, in all of them.

    Raises:
        ElsewhereError: it raised an error there, where it is told.
    """
    if ranks.count == 1:
        return function()
    if not ranks.first:
        told: dict[str, Any] = json.loads(_broadcast(b""))
        if "error" in told:
            raise ElsewhereError(told["error"], told["exit_code"])
        return told["value"]  # type: ignore[no-any-return]
    try:
        value = function()
    except TextganError as error:
        _broadcast(json.dumps({"error": str(error), "exit_code": error.exit_code}).encode())
        raise
    _broadcast(json.dumps({"value": value}).encode())
    return value


def by_all(ranks: Ranks, function: Callable[[], Result]) -> Result:
    """Call a function in every process, and go on only if none of them failed.

    Raises:
        ElsewhereError: it raised an error in another process, where it is told.
    """
    if ranks.count == 1:
        return function()
    value, failure = None, None
    try:
        value = function()
    except TextganError as error:
        failure = error
    code = torch.tensor(failure.exit_code if failure else 0)
    distributed.all_reduce(code, distributed.ReduceOp.MAX)
    if failure is not None:
        raise failure
    if int(code) > 0:
        raise ElsewhereError("another process of this run could not go on", int(code))
    return value  # type: ignore[return-value]


def in_turns(ranks: Ranks, function: Callable[[], Result]) -> Result:
    """Call a function in the first process of each machine, and then in the others, which find what it left there."""
    if ranks.count == 1:
        return function()
    early = by_all(ranks, function if local_rank() == 0 else lambda: None)
    late = by_all(ranks, (lambda: None) if local_rank() == 0 else function)
    return early if local_rank() == 0 else late  # type: ignore[return-value]


def spread(tensors: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """Return the first process's tensors, on the CPU, in all processes."""
    if ranks.count == 1:
        return dict(tensors)
    described = [(name, str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in tensors.items()]
    found = {}
    for name, kind, shape in json.loads(_broadcast(json.dumps(described).encode() if ranks.first else b"")):
        whole = tensors[name].cpu().contiguous() if ranks.first else torch.empty(shape, dtype=getattr(torch, kind))
        if whole.numel():
            distributed.broadcast(whole.view(-1).view(torch.uint8), 0)
        found[name] = whole
    return found


def collected(part: Tensor, ranks: Ranks) -> Tensor:
    """Return the rows (row, ...) of all processes, one after the other, in the first; in others their own.

    Args:
        part: a process's rows, on the CPU; the first process has some.
        ranks: the processes.
    """
    if ranks.count == 1:
        return part
    sizes = [torch.zeros((), dtype=torch.int64) for _ in range(ranks.count)]
    distributed.all_gather(sizes, torch.tensor(len(part)))
    if not ranks.first:
        if len(part):
            distributed.send(part.contiguous(), 0)
        return part
    others = [(rank, part.new_empty((int(size), *part.shape[1:]))) for rank, size in enumerate(sizes) if rank and size]
    for rank, rows in others:
        distributed.recv(rows, rank)
    return torch.cat([part, *(rows for _, rows in others)])


def compare(tensors: Mapping[str, Tensor], step: int, ranks: Ranks) -> None:
    """Compare all processes' tensors, bit by bit, by their digests.

    Raises:
        TextganError: some process has others.
    """
    if ranks.count == 1:
        return
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().tobytes())
    own = torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)
    digests = [torch.empty_like(own) for _ in range(ranks.count)]
    distributed.all_gather(digests, own)
    other = [rank for rank, found in enumerate(digests) if not torch.equal(found, digests[0])]
    if other:
        raise TextganError(
            f"step {step}: the weights of process {other[0]} are no longer those of process 0; nothing was saved; "
            "use machines of one kind and one version of torch, and go on from the last checkpoint with --resume"
        )


def _broadcast(content: bytes) -> bytes:
    """Return the first process's bytes in all; the others give none."""
    size = torch.tensor(len(content))
    distributed.broadcast(size, 0)
    whole = torch.frombuffer(bytearray(content or int(size)), dtype=torch.uint8)
    distributed.broadcast(whole, 0)
    return whole.numpy().tobytes()
