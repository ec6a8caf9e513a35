"""How fast textgan is here, beside the same mathematics written plainly. Importing this costs nothing."""

from __future__ import annotations

from typing import NamedTuple


class Benchmark(NamedTuple):
    """Where a benchmark is: a module with `cases(setup)`, and which options it looks at."""

    module: str
    summary: str
    options: tuple[str, ...] = ()
    least: int = 2
    """The smallest count."""


BENCHMARKS = {
    "step": Benchmark("textgan.bench.step", "what training takes", ("widths",)),
    "pictures": Benchmark("textgan.bench.pictures", "what training takes of pictures", ("widths",)),
    "sample": Benchmark("textgan.bench.sample", "sequences from a trained model", ("widths", "count")),
    "ngrams": Benchmark("textgan.bench.ngrams", "n-gram divergence and Self-BLEU", ("count",)),
    "load": Benchmark("textgan.bench.load", "text to rows of ids", ("count",), least=50),
    "startup": Benchmark("textgan.bench.startup", "what a command takes before it begins to work"),
}
