"""All methods side by side: accuracy with intervals, time and memory."""

from __future__ import annotations

from pathlib import Path

import torch

from simgraph.config import AUTHORS
from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.rerankers import METHODS as ALL
from simgraph.studies import figures
from simgraph.studies.bootstrap import Difference, paired_differences
from simgraph.studies.experiment import Experiment
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import one_experiment_each
from simgraph.studies.results import StudyResults, mean_std, median_of
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import NONE, caption, label, score_cells, transductive

TITLE = "Comparison of re-ranking methods"
METHODS = tuple(method for method in ALL if method not in AUTHORS)


def plan(trial: StudyTrial, config: StudyConfig) -> list[Experiment]:
    """Each method with the parameters as they are set."""
    return one_experiment_each(trial, config, METHODS)


def report(results: StudyResults, folder: Path) -> list[Part]:
    """For each test set a table, a figure of the intervals, and one of mAP over time."""
    settings = results.config.compare
    parts: list[Part] = [
        Paragraph(
            f"Intervals: {100 * settings.confidence:g} % percentile bootstrap of the difference in "
            f"mAP, paired over queries, {settings.resamples} resamples. They apply to other "
            "queries of the same kind, with this gallery and these features; there is no "
            "correction for comparing many methods. * marks intervals that exclude 0."
        )
    ]
    for dataset in results.test_sets:
        differences = differences_of(results, dataset)
        parts += [Heading(dataset), _table(results, dataset, differences)]
        parts += _differences_figure(results, dataset, differences, folder)
        parts.append(_time_figure(results, dataset, folder))
    return parts


def differences_of(results: StudyResults, dataset: str) -> dict[str, dict[str, Difference]]:
    """Reference method → method → difference in mAP, for methods measured on all trials."""
    experiments = {method: results.of(dataset, method) for method in results.methods}
    complete = {
        method: found
        for method, found in experiments.items()
        if found and all(e.measurement is not None for e in found)
    }
    settings = results.config.compare
    return {
        against: paired_differences(
            complete, against, settings.resamples, settings.confidence, results.config.seed
        )
        for against in settings.against
        if against in complete
    }


def _table(
    results: StudyResults, dataset: str, differences: dict[str, dict[str, Difference]]
) -> Table:
    metrics = results.config.metrics
    rows = []
    for method in results.methods:
        experiments = results.of(dataset, method)
        pairs = [_interval(found.get(method)) for found in differences.values()]
        costs = [_cost(results, dataset, method, unit) for unit in ("seconds", "peak_mib")]
        rows.append(
            [method, transductive(experiments), *score_cells(experiments, metrics), *pairs, *costs]
        )
    against = [f"Δ mAP to {name}" for name in differences]
    head = ["method", "transductive", *map(label, metrics), *against, "seconds", "peak MiB"]
    return Table(
        [head, *rows],
        f"{caption(results, dataset)} Seconds: wall time of one call from features to distances, "
        "median over trials; peak MiB: its memory above libraries and features; each call runs in "
        f"a separate process; torch threads: {torch.get_num_threads()}.",
    )


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return NONE
    mean, low, high = _points(difference)
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]{'*' * difference.beyond_chance}"


def _points(difference: Difference | None) -> tuple[float, float, float]:
    if difference is None:
        return 0.0, 0.0, 0.0
    return 100 * difference.mean, 100 * difference.low, 100 * difference.high


def _cost(results: StudyResults, dataset: str, method: str, unit: str) -> str:
    typical = median_of(results.of(dataset, method), unit)
    if typical is None:
        return NONE
    return f"{typical:.3f}" if unit == "seconds" else f"{typical:.1f}"


def _differences_figure(
    results: StudyResults, dataset: str, differences: dict[str, dict[str, Difference]], folder: Path
) -> list[Part]:
    panels = [
        (
            f"Δ mAP to {figures.shown(against)} (points)",
            # The reference method is drawn at 0, so that all panels have the same rows.
            {m: _points(found.get(m)) for m in results.methods if m == against or m in found},
        )
        for against, found in differences.items()
        if found
    ]
    if not panels:
        return []
    title, marked = f"{dataset}: differences in mAP", results.transductive
    stem = folder / f"compare_{dataset.replace('/', '_')}_differences"
    file = figures.write_figure(figures.intervals(panels, title, marked), stem)
    words = f"blue: better, orange: worse, gray: the interval contains 0; {figures.NOTE}"
    text = f"{title} with paired bootstrap intervals over queries; {words}"
    return [Figure(file, f"{text} Test set: {results.test_sets[dataset]}.")]


def _time_figure(results: StudyResults, dataset: str, folder: Path) -> Part:
    points = {}
    for method in results.methods:
        experiments = results.of(dataset, method)
        score, seconds = mean_std(experiments, "mAP"), median_of(experiments, "seconds")
        if score is not None and seconds is not None:
            points[method] = (seconds, 100 * score[0])
    title = f"{dataset}: mAP over time"
    drawn = figures.scatter(points, "seconds", "mAP (%)", title, results.transductive)
    file = figures.write_figure(drawn, folder / f"compare_{dataset.replace('/', '_')}_time")
    text = f"{title} of one call; up and to the left is better; {figures.NOTE}"
    return Figure(file, f"{text} Test set: {results.test_sets[dataset]}.")
