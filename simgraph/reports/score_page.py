"""The page of a test run: its table, curves, settings and versions."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from simgraph.reports.html import Code, Figure, Heading, Paragraph, Part, Table, write_page
from simgraph.results import COLUMNS, Results, caption, table

logger = logging.getLogger(__name__)

_MADE_UP = (
    "This set is synthetic: it was drawn by a program and shows no real person. The scores show "
    "that the code works and how the methods compare on these drawings. They are not the scores of "
    "a benchmark, even if the files have the layout of one."
)


def write_report(results: Results, file: str | Path) -> None:
    """Write `results` as one HTML page that needs no other file and no network.

    The page has the table with its caption, the CMC curves, the training curves if the features
    came from the folder of a training run, the scores of each trial, the settings and the versions.

    Args:
        results: of `simgraph.pipeline.run_test`.
        file: the .html file, written whole or not at all. Without matplotlib (extra [viz]) the
            page has no curves, and a warning is logged.
    """
    checkpoint = results["config"]["checkpoint"]
    with TemporaryDirectory() as scratch:
        parts = [
            *([Paragraph(_MADE_UP)] if results["synthetic"] else []),
            Heading("Scores"),
            Table(table(results), _caption(results)),
            *_curves(results, checkpoint, Path(scratch)),
            *(_trials(results) if results["trials"] > 1 else []),
            Heading("Settings"),
            Code(yaml.safe_dump(results["config"], sort_keys=False, allow_unicode=True).rstrip()),
            Heading("Versions"),
            Table(
                [["software", "version"], *map(list, results["versions"].items())],
                "Versions that computed the scores.",
            ),
        ]
        write_page(file, _title(results), parts)


def _title(results: Results) -> str:
    made_up = "Synthetic set in the layout of " if results["synthetic"] else ""
    return f"{made_up}{results['config']['dataset']['name']}: scores of re-ranking"


def _caption(results: Results) -> str:
    spread = ", mean ± standard deviation over the trials" if results["trials"] > 1 else ""
    return f"Percent{spread}. {caption(results)}."


def _curves(results: Results, checkpoint: str | None, scratch: Path) -> list[Part]:
    try:
        from simgraph.visualization.plots import draw_cmc, draw_training, save_figure
    except ImportError:
        logger.warning("the report has no curves: they need matplotlib, pip install simgraph[viz]")
        return []
    cmc, training = scratch / "cmc.svg", scratch / "training.svg"
    save_figure(draw_cmc(results["cmc"]), cmc)
    parts: list[Part] = [
        Heading("Curves"),
        Figure(
            cmc,
            "CMC: the share of scored queries with a correct image among the first r, "
            f"{'mean over the trials, ' if results['trials'] > 1 else ''}{caption(results)}.",
        ),
    ]
    logs = _logs(checkpoint)
    if logs:
        what = "the run" if len(logs) == 1 else f"{len(logs)} runs, one per trial"
        save_figure(draw_training(logs), training)
        words = f"Training of the network, from log.csv of {what}: mean loss of each epoch; mAP"
        parts.append(Figure(training, f"{words} of the evaluations during training."))
    return parts


def _logs(checkpoint: str | None) -> list[list[dict[str, str]]]:
    """The log of the run in a checkpoint's folder, or of RegDB's runs, one per trial."""
    if checkpoint is None:
        return []
    from simgraph.training.run_log import read_log  # needs [train], as the run did

    place = Path(checkpoint)
    folder = place if place.is_dir() else place.parent
    files = [folder / "log.csv"]
    if not files[0].exists():
        files = sorted(folder.glob("trial_*/log.csv"), key=lambda file: (len(str(file)), file))
    return [rows for rows in map(read_log, files) if rows]


def _trials(results: Results) -> list[Part]:
    names = [column.replace("rank", "rank-") for column in COLUMNS]
    rows: list[list[str]] = [["trial", "method", *names]]
    for trial in range(results["trials"]):
        for method, scores in results["per_trial"].items():
            cells = [f"{100 * scores[trial][column]:.2f}" for column in COLUMNS]
            rows.append([str(trial + 1), method, *cells])
    return [Heading("Trials"), Table(rows, "Scores of each trial in percent.")]
