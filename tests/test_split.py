"""Training and held-out lines of blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from textgan.corpora.text.cleaning import Rules
from textgan.corpora.text.damage import Damage
from textgan.corpora.text.sources import Source, shard_of
from textgan.corpora.text.split import Block, blocks, hashes, part
from textgan.corpora.text.wire import loaded


def data(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def texts(block: Block, rules: Rules) -> dict[str, list[str]]:
    return {side: lines.text for side, lines in part(block, rules)[1].items()}


def test_the_hash_decides_so_repeated_lines_share_a_side() -> None:
    lines = [f"line {i % 700}" for i in range(2000)]
    sides = texts(Block(data(lines), "t"), Rules(heldout=0.3))
    codes = hashes([line.encode() for line in lines]).tolist()
    held = {line for line, code in zip(lines, codes, strict=True) if code < 0.3 * 2**64}
    assert sides == {"train": [x for x in lines if x not in held], "heldout": [x for x in lines if x in held]}
    assert len(held) / 700 == pytest.approx(0.3, abs=0.06)


def test_hashes_are_known_and_uniform() -> None:
    assert hashes([b""]).tolist() == [0x2D06800538D394C2]  # XXH3_64bits of nothing, seed 0
    histogram = np.histogram(hashes([b"%d" % i for i in range(4000)]) / 2**64, bins=10, range=(0, 1))[0]
    assert ((histogram - 400) ** 2 / 400).sum() < 27.9  # chi square, 9 degrees, p = .001


@pytest.mark.parametrize("limit", [1, 2, 37, 60])
def test_a_limit_ends_the_block_at_that_training_line(limit: int) -> None:
    lines = [f"line {i}" for i in range(100)]
    whole = texts(Block(data(lines), "t"), Rules(heldout=0.3))
    cut = texts(Block(data(lines), "t", limit=limit), Rules(heldout=0.3))
    assert cut["train"] == whole["train"][:limit]
    last = lines.index(cut["train"][-1])
    assert cut["heldout"] == [line for line in whole["heldout"] if lines.index(line) < last]
    fixed = texts(Block(data(lines), "t", side="train", limit=limit), Rules())
    assert fixed == {"train": lines[:limit]}


def test_repeated_lines_go_where_asked() -> None:
    first = np.array([True, False, True])
    block = Block(b"a\n\na\nb\n", "t", side="train", first=first)  # of the clean lines, which the empty one is not
    cleaned, sides = part(block, Rules())
    assert sides["train"].text == ["a", "b"]
    assert cleaned.dropped == {"empty": 1, "duplicates": 1}


def test_labels_follow_their_lines() -> None:
    lines = [f"{i % 3}\tline {i}" for i in range(90)]
    sides = part(Block(data(lines), "t"), Rules(labelled=True, heldout=0.4))[1]
    for side in sides.values():
        assert side.labels == [str(int(text.split()[1]) % 3) for text in side.text]
    assert sides["train"].labels
    assert sides["heldout"].labels


def test_files_decide_the_side_where_a_source_has_held_out_ones(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(f"{name}\n")
    a, b = shard_of(tmp_path / "a"), shard_of(tmp_path / "b", label="L")
    source = Source("t", "t", (a,), (b,))
    shown = [
        (loaded(block.data), block.side, block.label)
        for side in ("train", "heldout")
        for block in blocks(source, side, "skip")
    ]
    assert shown == [(b"a\n", "train", None), (b"b\n", "heldout", "L")]
    alone = list(blocks(Source("t", "t", (a, b)), "train", "skip"))
    assert [block.side for block in alone] == [None, None]
    assert alone[0].shard == str(tmp_path / "a")


def test_each_block_bears_the_damage_met_on_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is counted does not depend on how far was read ahead."""
    monkeypatch.setattr("textgan.corpora.text.streams.CHUNK", 8)
    (tmp_path / "a.jsonl").write_text('bad\n{"text": "one two"}\nworse\n{"text": "three"}\nworst\n')
    found = list(blocks(Source("t", "t", (shard_of(tmp_path / "a.jsonl", format="jsonl"),)), "train", "skip"))
    counted = [(loaded(block.data), sum(block.damage.counts.values()) if block.damage else 0) for block in found]
    assert b"".join(data for data, _ in counted) == b"one two\nthree\n"
    assert sum(count for _, count in counted) == 3
    (tmp_path / "b.jsonl").write_text("bad\n")
    [alone] = blocks(Source("t", "t", (shard_of(tmp_path / "b.jsonl", format="jsonl"),)), "train", "skip")
    assert (alone.data, alone.damage is not None and len(alone.damage.counts)) == (b"", 1)
    whole = Damage("skip")
    for block in found:
        whole.update(block.damage or Damage("skip"))
    assert list(whole.first.values()) == [f"{tmp_path / 'a.jsonl'}:1"]
    assert list(whole.counts.values()) == [3]
