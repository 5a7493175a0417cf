"""A wheel holds all that the library reads at run time, the shipped configs too."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from simgraph._shipped_configs import shipped_configs

ROOT = Path(__file__).parents[1]
PARTS = ("simgraph", "configs", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
BUILD = "from setuptools.build_meta import build_sdist, build_wheel; {}('made')"


def build(kind, source):
    command = [sys.executable, "-c", BUILD.format(kind)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next((source / "made").iterdir())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel of the sdist, unpacked as an installation would."""
    pytest.importorskip("setuptools", minversion="77")
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    shutil.unpack_archive(build("build_sdist", source), folder / "sdist", filter="data")
    wheel = build("build_wheel", next((folder / "sdist").iterdir()))
    zipfile.ZipFile(wheel).extractall(folder / "wheel")
    return folder / "wheel"


def test_every_file_of_the_package_is_in_the_wheel(installed):
    files = {
        file.relative_to(ROOT)
        for file in (ROOT / "simgraph").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {str(file) for file in files if not (installed / file).is_file()} == set()


def test_the_shipped_configs_are_found_by_name_after_an_installation(installed, tmp_path):
    program = "import simgraph.config as c; from simgraph._shipped_configs import shipped_configs; "
    program += "print(*shipped_configs(), c.__file__); "
    program += "print(c.load_config('sysu_mm01').dataset.name)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(installed)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *names, file, dataset = done.stdout.split()
    assert Path(file).is_relative_to(installed)
    assert (names, dataset) == (list(shipped_configs()), "sysu_mm01")


def test_the_wheel_offers_the_command(installed):
    entries = next(installed.glob("*.dist-info")) / "entry_points.txt"
    assert "simgraph = simgraph.__main__:main" in entries.read_text()
