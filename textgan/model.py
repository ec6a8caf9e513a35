"""A trained model on disk and in hand: load, generate, save."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.nn import functional as F

from textgan import __version__, latent
from textgan.ahead import ahead
from textgan.config import Config
from textgan.contract import Sample
from textgan.errors import CorruptError, TextganError, UsageError, near_miss
from textgan.figures import table
from textgan.files import MANIFEST, dump_json, read_record, verify_folder, write_folder
from textgan.game.conditions import bind_generator
from textgan.game.relaxations import DRAWN_AT_ONE, annealed, at_share
from textgan.nets import GENERATORS_OF
from textgan.nets.conditional import ConditionalGenerator
from textgan.nets.layers import chosen
from textgan.nets.norms import BY_LABEL
from textgan.spaces import Space, space_of
from textgan.training import sampler

PART = 1 << 19  # logits of rows that go through the net at once: 2 MB, which stay in the cache
BLOCK = 256  # rows whose noise and draws come from one generator, so that a row depends on its seed and index only
MANY = 20  # labels that a model card names
Pick = Callable[[Tensor], Tensor]
"""Probabilities (..., symbol) to drawn ids (...)."""
Decode = Callable[[Tensor, Pick], Tensor]
"""Logits (..., symbol) to ids (...)."""
CONFIG, WEIGHTS, ALPHABET, CARD = "config.json", "model.safetensors", "alphabet.json", "README.md"


def build_generator(config: Config, space: Space) -> nn.Module:
    """Build the generator of a configuration, with fresh weights from torch's global generator."""
    g, labels = config.generator, len(space.labels)
    inside = labels if g.norm in BY_LABEL else 0  # labels that the net takes itself
    wrapped = labels and not inside
    net: nn.Module = GENERATORS_OF[space.kind][g.net](
        **space.sizes, latent=2 * g.latent if wrapped else g.latent, width=g.width, blocks=g.blocks, kernel=g.kernel,
        **chosen(norm=g.norm, nonlinearity=g.nonlinearity, labels=inside),
    )  # fmt: skip
    return ConditionalGenerator(net, labels=labels, latent=g.latent) if wrapped else net


@dataclass(frozen=True)
class Model:
    """A generator with its space: what `generate` needs, and where it came from."""

    net: nn.Module
    space: Any
    """Of its kind: `Text`, `Plane` or `Image`."""
    config: Config
    facts: dict[str, Any]
    """Step, corpus and the numbers measured when it was saved."""
    folder: Path | None = None

    def generate(
        self, n: int, *, seed: int = 0, temperature: float | None = None, label: str | None = None
    ) -> list[Sample]:
        """Generate `n` samples, lines or pictures; sample i depends on (seed, i) only.

        Args:
            n: number of samples, 0 or more.
            seed: of the noise and of the draws.
            temperature: divides the logits, and then symbols are drawn; None decodes as the model was trained.
            label: the class of all lines, of a conditional model; None draws classes as often as training had them.

        Raises:
            UsageError: a label that the model does not know.
        """
        return [line for block in self.stream(n, seed=seed, temperature=temperature, label=label) for line in block]

    def stream(
        self, n: int, *, seed: int = 0, temperature: float | None = None, label: str | None = None
    ) -> Iterator[list[Sample]]:
        """Yield the samples of `generate` in blocks, so that any number fits in memory."""
        if n < 0:
            raise TextganError(f"cannot generate {n} samples; ask for 0 or more")
        decode, rows = self._decode(temperature), self._rows

        def lines(block: int, start: int, condition: Tensor | None) -> list[Sample]:
            rng, part = sampler.generator(seed, "generate", block), slice(start, start + rows)
            noise = sampler.noise(BLOCK, self.config.generator.latent, rng=rng)[part]
            labels = None if condition is None else condition[part]
            ids = self._ids(noise, labels, decode, _pick(rng, part))
            decoded: list[Sample] = self.space.decode(ids.numpy()[: n - block * BLOCK - start])
            return decoded

        blocks = enumerate(self._conditions(n, seed, label))
        parts = (
            partial(lines, block, start, condition)
            for block, condition in blocks
            for start in range(0, min(BLOCK, n - block * BLOCK), rows)
        )
        return ahead(parts, -(-n // rows))

    def interpolate(
        self, start: int, end: int, *, steps: int = 8, temperature: float | None = None, label: str | None = None
    ) -> list[Sample]:
        """Return the samples along the arc from one seed's noise to another's.

        A seed's noise is that of the first line of `generate`. All symbols are drawn with the numbers of `start`, so
        that lines change with the noise alone: the first is what `start` generates, the last what `end` would with
        these numbers (decoded by argmax, what it does).

        Args:
            start: seed of the first line, of the draws and, of a conditional model, of the class of all lines.
            end: seed of the last line's noise.
            steps: number of lines, 2 or more.
            temperature: as for `generate`.
            label: the class of all lines.

        Raises:
            TextganError: fewer than 2 steps, or no such temperature.
            UsageError: a label that the model does not know.
        """
        if steps < 2:
            raise TextganError(f"a path of {steps} steps has no two ends; ask for 2 or more")
        return self._lines(latent.path(self._noise(start), self._noise(end), steps), start, temperature, label)

    def around(
        self, seed: int, n: int, *, radius: float = 0.3, temperature: float | None = None, label: str | None = None
    ) -> list[Sample]:
        """Return the samples of `n` neighbours of a seed's noise; line i depends on (seed, i) only.

        All symbols are drawn with the seed's own numbers, as `interpolate` does.

        Args:
            seed: of the noise that is the centre, of the draws and, of a conditional model, of the class of all lines.
            n: number of lines, 0 or more.
            radius: from 0, the seed's own line, to 1, noise that knows nothing of the seed's. [ratio]
            temperature: as for `generate`.
            label: the class of all lines.

        Raises:
            TextganError: a negative number of lines, a radius outside 0 to 1, or no such temperature.
            UsageError: a label that the model does not know.
        """
        if n < 0:
            raise TextganError(f"cannot generate {n} samples; ask for 0 or more")
        if not 0 <= radius <= 1:
            raise TextganError(f"the radius must lie within 0 to 1, not at {radius}")
        rng, size = sampler.generator(seed, "around", 0), self.config.generator.latent
        blocks = [sampler.noise(BLOCK, size, rng=rng) for _ in range(max(1, -(-n // BLOCK)))]
        points = latent.neighbours(self._noise(seed), torch.cat(blocks)[:n], radius)
        return self._lines(points, seed, temperature, label)

    def labels(self, n: int, *, seed: int = 0, label: str | None = None) -> list[str]:
        """Return the class of each line that `generate` gives for the same arguments; none of a model without labels.

        Raises:
            UsageError: a label that the model does not know.
        """
        drawn = [index for block in self._conditions(n, seed, label) if block is not None for index in block.tolist()]
        return [self.space.labels[index] for index in drawn[:n]]

    def _conditions(self, n: int, seed: int, label: str | None) -> Iterator[Tensor | None]:
        """The labels (row,) of each block, None of a model without labels."""
        known, wanted = self.space.labels, None
        if label is not None:
            if not known:
                raise UsageError(f"this model was trained without labels; leave {label!r} out")
            trained = [name for name in known if self.facts["corpus"]["facts"]["labels"][name]]
            if label not in trained:
                raise UsageError(f"this model knows no label {label!r}{near_miss(label, trained)}")
            wanted = torch.full((BLOCK,), known.index(label))
        ends = torch.tensor(label_ends(self.space, self.facts)) if known else None
        for block in range(-(-n // BLOCK)):
            if wanted is not None or ends is None:
                yield wanted
            else:
                drawn = torch.randint(int(ends[-1]), (BLOCK,), generator=sampler.generator(seed, "labels", block))
                yield torch.bucketize(drawn, ends, right=True)

    def _decode(self, temperature: float | None) -> Decode:
        """How logits become ids: as trained or, at a temperature, by drawing."""
        if temperature is None:
            return partial(DECODERS[self.config.text.decode], self._temperature)
        if not self.space.draws:
            raise UsageError(f"this model generates {self.space.samples}, at no temperature; leave it out")
        if not 0 < temperature < float("inf"):
            raise TextganError(f"the temperature must be a positive number, not {temperature}")
        return partial(DECODERS["sample"], temperature)

    @property
    def _temperature(self) -> float:
        """At which the generator drew symbols when it was saved."""
        g = self.config.generator
        if g.relaxation in DRAWN_AT_ONE:
            return 1.0
        last = max(1, self.config.training.steps - 1)  # the number of the last step, as the loop counts them
        return annealed(g.temperature, g.final_temperature, min(max(0, self.facts["step"] - 1), last) / last)

    @property
    def _rows(self) -> int:
        """How many rows go through the net at once, always: a power of two, at most a block."""
        fit: int = PART // self.space.values
        return min(BLOCK, 1 << max(0, fit.bit_length() - 1))

    def _noise(self, seed: int) -> Tensor:
        """The noise (latent,) of a seed's first line."""
        return sampler.noise(BLOCK, self.config.generator.latent, rng=sampler.generator(seed, "generate", 0))[0]

    def _lines(self, points: Tensor, seed: int, temperature: float | None, label: str | None) -> list[Sample]:
        """The samples of points (count, latent), each drawn and labelled as the first line of a seed."""
        decode, lines = self._decode(temperature), list[Sample]()
        condition = next(self._conditions(1, seed, label))
        labels = None if condition is None else condition[:1].expand(self._rows)
        for part in torch.split(points, self._rows):
            rng = sampler.generator(seed, "generate", 0)
            sampler.noise(BLOCK, points.shape[1], rng=rng)  # comes before the draws
            whole = F.pad(part, (0, 0, 0, self._rows - len(part)))  # so many rows at once as `generate` has
            ids = self._ids(whole, labels, decode, _pick(rng, slice(1)))
            lines += self.space.decode(ids.numpy()[: len(part)])
        return lines

    @torch.inference_mode()
    def _ids(self, noise: Tensor, labels: Tensor | None, decode: Decode, pick: Pick) -> Tensor:
        """Ids (row, position), or points, of noise (row, latent) under labels (row,)."""
        device = next(self.net.parameters()).device
        generator = bind_generator(self.net, None if labels is None else labels.to(device))

        def relax(logits: Tensor) -> tuple[Tensor, Tensor]:
            rows = self.space.chosen(logits, lambda allowed: decode(allowed, pick))
            return rows, rows

        return generator(noise.to(device), relax).ids.cpu()

    def save(self, folder: Path) -> None:
        """Write the model folder as a whole: config.json, model.safetensors, alphabet.json and a model card."""

        def fill(target: Path) -> None:
            value = {"schema": 1, "textgan": __version__, "config": self.config.model_dump(mode="json")} | self.facts
            (target / CONFIG).write_text(dump_json(value), encoding="utf-8")
            (target / ALPHABET).write_text(dump_json(self.space.to_json()), encoding="utf-8")
            (target / CARD).write_text(card(self), encoding="utf-8")
            weights = {name: t.detach().cpu().contiguous() for name, t in self.net.state_dict().items()}
            (target / WEIGHTS).write_bytes(to_bytes(weights))

        write_folder(folder, fill)


def _pick(rng: torch.Generator, rows: slice) -> Pick:
    """Draw symbols by the numbers that these rows of a block have, or one row for all, in the order a net asks for."""

    def pick(probabilities: Tensor) -> Tensor:
        return at_share(probabilities, torch.rand(BLOCK, *probabilities.shape[1:-1], generator=rng)[rows])

    return pick


def _argmax(temperature: float, logits: Tensor, pick: Pick) -> Tensor:
    return logits.max(-1).indices  # argmax takes longer


def _sample(temperature: float, logits: Tensor, pick: Pick) -> Tensor:
    return pick((logits / min(max(temperature, 1e-30), 1e30)).softmax(-1))  # beyond, float32 gives NaN


def label_ends(space: Space, facts: dict[str, Any]) -> list[int]:
    """Return, for each label, how many training rows it and the labels before it have together; nothing without labels.

    Raises:
        ValueError: the facts do not say.
    """
    rows = facts["corpus"]["facts"]["labels"] if space.labels else {}
    counts = [int(rows[name]) for name in space.labels]
    if counts and not (min(counts) >= 0 and 0 < sum(counts) < 1 << 62):
        raise ValueError("the labels' rows are no counts")
    return list(accumulate(counts))


DECODERS = {"argmax": _argmax, "sample": _sample}


def load(path: str | Path) -> Model:
    """Load a model folder, or the model of a run folder.

    Raises:
        TextganError: there is no model.
        CorruptError: a file is not what the manifest says.
    """
    folder = _model_folder(Path(path))
    verify_folder(folder, CONFIG, WEIGHTS, ALPHABET)
    try:
        value = read_record(folder / CONFIG)
        config = Config.model_validate(value.pop("config"))
        space = space_of(json.loads((folder / ALPHABET).read_text(encoding="utf-8")))
        if space.length not in (None, config.text.length):
            raise ValueError("the alphabet is of another length")
        with torch.device("meta"):  # takes no memory, whatever sizes an untrusted config asks for
            net = build_generator(config, space)
        net.load_state_dict(load_file(folder / WEIGHTS), assign=True)
        facts = {key: value[key] for key in value if key not in ("schema", "textgan")}
        label_ends(space, facts)
        model = Model(net.eval().requires_grad_(False), space, config, facts, folder)
        model._temperature  # noqa: B018 - a step that is no number is found here
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptError(f"{folder} is no model that textgan {__version__} can load ({reason})") from error
    return model


def _model_folder(path: Path) -> Path:
    for folder in (path, path / "model"):
        if (folder / WEIGHTS).exists() or (folder / MANIFEST).exists():
            return folder
    if not path.exists():
        raise TextganError(f"{path} does not exist; give a run or model folder, or train one with 'textgan train'")
    raise TextganError(f"{path} holds no trained model; give a run or model folder, or train one with 'textgan train'")


def newest_run(runs: Path = Path("runs")) -> Path:
    """Return the run under `runs` whose model was saved last.

    Raises:
        TextganError: there is none.
    """
    saved = {path.parent.parent: path.stat().st_mtime_ns for path in runs.glob(f"*/model/{WEIGHTS}")}
    if not saved:
        raise TextganError(f"no trained run under {runs}/; train one with 'textgan train', or name a model with -m")
    return max(saved, key=lambda run: (saved[run], run.name))


def card(model: Model) -> str:
    """Write the model card: what it is, how it was made, and the numbers measured."""
    config, facts = model.config, model.facts
    corpus = facts["corpus"]
    return f"""---
library_name: textgan
tags: [gan, {model.space.task}, wgan-gp]
---
# A textgan model of {corpus["name"]}

A generator of {model.space.samples},
trained for {facts["step"]:,} generator steps with the preset `{config.preset}`{_decoded(model)}.

```python
import textgan

{model.space.example}
```

Trained on {corpus["train"]:,} rows of: {corpus["facts"]["title"]}. {model.space.absent}
{_labels(model)}
## Measured

{_measured(facts.get("evaluation"))}
"""


def _decoded(model: Model) -> str:
    return f", decoded by {model.config.text.decode}" if model.space.draws else ""


def _labels(model: Model) -> str:
    """Write which labels samples may be asked for."""
    labels = model.space.labels
    named = ", ".join(labels[:MANY]) + (", ..." if len(labels) > MANY else ".")
    return f"\nA sample may be asked for by its label: {named}\n" if labels else ""


def _measured(evaluation: dict[str, Any] | None) -> str:
    """Write the table of an evaluation."""
    if evaluation is None:
        return "Not at this step: the run was stopped between two evaluations."
    counts = f"{evaluation['samples']:,} generated samples against {evaluation['reference']:,} held-out rows."
    return "\n".join([counts, "", *table(evaluation)])
