"""What holds for every picture: it is drawn and written, survives any name, and needs no window."""

import importlib
import sys

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import simgraph as sg
from simgraph.visualization import plots
from tests.visualization.sample_views import K, unlabeled

pytestmark = pytest.mark.filterwarnings("error")

HOSTILE_METHODS = ("baseline", "$\\frac{", "<b>\n", "x" * 300)


def every_picture(shown, distances, graph):
    """Each kind of picture, from the same view."""
    why = sg.explain(graph, 1, 7, **K)
    rows = {method: d[1] for method, d in distances.items()}
    yield "strips", plots.draw_ranked_lists(shown, 1, rows, top=5)
    yield "graph", plots.draw_neighbor_graph(shown, graph, why)
    if shown.features.query_pids is not None:
        yield "distances", plots.draw_distance_histograms(shown, distances)
        yield "embedding", plots.draw_tsne(shown, k=4)
        scores = {
            method: sg.evaluate(d, *2 * [shown.features.query_pids], protocol="plain").cmc
            for method, d in distances.items()
        }
        yield "cmc", plots.draw_cmc(scores)


@pytest.mark.parametrize("labeled", [True, False], ids=["labeled", "unlabeled"])
@pytest.mark.parametrize("images", [True, False], ids=["images", "no images"])
def test_every_picture_is_written(tmp_path, view, bare, distances, graph, images, labeled):
    shown = view if images else bare
    shown = shown if labeled else unlabeled(shown)
    hostile = dict(zip(HOSTILE_METHODS, 4 * [*distances.values()], strict=False))
    for name, figure in every_picture(shown, hostile, graph):
        file = tmp_path / f"{name}.png"
        plots.save_figure(figure, file)
        with Image.open(file) as picture:
            width, height = np.round(figure.get_size_inches() * 200)
            assert abs(picture.width - width) <= 1 and abs(picture.height - height) <= 1
            assert 300 < picture.width < 3000 and 200 < picture.height < 3000
            # Something is drawn, and something is left white.
            pixels = np.asarray(picture.convert("L"))
            assert 0.005 < (pixels < 200).mean() < 0.7


def test_vectors_are_written_and_the_same_each_time(tmp_path, view, distances, graph):
    for (name, once), (_, again) in zip(
        *(every_picture(view, distances, graph) for _ in range(2)), strict=True
    ):
        files = [tmp_path / f"{name}{number}.svg" for number in (1, 2)]
        for figure, file in zip((once, again), files, strict=True):
            plots.save_figure(figure, file)
        assert files[0].read_bytes().startswith(b"<?xml")
        assert files[0].read_bytes() == files[1].read_bytes()
        plots.save_figure(once, tmp_path / f"{name}.pdf")
        written = (tmp_path / f"{name}.pdf").read_bytes()
        assert written.startswith(b"%PDF") and b"/FontType 3" not in written


def test_the_users_settings_neither_matter_nor_change(tmp_path, bare, distances, graph):
    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        changed = [f.get_size_inches() for _, f in every_picture(bare, distances, graph)]
        plots.save_figure(plots.draw_cmc({"sim": [0.5, 1.0]}), tmp_path / "a.svg")
        assert dict(matplotlib.rcParams) == before
    usual = [f.get_size_inches() for _, f in every_picture(bare, distances, graph)]
    np.testing.assert_array_equal(changed, usual)
    plots.save_figure(plots.draw_cmc({"sim": [0.5, 1.0]}), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def forget_pictures(monkeypatch):
    for name in [*sys.modules]:
        if name.startswith("simgraph.visualization.plots"):
            monkeypatch.delitem(sys.modules, name)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    forget_pictures(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"simgraph\[viz\]"):
        importlib.import_module("simgraph.visualization.plots.ranked_lists")


def test_no_window_system_is_touched(tmp_path, monkeypatch, distances, bare):
    forget_pictures(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    plots = importlib.import_module("simgraph.visualization.plots")
    plots.save_figure(
        plots.draw_ranked_lists(bare, 0, {"sim": distances["sim"][0]}), tmp_path / "a.png"
    )


def test_pictures_of_identities_need_them(bare):
    with pytest.raises(ValueError, match="expected identities to tell pairs apart"):
        plots.draw_distance_histograms(unlabeled(bare), {"sim": torch.ones(24, 24)})
    with pytest.raises(ValueError, match="expected identities to color images by"):
        plots.draw_tsne(unlabeled(bare))
