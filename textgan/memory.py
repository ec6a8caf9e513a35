"""How much memory a step takes, known before any is taken: the simplex of a large vocabulary is what fills it, or what
nets make of large pictures.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from textgan.errors import TextganError

HELD = 8  # tensors (batch, position, symbol) that a step holds: 6.2 to 6.7 measured, at 8,000 and 32,000 symbols
BYTES = 4  # of a float32
HELD_BY_GENERATOR = {"resnet": 16, "resnet_growing": 18, "resnet101": 32, "dcgan": 2, "dcgan_constant": 2, "mlp": 0}
HELD_BY_CRITIC = {"resnet": 9, "resnet_growing": 23, "resnet101": 60, "dcgan": 2.5, "none": 0}
"""Tensors (batch, y, x, width) at full size that a step of each net of pictures holds, measured at 64 x 64 from 8 to 32
pictures, with batch norm in the generator and a penalty on the critic's slope."""

FILES = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
"""Where a control group of version 2, and of version 1, says its limit and what it uses."""


def needed(*, batch: int, length: int, symbols: int) -> int:
    """Return the bytes that a training step holds of samples (batch, position, symbol), at their highest."""
    return HELD * batch * length * symbols * BYTES


def check(*, batch: int, length: int, symbols: int, available: int | None) -> None:
    """Refuse a run that would not fit, before anything of it is allocated.

    Args:
        batch: the larger of the two nets' batches. [samples]
        length: of a sample. [symbols]
        symbols: number of ids V.
        available: free memory of the device [bytes], or None where nobody knows.

    Raises:
        TextganError: it needs more; the line names the keys to lower.
    """
    batches = f"a batch of {batch:,} x text.length {length:,} x {symbols:,} symbols take"
    lower = "training.batch (or critic.batch, if it is larger), text.length or text.max_symbols"
    _refuse(needed(batch=batch, length=length, symbols=symbols), available, batches, lower)


def check_pictures(
    *, side: int, generator: tuple[str, int, int], critic: tuple[str, int, int], available: int | None
) -> None:
    """The same of pictures, whose nets hold far more than the pictures themselves.

    Args:
        side: of a picture. [pixels]
        generator: its net, width and batch.
        critic: the same of the critic.
        available: free memory of the device [bytes], or None where nobody knows.

    Raises:
        TextganError: it needs more; the line names the keys to lower.
    """
    for key, (net, width, batch), held in (
        ("generator", generator, HELD_BY_GENERATOR),
        ("critic", critic, HELD_BY_CRITIC),
    ):
        takes = int(held[net] * batch * side**2 * width * BYTES)
        batches = f"{net} of {key}.width {width:,} on a batch of {batch:,} pictures of {side} x {side} takes"
        _refuse(takes, available, batches, f"training.batch, critic.batch, {key}.width or image.side")


def _refuse(takes: int, available: int | None, what: str, lower: str) -> None:
    if available is not None and takes > available:
        raise TextganError(
            f"not enough memory: {what} about {_gigabytes(takes)}, and {_gigabytes(available)} are free; lower {lower}"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def available(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still take: the machine's, or fewer where its control group has a limit.

    Args:
        root: where the files of the kernel stand; another in tests.
    """
    found = [_of_machine(root), *_of_groups(root)]
    return min((size for size in found if size is not None), default=None)


def _of_machine(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # macOS and Windows do not say
        return None


def _of_groups(root: Path) -> list[int]:
    """What is left in each control group of this process and in the groups around it, of both versions."""
    found = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in FILES:
            continue
        base = root / "sys/fs/cgroup" / controllers
        limit, used = FILES[controllers]
        group = PurePosixPath(path)
        for folder in (base / str(parent).lstrip("/") for parent in (group, *group.parents)):
            bounds = _read(folder / limit).strip(), _read(folder / used).strip()
            if all(bound.isdecimal() for bound in bounds):  # no limit is "max"
                found.append(max(0, int(bounds[0]) - int(bounds[1]) + _cache(folder)))
    return found


def _cache(folder: Path) -> int:
    """Bytes of files that a group holds in memory and gives back when it needs them."""
    values = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines() if " " in line)
    return int(values.get("total_inactive_file", values.get("inactive_file", 0)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
