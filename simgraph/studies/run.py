"""Run a study: settings → trials → experiments, each measured once → results and report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import simgraph.visualization.plots  # noqa: F401 - says which extra is missing
from simgraph._files import writable_folder
from simgraph._params import unknown_name
from simgraph._progress import Track, no_progress
from simgraph._run_lock import run_lock
from simgraph.reports.html import Part
from simgraph.studies import ablation, compare, generalize, robustness, sweep
from simgraph.studies.experiment import Experiment, run_experiment
from simgraph.studies.inputs import StudyTrial, count_trials, input_trials, inputs
from simgraph.studies.report import write_study
from simgraph.studies.results import StudyResults, summarize_test_set
from simgraph.studies.settings import StudyConfig, current_study_name


@dataclass(frozen=True)
class Study:
    """A kind of study.

    Attributes:
        title: of its report.
        plan: lists the experiments of a trial.
        report: lists the parts of the report, and draws their figures into the given folder.
        check: raises ValueError for impossible settings before any features are read.
        fresh: whether each experiment runs in a separate process, with its memory measured.
    """

    title: str
    plan: Callable[[StudyTrial, StudyConfig], list[Experiment]]
    report: Callable[[StudyResults, Path], list[Part]]
    check: Callable[[StudyConfig], None] = lambda config: None
    fresh: bool = False


STUDIES = {
    "ablation": Study(ablation.TITLE, ablation.plan, ablation.report),
    "sweep": Study(sweep.TITLE, sweep.plan, sweep.report, sweep.check),
    "generalize": Study(generalize.TITLE, generalize.plan, generalize.report),
    "compare": Study(compare.TITLE, compare.plan, compare.report, fresh=True),
    "robustness": Study(robustness.TITLE, robustness.plan, robustness.report),
}
"""The studies by name."""


def run_study(name: str, config: StudyConfig, track: Track = no_progress) -> StudyResults:
    """Run the experiments that have no stored result, and write results, figures and report.

    Args:
        name: a key of `STUDIES`.
        config: the settings; `output` is the folder to write to. Experiments that an earlier run
            stored there, with the same features, parameters and code, are read.
        track: shows progress over the experiments of each trial.

    Returns:
        The results of all experiments.

    Raises:
        FileExistsError: for a folder that another run writes to.
        FileNotFoundError: for missing features, checkpoints or protocol files.
        ValueError: for an unknown study, for impossible settings, or when every method refused.
    """
    name = current_study_name(name)
    if name not in STUDIES:
        raise ValueError(unknown_name("study", name, STUDIES))
    STUDIES[name].check(config)
    folder = writable_folder(config.output)
    with run_lock(folder):
        return _run(name, config, folder, track)


def _run(name: str, config: StudyConfig, folder: Path, track: Track) -> StudyResults:
    study = STUDIES[name]
    chosen, features = inputs(config), folder / "features"
    # Read the first trial of every input before measuring, to report a missing file at once.
    test_sets = {
        dataset: summarize_test_set(
            next(input_trials(dataset, settings, features)), count_trials(settings)
        )
        for dataset, settings in chosen.items()
    }
    experiments = [
        run_experiment(experiment, folder / "cells", study.fresh)
        for dataset, settings in chosen.items()
        for trial in input_trials(dataset, settings, features)
        for experiment in _tracked(study.plan(trial, config), trial, count_trials(settings), track)
    ]
    if all(e.measurement is None for e in experiments):
        raise ValueError(f"{name}: nothing could be measured: {experiments[0].refusal}")
    results = StudyResults(name, config, test_sets, tuple(experiments))
    write_study(results, study.title, study.report(results, folder / "figures"), folder)
    return results


def _tracked(
    planned: list[Experiment], trial: StudyTrial, trials: int, track: Track
) -> Iterable[Experiment]:
    words = f"{trial.dataset}, trial {trial.number} of {trials}: experiment"
    return track(planned, len(planned), words)
