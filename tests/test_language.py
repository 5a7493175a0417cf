"""One word for one thing: words and forms that a reader of the field would not expect."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "docs/**/*.py", "simgraph/**/*.py", "tools/**/*.py",
                    "simgraph/**/*.js", "simgraph/**/*.html", "configs/*.yaml", "tests/**/*.py")
    for file in ROOT.glob(pattern)
    if "vendor" not in file.parts and file.name != "test_language.py"
)  # fmt: skip

RATES = (
    r"\b(images?|files?|rows?|one|columns?|panels?|lines?|values?|bytes|folders?|models?|"
    r"experiments?) an? (identity|trial|row|metric|method|cell|query|camera|edge|epoch)\b"
)
OLD_NAME = re.compile(r"old name|`generalise`")
UNUSUAL = {
    RATES: '"per" says a rate: images per identity',
    r"\braw distances\b": "baseline",
    r"\bpeers?\b": "other methods, or re-ranking baselines",
    r"THE SEAM|THE LINE": "dispatch, pipeline",
    r"\bheld to the (torch )?reference\b": "tested against the reference",
    r"\bstriking_(query|image)\b": "most_changed_query",
    r"\b(neighbour|normalis|grey|colour|generalis|centre)": "American spelling",
}


@pytest.mark.parametrize("form", UNUSUAL)
def test_no_text_has_an_unusual_form(form):
    pattern = re.compile(form)
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:90]}"
        for file in TEXTS
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line) and not OLD_NAME.search(line)
    ]
    assert found == [], UNUSUAL[form]
