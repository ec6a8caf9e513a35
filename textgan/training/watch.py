"""Who is told how a run goes."""

from __future__ import annotations

from typing import Any, Protocol


class Watch(Protocol):
    """Who is told how a run goes; it changes nothing."""

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        """So many lines of the text went through a stage: that share of it, where it is known."""

    def started(self, total: int, first: int) -> None:
        """The loop begins at step `first` of `total`."""

    def step(self, step: int, row: dict[str, Any]) -> None:
        """A step was finished and its losses are in `row`."""

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[Any]) -> None:
        """Generated samples were measured."""

    def saved(self, step: int) -> None:
        """A checkpoint is on disk."""

    def note(self, text: str) -> None:
        """Something a user should know."""

    def closed(self) -> None:
        """The loop is over, for whatever reason."""


class Silence:
    """A watch that shows nothing."""

    def preparing(self, stage: str, lines: int, share: float | None) -> None:
        """Show nothing."""

    def started(self, total: int, first: int) -> None:
        """Show nothing."""

    def step(self, step: int, row: dict[str, Any]) -> None:
        """Show nothing."""

    def evaluated(self, step: int, metrics: dict[str, Any], samples: list[Any]) -> None:
        """Show nothing."""

    def saved(self, step: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def closed(self) -> None:
        """Show nothing."""
