"""Results of a study: frozen, selected by dataset, method and parameter, averaged over trials."""

from dataclasses import FrozenInstanceError

import pytest

from simgraph.studies import StudyConfig, results
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.measurement import Measurement
from simgraph.studies.results import StudyResults


def result(method, value, trial=1, parameter="", parameter_value="", params=None):
    scores = None if value is None else {"mAP": value}
    measured = scores and Measurement(
        scores=scores, average_precision=[value], seconds=10 * value, peak_mib=None
    )
    return ExperimentResult(
        "set", trial, "", method, params or {}, parameter, parameter_value, 0, measured
    )


@pytest.fixture
def study():
    done = (
        result("baseline", 0.2), result("baseline", 0.4, trial=2), result("sim", 0.5),
        result("sim", None, trial=2), result("sim", 0.9, parameter="k", parameter_value=8),
        result("sim", 0.7, parameter="k", parameter_value="auto", params={"k": "auto"}),
    )  # fmt: skip
    return StudyResults("sweep", StudyConfig(), {}, done)


def test_results_are_frozen(study):
    with pytest.raises(FrozenInstanceError):
        study.experiments = ()
    assert not hasattr(study.experiments, "append")


def test_experiments_are_selected_by_what_is_varied(study):
    assert study.methods == ["baseline", "sim"]
    assert [e.trial for e in study.of("set", "sim")] == [1, 2]
    assert [e.parameter_value for e in study.of("set", "sim", "k")] == [8, "auto"]
    assert study.of("other", "sim") == []


def test_a_method_is_marked_by_its_parameters_as_set(study):
    assert study.transductive == set()
    only_varied = StudyResults("sweep", StudyConfig(), {}, study.of("set", "sim", "k"))
    assert only_varied.transductive == {"sim"}


def test_means_leave_out_what_could_not_be_measured(study):
    baseline, ours = study.of("set", "baseline"), study.of("set", "sim")
    assert results.mean_std(baseline, "mAP") == pytest.approx((0.3, 0.1))
    assert results.mean_std(ours, "mAP") == (0.5, 0.0)
    assert results.median_of(baseline, "seconds") == pytest.approx(3.0)
    assert results.mean_std(ours[1:], "mAP") is None
    assert results.median_of(baseline, "peak_mib") is None


def test_a_curve_is_over_the_parameter_s_values_in_their_order(study):
    assert results.curve(study.of("set", "sim", "k"), "mAP") == {8: (0.9, 0.0), "auto": (0.7, 0.0)}


@pytest.mark.parametrize(("shots", "words"), [((5, 5), "5 per"), ((1, 9), "1–9 per")])
def test_a_test_set_in_words(shots, words):
    summary = results.TestSetSummary("folder", "plain", False, 2, 30, 40, 6, shots)
    assert str(summary) == (
        f"folder, 30 queries, 40 gallery images of 6 identities ({words} identity), "
        "protocol plain, 2 trials, features not L2-normalized"
    )
