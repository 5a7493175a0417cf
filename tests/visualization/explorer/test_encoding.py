"""What a page carries is what Python computes, as precisely as its size allows."""

import numpy as np
import pytest
import torch

from simgraph.config import SIMConfig
from simgraph.distances import l2_distance
from simgraph.features import Features
from simgraph.visualization.explorer.data import page_data
from simgraph.visualization.explorer.encoding import encode_rows, text_length
from simgraph.visualization.explorer.page import write_explorer
from simgraph.visualization.trial_view import trial_view_of_features
from tests.browser.explorer_pages import Carried
from tests.browser.explorer_views import pictures, points

SMALL = SIMConfig(k=8, num_paths=4, k_query=7, k_gallery=7)


def unit(rows):
    return torch.nn.functional.normalize(rows, dim=1)


def test_small_sets_are_exact(tmp_path):
    view = points()
    write_explorer(view, tmp_path / "page.html", SMALL)
    carried, f = Carried(tmp_path / "page.html"), view.features
    query, gallery = unit(f.query), unit(f.gallery)
    assert torch.equal(carried.d_qg.float(), l2_distance(query, gallery))
    d_gg = l2_distance(gallery, gallery)
    near = carried.d_gg < 1e6
    assert torch.equal(carried.d_gg[near].float(), d_gg[near])
    assert (near.sum(1) == 40).all()


@pytest.mark.parametrize("max_mib", [0.66, 0.565])
def test_levels_are_as_near_as_the_page_says(tmp_path, max_mib):
    view = points(120, 500)
    write_explorer(view, tmp_path / "page.html", SMALL, max_mib=max_mib)
    carried, f = Carried(tmp_path / "page.html"), view.features
    form = carried.about["distances"]
    assert form["bits"] == 16
    error = (carried.d_qg - l2_distance(unit(f.query), unit(f.gallery)).double()).abs().max()
    assert 0.9 * form["step"] / 2 < error <= 1.001 * form["step"] / 2
    assert f"{form['step'] / 2:.1e}" in form["precision"]


def test_candidates_are_the_nearest(tmp_path):
    view = points(120, 500)
    write_explorer(view, tmp_path / "page.html", SMALL, max_mib=0.515)
    carried, f = Carried(tmp_path / "page.html"), view.features
    m, d = carried.about["distances"]["candidates"], l2_distance(unit(f.query), unit(f.gallery))
    assert 50 <= m < 500
    index = d.sort(dim=1, stable=True).indices[:, :m]
    wanted = torch.full_like(d, torch.inf).scatter(1, index, d.gather(1, index))
    assert torch.equal(carried.d_qg.float(), wanted)


def test_equal_distances_everywhere(tmp_path):
    rows = np.eye(3, dtype=np.float32)[np.zeros(60, int)]
    view = trial_view_of_features(Features(rows[:9], rows))
    write_explorer(view, tmp_path / "page.html", SMALL, normalize=False)
    assert (Carried(tmp_path / "page.html").d_qg == 0).all()


def test_the_most_precise_form_that_fits_is_taken():
    d = np.random.default_rng(0).random((3, 400), dtype=np.float32)
    exact, levels = 3 * text_length(1600), 3 * text_length(800)
    forms = {
        room: encode_rows(d, room, k_query=20)[0] for room in (exact, exact - 1, levels, levels - 1)
    }
    assert [form["bits"] for form in forms.values()] == [32, 16, 16, 32]
    assert [form["candidates"] for form in forms.values()] == [None, None, None, 99]
    for room in forms:
        form, text = encode_rows(d, room, k_query=20)
        assert len(text) == 3 * form["row_chars"] <= room
    with pytest.raises(ValueError, match="room for 99 candidates of each query, expected at least"):
        encode_rows(d, levels - 1, k_query=100)


def test_thumbnails_give_way(tmp_path, caplog):
    view = pictures(tmp_path)
    write_explorer(view, tmp_path / "page.html", SMALL)
    assert len(Carried(tmp_path / "page.html").thumbnails["gallery"]) == 44
    assert page_data(view, SMALL, True, max_bytes=30_000).thumbnails is None
    assert "no room for 58 thumbnails" in caplog.text
