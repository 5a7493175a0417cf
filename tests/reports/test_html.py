"""The self-contained page: text is escaped, pictures are embedded, nothing is loaded."""

import base64
import re
from html.parser import HTMLParser

import pytest

from simgraph.reports.html import Code, Figure, Heading, Paragraph, Table, write_page

# A PNG of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


class Reader(HTMLParser):
    """Tags with their attributes, text, and whether every tag is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def write(tmp_path, *parts, title="A page"):
    write_page(tmp_path / "page.html", title, parts)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    read = Reader(page)
    assert not read.open
    return page, read


def test_text_is_escaped_everywhere(tmp_path):
    evil = '<script>alert("x")</script> & \'"'
    (tmp_path / "x.png").write_bytes(PIXEL)
    _, read = write(
        tmp_path, Heading(evil), Paragraph(evil), Code(evil),
        Table([[evil, "n"], [evil, "1"]], evil), Figure(tmp_path / "x.png", evil), title=evil,
    )  # fmt: skip
    assert "script" not in {tag for tag, _ in read.tags}
    assert "".join(read.text).count(evil) == 9  # title and h1 too
    assert [attrs["alt"] for tag, attrs in read.tags if tag == "img"] == [evil]


def test_pictures_are_embedded_in_the_page_and_nothing_is_loaded(tmp_path):
    (tmp_path / "x.png").write_bytes(PIXEL)
    (tmp_path / "y.SVG").write_text(SVG)
    page, read = write(tmp_path, Figure(tmp_path / "x.png", "a"), Figure(tmp_path / "y.SVG", "b"))
    sources = [attrs["src"] for tag, attrs in read.tags if tag == "img"]
    assert base64.b64decode(sources[0].removeprefix("data:image/png;base64,")) == PIXEL
    assert base64.b64decode(sources[1].removeprefix("data:image/svg+xml;base64,")).decode() == SVG
    assert not re.search(r"https?:|url\(|@import|<link|<script", page)


def test_numbers_are_aligned_to_the_right_and_names_to_the_left(tmp_path):
    rows = [["method", "mAP", "CI"], ["sim", "73.62 ± 0.10", "−0.1 to 2"], ["sgr", "—", "+3"]]
    _, read = write(tmp_path, Table(rows, "a caption"))
    classes = [attrs.get("class") for tag, attrs in read.tags if tag in ("td", "th")]
    assert classes == [None, "number", "number"] * 3
    _, read = write(tmp_path, Table([["only", "headings"]], "no rows"))
    assert all("class" not in attrs for tag, attrs in read.tags if tag == "th")


def test_contents_lead_to_the_headings(tmp_path):
    _, read = write(tmp_path, *(Heading(name) for name in ("Fig. 4: λ", "Two", "Three")))
    links = [attrs["href"] for tag, attrs in read.tags if tag == "a"]
    anchors = [attrs["id"] for tag, attrs in read.tags if tag == "h2"]
    assert links == [f"#{anchor}" for anchor in anchors] == ["#fig-4-λ", "#two", "#three"]
    _, read = write(tmp_path, Heading("Alone"))
    assert "nav" not in {tag for tag, _ in read.tags}


def test_bad_parts_leave_the_old_page(tmp_path):
    before, _ = write(tmp_path, Paragraph("old"))
    (tmp_path / "x.gif").write_bytes(b"GIF")
    for part, error, words in (
        (Figure(tmp_path / "x.gif", "a"), ValueError, r"x\.gif: expected a figure of"),
        (Figure(tmp_path / "none.png", "a"), FileNotFoundError, r"none\.png"),
        (Table([["a", "b"], ["1"]], "a"), ValueError, "expected rows of 2"),
    ):
        with pytest.raises(error, match=words):
            write(tmp_path, part)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page.html", "x.gif"]
