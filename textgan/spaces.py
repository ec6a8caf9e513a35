"""Spaces: lines of text to ids, ids to samples on the simplex, ids back to lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

FILLER = "\n"  # fills short lines while they are encoded; no line of text holds it
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
BACKTICK = "`"

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Text:
    """Lines of at most `length` characters over a fixed alphabet.

    Ids: 0 is the pad, 1..len(symbols) the characters by falling frequency, the last is the unknown symbol. With
    `pad = "own"` the pad is no character, and a line ends at its first pad. With `pad = "backtick"` id 0 is the
    character "`" itself, as in the paper's encoding: pads are text, and a line is always `length` characters.
    """

    symbols: tuple[str, ...]
    length: int
    pad: str = "own"
    knows_unknown: bool = False
    """The training text held characters outside the alphabet; otherwise the unknown symbol is never generated."""
    labels: tuple[str, ...] = ()
    """Names of the classes of a labelled corpus; empty where lines have no labels."""

    @property
    def size(self) -> int:
        """Number of ids V: the alphabet, the pad and the unknown symbol."""
        return len(self.symbols) + 2

    @property
    def unknown(self) -> int:
        """Id of the unknown symbol."""
        return len(self.symbols) + 1

    @cached_property
    def _to_id(self) -> npt.NDArray[Any]:
        table: npt.NDArray[Any] = np.full(0x110000, self.unknown, dtype=np.uint8 if self.size <= 256 else np.uint16)
        table[[ord(symbol) for symbol in self.symbols]] = np.arange(1, len(self.symbols) + 1)
        table[ord(FILLER)] = 0
        if self.pad == "backtick":
            table[ord(BACKTICK)] = 0
        return table

    @cached_property
    def _to_character(self) -> npt.NDArray[np.str_]:
        # numpy drops trailing NULs of a string, which is what ends a padded line
        return np.array([BACKTICK if self.pad == "backtick" else "\0", *self.symbols, UNKNOWN], dtype="<U1")

    def encode(self, lines: Sequence[str]) -> Ids:
        """Cut lines at `length` and pad them on the right.

        Returns:
            Ids (line, position), uint8 up to 256 ids, else uint16.
        """
        joined = "".join(line[: self.length].ljust(self.length, FILLER) for line in lines)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        ids: Ids = self._to_id[codes].reshape(len(lines), self.length)
        return ids

    def decode(self, ids: npt.NDArray[Any]) -> list[str]:
        """Return the line of each row of ids (row, position); a row ends at its first pad of its own."""
        if len(ids) == 0:
            return []
        if self.pad == "own":
            ids = np.where(np.cumsum(ids == 0, axis=1) > 0, 0, ids)
        characters = np.ascontiguousarray(self._to_character[ids])
        lines: list[str] = characters.view(f"<U{ids.shape[1]}").ravel().tolist()
        return lines

    def to_sample(self, ids: Tensor) -> Tensor:
        """One-hot samples (batch, position, symbol) float32 of ids (batch, position)."""
        return torch.nn.functional.one_hot(ids.long(), self.size).float()

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits with the unknown symbol ruled out where training held none."""
        if self.knows_unknown:
            return logits
        return logits.index_fill(-1, torch.tensor(self.unknown, device=logits.device), float("-inf"))

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            "kind": "text",
            "symbols": "".join(self.symbols),
            "length": self.length,
            "pad": self.pad,
            "knows_unknown": self.knows_unknown,
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Text:
        """Rebuild a space from `to_json`."""
        labels = tuple(value.get("labels", ()))
        return cls(tuple(value["symbols"]), value["length"], value["pad"], value["knows_unknown"], labels)
