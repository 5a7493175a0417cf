"""Tables of the reports: rows, gains, and what is listed beside the scores."""

import pytest

from simgraph.studies import StudyConfig, results, tables
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.measurement import Measurement

SUMMARY = results.TestSetSummary("folder", "plain", True, 2, 30, 40, 6, (1, 9))


def result(method, value, trial=1, parameter_value="", chosen=None, params=None, repeat=0):
    measured = None if value is None else Measurement(
        scores={"mAP": value}, average_precision=[value], seconds=1.0, peak_mib=None,
        chosen=chosen or {},
    )  # fmt: skip
    return ExperimentResult(
        "set", trial, "", method, params or {"k": 4}, "k" if parameter_value else "",
        parameter_value, repeat, measured, "" if measured else "k is too large",
    )  # fmt: skip


def study(*experiments):
    return results.StudyResults(
        "sweep", StudyConfig(metrics=("mAP",)), {"set": SUMMARY}, experiments
    )


def test_scores_are_means_in_percent_with_their_deviation():
    found = study(
        result("baseline", 0.25), result("baseline", 0.75, trial=2), result("ecn", None)
    )  # fmt: skip
    table = tables.scores_table(found, "set")
    assert table.rows == [
        ["method", "transductive", "mAP"],
        ["baseline", "no", "50.00 ± 25.00"],
        ["ecn", "yes", "—"],
    ]
    assert table.caption == f"set: {SUMMARY}. baseline: distances without re-ranking; " \
        "scores in percent."  # fmt: skip


def test_a_gain_is_over_the_baseline_of_the_same_trial():
    found = study(
        result("baseline", 0.2), result("baseline", 0.6, trial=2),
        result("sim", 0.5, parameter_value=3), result("sim", 0.7, trial=2, parameter_value=3),
        result("sim", None, parameter_value=99),
    )  # fmt: skip
    assert tables.varied_rows(found, "set", "k") == [
        ["sim", "no", "3", "60.00 ± 10.00", "+20.00 ± 10.00"],
        ["sim", "no", "99", "—", "—"],
    ]


def test_parameters_that_differ_are_listed_without_values():
    found = study(
        result("sim", 0.5, params={"k": 4, "lam": 0.1}),
        result("sim", 0.5, params={"k": 5, "lam": 0.1}),
    )
    (_, row) = tables.methods_table(found).rows
    assert row[:2] == ["sim", "no"] and row[4] == "lam=0.1, k: several"


def test_what_auto_chose_is_a_range_over_trials():
    found = study(
        result("sim:k=auto", 0.5, chosen={"k": 8}, params={"k": "auto"}),
        result("sim:k=auto", 0.5, trial=2, chosen={"k": 9}, params={"k": "auto"}),
    )
    assert tables.chosen_table(found).rows[1:] == [["set", "sim:k=auto", "as set", "k=8–9"]]
    assert tables.chosen_table(study(result("sim", 0.5))) is None


def test_equal_refusals_share_a_row():
    found = study(result("sim", None), result("sim", None, parameter_value=9), result("ecn", 0.5))
    assert tables.refusals_table(found).rows[1:] == [
        ["set", "sim", "as set, k = 9", "k is too large"]
    ]
    assert tables.refusals_table(study(result("sim", 0.5))) is None


@pytest.mark.parametrize(
    ("metric", "label"), [("rank1", "rank-1"), ("rank20", "rank-20"), ("mAP", "mAP")]
)
def test_metrics_have_the_labels_of_papers(metric, label):
    assert tables.label(metric) == label


def test_test_sets_have_their_sizes():
    assert tables.datasets_table(study(result("sim", 0.5))).rows[1] == [
        "set", "folder", "plain", "2", "30", "40", "6", "1–9", "yes",
    ]  # fmt: skip
