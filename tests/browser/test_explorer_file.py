"""The explorer's file, read without a browser."""

import base64
import hashlib
import re
import runpy
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from simgraph.config import SIMConfig
from simgraph.distances import l2_distance
from simgraph.features import Features, save_features
from simgraph.visualization.explorer.data import page_data
from simgraph.visualization.explorer.page import write_explorer
from simgraph.visualization.trial_view import scene_of_features
from tests.browser.explorer_pages import Carried
from tests.browser.explorer_views import HOSTILE, pictures, points

ROOT = Path(__file__).parents[2]
SMALL = SIMConfig(k=8, num_paths=4, k_query=7, k_gallery=7)


class Elements(HTMLParser):
    """What a browser would find in a page: start tags, and the text of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.policy = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("script", "style"):
            self.texts.append("")
        if dict(attributes).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attributes)["content"]

    def handle_data(self, data):
        if self.tags and self.cdata_elem:
            self.texts[-1] += data


def unit(rows):
    return torch.nn.functional.normalize(rows, dim=1)


def test_small_sets_are_exact(tmp_path):
    scene = points()
    write_explorer(scene, tmp_path / "page.html", SMALL)
    carried, f = Carried(tmp_path / "page.html"), scene.features
    query, gallery = unit(f.query), unit(f.gallery)
    assert torch.equal(carried.d_qg.float(), l2_distance(query, gallery))
    d_gg = l2_distance(gallery, gallery)
    near = carried.d_gg < 1e6
    assert torch.equal(carried.d_gg[near].float(), d_gg[near])
    assert (near.sum(1) == 40).all()


@pytest.mark.parametrize(("max_mib", "bits"), [(0.66, 20), (0.565, 16)])
def test_levels_are_as_near_as_the_page_says(tmp_path, max_mib, bits):
    scene = points(120, 500)
    write_explorer(scene, tmp_path / "page.html", SMALL, max_mib=max_mib)
    carried, f = Carried(tmp_path / "page.html"), scene.features
    form = carried.about["distances"]
    assert form["bits"] == bits
    error = (carried.d_qg - l2_distance(unit(f.query), unit(f.gallery)).double()).abs().max()
    assert 0.9 * form["step"] / 2 < error <= 1.001 * form["step"] / 2
    assert f"{form['step'] / 2:.1e}" in form["precision"]


def test_candidates_are_the_nearest(tmp_path):
    scene = points(120, 500)
    write_explorer(scene, tmp_path / "page.html", SMALL, max_mib=0.515)
    carried, f = Carried(tmp_path / "page.html"), scene.features
    m, d = carried.about["distances"]["candidates"], l2_distance(unit(f.query), unit(f.gallery))
    assert 50 <= m < 500
    index = d.sort(dim=1, stable=True).indices[:, :m]
    wanted = torch.full_like(d, torch.inf).scatter(1, index, d.gather(1, index))
    assert torch.equal(carried.d_qg.float(), wanted)


def test_equal_distances_everywhere(tmp_path):
    rows = np.eye(3, dtype=np.float32)[np.zeros(60, int)]
    scene = scene_of_features(Features(rows[:9], rows))
    write_explorer(scene, tmp_path / "page.html", SMALL, normalize=False)
    assert (Carried(tmp_path / "page.html").d_qg == 0).all()


def test_names_stay_in_their_place(tmp_path):
    write_explorer(pictures(tmp_path), tmp_path / "page.html", SMALL)
    carried = Carried(tmp_path / "page.html")
    assert carried.about["query"]["names"][: len(HOSTILE)] == list(HOSTILE)
    write_explorer(points(), tmp_path / "plain.html", SMALL)
    plain, hostile = (
        Elements((tmp_path / name).read_text(encoding="utf-8")).tags
        for name in ("plain.html", "page.html")
    )
    assert hostile == plain


def test_only_its_own_scripts_may_run_and_nothing_be_fetched(tmp_path):
    write_explorer(points(), tmp_path / "page.html", SMALL)
    elements = Elements((tmp_path / "page.html").read_text(encoding="utf-8"))
    style, *_, d3, script = elements.texts
    rules = dict(rule.strip().split(" ", 1) for rule in elements.policy.split(";"))
    assert rules.pop("script-src").split() == [_named(d3), _named(script)]
    assert rules.pop("style-src") == _named(style)
    assert rules.pop("img-src") == "data:"
    assert set(rules) == {"default-src", "base-uri", "form-action"}
    assert set(rules.values()) == {"'none'"}
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def _named(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_thumbnails_give_way(tmp_path, caplog):
    scene = pictures(tmp_path)
    write_explorer(scene, tmp_path / "page.html", SMALL)
    assert len(Carried(tmp_path / "page.html").thumbnails["gallery"]) == 44
    assert page_data(scene, SMALL, True, max_bytes=30_000).thumbnails is None
    assert "no room for 58 thumbnails" in caplog.text


@pytest.mark.parametrize(
    ("name", "sim", "options", "message"),
    [
        ("page.png", SMALL, {}, "ending in .html"),
        ("page.html", SIMConfig(k=66), {}, "k = 66 must be less than num_gallery = 66"),
        ("page.html", SIMConfig(k=7, k_gallery=7), {}, "num_paths = 9 must be at most"),
        ("page.html", SMALL, {"max_mib": 0.01}, "raise max_mib"),
        ("page.html", SIMConfig(k=0, num_paths=1, k_gallery=0), {"max_mib": 0.01}, "candidates"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, name, sim, options, message):
    with pytest.raises(ValueError, match=message):
        write_explorer(points(), tmp_path / name, sim, **options)
    assert not (tmp_path / name).exists()


def test_the_tool_writes_a_page(tmp_path, monkeypatch, capsys):
    save_features(points().features, tmp_path / "features.npz")
    page = tmp_path / "page.html"
    arguments = ["explorer", "--features", str(tmp_path / "features.npz"), "--output", str(page)]
    sizes = ["--sim.k", "8", "--sim.num_paths", "4", "--sim.k_gallery", "7"]
    monkeypatch.setattr(sys, "argv", ["visualize.py", *arguments, *sizes])
    runpy.run_path(str(ROOT / "tools/visualize.py"), run_name="__main__")
    assert capsys.readouterr().out == f"wrote {page}\n"
    parameters = Carried(page).about["parameters"]
    assert (parameters["k"], parameters["num_paths"], parameters["k_query"]) == (8, 4, 20)
