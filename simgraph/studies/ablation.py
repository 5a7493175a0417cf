"""What each part of SIM is worth: the paper's Table 3 on one's own test sets."""

from __future__ import annotations

from pathlib import Path

from simgraph.reports.html import Heading, Part
from simgraph.studies.bar_figure import scores_figure
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.plan import chosen_methods, one_cell_each
from simgraph.studies.published import published_table
from simgraph.studies.results import Outcome
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import scores_table

TITLE = "Ablation: what each part of SIM is worth"
METHODS = ("baseline", "sgr", "mnnr", "sim")


def plan(trial: StudyTrial, config: StudyConfig) -> list[Cell]:
    """Each part alone and all together, as they are set."""
    return one_cell_each(trial, config, chosen_methods(config, METHODS))


def report(outcome: Outcome, folder: Path) -> list[Part]:
    """A table for each test set, a figure over all, and the paper's figures apart."""
    parts: list[Part] = []
    for dataset in outcome.sets:
        parts += [Heading(dataset), scores_table(outcome, dataset)]
    parts += [Heading("Figure"), scores_figure(outcome, TITLE, folder / "ablation")]
    return [*parts, Heading("Published figures, not measured here"), published_table()]
