"""The top-level folders `configs` and `data`, found from a checkout and from an installed wheel alike."""

from __future__ import annotations

from pathlib import Path


def folder(name: str) -> Path:
    """Return the folder `configs` or `data`: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def presets() -> list[str]:
    """Return the names of the presets that come with textgan: paths within `configs`."""
    root = folder("configs")
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.toml"))
