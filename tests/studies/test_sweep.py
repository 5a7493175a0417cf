"""Sweeps: what their lines mean, what is measured, and what is drawn."""

import re

import pytest

import simgraph as sg
from simgraph.features import load_features
from simgraph.studies import run_study
from simgraph.studies.settings import SweepConfig
from simgraph.studies.sweep import variation
from tests.studies.outputs import report_of, rows_of


def test_a_line_of_a_sweep():
    label, having, values = variation("k=4,8,4,auto", ("baseline", "sgr", "mnnr"))
    assert (label, having) == ("k", {"sgr": ["k"], "mnnr": ["k"]})
    assert values == [4, 8, "auto"]
    _, having, _ = variation("sim.lam=0,1", ("sim", "sim:lam=0.5", "k_reciprocal"))
    assert having == {"sim": ["lam"], "sim:lam=0.5": ["lam"]}
    label, having, values = variation("k_reciprocal.k1=5", ("sim", "k_reciprocal"))
    assert (label, having, values) == ("k_reciprocal.k1", {"k_reciprocal": ["k1"]}, [5])
    _, having, values = variation("k+k_gallery=4", ("sgr", "mnnr", "sim"))
    assert having == {"mnnr": ["k", "k_gallery"], "sim": ["k", "k_gallery"]}
    assert variation("expand=true,false", ("sim",))[2] == [True, False]
    assert [type(v) for v in variation("lam=0,1e-3", ("sim",))[2]] == [int, float]


@pytest.mark.parametrize("text", ["lam", "lam=", "=1", "lam=1,,2", "lamb=1", "k_reciprocal.k1=3"])
def test_lines_that_are_no_sweep(text):
    with pytest.raises(ValueError, match=r"sweep\.vary: expected"):
        variation(text, ("baseline", "sim"))


def test_a_sweep_shares_experiments_and_measures_the_baseline_once(settings, count):
    vary = SweepConfig(vary=("lam=0,0.01,1", "alpha=0,0.3,1"))
    settings = settings.model_copy(update={"sweep": vary, "features": settings.features[:1]})
    results = run_study("sweep", settings)
    # The baseline, SIM as set (λ = 0.01 and α = 0.3 are that again), and four others.
    assert len(count) == 6 and len(results.experiments) == 2 + 6
    swept = {
        (row["parameter"], row["parameter_value"]): float(row["value"])
        for row in rows_of(settings)
        if row["metric"] == "mAP" and row["parameter"]
    }
    assert swept["lam", "0.01"] == swept["alpha", "0.3"]
    assert len(set(swept.values())) > 2
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sgr", k=4, num_paths=3)
    assert swept["alpha", "1"] == pytest.approx(
        sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    )


def test_values_that_a_method_refuses_are_left_out_and_listed(settings):
    settings = settings.model_copy(update={"sweep": SweepConfig(vary=("num_paths=2,99",))})
    run_study("sweep", settings)
    report = report_of(settings)
    assert "| one | sim | num_paths = 99 | num_paths = 99 must be at most k + 1 = 5" in report
    assert re.search(r"\| sim \| no \| 99 \| — \| — \| — \|", report)
    assert {row["parameter_value"] for row in rows_of(settings) if row["parameter"]} == {"2"}


def test_a_sweep_of_which_all_values_are_refused_has_a_report_without_a_figure(settings):
    vary = SweepConfig(vary=("num_paths=99", "lam=7"))
    run_study("sweep", settings.model_copy(update={"sweep": vary}))
    report = report_of(settings)
    assert "| one | sim | num_paths = 99 | num_paths = 99 must be" in report
    assert "![" not in report
    vary = SweepConfig(vary=("num_paths=99", "lam=0,1"))
    run_study("sweep", settings.model_copy(update={"sweep": vary}))
    assert report_of(settings).count("![Metrics over λ on features") == 2
