"""The settings of a study: what is measured, on what, and where the results go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from simgraph.config import DatasetConfig, ParamsConfig, Section, SIMConfig
from simgraph.studies.methods import parse_method

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0)]

STUDY_NAMES = ("ablation", "sweep", "generalise", "compare", "robustness")
"""Keys of `simgraph.studies.STUDIES`: to know them, nothing needs to be imported."""

METRICS = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")


class SweepConfig(Section):
    """Which parameters are varied, one at a time."""

    vary: tuple[str, ...] = (
        "lam=0,0.001,0.003,0.01,0.03,0.1,0.3,1",
        "num_paths=1,3,5,7,9,11,13,15,17,19,21",
        "alpha=0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1",
    )
    """Each PARAMETER=VALUE,VALUE,…; METHOD.PARAMETER=… for one method only; k+k_query+k_gallery=…
    gives several parameters the same value."""


class CompareConfig(Section):
    """How differences between methods are judged."""

    against: tuple[str, ...] = ("baseline", "sim")
    """Each method is paired with these, where they are measured."""
    resamples: int = Field(2000, ge=100)
    """Draws of the bootstrap over queries."""
    confidence: float = Field(0.95, gt=0, lt=1)

    @field_validator("against")
    @classmethod
    def _methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _parsed(names)


class RobustnessConfig(Section):
    """What is done to the test set, several draws of each."""

    images: tuple[Count, ...] = (1, 2, 4, 8, 16)
    """Gallery images kept of each identity; the whole gallery is measured too. None of a kind
    leaves it out."""
    distractors: tuple[Share, ...] = (0.0, 0.25, 0.5, 1.0)
    """Half the identities keep their queries; this share of the others is in the gallery."""
    noise: tuple[Length, ...] = (0.0, 0.25, 0.5, 1.0)
    """Length of the Gaussian noise added to gallery features, in lengths of the feature."""
    queries: tuple[Count, ...] = (1, 10, 50)
    """Queries that are asked together, and all of them; as many as the largest of these are
    scored, the same ones each time."""
    repeats: int = Field(3, ge=1)


class StudyConfig(Section):
    """Everything a study needs to know."""

    features: tuple[str, ...] = ()
    """Feature files, each a test set; with `dataset` as for tools/test.py."""
    checkpoints: tuple[str, ...] = ()
    """Checkpoints or folders of training runs, each a test set."""
    configs: tuple[str, ...] = ()
    """Config files of tools/test.py, each with its own dataset, features or checkpoint, and sim."""
    dataset: DatasetConfig = DatasetConfig()
    sim: SIMConfig = SIMConfig()
    params: ParamsConfig = ParamsConfig()
    """Of the other methods, as in the tools' configs."""
    normalize: bool = True
    """Scale every feature row to length 1."""
    methods: tuple[str, ...] = ()
    """Of simgraph.rerankers.METHODS; METHOD:PARAMETER=VALUE,… for one with parameters of its own;
    none takes the study's own. The baseline is always there."""
    metrics: tuple[str, ...] = Field(("rank1", "mAP", "mINP"), min_length=1)
    """Of rank1, rank5, rank10, rank20, mAP, mINP: columns of the tables, panels of the figures."""
    sweep: SweepConfig = SweepConfig()
    compare: CompareConfig = CompareConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    seed: int = Field(0, ge=0)
    """Of subsamples, noise and the bootstrap."""
    output: str = "runs/study"
    """Folder for results, report and figures, and for the cells a later run goes on from."""

    @field_validator("methods")
    @classmethod
    def _methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _parsed(names)

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or set(names) - set(METRICS):
            raise ValueError(f"each once, of {', '.join(METRICS)}")
        return names


def _parsed(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        parse_method(name)
    if len(set(names)) < len(names):
        raise ValueError("each once")
    return names
