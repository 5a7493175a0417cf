"""The figure of a study in which nothing is varied: methods side by side on each test set."""

from __future__ import annotations

from pathlib import Path

from simgraph.reports.html import Figure
from simgraph.studies import figures
from simgraph.studies.results import Outcome, mean_std
from simgraph.studies.tables import label, sets_note


def scores_figure(outcome: Outcome, title: str, stem: Path) -> Figure:
    """A panel a metric, a group of bars a test set, a bar a method."""
    panels = [(f"{label(m)} (%)", _percents(outcome, m)) for m in outcome.config.metrics]
    file = figures.write_figure(figures.bars(panels, title, outcome.transductive), stem)
    words = "whiskers: deviation over trials"
    return Figure(file, f"{title}. {words}; {figures.NOTE} {sets_note(outcome)}")


def _percents(outcome: Outcome, metric: str) -> dict[str, dict[str, tuple[float, float]]]:
    found = {
        dataset: {m: mean_std(outcome.of(dataset, m), metric) for m in outcome.methods}
        for dataset in outcome.sets
    }
    return {
        dataset: {m: (100 * p[0], 100 * p[1]) for m, p in points.items() if p is not None}
        for dataset, points in found.items()
    }
