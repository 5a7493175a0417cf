"""What a study found: its records, the test sets they are of, and means over trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean, median, pstdev

import torch

from simgraph.datasets.synthetic_marker import is_synthetic
from simgraph.studies.experiment import Record
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import Value
from simgraph.studies.settings import StudyConfig


@dataclass(frozen=True)
class TestSetFacts:
    """What every figure of a test set is to be read with."""

    test_set: str
    protocol: str
    normalize: bool
    trials: int
    queries: int
    gallery: int
    identities: int
    shots: tuple[int, int]
    """Least and most gallery images of an identity."""

    @property
    def images(self) -> str:
        """Least and most gallery images of an identity, in words."""
        return "–".join(map(str, dict.fromkeys(self.shots)))

    def __str__(self) -> str:
        return (
            f"{self.test_set}, {self.queries} queries, {self.gallery} gallery images of "
            f"{self.identities} identities ({self.images} an identity), protocol {self.protocol}, "
            f"{self.trials} trial{'s' * (self.trials > 1)}, features "
            f"{'' if self.normalize else 'not '}L2-normalised"
        )


@dataclass(frozen=True)
class Outcome:
    """All that the report of a study is made of."""

    study: str
    config: StudyConfig
    sets: dict[str, TestSetFacts] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(record.method for record in self.records))

    @property
    def transductive(self) -> set[str]:
        """Methods that looked at the other queries, as they are set, on any of the test sets."""
        as_set = [r for r in self.records if not r.parameter] or self.records
        return {r.method for r in as_set if r.transductive}

    def of(self, dataset: str, method: str, parameter: str = "") -> list[Record]:
        """Records of a method on a dataset, where nothing or one parameter is varied."""
        return [
            r
            for r in self.records
            if (r.dataset, r.method, r.parameter) == (dataset, method, parameter)
        ]


def facts(trial: StudyTrial, trials: int) -> TestSetFacts:
    """Sizes of a test set, from the first of its trials."""
    features, data = trial.features(), trial.config.dataset
    assert features.gallery_pids is not None, "trials are labelled"
    images = torch.unique(features.gallery_pids, return_counts=True)[1]
    mode = f" {data.mode}" if data.mode else ""
    shots = f" {data.shots}-shot" if data.name == "sysu_mm01" else ""
    made_up = "SYNTHETIC, made up, in the form of " if is_synthetic(data.root) else ""
    return TestSetFacts(
        test_set=f"{made_up}{data.name}{mode}{shots}",
        protocol=trial.protocol,
        normalize=trial.config.normalize,
        trials=trials,
        queries=len(features.query),
        gallery=len(features.gallery),
        identities=len(images),
        shots=(int(images.min()), int(images.max())),
    )


def metric_values(records: list[Record], metric: str) -> list[float]:
    """A metric of each record: a score in [0, 1], seconds, or peak_mib."""
    found = [r.measurement for r in records if r.measurement is not None]
    if metric in ("seconds", "peak_mib"):
        figures = [getattr(m, metric) for m in found]
        return [figure for figure in figures if figure is not None]
    return [m.scores[metric] for m in found]


def mean_std(records: list[Record], metric: str) -> tuple[float, float] | None:
    """Mean and deviation over trials and repeats, as the whole population; None for no figure."""
    figures = metric_values(records, metric)
    return (fmean(figures), pstdev(figures)) if figures else None


def median_of(records: list[Record], metric: str) -> float | None:
    """Median over trials and repeats: one slow call does not change it. None for no figure."""
    figures = metric_values(records, metric)
    return median(figures) if figures else None


def curve(records: list[Record], metric: str) -> dict[Value, tuple[float, float]]:
    """Value of what is varied → mean and deviation, in the order in which they were measured."""
    values = dict.fromkeys(record.value for record in records)
    points = {v: mean_std([r for r in records if r.value == v], metric) for v in values}
    return {value: point for value, point in points.items() if point is not None}
