"""Text as samples on the simplex."""

from __future__ import annotations

import torch

from textgan.spaces import Text
from textgan.symbols import Symbols

SPACE = Text(tuple("etaß漢😀"), 5)


def test_samples_are_one_hot(rng: torch.Generator) -> None:
    ids = torch.randint(8, (3, 5), generator=rng)
    sample = SPACE.to_sample(ids.to(torch.uint8))
    assert (sample.shape, sample.dtype) == ((3, 5, 8), torch.float32)
    assert torch.equal(sample.argmax(-1), ids)
    assert torch.equal(sample.sum(-1), torch.ones(3, 5))


def test_unknown_is_ruled_out_unless_training_held_some() -> None:
    logits = torch.randn(2, 5, 8)
    allowed = SPACE.allowed(logits)
    assert torch.equal(allowed, logits[..., :7])
    assert torch.equal(Text(SPACE.symbols, 5, knows_unknown=True).allowed(logits), logits)


def test_a_text_is_read_from_what_light_processes_write() -> None:
    symbols = Symbols(("Cl", "c"), 7, unit="smiles", knows_unknown=True, labels=("a", "b"))
    text = Text.from_json(symbols.to_json())
    assert type(text) is Text
    assert text.to_json() == symbols.to_json()
    assert text.decode(text.encode(["Clcc"])) == ["Clcc"]
