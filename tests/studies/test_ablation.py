"""The ablation: scores, and the paper's values apart from them."""

import json
import re
from pathlib import Path

import simgraph as sg
from simgraph.features import load_features
from simgraph.studies import StudyConfig, run_study
from tests.studies.outputs import report_of, rows_of

SMALL_PARAMS = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 4}


def test_ablation_has_the_scores_of_calls_by_hand(settings, files):
    run_study("ablation", settings)
    got = {
        (row["dataset"], row["method"], row["metric"]): float(row["value"])
        for row in rows_of(settings)
    }
    assert len(got) == 2 * 4 * 7  # two files, four methods, six scores and the time
    for name, file in zip(("one", "two"), files, strict=True):
        f = load_features(file)
        d = sg.rerank(f.query, f.gallery, "sim", **SMALL_PARAMS)
        wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
        assert got[name, "sim", "mAP"] == wanted.mAP
        assert f"{100 * wanted.mAP:.2f}" in report_of(settings)
    held = json.loads((Path(settings.output) / "results.json").read_text())
    assert [r["scores"]["mAP"] for r in held["records"] if r["method"] == "sim"] == [
        got["one", "sim", "mAP"], got["two", "sim", "mAP"],
    ]  # fmt: skip
    assert held["sets"]["one"]["shots"] == [5, 5] and held["versions"]["torch"]


def test_published_values_have_their_own_section_and_are_marked(settings):
    run_study("ablation", settings)
    before, section = report_of(settings).split("## Published values, not measured here")
    assert not re.search(r"39\.90|53\.93|60\.88|56\.93", before)
    assert section.count("published, not measured") == 4
    assert not any(row["value"].startswith(("0.6088", "0.399")) for row in rows_of(settings))


def test_real_features_give_the_documented_scores(shared, tmp_path):
    file = shared / "features" / "mfeat_fou2kar_cca.npz"
    settings = StudyConfig(features=(str(file),), output=str(tmp_path))
    run_study("ablation", settings)
    assert "| sim | no | 76.00 | 73.62 | 44.09 |" in report_of(settings)
