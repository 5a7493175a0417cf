"""The methods of a study, and methods with their own parameters."""

import simgraph as sg
from simgraph.features import load_features
from simgraph.rerankers import METHODS
from simgraph.studies import StudyConfig, run_study
from simgraph.studies.methods import chosen_methods
from tests.studies.outputs import report_of

SMALL_PARAMS = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 4}


def test_the_baseline_is_always_included():
    assert chosen_methods(StudyConfig(), ("sim",)) == ("baseline", "sim")
    assert chosen_methods(StudyConfig(methods=("gnn", "baseline")), ()) == ("baseline", "gnn")


def test_every_method_can_be_studied():
    assert StudyConfig(methods=tuple(METHODS)).methods == tuple(METHODS)


def test_a_method_with_its_own_parameters_is_a_method_of_its_own(settings, count):
    both = settings.model_copy(update={"methods": ("sim", "sim:alpha=0.5,k_query=3", "sim:k=auto")})
    results = run_study("ablation", both)
    assert results.methods == ["baseline", *both.methods]
    assert len(count) == 2 * 4
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sim", **SMALL_PARAMS | {"alpha": 0.5, "k_query": 3})
    wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    (held,) = results.of("one", "sim:alpha=0.5,k_query=3")
    assert held.measurement.scores["mAP"] == wanted
    report = report_of(settings)
    assert "| sim:alpha=0.5,k_query=3 | no | " in report and "| sim:k=auto | yes | " in report
    (by_auto,) = results.of("one", "sim:k=auto")
    chosen = ", ".join(f"{name}={number}" for name, number in by_auto.measurement.chosen.items())
    assert f"| one | sim:k=auto | as set | {chosen} |" in report
    # The same parameters by another way are the same cell.
    sim = settings.sim.model_copy(update={"k": "auto"})
    run_study("ablation", settings.model_copy(update={"sim": sim, "methods": ("sim",)}))
    assert len(count) == 2 * 4
    assert "| sim | yes | " in report_of(settings)
