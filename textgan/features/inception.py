"""The Inception net that FID, KID and the Inception score are of, through torch-fidelity."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from textgan import files
from textgan.errors import TextganError
from textgan.features.extractor import Extractor, Rows, in_colour

PUBLISHED = "6726825d"  # the digest of the published weights begins so
FETCHED = f"weights-inception-2015-12-05-{PUBLISHED}.pth"  # what torch-fidelity calls them in torch's cache
NAME = "inception-v3-compat"
TOGETHER = 50


def inception(
    *, train: Rows, labels: Any | None, classes: int, cache: Path, weights: str, device: torch.device,
    tell: Callable[[str], None],
) -> Extractor:  # fmt: skip
    """Return the net's 2,048 features of the last mean, and its probabilities of 1,008 classes, without their bias.

    The library unpickles the file of weights, which can run whatever is in it: only the published one is given to it,
    known by its digest.

    Raises:
        TextganError: the library is not installed or cannot be imported; the weights are not there, or are others.

    Source: Heusel et al. 2017; the port of TensorFlow's graph and its resizing, Obukhov et al. 2020 (torch-fidelity).
    """
    path = Path(weights).expanduser() if weights else Path(torch.hub.get_dir()) / "checkpoints" / FETCHED
    if weights and not path.is_file():
        raise TextganError(f"evaluation.weights: there is no file {path}")
    if path.is_file() and not files.sha256(path).startswith(PUBLISHED):
        raise TextganError(f"{path} does not hold the published Inception weights; name a copy of {FETCHED}")
    net = _net(str(path) if weights else None).to(device)
    return Extractor(NAME, lambda rows: _look(net, rows), device, TOGETHER)


def _net(weights: str | None) -> nn.Module:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch raises the latter
        raise TextganError(
            f"evaluation.extractor inception needs torch-fidelity ({_first(error)}): pip install 'textgan[fidelity]'"
        ) from error
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net: nn.Module = FeatureExtractorInceptionV3(
                NAME, ["2048", "logits_unbiased"], feature_extractor_weights_path=weights, verbose=False
            )
    except URLError as error:
        raise TextganError(
            f"the Inception weights cannot be fetched ({error.reason}); name a copy of {FETCHED} in evaluation.weights"
        ) from error
    except Exception as error:  # unpickling may raise anything
        raise TextganError(f"{weights or FETCHED} holds no Inception weights: {_first(error)}") from error
    return net


def _first(error: Exception) -> str:
    """The first line of what an error says."""
    return str(error).partition("\n")[0]


def _look(net: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    features, logits = net(in_colour(rows))
    return features, logits
