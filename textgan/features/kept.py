"""Classifiers kept in the cache, so that all runs on the same pictures are measured by the same one.

CACHE/features/KEY/    weights.safetensors; about.json
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from textgan import bounded, files
from textgan.errors import CorruptError
from textgan.features.classifier import RECIPE, TURNS, Classifier, Lesson, learn, parted
from textgan.features.extractor import Extractor, Rows

WEIGHTS, ABOUT = "weights.safetensors", "about.json"
ADVICE = "free some space there, or set TEXTGAN_CACHE to another folder"
BLOCK = 4096  # pictures read at once
EXTRACTED = 500  # pictures looked at together

Tell = Callable[[str], None]


def classifier(
    *, train: Rows, labels: Any | None, classes: int, cache: Path, weights: str, device: torch.device, tell: Tell
) -> Extractor:
    """Return the classifier of these pictures, trained where the cache does not have it.

    Its name holds the first digits of the digest of its weights. A net that learnt the turns gives no probabilities:
    these are of no classes that pictures have.
    """
    lesson = Lesson(train, labels, classes) if labels is not None and classes > 1 else Lesson(train, None, TURNS)
    folder = cache / "features" / f"{lesson.task}-{key(lesson)}"
    with files.writing(folder, ADVICE), _alone(folder, tell):
        net, about = _read(folder, lesson, tell) or _made(folder, lesson, tell)
    net.to(device).eval()
    name = f"{lesson.task}-{files.sha256(folder / WEIGHTS)[:4]}"
    look = net if lesson.labels is not None else lambda rows: (net(rows)[0], None)
    return Extractor(name, look, device, EXTRACTED, about)


def key(lesson: Lesson) -> str:
    """Digest of the recipe, and of the pictures that are used, which may be few of millions, with their labels.

    It settles a net, but for the machine that it is trained on.
    """
    told = hashlib.sha256(json.dumps([RECIPE, lesson.classes, lesson.rows.shape]).encode())
    places = np.concatenate(parted(len(lesson.rows)))
    for start in range(0, len(places), BLOCK):
        told.update(lesson.rows[places[start : start + BLOCK]].tobytes())
    if lesson.labels is not None:
        told.update(lesson.labels[places].astype(np.int64).tobytes())
    return told.hexdigest()[:16]


def _read(folder: Path, lesson: Lesson, tell: Tell) -> tuple[Classifier, dict[str, Any]] | None:
    """The net that is kept; None where there is none, or a damaged one."""
    if not folder.exists():
        return None
    channels, side = lesson.rows.shape[1:3]
    try:
        digests = files.listed(folder)
        about = bounded.parse_json(files.read_checked(folder / ABOUT, digests).decode())
        with torch.random.fork_rng(devices=[]):
            net = Classifier(channels=channels, side=side, classes=lesson.classes)
        size = sum(tensor.nbytes for tensor in net.state_dict().values())
        content = files.read_checked(folder / WEIGHTS, digests, partial(bounded.read_bytes, most=size + bounded.HEADER))
        bounded.check_header(content)
        net.load_state_dict(load(content))
        return net, dict(about)
    except (CorruptError, SafetensorError, RuntimeError, ValueError, TypeError):
        tell(f"{folder} is damaged; the net is trained anew")
        return None


def _made(folder: Path, lesson: Lesson, tell: Tell) -> tuple[Classifier, dict[str, Any]]:
    """Train a net and keep it."""
    learnt = learn(lesson, tell)
    about = {"schema": 1, "task": lesson.task, "accuracy": learnt.accuracy, "learnt_from": learnt.pictures,
             "set_aside": learnt.aside}  # fmt: skip

    def fill(fresh: Path) -> None:
        save_file(learnt.net.state_dict(), fresh / WEIGHTS)
        (fresh / ABOUT).write_text(files.dump_json(about), encoding="utf-8")

    files.write_folder(folder, fill)
    return learnt.net, about


@contextmanager
def _alone(folder: Path, tell: Tell) -> Iterator[None]:
    """Hold a net's place for this process, waiting for another that trains it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with bounded.open_lock(folder.parent / f".{folder.name}.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process is training the net whose features are compared; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
