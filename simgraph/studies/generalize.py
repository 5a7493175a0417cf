"""Whether re-ranking helps for features of any origin: the paper's Table 4, any sets × methods."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from simgraph.reports.html import Heading, Part, Table
from simgraph.studies.experiment import Experiment
from simgraph.studies.figures import scores_figure
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import one_experiment_each
from simgraph.studies.results import StudyResults, mean_std
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import (
    NONE,
    datasets_note,
    label,
    score_cells,
    transductive,
)  # fmt: skip

TITLE = "Generalization: the same methods on several features"
METHODS = ("baseline", "sgr", "mnnr", "sim")


def plan(trial: StudyTrial, config: StudyConfig) -> list[Experiment]:
    """Each method on every input, with the parameters as they are set."""
    return one_experiment_each(trial, config, METHODS)


def report(results: StudyResults, folder: Path) -> list[Part]:
    """One table of scores and gains for all inputs, the mean gains, and one figure."""
    parts: list[Part] = [Heading("All test sets"), _scores(results)]
    parts += [Heading("Mean gain over the baseline"), _mean_gains(results)]
    return [*parts, Heading("Figure"), scores_figure(results, TITLE, folder / "generalize")]


def _scores(results: StudyResults) -> Table:
    metrics = results.config.metrics
    rows = []
    for dataset in results.test_sets:
        for method in results.methods:
            experiments = results.of(dataset, method)
            cells = score_cells(experiments, metrics)
            gains = [_signed(_gain(results, dataset, method, metric)) for metric in metrics]
            rows.append([dataset, method, transductive(experiments), *cells, *gains])
    names = [label(metric) for metric in metrics]
    head = ["dataset", "method", "transductive", *names, *(f"Δ {name}" for name in names)]
    return Table(
        [head, *rows], f"{datasets_note(results)} Δ: difference to the baseline of the same input."
    )


def _mean_gains(results: StudyResults) -> Table:
    metrics = results.config.metrics
    rows = []
    for method in results.methods[1:]:
        by_metric = [[_gain(results, d, method, m) for d in results.test_sets] for m in metrics]
        known = [[gain for gain in gains if gain is not None] for gains in by_metric]
        experiments = [e for dataset in results.test_sets for e in results.of(dataset, method)]
        means = [_signed(fmean(gains) if gains else None) for gains in known]
        count = f"{len(known[0])} of {len(results.test_sets)}"
        rows.append([method, transductive(experiments), count, *means])
    head = ["method", "transductive", "test sets", *(f"Δ {label(metric)}" for metric in metrics)]
    return Table([head, *rows], f"Each test set counts once. {datasets_note(results)}")


def _gain(results: StudyResults, dataset: str, method: str, metric: str) -> float | None:
    """Difference between a method's mean and the baseline's."""
    ours = mean_std(results.of(dataset, method), metric)
    baseline = mean_std(results.of(dataset, "baseline"), metric)
    return None if ours is None or baseline is None else ours[0] - baseline[0]


def _signed(gain: float | None) -> str:
    return NONE if gain is None else f"{100 * gain:+.2f}"
