"""`simgraph visualize` as a user runs it; `simgraph` itself turns these errors into messages."""

import subprocess
import sys

import pytest

from simgraph.cli.visualize import main
from simgraph.features import Features, save_features
from simgraph.visualization.options import PICTURES
from tests.browser.explorer_pages import Carried
from tests.browser.explorer_views import points
from tests.visualization import sample_views as views

SMALL = ["--sim.k", "4", "--sim.num_paths", "3", "--sim.k_query", "4", "--sim.k_gallery", "4"]


def run(*arguments):
    main([*map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    save_features(views.features(), tmp_path / "f.npz")
    return tmp_path / "f.npz"


@pytest.mark.parametrize("picture", ["strip", "graph", "distances", "embedding", "cmc"])
def test_each_picture(tmp_path, capsys, file, picture):
    output = tmp_path / "new" / f"{picture}.png"
    run(picture, "--features", file, "--output", output, *SMALL)
    assert output.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert f"wrote {output}" in printed
    assert ("d_SIM = α · d_S + (1 − α) · d_M" in printed) == (picture == "graph")


def test_the_explorer_page(tmp_path, capsys):
    save_features(points().features, tmp_path / "features.npz")
    page = tmp_path / "page.html"
    sizes = ["--sim.k", "8", "--sim.num_paths", "4", "--sim.k_gallery", "7"]
    run("explorer", "--features", tmp_path / "features.npz", "--output", page, *sizes)
    assert capsys.readouterr().out == f"wrote {page}\n"
    parameters = Carried(page).about["parameters"]
    assert (parameters["k"], parameters["num_paths"], parameters["k_query"]) == (8, 4, 20)


def test_the_query_and_image_asked_for(tmp_path, capsys, file):
    output = tmp_path / "graph.svg"
    asked = ("--query", 5, "--gallery", 9, "--methods", "sim")
    run("graph", "--features", file, "--output", output, *asked, *SMALL)
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
def test_mistakes_are_reported(tmp_path, monkeypatch, file, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run("strip", "--features", file, *SMALL, *arguments)
    assert not (tmp_path / "a.png").exists()


def test_without_identities_a_query_must_be_named(tmp_path):
    f = views.features()
    save_features(Features(f.query, f.gallery), tmp_path / "f.npz")
    strip = ("strip", "--features", tmp_path / "f.npz", "--output", tmp_path / "a.png", *SMALL)
    with pytest.raises(ValueError, match="query: expected a number"):
        run(*strip)
    run(*strip, "--query", 3)
    assert (tmp_path / "a.png").exists()


HELP = """
import sys
from simgraph.cli.visualize import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
loaded = {"torch", "torch_geometric", "matplotlib", "numba", "sklearn"} & set(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.parametrize("picture", [None, *PICTURES])
def test_help_neither_draws_nor_computes(picture):
    arguments = [] if picture is None else [picture]
    done = subprocess.run(
        [sys.executable, "-c", HELP, *arguments, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ("--output " in done.stdout.partition("─")[2]) == (picture is not None)
    if picture is None:
        assert all(f"• {name}" in done.stdout for name in PICTURES)


def test_the_retired_option_chooses_the_authors_methods(tmp_path, file):
    output = tmp_path / "cmc.svg"
    with pytest.warns(DeprecationWarning, match="sim_authors"):
        run("cmc", "--features", file, "--output", output, "--sim.variant", "authors", *SMALL)
    assert output.is_file()
