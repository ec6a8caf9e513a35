"""Sequences from a model: those of the paper's generator at some widths, and of quick's."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from textgan import assemble
from textgan.assemble import Parts
from textgan.bench import parts, plain_sample
from textgan.bench.case import Case, Cases, Setup, same, same_tensors
from textgan.bench.plain_nets import PlainGenerator, PlainUpsampling, copy_weights
from textgan.model import Model

WORK = 1 << 18  # sequences of a width, times that width: as many as take a second or so


def cases(setup: Setup) -> Cases:
    """Yield the rows of sampling."""
    for width in setup.widths or parts.WIDTHS:
        paper = parts.paper(setup, width)
        g, space = paper.config.generator, paper.space
        plain = PlainGenerator(
            length=space.length, symbols=space.size, latent=g.latent, width=g.width, blocks=g.blocks, kernel=g.kernel
        )
        yield case(setup, paper, plain, setup.count or max(256, WORK // width))
    quick = parts.quick(setup, **{"count_critic.weight": 0.0})
    yield case(setup, quick, plain_upsampling(quick), setup.count or 4096)


def plain_upsampling(made: Parts) -> PlainUpsampling:
    """Return the plain form of quick's generator: width times 1.5 for each of its halvings from 32 down to 4."""
    g, space = made.config.generator, made.space
    channels = [round(g.width * 1.5**scale) for scale in (3, 2, 1, 0)]
    return PlainUpsampling(
        length=space.length, symbols=space.size, latent=g.latent, channels=channels, start=4, kernel=g.kernel
    )


def case(setup: Setup, made: Parts, plain: nn.Module, count: int) -> Case:
    """Return the row of a generator and its plain form, which takes its weights."""
    model, g, decode = assemble.model_of(made, None), made.config.generator, made.config.text.decode
    copy_weights(plain, model.net)
    plain.to(made.device)
    pad = "`" if made.space.pad == "backtick" else plain_sample.END
    characters = [pad, *made.space.symbols, "\N{REPLACEMENT CHARACTER}"]
    plainly = partial(plain_sample.generate, plain, count, latent=g.latent, characters=characters, decode=decode)

    def ours() -> None:
        for _ in model.stream(count):
            pass

    return Case(
        "sample",
        ours,
        partial(plainly, rng=_rng(made.device)),
        lambda: check(model, plain, characters),
        {"net": g.net, "width": g.width, "decode": decode, "count": count},
        sequences=count,
    )


def check(model: Model, plain: nn.Module, characters: list[str]) -> None:
    """Refuse other probabilities for the same noise, or other lines for the same ids."""
    device = next(plain.parameters()).device
    rng = _rng(device)
    noise = torch.randn(plain_sample.BATCH, model.config.generator.latent, generator=rng, device=device)
    with torch.no_grad():
        found = model.net(noise, lambda logits: (logits, logits.argmax(-1))).logits.softmax(-1)
        expected = plain(noise)
    same_tensors("sample", {"softmax": found}, {"softmax": expected})
    ids = plain_sample.sample(expected, rng).cpu().numpy()
    same("sample", model.space.decode(ids), plain_sample.lines(ids, characters))


def _rng(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(0)
