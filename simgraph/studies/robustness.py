"""Where methods break: few images an identity, distractors, noise, few queries at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from simgraph.features import Features
from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.studies import figures, perturbations
from simgraph.studies.curves import Panel, curves
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.measurement import Asked
from simgraph.studies.methods import Value
from simgraph.studies.plan import chosen_methods, settings_of
from simgraph.studies.results import Outcome
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import caption, label
from simgraph.studies.varied import percent_curves, varied_head, varied_rows

TITLE = "Robustness: where methods break"
METHODS = ("baseline", "sgr", "mnnr", "sim")

AXES = {
    "images": "gallery images an identity, at most",
    "distractors": "share of other identities in the gallery",
    "noise": "noise on gallery features, in their lengths",
    "queries": "queries asked together",
}


def plan(trial: StudyTrial, config: StudyConfig) -> list[Cell]:
    """Each method on each change of the test set, as often as `repeats` says."""
    methods = chosen_methods(config, METHODS)
    return [
        Cell(changed, method, settings_of(method, trial), axis, value, repeat, asked)
        for axis, value, change, asked in changes(trial.features(), config)
        for repeat in range(config.robustness.repeats)
        for changed in [replace(trial, change=partial(change, seed=_seed(config, trial, repeat)))]
        for method in methods
    ]


def changes(
    features: Features, config: StudyConfig
) -> Iterable[tuple[str, Value, Callable[..., Features], Asked | None]]:
    """What is varied, its value, the function that makes it of features, and how queries come.

    The function is still to be given a seed; None stands for all queries in one call.
    """
    settings = config.robustness
    for most in _up_to(settings.images, perturbations.most_images(features)):
        yield "images", most, partial(perturbations.images_per_identity, most=most), None
    for share in settings.distractors:
        yield "distractors", share, partial(perturbations.with_distractors, share=share), None
    for length in settings.noise:
        yield "noise", length, partial(perturbations.with_noise, length=length), None
    scored = min(max(settings.queries, default=1), len(features.query))
    for count in _up_to(settings.queries, len(features.query)):
        drawn = partial(perturbations.some_queries, count=max(count, scored))
        yield "queries", count, drawn, Asked(count, scored)


def _up_to(values: tuple[int, ...], most: int) -> list[int]:
    """Those below what there is, and all there is; none for none."""
    return sorted({min(value, most) for value in (*values, most)}) if values else []


def _seed(config: StudyConfig, trial: StudyTrial, repeat: int) -> list[int]:
    return [config.seed, trial.number, repeat]


def report(outcome: Outcome, folder: Path) -> list[Part]:
    """For each test set and change a figure with a panel a metric, and its table."""
    parts: list[Part] = [
        Paragraph(
            "Every point is a change of the test set, drawn several times by seed; within a draw "
            "all methods see the same rows. Parameters stay as they are set: what a method loses "
            "where they no longer fit the gallery is part of the finding. Bands say how draws "
            "differ, not how surely methods do: Δ is the difference to the raw distances of the "
            "same draw. However many queries are asked together, the same ones are scored: a "
            "method that is not transductive answers them alike."
        )
    ]
    for dataset in outcome.sets:
        for axis, words in AXES.items():
            lines = [outcome.of(dataset, method, axis) for method in outcome.methods]
            if not any(lines):
                continue
            parts += [Heading(f"{dataset}: {axis}"), _figure(outcome, dataset, axis, folder)]
            parts.append(_table(outcome, dataset, axis, words))
    return parts


def _figure(outcome: Outcome, dataset: str, axis: str, folder: Path) -> Figure:
    panels = [
        Panel(AXES[axis], f"{label(metric)} (%)", percent_curves(outcome, dataset, axis, metric))
        for metric in outcome.config.metrics
    ]
    stem = folder / f"robustness_{dataset.replace('/', '_')}_{axis}"
    drawn = curves([panels], f"{dataset}: {axis}", outcome.transductive)
    file = figures.write_figure(drawn, stem)
    words = f"{dataset}, over {AXES[axis]}; bands: deviation over draws and trials"
    return Figure(file, f"{words}; {figures.NOTE} Whole set: {outcome.sets[dataset]}.")


def _table(outcome: Outcome, dataset: str, axis: str, words: str) -> Table:
    head = varied_head(axis, outcome.config.metrics)
    said = f"{axis}: {words}. Δ mAP: to the raw distances of the same draws."
    return Table(
        [head, *varied_rows(outcome, dataset, axis)], f"{caption(outcome, dataset)} {said}"
    )
