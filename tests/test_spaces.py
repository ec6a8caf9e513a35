from __future__ import annotations

import numpy as np
import pytest
import torch

from textgan.spaces import Text

SPACE = Text(tuple("etaß漢😀"), 5)


def test_ids_are_pad_then_symbols_in_order_then_unknown() -> None:
    assert (SPACE.size, SPACE.unknown) == (8, 7)
    assert SPACE.encode(["eta", "ß漢😀?x", ""]).tolist() == [[1, 2, 3, 0, 0], [4, 5, 6, 7, 7], [0, 0, 0, 0, 0]]


def test_long_lines_are_cut_and_short_ones_padded_on_the_right() -> None:
    assert SPACE.decode(SPACE.encode(["tateetate", "et", ""])) == ["tatee", "et", ""]


def test_a_line_ends_at_its_first_own_pad_and_unknowns_print_as_the_replacement_character() -> None:
    assert SPACE.decode(np.array([[1, 0, 2, 2, 2], [1, 7, 2, 0, 0], [0, 1, 1, 1, 1]])) == ["e", "e\ufffdt", ""]


def test_backtick_pads_are_text() -> None:
    space = Text(tuple("ab"), 4, pad="backtick")
    assert space.encode(["a`b", "b"]).tolist() == [[1, 0, 2, 0], [2, 0, 0, 0]]
    assert space.decode(np.array([[1, 0, 2, 0], [0, 0, 0, 0]])) == ["a`b`", "````"]


def test_own_pad_knows_no_backtick() -> None:
    assert Text(tuple("ab"), 3).encode(["a`"]).tolist() == [[1, 3, 0]]


@pytest.mark.parametrize(("symbols", "dtype"), [(254, np.uint8), (255, np.uint16)])
def test_ids_take_one_byte_up_to_256_of_them(symbols: int, dtype: type) -> None:
    space = Text(tuple(map(chr, range(0x4E00, 0x4E00 + symbols))), 3)
    ids = space.encode([chr(0x4E00 + symbols - 1), "?"])
    assert ids.dtype == dtype
    assert ids[:, 0].tolist() == [symbols, symbols + 1]


def test_no_lines() -> None:
    assert SPACE.encode([]).shape == (0, 5)
    assert SPACE.decode(np.zeros((0, 5), dtype=np.int64)) == []


def test_samples_are_one_hot(rng: torch.Generator) -> None:
    ids = torch.randint(8, (3, 5), generator=rng)
    sample = SPACE.to_sample(ids.to(torch.uint8))
    assert (sample.shape, sample.dtype) == ((3, 5, 8), torch.float32)
    assert torch.equal(sample.argmax(-1), ids)
    assert torch.equal(sample.sum(-1), torch.ones(3, 5))


def test_unknown_is_ruled_out_unless_training_held_some() -> None:
    logits = torch.zeros(2, 5, 8)
    allowed = SPACE.allowed(logits)
    assert torch.equal(allowed[..., 7], torch.full((2, 5), float("-inf")))
    assert torch.equal(allowed[..., :7], logits[..., :7])
    assert torch.equal(Text(SPACE.symbols, 5, knows_unknown=True).allowed(logits), logits)


def test_json_round_trip() -> None:
    space = Text(tuple('a`"\\ é😀'), 7, pad="backtick", knows_unknown=True)
    assert Text.from_json(space.to_json()) == space


def test_labels_are_carried() -> None:
    space = Text(tuple("ab"), 3, labels=("x, y", "é"))
    assert Text.from_json(space.to_json()) == space
    assert Text(tuple("ab"), 3).labels == ()
