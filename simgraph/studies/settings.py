"""The settings of a study: what is measured, on what, and where the results go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from simgraph._deprecation import warn_renamed
from simgraph._params import did_you_mean, unknown_name
from simgraph.config import DatasetConfig, ParamsConfig, Section, SIMConfig
from simgraph.rerankers import NAMES
from simgraph.rerankers.signatures import method_parameters

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0)]

ParameterValue: TypeAlias = float | int | bool | str
"""Of a method's parameter, or of anything else that a study varies."""

STUDY_NAMES = ("ablation", "sweep", "generalize", "compare", "robustness")
"""Keys of `simgraph.studies.STUDIES`, without importing the studies."""

RENAMED_STUDIES = {"generalise": "generalize"}  # old name → new name
"""Old names are accepted for one release, with a warning."""

METRICS = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")


class SweepConfig(Section):
    """The parameters to vary, one at a time."""

    vary: tuple[str, ...] = (
        "lam=0,0.001,0.003,0.01,0.03,0.1,0.3,1",
        "num_paths=1,3,5,7,9,11,13,15,17,19,21",
        "alpha=0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1",
    )
    """Each PARAMETER=VALUE,VALUE,…; METHOD.PARAMETER=… for one method only; k+k_query+k_gallery=…
    gives several parameters the same value."""


class CompareConfig(Section):
    """How differences between methods are tested."""

    against: tuple[str, ...] = ("baseline", "sim")
    """Each method is compared with these, where they are measured."""
    resamples: int = Field(2000, ge=100)
    """Resamples of the bootstrap over queries."""
    confidence: float = Field(0.95, gt=0, lt=1)

    @field_validator("against")
    @classmethod
    def _methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_methods("compare.against", names)


class RobustnessConfig(Section):
    """How the test set is perturbed; each perturbation is drawn several times."""

    images: tuple[Count, ...] = (1, 2, 4, 8, 16)
    """Gallery images kept per identity; the whole gallery is measured too. An empty list leaves
    this perturbation out."""
    distractors: tuple[Share, ...] = (0.0, 0.25, 0.5, 1.0)
    """Half of the identities keep their queries; this share of the others is in the gallery."""
    noise: tuple[Length, ...] = (0.0, 0.25, 0.5, 1.0)
    """Length of the Gaussian noise added to gallery features, in lengths of the feature."""
    queries: tuple[Count, ...] = (1, 10, 50)
    """Queries per call; all queries in one call are measured too. As many queries as the largest
    of these are scored, the same ones each time."""
    repeats: int = Field(3, ge=1)
    """Draws of each perturbation."""


class StudyConfig(Section):
    """All settings of a study."""

    features: tuple[str, ...] = ()
    """Feature files, each a test set; read with `dataset` as `simgraph test` does."""
    checkpoints: tuple[str, ...] = ()
    """Checkpoints or folders of training runs, each a test set."""
    configs: tuple[str, ...] = ()
    """Configs of `simgraph test`, each with its own dataset, features or checkpoint, and sim."""
    dataset: DatasetConfig = DatasetConfig()
    sim: SIMConfig = SIMConfig()
    params: ParamsConfig = ParamsConfig()
    """Of the other methods, as in the configs of `simgraph test`."""
    normalize: bool = True
    """Scale every feature row to length 1."""
    methods: tuple[str, ...] = ()
    """Of simgraph.rerankers.METHODS; METHOD:PARAMETER=VALUE,… is a method with its own parameters.
    An empty list takes the methods of the study. The baseline is always included."""
    metrics: tuple[str, ...] = Field(("rank1", "mAP", "mINP"), min_length=1)
    """Of rank1, rank5, rank10, rank20, mAP, mINP: columns of the tables, panels of the figures."""
    sweep: SweepConfig = SweepConfig()
    compare: CompareConfig = CompareConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    seed: int = Field(0, ge=0)
    """Of perturbations and the bootstrap."""
    output: str = "runs/study"
    """Folder for results, report and figures, and for the experiments from which a later run
    continues."""

    @field_validator("methods")
    @classmethod
    def _methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_methods("methods", names)

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in METRICS:
                raise ValueError(unknown_name("metrics", name, METRICS))
        return _each_once(names)


def current_study_name(name: str) -> str:
    """The name of a study, given its name or its old name; an old name warns."""
    if name not in RENAMED_STUDIES:
        return name
    warn_renamed(f"study {name!r}", repr(RENAMED_STUDIES[name]), level=3)
    return RENAMED_STUDIES[name]


def parse_method(text: str, key: str = "method") -> tuple[str, dict[str, ParameterValue]]:
    """Parse the name of a method: `sim`, or `sim:k=auto` with its own parameters.

    Args:
        text: METHOD, or METHOD:PARAMETER=VALUE,… .
        key: the setting that the name comes from, for the error.

    Returns:
        A key of `simgraph.rerankers.METHODS`; parameter → value, empty for a plain name.

    Raises:
        ValueError: for an unknown method or parameter, or another form.
    """
    method, colon, rest = text.partition(":")
    if method not in NAMES:
        raise ValueError(unknown_name(key, method, NAMES))
    pairs = [pair.partition("=") for pair in rest.split(",")] if colon else []
    known = method_parameters(method)
    for name, _, value in pairs:
        if name not in known or not value:
            raise ValueError(
                f"{key}: expected {method}:PARAMETER=VALUE,… with parameters of "
                f"{', '.join(known)}, got {text!r}{_nearest(name, known)}"
            )
    return method, {name: parameter_value(value) for name, _, value in pairs}


def _nearest(name: str, known: Iterable[str]) -> str:
    return "" if name in known else did_you_mean(name, known)


def method_of(text: str) -> str:
    """The method that a study's name for it refers to, of `simgraph.rerankers.METHODS`."""
    return text.partition(":")[0]


def parameter_value(text: str) -> ParameterValue:
    """Parse an integer, a number, true or false; any other word stays as it is."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False}.get(text, text)


def _checked_methods(key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        parse_method(name, key)
    return _each_once(names)


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each once")
    return names
