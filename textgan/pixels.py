"""Pictures: rows of pixels to arrays that image libraries take and back, beside `Symbols` for text. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

LARGEST = 1024  # side of a picture, beyond which a model folder is no honest one. [pixels]
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pixels:
    """Square pictures, stored as rows (row, channel, y, x) uint8, from 0 to 255."""

    side: int
    """Height and width. [pixels]"""
    channels: int
    """3 for colours, 1 for grey."""
    labels: tuple[str, ...] = ()
    """Classes that a model is asked for; none of an unconditional one, whatever classes the corpus has."""

    kind: ClassVar[str] = "image"
    draws: ClassVar[bool] = False
    """A row is what the net gives: nothing is drawn, at no temperature."""
    length: ClassVar[None] = None
    row_type: ClassVar[str] = "uint8"
    """Of rows on the device, until they become samples."""
    task: ClassVar[str] = "unconditional-image-generation"
    example: ClassVar[str] = 'pictures = textgan.load("PATH").generate(10, seed=0)  # each (y, x, channel) uint8'
    """How a model card shows that samples are made."""
    absent: ClassVar[str] = "The pictures themselves are not part of this folder."
    """What a model card says of the data that is not part of it."""

    @property
    def values(self) -> int:
        """Numbers of a sample."""
        return self.channels * self.side**2

    @property
    def sizes(self) -> Mapping[str, int]:
        """What the nets are built for, besides the configuration."""
        return {"channels": self.channels, "side": self.side}

    @property
    def samples(self) -> str:
        """What its samples are, in words."""
        colours = "in colour" if self.channels == 3 else "in grey"
        return f"pictures of {self.side}x{self.side} pixels {colours}"

    def encode(self, pictures: Sequence[Pictures]) -> Pictures:
        """Return the rows (picture, channel, y, x) of pictures (y, x, channel).

        Raises:
            ValueError: a picture is of another shape.
        """
        rows = np.asarray(pictures, dtype=np.uint8).reshape(len(pictures), self.side, self.side, self.channels)
        return np.ascontiguousarray(rows.transpose(0, 3, 1, 2))

    def decode(self, rows: npt.NDArray[Any]) -> list[Pictures]:
        """Return the pictures (y, x, channel) uint8 of rows (row, channel, y, x)."""
        return list(rows.astype(np.uint8, copy=False).transpose(0, 2, 3, 1))

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {"kind": self.kind, "side": self.side, "channels": self.channels, "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the space that `to_json` told of.

        Raises:
            ValueError: the value is of another space, or no sizes that a picture has.
        """
        side, channels, labels = value["side"], value["channels"], tuple(value["labels"])
        sizes = type(side) is int and 0 < side <= LARGEST and channels in (1, 3)
        if value["kind"] != cls.kind or not sizes or not all(isinstance(name, str) for name in labels):
            raise ValueError("these are no pictures")
        if len(set(labels)) < len(labels):
            raise ValueError("a label stands twice")
        return cls(side, channels, labels)
