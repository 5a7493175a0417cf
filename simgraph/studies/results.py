"""The results of a study: its experiments, its test sets, and means over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

import torch

from simgraph.datasets.synthetic_marker import is_synthetic
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.settings import ParameterValue, StudyConfig


@dataclass(frozen=True)
class TestSetSummary:
    """What a reader must know of a test set to read its scores."""

    test_set: str
    protocol: str
    normalize: bool
    trials: int
    queries: int
    gallery: int
    identities: int
    shots: tuple[int, int]
    """Least and most gallery images per identity."""

    @property
    def images(self) -> str:
        """Least and most gallery images per identity, as text."""
        return "–".join(map(str, dict.fromkeys(self.shots)))

    def __str__(self) -> str:
        return (
            f"{self.test_set}, {self.queries} queries, {self.gallery} gallery images of "
            f"{self.identities} identities ({self.images} per identity), protocol {self.protocol}, "
            f"{self.trials} trial{'s' * (self.trials > 1)}, features "
            f"{'' if self.normalize else 'not '}L2-normalized"
        )


@dataclass(frozen=True)
class StudyResults:
    """Everything that a report is written from.

    Attributes:
        study: name of the study.
        config: its settings.
        test_sets: dataset → its sizes and protocol.
        experiments: in the order in which they were planned.
    """

    study: str
    config: StudyConfig
    test_sets: Mapping[str, TestSetSummary]
    experiments: Sequence[ExperimentResult]

    @property
    def methods(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(e.method for e in self.experiments))

    @property
    def transductive(self) -> set[str]:
        """Methods that used the other queries, with parameters as set, on any test set."""
        as_set = [e for e in self.experiments if not e.parameter] or self.experiments
        return {e.method for e in as_set if e.transductive}

    def of(self, dataset: str, method: str, parameter: str = "") -> list[ExperimentResult]:
        """Experiments of a method on a dataset in which one parameter, or none, is varied."""
        return [
            e
            for e in self.experiments
            if (e.dataset, e.method, e.parameter) == (dataset, method, parameter)
        ]


def summarize_test_set(trial: StudyTrial, trials: int) -> TestSetSummary:
    """Summarize a test set by one of its trials.

    Args:
        trial: the first trial.
        trials: their number.
    """
    features, data = trial.features(), trial.config.dataset
    assert features.gallery_pids is not None, "trials are labeled"
    images = torch.unique(features.gallery_pids, return_counts=True)[1]
    mode = f" {data.mode}" if data.mode else ""
    shots = f" {data.shots}-shot" if data.name == "sysu_mm01" else ""
    made_up = "SYNTHETIC, made up, in the form of " if is_synthetic(data.root) else ""
    return TestSetSummary(
        test_set=f"{made_up}{data.name}{mode}{shots}",
        protocol=trial.protocol,
        normalize=trial.config.normalize,
        trials=trials,
        queries=len(features.query),
        gallery=len(features.gallery),
        identities=len(images),
        shots=(int(images.min()), int(images.max())),
    )


def metric_values(experiments: Sequence[ExperimentResult], metric: str) -> list[float]:
    """Values of a metric: a score in [0, 1], seconds, or peak_mib; one per measured experiment."""
    measured = [e.measurement for e in experiments if e.measurement is not None]
    if metric in ("seconds", "peak_mib"):
        values = [getattr(m, metric) for m in measured]
        return [value for value in values if value is not None]
    return [m.scores[metric] for m in measured]


def mean_std(experiments: Sequence[ExperimentResult], metric: str) -> tuple[float, float] | None:
    """Mean and population standard deviation over trials and repeats; None without values."""
    values = metric_values(experiments, metric)
    return (fmean(values), pstdev(values)) if values else None


def median_of(experiments: Sequence[ExperimentResult], metric: str) -> float | None:
    """Median over trials and repeats, which one slow call does not change; None without values."""
    values = metric_values(experiments, metric)
    return median(values) if values else None


def curve(
    experiments: Sequence[ExperimentResult], metric: str
) -> dict[ParameterValue, tuple[float, float]]:
    """Parameter value → mean and deviation of a metric, in the order of measurement."""
    values = dict.fromkeys(e.parameter_value for e in experiments)
    points = {
        v: mean_std([e for e in experiments if e.parameter_value == v], metric) for v in values
    }
    return {value: point for value, point in points.items() if point is not None}
