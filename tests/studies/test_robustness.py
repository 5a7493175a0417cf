"""Robustness: which rows and queries are measured, and what gains are compared with."""

import re

import numpy as np

import simgraph as sg
from simgraph.features import load_features, save_features
from simgraph.studies import run_study
from simgraph.studies.settings import RobustnessConfig
from tests.studies.conftest import make_features
from tests.studies.outputs import report_of


def test_robustness_measures_the_whole_set_too_and_has_the_same_draws_for_all(settings):
    axes = RobustnessConfig(images=(2, 50), distractors=(0.0,), noise=(), queries=(9,), repeats=2)
    settings = settings.model_copy(
        update={"robustness": axes, "features": settings.features[:1], "methods": ("sgr",)}
    )
    results = run_study("robustness", settings)
    values = {(r.parameter, r.parameter_value) for r in results.experiments}
    assert values == {
        ("images", 2), ("images", 5), ("distractors", 0.0), ("queries", 9), ("queries", 30),
    }  # fmt: skip
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sgr", k=4, num_paths=3)
    wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    whole = [r for r in results.experiments if (r.parameter_value, r.method) == (5, "sgr")]
    assert [r.measurement.scores["mAP"] for r in whole] == [wanted] * 2
    fewer = [r for r in results.experiments if r.parameter_value == 9]
    by_draw = {
        r.repeat: {o.query_fingerprint for o in fewer if o.repeat == r.repeat} for r in fewer
    }
    assert [len(queries) for queries in by_draw.values()] == [1, 1]
    assert by_draw[0] != by_draw[1]


def test_only_transductive_methods_depend_on_the_number_of_queries_per_call(settings, tmp_path):
    """The gallery stands out clearly: k = auto re-ranks all queries at once, but not one alone."""
    clear = str(tmp_path / "clear.npz")
    save_features(make_features(gallery_noise=0.05), clear)
    axes = RobustnessConfig(images=(), distractors=(), noise=(), queries=(1, 4, 12), repeats=2)
    settings = settings.model_copy(
        update={
            "robustness": axes,
            "features": (clear,),
            "methods": ("sim", "ecn", "sim:k=auto"),
            "params": settings.params.model_validate({"ecn": {"k": 4, "q": 3, "t": 2}}),
        }
    )
    results = run_study("robustness", settings)
    queries = [r for r in results.experiments if r.parameter == "queries"]
    assert {r.parameter_value for r in queries} == {1, 4, 12, 30}
    assert {r.measurement.scored for r in queries} == {12}
    answers = {
        (method, repeat): len({tuple(r.measurement.average_precision) for r in queries
                               if (r.method, r.repeat) == (method, repeat)})
        for method in results.methods for repeat in (0, 1)
    }  # fmt: skip
    assert all(answers[method, n] == 1 for method in ("baseline", "sim") for n in (0, 1))
    assert all(answers[method, n] > 1 for method in ("ecn", "sim:k=auto") for n in (0, 1))
    assert results.transductive == {"ecn", "sim:k=auto"}
    report = report_of(settings)
    assert len(set(re.findall(r"^\| sim \| no \| \d+ (.*)", report, re.MULTILINE))) == 1
    assert len(set(re.findall(r"^\| sim:k=auto \| yes \| \d+ (.*)", report, re.MULTILINE))) > 1


def test_a_gain_is_over_the_baseline_of_the_same_draw(settings):
    axes = RobustnessConfig(images=(2,), distractors=(), noise=(), queries=(), repeats=3)
    one = {"features": settings.features[:1], "methods": ("alpha_qe:n=3",), "robustness": axes}
    results = run_study("robustness", settings.model_copy(update=one))
    baseline, ours = (
        [r.measurement.scores["mAP"] for r in results.experiments
         if (r.method, r.parameter, r.parameter_value) == (method, "images", 2)]
        for method in ("baseline", "alpha_qe:n=3")
    )  # fmt: skip
    gains = 100 * (np.array(ours) - baseline)
    assert np.ptp(gains) > 0
    assert f"| {gains.mean():+.2f} ± {gains.std():.2f} |" in report_of(settings)
