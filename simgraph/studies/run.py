"""A study from its settings to its report: inputs → cells → records → results and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import simgraph.visualization.plots  # noqa: F401 - says which extra is missing
from simgraph._files import writable_folder
from simgraph._progress import Track, no_progress
from simgraph.reports.html import Part
from simgraph.studies import ablation, compare, generalize, robustness, sweep
from simgraph.studies.experiment import Cell, record
from simgraph.studies.inputs import StudyTrial, count_trials, input_trials, inputs
from simgraph.studies.report import write_study
from simgraph.studies.results import Outcome, facts
from simgraph.studies.settings import StudyConfig


@dataclass(frozen=True)
class Study:
    """A kind of study.

    Attributes:
        title: of its report.
        plan: the cells of a trial.
        report: the parts of its report; draws its figures into the folder given.
        check: raises for settings that cannot be, before any features are read.
        fresh: whether each cell is measured in a process of its own, with its memory.
    """

    title: str
    plan: Callable[[StudyTrial, StudyConfig], list[Cell]]
    report: Callable[[Outcome, Path], list[Part]]
    check: Callable[[StudyConfig], None] = lambda config: None
    fresh: bool = False


STUDIES = {
    "ablation": Study(ablation.TITLE, ablation.plan, ablation.report),
    "sweep": Study(sweep.TITLE, sweep.plan, sweep.report, sweep.check),
    "generalise": Study(generalize.TITLE, generalize.plan, generalize.report),
    "compare": Study(compare.TITLE, compare.plan, compare.report, fresh=True),
    "robustness": Study(robustness.TITLE, robustness.plan, robustness.report),
}
"""The studies by name."""


def run_study(name: str, config: StudyConfig, track: Track = no_progress) -> Outcome:
    """Measure what is not yet measured, and write results, figures and report.

    Args:
        name: a key of `STUDIES`.
        config: what to measure, and `output`, the folder to write to. What an earlier run with
            the same features, parameters and library has measured is read from its cells.
        track: shows progress over the cells of each trial.

    Returns:
        What was measured.

    Raises:
        FileNotFoundError: for missing features, checkpoints or protocol files.
        ValueError: for settings that cannot be, or where no method could be measured at all.
    """
    study, folder = STUDIES[name], writable_folder(config.output)
    study.check(config)
    outcome, kept = Outcome(name, config), folder / "features"
    # The first trial of each is read before any is measured: what is missing is told at once.
    for dataset, settings in inputs(config).items():
        first = next(input_trials(dataset, settings, kept))
        outcome.sets[dataset] = facts(first, count_trials(settings))
    for dataset, settings in inputs(config).items():
        for trial in input_trials(dataset, settings, kept):
            cells = study.plan(trial, config)
            words = f"{dataset}, trial {trial.number} of {outcome.sets[dataset].trials}: experiment"
            for cell in track(cells, len(cells), words):
                outcome.records.append(record(cell, folder / "cells", study.fresh))
    if all(r.measurement is None for r in outcome.records):
        raise ValueError(f"{name}: nothing could be measured: {outcome.records[0].refusal}")
    write_study(outcome, study.title, study.report(outcome, folder / "figures"), folder)
    return outcome
