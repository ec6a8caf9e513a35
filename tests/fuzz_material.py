"""What is damaged: small files of every kind, made by the toolkit itself or as it reads them."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import picture_files as made

SMOKE = "train -c smoke --steps 2 -s evaluation.samples=20 -s generator.width=4 -s critic.width=4"
WORDS = ["the", "a", "cat", "dog", "runs", "sleeps", "under", "garden"]
MINE = """
preset = "smoke"
[corpus]
name = "text.txt"
heldout = 0.2
[text]
length = 12
cut = "line"
[generator]
betas = [0.5, 0.9]
relaxation = "gumbel_softmax"
width = 4
[critic]
width = 4
[game]
penalties = { r1 = 1.0, r2 = 2.0 }
[training]
steps = 2
[evaluation]
samples = 20
"""
SWEEP = """
[sweep]
jobs = 2
preset = "smoke"
columns = ["jsd.2", "words"]
[settings]
corpus.name = "text.txt"
training = { steps = 2, evaluate_every = 1000 }
evaluation.samples = 50
[axes]
training.seed = [0, 1]
[axes.method]
soft = { generator.relaxation = "softmax" }
hard = { generator.relaxation = "straight_through" }
"""
RULES = r"""S -> NP " " VP [0.7] | "no" [0.3]
NP -> "a " N | "the " N [3]  # a comment
N -> "cat"
   | "dog"
VP -> "says \"" N "\"" | "" | N " " VP
"""


def make(what: str, scratch: Path) -> None:
    """Make the material of a kind in `scratch/home`: in a child, so that this process stays without threads."""
    process = os.fork()
    if not process:
        code = 1
        try:
            work = scratch / "work"  # where rows in the cache will be looked for, too
            work.mkdir()
            os.chdir(work)
            os.environ.update(TEXTGAN_CACHE=str(work / "cache"), TEXTGAN_CORPUS__PROCESSES="1")
            MATERIAL[what](work)
            shutil.copytree(work, scratch / "home")
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(process, 0)[1]:
        raise SystemExit(f"no material of {what} could be made")
    os.environ.update(TEXTGAN_CACHE=str(scratch / "work" / "cache"), TEXTGAN_CORPUS__PROCESSES="1", HF_HUB_OFFLINE="1")


def textgan(command: str) -> None:
    from textgan.cli.main import main

    if code := main(command.split()):
        raise SystemExit(code)


def lines(count: int = 120) -> list[str]:
    pick = random.Random(0)
    return [" ".join(pick.choices(WORDS, k=pick.randint(1, 4))) + f" {number % 7}" for number in range(count)]


def _text(work: Path) -> None:
    (work / "text.txt").write_text("\n".join(lines()) + "\n", encoding="utf-8")
    (work / "labelled.tsv").write_text(
        "label\ttext\n" + "".join(f"{'ab'[i % 2]}\t{line}\n" for i, line in enumerate(lines()))
    )


def _models(work: Path) -> None:
    _text(work)
    textgan(f"{SMOKE} --corpus text.txt --run first")
    textgan(f"{SMOKE} --corpus text.txt --run second --seed 1")
    textgan(f"{SMOKE} --corpus labelled.tsv --label-column label --run labelled")
    textgan(f"{SMOKE} --corpus text.txt -s text.unit=piece -s text.max_symbols=300 --run pieces")
    textgan("train --corpus 8gaussians --steps 1 -s evaluation.samples=20 -s training.batch=8 --run points")
    for name in ("first", "labelled", "pieces", "points"):
        shutil.move(work / "runs" / name / "model", work / name.replace("first", "plain"))
        shutil.copytree(work / name.replace("first", "plain"), work / "runs" / name / "model")
    _album(work / "album")


def _album(folder: Path) -> None:
    """A model of pictures that was not trained."""
    from textgan.config import Config
    from textgan.model import Model, build_generator
    from textgan.spaces import Image

    generator = {"net": "mlp", "width": 4, "blocks": 1, "latent": 4, "relaxation": "tanh"}
    config, space = Config.model_validate({"generator": generator}), Image(8, 1, ("cat", "owl"))
    facts = {"title": "t", "split": "hash", "classes": ["cat", "owl"], "labels": {"cat": 6, "owl": 2}}
    corpus = {"name": "tiny", "fingerprint": "ab", "train": 8, "facts": facts}
    Model(build_generator(config, space), space, config, {"step": 1, "corpus": corpus, "evaluation": None}).save(folder)


def _checkpoints(work: Path) -> None:
    _text(work)
    textgan(f"{SMOKE} --corpus text.txt --run first -s training.evaluate_every=1 -s training.log_every=1")


def _corpora(work: Path) -> None:
    _text(work)
    content = (work / "text.txt").read_bytes()
    import zstandard

    (work / "text.txt.gz").write_bytes(gzip.compress(content))
    (work / "text.txt.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    with zipfile.ZipFile(work / "text.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/one.txt", content[:1500])
        packed.writestr("two.txt", content[1500:])
    for name, mode in (("text.tar", "w"), ("text.tar.gz", "w:gz")):
        with tarfile.open(work / name, mode) as tar:  # type: ignore[call-overload]
            tar.add(work / "text.txt", "one.txt")
            tar.add(work / "labelled.tsv", "deep/two.txt")
    for name, dialect in (("text.csv", "excel"), ("text.tsv", "excel-tab")):
        with (work / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, dialect).writerows(
                [["id", "text"], *([i, line + ', "x"'] for i, line in enumerate(lines()))]
            )
    (work / "text.jsonl").write_text(
        "".join(json.dumps({"id": i, "text": line}) + "\n" for i, line in enumerate(lines()))
    )
    (work / "folder" / "b").mkdir(parents=True)
    (work / "folder" / "a.txt").write_bytes(content)
    (work / "folder" / "b" / "c.txt.gz").write_bytes(gzip.compress(content))
    (work / "rules.txt").write_text(RULES)
    _parquet(work / "text.parquet")
    textgan("prepare text.txt -c smoke")


def _parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": lines(), "id": range(len(lines()))}), path)


def _config(work: Path) -> None:
    from textgan.settings import resolve

    _text(work)
    (work / "mine.toml").write_text(MINE)
    (work / "sweep.toml").write_text(SWEEP)
    (work / "run").mkdir()
    config = resolve("mine.toml").config.model_dump(mode="json")
    (work / "run" / "run.json").write_text(json.dumps({"schema": 1, "config": config}))
    textgan("prepare text.txt -c mine.toml")


def _pictures(work: Path) -> None:
    train, test = made.side(20, 0), made.side(10, 1)
    small = [made.side(count, seed, size=8) for count, seed in ((20, 0), (10, 1))]
    grey = [made.side(count, seed, size=28, channels=1) for count, seed in ((20, 0), (10, 1))]
    names = [f"class {number}" for number in range(10)]
    made.npz(work, train, test, names).rename(work / "a.npz")
    made.idx(work / "idx", *grey)
    made.mat(work / "mat", train, test)
    made.binary10(work / "binary", train, test, names)
    made.python10(work / "python", train, test, names, made.python2)
    made.packed(work / "python" / "cifar-10-batches-py", work / "python.tar.gz")
    made.parquet(work / "hub", train, test, names)
    for kind in ("train", "val"):
        made.database(work / "lsun" / f"bedroom_{kind}_lmdb", [made.encoded(one) for one in small[0].pixels])
    for i, picture in enumerate(small[0].pixels):
        path = work / "folder" / "ab"[i % 2] / f"{i}.{('png', 'jpg', 'bmp', 'gif')[i % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.encoded(picture, ("PNG", "JPEG", "BMP", "GIF")[i % 4]))


MATERIAL: dict[str, Callable[[Path], None]] = {
    "models": _models, "checkpoints": _checkpoints, "corpora": _corpora, "config": _config, "pictures": _pictures,
}  # fmt: skip
