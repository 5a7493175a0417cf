"""Whether re-ranking helps whatever made the features: the paper's Table 4, any sets × methods."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from simgraph.reports.html import Heading, Part, Table
from simgraph.studies.bar_figure import scores_figure
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.plan import chosen_methods, one_cell_each
from simgraph.studies.results import Outcome, mean_std
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import (
    NONE,
    label,
    score_cells,
    sets_note,
    transductive,
)  # fmt: skip

TITLE = "Generalisation: the same methods on several features"
METHODS = ("baseline", "sgr", "mnnr", "sim")


def plan(trial: StudyTrial, config: StudyConfig) -> list[Cell]:
    """Each method as it is set, on every input."""
    return one_cell_each(trial, config, chosen_methods(config, METHODS))


def report(outcome: Outcome, folder: Path) -> list[Part]:
    """One table over all inputs with the gains over the raw distances, and a figure a metric."""
    parts: list[Part] = [Heading("All test sets"), _table(outcome)]
    parts += [Heading("Mean gain over the raw distances"), _gains(outcome)]
    return [*parts, Heading("Figure"), scores_figure(outcome, TITLE, folder / "generalise")]


def _table(outcome: Outcome) -> Table:
    metrics = outcome.config.metrics
    rows = []
    for dataset in outcome.sets:
        for method in outcome.methods:
            records = outcome.of(dataset, method)
            cells = score_cells(records, metrics)
            gains = [_signed(_gain(outcome, dataset, method, metric)) for metric in metrics]
            rows.append([dataset, method, transductive(records), *cells, *gains])
    names = [label(metric) for metric in metrics]
    head = ["dataset", "method", "transductive", *names, *(f"Δ {name}" for name in names)]
    return Table([head, *rows], f"{sets_note(outcome)} Δ: to the raw distances of the same input.")


def _gains(outcome: Outcome) -> Table:
    metrics = outcome.config.metrics
    rows = []
    for method in outcome.methods[1:]:
        by_metric = [[_gain(outcome, d, method, m) for d in outcome.sets] for m in metrics]
        known = [[gain for gain in gains if gain is not None] for gains in by_metric]
        records = [r for dataset in outcome.sets for r in outcome.of(dataset, method)]
        mean = [_signed(fmean(gains) if gains else None) for gains in known]
        rows.append(
            [method, transductive(records), f"{len(known[0])} of {len(outcome.sets)}", *mean]
        )
    head = ["method", "transductive", "test sets", *(f"Δ {label(metric)}" for metric in metrics)]
    return Table([head, *rows], f"Each test set counts once. {sets_note(outcome)}")


def _gain(outcome: Outcome, dataset: str, method: str, metric: str) -> float | None:
    """Of a method's mean over that of the raw distances."""
    ours = mean_std(outcome.of(dataset, method), metric)
    raw = mean_std(outcome.of(dataset, "baseline"), metric)
    return None if ours is None or raw is None else ours[0] - raw[0]


def _signed(gain: float | None) -> str:
    return NONE if gain is None else f"{100 * gain:+.2f}"
