"""Repeated lines, found by hashes on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from textgan.corpora.text import duplicates
from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.duplicates import HashBlock, first_met
from textgan.corpora.text.split import Block, hashes


@pytest.mark.parametrize("partition", [7, 64, 1 << 22])
def test_the_first_of_equal_hashes_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition: int) -> None:
    monkeypatch.setattr(duplicates, "PARTITION", partition)
    codes = np.random.default_rng(0).choice(hashes([b"%d" % i for i in range(60)]), 200)
    codes[:2] = [0, 2**64 - 1]
    codes[100:102] = [0, 2**64 - 1]
    (tmp_path / "codes").write_bytes(codes.tobytes())
    first_met(tmp_path / "codes", tmp_path / "met")
    values = codes.tolist()
    expected = [code not in values[:place] for place, code in enumerate(values)]
    assert np.fromfile(tmp_path / "met", dtype=np.bool_).tolist() == expected


def test_no_lines_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "codes").write_bytes(b"")
    first_met(tmp_path / "codes", tmp_path / "met")
    assert (tmp_path / "met").read_bytes() == b""


def test_clean_lines_are_hashed() -> None:
    found = HashBlock(Rules(lower=True))(Block(b"A\n\na\nb\n", "t"))
    assert found.tolist() == hashes([b"a", b"a", b"b"]).tolist()
