"""A pure function over a stream of blocks, in order, by several processes where there are many blocks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

from textgan.errors import KilledError

ALONE = 32  # blocks done before other processes are worth their start
AHEAD = 4  # blocks in flight for each process: memory stays bounded, and none of them waits

Item = TypeVar("Item")
Result = TypeVar("Result")
_job: Callable[[Any], Any]


def available() -> int:
    """Return how many processes suit this machine: its cores, at most 16."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def ordered(job: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[tuple[Item, Result]]:
    """Yield every item with what `job` makes of it, in the order of the items.

    Args:
        job: pure and picklable; it is sent to each process once.
        items: read only as fast as they are worked on, so that memory stays bounded.
        workers: processes; the first few items, and all with one worker, are done in this one.

    Raises:
        KilledError: a worker process ended before its work.
    """
    items = iter(items)
    for item in islice(items, ALONE if workers > 1 else None):
        yield item, job(item)
    first = next(items, None)
    if first is None:
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, _start, (job, os.getpid())) as pool:
        try:
            yield from _drive(pool, first, items, AHEAD * workers)
        except BrokenProcessPool:
            raise KilledError(
                "a worker process ended before its work; give it more memory, or set corpus.processes=1 "
                "(a script must call textgan under: if __name__ == '__main__')"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _drive(pool: ProcessPoolExecutor, first: Item, items: Iterator[Item], ahead: int) -> Iterator[tuple[Item, Any]]:
    waiting: deque[tuple[Item, Future[Any]]] = deque()
    for item in chain([first], items):
        with _deaf():
            waiting.append((item, pool.submit(_run, item)))
        if len(waiting) > ahead:
            done, future = waiting.popleft()
            yield done, future.result()
    while waiting:
        done, future = waiting.popleft()
        yield done, future.result()


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that never hear Ctrl-C, not even while they start: it is for the parent to handle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which they inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(job: Callable[[Any], Any], parent: int) -> None:
    """Set up a worker: its job, and gone when the parent is."""
    global _job
    _job = job
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run(item: Any) -> Any:
    return _job(item)
