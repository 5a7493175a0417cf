"""Running a study: stopped, continued, and refused before work."""

from pathlib import Path

import pytest

from simgraph._run_lock import run_lock
from simgraph.config import DatasetConfig
from simgraph.features import Features, load_features, save_features
from simgraph.studies import experiment, run, run_study
from simgraph.studies.settings import SweepConfig
from tests.studies.outputs import report_of, rows_of

FOLDER = DatasetConfig(name="folder", root="images")


def test_a_stopped_study_continues_where_it_was_stopped(settings, count, monkeypatch):
    whole = settings.model_copy(update={"output": settings.output + "_whole"})
    run_study("ablation", whole)
    del count[:]

    def stop(steps, total, words):
        for number, step in enumerate(steps):
            if words.startswith("two") and number == 2:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        run_study("ablation", settings, stop)
    assert len(count) == 6
    assert sorted(p.suffix for p in Path(settings.output).rglob("*.*")) == [".json"] * 6
    run_study("ablation", settings)
    assert len(count) == 8
    timeless = [
        [row for row in rows_of(s) if row["metric"] != "seconds"] for s in (settings, whole)
    ]
    assert timeless[0] == timeless[1]


def test_a_trial_that_cannot_be_read_stops_a_study_and_keeps_what_was_measured(
    settings, count, monkeypatch
):
    trials = run.input_trials

    def broken(dataset, *rest):
        yield from trials(dataset, *rest)
        if dataset == "two":
            raise ValueError("two_trial_2.npz: damaged")

    monkeypatch.setattr(run, "input_trials", broken)
    with pytest.raises(ValueError, match=r"two_trial_2\.npz: damaged"):
        run_study("ablation", settings)
    assert len(count) == 8 and not (Path(settings.output) / "report.md").exists()
    monkeypatch.undo()
    run_study("ablation", settings)
    assert len(count) == 8 and "two" in report_of(settings)


def test_changed_settings_measure_only_what_they_change(settings, count):
    run_study("ablation", settings)
    assert len(count) == 8
    sim = settings.sim.model_copy(update={"alpha": 0.5})
    run_study("ablation", settings.model_copy(update={"sim": sim}))
    assert [method for method, _ in count[8:]] == ["mnnr", "sim"] * 2
    run_study("ablation", settings.model_copy(update={"sim": sim, "metrics": ("rank20",)}))
    assert len(count) == 12


def test_changed_features_are_measured_again(settings, files, count):
    run_study("ablation", settings)
    f = load_features(files[0])
    save_features(Features(f.query, 2 * f.gallery + 1, f.query_pids, f.gallery_pids), files[0])
    run_study("ablation", settings)
    assert len(count) == 8 + 4


@pytest.mark.parametrize(
    ("update", "error", "words"),
    [
        ({"features": ("none.npz",)}, FileNotFoundError, "none.npz"),
        (
            {"checkpoints": ("none",), "dataset": FOLDER},
            FileNotFoundError,
            "images: no such folder",
        ),
        ({"configs": ("none.yaml",)}, FileNotFoundError, "none.yaml"),
        ({"output": "/dev/null/here"}, ValueError, "expected a folder that can be written to"),
        ({"sweep": SweepConfig(vary=())}, ValueError, "at least once, got none"),
        ({"features": ()}, ValueError, "expected --features"),
        ({"sweep": SweepConfig(vary=("lamb=1",))}, ValueError, "expected parameters of"),
    ],
)
def test_bad_settings_are_reported_before_work(settings, update, error, words, count):
    with pytest.raises(error, match=words):
        run_study("sweep", settings.model_copy(update=update))
    assert not count


def test_a_missing_file_is_reported_before_the_others_are_measured(settings, count):
    features = (*settings.features, "none.npz")
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        run_study("ablation", settings.model_copy(update={"features": features}))
    assert not count


def test_a_study_in_which_nothing_can_be_measured_fails(settings, monkeypatch):
    def refuse(*_):
        raise ValueError("not on these features")

    monkeypatch.setattr(experiment, "measure", refuse)
    with pytest.raises(ValueError, match="nothing could be measured: not on these features"):
        run_study("ablation", settings)
    assert not (Path(settings.output) / "results.csv").exists()


def test_the_old_name_of_a_study_warns_and_works(settings):
    old = "generalise"  # the old name
    with pytest.warns(DeprecationWarning, match=f"study '{old}' is now 'generalize'"):
        results = run_study(old, settings)
    assert results.study == "generalize"
    assert {row["study"] for row in rows_of(settings)} == {"generalize"}


def test_an_unknown_study_is_refused_with_the_nearest_name(settings):
    with pytest.raises(ValueError, match=r"study: expected one of .* did you mean 'ablation'"):
        run_study("ablate", settings)


def test_progress_counts_the_experiments_of_each_trial(settings):
    shown = []

    def track(steps, total, words=""):
        shown.append((words, total))
        return steps

    run_study("ablation", settings, track)
    assert shown == [(f"{name}, trial 1 of 1: experiment", 4) for name in ("one", "two")]


def test_a_second_study_into_a_folder_is_refused_before_it_measures(settings, count):
    folder = Path(settings.output)
    folder.mkdir(parents=True, exist_ok=True)
    with run_lock(folder), pytest.raises(FileExistsError, match="is writing a run to this folder"):
        run_study("ablation", settings)
    assert not count and not list(folder.iterdir())
