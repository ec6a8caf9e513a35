"""Batches that Python wrote are read without executing anything; all else in that language is refused."""

from __future__ import annotations

import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import picture_files as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgan.corpora.images.opcodes import RefusedError, dictionary

BATCH = {
    "labels": [0, 255, 256, 65_535, 65_536, -1, 2**31 - 1, 2**40, -(2**40)],
    "data": np.arange(24, dtype=np.uint8).reshape(2, 12),
    "names": ["a.png", "ä" * 300],
    "raw": b"\0\xff" * 200,
    "nothing": None, "pair": (1, 2), "triple": (True, False, []), "four": (1, 2, 3, ()),
}  # fmt: skip


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            assert np.array_equal(found[key], value)
        else:
            assert found[key] == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_python_3_writes(protocol: int) -> None:
    same(dictionary(pickle.dumps(BATCH, protocol)), BATCH)
    arrays = {code: np.arange(6).astype(code).reshape(2, 3) for code in ("u1", "i8", ">i4", "<u2")}
    arrays["columns"] = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    same(dictionary(pickle.dumps(arrays, protocol)), arrays)


def test_what_python_2_wrote() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    written = made.python2({"labels": [3, 300, 70_000], "data": pixels, "filenames": ["a", "b"]})
    assert pickle.loads(written, encoding="bytes")[b"labels"] == [3, 300, 70_000]  # the test's own bytes are right
    assert np.array_equal(pickle.loads(written, encoding="bytes")[b"data"], pixels)
    same(dictionary(written), {"labels": [3, 300, 70_000], "data": pixels, "filenames": [b"a", b"b"]})


class Runs:
    """What runs code as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(tmp_path: Path, protocol: int) -> None:
    hostile = pickle.dumps({"data": Runs(tmp_path / "ran")}, protocol)
    with pytest.raises(RefusedError):
        dictionary(hostile)
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists()  # so it would have run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cos\nsystem\nU\x02ls\x85R.", "the name os.system"),
        (b"U\x02osU\x06system\x93.", "the name os.system"),
        (b"cnumpy\nload\nU\x01x\x85R.", "the name numpy.load"),
        (b"cnumpy.core.multiarray\nscalar\n.", "the name numpy.core.multiarray.scalar"),
        (b"(S'ls'\nios\nsystem\n.", "the instruction b'S'"),
        (b"ios\nsystem\n.", "the instruction b'i'"),
        (b"(cos\nsystem\no.", "the name os.system"),
        (b"(o.", "the instruction b'o'"),
        (b"\x82\x01.", r"the instruction b'\\x82'"),
        (b"Pid\n.", "the instruction b'P'"),
        (b"Q.", "the instruction b'Q'"),
        (b"cnumpy\nndarray\n)R.", "a call of what is no function"),
        (b"cnumpy\nndarray\n)\x81.", r"the instruction b'\\x81'"),
        (b"}}b.", "a state of what has none"),
        (b"}N}s.", "a key that is no text"),
        (b"K\x01.", "it holds no dictionary"),
        (b"}", "it ends too early"),
        (b"", "it ends too early"),
        (b"T\xff\xff\xff\xff.", "it ends too early"),
        (b"\x8e" + struct.pack("<Q", 2**63) + b".", "it ends too early"),
        (b"\x80\x06}.", "protocol 6"),
        (b"\x80\x00}.", "protocol 0"),
        (b"h\x07.", "7"),
        (b".", "pop from empty list"),
        (b"(.", "a mark in the place of a value"),
        (b"}a.", "list index"),
        (b"}K\x01a.", "an append to what is no list"),
        (b"]U\x01aK\x01s.", "an entry of what is no dictionary"),
        (b"}(U\x01au.", "zip"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "text in 'hex'"),
        (b")" + b"\x85" * 100_000 + b"N\x93.", "something else in the place of a word"),
        (b"cnumpy\ndtype\n)" + b"\x85" * 100_000 + b"\x85R.", "something else in the place of a word"),
        (b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.", "it holds no dictionary"),
    ],
)
def test_everything_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        dictionary(content)


def test_arrays_of_objects_and_of_wrong_sizes_are_refused() -> None:
    for array in (np.array([{}]), np.array(["a"]), np.zeros(2, np.float32), np.zeros(1, "M8[s]")):
        with pytest.raises(RefusedError):
            dictionary(pickle.dumps({"data": array}, 4))
    good = made.python2({"data": np.zeros((2, 3), np.uint8)})
    with pytest.raises(RefusedError, match="cannot reshape"):
        dictionary(good.replace(b"J\x03\0\0\0", b"J\x04\0\0\0"))


@given(st.binary(max_size=60), st.integers(0, 400))
def test_nonsense_is_refused_or_data(inserted: bytes, at: int) -> None:
    good = pickle.dumps(BATCH, 4)
    for content in (inserted, b"\x80\x04" + inserted, good[:at], good[:at] + inserted + good[at + len(inserted) :]):
        with suppress(RefusedError):
            assert type(dictionary(content)) is dict
