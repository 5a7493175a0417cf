"""`simgraph study` as a user runs it; what studies measure is in tests/studies."""

import pytest

import simgraph.cli.study as study
from simgraph.studies import STUDIES, STUDY_NAMES
from simgraph.studies.settings import RENAMED_STUDIES
from tests.cli.commands import run


def test_the_names_are_those_of_the_studies():
    assert tuple(STUDIES) == STUDY_NAMES


@pytest.mark.parametrize(
    ("name", "end"),
    [(["ablate"], "got 'ablate'; did you mean 'ablation'?"), ([], "got ''")],
    ids=["unknown", "none"],
)
def test_an_unknown_study_is_one_line(name, end):
    done = run("study", *name, "--features", "a.npz")
    assert done.returncode == 1
    assert done.stderr.startswith("error: study: expected one of ablation, sweep, ")
    assert done.stderr.rstrip().endswith(end)


def test_an_old_name_is_the_new_one_with_a_warning(monkeypatch):
    seen = []
    monkeypatch.setattr(study, "STUDY_NAMES", ("generalize",))
    monkeypatch.setattr(study, "_run", lambda name, config: seen.append(name))
    with pytest.warns(DeprecationWarning, match="is now 'generalize'"):
        study.main([next(iter(RENAMED_STUDIES))])
    study.main(["generalize"])
    assert seen == ["generalize", "generalize"]


def test_prints_a_line_per_experiment_into_a_pipe(small, tmp_path):
    done = run(
        "study", "ablation", "--features", small, "--output", tmp_path / "study",
        "--methods", "sim", "--sim.k", "4", "--sim.num_paths", "3", "--sim.k_query", "4",
        "--sim.k_gallery", "4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, last = done.stderr.splitlines()[0], done.stderr.splitlines()[-1]
    assert first.startswith("small, trial 1 of 1: experiment 2/2, ")
    assert last.startswith("wrote results.csv")
    assert (tmp_path / "study" / "report.html").is_file()
