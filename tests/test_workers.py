"""Blocks through other processes: in order, in bounded number, and with a clear end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from textgan.corpora import workers
from textgan.corpora.workers import ALONE, ordered
from textgan.errors import KilledError, TextganError


@dataclass(frozen=True)
class Add:
    more: int

    def __call__(self, item: int) -> tuple[int, int]:
        return item + self.more, os.getpid()


def die(item: int) -> int:
    if item == ALONE:
        os._exit(1)
    return item


def refuse(item: int) -> int:
    if item == ALONE + 1:
        raise TextganError("no")
    return item


def test_results_come_in_order_from_other_processes() -> None:
    found = list(ordered(Add(5), range(40), 2))
    assert [(item, result) for item, (result, _) in found] == [(i, i + 5) for i in range(40)]
    processes = [process for _, (_, process) in found]
    assert set(processes[:ALONE]) == {os.getpid()}
    assert os.getpid() not in processes[ALONE:]


@pytest.mark.parametrize(("count", "processes"), [(0, 2), (ALONE, 2), (40, 1)])
def test_little_work_stays_at_home(count: int, processes: int) -> None:
    assert {process for _, (_, process) in ordered(Add(0), range(count), processes)} <= {os.getpid()}


def test_items_are_read_only_as_they_are_worked_on() -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for item in range(1000):
            read += 1
            yield item

    most = 0
    for done, _ in enumerate(ordered(Add(0), items(), 2), 1):
        most = max(most, read - done)
    assert most <= workers.AHEAD * 2 + 1


def test_a_worker_that_dies_is_one_line() -> None:
    with pytest.raises(KilledError, match="a worker process ended"):
        list(ordered(die, range(40), 2))


def test_an_error_in_a_worker_is_the_callers() -> None:
    with pytest.raises(TextganError, match=r"^no$"):
        list(ordered(refuse, range(40), 2))
