"""Curves and rows of a study that varies something, for its figures and tables."""

from __future__ import annotations

from simgraph.studies.figures import Curve
from simgraph.studies.outcome import Outcome, curve
from simgraph.studies.tables import score_cells, transductive


def percent_curves(outcome: Outcome, dataset: str, parameter: str, metric: str) -> dict[str, Curve]:
    """Method → curve of a metric in percent, for the methods that have one."""
    found = {
        method: curve(outcome.of(dataset, method, parameter), metric) for method in outcome.methods
    }
    return {
        method: {value: (100 * mean, 100 * std) for value, (mean, std) in points.items()}
        for method, points in found.items()
        if points
    }


def varied_rows(outcome: Outcome, dataset: str, parameter: str) -> list[list[str]]:
    """A row for each method and value: method, whether transductive, value, metrics."""
    rows = []
    for method in outcome.methods:
        records = outcome.of(dataset, method, parameter)
        for value in dict.fromkeys(record.value for record in records):
            some = [record for record in records if record.value == value]
            cells = score_cells(some, outcome.config.metrics)
            rows.append([method, transductive(method), str(value), *cells])
    return rows
