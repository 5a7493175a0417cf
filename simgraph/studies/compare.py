"""All methods side by side: accuracy with intervals, time and memory."""

from __future__ import annotations

from pathlib import Path

import torch

from simgraph.config import AUTHORS
from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.rerankers import METHODS as ALL
from simgraph.studies import figures
from simgraph.studies.bootstrap import Difference, paired_differences
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.plan import chosen_methods, one_cell_each
from simgraph.studies.results import Outcome, mean_std, median_of
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import NONE, caption, label, score_cells, transductive

TITLE = "Comparison of re-ranking methods"
METHODS = tuple(method for method in ALL if method not in AUTHORS)


def plan(trial: StudyTrial, config: StudyConfig) -> list[Cell]:
    """Each method as it is set."""
    return one_cell_each(trial, config, chosen_methods(config, METHODS))


def report(outcome: Outcome, folder: Path) -> list[Part]:
    """For each test set a table, the intervals, and accuracy over time."""
    settings = outcome.config.compare
    parts: list[Part] = [
        Paragraph(
            f"Intervals: {100 * settings.confidence:g} % percentile bootstrap of the difference in "
            f"mAP, paired over queries, {settings.resamples} resamples. They speak of other "
            "queries of the same kind, with this gallery and these features; nothing is corrected "
            "for comparing many methods. * marks intervals that leave out 0."
        )
    ]
    for dataset in outcome.sets:
        differences = differences_of(outcome, dataset)
        parts += [Heading(dataset), _table(outcome, dataset, differences)]
        parts += _differences_figure(outcome, dataset, differences, folder)
        parts.append(_time_figure(outcome, dataset, folder))
    return parts


def differences_of(outcome: Outcome, dataset: str) -> dict[str, dict[str, Difference]]:
    """Method compared against → method → difference in mAP, where both have all trials."""
    records = {method: outcome.of(dataset, method) for method in outcome.methods}
    whole = {
        method: found
        for method, found in records.items()
        if found and all(record.measurement is not None for record in found)
    }
    settings = outcome.config.compare
    return {
        against: paired_differences(
            whole, against, settings.resamples, settings.confidence, outcome.config.seed
        )
        for against in settings.against
        if against in whole
    }


def _table(outcome: Outcome, dataset: str, differences: dict[str, dict[str, Difference]]) -> Table:
    metrics = outcome.config.metrics
    rows = []
    for method in outcome.methods:
        records = outcome.of(dataset, method)
        pairs = [_interval(found.get(method)) for found in differences.values()]
        costs = [_cost(outcome, dataset, method, unit) for unit in ("seconds", "peak_mib")]
        rows.append([method, transductive(records), *score_cells(records, metrics), *pairs, *costs])
    against = [f"Δ mAP to {name}" for name in differences]
    head = ["method", "transductive", *map(label, metrics), *against, "seconds", "peak MiB"]
    return Table(
        [head, *rows],
        f"{caption(outcome, dataset)} Seconds: wall time of one call from features to distances, "
        "median over trials; peak MiB: its memory above libraries and features, each call in a "
        f"process of its own; torch threads: {torch.get_num_threads()}.",
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


def _cost(outcome: Outcome, dataset: str, method: str, unit: str) -> str:
    typical = median_of(outcome.of(dataset, method), unit)
    if typical is None:
        return NONE
    return f"{typical:.3f}" if unit == "seconds" else f"{typical:.1f}"


def _differences_figure(
    outcome: Outcome, dataset: str, differences: dict[str, dict[str, Difference]], folder: Path
) -> list[Part]:
    panels = [
        (
            f"Δ mAP to {figures.shown(against)} (points)",
            # The one compared with stands at 0, so that all panels have the same rows.
            {m: _points(found.get(m)) for m in outcome.methods if m == against or m in found},
        )
        for against, found in differences.items()
        if found
    ]
    if not panels:
        return []
    title, marked = f"{dataset}: differences in mAP", outcome.transductive
    stem = folder / f"compare_{dataset.replace('/', '_')}_differences"
    file = figures.write_figure(figures.intervals(panels, title, marked), stem)
    words = f"blue: better, orange: worse, grey: the interval holds 0; {figures.NOTE}"
    said = f"{title} with paired bootstrap intervals over queries; {words}"
    return [Figure(file, f"{said} {outcome.sets[dataset]}.")]


def _time_figure(outcome: Outcome, dataset: str, folder: Path) -> Part:
    points = {}
    for method in outcome.methods:
        records = outcome.of(dataset, method)
        score, seconds = mean_std(records, "mAP"), median_of(records, "seconds")
        if score is not None and seconds is not None:
            points[method] = (seconds, 100 * score[0])
    title = f"{dataset}: mAP over time"
    drawn = figures.scatter(points, "seconds", "mAP (%)", title, outcome.transductive)
    file = figures.write_figure(drawn, folder / f"compare_{dataset.replace('/', '_')}_time")
    words = "up and to the left is better"
    said = f"{title} of one call; {words}; {figures.NOTE}"
    return Figure(file, f"{said} {outcome.sets[dataset]}.")
