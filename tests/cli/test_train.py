"""`simgraph train` checks what it is given before it works."""

import pytest

from simgraph.cli import train
from tests.cli.commands import run


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
