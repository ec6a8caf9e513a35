"""Tasks side by side on threads, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from threading import Barrier, Lock
from typing import TypeVar

import torch

Result = TypeVar("Result")
BEGINNING = Lock()


def ahead(tasks: Iterator[Callable[[], Result]], count: int) -> Iterator[Result]:
    """Yield what each task returns, in order, while the next ones run, as many at once as torch has threads.

    Rows side by side fill the cores better than one product on all of them; few tasks share the threads. What the
    caller's thread alone has, such as autocast, the tasks do not have.

    Args:
        tasks: each is begun shortly before it is needed.
        count: how many there are.
    """
    threads = torch.get_num_threads()
    together = max(1, min(threads, count))
    with pool_of(together, threads // together) as pool:
        running = deque(pool.submit(task) for task in islice(tasks, 2 * together))
        try:
            while running:
                done = running.popleft().result()
                running.extend(pool.submit(task) for task in islice(tasks, 1))
                yield done
        finally:
            for future in running:
                future.cancel()


@contextmanager
def pool_of(workers: int, threads: int) -> Iterator[ThreadPoolExecutor]:
    """Open a pool whose workers have so many of torch's threads each; the rest of the process keeps its own number."""
    begun = Barrier(workers)

    def begin() -> None:
        torch.get_num_threads()  # takes the process's number, which the first work would otherwise put over this one
        torch.set_num_threads(threads)
        begun.wait()

    with ThreadPoolExecutor(workers, "textgan", begin) as pool:
        with BEGINNING:
            number = torch.get_num_threads()
            wait([pool.submit(int) for _ in range(workers)])
            torch.set_num_threads(number)  # the workers' became that of all threads to come
        yield pool
