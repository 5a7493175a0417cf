"""tools/visualize.py as a user runs it."""

import runpy
import sys
from pathlib import Path

import pytest

from simgraph.features import Features, save_features
from tests.visualization import sample_views as scenes

TOOL = Path(__file__).parents[2] / "tools" / "visualize.py"
SMALL = ["--sim.k", "4", "--sim.num_paths", "3", "--sim.k_query", "4", "--sim.k_gallery", "4"]


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name="__main__")


@pytest.fixture
def file(tmp_path):
    save_features(scenes.features(), tmp_path / "f.npz")
    return tmp_path / "f.npz"


@pytest.mark.parametrize("picture", ["strip", "graph", "distances", "embedding", "cmc"])
def test_each_picture(tmp_path, monkeypatch, capsys, file, picture):
    output = tmp_path / "new" / f"{picture}.png"
    run(monkeypatch, picture, "--features", file, "--output", output, *SMALL)
    assert output.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert f"wrote {output}" in printed
    assert ("d_SIM = α · d_S + (1 − α) · d_M" in printed) == (picture == "graph")


def test_the_query_and_image_asked_for(tmp_path, monkeypatch, capsys, file):
    output = tmp_path / "graph.svg"
    asked = ("--query", 5, "--gallery", 9, "--methods", "sim")
    run(monkeypatch, "graph", "--features", file, "--output", output, *asked, *SMALL)
    assert "query 5, gallery image 9: rank by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "a.gif"], "ending in .png or .svg or .pdf"),
        ([], "expected --output FILE"),
        (["--output", "a.png", "--query", "99"], "query = 99 must be less than 24"),
        (["--output", "a.png", "--trial", "2"], "trial = 2 must be at most 1"),
        (["--output", "a.png", "--sim.k", "24"], "k = 24 must be less than num_gallery = 24"),
        (["--output", "a.png", "--config", "none.yaml"], "none.yaml: no such config file"),
    ],
)
def test_mistakes_are_told(tmp_path, monkeypatch, file, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "strip", "--features", file, *SMALL, *arguments)
    assert not (tmp_path / "a.png").exists()


def test_without_identities_a_query_must_be_named(tmp_path, monkeypatch):
    f = scenes.features()
    save_features(Features(f.query, f.gallery), tmp_path / "f.npz")
    strip = ("strip", "--features", tmp_path / "f.npz", "--output", tmp_path / "a.png", *SMALL)
    with pytest.raises(SystemExit, match="query: expected a number"):
        run(monkeypatch, *strip)
    run(monkeypatch, *strip, "--query", 3)
    assert (tmp_path / "a.png").exists()
