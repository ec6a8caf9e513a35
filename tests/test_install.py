"""The wheel in an environment of its own, used from another folder."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from textgan.corpora import cards
from textgan.resources import presets

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # without hatchling at hand pip fetches it for the build
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("textgan-*.whl"))


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that holds the wheel, and sees the other packages of this one behind it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*command, str(wheel)], check=True)
    packages = subprocess.check_output(
        [scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    (Path(packages.strip()) / "others.pth").write_text(sysconfig.get_path("purelib"))
    return scripts


def test_the_wheel_holds_presets_cards_and_the_marker_of_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"textgan/configs/{name}.toml" for name in presets()} <= names
    assert {f"textgan/data/{name}.toml" for name in cards.names()} <= names
    assert "textgan/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_the_installed_command_trains_and_generates_elsewhere(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("".join(f"a cat sat on mat {k}\n" for k in range(300)))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TEXTGAN_", "PYTHONPATH"))}
    environ["TEXTGAN_CACHE"] = str(tmp_path / "cache")

    def run(*arguments: str) -> str:
        environment = environ | {"TEXTGAN_CACHE": str(tmp_path / "cache")}
        return subprocess.check_output(
            [scripts / arguments[0], *arguments[1:]], cwd=tmp_path, env=environment, text=True
        )

    place = run("python", "-c", "import textgan; print(textgan.__file__)").strip()
    assert Path(place).is_relative_to(scripts.parent)
    assert 'net = "none"' in run("textgan", "config", "show", "-c", "counts")
    run("textgan", "train", "--corpus", "text.txt", "-c", "smoke")
    assert run("textgan", "generate", "-n", "7").count("\n") == 7
    assert run("python", "-m", "textgan", "generate", "-n", "7", "--out", "lines.txt") == ""
