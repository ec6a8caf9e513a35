"""Pictures to where they are asked for: a grid, an archive of arrays or a folder, each whole or absent; a preview."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from textgan.cli.progress import in_json, printable
from textgan.errors import TextganError, UsageError
from textgan.files import new_folder, replacing, writing
from textgan.report.pictures import grid, png

if TYPE_CHECKING:
    from textgan.pixels import Pictures, Pixels

FORMS = "grid.png (one picture of all), pictures.npz (arrays) or FOLDER/ (single files)"
MOST, LARGEST = 4096, 1 << 26  # pictures, and pixels, of a grid


@dataclass(frozen=True)
class Album:
    """Pictures that are drawn when they are written."""

    space: Pixels
    """What they are."""
    stream: Callable[[int, str | None], Iterator[list[Pictures]]]
    """Yields the first so many pictures of a class, or of none, in blocks."""
    each: int
    """Pictures of every class below."""
    classes: Sequence[str | None] = (None,)
    """Classes that are asked for one after the other; None: without asking for one."""
    labels: Sequence[str] | None = None
    """The class of each picture in their order; None of a model without."""
    columns: int | None = None
    """Pictures in a row of a grid; None: as makes it square."""

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return self.each * len(self.classes)

    def blocks(self) -> Iterator[list[Pictures]]:
        """Yield all pictures in blocks."""
        return chain.from_iterable(self.stream(self.each, name) for name in self.classes)


def present(album: Album, out: str | None, told: dict[str, Any], as_json: bool) -> None:
    """Write pictures to --out and say so, or show those that fit in the terminal.

    Raises:
        UsageError: --json without --out, or a file that is none of those that pictures go to.
        TextganError: they cannot be written there.
    """
    if out is None and as_json:
        raise UsageError(f"--json tells which files the pictures are in; name them with --out: {FORMS}")
    if out is None:
        _preview(album)
        return
    files = write(out, album)
    if as_json:
        labels = {} if album.labels is None else {"labels": list(album.labels)}
        click.echo(in_json(told | labels | {"files": files}))
        return
    rows = [printable(name) for name in album.classes if name is not None and len(album.classes) > 1]
    told_of = "1 picture is" if album.count == 1 else f"{album.count:,} pictures are"
    click.echo(f"{told_of} in {printable(out)}", err=True)
    if rows:
        click.echo(f"{album.each:,} of each, in this order: {', '.join(rows)}", err=True)


def write(out: str, album: Album) -> list[str]:
    """Write pictures to a path, and return those of the files."""
    path = Path(out)
    folder = out.endswith(("/", os.sep)) or path.is_dir()
    writer = _folder if folder else WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"--out {out}: pictures go to {FORMS}")
    with writing(path, "free some space there, or name another place with --out"):
        return [str(file) for file in writer(path, album)]


def _grid(path: Path, album: Album) -> list[Path]:
    """One PNG file of all pictures beside each other."""
    most = max(min(MOST, LARGEST // album.space.side**2), 1)
    if album.count > most:
        raise UsageError(
            f"a grid of {album.count:,} pictures is too large to look at; up to {most:,} go into one, any number into "
            "--out pictures.npz or --out FOLDER/"
        )
    if not album.count:
        raise UsageError("a grid has pictures; ask for 1 or more with -n")
    with replacing(path.resolve()) as fresh:
        pictures = list(chain.from_iterable(album.blocks()))
        fresh.write_bytes(png(grid(pictures, album.columns)))
    return [path]


def _arrays(path: Path, album: Album) -> list[Path]:
    """An archive that `numpy.load` reads: images (n, y, x, channel) uint8; with classes, labels (n,) and their names.

    Blocks are written as they come, so that any number fits in memory.
    """
    space = album.space
    shape = (album.count, space.side, space.side, space.channels)
    with replacing(path.resolve()) as fresh, zipfile.ZipFile(fresh, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for block in album.blocks():
                file.write(np.asarray(block, dtype=np.uint8).tobytes())
        if album.labels is not None:
            places = {name: place for place, name in enumerate(space.labels)}
            labels = np.array([places[name] for name in album.labels], dtype=np.uint16)
            for name, array in (("labels", labels), ("classes", np.array(space.labels, dtype=np.str_))):
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
    return [path]


def _folder(path: Path, album: Album) -> list[Path]:
    """Single PNG files in a folder that is new or empty."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; name a new or empty folder with --out")
    if path.is_dir() and any(path.iterdir()):
        raise TextganError(f"{path} is not empty, and nothing in it is to be overwritten; name a new or empty folder")
    names, numbers = [], count()
    with new_folder(path.resolve()) as fresh:
        for picture in chain.from_iterable(album.blocks()):
            names.append(f"{next(numbers):06d}.png")
            (fresh / names[-1]).write_bytes(png(picture))
    return [path / name for name in names]


WRITERS = {".png": _grid, ".npz": _arrays}
"""By the end of a file's name."""


def _preview(album: Album) -> None:
    """Show on stdout what fits of the pictures; of several classes a row each."""
    from rich.console import Console

    from textgan.report.preview import rendered, room

    console, many = Console(file=sys.stdout, highlight=False), len(album.classes) > 1
    fit = room(console, album.space.side)
    each = min(album.each, fit.columns if many else fit.places)
    for name in album.classes if each else ():
        if name is not None and many:
            console.print(printable(name), markup=False)
        console.print(rendered(console, list(chain.from_iterable(album.stream(each, name)))))
    shown = each * len(album.classes)
    click.echo(f"{shown:,} of {album.count:,} pictures; --out writes all of them: {FORMS}", err=True)
