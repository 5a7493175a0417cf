"""`simgraph train` checks what it is given before it works."""

import numpy as np
import pytest
from PIL import Image

from simgraph.cli import train
from tests.cli.commands import run
from tests.training.tiny_dataset import write_folder


def test_asks_for_an_output():
    done = run("train", "--dataset.name", "folder")
    assert done.returncode == 1
    assert done.stderr == "error: output: expected a folder for the run, got none; give --output\n"


@pytest.mark.parametrize(
    ("switches", "resume"), [([], False), (["--resume"], True)], ids=["new", "resumed"]
)
def test_passes_its_switches_on(switches, resume, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "_train", lambda config, output, on: seen.append((output, on)))
    train.main([*switches, "--output", "runs/a"])
    assert seen == [("runs/a", resume)]


def test_checks_images_without_training(monkeypatch):
    seen = []
    monkeypatch.setattr(train, "_check", lambda config: seen.append(config.dataset.name))
    train.main(["--check", "--dataset.name", "folder"])
    assert seen == ["folder"]


@pytest.fixture
def thermal(tmp_path):
    """A tiny set whose infrared images have 16 bits, of values from 7200 to 8020."""
    root = write_folder(tmp_path / "faces", images=2)
    for file in root.glob("*/infrared/*/*.png"):
        values = 7200 + np.arange(41 * 30).reshape(41, 30) % 821
        Image.fromarray(values.astype(np.uint16)).save(file)
    return root


_CHECK = ["train", "--check", "--dataset.name", "folder", "--dataset.root"]


def test_the_check_reports_how_images_of_16_bits_are_scaled(thermal):
    done = run(*_CHECK, thermal)
    assert done.returncode == 0, done.stderr
    assert (
        "images of more than 8 bits: 16, raw values 7200 to 8020, scaled from the least to the "
        "greatest value of each image (images.thermal_range); 256 to 256 gray levels kept"
    ) in done.stdout
    assert "fewer than 32" not in done.stderr


def test_the_check_warns_of_a_range_that_keeps_few_levels(thermal):
    done = run(*_CHECK, thermal, "--images.thermal_range", "0", "65535")
    assert done.returncode == 0, done.stderr
    assert "scaled from 0 to 65535 (images.thermal_range); 4 to 4 gray levels kept" in done.stdout
    assert "8 of 8 images of more than 8 bits keep fewer than 32 gray levels" in done.stderr


def test_the_check_names_what_is_left_out_and_a_dangling_link_ends_it(tmp_path):
    root = write_folder(tmp_path / "faces", images=2)
    for name in ("person 0/c1_9.heic", "nobody/c1_0.heic", "person 1/.c1_7.png"):
        file = root / "test" / "visible" / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    done = run(*_CHECK, root)
    assert done.returncode == 0, done.stderr
    assert "left out: 2 (.heic: not an image format that is read): test/visible/nob" in done.stdout
    assert "left out: 1 (hidden): test/visible/person 1/.c1_7.png" in done.stdout
    (root / "test" / "visible" / "carl").symlink_to(tmp_path / "gone")
    done = run(*_CHECK, root)
    assert done.returncode == 1
    assert "carl: expected images, got a link to" in done.stderr
