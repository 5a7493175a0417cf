"""The page: its parts, its content policy, and what it refuses."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from simgraph.config import SIMConfig
from simgraph.visualization.explorer.page import write_explorer
from tests.browser.explorer_pages import Carried
from tests.browser.explorer_views import HOSTILE, pictures, points

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
