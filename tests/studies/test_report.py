"""The files of a study: every report is complete, and the table of values is tidy."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from simgraph.studies import STUDIES, experiment, run_study
from simgraph.studies.settings import RobustnessConfig, SweepConfig
from tests.studies.outputs import report_of

METHODS_OF_SIM = ("baseline", "sgr", "mnnr", "sim")


def tables(report):
    """Header cells and row count of each Markdown table."""
    lines = report.splitlines()
    return [
        [cell.strip() for cell in head.strip("|").split("|")]
        for head, rule in pairwise(lines)
        if head.startswith("|") and re.fullmatch(r"[|: -]+", rule)
    ]


@pytest.mark.parametrize("study", STUDIES)
def test_every_report_is_complete_and_says_how_to_read_its_scores(study, settings, monkeypatch):
    # Processes of their own are tested with the measurements; here they would only take time.
    monkeypatch.setattr(experiment, "measure_fresh", experiment.measure)
    settings = settings.model_copy(
        update={
            "methods": ("sim",) if study == "robustness" else (*METHODS_OF_SIM, "ecn"),
            "sweep": SweepConfig(vary=("lam=0,0.5", "ecn.k=3,4")),
            "robustness": RobustnessConfig(images=(4,), noise=(), queries=(9,), repeats=1),
            "params": settings.params.model_validate({"ecn": {"k": 4, "q": 3, "t": 2}}),
        }
    )
    results = run_study(study, settings)
    folder, report = Path(settings.output), report_of(settings)
    assert all(r.measurement is not None for r in results.experiments)
    page = (folder / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", report)
    assert pictures and page.count('<img src="data:image/svg+xml;base64,') == len(pictures)
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
        assert (folder / picture).with_suffix(".svg").is_file()
    scored = [head for head in tables(report) if "mAP" in head or "Δ mAP" in head]
    measured = [head for head in scored if "origin" not in head]
    assert measured and all("transductive" in head for head in measured)
    captions = re.findall(r"^(?:one|two): features, .*$", report, re.MULTILINE)
    for caption in [*captions, *re.findall(r"!\[(.*?)\]\(", report)]:
        assert "30 gallery images of 6 identities (5 per identity)" in caption
        assert "protocol plain" in caption and "features L2-normalized" in caption
    assert captions and ("| ecn | yes |" in report) == (study != "robustness")
    assert ("39.90" in report) == (study == "ablation")
