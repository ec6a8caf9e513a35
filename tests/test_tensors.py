from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from textgan.training.tensors import DTYPES, save_tensors


def all_kinds() -> dict[str, Tensor]:
    numbers = torch.tensor([[0, 1, 2], [3, 4, 5]])
    kinds = {f"of.{name}": numbers.to(dtype) for dtype, name in DTYPES.items()}
    return kinds | {
        "a byte": torch.tensor([7], dtype=torch.uint8),
        "empty": torch.empty(0, 3),
        "lone": torch.tensor(2.5),
        "parameter": nn.Parameter(torch.rand(3)),
        "pärt": torch.arange(5),
        "spread": torch.ones(1).expand(4),
        "transposed": torch.rand(3, 4).t(),
    }


def test_the_library_reads_what_was_written(tmp_path: Path) -> None:
    tensors = all_kinds()
    save_tensors(tmp_path / "x", tensors)
    found = load_file(tmp_path / "x")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert torch.equal(found[name], tensor.detach()), name
    with safe_open(tmp_path / "x", "pt") as file:
        assert set(file.keys()) == tensors.keys()


def test_numbers_lie_at_multiples_of_their_size_without_gaps(tmp_path: Path) -> None:
    tensors = all_kinds()
    save_tensors(tmp_path / "x", tensors)
    written = (tmp_path / "x").read_bytes()
    length = int.from_bytes(written[:8], "little")
    header = json.loads(written[8 : 8 + length])
    end = 0
    for name, entry in header.items():
        start, after = entry["data_offsets"]
        assert (start, after - start) == (end, tensors[name].numel() * tensors[name].element_size())
        assert (8 + length + start) % tensors[name].element_size() == 0, name
        end = after
    assert len(written) == 8 + length + end


def test_nothing_at_all_is_a_file_too(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x", {})
    assert load_file(tmp_path / "x") == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_says_so() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        save_tensors(Path("/dev/full"), {"x": torch.ones(100_000)})
    assert caught.value.errno == errno.ENOSPC
