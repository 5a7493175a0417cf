"""The built site: every page has its content, and every tutorial shows its script."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md"))
SCRIPT = re.compile(r'title="(docs/examples/\w+\.py)"')
SHOWS = sorted(
    (page, script)
    for page in PAGES
    for script in SCRIPT.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def text_of(page):
    """What a reader of a built page sees."""
    body = re.search(r"<article.*?</article>", page.read_text(encoding="utf-8"), re.DOTALL)[0]
    return html.unescape(re.sub(r"<[^>]+>", "", body))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_its_content(site, page):
    text = text_of((site / page).with_suffix(".html"))
    assert len(text.split()) >= 20
    assert not re.search(r"--\s*8\s*<|8\s*<\s*--", text), "a snippet marker was not replaced"
    assert ":::" not in text, "an API reference was not replaced"
    built = (site / page).with_suffix(".html").read_text(encoding="utf-8")
    unknown = re.findall(r"<m[a-z]+[^>]*>(\\[A-Za-z]+)", built)
    assert unknown == [], "a formula has a command that its converter does not know"


@pytest.mark.parametrize(("page", "script"), SHOWS)
def test_a_tutorial_shows_its_script(site, page, script):
    shown = " ".join(text_of((site / page).with_suffix(".html")).split())
    lines = [line.strip() for line in (ROOT / script).read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line and " ".join(line.split()) not in shown] == []


def test_the_tutorials_have_scripts():
    assert {page for page, _ in SHOWS} >= {
        "tutorials/rerank.md", "tutorials/custom_graph.md", "tutorials/train_with_sgr.md",
    }  # fmt: skip
