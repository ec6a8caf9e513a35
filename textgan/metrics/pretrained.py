"""A language model of Hugging Face as a sentence encoder: the mean of its last hidden states."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textgan.errors import TextganError, UsageError

BATCH = 64  # lines at once
LONGEST = 512  # tokens of a line at most; fewer where the model takes fewer
PATIENCE = 3.0  # for the hub to answer [s]
FILES = ("config.json", "model.safetensors", "tokenizer.json")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
TRUE = {"1", "ON", "YES", "TRUE"}
SILENT = 60  # above every level of logging

Floats = npt.NDArray[np.float64]


def pretrained(name: str) -> Callable[[Sequence[str]], Floats]:
    """Return an encoder: the mean over a line's tokens of the model's last hidden states, on the CPU in float32.

    What else a folder of sentence-transformers may hold (another pooling, a dense layer, normalisation) is not applied.
    Weights are read as safetensors only, and no code that comes with a model is run.

    Args:
        name: a folder with config.json, model.safetensors and tokenizer.json, or a model on the Hugging Face hub, which
            is asked for what the library's own cache lacks, unless HF_HUB_OFFLINE is set.

    Returns:
        Lines to vectors, (line, dimension); a line without tokens is at 0.

    Raises:
        UsageError: the name is that of no folder, and none that the hub could have.
        TextganError: the package transformers is missing, the model is neither here nor on the hub, or is no encoder.
    """
    where = _where(name)
    with _in_one_line(name):
        tokenizer, model = _loaded(where)
        longest = min(LONGEST, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", LONGEST))

    def encode(lines: Sequence[str]) -> Floats:
        with _in_one_line(name):
            return _means(tokenizer, model, lines, longest)

    return encode


def _where(name: str) -> str:
    """The folder or the name on the hub, checked as far as can be without a look at the hub."""
    folder = Path(name)
    if name and folder.is_dir():
        missing = [file for file in FILES if not (folder / file).exists() and not _elsewhere(folder, file)]
        if missing:
            raise TextganError(f"{name} is no encoder: {', '.join(missing)} is missing there")
        return str(folder)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", name):
        raise UsageError(f"there is no encoder {name!r}; write lsa, a folder, or a model on the hub as OWNER/NAME")
    return name


def _elsewhere(folder: Path, file: str) -> bool:
    """Weights in several parts, or a tokenizer that is kept as its vocabulary."""
    return {"model.safetensors": "model.safetensors.index.json", "tokenizer.json": "vocab.txt"}.get(file, "") in {
        path.name for path in folder.iterdir()
    }


def _loaded(where: str) -> tuple[Any, Any]:
    """The tokenizer and the model, from the cache where it is there."""
    import transformers

    _silence(transformers)
    try:
        return _read(transformers, where, here=True)
    except OSError:
        if Path(where).is_dir() or _offline():
            raise
        _ask(where)
        return _read(transformers, where, here=False)


def _ask(name: str) -> None:
    """Raise OSError unless the hub has the model: at once, where loading would try again for a minute."""
    import huggingface_hub

    try:
        huggingface_hub.HfApi().model_info(name, timeout=PATIENCE)
    except Exception as error:
        raise OSError(str(error)) from None


def _read(transformers: Any, where: str, *, here: bool) -> tuple[Any, Any]:
    safe = {"local_files_only": here, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(where, **safe)
    model = transformers.AutoModel.from_pretrained(where, use_safetensors=True, dtype="float32", **safe)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer, model.eval().requires_grad_(False)


def _means(tokenizer: Any, model: Any, lines: Sequence[str], longest: int) -> Floats:
    """Mean of the last hidden states over the tokens of each line, (line, dimension)."""
    order = sorted(range(len(lines)), key=lambda place: len(lines[place]))  # batches of like length waste no pads
    found = np.zeros((len(lines), model.config.hidden_size))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        told = tokenizer(
            [lines[place] for place in places], truncation=True, max_length=longest, return_tensors="pt",
            padding=True,
        )  # fmt: skip
        held = told["attention_mask"][:, :, None]
        if not held.numel():  # no line has a token
            continue
        states = model(**told).last_hidden_state
        found[places] = ((states * held).sum(1) / held.sum(1).clamp(min=1)).double().numpy()
    return found


def _offline() -> bool:
    return any(os.environ.get(name, "").upper() in TRUE for name in OFFLINE)


def _silence(transformers: Any) -> None:
    """The warnings and bars of the libraries would be mixed with what textgan says."""
    import huggingface_hub

    transformers.utils.logging.set_verbosity(SILENT)
    transformers.utils.logging.disable_progress_bar()
    huggingface_hub.utils.logging.set_verbosity(SILENT)
    huggingface_hub.utils.disable_progress_bars()


@contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Turn whatever the libraries raise into one line, and keep their warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        if error.name != "transformers":
            raise TextganError(_why(name, error)) from None
        raise TextganError(
            f"the encoder {name} needs the package transformers; pip install transformers, or use lsa"
        ) from None
    except OSError as error:
        if Path(name).is_dir():
            raise TextganError(_why(name, error)) from None
        why = "HF_HUB_OFFLINE is set" if _offline() else "the hub has no such model of safetensors, or does not answer"
        raise TextganError(
            f"there is no encoder {name}: no such folder, not in the cache of the hub, and {why}"
        ) from None
    except Exception as error:
        raise TextganError(_why(name, error)) from None


def _why(name: str, error: Exception) -> str:
    told = str(error).strip().split("\n")[0].rstrip(". ") or type(error).__name__
    return f"{name} cannot be used as an encoder: {told}"
