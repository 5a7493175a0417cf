"""The methods of a study and the parameters they are called with."""

from __future__ import annotations

from typing import Any

from simgraph.pipeline import method_params
from simgraph.studies.experiment import Experiment
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.settings import StudyConfig, parse_method


def chosen_methods(config: StudyConfig, own: tuple[str, ...]) -> tuple[str, ...]:
    """The methods that the settings name, or else the study's own; the baseline comes first."""
    methods = config.methods or own
    return ("baseline", *(method for method in methods if method != "baseline"))


def settings_of(method: str, trial: StudyTrial) -> dict[str, Any]:
    """The parameters of a method on a trial, where the study does not vary them."""
    config = trial.config
    name, own = parse_method(method)
    return method_params(name, config.sim, config.normalize, config.params) | own


def one_experiment_each(
    trial: StudyTrial, config: StudyConfig, own: tuple[str, ...]
) -> list[Experiment]:
    """One experiment per method, with the parameters as they are set.

    Args:
        trial: the trial to rank.
        config: the settings of the study.
        own: the methods of the study, where the settings name none.
    """
    methods = chosen_methods(config, own)
    return [Experiment(trial, method, settings_of(method, trial)) for method in methods]
