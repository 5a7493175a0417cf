"""When methods fail: few images per identity, distractors, noise, few queries per call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from simgraph.features import Features
from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.studies import figures, perturbations
from simgraph.studies.curves import Panel, curves, percent_curves
from simgraph.studies.experiment import Experiment
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.measurement import QueryBatches
from simgraph.studies.methods import chosen_methods, settings_of
from simgraph.studies.results import StudyResults
from simgraph.studies.settings import ParameterValue, StudyConfig
from simgraph.studies.tables import caption, label, varied_head, varied_rows

TITLE = "Robustness: when methods fail"
METHODS = ("baseline", "sgr", "mnnr", "sim")

PERTURBATIONS = {
    "images": "gallery images per identity, at most",
    "distractors": "share of other identities in the gallery",
    "noise": "noise on gallery features, in their lengths",
    "queries": "queries per call",
}
"""What a study varies → the label of its axis."""


def plan(trial: StudyTrial, config: StudyConfig) -> list[Experiment]:
    """Each method on each perturbation of the test set, `repeats` draws of each."""
    methods = chosen_methods(config, METHODS)
    return [
        Experiment(perturbed, method, settings_of(method, trial), name, value, repeat, batches)
        for name, value, perturb, batches in perturbed_sets(trial.features(), config)
        for repeat in range(config.robustness.repeats)
        for perturbed in [
            replace(trial, change=partial(perturb, seed=_seed(config, trial, repeat)))
        ]
        for method in methods
    ]


def perturbed_sets(
    features: Features, config: StudyConfig
) -> Iterable[tuple[str, ParameterValue, Callable[..., Features], QueryBatches | None]]:
    """List the perturbations of a test set.

    Args:
        features: of one trial.
        config: the settings of the study.

    Yields:
        Name, value, a function of features and `seed` that returns the perturbed features, and how
        queries are split into calls (None: all in one call).
    """
    settings = config.robustness
    for most in _up_to(settings.images, perturbations.most_images(features)):
        yield "images", most, partial(perturbations.images_per_identity, most=most), None
    for share in settings.distractors:
        yield "distractors", share, partial(perturbations.with_distractors, share=share), None
    for length in settings.noise:
        yield "noise", length, partial(perturbations.with_noise, length=length), None
    # The same queries are scored for every batch size: enough for the largest of the settings.
    scored = min(max(settings.queries, default=1), len(features.query))
    for count in _up_to(settings.queries, len(features.query)):
        drawn = partial(perturbations.some_queries, count=max(count, scored))
        yield "queries", count, drawn, QueryBatches(count, scored)


def _up_to(values: tuple[int, ...], most: int) -> list[int]:
    """The values below the number that exists, and that number; empty for no values."""
    return sorted({min(value, most) for value in (*values, most)}) if values else []


def _seed(config: StudyConfig, trial: StudyTrial, repeat: int) -> list[int]:
    return [config.seed, trial.number, repeat]


def report(results: StudyResults, folder: Path) -> list[Part]:
    """For each test set and perturbation a figure with one panel per metric, and its table."""
    parts: list[Part] = [
        Paragraph(
            "Every point is a perturbation of the test set, drawn several times by seed; within a "
            "draw all methods get the same rows. Parameters stay as they are set: the loss of a "
            "method whose parameters no longer fit the gallery is part of the result. Bands show "
            "how much draws differ, not how certain a method's score is; Δ is the difference to "
            "the baseline of the same draw. For any number of queries per call the same queries "
            "are scored: a method that is not transductive ranks them alike."
        )
    ]
    for dataset in results.test_sets:
        for name, axis in PERTURBATIONS.items():
            if not any(results.of(dataset, method, name) for method in results.methods):
                continue
            parts += [Heading(f"{dataset}: {name}"), _figure(results, dataset, name, folder)]
            parts.append(_table(results, dataset, name, axis))
    return parts


def _figure(results: StudyResults, dataset: str, name: str, folder: Path) -> Figure:
    panels = [
        Panel(
            PERTURBATIONS[name],
            f"{label(metric)} (%)",
            percent_curves(results, dataset, name, metric),
        )
        for metric in results.config.metrics
    ]
    stem = folder / f"robustness_{dataset.replace('/', '_')}_{name}"
    drawn = curves([panels], f"{dataset}: {name}", results.transductive)
    file = figures.write_figure(drawn, stem)
    words = f"{dataset}, over {PERTURBATIONS[name]}; bands: standard deviation over draws, trials"
    return Figure(file, f"{words}; {figures.NOTE} Whole set: {results.test_sets[dataset]}.")


def _table(results: StudyResults, dataset: str, name: str, axis: str) -> Table:
    head = varied_head(name, results.config.metrics)
    words = f"{name}: {axis}. Δ mAP: difference to the baseline of the same draws."
    return Table(
        [head, *varied_rows(results, dataset, name)], f"{caption(results, dataset)} {words}"
    )
