"""The three commands of the start-up benchmark as one script that imports all that any of them needs, at the top."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from textgan.bench import plain_ngrams, plain_sample
from textgan.bench.plain_nets import PlainUpsampling


def generate(model: Path) -> str:
    """One line of a model of quick's kind."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))["config"]
    symbols = json.loads((model / "alphabet.json").read_text(encoding="utf-8"))["symbols"]
    weights, g = load_file(model / "model.safetensors"), config["generator"]
    net = PlainUpsampling(
        length=config["text"]["length"], symbols=len(symbols) + 2, latent=g["latent"],
        channels=[round(g["width"] * 1.5**scale) for scale in (3, 2, 1, 0)], start=4, kernel=g["kernel"],
    )  # fmt: skip
    net.load_state_dict({name: weights[name].reshape(value.shape) for name, value in net.state_dict().items()})
    characters = [plain_sample.END, *symbols, "\N{REPLACEMENT CHARACTER}"]
    rng = torch.Generator().manual_seed(0)
    return plain_sample.generate(net, 1, latent=g["latent"], characters=characters, decode="sample", rng=rng)[0]


def report(samples: Path, reference: Path) -> str:
    """JSD of 1- to 6-grams of two files, as a JSON list."""
    ours, real = (path.read_text(encoding="utf-8").splitlines() for path in (samples, reference))
    return json.dumps(np.array([plain_ngrams.jsd(ours, real, n) for n in range(1, 7)]).tolist())


def main() -> None:
    """Read the arguments and print what they ask for."""
    parser = argparse.ArgumentParser(prog="plain", description=__doc__)
    parser.add_argument("command", choices=["help", "generate", "report"])
    parser.add_argument("paths", nargs="*", type=Path)
    asked = parser.parse_args()
    if asked.command == "help":
        sys.stdout.write(parser.format_help())
    elif asked.command == "generate":
        sys.stdout.write(generate(*asked.paths) + "\n")
    else:
        sys.stdout.write(report(*asked.paths) + "\n")


if __name__ == "__main__":
    main()
