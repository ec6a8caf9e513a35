"""The model card: what a model is, how it was made, and the numbers measured, in Markdown.

Names come from data and from settings of anyone: in a card they are text and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from textgan.config import Config
from textgan.figures import table

MANY = 20  # labels that a card names


class Made(Protocol):
    """A model, as far as its card tells of it."""

    @property
    def config(self) -> Config:
        """What it was trained with."""

    @property
    def space(self) -> Any:
        """Of its kind of sample."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Step, corpus and the numbers measured when it was saved."""


def card(model: Made) -> str:
    """Write the card of a model.

    Raises:
        LookupError: its facts are not those of a model; also TypeError, ValueError or StopIteration.
    """
    config, space, facts = model.config, model.space, model.facts
    corpus, preset = facts["corpus"], re.sub(r"[^\w.-]", "_", config.preset)
    decoded = f", decoded by {config.text.decode}" if space.draws else ""
    return f"""---
library_name: textgan
tags: [gan, {space.task}, wgan-gp]
---
# A textgan model of {plain(corpus["name"])}

A generator of {space.samples},
trained for {facts["step"]:,} generator steps with the preset `{preset}`{decoded}.

```python
import textgan

{space.example}
```

Trained on {corpus["train"]:,} rows of: {plain(corpus["facts"]["title"])}. {space.absent}
{_labels(space.labels)}
## Measured

{_measured(facts.get("evaluation"))}
"""


def plain(text: object) -> str:
    """Write a name from elsewhere into Markdown as nothing but text: no markup, no link, no line of its own."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in str(text))
    return re.sub(r"(?i)[\\`*\[\]<>&|~]|(?<=:)/(?=/)|(?<=www)\.", r"\\\g<0>", shown)


def _labels(labels: Sequence[str]) -> str:
    """Write which labels samples may be asked for."""
    named = ", ".join(map(plain, labels[:MANY])) + (", ..." if len(labels) > MANY else ".")
    return f"\nA sample may be asked for by its label: {named}\n" if labels else ""


def _measured(evaluation: Mapping[str, Any] | None) -> str:
    """Write the table of an evaluation."""
    if evaluation is None:
        return "Not at this step: the run was stopped between two evaluations."
    told = _named_plainly(evaluation)
    counts = f"{told['samples']:,} generated samples against {told['reference']:,} held-out rows."
    return "\n".join([counts, "", *table(told)])


def _named_plainly(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain(name): _named_plainly(inner) for name, inner in value.items()}
    return plain(value) if isinstance(value, str) else value
