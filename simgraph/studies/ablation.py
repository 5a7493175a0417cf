"""What each part of SIM contributes: the paper's Table 3 on your own test sets."""

from __future__ import annotations

from pathlib import Path

from simgraph.reports.html import Heading, Part, Table
from simgraph.studies.experiment import Experiment
from simgraph.studies.figures import scores_figure
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import one_experiment_each
from simgraph.studies.results import StudyResults
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import scores_table

TITLE = "Ablation: what each part of SIM contributes"
METHODS = ("baseline", "sgr", "mnnr", "sim")

SOURCE = "Jia et al., IJCAI 2020, Table 3"

# Rank-1 and mAP on SYSU-MM01, all-search, multi-shot, with the features of the paper's network.
PUBLISHED = {
    "baseline": (53.93, 39.90),
    "sgr": (56.62, 59.17),
    "mnnr": (56.31, 54.39),
    "sim": (56.93, 60.88),
}


def plan(trial: StudyTrial, config: StudyConfig) -> list[Experiment]:
    """Each part alone and both together, with the parameters as they are set."""
    return one_experiment_each(trial, config, METHODS)


def report(results: StudyResults, folder: Path) -> list[Part]:
    """One table per test set, one figure for all, and the paper's values in a separate section."""
    parts: list[Part] = []
    for dataset in results.test_sets:
        parts += [Heading(dataset), scores_table(results, dataset)]
    parts += [Heading("Figure"), scores_figure(results, TITLE, folder / "ablation")]
    return [*parts, Heading("Published values, not measured here"), published_table()]


def published_table() -> Table:
    """Table 3 of the paper, marked as published: these values are never measured here."""
    rows = [
        [method, "published, not measured", f"{rank1:.2f}", f"{mean:.2f}"]
        for method, (rank1, mean) in PUBLISHED.items()
    ]
    return Table(
        [["method", "origin", "rank-1", "mAP"], *rows],
        f"{SOURCE}: SYSU-MM01, all-search, multi-shot, on the features of the paper's own network, "
        "which are not public. They can be compared with the values above only if those are of the "
        "real SYSU-MM01 in the same mode; other data and other networks give other values. No "
        "method here is transductive.",
    )
