"""One headless Chromium for all tests here; every page is watched for requests and errors."""

import shutil

import pytest

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("chromium is missing: apt-get install chromium, or make test-browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Open a file; in the end nothing may have been requested, logged or thrown."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    troubles = []

    def watched(file, fragment=""):
        page = context.new_page()
        page.on("request", lambda r: None if own(r.url, file) else troubles.append(r.url))
        page.on("console", lambda m: troubles.append(m.text))
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("dialog", lambda d: troubles.append(d.message))
        page.goto(f"{file.as_uri()}{fragment}")
        page.wait_for_selector("html[data-ready=true]", timeout=20_000)
        return page

    def own(url, file):
        return url.startswith("data:") or url.split("#")[0] == file.as_uri()

    yield watched
    context.close()
    assert not troubles
