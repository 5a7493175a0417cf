"""Curves and rows of a study that varies something, for its figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev

from simgraph.studies.curves import Curve
from simgraph.studies.experiment import Record
from simgraph.studies.results import Outcome, curve
from simgraph.studies.tables import NONE, label, score_cells, transductive


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
    """A row for each method and value, under the headings of `varied_head`."""
    rows = []
    for method in outcome.methods:
        records = outcome.of(dataset, method, parameter)
        for value in dict.fromkeys(record.value for record in records):
            some = [record for record in records if record.value == value]
            cells = score_cells(some, outcome.config.metrics)
            gain = NONE if method == "baseline" else _gain(some, outcome)
            rows.append([method, transductive(some), str(value), *cells, gain])
    return rows


def varied_head(varied: str, metrics: Sequence[str]) -> list[str]:
    """Headings: method, whether transductive, value, metrics, and gain over the raw distances."""
    return ["method", "transductive", varied, *map(label, metrics), "Δ mAP"]


def _gain(records: list[Record], outcome: Outcome) -> str:
    """In mAP over the raw distances of the same trial and draw; a dash where there is none."""
    first = records[0]
    varied = [
        r for r in outcome.of(first.dataset, "baseline", first.parameter) if r.value == first.value
    ]
    raw = {
        (r.trial, r.repeat): r.measurement.scores["mAP"]
        for r in varied or outcome.of(first.dataset, "baseline")
        if r.measurement is not None
    }
    gains = [
        100 * (r.measurement.scores["mAP"] - raw[r.trial, r.repeat])
        for r in records
        if r.measurement is not None and (r.trial, r.repeat) in raw
    ]
    if not gains:
        return NONE
    return f"{fmean(gains):+.2f}" + f" ± {pstdev(gains):.2f}" * (len(gains) > 1)
